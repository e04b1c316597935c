"""Section D: what else is restarted with a child, and how restarts are retried."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import trio

import trido
from tests.conformance.kit import (
    Log,
    Worker,
    at,
    both_orders,
    counts,
    giving_up,
    opened,
    played,
    settle,
    states,
    story,
)

ENDED = "E a ValueError, R child_terminated(a, ValueError)"
GROUPS = ["one_for_all", "rest_for_one"]


def workers(ids: str) -> list[Worker]:
    return [Worker(id) for id in ids]


# The cases --------------------------------------------------------------------------------------


@played
async def test_C045_one_for_one() -> None:
    a, b = workers("ab")
    async with opened(a.spec(), b.spec()) as (sup, log):
        a.crash()
        await settle()
        assert states(sup) == "a running 2, b running 1"
        assert counts(sup) == (2, 2, 0, 2)
        assert log.take() == story(f"S a, S b, {ENDED}, S a restart")


@played
async def test_C046_one_for_all() -> None:
    a, b, c = Worker("a", cleanup=0.25), Worker("b"), Worker("c", cleanup=0.5)
    async with opened(a.spec(), b.spec(), c.spec(), strategy="one_for_all") as (sup, log):
        b.crash()
        await trio.sleep(1)
        assert states(sup) == "a running 2, b running 2, c running 2"
        assert counts(sup) == (3, 3, 0, 3)
        assert log.take(timed=True) == story("""
            S a @0, S b @0, S c @0
            E b ValueError @0, R child_terminated(b, ValueError) @0
            K c @0.5, K a @0.75
            S a restart @0.75, S b restart @0.75, S c restart @0.75
        """)


@played
async def test_C047_rest_for_one() -> None:
    a, b, c, d = (Worker(id, cleanup=0.25) for id in "abcd")
    async with opened(*(w.spec() for w in (a, b, c, d)), strategy="rest_for_one") as (sup, log):
        b.crash()
        await trio.sleep(1)
        assert states(sup) == "a running 1, b running 2, c running 2, d running 2"
        assert counts(sup) == (4, 4, 0, 4)
        assert log.take(timed=True) == story("""
            S a @0, S b @0, S c @0, S d @0
            E b ValueError @0, R child_terminated(b, ValueError) @0
            K d @0.25, K c @0.5
            S b restart @0.5, S c restart @0.5, S d restart @0.5
        """)


@pytest.mark.parametrize("how", ["crashes", "returns"])
@pytest.mark.parametrize("strategy", GROUPS)
@played
async def test_C048_temporary_children_do_not_come_back(strategy: Any, how: str) -> None:
    a, t, b = workers("atb")
    async with opened(
        a.spec(), t.spec(restart="temporary"), b.spec(), strategy=strategy, max_restarts=1
    ) as (sup, log):
        gone = sup["t"]
        ended = ENDED
        if how == "crashes":
            a.crash()
        else:
            a.finish()
            ended = "E a normal, R child_terminated(a, normal)"
        await settle()
        assert gone.state == "removed"
        assert states(sup) == "a running 2, b running 2"
        assert counts(sup) == (2, 2, 0, 2)
        assert t.attempts == 1
        assert log.take() == story(f"""
            S a, S t, S b
            {ended}, K b, K t, S a restart, S b restart
        """)


@played
async def test_C050_a_group_restart_starts_those_that_the_api_stopped() -> None:
    a, b, c, d = workers("abcd")
    async with opened(*(w.spec() for w in (a, b, c, d)), strategy="rest_for_one") as (sup, log):
        await sup.stop_child("a")
        await sup.stop_child("d")
        assert states(sup) == "a stopped 1, b running 1, c running 1, d stopped 1"
        b.crash()
        await settle()
        assert states(sup) == "a stopped 1, b running 2, c running 2, d running 2"
        assert counts(sup) == (4, 3, 0, 4)
        assert log.take() == story("""
            S a, S b, S c, S d, K a, K d
            E b ValueError, R child_terminated(b, ValueError)
            K c, S b restart, S c restart, S d restart
        """)


@played
async def test_C051_one_for_all_tries_again_with_everybody() -> None:
    a, b, c = Worker("a"), Worker("b", starts=[None, OSError(), None]), Worker("c")
    async with giving_up(a.spec(), b.spec(), c.spec(), strategy="one_for_all", max_restarts=3) as (
        sup,
        log,
    ):
        c.crash()
        await settle()
        assert states(sup) == "a running 3, b running 3, c running 2"
        assert counts(sup) == (3, 3, 0, 3)
        assert log.take() == story("""
            S a, S b, S c
            E c ValueError, R child_terminated(c, ValueError)
            K b, K a, S a restart, R start_error(b, OSError)
            K a, S a restart, S b restart, S c restart
        """)
        a.crash()  # 2 were counted: a third restart is within the limit
        await settle()
        assert states(sup) == "a running 4, b running 4, c running 3"
        log.take()
        a.crash()
    assert log.take() == story(f"{ENDED}, R shutdown(a, limit), K c, K b, SUP limit")


@played
async def test_C053_one_for_all_gives_up_in_a_retry() -> None:
    a, b, c = Worker("a"), Worker("b", starts=[None, OSError()]), Worker("c")
    async with giving_up(a.spec(), b.spec(), c.spec(), strategy="one_for_all", max_restarts=2) as (
        sup,
        log,
    ):
        c.crash()
    assert log.take() == story("""
        S a, S b, S c
        E c ValueError, R child_terminated(c, ValueError)
        K b, K a, S a restart, R start_error(b, OSError)
        K a, S a restart, R start_error(b, OSError)
        R shutdown(b, limit), K a, SUP limit
    """)
    assert states(sup) == "a stopped 3, b stopped 3, c stopped 1"


@played
async def test_C054_a_sibling_that_ignores_the_stop_is_killed() -> None:
    a, h = Worker("a"), Worker("h", stops="hangs")
    async with opened(a.spec(), h.spec(shutdown=1), strategy="one_for_all") as (sup, log):
        a.crash()
        await trio.sleep(2)
        assert states(sup) == "a running 2, h running 2"
        assert log.take(timed=True) == story("""
            S a @0, S h @0
            E a ValueError @0, R child_terminated(a, ValueError) @0
            K h killed @1, R shutdown_error(h, killed) @1
            S a restart @1, S h restart @1
        """)


@played
async def test_C056_requests_wait_for_a_group_restart() -> None:
    a, b, n = Worker("a"), Worker("b", cleanup=2), Worker("n")
    async with opened(a.spec(), b.spec(), strategy="one_for_all") as (sup, log):
        a.crash()
        await trio.sleep(0.125)
        assert states(sup) == "a restarting 1, b stopping 1"
        child = await sup.start_child(n.spec())
        assert trio.current_time() == 2
        assert child is sup["n"]
        assert states(sup) == "a running 2, b running 2, n running 1"
        assert log.take(timed=True) == story("""
            S a @0, S b @0
            E a ValueError @0, R child_terminated(a, ValueError) @0
            K b @2, S a restart @2, S b restart @2, S n api @2
        """)
    assert log.take(timed=True) == story("K n @2, K b @4, K a @4, SUP shutdown @4")


def slow_retries(id: str) -> Worker:
    """Started once; to fail to start again takes it a second each time."""
    return Worker(id, starts=[None, OSError()], ready_after=1)


@played
async def test_C057_requests_for_a_child_in_a_retry_loop() -> None:
    a = slow_retries("a")
    async with opened(a.spec(), max_restarts=math.inf) as (sup, log):
        a.crash()  # at 1
        await trio.sleep(1.5)
        assert states(sup) == "a restarting 3"
        assert counts(sup) == (1, 0, 0, 1)
        with pytest.raises(trido.ChildAlreadyPresent):
            await sup.start_child(a.spec())
        assert trio.current_time() == 3  # between two attempts
        with pytest.raises(trido.ChildRestarting):
            await sup.restart_child("a")
        with pytest.raises(trido.ChildRestarting):
            await sup.delete_child("a")
        assert states(sup).startswith("a restarting")
        assert log.take(timed=True) == story("""
            S a @1
            E a ValueError @1, R child_terminated(a, ValueError) @1
            R start_error(a, OSError) @2, R start_error(a, OSError) @3
            R start_error(a, OSError) @4, R start_error(a, OSError) @5
        """)


@played
async def test_C059_a_stop_ends_a_retry_loop() -> None:
    x, a, y = Worker("x"), slow_retries("a"), Worker("y")
    async with opened(x.spec(), a.spec(), y.spec(), max_restarts=math.inf) as (sup, log):
        a.crash()
        await trio.sleep(1.5)
        sup.stop()
        await sup.wait()
        assert trio.current_time() == 2.5
        assert log.take(timed=True) == story("""
            S x @0, S a @1, S y @1
            E a ValueError @1, R child_terminated(a, ValueError) @1
            R start_error(a, OSError) @2
            K y @2.5, K x @2.5, SUP shutdown @2.5
        """)
        assert a.attempts == 3
        assert states(sup) == "x stopped 1, a stopped 3, y stopped 1"


@played
async def test_C060_rest_for_one_in_a_retry_loop() -> None:
    a, b, c = Worker("a"), slow_retries("b"), Worker("c")
    async with opened(
        a.spec(), b.spec(), c.spec(), strategy="rest_for_one", max_restarts=math.inf
    ) as (sup, log):
        b.crash()
        await trio.sleep(1.5)
        assert states(sup) == "a running 1, b restarting 3, c stopped 1"
        assert counts(sup) == (3, 1, 0, 3)
        await sup.stop_child("b")
        assert trio.current_time() == 3
        assert states(sup) == "a running 1, b stopped 3, c stopped 1"
        await trio.sleep(10)
        assert states(sup) == "a running 1, b stopped 3, c stopped 1"
        assert log.take(timed=True) == story("""
            S a @0, S b @1, S c @1
            E b ValueError @1, R child_terminated(b, ValueError) @1, K c @1
            R start_error(b, OSError) @2, R start_error(b, OSError) @3
        """)
    assert log.take() == story("K a, SUP shutdown")


# Group restarts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "crashed", "expected"),
    [
        ("one_for_all", "a", "a running 2, b running 2, c running 2"),
        ("one_for_all", "c", "a running 2, b running 2, c running 2"),
        ("rest_for_one", "a", "a running 2, b running 2, c running 2"),
        ("rest_for_one", "c", "a running 1, b running 1, c running 2"),
        ("one_for_one", "c", "a running 1, b running 1, c running 2"),
    ],
)
@played
async def test_who_is_restarted(strategy: Any, crashed: str, expected: str) -> None:
    group = {id: Worker(id) for id in "abc"}
    async with opened(*(w.spec() for w in group.values()), strategy=strategy) as (sup, _):
        group[crashed].crash()
        await settle()
        assert states(sup) == expected


@played
async def test_rest_for_one_resumes_at_the_child_that_failed() -> None:
    a, b, c = Worker("a"), Worker("b", starts=[None, OSError(), None]), Worker("c")
    async with opened(a.spec(), b.spec(), c.spec(), strategy="rest_for_one", max_restarts=2) as (
        sup,
        log,
    ):
        a.crash()
        await settle()
        assert states(sup) == "a running 2, b running 3, c running 2"
        assert log.take() == story(f"""
            S a, S b, S c, {ENDED}, K c, K b
            S a restart, R start_error(b, OSError), S b restart, S c restart
        """)


@played
async def test_a_failed_start_in_a_group_passes_the_retry_on() -> None:
    a, b, c = Worker("a"), slow_retries("b"), Worker("c")
    async with opened(
        a.spec(), b.spec(), c.spec(), strategy="one_for_all", max_restarts=math.inf
    ) as (sup, log):
        c.crash()  # at 1
        await trio.sleep(0.5)
        assert states(sup) == "a running 2, b starting 2, c restarting 1"
        await trio.sleep(1)
        # The one that failed is `restarting` now; the one that crashed has no run.
        assert states(sup) == "a running 3, b restarting 3, c stopped 1"
        assert counts(sup) == (3, 1, 0, 3)
        await sup.stop_child("b")
        assert trio.current_time() == 3
        await trio.sleep(10)
        assert states(sup) == "a running 3, b stopped 3, c stopped 1"
        assert log.take(timed=True) == story("""
            S a @0, S b @1, S c @1
            E c ValueError @1, R child_terminated(c, ValueError) @1
            K b @1, K a @1, S a restart @1, R start_error(b, OSError) @2
            K a @2, S a restart @2, R start_error(b, OSError) @3
        """)


@played
async def test_a_group_restart_starts_every_place_of_the_group() -> None:
    a, s, t = workers("ast")
    i = Worker("i", starts=[trido.Ignore(), None])
    async with opened(
        a.spec(), s.spec(), t.spec(restart="transient"), i.spec(), strategy="one_for_all"
    ) as (sup, log):
        await sup.stop_child("s")
        t.finish()
        await settle()
        assert states(sup) == "a running 1, s stopped 1, t stopped 1, i stopped 1"
        log.take()
        a.crash()
        await settle()
        assert states(sup) == "a running 2, s running 2, t running 2, i running 2"
        assert log.take() == story(f"""
            {ENDED}, S a restart, S s restart, S t restart, S i restart
        """)


@pytest.mark.parametrize("strategy", GROUPS)
@played
async def test_ignore_in_a_group_restart(strategy: Any) -> None:
    a, b, c = Worker("a"), Worker("b", starts=[None, trido.Ignore()]), Worker("c")
    async with opened(a.spec(), b.spec(), c.spec(), strategy=strategy, max_restarts=1) as (
        sup,
        log,
    ):
        a.crash()
        await settle()
        assert states(sup) == "a running 2, b stopped 2, c running 2"
        assert log.take() == story(f"""
            S a, S b, S c
            {ENDED}, K c, K b, S a restart, E b ignored, S c restart
        """)


@pytest.mark.parametrize("max_restarts", [1, 2])
@played
async def test_a_restarted_member_crashes_while_later_ones_start(max_restarts: int) -> None:
    a, b = Worker("a"), Worker("b", ready_after=1)
    opens = opened if max_restarts == 2 else giving_up
    async with (
        trio.open_nursery() as nursery,
        opens(a.spec(), b.spec(), strategy="one_for_all", max_restarts=max_restarts) as (sup, log),
    ):
        nursery.start_soon(at, 2, b.crash)
        nursery.start_soon(at, 2.5, a.crash)
        await trio.sleep_until(10)
        assert states(sup) == "a running 3, b running 3"
        assert log.take(timed=True) == story("""
            S a @0, S b @1
            E b ValueError @2, R child_terminated(b, ValueError) @2
            K a @2, S a restart @2, S b restart @3
            E a ValueError @3, R child_terminated(a, ValueError) @3
            K b @3, S a restart @3, S b restart @4
        """)
    if max_restarts == 1:
        assert log.take(timed=True)[-5:] == story("""
            E a ValueError @3, R child_terminated(a, ValueError) @3, R shutdown(a, limit) @3
            K b @3, SUP limit @3
        """)


@pytest.mark.parametrize("strategy", GROUPS)
@played
async def test_a_stop_is_seen_in_a_group_restart(strategy: Any) -> None:
    a, b, c = Worker("a"), Worker("b", ready_after=1), Worker("c")
    async with opened(a.spec(), b.spec(), c.spec(), strategy=strategy) as (sup, log):
        a.crash()  # at 1
        await trio.sleep(0.5)
        assert states(sup) == "a running 2, b starting 2, c stopped 1"
        sup.stop()
        await sup.wait()
    assert log.take(timed=True) == story("""
        S a @0, S b @1, S c @1
        E a ValueError @1, R child_terminated(a, ValueError) @1
        K c @1, K b @1, S a restart @1
        K a @1.5, SUP shutdown @1.5
    """)
    assert (b.attempts, c.attempts) == (2, 1)


def test_two_crashes_in_one_tick_of_rest_for_one() -> None:
    """The earlier child's restart takes the later one along, whoever is seen first."""

    async def scenario() -> tuple[str, ...]:
        a, b, c = workers("abc")
        async with opened(
            a.spec(), b.spec(), c.spec(), strategy="rest_for_one", max_restarts=2
        ) as (sup, log):
            a.crash()
            b.crash()
            await settle()
            assert sup["a"].state == sup["b"].state == sup["c"].state == "running"
            assert sup["a"].incarnation == 2
            return tuple(log.take())

    first_a = story(f"""
        S a, S b, S c
        {ENDED}, K c, E b ValueError, R shutdown_error(b, ValueError)
        S a restart, S b restart, S c restart
    """)
    first_b = story(f"""
        S a, S b, S c
        E b ValueError, R child_terminated(b, ValueError), K c, S b restart, S c restart
        {ENDED}, K c, K b, S a restart, S b restart, S c restart
    """)
    both_orders(scenario, [tuple(first_a), tuple(first_b)])


def test_a_crash_and_a_stop_in_one_tick() -> None:
    """It is found dead, or its restart is given up, or it was restarted and is stopped."""
    delays = itertools.cycle(range(10))  # a crash is known a few passes after it happened

    async def scenario() -> tuple[str, ...]:
        a, b = Worker("a"), Worker("b")
        async with opened(a.spec(), b.spec()) as (sup, log):
            a.crash()
            for _ in range(next(delays)):
                await trio.lowlevel.checkpoint()
            sup.stop()
            await sup.wait()
            assert states(sup).startswith("a stopped")
        return tuple(log.take())

    found_dead = story("S a, S b, K b, E a ValueError, R shutdown_error(a, ValueError)")
    given_up = story(f"S a, S b, {ENDED}, K b")
    restarted = story(f"S a, S b, {ENDED}, S a restart, K b, K a")
    both_orders(
        scenario,
        [(*lines, "SUP shutdown") for lines in (found_dead, given_up, restarted)],
    )


@pytest.mark.parametrize("strategy", ["one_for_one", *GROUPS])
@played
async def test_a_restart_that_takes_too_long_has_failed(strategy: Any) -> None:
    a, b = workers("ab")
    async with giving_up(a.spec(start_timeout=1), b.spec(), strategy=strategy, max_restarts=2) as (
        _,
        log,
    ):
        log.take()
        a.ready_after = 10
        a.crash()
    stopped = story("K b @0")
    assert isinstance(log.only("SUP limit").reason.__cause__, trido.StartTimeout)
    assert log.take(timed=True) == [
        *story("E a ValueError @0, R child_terminated(a, ValueError) @0"),
        *(stopped if strategy != "one_for_one" else []),
        *story("""
            R start_error(a, StartTimeout) @1, R start_error(a, StartTimeout) @2
            R shutdown(a, limit) @2
        """),
        *(story("K b @2") if strategy == "one_for_one" else []),
        "SUP limit @2",
    ]


@played
async def test_a_restart_that_returns_before_it_is_ready_has_failed() -> None:
    runs = 0
    crash = trio.Event()

    async def child(*, task_status: trio.TaskStatus[None]) -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            return
        task_status.started()
        await crash.wait()
        raise ValueError

    async with giving_up(trido.ChildSpec(child), max_restarts=1) as (_, log):
        crash.set()
    assert isinstance(log.only("SUP limit").reason.__cause__, trido.NotStarted)
    assert log.take() == story("""
        S child, E child ValueError, R child_terminated(child, ValueError)
        R start_error(child, NotStarted), R shutdown(child, limit), SUP limit
    """)


@played
async def test_a_supervisor_that_fails_to_restart_is_retried() -> None:
    x, w = Worker("x"), Worker("w", starts=[None, OSError(), None])
    inner = trido.SupervisorSpec(w.spec(), id="inner", max_restarts=0)
    async with opened(x.spec(), inner, max_restarts=2) as (sup, log):
        w.crash()
        await settle()
        assert states(sup) == "x running 1, inner running 3"
        assert log.take() == story("""
            S x, S w, S inner
            E w ValueError, R child_terminated(w, ValueError), R shutdown(w, limit)
            SUP inner limit
            E inner normal RestartLimitExceeded
            R child_terminated(inner, normal RestartLimitExceeded)
            R start_error(w, OSError), R start_error(inner, StartFailed(w))
            S w, S inner restart
        """)


@played
async def test_children_of_a_dynamic_supervisor_are_restarted_one_by_one() -> None:
    crash = {"a": trio.Event(), "b": trio.Event()}

    async def child(name: str) -> None:
        await crash[name].wait()
        crash[name] = trio.Event()
        raise ValueError

    log = Log()
    async with trido.open_dynamic_supervisor(child, max_restarts=1, observers=[log]) as sup:
        for name in ("a", "b"):
            await sup.start_child(name, id=name)
        crash["a"].set()
        await settle()
        assert states(sup) == "a running 2, b running 1"
        assert log.take() == story(f"S a api, S b api, {ENDED}, S a restart")


# Backoff ----------------------------------------------------------------------------------------


@played
async def test_the_delays_of_a_backoff() -> None:
    a = Worker("a", starts=[None, OSError()])
    backoff = trido.Backoff(min=1, max=5, factor=2)
    async with opened(a.spec(backoff=backoff), max_restarts=math.inf) as (sup, log):
        a.crash()
        await trio.sleep(13)
        assert states(sup) == "a restarting 6"
        assert counts(sup) == (1, 0, 0, 1)
        assert log.take(timed=True) == story("""
            S a @0, E a ValueError @0, R child_terminated(a, ValueError) @0
            R start_error(a, OSError) @0, RETRY a 2 1 @0
            R start_error(a, OSError) @1, RETRY a 3 2 @1
            R start_error(a, OSError) @3, RETRY a 4 4 @3
            R start_error(a, OSError) @7, RETRY a 5 5 @7
            R start_error(a, OSError) @12, RETRY a 6 5 @12
        """)


@played
async def test_only_uptime_resets_a_backoff() -> None:
    a = Worker("a")
    backoff = trido.Backoff(min=1, reset_after=10)
    async with opened(a.spec(backoff=backoff), max_restarts=math.inf) as (sup, log):
        for time in (20, 25, 30, 42.5, 43):
            await trio.sleep_until(time)
            a.crash()
            await settle()
        await trio.sleep_until(50)
        assert states(sup) == "a running 6"
        assert [line for line in log.take(timed=True) if line[:2] in {"S ", "RE"}] == story("""
            S a @0, S a restart @20
            RETRY a 2 1 @25, S a restart @26
            RETRY a 3 2 @30, S a restart @32
            S a restart @42.5
            RETRY a 2 1 @43, S a restart @44
        """)


@played
async def test_jitter_makes_delays_longer_by_chance() -> None:
    a = Worker("a", starts=[None, OSError()])
    backoff = trido.Backoff(min=1, max=1, jitter=0.5)
    async with opened(a.spec(backoff=backoff), max_restarts=math.inf) as (_, log):
        a.crash()
        await trio.sleep(50)
        delays = [
            event.delay for event in log.told if isinstance(event, trido.events.RetryScheduled)
        ]
    assert len(delays) > 30
    assert all(1 <= delay < 1.5 for delay in delays)
    assert len(set(delays)) > 10


@played
async def test_no_delay_is_no_retry_event() -> None:
    a = Worker("a", starts=[None, OSError(), OSError(), None])
    async with opened(a.spec(backoff=trido.Backoff(min=0))) as (sup, log):
        a.crash()
        await settle()
        assert states(sup) == "a running 4"
        assert log.take() == story(f"""
            S a, {ENDED}, R start_error(a, OSError), R start_error(a, OSError), S a restart
        """)


@pytest.mark.parametrize("strategy", GROUPS)
@played
async def test_a_group_with_backoff_stops_at_once_and_starts_later(strategy: Any) -> None:
    a, b, c = workers("abc")
    backoff = trido.Backoff(min=1)
    async with opened(
        a.spec(backoff=backoff), b.spec(), c.spec(), strategy=strategy, max_restarts=math.inf
    ) as (sup, log):
        a.crash()
        await settle()
        log.take()
        a.crash()
        await trio.sleep(0.5)
        assert states(sup) == "a restarting 2, b stopped 2, c stopped 2"
        assert counts(sup) == (3, 0, 0, 3)
        await trio.sleep(1)
        assert states(sup) == "a running 3, b running 3, c running 3"
        assert log.take(timed=True) == story("""
            E a ValueError @0, R child_terminated(a, ValueError) @0, RETRY a 2 1 @0
            K c @0, K b @0
            S a restart @1, S b restart @1, S c restart @1
        """)


@pytest.mark.parametrize("strategy", GROUPS)
@played
async def test_stop_child_cancels_the_retry_of_a_group(strategy: Any) -> None:
    a, b = workers("ab")
    async with opened(
        a.spec(backoff=trido.Backoff(min=1)), b.spec(), strategy=strategy, max_restarts=math.inf
    ) as (sup, log):
        a.crash()
        await settle()
        a.crash()
        await settle()
        log.take()
        await sup.stop_child("a")
        assert trio.current_time() == 0
        await trio.sleep(10)
        assert states(sup) == "a stopped 2, b stopped 2"
        assert log.take() == []


@played
async def test_requests_are_served_while_a_child_backs_off() -> None:
    a, n = Worker("a"), Worker("n")
    async with opened(a.spec(backoff=trido.Backoff(min=10)), max_restarts=math.inf) as (sup, log):
        for _ in range(2):
            a.crash()
            await settle()
        assert states(sup) == "a restarting 2"
        with pytest.raises(trido.ChildAlreadyPresent):
            await sup.start_child(a.spec())
        with pytest.raises(trido.ChildRestarting):
            await sup.restart_child("a")
        with pytest.raises(trido.ChildRestarting):
            await sup.delete_child("a")
        await sup.start_child(n.spec())
        n.crash()
        await settle()
        assert states(sup) == "a restarting 2, n running 2"
        assert trio.current_time() == 0
        log.take()
    assert log.take(timed=True) == story("K n @0, SUP shutdown @0")
    assert states(sup) == "a stopped 2, n stopped 2"


@played
async def test_a_cancelled_retry_does_not_come_back() -> None:
    a = Worker("a")
    async with opened(a.spec(backoff=trido.Backoff(min=10)), max_restarts=math.inf) as (sup, _):
        for _ in range(2):
            a.crash()
            await settle()
        await trio.sleep(1)
        await sup.stop_child("a")
        await sup.restart_child("a")
        await trio.sleep(1)
        a.crash()
        await trio.sleep_until(15)  # the first retry was due at 10
        assert states(sup) == "a restarting 3"
        await sup.stop_child("a")
        await sup.delete_child("a")
        await trio.sleep(100)
        assert a.attempts == 3


@played
async def test_a_group_restart_overtakes_a_pending_retry() -> None:
    x, a, c = workers("xac")
    async with opened(
        x.spec(),
        a.spec(backoff=trido.Backoff(min=10)),
        c.spec(),
        strategy="rest_for_one",
        max_restarts=math.inf,
    ) as (sup, log):
        for _ in range(2):
            a.crash()
            await settle()
        assert states(sup) == "x running 1, a restarting 2, c stopped 2"
        log.take()
        await trio.sleep(1)
        x.crash()
        await trio.sleep(20)
        assert states(sup) == "x running 2, a running 3, c running 3"
        assert log.take(timed=True) == story("""
            E x ValueError @1, R child_terminated(x, ValueError) @1
            S x restart @1, S a restart @1, S c restart @1
        """)


@played
async def test_a_supervisor_backs_off_too() -> None:
    w = Worker("w")
    inner = trido.SupervisorSpec(w.spec(), id="inner", max_restarts=0, backoff=trido.Backoff(min=1))
    async with opened(inner, max_restarts=math.inf) as (sup, log):
        w.crash()
        await settle()
        assert states(sup) == "inner running 2"
        log.take()
        w.crash()
        await trio.sleep(2)
        assert states(sup) == "inner running 3"
        assert log.take(timed=True)[-3:] == ["RETRY inner 2 1 @0", "S w @1", "S inner restart @1"]
