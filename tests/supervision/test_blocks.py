"""Opening a supervisor around a block: what it is told, and what leaves it."""

from __future__ import annotations

import math
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing
from trio.lowlevel import enable_ki_protection

import trido
from trido import events
from trido.supervision.block import ROOTS


async def idle() -> None:
    await trio.sleep_forever()


async def crash_at_1() -> None:
    await trio.sleep(1)
    raise ValueError


@enable_ki_protection
def interrupt() -> None:
    """Ctrl-C at a moment in which only the main task can take it."""
    signal.raise_signal(signal.SIGINT)


class Ends(list[str]):
    """An observer that keeps how supervisors ended."""

    def note(self, event: events.Event) -> None:
        if isinstance(event, events.SupervisorEnded):
            self.append(f"{event.id} {event.incarnation} {event.outcome}")


class Careful:
    """A child that takes 2 s to clean up."""

    def __init__(self, at_1: Callable[[], None] = lambda: None) -> None:
        self.at_1 = at_1
        self.is_clean = False

    async def run(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup():
                await trio.sleep(1)
                self.at_1()
                await trio.sleep(1)
                self.is_clean = True


def play(main: Callable[[], Awaitable[None]]) -> BaseException | None:
    """Run it as the main task; return what it raises."""
    try:
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    except BaseException as error:
        return error
    return None


# What cannot be opened ----------------------------------------------------------------------


def test_a_spec_is_opened_as_it_is() -> None:
    opens: Any = trido.open_supervisor
    spec = trido.SupervisorSpec()
    for wrong in ({"max_restarts": 3}, {"strategy": "one_for_all"}):
        with pytest.raises(TypeError) as caught:
            opens(spec=spec, **wrong)
        said = "open_supervisor(spec=...) takes no other arguments but observers"
        assert str(caught.value) == said


def test_what_is_opened_is_the_spec_of_a_supervisor() -> None:
    wrong: Any = 5
    with pytest.raises(trido.SpecError) as caught:
        trido.open_supervisor(spec=wrong)
    wanted = "a trido.SupervisorSpec or a trido.DynamicSupervisorSpec"
    assert str(caught.value) == f"spec=5 is not allowed; it must be {wanted}"


def test_outside_trio_nothing_is_opened() -> None:
    with pytest.raises(RuntimeError) as caught:
        trido.open_supervisor()
    said = "trido runs in Trio: call this in an async function under trido.run"
    assert str(caught.value) == said


# What is open -------------------------------------------------------------------------------


async def test_a_template_has_its_arguments_before_those_of_each_child() -> None:
    given: list[tuple[object, ...]] = []

    async def takes(*args: object) -> None:
        given.append(args)
        await trio.sleep_forever()

    async with trido.open_dynamic_supervisor(takes, "eu", 2) as sup:
        await sup.start_child("more")
        await trio.testing.wait_all_tasks_blocked()
    assert given == [("eu", 2, "more")]


async def test_a_supervisors_task_has_its_path_for_a_name() -> None:
    inner = trido.SupervisorSpec(trido.ChildSpec(idle), id="inner")
    async with trido.open_supervisor(inner, id="top") as sup:
        below = sup["inner"].value
        assert sup.task is not None
        assert sup.task.name == "top"
        assert below.task.name == "top/inner"
        assert sup.has_ended is False


async def test_a_supervisor_that_is_closed_is_no_root_any_more() -> None:
    async with trido.open_supervisor() as one, trido.open_supervisor() as other:
        assert ROOTS.get() == {one, other}
    assert ROOTS.get() == set()


async def test_a_supervisor_in_another_ends_as_a_run_and_has_no_bound_of_its_own() -> None:
    ends, careful = Ends(), Careful()
    inner = trido.SupervisorSpec(
        trido.ChildSpec(careful.run, id="careful"), id="inner", shutdown_timeout=0.5
    )
    with trio.move_on_after(3):
        async with trido.open_supervisor(inner, observers=[ends.note]) as sup:
            await sup.stop_child("inner")
            await sup.restart_child("inner")
            careful.is_clean = False
            await trio.sleep_forever()
    assert careful.is_clean
    assert ends == ["inner 1 shutdown", "inner 2 shutdown", "root 1 cancelled"]


# What leaves it -----------------------------------------------------------------------------


def test_an_interrupt_while_it_starts_is_an_ordered_stop() -> None:
    ends, careful = Ends(), Careful()

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(1)
        interrupt()
        await trio.sleep_forever()

    async def main() -> None:
        children = (trido.ChildSpec(careful.run, id="careful"), trido.ChildSpec(slow))
        async with trido.open_supervisor(*children, observers=[ends.note]):
            pytest.fail("it started")

    assert type(play(main)) is KeyboardInterrupt
    assert careful.is_clean
    assert ends == ["root 1 shutdown"]


@pytest.mark.parametrize("body", [None, KeyboardInterrupt("first")])
def test_interrupts_leave_as_one_and_the_second_takes_the_grace(
    body: KeyboardInterrupt | None,
) -> None:
    careful = Careful(at_1=interrupt)
    times: list[float] = []

    async def main() -> None:
        try:
            async with trido.open_supervisor(
                trido.ChildSpec(careful.run, shutdown=math.inf, id="a")
            ):
                await trio.testing.wait_all_tasks_blocked()
                if body is not None:
                    raise body
                interrupt()
                await trio.sleep_forever()
        finally:
            times.append(trio.current_time())

    left = play(main)
    assert type(left) is KeyboardInterrupt
    assert body is None or left is body
    assert not careful.is_clean
    assert times == [1]


async def test_an_error_that_a_child_and_the_body_raise_alike_leaves_once() -> None:
    same = SystemExit(3)

    async def exits() -> None:
        await trio.sleep(1)
        raise same

    with pytest.raises(SystemExit) as caught:
        async with trido.open_supervisor(trido.ChildSpec(exits)):
            try:
                await trio.sleep_forever()
            finally:
                raise same
    assert caught.value is same


async def test_a_group_says_that_both_failed() -> None:
    with pytest.raises(BaseExceptionGroup) as caught:
        async with trido.open_supervisor(trido.ChildSpec(crash_at_1), max_restarts=0):
            try:
                await trio.sleep_forever()
            finally:
                raise OSError
    assert caught.value.message == "the supervisor and its block failed"


async def test_a_request_that_is_not_met_because_it_gave_up_is_no_error_of_the_body() -> None:
    with pytest.raises(trido.RestartLimitExceeded):
        async with trido.open_supervisor(trido.ChildSpec(crash_at_1), max_restarts=0) as sup:
            with trio.CancelScope(shield=True):
                await sup.wait()
                await sup.stop_child("crash_at_1")


@pytest.mark.parametrize(
    ("cancelled", "said", "seconds"), [(True, "cancelled", 1), (False, "shutdown", 2)]
)
async def test_a_body_that_ends_by_a_cancellation_and_more_is_cancelled(
    said: str, seconds: float, *, cancelled: bool
) -> None:
    ends, careful = Ends(), Careful()
    started = trio.current_time()
    with pytest.RaisesGroup(OSError), trio.CancelScope() as scope:
        async with trido.open_supervisor(
            trido.ChildSpec(careful.run, id="careful"), shutdown_timeout=1, observers=[ends.note]
        ):
            await trio.testing.wait_all_tasks_blocked()
            if not cancelled:
                raise BaseExceptionGroup("more", [OSError()])
            scope.cancel()
            try:
                await trio.sleep_forever()
            except trio.Cancelled as error:
                raise BaseExceptionGroup("more", [error, OSError()]) from None
    assert ends == [f"root 1 {said}"]
    assert trio.current_time() - started == seconds


async def test_whoever_waits_for_a_supervisor_whose_block_breaks_learns_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class BrokenError(Exception):
        """Our own code fails."""

    def stop(self: trido.Supervisor, *, cancelled: bool = False) -> None:
        raise BrokenError

    async def never_ready(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()

    told: list[trido.SupervisorStopped] = []
    left: list[BaseException | None] = []

    async def asks(sup: trido.Supervisor) -> None:
        with pytest.raises(trido.SupervisorStopped) as caught:
            await sup.start_child(never_ready)
        told.append(caught.value)
        left.append(sup.error)

    async with trio.open_nursery() as nursery:
        with pytest.raises(BrokenError) as broken:
            async with trido.open_supervisor(trido.ChildSpec(idle), id="top") as sup:
                nursery.start_soon(asks, sup)
                await trio.testing.wait_all_tasks_blocked()
                monkeypatch.setattr(trido.Supervisor, "stop", stop)
    assert left == [broken.value]
    assert [(one.id, one.__cause__) for one in told] == [("top", broken.value)]
