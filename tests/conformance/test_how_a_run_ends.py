"""Section 9 of the rules: what came out of a child, and what it is taken for."""

from __future__ import annotations

from contextvars import ContextVar

import pytest
import trio

import trido
from tests.conformance.kit import run, settle, states
from tests.conformance.stage import (
    Log,
    Player,
    cleaning,
    errors_of,
    fails_when_stopped,
    forever,
    leaves,
    spec,
)


async def _leaked() -> trio.Cancelled:
    """A Cancelled whose scope is gone."""
    kept: list[trio.Cancelled] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as cancelled:
            kept.append(cancelled)
            raise
    return kept[0]


async def _crashed(error: BaseException) -> tuple[list[str], BaseException | None, str]:
    """Events, reason and states after a permanent child ended by ``error``."""
    log, player = Log(), Player()
    async with trido.open_supervisor(spec("a", player.run), observers=(log,)) as sup:
        await settle()
        log.clear()
        player.end(error)
        await settle()
        return log.lines, sup["a"].last_crash, states(sup)


def test_row_1_a_second_fatal_during_the_stop_is_grouped_with_the_first() -> None:
    first, second = SystemExit(1), KeyboardInterrupt()

    async def scenario() -> None:
        player = Player()
        async with trido.open_supervisor(
            spec("a", fails_when_stopped, second), spec("b", player.run), spec("c")
        ):
            await settle()
            player.end(first)
            await trio.sleep_forever()

    for left in errors_of(scenario):
        assert isinstance(left, BaseExceptionGroup)
        assert left.exceptions[0] is first
        assert left.exceptions[1] is second


def test_row_1_a_fatal_end_while_being_stopped_by_the_api() -> None:
    error = SystemExit(3)
    log = Log()

    async def scenario() -> None:
        log.clear()
        async with trido.open_supervisor(
            spec("a", cleaning, 1.0), spec("b", fails_when_stopped, error), observers=(log,)
        ) as sup:
            await settle()
            await sup.stop_child("b")
            await trio.sleep_forever()

    for left in errors_of(scenario):
        assert left is error
        assert log.timed == [
            *["S a @0", "S b @0", "K b SystemExit @0", "K a @1", "SUP fatal @1"],
        ]


def test_row_2_a_leaked_cancelled_is_a_crash() -> None:
    async def scenario() -> None:
        lines, reason, now = await _crashed(await _leaked())
        assert lines == [
            *["E a LeakedCancelled", "R child_terminated(a, LeakedCancelled)", "S a restart"],
        ]
        assert isinstance(reason, trido.LeakedCancelled)
        assert now == "a running 2"

    run(scenario)


def test_row_2_a_leaked_cancelled_while_the_supervisor_stops_is_a_stop() -> None:
    async def leaking() -> None:
        leaked = await _leaked()
        try:
            await trio.sleep_forever()
        finally:
            raise leaked

    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(spec("a", leaking), observers=(log,)):
            await settle()
        assert log.lines == ["S a", "K a", "SUP shutdown"]

    run(scenario)


@pytest.mark.parametrize("grouped", [False, True])
def test_row_3_any_escalate(*, grouped: bool) -> None:
    async def scenario() -> None:
        log, player = Log(), Player()
        escalate = trido.Escalate()
        error = ExceptionGroup("", [ValueError(), escalate]) if grouped else escalate
        with pytest.raises(trido.RestartLimitExceeded):
            async with trido.open_supervisor(
                spec("a"), spec("b", player.run, restart="temporary"), observers=(log,)
            ):
                await settle()
                player.end(error)
                await trio.sleep_forever()
        name = type(error).__name__
        assert log.lines[2:] == [
            *[f"E b {name}", f"R child_terminated(b, {name})", "R shutdown(b, limit)"],
            *["K a", "SUP limit"],
        ]

    run(scenario)


def test_row_4_only_shutdowns_are_a_normal_end() -> None:
    async def scenario() -> None:
        shutdown = trido.Shutdown("enough")
        for error in (shutdown, ExceptionGroup("", [shutdown])):
            log, player = Log(), Player()
            async with trido.open_supervisor(
                spec("a", player.run, restart="transient"), observers=(log,)
            ) as sup:
                await settle()
                player.end(error)
                await settle()
                assert log.lines == ["S a", "E a normal Shutdown"]
                assert log.only("E a normal Shutdown").reason is shutdown
                assert states(sup) == "a stopped 1"
                assert sup["a"].last_crash is None

    run(scenario)


def test_row_4_a_shutdown_beside_an_error_is_a_crash() -> None:
    async def scenario() -> None:
        error = ExceptionGroup("", [trido.Shutdown(), ValueError()])
        lines, reason, _ = await _crashed(error)
        assert lines[0] == "E a ExceptionGroup"
        assert reason is not None
        assert leaves(reason) == leaves(error)

    run(scenario)


def test_row_4_giving_up_of_a_supervisor_it_opened_is_a_shutdown() -> None:
    async def scenario() -> None:
        log, player = Log(), Player()

        async def opens() -> None:
            async with trido.open_supervisor(spec("w", player.run), max_restarts=0):
                await trio.sleep_forever()

        async with trido.open_supervisor(
            spec("a", opens, restart="transient"), observers=(log,)
        ) as sup:
            await settle()
            player.end(ValueError())
            await settle()
            assert log.lines == ["S a", "E a normal RestartLimitExceeded"]
            assert states(sup) == "a stopped 1"

    run(scenario)


def test_row_4_the_limit_of_a_supervisor_from_elsewhere_is_a_crash() -> None:
    async def scenario() -> None:
        other, gone = Player(), None
        try:
            async with trido.open_supervisor(spec("w", other.run), max_restarts=0):
                await settle()
                other.end(ValueError())
                await trio.sleep_forever()
        except trido.RestartLimitExceeded as limit:
            gone = limit
        assert gone is not None
        made = trido.RestartLimitExceeded("nobody's", "w", "it says so")
        for error in (gone, made):
            lines, reason, _ = await _crashed(error)
            assert lines[0] == "E a RestartLimitExceeded"
            assert reason is error

    run(scenario)


def test_row_5_ignore_after_ready_is_a_crash() -> None:
    async def scenario() -> None:
        lines, _, now = await _crashed(trido.Ignore())
        assert lines == ["E a Ignore", "R child_terminated(a, Ignore)", "S a restart"]
        assert now == "a running 2"

    run(scenario)


def test_row_5_a_group_with_one_leaf_is_that_leaf() -> None:
    async def scenario() -> None:
        leaf = ValueError()
        lines, reason, _ = await _crashed(ExceptionGroup("", [ExceptionGroup("", [leaf])]))
        assert lines[0] == "E a ValueError"
        assert reason is leaf

    run(scenario)


def test_row_5_what_restart_on_does_not_name_is_not_restarted() -> None:
    async def scenario() -> None:
        log, player = Log(), Player()
        async with trido.open_supervisor(
            spec("a", player.run, restart_on=OSError), observers=(log,)
        ) as sup:
            await settle()
            player.end(OSError())
            await settle()
            player.end(ValueError())
            await settle()
            assert log.lines == [
                *["S a", "E a OSError", "R child_terminated(a, OSError)", "S a restart"],
                *["E a ValueError", "R child_terminated(a, ValueError)"],
            ]
            assert states(sup) == "a stopped 2"

    run(scenario)


def test_row_5_what_escalate_on_names_escalates() -> None:
    async def scenario() -> None:
        log, player = Log(), Player()
        error = OSError()
        with pytest.raises(trido.RestartLimitExceeded) as limit:
            async with trido.open_supervisor(
                spec("a", player.run, escalate_on=OSError), observers=(log,)
            ):
                await settle()
                player.end(error)
                await trio.sleep_forever()
        assert limit.value.__cause__ is error
        assert log.lines[-2:] == ["R shutdown(a, limit)", "SUP limit"]

    run(scenario)


def test_row_7_a_child_that_returned_before_it_noticed_ended_normally() -> None:
    async def scenario() -> None:
        log, player = Log(), Player()
        async with trido.open_supervisor(
            spec("a", player.run, restart="transient"), observers=(log,)
        ) as sup:
            await settle()
            player.end()
            sup.stop()
            await sup.wait()
        assert log.lines in (
            ["S a", "E a normal", "SUP shutdown"],
            ["S a", "K a normal", "SUP shutdown"],
        )

    run(scenario)


@pytest.mark.parametrize("crash", [False, True])
def test_a_nursery_left_open_hurts_no_sibling(*, crash: bool) -> None:
    kept: list[object] = []

    async def leaves_it_open() -> None:
        manager = trio.open_nursery()
        nursery = await manager.__aenter__()
        nursery.start_soon(forever)
        kept.append(manager)
        await trio.sleep(1)
        if crash:
            raise ValueError

    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("a"), spec("b", leaves_it_open, restart="temporary"), observers=(log,)
        ) as sup:
            await trio.sleep(10)
            assert sup["a"].state == "running"
            assert sup["a"].incarnation == 1
            end = next(event for event in log.events if event.id == "b" and event.time == 1)
            assert isinstance(end, trido.events.ChildEnded)
            assert end.outcome == "crashed"
            await sup.start_child(spec("c"))
        assert log.lines[-3:] == ["K c", "K a", "SUP shutdown"]

    run(scenario)


def test_a_crash_before_the_first_checkpoint_lets_others_in() -> None:
    """A restart storm under an infinite limit can be cancelled."""

    async def crashes() -> None:
        raise ValueError

    async def scenario() -> None:
        with trio.CancelScope() as scope:
            async with trido.open_supervisor(spec("a", crashes), max_restarts=float("inf")):
                for _ in range(20):
                    await trio.lowlevel.checkpoint()
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught

    run(scenario)


def test_a_child_does_not_live_in_its_starter_s_scope_or_context() -> None:
    variable = ContextVar("variable", default="nobody's")
    seen: list[str] = []

    async def child() -> None:
        seen.append(variable.get())
        await trio.sleep_forever()

    async def scenario() -> None:
        seen.clear()
        variable.set("the supervisor's")
        async with trido.open_supervisor() as sup:
            variable.set("the starter's")
            with trio.CancelScope() as scope:
                await sup.start_child(spec("a", child))
                scope.cancel()
                await trio.lowlevel.checkpoint()
            await settle()
            assert states(sup) == "a running 1"
            assert seen == ["the supervisor's"]

    run(scenario)
