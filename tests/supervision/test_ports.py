"""What the port of a place is asked and told: a run that does as the test says, and remembers."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
import trio.testing

import trido
from tests.supervision.played import Board, Played
from trido import events
from trido.supervision.messages import End
from trido.supervision.place import Report
from trido.supervision.policy import BRUTAL_KILL, ChildPolicy


async def test_a_place_is_told_its_states_and_its_run_to_stop() -> None:
    board = Board()
    async with trido.open_supervisor(Played(board)) as sup:
        sup["a"].beat()
        board.report.ended(End("crashed", ValueError("broken")))
        await trio.testing.wait_all_tasks_blocked()
        assert sup["a"].incarnation == 2
        await sup.stop_child("a")
    assert board.take() == [
        *("starting", "running", "beat", "restarting, comes back", "running", "stopping"),
        *("cancel by 5: its supervisor stops it", "stopped"),
    ]


async def test_a_start_that_raises_is_a_start_that_failed_by_that() -> None:
    error = ValueError("broken")
    heard: list[Any] = []
    async with trido.open_supervisor(observers=(heard.append,)) as sup:
        with pytest.raises(trido.StartFailed) as caught:
            await sup.start_child(Played(Board(error)))
        assert (caught.value.id, caught.value.__cause__) == ("a", error)
        assert "a" not in sup
    board = Board()
    async with trido.open_supervisor(Played(board), observers=(heard.append,)) as sup:
        board.failures.append(error)
        board.report.ended(End("normal"))
        await trio.testing.wait_all_tasks_blocked()
        assert (sup["a"].last_crash, sup["a"].incarnation) == (error, 3)
        assert sup["a"].run is board
    failed = [one for one in heard if getattr(one, "context", "") == "start_error"]
    assert [(one.outcome, one.reason) for one in failed] == [("crashed", error)]


async def test_whoever_outlives_its_grace_is_killed_and_may_be_a_zombie() -> None:
    board, heard = Board(), list[Any]()
    board.obeys = False
    policy = ChildPolicy(shutdown=1.0)
    async with trido.open_supervisor(
        Played(board, policy=policy), id="top", observers=(heard.append,)
    ) as sup:
        sup.stop()
        await trio.sleep(3)
        assert board.take()[-3:] == ["stopping", "cancel by 1: its supervisor stops it", "kill"]
        board.report.unkillable()
        board.report.unkillable()
        await trio.testing.wait_all_tasks_blocked()
        (told,) = [one for one in heard if isinstance(one, events.ChildUnkillable)]
        assert (told.path, told.id, told.incarnation) == (("top",), "a", 1)
        assert (told.stack, told.time) == ("where it is", trio.current_time())
        assert sup["a"].state == "zombie"
        board.report.ended(End("killed"))
        await sup.wait()
    assert board.take() == ["zombie", "stopped"]


async def test_a_brutal_kill_does_not_ask_first() -> None:
    board = Board()
    board.obeys = False
    policy = ChildPolicy(shutdown=BRUTAL_KILL)
    async with trido.open_supervisor(Played(board, policy=policy)) as sup:
        sup.stop()
        await trio.testing.wait_all_tasks_blocked()
        assert board.take() == ["starting", "running", "stopping", "kill"]
        board.report.ended(End("killed"))
    assert board.take() == ["stopped"]


async def test_a_parked_place_is_told_that_it_is_over_when_its_supervisor_is() -> None:
    parks, stays = Board(), Board()
    policy = ChildPolicy(on_limit="park")
    async with trido.open_supervisor(
        Played(parks, "a", policy), Played(stays, "b"), max_restarts=0
    ) as sup:
        parks.report.ended(End("crashed", ValueError("broken")))
        await trio.testing.wait_all_tasks_blocked()
        assert parks.take() == ["starting", "running", "restarting", "parked"]
        assert sup["a"].state == "parked"
    assert parks.take() == ["stopped"]
    assert stays.take()[-2:] == ["cancel by 5: its supervisor stops it", "stopped"]


async def test_what_an_observer_raises_that_is_fatal_is_what_leaves_the_block() -> None:
    board, error = Board(), SystemExit(3)

    def raises(event: events.Event) -> None:
        if isinstance(event, events.ChildStarted):
            raise error

    with pytest.raises(SystemExit) as caught:
        async with trido.open_supervisor(Played(board), observers=(raises,)):
            await trio.sleep_forever()
    assert caught.value is error
    assert board.take()[-1] == "stopped"


async def test_the_log_says_what_follows_by_the_childs_policy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    board = Board()
    with caplog.at_level(logging.INFO, "trido"):
        async with trido.open_supervisor(Played(board), id="top"):
            board.report.ended(End("crashed", ValueError("broken")))
            await trio.testing.wait_all_tasks_blocked()
    said = [record.getMessage() for record in caplog.records]
    crash = "child 'a' (run 1) of 'top' crashed by ValueError('broken'); it is permanent: "
    assert [one for one in said if "crashed by" in one] == [crash + "restarting by 'one_for_one'"]


async def test_a_request_that_is_refused_raises_why() -> None:
    async with trido.open_supervisor(Played(Board())) as sup:
        with pytest.raises(trido.ChildRunning) as caught:
            await sup.restart_child("a")
        assert caught.value.id == "a"
        assert sup.statistics().callers == 0


class Early(Board):
    """Each start of it does as told before it returns, or does not."""

    def __init__(self, end: End | Exception) -> None:
        super().__init__()
        self.end = end

    def start(self, report: Report) -> Board:
        super().start(report)
        if isinstance(self.end, Exception):
            raise self.end
        report.ended(self.end)
        return self


async def test_a_run_that_is_over_before_its_start_returns_is_none() -> None:
    board = Early(End("normal"))
    async with trido.open_supervisor() as sup:
        child = await sup.start_child(Played(board, policy=ChildPolicy(restart="transient")))
        await trio.testing.wait_all_tasks_blocked()
        assert (child.state, child.run, child.incarnation) == ("stopped", None, 1)
        child.beat()
    assert "beat" not in board.take()


async def test_a_start_that_raises_after_the_run_was_ready_is_a_crash_as_any() -> None:
    error = ValueError("broken")
    policy = ChildPolicy(escalate_on=(ValueError,))
    with pytest.raises(trido.RestartLimitExceeded) as caught:
        async with trido.open_supervisor() as sup:
            await sup.start_child(Played(Early(error), policy=policy))
            await trio.sleep_forever()
    assert caught.value.__cause__ is error
    said = "supervisor 'root' gave up: child 'a' raised ValueError, which escalates"
    assert str(caught.value) == said


async def test_what_ends_as_it_is_said_to_be_unkillable_is_nowhere_any_more() -> None:
    board, heard = Board(), list[Any]()
    board.obeys = False
    async with trido.open_supervisor(Played(board), observers=(heard.append,)) as sup:
        sup.stop()
        await trio.sleep(6)
        board.report.unkillable()
        board.report.ended(End("killed"))
        await sup.wait()
    assert [one.stack for one in heard if isinstance(one, events.ChildUnkillable)] == [""]


async def test_a_child_that_never_had_a_run_has_no_heart_and_none_below() -> None:
    board, said = Board(), list[object]()

    async def asks(*, task_status: trio.TaskStatus[None]) -> None:
        sup = trido.current_child().supervisor
        sup["a"].beat()
        said.extend([sup["a"].run, sup["a"].incarnation, sup.tree().splitlines()[2]])
        task_status.started()

    spec = trido.ChildSpec(asks, id="first", restart="temporary")
    async with trido.open_supervisor(spec, Played(board)) as sup:
        await trio.testing.wait_all_tasks_blocked()
        assert sup["a"].state == "running"
    assert said == [None, 0, "└── a stopped (run 0)"]
    assert "beat" not in board.take()


async def test_whoever_waits_for_the_end_of_a_run_waits_for_that_run() -> None:
    board, heard = Board(), list[str]()

    async def waits() -> None:
        await sup["a"].wait_ended()
        heard.append("ended")

    async with trido.open_supervisor(Played(board)) as sup, trio.open_nursery() as nursery:
        nursery.start_soon(waits)
        await trio.testing.wait_all_tasks_blocked()
        assert heard == []
        board.report.ended(End("crashed", ValueError("broken")))
        await trio.testing.wait_all_tasks_blocked()
        assert (heard, sup["a"].state) == (["ended"], "running")


async def test_what_a_run_has_below_it_is_drawn_there() -> None:
    async with trido.open_supervisor(Played(Board(), "x"), id="below") as below:

        class Host(Board):
            def below(self) -> Any:
                return below

        async with trido.open_supervisor(Played(Host()), id="top") as sup:
            assert sup.tree().splitlines() == [
                *("top [one_for_one]", "└── a running (run 1)", "    └── x running (run 1)")
            ]
