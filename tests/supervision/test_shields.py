"""What a kill breaks and what it leaves alone; and how long a run may still clean up."""

from __future__ import annotations

import math
import signal
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from contextvars import copy_context
from typing import Any

import pytest
import trio
import trio.testing

import trido
from trido.supervision.current import CURRENT, CleanupTime, Current, current_run
from trido.supervision.incarnation import break_out
from trido.supervision.shields import break_shields, spare
from trido.supervision.signals import with_signals

WAITS_FOR_A_PROCESS = """
async def waits(told):
    async with trio.open_nursery() as nursery:
        nursery.cancel_scope.shield = True
        told.append(nursery.cancel_scope)
        await trio.sleep_forever()
"""


def process_waiter() -> Callable[[list[trio.CancelScope]], Awaitable[None]]:
    """A function that waits as `trio.run_process` does, and looks like it."""
    names: dict[str, Any] = {"__name__": "trio._subprocess", "trio": trio}
    exec(WAITS_FOR_A_PROCESS, names)  # nothing else has this name
    waits: Callable[[list[trio.CancelScope]], Awaitable[None]] = names["waits"]
    return waits


async def waits_shielded(made: list[trio.CancelScope]) -> None:
    with trio.CancelScope(shield=True) as outer:
        async with trio.open_nursery() as nursery:
            nursery.cancel_scope.shield = True
            with trio.CancelScope() as plain, trio.CancelScope(shield=True) as inner:
                made.extend((outer, nursery.cancel_scope, plain, inner))
                nursery.start_soon(waits_for, made)
                await trio.sleep_forever()


async def waits_for(made: list[trio.CancelScope]) -> None:
    with trio.CancelScope(shield=True) as shield:
        made.append(shield)
        await trio.sleep_forever()


async def test_every_shield_in_a_scope_is_broken() -> None:
    made: list[trio.CancelScope] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits_shielded, made)
        nursery.start_soon(waits_for, made)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        break_shields(nursery.cancel_scope)
    assert len(made) == 6
    assert not any(scope.shield for scope in made)


async def test_shields_beside_a_scope_are_left_alone() -> None:
    made: list[trio.CancelScope] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits_for, made)
        await trio.testing.wait_all_tasks_blocked()
        break_shields(trio.CancelScope())
        assert made[0].shield
        with trio.CancelScope() as scope:
            break_shields(scope)
            await trio.lowlevel.checkpoint()
        assert made[0].shield
        made[0].cancel()


def entered(stack: ExitStack, *spared: bool) -> list[trio.CancelScope]:
    """Shields within shields; these are spared."""
    scopes = [stack.enter_context(trio.CancelScope(shield=True)) for _ in spared]
    for scope, is_spared in zip(scopes, spared, strict=True):
        if is_spared:
            spare(scope)
    return scopes


@pytest.mark.parametrize(
    ("spared", "left"),
    [
        ((False, False), (False, False)),
        ((False, True, False), (False, True, True)),
        ((True, True, False), (True, True, True)),
    ],
)
async def test_what_is_spared_is_left_alone_with_all_that_is_in_it(
    spared: tuple[bool, ...], left: tuple[bool, ...]
) -> None:
    with ExitStack() as others:
        others.callback(entered(others, *(True,))[0].cancel)  # another that is spared, elsewhere
    with trio.CancelScope() as scope, ExitStack() as stack:
        scopes = entered(stack, *spared)
        break_shields(scope)
        assert tuple(one.shield for one in scopes) == left
        await trio.lowlevel.cancel_shielded_checkpoint()


async def test_the_wait_for_a_subprocess_is_broken_only_if_asked() -> None:
    waited: list[trio.CancelScope] = []
    made: list[trio.CancelScope] = []
    waits = process_waiter()

    async def waits_deeply() -> None:
        with trio.CancelScope(shield=True) as shield:
            made.append(shield)
            await waits(waited)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits_deeply)
        nursery.start_soon(waits_shielded, made)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        break_shields(nursery.cancel_scope)
        assert [scope.shield for scope in waited] == [True]
        assert not any(scope.shield for scope in made)
        break_shields(nursery.cancel_scope, of_subprocesses=True)
        assert [scope.shield for scope in waited] == [False]


async def test_a_trio_without_such_parts_breaks_nothing() -> None:
    class Part:
        """Of another Trio: what it has is of no use."""

        def __init__(self, **has: object) -> None:
            self.__dict__.update(has)

    parts: list[Any] = [
        Part(),
        Part(_cancel_status=Part()),
        Part(_cancel_status=Part(_children=[Part(), Part(_scope=5)])),
    ]
    for part in parts:
        break_shields(part)


# A kill -------------------------------------------------------------------------------------


class Killed:
    """Something in a cancelled scope, which a kill is to get out of there."""

    def __init__(self) -> None:
        self.gone = trio.Event()
        self.ended_at = math.inf
        self.told_at: list[float] = []

    async def holds(self, scope: trio.CancelScope, fn: Callable[[], Awaitable[None]]) -> None:
        with scope:
            await fn()
        self.ended_at = trio.current_time()
        self.gone.set()

    async def by(self, fn: Callable[[], Awaitable[None]], kill_timeout: float) -> float:
        """Kill it; say how long that took."""
        started = trio.current_time()
        scope = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.holds, scope, fn)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
            await break_out(scope, self.gone, kill_timeout, self._is_told)
            taken = trio.current_time() - started
            nursery.cancel_scope.cancel()
        return taken

    def _is_told(self) -> None:
        self.told_at.append(trio.current_time())


@pytest.mark.parametrize("times", [1, 40, 150, 500])
async def test_a_kill_breaks_shields_as_often_as_they_are_raised(times: int) -> None:
    async def raises_anew() -> None:
        for _ in range(times):
            with trio.CancelScope(shield=True), suppress(trio.Cancelled):
                await trio.sleep_forever()

    killed = Killed()
    assert await killed.by(raises_anew, 60.0) < (1 if times < 100 else 30)
    assert killed.told_at == []


@pytest.mark.parametrize("kill_timeout", [0.0, 0.02, 1.0])
async def test_a_kill_that_does_not_work_is_told_after_its_timeout(kill_timeout: float) -> None:
    killed = Killed()
    started = trio.current_time()
    await break_out(trio.CancelScope(), killed.gone, kill_timeout, killed._is_told)
    assert [at - started for at in killed.told_at] == [pytest.approx(kill_timeout)]


async def test_a_kill_is_over_as_soon_as_it_has_worked() -> None:
    async def ends_late() -> None:
        with trio.CancelScope(shield=True) as scope:
            spare(scope)
            await trio.sleep(0.33)

    killed = Killed()
    assert await killed.by(ends_late, 5.0) == pytest.approx(0.33)
    assert killed.told_at == []


async def test_a_kill_waits_for_a_subprocess_until_its_timeout() -> None:
    waits = process_waiter()

    async def runs_a_process() -> None:
        await waits([])

    killed = Killed()
    started = trio.current_time()
    await killed.by(runs_a_process, 2.0)
    assert killed.ended_at - started == 2.0
    assert killed.told_at == []


# Cleanup ------------------------------------------------------------------------------------


async def test_a_cleanup_lasts_as_long_as_the_grace_or_until_it_is_ended_earlier() -> None:
    time = CleanupTime(grace=3.0)
    now = trio.current_time()
    first = time.open()
    assert (first.shield, first.deadline) == (True, now + 3)
    time.end_by(now + 2)
    second = time.open()
    assert [first.deadline, second.deadline] == [now + 2] * 2
    time.end_by(now + 9)
    assert [first.deadline, second.deadline, time.open().deadline] == [now + 2] * 3
    time.close(first)
    time.expire()
    assert [first.deadline, second.deadline] == [now + 2, -math.inf]
    assert time.open().deadline == -math.inf
    assert CleanupTime().open().deadline == now + 5


async def test_a_run_that_opened_no_cleanup_can_be_ended() -> None:
    time = CleanupTime(grace=3.0)
    time.end_by(trio.current_time() + 1)
    assert time.open().deadline == trio.current_time() + 1


class Told:
    """What is looked at of a supervisor."""

    def __init__(self, task: trio.lowlevel.Task | None) -> None:
        self.task = task
        self.killed = 0

    def kill_children(self) -> None:
        self.killed += 1


async def test_a_kill_is_told_to_the_supervisors_that_a_run_has_opened_and_has_still() -> None:
    here = trio.lowlevel.current_task()
    elsewhere = here.parent_nursery
    assert elsewhere is not None
    run = Current(None, CleanupTime(), task=here)  # type: ignore[arg-type]  # it is not looked at
    one, other, closed = Told(here), Told(here), Told(here)
    moved = Told(elsewhere.parent_task)
    run.kill()
    told: list[Any] = [one, other, closed, moved]
    for supervisor in told:
        run.opened(supervisor)
    run.closed(told[2])
    run.kill()
    assert [supervisor.killed for supervisor in told] == [1, 1, 0, 0]
    assert run.cleanup_time.open().deadline == -math.inf


async def test_a_task_is_of_a_run_if_it_descends_from_its_task() -> None:
    here = trio.lowlevel.current_task()
    run = Current(None, CleanupTime(), task=here)  # type: ignore[arg-type]  # it is not looked at
    found: list[bool] = []

    async def looks(deeper: int) -> None:
        found.append(run.has(trio.lowlevel.current_task()))
        found.append(current_run() is run)
        if deeper:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(looks, deeper - 1)

    async def looks_from_elsewhere() -> None:
        await looks(0)

    CURRENT.set(run)
    await looks(2)
    assert found == [True] * 6
    found.clear()
    system = trio.lowlevel.spawn_system_task(looks_from_elsewhere, context=copy_context())
    await trio.testing.wait_all_tasks_blocked()
    assert found == [False, False]
    assert not run.has(None)
    assert not run.has(system)
    anywhere = Current(None, CleanupTime())  # type: ignore[arg-type]  # it is not looked at
    assert anywhere.has(None)
    CURRENT.set(None)
    assert current_run() is None


async def test_nobody_is_the_current_child_outside() -> None:
    with pytest.raises(RuntimeError) as caught:
        trido.current_child()
    said = "current_child() is for tasks that descend from a supervised child"
    assert str(caught.value) == said


# Signals ------------------------------------------------------------------------------------


def test_a_run_is_given_its_arguments_and_options_and_gives_its_result() -> None:
    clock = trio.testing.MockClock(autojump_threshold=0)

    async def adds(one: int, other: int) -> tuple[int, float]:
        await trio.sleep(100)
        return one + other, trio.current_time()

    assert trido.run(adds, 2, 3, clock=clock) == (5, 100)


def test_an_error_of_a_run_is_its_own() -> None:
    async def fails() -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        trido.run(fails)


def test_a_cancellation_by_sigterm_says_so() -> None:
    said: list[str] = []

    async def main() -> None:
        signal.raise_signal(signal.SIGTERM)
        try:
            await trio.sleep_forever()
        except trio.Cancelled as error:
            said.append(str(error))
            raise

    assert trido.run(main) is None
    assert "reason 'SIGTERM'" in said[0]


def test_sigterm_is_heard_while_an_outer_cancellation_is_cleaned_up_after() -> None:
    missed: list[int] = []
    cleaned: list[bool] = []

    async def main() -> None:
        with trio.CancelScope() as outer:
            await with_signals(cleans, (outer,))

    async def cleans(outer: trio.CancelScope) -> None:
        outer.cancel()
        with trio.CancelScope(shield=True):
            await trio.testing.wait_all_tasks_blocked()
            signal.raise_signal(signal.SIGTERM)
            await trio.testing.wait_all_tasks_blocked()
            cleaned.append(True)

    before = signal.signal(signal.SIGTERM, lambda number, _: missed.append(number))
    try:
        trio.run(main)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (missed, cleaned) == ([], [True])


def test_what_is_no_function_is_not_run() -> None:
    with pytest.raises(TypeError) as caught:
        trido.run(5)  # type: ignore[arg-type]  # wrong on purpose
    assert str(caught.value) == "trido.run() takes an async function and its arguments: 5"
