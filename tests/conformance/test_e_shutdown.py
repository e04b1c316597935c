"""Section E of the cases: stopping, and what is reported of it."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import trio

import trido
from tests.conformance.kit import counts, run, settle, states
from tests.conformance.stage import (
    Log,
    cleaning,
    fails_when_stopped,
    forever,
    raises,
    spec,
    stubborn,
    swallows,
)

Restart = Literal["permanent", "transient", "temporary"]


def test_C064_children_stop_in_reverse_one_after_another() -> None:
    async def scenario() -> None:
        log = Log()
        children = (spec(id, cleaning, 0.2) for id in "abc")
        async with trido.open_supervisor(*children, observers=(log,)) as sup:
            sup.stop()
            await sup.wait()
            assert log.timed == [
                *["S a @0", "S b @0", "S c @0"],
                *["K c @0.2", "K b @0.4", "K a @0.6", "SUP shutdown @0.6"],
            ]
            assert states(sup) == "a stopped 1, b stopped 1, c stopped 1"
            assert counts(sup) == (3, 0, 0, 3)

    run(scenario)


def test_C065_a_nested_supervisor_stops_its_children_in_its_turn() -> None:
    async def scenario() -> None:
        log = Log()
        i1 = trido.SupervisorSpec(spec("b", cleaning, 0.1), spec("cc", cleaning, 0.1), id="i1")
        i2 = trido.SupervisorSpec(spec("e", cleaning, 0.1), id="i2")
        async with trido.open_supervisor(spec("a"), i1, spec("d"), i2, observers=(log,)) as sup:
            assert log.lines == ["S a", "S b", "S cc", "S i1", "S d", "S e", "S i2"]
            assert counts(sup) == (4, 4, 2, 2)
            log.clear()
        assert log.timed == [
            *["K e @0.1", "SUP i2 shutdown @0.1", "K i2 @0.1", "K d @0.1"],
            *["K cc @0.2", "K b @0.3", "SUP i1 shutdown @0.3", "K i1 @0.3", "K a @0.3"],
            "SUP shutdown @0.3",
        ]
        assert states(sup) == "a stopped 1, i1 stopped 1, d stopped 1, i2 stopped 1"
        assert counts(sup) == (4, 0, 2, 2)

    run(scenario)


def test_C066_a_child_that_outlives_its_grace_is_killed_and_reported() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("a"), spec("h", stubborn, shutdown=1.0), spec("z"), observers=(log,)
        ) as sup:
            log.clear()
            sup.stop()
            await sup.wait()
        assert log.timed == [
            *["K z @0", "K h killed @1", "R shutdown_error(h, killed) @1", "K a @1"],
            "SUP shutdown @1",
        ]
        assert states(sup) == "a stopped 1, h stopped 1, z stopped 1"
        assert counts(sup) == (3, 0, 0, 3)

    run(scenario)


def test_C067_brutal_kill_is_at_once_and_not_reported() -> None:
    cleaned: list[str] = []

    async def tidy() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(100)
            with trido.cleanup():
                await trio.sleep(100)
            cleaned.append("all")

    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("a"), spec("t", tidy, shutdown=trido.BRUTAL_KILL), observers=(log,)
        ) as sup:
            log.clear()
        assert log.timed == ["K t killed @0", "K a @0", "SUP shutdown @0"]
        assert states(sup) == "a stopped 1, t stopped 1"
        assert counts(sup) == (2, 0, 0, 2)

    run(scenario)
    assert cleaned == []


def test_C068_no_grace_is_killed_at_once_and_reported() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("a"), spec("t", cleaning, 100.0, shutdown=0), observers=(log,)
        ) as sup:
            log.clear()
        assert log.timed == [
            *["K t killed @0", "R shutdown_error(t, killed) @0", "K a @0"],
            "SUP shutdown @0",
        ]
        assert counts(sup) == (2, 0, 0, 2)

    run(scenario)


def test_C069_infinite_grace_waits_for_worker_and_supervisor() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("w", cleaning, 60.0, shutdown=math.inf),
            trido.SupervisorSpec(spec("v", cleaning, 60.0, shutdown=math.inf), id="inner"),
            observers=(log,),
        ):
            log.clear()
        assert log.timed == [
            *["K v @60", "SUP inner shutdown @60", "K inner @60"],
            *["K w @120", "SUP shutdown @120"],
        ]

    run(scenario)


def test_C071_an_error_while_stopping_is_reported_and_the_stop_goes_on() -> None:
    async def scenario() -> None:
        log = Log()
        error = ValueError("in cleanup")
        async with trido.open_supervisor(
            spec("a"),
            spec("t", fails_when_stopped, error, restart="temporary"),
            spec("z"),
            observers=(log,),
        ) as sup:
            log.clear()
        assert log.lines == [
            *["K z", "K t ValueError", "R shutdown_error(t, ValueError)", "K a"],
            "SUP shutdown",
        ]
        assert log.only("K t ValueError").reason is error
        assert log.only("R shutdown_error(t, ValueError)").reason is error
        assert counts(sup)[1] == 0

    run(scenario)


def test_C073_dynamic_children_stop_together() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_dynamic_supervisor(cleaning, observers=(log,)) as sup:
            for id in "abc":
                await sup.start_child(0.2, id=id)
            log.clear()
        *stops, end = log.timed
        assert sorted(stops) == ["K a @0.2", "K b @0.2", "K c @0.2"]
        assert end == "SUP shutdown @0.2"
        assert counts(sup) == (0, 0, 0, 0)

    run(scenario)


def test_C074_dynamic_children_share_one_grace() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_dynamic_supervisor(stubborn, shutdown=1.0, observers=(log,)) as sup:
            for id in "abc":
                await sup.start_child(id=id)
            log.clear()
        *ends, end = log.timed
        pairs = sorted(zip(ends[::2], ends[1::2], strict=True))
        assert pairs == [
            (f"K {id} killed @1", f"R shutdown_error({id}, killed) @1") for id in "abc"
        ]
        assert end == "SUP shutdown @1"
        assert counts(sup) == (0, 0, 0, 0)

    run(scenario)


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
def test_C075_dynamic_children_that_do_not_end_by_being_cancelled(restart: Restart) -> None:
    async def play(kind: str) -> None:
        if kind == "returns":
            await swallows()
        else:
            await fails_when_stopped(OSError("cleanup"))

    async def scenario() -> None:
        log = Log()
        async with trido.open_dynamic_supervisor(play, restart=restart, observers=(log,)) as sup:
            await sup.start_child("returns", id="n")
            await sup.start_child("fails", id="e")
            await settle()  # into their try blocks
            log.clear()
        of_n = ["K n normal"]
        if restart == "permanent":
            of_n.append("R shutdown_error(n, normal)")
        of_e = ["K e OSError", "R shutdown_error(e, OSError)"]
        assert log.lines in ([*of_n, *of_e, "SUP shutdown"], [*of_e, *of_n, "SUP shutdown"])
        assert counts(sup) == (0, 0, 0, 0)

    run(scenario)


@pytest.mark.parametrize("error", [None, ValueError("the body's")])
def test_C078_the_body_returns_or_raises(error: Exception | None) -> None:
    async def body(log: Log) -> None:
        async with trido.open_supervisor(
            spec("a", cleaning, 0.1), spec("b", cleaning, 0.1), observers=(log,)
        ):
            if error is not None:
                raise error

    async def scenario() -> None:
        log = Log()
        if error is None:
            await body(log)
        else:
            with raises(error):
                await body(log)
        assert log.timed == ["S a @0", "S b @0", "K b @0.1", "K a @0.2", "SUP shutdown @0.2"]

    run(scenario)


# Derived ----------------------------------------------------------------------------------------


def test_a_transient_child_may_return_when_it_is_stopped() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("t", swallows, restart="transient"),
            spec("u", swallows, restart="temporary"),
            observers=(log,),
        ):
            await settle()
            log.clear()
        assert log.lines == ["K u normal", "K t normal", "SUP shutdown"]

    run(scenario)


def test_a_child_that_crashed_before_its_turn_came_is_reported() -> None:
    """It ended by itself: it is not said to have been stopped, and it is not restarted."""

    async def scenario() -> None:
        log = Log()

        async def crash_later() -> None:
            await trio.sleep(0.5)
            raise ValueError

        async with trido.open_supervisor(
            spec("a"), spec("b", crash_later), spec("c", cleaning, 1.0), observers=(log,)
        ) as sup:
            log.clear()
        end, report = "E b ValueError", "R shutdown_error(b, ValueError)"
        rest = ["K a", "SUP shutdown"]
        assert log.lines in (["K c", end, report, *rest], [end, report, "K c", *rest])
        assert log.events[-1].time == 1
        assert sup["b"].restarts == 0

    run(scenario)


def test_stop_twice_is_stop_once() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(spec("a", cleaning, 1.0), observers=(log,)) as sup:
            log.clear()
            sup.stop()
            await trio.sleep(0.5)
            sup.stop()
            await sup.wait()
            sup.stop()
        assert log.timed == ["K a @1", "SUP shutdown @1"]

    run(scenario)


def test_a_nested_supervisor_with_a_grace_is_killed_in_order_when_it_runs_out() -> None:
    """The supervisor is told: what is left of its children's grace becomes 0, in reverse."""

    async def scenario() -> None:
        log = Log()
        inner = trido.SupervisorSpec(
            spec("x", cleaning, 3.0), spec("y", cleaning, 3.0), id="inner", shutdown=1.0
        )
        async with trido.open_supervisor(spec("a"), inner, observers=(log,)):
            log.clear()
        assert log.timed == [
            *["K y killed @1", "R shutdown_error(y, killed) @1"],
            *["K x killed @1", "R shutdown_error(x, killed) @1"],
            *["SUP inner shutdown @1", "K inner killed @1", "R shutdown_error(inner, killed) @1"],
            *["K a @1", "SUP shutdown @1"],
        ]

    run(scenario)


def test_stopping_a_supervisor_without_children() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(observers=(log,)) as sup:
            assert counts(sup) == (0, 0, 0, 0)
        assert log.lines == ["SUP shutdown"]

    run(scenario)


def test_a_stop_while_starting_cancels_the_start() -> None:
    """Better than OTP, which waits. The one in progress gives no event; the rest follow."""

    async def scenario() -> None:
        log = Log()

        async def slow(*, task_status: trio.TaskStatus[None]) -> None:
            await trio.sleep(100)
            task_status.started()

        with trio.move_on_after(1) as scope:
            async with trido.open_supervisor(
                spec("a", cleaning, 0.5), spec("b", slow), spec("c", forever), observers=(log,)
            ):
                pytest.fail("it has not started")
        assert scope.cancelled_caught
        assert log.timed == ["S a @0", "K a @1.5", "SUP cancelled @1.5"]

    run(scenario)
