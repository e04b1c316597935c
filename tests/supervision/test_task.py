"""The supervisor's task: when it works, who does its work meanwhile, and how it fails."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

import trido
from tests.supervision.played import Board, Played
from trido import testing
from trido.supervision.current import current_run
from trido.supervision.messages import End
from trido.supervision.place import Report
from trido.supervision.policy import ChildPolicy
from trido.supervision.working import _without_wrapping


class BrokenError(Exception):
    """Our own code fails."""


async def idle() -> None:
    await trio.sleep_forever()


class Hasty(Board):
    """Each run crashes as it begins, up to the last."""

    def __init__(self, crashes: int) -> None:
        super().__init__()
        self.crashes = crashes

    def start(self, report: Report) -> Board:
        run = super().start(report)
        if self.crashes:
            self.crashes -= 1
            report.ended(End("crashed", ValueError("broken")))
        return run


def back_after(seconds: float) -> ChildPolicy:
    """From the second attempt on."""
    return ChildPolicy(backoff=trido.Backoff(min=seconds, jitter=0.0))


def crash_twice(board: Board) -> None:
    """It crashes, and so does its first restart."""
    board.failures.append(ValueError("broken"))
    crash(board)


def crash(board: Board, text: str = "broken") -> None:
    board.report.ended(End("crashed", ValueError(text)))


class Steps(trio.abc.Instrument):
    """Counts the steps of one task."""

    def __init__(self, task: trio.lowlevel.Task | None) -> None:
        self.task, self.number = task, 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.number += task is self.task


# Its turns, and those of others -------------------------------------------------------------------


@pytest.mark.parametrize("crashes", [True, False], ids=["crashes", "does not start"])
async def test_others_have_their_turn_between_two_restarts(*, crashes: bool) -> None:
    board, turns = Hasty(0), list[int]()
    async with trido.open_supervisor(Played(board), max_restarts=math.inf) as sup:
        await trio.testing.wait_all_tasks_blocked()
        if crashes:
            board.crashes = 40
        else:
            board.failures.extend([ValueError("broken")] * 40)
        crash(board)
        while sup["a"].incarnation < 42:
            await trio.lowlevel.checkpoint()
            turns.append(sup["a"].incarnation)
    assert len(set(turns)) > 15


async def test_who_restarts_something_leaves_what_comes_next_to_the_supervisors_task() -> None:
    hasty = Hasty(0)
    async with trido.open_supervisor(Played(hasty), max_restarts=math.inf) as sup:
        await trio.testing.wait_all_tasks_blocked()
        hasty.crashes = 3
        crash(hasty)
        assert sup["a"].incarnation == 2
        await trio.testing.wait_all_tasks_blocked()
        assert sup["a"].incarnation == 5


async def test_what_is_asked_while_it_sleeps_is_done_without_its_task() -> None:
    async with trido.open_supervisor(Played(Board())) as sup:
        await trio.testing.wait_all_tasks_blocked()
        steps = Steps(sup.task)
        trio.lowlevel.add_instrument(steps)
        await sup.start_child(Played(Board(), "b"))
        await sup.stop_child("a")
        await trio.testing.wait_all_tasks_blocked()
        assert steps.number == 0
        trio.lowlevel.remove_instrument(steps)


async def test_what_is_due_sooner_than_it_would_wake_is_done_in_time() -> None:
    async with trido.open_supervisor(max_restarts=10) as sup:
        for id, seconds in (("a", 9.0), ("b", 2.0)):
            board = Board()
            await sup.start_child(Played(board, id, back_after(seconds)))
            crash_twice(board)
        began = trio.current_time()
        for id, seconds in (("b", 2.0), ("a", 9.0)):
            await sup[id].wait_running(after=1)
            assert trio.current_time() - began == seconds


async def test_a_group_of_many_is_stopped_and_started_again_by_one_word() -> None:
    """More than is done at a time; the rest is done by the supervisor's task."""
    boards, policy = [Board() for _ in range(100)], ChildPolicy(shutdown=math.inf)
    specs = [Played(board, str(number), policy) for number, board in enumerate(boards)]
    async with trido.open_supervisor(*specs, strategy="one_for_all") as sup:
        await trio.testing.wait_all_tasks_blocked()
        crash(boards[0])
        await trio.testing.wait_all_tasks_blocked()
        assert {(one.state, one.incarnation) for one in sup.children()} == {("running", 2)}


def test_what_is_asked_at_the_moment_it_wakes_is_done() -> None:
    async def main() -> list[str]:
        board = Board()
        async with trido.open_supervisor(Played(board, policy=back_after(1.0))) as sup:
            await trio.testing.wait_all_tasks_blocked()
            crash_twice(board)
            await trio.sleep(1)
            await sup.start_child(Played(Board(), "b"))
            await trio.testing.wait_all_tasks_blocked()
            return [one.state for one in sup.children()]

    for seed in range(12):
        assert testing.run(main, seed=seed) == ["running", "running"]


async def test_it_is_told_when_it_stops_for_good_and_not_before() -> None:
    board = Board()
    board.obeys = False
    async with trido.open_supervisor(Played(board)) as sup:
        assert sup.settled.is_set()
        assert not sup.winds_up.is_set()
        sup.stop()
        await trio.testing.wait_all_tasks_blocked()
        assert (sup.is_stopping, sup.winds_up.is_set(), sup.over.is_set()) == (True, True, False)
        board.report.ended(End("stopped"))
        await sup.wait()


# How it gives up, and how it breaks ---------------------------------------------------------------


def gives_up(board: Board, sup: trido.Supervisor) -> None:
    crash(board)


def is_broken(board: Board, sup: trido.Supervisor) -> None:
    sup.abandon(BrokenError())


@pytest.mark.parametrize(
    ("how", "error", "reason"),
    [
        (gives_up, trido.RestartLimitExceeded, "supervisor 'top' gives up"),
        (is_broken, BrokenError, "supervisor 'top' failed"),
    ],
)
async def test_the_body_is_told_why_it_is_cancelled(
    how: Callable[[Board, trido.Supervisor], None], error: type[Exception], reason: str
) -> None:
    board, said, sups = Board(), list[str | None](), list[trido.Supervisor]()
    with pytest.raises(error):
        async with trido.open_supervisor(Played(board), id="top", max_restarts=0) as sup:
            sups.append(sup)
            how(board, sup)
            try:
                await trio.sleep_forever()
            except trio.Cancelled as cancelled:
                said.append(cancelled.reason)
                raise
    assert said == [reason]
    assert sups[0].error is None


async def test_what_ends_with_the_one_that_was_one_too_many_changes_nothing() -> None:
    """It comes in before the body is interrupted, and is done after."""
    one, other, heard = Board(), Board(), list[Any]()
    with pytest.raises(trido.RestartLimitExceeded) as caught:
        async with trido.open_supervisor(
            Played(one), Played(other, "b"), max_restarts=0, observers=(heard.append,)
        ):
            crash(one, "first")
            crash(other, "second")
            await trio.sleep_forever()
    assert str(caught.value.__cause__) == "first"


def test_nothing_is_begun_any_more_once_it_is_broken() -> None:
    """Not even what was due."""
    clock = MockClock()
    board, sups = Board(), list[trido.Supervisor]()

    async def main() -> None:
        with pytest.raises(BrokenError):
            async with trido.open_supervisor(Played(board, policy=back_after(1.0))) as sup:
                sups.append(sup)
                await trio.testing.wait_all_tasks_blocked()
                crash_twice(board)
                await trio.testing.wait_all_tasks_blocked()
                clock.jump(2)
                sup.abandon(BrokenError())
                await trio.sleep_forever()
        assert sups[0]["a"].incarnation == 2

    trio.run(main, clock=clock)
    assert board.take() == [
        *("starting", "running", *["restarting, comes back"] * 2, "stopped"),
    ]


class Guarded(Board):
    """One that cannot be asked to stop; it tells when it is killed."""

    def __init__(self, killed: list[Board]) -> None:
        super().__init__()
        self.killed = killed

    def cancel(self, deadline: float, reason: str) -> None:
        pass

    def kill(self) -> None:
        self.killed.append(self)


async def test_once_it_is_broken_what_runs_is_killed_last_first_and_whoever_waits_is_freed() -> (
    None
):
    killed, freed = list[Board](), list[BaseException | None]()
    boards = [Guarded(killed) for _ in range(3)]
    error = BrokenError()

    async def waits(sup: trido.Supervisor) -> None:
        with pytest.raises(trido.SupervisorStopped) as caught:
            await sup.stop_child("0")
        freed.append(caught.value.__cause__)

    policy = ChildPolicy(restart="transient")
    specs = (Played(board, str(number), policy) for number, board in enumerate(boards))
    with pytest.RaisesGroup(BrokenError) as caught:
        async with trio.open_nursery() as nursery, trido.open_supervisor(*specs) as sup:
            boards[1].report.ended(End("normal"))
            nursery.start_soon(waits, sup)
            nursery.start_soon(sup["2"].wait_ended)
            await trio.testing.wait_all_tasks_blocked()
            sup.abandon(error)
            await trio.sleep_forever()
    assert (caught.value.exceptions, freed) == ((error,), [error])
    assert killed == [boards[2], boards[0]]
    assert [board.take()[-1] for board in boards] == ["stopped"] * 3


@pytest.mark.parametrize("number", [1, 2])
async def test_of_what_broke_it_only_what_matters_is_left(number: int) -> None:
    errors = [BrokenError(str(one)) for one in range(number)]

    async def fails(error: BrokenError) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise error

    with trio.CancelScope() as scope, pytest.raises(BaseExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            for error in errors:
                nursery.start_soon(fails, error)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    left = _without_wrapping(caught.value)
    assert caught.value.split(trio.Cancelled)[0] is not None
    assert set(left.exceptions if isinstance(left, ExceptionGroup) else [left]) == set(errors)


# What it is to the supervisor above ---------------------------------------------------------------


def inner(board: Board, **fields: Any) -> trido.SupervisorSpec:
    return trido.SupervisorSpec(Played(board), id="inner", **fields)


async def test_one_that_broke_has_crashed() -> None:
    heard, error = list[Any](), BrokenError()
    async with trido.open_supervisor(inner(Board()), observers=(heard.append,)) as sup:
        sup["inner"].value.abandon(error)
        await sup["inner"].wait_running(after=1)
        assert sup["inner"].last_crash is error
    (told,) = [one for one in heard if isinstance(one, trido.events.SupervisorReport)]
    assert (told.context, told.outcome, told.reason) == ("child_terminated", "crashed", error)


async def test_one_that_broke_as_it_was_stopped_has_failed_to_stop() -> None:
    board, heard, error = Board(), list[Any](), BrokenError()
    board.obeys = False
    async with trido.open_supervisor(inner(board), observers=(heard.append,)) as sup:
        below = sup["inner"].value
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sup.stop_child, "inner")
            await trio.testing.wait_all_tasks_blocked()
            below.abandon(error)
    (told,) = [one for one in heard if isinstance(one, trido.events.ChildStopped)]
    assert (told.id, told.outcome, told.reason) == ("inner", "crashed", error)


async def test_one_that_is_stopped_after_a_start_that_failed_has_failed_to_stop() -> None:
    board, heard, error = Board(), list[Any](), ValueError("broken")
    board.obeys = False
    spec = trido.SupervisorSpec(Played(board), Played(Board(error), "b"), id="inner")
    async with (
        trio.open_nursery() as nursery,
        trido.open_supervisor(observers=(heard.append,)) as sup,
    ):
        nursery.start_soon(start_in_vain, sup, spec)
        await trio.testing.wait_all_tasks_blocked()
        sup.stop()
        await trio.testing.wait_all_tasks_blocked()
        board.report.ended(End("stopped"))
    (told,) = [
        one
        for one in heard
        if isinstance(one, trido.events.SupervisorReport) and one.context == "shutdown_error"
    ]
    assert (told.id, told.outcome) == ("inner", "crashed")
    assert isinstance(told.reason, trido.StartFailed)


async def start_in_vain(sup: trido.Supervisor, spec: trido.SupervisorSpec) -> None:
    with pytest.raises(trido.SupervisorStopped):
        await sup.start_child(spec)


async def test_one_that_met_something_fatal_ends_all_above_it() -> None:
    board, error = Board(), SystemExit(3)
    with pytest.raises(SystemExit) as caught:
        async with trido.open_supervisor(inner(board)):
            board.report.ended(End("fatal", error))
            await trio.sleep_forever()
    assert caught.value is error


async def test_one_that_could_not_start_its_children_has_failed_to_start() -> None:
    error = ValueError("broken")
    async with trido.open_supervisor() as sup:
        with pytest.raises(trido.StartFailed) as caught:
            await sup.start_child(inner(Board(error)))
        below = caught.value.__cause__
        assert isinstance(below, trido.StartFailed)
        assert (caught.value.id, below.id, below.__cause__) == ("inner", "a", error)


async def test_a_child_forgets_the_supervisors_that_ended_in_it() -> None:
    async with trido.open_supervisor() as sup:
        left: list[object] = []

        async def opens() -> None:
            for _ in range(3):
                async with trido.open_supervisor():
                    pass
            run = current_run()
            left.append(run is not None and run._supervisors)

        child = await sup.start_child(opens, restart="temporary")
        await child.wait_ended()
        assert left == [set()]
