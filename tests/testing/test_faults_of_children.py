"""Faults of plain children: where their awaits resume, as they start, as they are stopped."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest
import trio

import trido
from tests.testing.agents import quiet
from trido import testing
from trido.testing import inject


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet():
        yield


def ran(plan: str, *children: Any, seconds: float = 10.0) -> tuple[str, float]:
    """The states of children some time later, and how long it took to stop them."""

    async def main() -> tuple[str, float]:
        async with trido.open_supervisor(*children, id="root", max_restarts=9) as sup:
            await trio.sleep(seconds)
            states = ", ".join(f"{one.id} {one.state} {one.incarnation}" for one in sup.children())
            begun = trio.current_time()
        return states, trio.current_time() - begun

    return testing.run(main, plan=plan, seed=3, guarded=False)


async def feed(ticks: int = 100) -> None:
    for _ in range(ticks):
        await trio.sleep(1)


@pytest.mark.parametrize(
    ("plan", "states", "takes"),
    [
        ("nothing", "feed running 1", 0),
        ("crash feed at await 3", "feed running 2", 0),
        ("crash root/feed at await 3; crash feed at await 4", "feed running 3", 0),
        ("crash feed at 5.5s", "feed running 2", 0),
        ("cancel feed at await 3", "feed running 2", 0),
        ("slow feed 3s at await 3", "feed running 1", 0),
        ("hang feed at await 3", "feed running 1", 0),
        ("slow feed 3s at stop", "feed running 1", 3),
        ("hang feed at stop", "feed running 1", 5),
        ("crash feed at stop", "feed running 1", 0),
        ("swallow feed at await 3", "feed running 1", 5),
        ("swallow feed at start", "feed running 1", 5),
        ("block feed 5s at await 3", "feed running 1", 0),
    ],
)
def test_a_fault_of_a_child_happens_where_it_says(plan: str, states: str, takes: float) -> None:
    assert ran(plan, trido.ChildSpec(feed)) == (states, pytest.approx(takes))


def test_of_a_template_each_child_has_a_name_of_its_own() -> None:
    async def main() -> list[int]:
        async with trido.open_dynamic_supervisor(feed, id="feeds") as sup:
            one, other = await sup.start_child(9), await sup.start_child(9)
            await trio.sleep(5)
            return [one.incarnation, other.incarnation]

    assert testing.run(main, plan="crash feeds/feed-2 at await 2", guarded=False) == [1, 2]


def test_a_start_that_is_slow_or_hangs_is_not_ready() -> None:
    async def ready(*, task_status: trio.TaskStatus[str]) -> None:
        task_status.started("ready")
        await trio.sleep_forever()

    async def main() -> float:
        with trio.move_on_after(60):
            async with trido.open_supervisor(trido.ChildSpec(ready)) as sup:
                assert sup["ready"].value == "ready"
        return trio.current_time()

    assert testing.run(main) == 0
    assert testing.run(main, plan="slow ready 5s at start") == 5
    assert testing.run(main, plan="hang ready at start") == 60
    with pytest.raises(trido.StartFailed):
        testing.run(main, plan="crash ready at start", rehearsed=True)


class Shared:
    """What a crash must not leave broken."""

    def __init__(self) -> None:
        self.lock = trio.Lock()
        self.send, self.receive = trio.open_memory_channel[int](100)
        self.done: list[int] = []
        self.taken: list[int] = []

    async def holds_the_lock(self) -> None:
        while True:
            async with self.lock:
                await trio.sleep(1)
            await trio.sleep(0.5)

    async def takes(self) -> None:
        while True:
            got = await self.receive.receive()
            self.taken.append(got)
            await trio.sleep(0.1)
            self.done.append(got)

    async def returns_at_once(self) -> None:
        return await trio.sleep(1)


@pytest.mark.parametrize("nth", range(1, 12))
def test_a_lock_is_never_held_by_who_has_crashed(nth: int) -> None:
    """The await of ``async with`` has had its effect, and the block is left by the crash."""

    async def main() -> None:
        shared = Shared()
        one = trido.ChildSpec(shared.holds_the_lock, id="one")
        two = trido.ChildSpec(shared.holds_the_lock, id="two")
        async with trido.open_supervisor(one, two, max_restarts=9):
            await trio.sleep(20)
            for _ in range(20):
                with trio.fail_after(30):
                    async with shared.lock:
                        await trio.lowlevel.checkpoint()

    testing.run(main, plan=f"crash one at await {nth}", seed=nth, guarded=False)


def test_what_was_received_is_there_when_the_crash_comes() -> None:
    """It is lost: by the child, not by the channel. That is the bug that this finds."""

    async def main() -> tuple[list[int], list[int]]:
        shared = Shared()
        async with trido.open_supervisor(trido.ChildSpec(shared.takes)):
            for number in range(4):
                await trio.sleep(1)
                await shared.send.send(number)
            await trio.sleep(1)
        return shared.taken, shared.done

    assert testing.run(main) == ([0, 1, 2, 3], [0, 1, 2, 3])
    # Each of them takes two: what is received, and the sleep.
    assert testing.run(main, plan="crash takes at await 3") == ([0, 2, 3], [0, 2, 3])
    assert testing.run(main, plan="crash takes at await 4") == ([0, 1, 2, 3], [0, 2, 3])


def test_a_crash_comes_where_a_function_returns_what_it_awaited() -> None:
    shared = Shared()
    spec = trido.ChildSpec(shared.returns_at_once, id="one", restart="transient")
    assert ran("nothing", spec)[0] == "one stopped 1"
    assert ran("crash one at await 1", spec)[0] == "one stopped 2"


def test_an_await_that_fails_fails_by_the_crash_instead() -> None:
    seen: list[str] = []

    async def child() -> None:
        try:
            with trio.fail_after(1):
                await trio.sleep_forever()
        except BaseException as error:
            seen.append(type(error).__name__)
            raise

    async def main() -> None:
        async with trido.open_supervisor(trido.ChildSpec(child, restart="temporary")):
            await trio.sleep(5)

    testing.run(main)
    testing.run(main, plan="crash child at await 1", rehearsed=False)
    assert seen == ["TooSlowError", "InjectedCrash"]


def test_an_await_that_waits_several_times_ends_before_the_crash() -> None:
    class Twice:
        def __await__(self) -> Generator[Any, Any, str]:
            yield from trio.sleep(1).__await__()  # noqa: ASYNC105
            yield from trio.sleep(1).__await__()  # noqa: ASYNC105
            return "done"

    async def twice() -> str:
        await trio.sleep(1)
        await trio.sleep(1)
        return "done"

    seen: list[str] = []

    async def outer(inner: Any) -> None:
        seen.append(await inner())
        await trio.sleep_forever()

    async def main(inner: Any) -> None:
        async with trido.open_supervisor(
            trido.ChildSpec(outer, inner, restart="temporary"), id="root"
        ):
            await trio.sleep(5)

    for inner in (twice, Twice):
        testing.run(main, inner, plan="crash outer at await 1", rehearsed=False)
    assert seen == []


def test_what_is_no_coroutine_is_only_started() -> None:
    class Later:
        def __await__(self) -> Generator[Any, Any, None]:
            return trio.sleep_forever().__await__()  # noqa: ASYNC105

    spec = trido.ChildSpec(lambda: Later(), id="later")  # noqa: PLW0108  # classes are not async
    assert ran("nothing", spec)[0] == "later running 1"
    assert ran("crash later at start 2; crash later at 1s", spec)[0] == "later running 3"


def test_what_trio_throws_is_thrown_in_the_code() -> None:
    seen: list[str] = []

    class Wrong:
        def __await__(self) -> Generator[Any, Any, None]:
            yield "nonsense"

    async def child() -> None:
        try:
            await Wrong()
        except TypeError as error:
            seen.append(str(error))

    ran("crash child at 9s", trido.ChildSpec(child, restart="temporary"))
    assert len(seen) == 2
    assert all("nonsense" in one for one in seen)


def test_a_child_that_was_cancelled_by_itself_is_not_being_stopped() -> None:
    async def child() -> None:
        while True:
            with trio.move_on_after(1):
                await trio.sleep_forever()

    assert ran("crash child at stop", trido.ChildSpec(child))[0] == "child running 1"


def test_a_plan_may_be_in_force_on_the_real_clock() -> None:
    async def main() -> list[Any]:
        async with inject("block loop 0.01s at 0s; crash feed at 0.05s") as injection:
            async with trido.open_supervisor(trido.ChildSpec(feed)):
                while injection.pending:  # noqa: ASYNC110  # it tells nobody
                    await trio.sleep(0.001)
            return [*injection.happened]

    assert len(trio.run(main)) == 2
