"""Section C: the restart limit."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio

import trido
from tests.conformance.kit import (
    Log,
    Worker,
    both_orders,
    counts,
    giving_up,
    opened,
    played,
    run,
    settle,
    states,
    story,
)


async def crash_at(worker: Worker, *times: float) -> None:
    for time in times:
        await trio.sleep_until(time)
        worker.crash()
        await settle()


def cause(log: Log) -> BaseException | None:
    """What the supervisor names as the cause of its giving up."""
    error: trido.RestartLimitExceeded = log.only("SUP limit").reason
    return error.__cause__


# The cases --------------------------------------------------------------------------------------


@played
async def test_C030_no_restart_is_allowed() -> None:
    a, b, c = Worker("a"), Worker("b"), Worker("c")
    boom = ValueError()
    async with giving_up(a.spec(), b.spec(), c.spec(), max_restarts=0) as (sup, log):
        b.crash(boom)
    assert cause(log) is boom
    assert log.take() == story("""
        S a, S b, S c
        E b ValueError, R child_terminated(b, ValueError), R shutdown(b, limit)
        K c, K a, SUP limit
    """)
    assert b.attempts == 1
    assert states(sup) == "a stopped 1, b stopped 1, c stopped 1"
    assert counts(sup) == (3, 0, 0, 3)


@played
async def test_C031_the_limit_is_the_supervisors() -> None:
    a, b = Worker("a"), Worker("b")
    async with giving_up(a.spec(), b.spec(), max_restarts=1, max_seconds=5) as (sup, log):
        b.crash()
        await settle()
        assert states(sup) == "a running 1, b running 2"
        a.crash()
    assert log.take() == story("""
        S a, S b
        E b ValueError, R child_terminated(b, ValueError), S b restart
        E a ValueError, R child_terminated(a, ValueError), R shutdown(a, limit)
        K b, SUP limit
    """)
    assert states(sup) == "a stopped 1, b stopped 2"


@played
async def test_C032_a_group_restart_counts_once() -> None:
    workers = [Worker(id) for id in "abcde"]
    a, b, c, d, e = workers
    async with giving_up(
        *(worker.spec() for worker in workers), strategy="one_for_all", max_restarts=2
    ) as (sup, log):
        again = "S a restart, S b restart, S c restart, S d restart, S e restart"
        log.take()
        a.crash()
        await settle()
        assert log.take() == story(f"""
            E a ValueError, R child_terminated(a, ValueError), K e, K d, K c, K b, {again}
        """)
        c.crash()
        await settle()
        assert log.take() == story(f"""
            E c ValueError, R child_terminated(c, ValueError), K e, K d, K b, K a, {again}
        """)
        assert states(sup) == ", ".join(f"{id} running 3" for id in "abcde")
        e.crash()
    assert log.take() == story("""
        E e ValueError, R child_terminated(e, ValueError), R shutdown(e, limit)
        K d, K c, K b, K a, SUP limit
    """)
    assert [worker.attempts for worker in (a, b, c, d, e)] == [3] * 5


@played
async def test_C033_every_retry_counts() -> None:
    x, y, error = Worker("x"), Worker("y"), OSError()
    a = Worker("a", starts=[None, error])
    async with giving_up(x.spec(), a.spec(), y.spec(), max_restarts=3) as (sup, log):
        a.crash()
    assert a.attempts == 4
    assert trio.current_time() == 0
    assert cause(log) is error
    assert log.take() == story("""
        S x, S a, S y
        E a ValueError, R child_terminated(a, ValueError)
        R start_error(a, OSError), R start_error(a, OSError), R start_error(a, OSError)
        R shutdown(a, limit), K y, K x, SUP limit
    """)
    assert states(sup) == "x stopped 1, a stopped 4, y stopped 1"


@played
async def test_C034_retries_and_crashes_share_the_window() -> None:
    x, a = Worker("x"), Worker("a", starts=[None, OSError(), OSError(), None])
    async with giving_up(x.spec(), a.spec(), max_restarts=3) as (sup, log):
        a.crash()
        await settle()
        assert states(sup) == "x running 1, a running 4"
        assert sup["a"].restarts == 1
        assert log.take() == story("""
            S x, S a
            E a ValueError, R child_terminated(a, ValueError)
            R start_error(a, OSError), R start_error(a, OSError), S a restart
        """)
        await trio.sleep(4)
        a.crash()
    assert log.take() == story("""
        E a ValueError, R child_terminated(a, ValueError), R shutdown(a, limit), K x, SUP limit
    """)


@played
async def test_C035_the_window_slides() -> None:
    a = Worker("a")
    async with opened(a.spec(), max_restarts=1, max_seconds=1) as (sup, log):
        await crash_at(a, 2.1, 4.2, 6.3, 8.4)
        assert states(sup) == "a running 5"
        again = "E a ValueError, R child_terminated(a, ValueError), S a restart"
        assert log.take() == story(f"S a, {again}, {again}, {again}, {again}")


@played
async def test_C038_the_api_never_counts() -> None:
    a, b = Worker("a"), Worker("b")
    async with opened(a.spec(), b.spec(), max_restarts=0) as (sup, log):
        for _ in range(5):
            await sup.stop_child("a")
            await sup.restart_child("a")
        assert states(sup) == "a running 6, b running 1"
        assert sup["a"].restarts == 0
        assert log.take() == story("S a, S b" + ", K a, S a api" * 5)


def test_C039_two_crashes_in_one_tick() -> None:
    def expected(first: str, second: str) -> tuple[str, ...]:
        ended = "E {0} ValueError, R child_terminated({0}, ValueError), "
        stops = ", ".join(f"K {id}" for id in "cba" if id != second)
        return tuple(
            story(
                "S a, S b, S c, "
                + (ended + "S {0} restart, ").format(first)
                + (ended + "R shutdown({0}, limit), ").format(second)
                + f"{stops}, SUP limit"
            )
        )

    async def scenario() -> tuple[str, ...]:
        a, b, c = Worker("a"), Worker("b"), Worker("c")
        async with giving_up(a.spec(), b.spec(), c.spec(), max_restarts=1) as (_, log):
            a.crash()
            c.crash()
        return tuple(log.take())

    both_orders(scenario, [expected("a", "c"), expected("c", "a")])


@played
async def test_C043_an_inner_supervisor_that_gives_up_counts_one() -> None:
    x, w, error = Worker("x"), Worker("w"), ValueError()
    inner = trido.SupervisorSpec(w.spec(), id="inner", max_restarts=0)
    async with giving_up(x.spec(), inner, max_restarts=1) as (sup, log):
        w.crash()
        await settle()
        assert states(sup) == "x running 1, inner running 2"
        assert counts(sup) == (2, 2, 1, 1)
        log.take()
        w.crash(error)
    inner_gave_up = cause(log)
    assert inner_gave_up is log.only("SUP inner limit").reason
    assert isinstance(inner_gave_up, trido.RestartLimitExceeded)
    assert inner_gave_up.__cause__ is error
    assert log.take() == story("""
        E w ValueError, R child_terminated(w, ValueError), R shutdown(w, limit), SUP inner limit
        E inner normal RestartLimitExceeded
        R child_terminated(inner, normal RestartLimitExceeded), R shutdown(inner, limit)
        K x, SUP limit
    """)
    assert states(sup) == "x stopped 1, inner stopped 2"


@pytest.mark.parametrize("how", ["sibling", "limit"])
@played
async def test_C044_a_restarted_supervisor_begins_anew(how: str) -> None:
    x, w, n = Worker("x"), Worker("w"), Worker("n")
    inner = trido.SupervisorSpec(w.spec(), id="inner", max_restarts=1)
    async with opened(x.spec(), inner, strategy="rest_for_one") as (sup, log):
        first = sup["inner"].value
        w.crash()
        await settle()
        await first.start_child(n.spec())
        assert states(first) == "w running 2, n running 1"
        (x if how == "sibling" else w).crash()
        await settle()
        second = sup["inner"].value
        assert second is not first
        assert states(second) == "w running 1"
        assert n.attempts == 1
        log.take()
        w.crash()  # with the count from before it would be one too many
        await settle()
        assert states(second) == "w running 2"
        assert sup["inner"].value is second
        assert log.take() == story("""
            E w ValueError, R child_terminated(w, ValueError), S w restart
        """)


# The window -------------------------------------------------------------------------------------


@played
async def test_the_edge_of_the_window_is_in_it() -> None:
    a = Worker("a")
    async with giving_up(a.spec(), max_restarts=1, max_seconds=5) as (_, log):
        await crash_at(a, 1, 6)
    assert trio.current_time() == 6
    assert a.attempts == 2
    assert log.take()[-1] == "SUP limit"


@played
async def test_past_the_edge_of_the_window() -> None:
    a = Worker("a")
    async with opened(a.spec(), max_restarts=1, max_seconds=5) as (sup, _):
        await crash_at(a, 1, 6.0625)
        assert states(sup) == "a running 3"


@played
async def test_the_window_slides_over_several() -> None:
    a = Worker("a")
    async with giving_up(a.spec(), max_restarts=2, max_seconds=10) as (sup, _):
        await crash_at(a, 0, 4, 11, 15)
        assert states(sup) == "a running 5"
        await crash_at(a, 20)
    assert trio.current_time() == 20


@played
async def test_a_restart_counts_when_it_is_decided_and_not_when_it_is_made() -> None:
    a = Worker("a")
    backoff = trido.Backoff(min=10, max=10)
    async with opened(a.spec(backoff=backoff), max_restarts=1, max_seconds=5) as (sup, log):
        await crash_at(a, 0, 6)  # the second is decided at 6 and made at 16
        assert states(sup) == "a restarting 2"
        await crash_at(a, 16.5)
        assert states(sup) == "a restarting 3"
        await trio.sleep_until(30)
        assert states(sup) == "a running 4"
        assert [line for line in log.take(timed=True) if line[0] in "SR"] == story("""
            S a @0
            R child_terminated(a, ValueError) @0, S a restart @0
            R child_terminated(a, ValueError) @6, RETRY a 2 10 @6, S a restart @16
            R child_terminated(a, ValueError) @16.5, RETRY a 3 10 @16.5, S a restart @26.5
        """)


@played
async def test_what_does_not_count() -> None:
    a, t, u, n = Worker("a"), Worker("t"), Worker("u"), Worker("n", starts=[None, OSError(), None])
    async with opened(
        a.spec(), t.spec(restart="transient"), u.spec(restart="temporary"), max_restarts=0
    ) as (sup, log):
        t.finish()
        u.crash()
        await settle()
        await sup.restart_child("t")
        await sup.start_child(n.spec())
        await sup.stop_child("n")
        with pytest.raises(trido.StartFailed):
            await sup.restart_child("n")
        await sup.restart_child("n")
        with pytest.raises(trido.StartFailed):
            await sup.start_child(Worker("m", starts=[OSError()]).spec())
        assert states(sup) == "a running 1, t running 2, n running 3"
        assert not [line for line in log.notation() if "limit" in line or "restart" in line]


@played
async def test_siblings_stopped_by_a_group_restart_do_not_count() -> None:
    a, b = Worker("a"), Worker("b", stops=OSError())
    async with opened(a.spec(), b.spec(), strategy="one_for_all", max_restarts=1) as (sup, log):
        a.crash()
        await settle()
        assert states(sup) == "a running 2, b running 2"
        assert sup["b"].last_crash is b.stops
        b.stops = "obeys"
        assert log.take() == story("""
            S a, S b
            E a ValueError, R child_terminated(a, ValueError)
            K b OSError, R shutdown_error(b, OSError)
            S a restart, S b restart
        """)


def test_siblings_found_dead_in_a_group_restart_do_not_count() -> None:
    def expected(first: str, second: str) -> tuple[str, ...]:
        return tuple(
            story(f"""
                S a, S b, S c
                E {first} ValueError, R child_terminated({first}, ValueError)
            """)
            + (
                story("K c, E b ValueError, R shutdown_error(b, ValueError)")
                if second == "b"
                else story("K c, E a ValueError, R shutdown_error(a, ValueError)")
            )
            + story("S a restart, S b restart, S c restart")
        )

    async def scenario() -> tuple[str, ...]:
        a, b, c = Worker("a"), Worker("b"), Worker("c")
        async with opened(a.spec(), b.spec(), c.spec(), strategy="one_for_all", max_restarts=1) as (
            sup,
            log,
        ):
            a.crash()
            b.crash()
            await settle()
            assert states(sup) == "a running 2, b running 2, c running 2"
            return tuple(log.take())

    both_orders(scenario, [expected("a", "b"), expected("b", "a")])


@pytest.mark.parametrize(
    ("restart", "how", "told"),
    [
        ("permanent", "returns", "E b normal @1, R shutdown_error(b, normal) @1"),
        ("transient", "returns", "E b normal @1"),
        ("temporary", "returns", "E b normal @1"),
        ("permanent", "crashes", "E b ValueError @1, R shutdown_error(b, ValueError) @1"),
        ("transient", "crashes", "E b ValueError @1, R shutdown_error(b, ValueError) @1"),
        ("temporary", "crashes", "E b ValueError @1, R shutdown_error(b, ValueError) @1"),
    ],
)
@played
async def test_a_sibling_that_ends_before_its_turn_to_be_stopped(
    restart: Any, how: str, told: str
) -> None:
    a, b, c = Worker("a"), Worker("b"), Worker("c", cleanup=1)
    async with opened(
        a.spec(), b.spec(restart=restart), c.spec(), strategy="one_for_all", max_restarts=1
    ) as (sup, log):
        a.crash()
        await trio.sleep(0.5)
        if how == "returns":
            b.finish()
        else:
            b.crash()
        await trio.sleep(1)
        again = "S a restart @1, S b restart @1, S c restart @1"
        if restart == "temporary":
            again = again.replace("S b restart @1, ", "")
            assert states(sup) == "a running 2, c running 2"
        else:
            assert states(sup) == "a running 2, b running 2, c running 2"
            assert isinstance(sup["b"].last_crash, ValueError) == (how == "crashes")
        assert log.take(timed=True) == story(f"""
            S a @0, S b @0, S c @0
            E a ValueError @0, R child_terminated(a, ValueError) @0
            K c @1, {told}, {again}
        """)


@played
async def test_the_cause_is_none_after_a_normal_end() -> None:
    a = Worker("a")
    async with giving_up(a.spec(), max_restarts=0) as (_, log):
        a.finish()
    assert cause(log) is None
    async with giving_up(a.spec(), max_restarts=1) as (_, log):
        a.crash()
        await settle()
        a.crash(trido.Shutdown())
    assert cause(log) is None


@played
async def test_the_chain_of_causes_ends_at_the_first_error() -> None:
    w, error = Worker("w"), ValueError()
    low = trido.SupervisorSpec(w.spec(), id="low", max_restarts=0)
    mid = trido.SupervisorSpec(low, id="mid", max_restarts=0)
    async with giving_up(mid, max_restarts=0) as (_, log):
        w.crash(error)
    chain: list[BaseException] = []
    link: BaseException | None = log.only("SUP limit").reason
    while link is not None:
        chain.append(link)
        link = link.__cause__
    assert chain == [
        log.only("SUP limit").reason,
        log.only("SUP mid limit").reason,
        log.only("SUP low limit").reason,
        error,
    ]


@played
async def test_no_limit() -> None:
    a = Worker("a")
    async with opened(a.spec(), max_restarts=math.inf) as (sup, _):
        for _ in range(50):
            a.crash()
            await settle()
        assert states(sup) == "a running 51"


@played
async def test_giving_up_cancels_the_body_at_that_moment() -> None:
    a, b = Worker("a"), Worker("b", cleanup=2)
    with pytest.raises(trido.RestartLimitExceeded):
        async with trido.open_supervisor(a.spec(), b.spec(), max_restarts=0):
            a.crash()
            try:
                await trio.sleep_forever()
            finally:
                assert trio.current_time() == 0
    assert trio.current_time() == 2


# max_consecutive --------------------------------------------------------------------------------


@played
async def test_max_consecutive_sees_restarts_slower_than_the_window() -> None:
    x, a = Worker("x"), Worker("a")
    async with giving_up(
        x.spec(),
        a.spec(backoff=trido.Backoff(min=10, max=10)),
        max_restarts=2,
        max_seconds=2,
        max_consecutive=3,
    ) as (sup, log):
        await crash_at(a, 1, 2, 13)  # up for 1 s each time
        await trio.sleep_until(23.5)
        assert states(sup) == "x running 1, a running 4"
        log.take()
        await crash_at(a, 24)
    assert log.take() == story("""
        E a ValueError, R child_terminated(a, ValueError), R shutdown(a, limit), K x, SUP limit
    """)


@played
async def test_uptime_resets_max_consecutive() -> None:
    a = Worker("a")
    async with opened(a.spec(), max_restarts=math.inf, max_seconds=2, max_consecutive=1) as (
        sup,
        _,
    ):
        await crash_at(a, 2, 4, 6, 8)  # up for max_seconds each time
        assert states(sup) == "a running 5"


@played
async def test_max_consecutive_is_of_one_child() -> None:
    a, b = Worker("a"), Worker("b")
    async with giving_up(
        a.spec(), b.spec(), max_restarts=math.inf, max_seconds=2, max_consecutive=2
    ) as (sup, _):
        for worker in (a, b, a, b):
            worker.crash()
            await settle()
        assert states(sup) == "a running 3, b running 3"
        b.crash()


@played
async def test_failed_restarts_are_consecutive() -> None:
    a = Worker("a", starts=[None, OSError()])
    async with giving_up(a.spec(), max_restarts=math.inf, max_consecutive=5) as (_, log):
        a.crash()
    assert a.attempts == 6
    assert log.take() == story(
        "S a, E a ValueError, R child_terminated(a, ValueError), "
        + "R start_error(a, OSError), " * 5
        + "R shutdown(a, limit), SUP limit"
    )


# Storms -----------------------------------------------------------------------------------------


async def crashes_at_once() -> None:
    raise ValueError


async def starts_and_crashes(*, task_status: trio.TaskStatus[None]) -> None:
    task_status.started()
    raise ValueError


STORMY: list[Any] = [crashes_at_once, starts_and_crashes]


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.parametrize("fn", STORMY)
def test_a_storm_can_be_stopped(fn: Any, strategy: Any) -> None:
    async def scenario() -> None:
        storm = trido.ChildSpec(fn, id="storm")
        async with opened(Worker("a").spec(), storm, max_restarts=math.inf, strategy=strategy) as (
            _,
            log,
        ):
            for _ in range(100):
                await trio.lowlevel.checkpoint()
        assert log.notation()[-2:] == ["K a", "SUP shutdown"]
        assert log.notation().count("E storm ValueError") > 5

    run(scenario, steps=10_000)


@pytest.mark.parametrize("fn", STORMY)
@played
async def test_a_storm_ends_at_the_limit(fn: Any) -> None:
    ended = "E storm ValueError, R child_terminated(storm, ValueError), "
    async with opened(Worker("a").spec()) as (sup, log):
        inner = trido.SupervisorSpec(
            trido.ChildSpec(fn, id="storm"), id="inner", max_restarts=3, restart="transient"
        )
        await sup.start_child(inner)
        await settle()
        assert trio.current_time() == 0
        assert states(sup) == "a running 1, inner stopped 1"
        told = log.take()
        told.remove("S inner api")  # in the midst of it: the storm is handled after startup
        assert told == story(
            "S a, S storm, "
            + f"{ended}S storm restart, " * 3
            + f"{ended}R shutdown(storm, limit), SUP inner limit, "
            + "E inner normal RestartLimitExceeded"
        )


@pytest.mark.parametrize("fn", STORMY)
def test_a_storm_can_be_cancelled(fn: Any) -> None:
    async def scenario() -> None:
        storm = trido.ChildSpec(fn, id="storm")
        with trio.CancelScope() as scope:
            async with opened(storm, max_restarts=math.inf) as (_, log):
                for _ in range(100):
                    await trio.lowlevel.checkpoint()
                scope.cancel()
                await trio.sleep_forever()
            assert log.notation()[-1] == "SUP cancelled"
        assert scope.cancelled_caught

    run(scenario, steps=10_000)


def test_the_api_is_served_in_a_storm_of_retries() -> None:
    async def scenario() -> None:
        a, n = Worker("a", starts=[None, OSError()]), Worker("n")
        async with opened(a.spec(), max_restarts=math.inf) as (sup, _):
            a.crash()
            for _ in range(100):
                await trio.lowlevel.checkpoint()
            await sup.start_child(n.spec())
            assert sup["a"].state == "restarting"
            await sup.stop_child("a")
            attempts = a.attempts
            await settle()
            assert a.attempts == attempts
            assert states(sup) == f"a stopped {attempts}, n running 1"

    run(scenario, steps=10_000)
