"""Section 6 of the rules: graces, cleanup, kills, and what cannot be killed."""

from __future__ import annotations

import functools
import math
import signal
import sys
import threading
from contextlib import suppress

import outcome
import pytest
import trio
from trio.testing import MockClock

import trido
from tests.conformance.kit import counts, notation, run, settle, states
from tests.conformance.stage import (
    Endless,
    Log,
    Player,
    cleaning,
    errors_of,
    leaves,
    spec,
    stubborn,
)

# trido.cleanup --------------------------------------------------------------------------------


def test_cleanup_inside_a_stop_lasts_until_the_end_of_the_grace() -> None:
    seen: list[tuple[float, bool]] = []

    async def child() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(deadline=2, shield=True):
                await trio.sleep_forever()
            with trido.cleanup() as scope:
                seen.append((scope.deadline, scope.shield))

    async def scenario() -> None:
        seen.clear()
        async with trido.open_supervisor(spec("a", child, shutdown=3.0)):
            await trio.sleep(1)
        assert seen == [(4, True)]
        assert trio.current_time() == 2

    run(scenario)


def test_cleanup_in_a_child_that_is_not_being_stopped() -> None:
    seen: list[float] = []

    async def child() -> None:
        await trio.sleep(1)
        with trido.cleanup() as scope:
            seen.append(scope.deadline)
        with trido.cleanup():
            await trio.sleep(100)
        seen.append(trio.current_time())
        await trio.sleep_forever()

    async def scenario() -> None:
        seen.clear()
        async with trido.open_supervisor(spec("a", child, shutdown=3.0)):
            await trio.sleep(10)
        assert seen == [4, 4]

    run(scenario)


def test_cleanup_outside_a_child_lasts_five_seconds() -> None:
    async def scenario() -> None:
        await trio.sleep(1)
        with trido.cleanup() as scope:
            assert (scope.deadline, scope.shield) == (6, True)
            await trio.sleep_forever()
        assert trio.current_time() == 6

    run(scenario)


def test_a_later_stop_shortens_a_cleanup_and_never_lengthens_it() -> None:
    seen: list[tuple[str, float]] = []

    async def child(name: str, delay: float) -> None:
        await trio.sleep(delay)
        with trido.cleanup():
            await trio.sleep(100)
        seen.append((name, trio.current_time()))
        with trido.cleanup():
            await trio.sleep(100)

    async def scenario() -> None:
        seen.clear()
        async with trido.open_dynamic_supervisor(child, shutdown=4.0) as sup:
            # Its first cleanup ends before the stop's grace would.
            await sup.start_child("early", 0.0, id="early")
            # Its would have ended after.
            await sup.start_child("late", 2.5, id="late")
            await trio.sleep(2)
            sup.stop()
            await trio.sleep(0.9)
        assert ("early", 4.0) in seen
        assert trio.current_time() <= 6

    run(scenario)


def test_cleanup_expires_when_the_supervisor_runs_out_of_its_grace() -> None:
    """A supervisor with a grace runs out of it: the cleanups of its children expire."""
    ended: list[float] = []

    async def child() -> None:
        try:
            await trio.sleep_forever()
        finally:
            try:
                with trido.cleanup():
                    await trio.sleep(50)
            finally:
                ended.append(trio.current_time())

    async def scenario() -> None:
        ended.clear()
        inner = trido.SupervisorSpec(spec("a", child, shutdown=100.0), id="inner", shutdown=1.0)
        async with trido.open_supervisor(inner):
            await settle()
        assert ended == [1]

    run(scenario)


def test_cleanup_is_born_expired_once_killing_has_begun() -> None:
    seen: list[str] = []

    async def child() -> None:
        try:
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()
        finally:
            with trido.cleanup() as scope:
                seen.append(f"born {'expired' if scope.deadline <= trio.current_time() else ''}")
                await trio.lowlevel.checkpoint()
                seen.append("not cut short")

    async def scenario() -> None:
        seen.clear()
        log = Log()
        async with trido.open_supervisor(spec("a", child, shutdown=1.0), observers=(log,)):
            await settle()
        assert seen == ["born expired"]
        assert log.timed[1] == "K a killed @1"

    run(scenario)


def test_cleanup_in_the_cleanup_of_a_brutally_killed_child_is_expired() -> None:
    seen: list[str] = []

    async def child() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup():
                seen.append("begun")
                await trio.sleep(1)
                seen.append("done")

    async def scenario() -> None:
        seen.clear()
        async with trido.open_supervisor(spec("a", child, shutdown=trido.BRUTAL_KILL)):
            await settle()
        assert seen == ["begun"]
        assert trio.current_time() == 0

    run(scenario)


def test_cleanup_works_in_a_task_that_the_child_spawned() -> None:
    seen: list[float] = []

    async def child() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(helper)

    async def helper() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup() as scope:
                seen.append(scope.deadline)

    async def scenario() -> None:
        seen.clear()
        async with trido.open_supervisor(spec("a", child, shutdown=3.0)):
            await settle()
        assert seen == [3]

    run(scenario)


# Kill -------------------------------------------------------------------------------------------


def test_shields_within_shields_are_broken() -> None:
    async def child() -> None:
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                nursery.cancel_scope.shield = True
                for _ in range(3):
                    nursery.start_soon(stubborn)
                with trio.CancelScope(shield=True):
                    await trio.sleep_forever()

    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(spec("a", child, shutdown=1.0), observers=(log,)):
            await settle()
        assert log.timed[1:] == [
            *["K a killed @1", "R shutdown_error(a, killed) @1", "SUP shutdown @1"],
        ]

    run(scenario)


@pytest.mark.parametrize("times", [1, 50])
def test_shields_raised_anew_are_broken_anew(times: int) -> None:
    async def child() -> None:
        for _ in range(times):
            with trio.CancelScope(shield=True), suppress(trio.Cancelled):
                await trio.sleep_forever()
        await trio.sleep_forever()

    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(spec("a", child, shutdown=1.0), observers=(log,)):
            await settle()
        assert log.timed[1] == "K a killed @1"

    run(scenario)


def test_an_opened_supervisor_is_told_and_runs_its_own_ladder() -> None:
    """Breaking its scopes would have stopped its children all at once."""

    async def child(log: Log) -> None:
        async with trido.open_supervisor(
            *(spec(id, cleaning, 10.0, shutdown=20.0) for id in "xyz"),
            id="opened",
            observers=(log,),
        ):
            await trio.sleep_forever()

    async def scenario() -> None:
        outer, inner = Log(), Log()
        async with trido.open_supervisor(spec("a", child, inner, shutdown=1.0), observers=(outer,)):
            await settle()
            inner.clear()
        assert inner.timed == [
            *["K z killed @1", "R shutdown_error(z, killed) @1"],
            *["K y killed @1", "R shutdown_error(y, killed) @1"],
            *["K x killed @1", "R shutdown_error(x, killed) @1", "SUP cancelled @1"],
        ]
        assert outer.timed[1] == "K a killed @1"

    run(scenario)


def test_an_opened_supervisor_behind_a_shield_is_told_when_its_child_is_killed() -> None:
    async def child(log: Log) -> None:
        with trio.CancelScope(shield=True):
            async with trido.open_supervisor(
                spec("x", cleaning, 10.0), spec("y", cleaning, 10.0), observers=(log,)
            ):
                await trio.sleep_forever()

    async def scenario() -> None:
        outer, inner = Log(), Log()
        async with trido.open_supervisor(spec("a", child, inner, shutdown=1.0), observers=(outer,)):
            await settle()
            inner.clear()
        stops = [text for text in inner.timed if text.startswith("K")]
        assert stops == ["K y killed @1", "K x killed @1"]
        assert outer.timed[1] == "K a killed @1"

    run(scenario)


def test_killing_reaches_through_supervisors_in_supervisors() -> None:
    async def child(log: Log) -> None:
        inner = trido.SupervisorSpec(
            spec("y", cleaning, 10.0), spec("z", stubborn, shutdown=20.0), id="inner"
        )
        async with trido.open_supervisor(spec("x", cleaning, 10.0), inner, observers=(log,)):
            await trio.sleep_forever()

    async def scenario() -> None:
        outer, inside = Log(), Log()
        async with trido.open_supervisor(
            spec("a", child, inside, shutdown=1.0), observers=(outer,)
        ):
            await settle()
            inside.clear()
        stops = [text for text in inside.timed if text.startswith("K")]
        assert stops == ["K z killed @1", "K y killed @1", "K inner killed @1", "K x killed @1"]
        assert outer.timed[1] == "K a killed @1"

    run(scenario)


@pytest.mark.real_time
def test_shields_of_a_subprocess_are_left_until_the_kill_timeout() -> None:
    """Breaking them would leave the process behind, unwaited for."""
    pids: list[int] = []

    async def child() -> None:
        code = "import time; time.sleep(60)"

        async def deliver_cancel(process: trio.Process) -> None:
            pids.append(process.pid)
            await trio.sleep(0.3)
            process.terminate()

        await trio.run_process([sys.executable, "-c", code], deliver_cancel=deliver_cancel)

    async def scenario() -> None:
        async with trido.open_supervisor(spec("a", child, shutdown=0.05, kill_timeout=5.0)):
            await trio.sleep(0.2)
            started = trio.current_time()
        taken = trio.current_time() - started
        assert 0.3 <= taken < 3

    trio.run(scenario)
    assert len(pids) == 1


@pytest.mark.real_time
# What is left is not waited for by anybody: Python says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_subprocess_that_does_not_end_is_left_after_the_kill_timeout() -> None:
    async def child(pids: list[int]) -> None:
        async def do_nothing(process: trio.Process) -> None:
            pids.append(process.pid)
            try:
                await trio.sleep(30)
            finally:
                process.kill()

        await trio.run_process(
            [sys.executable, "-c", "import time; time.sleep(30)"], deliver_cancel=do_nothing
        )

    async def scenario() -> None:
        pids: list[int] = []
        async with trido.open_supervisor(spec("a", child, pids, shutdown=0.05, kill_timeout=0.4)):
            await trio.sleep(0.2)
            started = trio.current_time()
        taken = trio.current_time() - started
        assert 0.4 <= taken < 5
        assert len(pids) == 1

    trio.run(scenario)


# Unkillable -------------------------------------------------------------------------------------


def test_an_unkillable_child_is_told_once_and_the_ordered_stop_goes_on() -> None:
    async def scenario() -> None:
        log, rock = Log(), Endless()
        async with trio.open_nursery() as nursery:
            async with trido.open_supervisor(
                spec("a", cleaning, 0.5),
                spec("rock", rock.run, shutdown=1.0, kill_timeout=2.0),
                spec("c", cleaning, 0.5),
                observers=(log,),
            ) as sup:
                with rock:
                    await settle()
                    log.clear()
                    sup.stop()
                    await trio.sleep(10)
                    assert log.timed == ["K c @0.5", "ZOMBIE rock @3.5", "K a @4"]
                    assert states(sup) == "a stopped 1, rock zombie 1, c stopped 1"
                    assert counts(sup) == (3, 1, 0, 3)
                    assert "run" in log.only("ZOMBIE rock").stack
                    rock.end()
                    await sup.wait()
            assert log.timed[3:] == [
                *["K rock normal @10", "R shutdown_error(rock, normal) @10", "SUP shutdown @10"],
            ]
            assert states(sup) == "a stopped 1, rock stopped 1, c stopped 1"
            nursery.cancel_scope.cancel()

    run(scenario)


def test_a_zombie_keeps_its_id_and_the_rest_of_the_api_is_served() -> None:
    async def scenario() -> None:
        log, rock = Log(), Endless()
        async with trido.open_supervisor(
            spec("a"), spec("rock", rock.run, shutdown=1.0, kill_timeout=1.0), observers=(log,)
        ) as sup:
            with rock:
                await settle()
                stopped = trio.Event()
                async with trio.open_nursery() as nursery:

                    async def stop() -> None:
                        await sup.stop_child("rock")
                        stopped.set()

                    nursery.start_soon(stop)
                    await trio.sleep(5)
                    assert sup["rock"].state == "zombie"
                    assert not stopped.is_set()
                    with pytest.raises(trido.ChildAlreadyStarted):
                        await sup.start_child(spec("rock"))
                    with pytest.raises(trido.ChildRunning):
                        await sup.restart_child("rock")
                    with pytest.raises(trido.ChildRunning):
                        await sup.delete_child("rock")
                    await sup.start_child(spec("b"))
                    await sup.stop_child("a")
                    assert states(sup) == "a stopped 1, rock zombie 1, b running 1"
                    with trio.move_on_after(1) as waiting:
                        await sup.stop_child("rock")
                    assert waiting.cancelled_caught
                    rock.end()
                assert stopped.is_set()
                await sup.restart_child("a")
                assert states(sup) == "a running 2, rock stopped 1, b running 1"
                assert log.lines.count("ZOMBIE rock") == 1

    run(scenario)


def test_crashes_are_served_while_there_is_a_zombie() -> None:
    async def scenario() -> None:
        log, rock, player = Log(), Endless(), Player()
        async with (
            trido.open_supervisor(
                spec("a", player.run),
                spec("rock", rock.run, shutdown=0, kill_timeout=1.0),
                observers=(log,),
            ) as sup,
            trio.open_nursery() as nursery,
        ):
            with rock:
                await settle()
                nursery.start_soon(sup.stop_child, "rock")
                await trio.sleep(2)
                player.end(ValueError())
                await settle()
                assert states(sup) == "a running 2, rock zombie 1"
                rock.end()

    run(scenario)


def test_a_group_restart_pauses_for_a_zombie() -> None:
    """Never two incarnations; calls are served meanwhile; it goes on when the zombie ends."""

    async def scenario() -> None:
        log, rock, player = Log(), Endless(), Player()
        async with trido.open_supervisor(
            spec("a", player.run),
            spec("rock", rock.run, shutdown=1.0, kill_timeout=1.0),
            spec("c"),
            strategy="one_for_all",
            observers=(log,),
        ) as sup:
            with rock:
                await settle()
                log.clear()
                player.end(ValueError())
                await trio.sleep(5)
                assert log.timed == [
                    *["E a ValueError @0", "R child_terminated(a, ValueError) @0"],
                    *["K c @0", "ZOMBIE rock @2"],
                ]
                assert states(sup) == "a restarting 1, rock zombie 1, c stopped 1"
                await sup.start_child(spec("n"))
                await sup.stop_child("n")
                await sup.delete_child("n")
                log.clear()
                rock.end()
                await settle()
                assert log.timed == [
                    *["K rock normal @5", "R shutdown_error(rock, normal) @5"],
                    *["S a restart @5", "S rock restart @5", "S c restart @5"],
                ]
                assert states(sup) == "a running 2, rock running 2, c running 2"
                assert sup["a"].restarts == 1

    run(scenario)


def test_stopping_while_a_group_restart_is_paused() -> None:
    async def scenario() -> None:
        log, rock, player = Log(), Endless(), Player()
        async with trido.open_supervisor(
            spec("a", player.run),
            spec("rock", rock.run, shutdown=0, kill_timeout=1.0),
            spec("c"),
            strategy="rest_for_one",
            observers=(log,),
        ) as sup:
            with rock:
                await settle()
                player.end(ValueError())
                await trio.sleep(2)
                log.clear()
                sup.stop()
                await trio.sleep(1)
                assert log.lines == []
                rock.end()
                await sup.wait()
                assert log.lines == [
                    *["K rock normal", "R shutdown_error(rock, normal)", "SUP shutdown"],
                ]
                assert states(sup) == "a stopped 1, rock stopped 1, c stopped 1"

    run(scenario)


@pytest.mark.real_time
def test_a_thread_that_cannot_be_abandoned_is_unkillable() -> None:
    release = threading.Event()

    async def child() -> None:
        await trio.to_thread.run_sync(release.wait)

    async def scenario() -> None:
        told: list[str] = []
        async with trido.open_supervisor(
            spec("a"),
            spec("t", child, shutdown=0.05, kill_timeout=0.1),
            observers=(lambda event: told.append(notation(event)),),
        ) as sup:
            try:
                await trio.sleep(0.1)
                sup.stop()
                await trio.sleep(0.5)
                assert told == ["S a", "S t", "ZOMBIE t", "K a"]
            finally:
                release.set()
            await sup.wait()
        assert [text.split()[:2] for text in told[4:]] == [
            ["K", "t"],
            ["R", "shutdown_error(t,"],
            ["SUP", "shutdown"],
        ]

    trio.run(scenario)


def test_a_zombie_in_a_nested_supervisor() -> None:
    async def scenario() -> None:
        log, rock = Log(), Endless()
        inner = trido.SupervisorSpec(
            spec("b"), spec("rock", rock.run, shutdown=1.0, kill_timeout=1.0), id="inner"
        )
        async with trido.open_supervisor(spec("a"), inner, observers=(log,)) as sup:
            with rock:
                await settle()
                log.clear()
                sup.stop()
                await trio.sleep(10)
                assert log.timed[:2] == ["ZOMBIE rock @2", "K b @2"]
                # The supervisor outlives its stop because of its child: nothing else waits for it.
                assert "K a @2" in log.timed
                rock.end()
                await sup.wait()
                assert log.lines[-4:] == [
                    *["R shutdown_error(rock, normal)", "SUP inner shutdown", "K inner"],
                    "SUP shutdown",
                ]

    run(scenario)


# Stops that meet ----------------------------------------------------------------------------------


def test_a_stop_in_progress_is_joined_with_its_remaining_grace() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("a"), spec("h", stubborn, shutdown=3.0), spec("c"), observers=(log,)
        ) as sup:
            await settle()
            log.clear()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sup.stop_child, "h")
                await trio.sleep(2)
                sup.stop()
                await sup.wait()
        assert log.timed == [
            *["K h killed @3", "R shutdown_error(h, killed) @3", "K c @3", "K a @3"],
            "SUP shutdown @3",
        ]

    run(scenario)


def test_a_second_stop_child_joins_the_first() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("h", stubborn, shutdown=3.0), observers=(log,)
        ) as sup:
            await settle()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sup.stop_child, "h")
                await trio.sleep(2)
                await sup.stop_child("h")
                assert trio.current_time() == 3
            assert log.timed == [
                *["S h @0", "K h killed @3", "R shutdown_error(h, killed) @3"],
            ]

    run(scenario)


def test_a_stop_of_a_group_restart_in_progress() -> None:
    """The one that is being stopped is finished first, and nothing is restarted."""

    async def scenario() -> None:
        log, player = Log(), Player()
        async with trido.open_supervisor(
            spec("a", cleaning, 1.0),
            spec("b", player.run),
            spec("c", cleaning, 2.0),
            strategy="one_for_all",
            observers=(log,),
        ) as sup:
            await settle()
            log.clear()
            player.end(ValueError())
            await trio.sleep(1)
            assert states(sup) == "a running 1, b restarting 1, c stopping 1"
            sup.stop()
            await sup.wait()
        assert log.timed == [
            *["E b ValueError @0", "R child_terminated(b, ValueError) @0"],
            *["K c @2", "K a @3", "SUP shutdown @3"],
        ]
        assert states(sup) == "a stopped 1, b stopped 1, c stopped 1"

    run(scenario)


def test_a_keyboard_interrupt_while_stopping_takes_all_graces_away() -> None:
    """The first interrupt starts the stop; one that comes during it ends the patience."""
    first, second = KeyboardInterrupt("first"), KeyboardInterrupt("second")
    log = Log()

    async def interrupting() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup():
                await trio.sleep(1)
            raise second

    async def scenario() -> None:
        log.clear()
        player = Player()
        inner = trido.SupervisorSpec(
            spec("x", cleaning, 50.0, shutdown=100.0),
            spec("y", cleaning, 50.0, shutdown=100.0),
            id="inner",
        )
        async with trido.open_supervisor(
            spec("a", cleaning, 50.0, shutdown=100.0),
            inner,
            spec("k", player.run),
            spec("z", interrupting, shutdown=100.0),
            observers=(log,),
        ):
            await settle()
            log.clear()
            player.end(first)
            await trio.sleep_forever()

    for left in errors_of(scenario):
        assert left is first or (
            isinstance(left, BaseExceptionGroup) and left.exceptions == (first, second)
        )
        assert log.timed == [
            *["E k KeyboardInterrupt @0", "K z KeyboardInterrupt @1"],
            *["K y killed @1", "R shutdown_error(y, killed) @1"],
            *["K x killed @1", "R shutdown_error(x, killed) @1"],
            *["SUP inner shutdown @1", "K inner killed @1"],
            *["R shutdown_error(inner, killed) @1"],
            *["K a killed @1", "R shutdown_error(a, killed) @1", "SUP fatal @1"],
        ]


def test_infinite_grace_is_cut_short_by_a_supervisor_s_own() -> None:
    async def scenario() -> None:
        log = Log()
        inner = trido.SupervisorSpec(
            spec("w", cleaning, 1000.0, shutdown=math.inf), id="inner", shutdown=2.0
        )
        async with trido.open_supervisor(inner, observers=(log,)):
            await settle()
            log.clear()
        assert log.timed == [
            *["K w killed @2", "R shutdown_error(w, killed) @2", "SUP inner shutdown @2"],
            *["K inner killed @2", "R shutdown_error(inner, killed) @2", "SUP shutdown @2"],
        ]

    run(scenario)


def test_the_body_waits_in_its_block_whatever_interrupts_it() -> None:
    """The stop runs in the supervisor's task: cancelling the waiting body cuts nothing short."""

    async def scenario() -> None:
        log = Log()
        with trio.CancelScope() as scope:
            async with trido.open_supervisor(
                spec("a", cleaning, 2.0), spec("b", cleaning, 2.0), observers=(log,)
            ):
                log.clear()
                scope.deadline = 1
        assert log.timed == ["K b @2", "K a @4", "SUP shutdown @4"]
        assert trio.current_time() == 4
        assert scope.cancelled_caught

    run(scenario)


def test_a_starting_child_is_killed_too() -> None:
    """It was never ready, so it is not said to have been stopped; but its kill is reported."""

    async def hangs(*, task_status: trio.TaskStatus[None]) -> None:
        await stubborn()

    async def scenario() -> None:
        log = Log()
        with trio.move_on_after(1):
            async with trido.open_supervisor(
                spec("a"), spec("h", hangs, shutdown=2.0), observers=(log,)
            ):
                pytest.fail("it must not start")
        assert log.timed == [
            *["S a @0", "R shutdown_error(h, killed) @3", "K a @3", "SUP cancelled @3"],
        ]

    run(scenario)


def test_dynamic_zombies_are_awaited_last() -> None:
    async def scenario() -> None:
        log, rock = Log(), Endless()

        async def either(name: str) -> None:
            await (rock.run() if name == "rock" else cleaning(3.0))

        async with trido.open_dynamic_supervisor(
            either, shutdown=5.0, kill_timeout=1.0, observers=(log,)
        ) as sup:
            with rock:
                for name in ("a", "rock", "b"):
                    await sup.start_child(name, id=name)
                await settle()
                log.clear()
                sup.stop()
                await trio.sleep(10)
                assert sorted(log.timed[:2]) == ["K a @3", "K b @3"]
                assert log.timed[2:] == ["ZOMBIE rock @6"]
                assert states(sup) == "rock zombie 1"
            await sup.wait()
            assert log.lines[3:] == [
                *["K rock normal", "R shutdown_error(rock, normal)", "SUP shutdown"],
            ]

    run(scenario)


def test_a_zombie_s_late_end_is_not_its_successor_s() -> None:
    """While it lives its id has no second run; once it is gone, the next run is a new one."""

    async def scenario() -> None:
        log, rock = Log(), Endless()
        async with trido.open_supervisor(
            spec("rock", rock.run, shutdown=0, kill_timeout=1.0), observers=(log,)
        ) as sup:
            with rock:
                await settle()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(sup.stop_child, "rock")
                    await trio.sleep(3)
                    rock.end()
                child = await sup.restart_child("rock")
                assert (child.state, child.incarnation) == ("running", 2)
                await trio.sleep(3)
                assert log.lines == [
                    *["S rock", "ZOMBIE rock", "K rock normal", "R shutdown_error(rock, normal)"],
                    "S rock api",
                ]

    run(scenario)


def test_a_child_that_is_found_dead_in_a_group_restart_is_restarted_once() -> None:
    async def scenario() -> None:
        log, one, two = Log(), Player(), Player()
        async with trido.open_supervisor(
            spec("a", one.run),
            spec("b", two.run),
            strategy="one_for_all",
            max_restarts=1,
            observers=(log,),
        ) as sup:
            await settle()
            one.end(ValueError())
            two.end(OSError())
            await settle()
            assert states(sup) == "a running 2, b running 2"
            assert log.lines[-2:] == ["S a restart", "S b restart"]

    run(scenario)


def test_a_zombie_below_a_supervisor_that_a_child_opened() -> None:
    async def scenario() -> None:
        log, inside, rock = Log(), Log(), Endless()

        async def child() -> None:
            async with trido.open_supervisor(
                spec("x"), spec("rock", rock.run, kill_timeout=1.0), observers=(inside,)
            ):
                await trio.sleep_forever()

        async with trido.open_supervisor(
            spec("a"), spec("b", child, shutdown=1.0, kill_timeout=3.0), observers=(log,)
        ) as sup:
            with rock:
                await settle()
                log.clear()
                inside.clear()
                sup.stop()
                await trio.sleep(10)
                assert inside.timed == [
                    *["ZOMBIE rock @2", "K x killed @2", "R shutdown_error(x, killed) @2"],
                ]
                assert log.timed == ["ZOMBIE b @4", "K a @4"]
            await sup.wait()
        assert log.timed[2:] == [
            *["K b killed @10", "R shutdown_error(b, killed) @10", "SUP shutdown @10"],
        ]

    run(scenario)


def test_a_start_that_times_out_and_cannot_be_killed() -> None:
    """Its caller waits for it; others are served."""

    async def scenario() -> None:
        log, rock = Log(), Endless()

        async def child(*, task_status: trio.TaskStatus[None]) -> None:
            await rock.run()

        async def start(sup: trido.Supervisor) -> None:
            with pytest.raises(trido.StartFailed) as failed:
                await sup.start_child(
                    spec("b", child, start_timeout=1.0, shutdown=0, kill_timeout=1.0)
                )
            assert isinstance(failed.value.__cause__, trido.StartTimeout)
            assert trio.current_time() == 5

        async with trido.open_supervisor(spec("a"), observers=(log,)) as sup:
            with rock:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(start, sup)
                    await trio.sleep(5)
                    await sup.start_child(spec("c"))
                    assert states(sup) == "a running 1, b zombie 1, c running 1"
                    with pytest.raises(trido.ChildAlreadyStarted):
                        await sup.start_child(spec("b"))
                    rock.end()
                assert states(sup) == "a running 1, c running 1"
                assert log.timed == ["S a @0", "ZOMBIE b @2", "S c api @5"]

    run(scenario)


class _Interrupt(trio.abc.Instrument):
    """Ctrl-C in the n-th step that a task takes."""

    def __init__(self, step: int) -> None:
        self.left = step

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("step", range(1, 50))
def test_an_interrupt_at_any_step_stops_all_children(step: int) -> None:
    """Wherever it comes: in the body, in a child, in supervisor code, in the run loop."""
    log = Log()

    async def scenario() -> None:
        inner = trido.SupervisorSpec(spec("b", cleaning, 0.1), id="inner")
        async with trido.open_supervisor(spec("a", cleaning, 0.1), inner, observers=(log,)):
            await trio.sleep(1)

    clock, interrupt = MockClock(autojump_threshold=0), _Interrupt(step)
    play = functools.partial(trio.run, scenario, clock=clock, instruments=[interrupt])
    played: outcome.Outcome[None] = outcome.capture(play)
    if interrupt.left <= 0:
        assert isinstance(played, outcome.Error)
        assert all(isinstance(leaf, KeyboardInterrupt) for leaf in leaves(played.error))
    started = [text.split()[1] for text in log.lines if text.startswith("S ")]
    ended = [text.split()[1] for text in log.lines if text.startswith(("K ", "E "))]
    assert sorted(ended) == sorted(started)
    assert [id for id in ended if id != "inner"] in (["b", "a"], ["a"], [])
