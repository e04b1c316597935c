"""What timers promise: when they fire, who withdraws them, and what becomes of them at an end."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import trio

import trido
from tests.conformance.kit import play
from tests.runtime.desk import settle
from tests.runtime.timekeeping import (
    START,
    TICK,
    Clock,
    Tick,
    Ticks,
    boom,
    cron,
    do,
    fired,
    hold,
    note,
    planned,
    schedule,
    ticker,
)
from trido import testing


@asynccontextmanager
async def running(
    made: trido.Agent[Ticks] | None = None, **options: Any
) -> AsyncGenerator[trido.AgentRef[Ticks], None]:
    """An agent in a runtime whose clock begins at `START`."""
    async with trido.open_runtime(clock=Clock()) as rt:
        yield await rt.start_agent(made or ticker(), id="a", **options)


def letters(ref: trido.AgentRef[Any]) -> list[tuple[str | None, type]]:
    return [(letter.signal.id, type(letter.reason)) for letter in ref.dead_letters if letter.signal]


# When and what ------------------------------------------------------------------------------------


async def test_a_schedule_fires_once_at_its_time_and_says_for_when_it_was_planned() -> None:
    async with running() as ref:
        await ref.call(do(schedule(90.0)))
        assert ref.status().timers == 1
        await trio.sleep(1000)
        at = START + timedelta(seconds=90)
        assert ref.state().seen == (Tick("k/2026-03-01T00:01:30+00:00", at, at, "timer"),)
        assert ref.status().timers == 0


async def test_a_cron_fires_by_the_calendar_until_it_is_cancelled() -> None:
    async with running() as ref:
        await ref.call(do(cron("*/20 * * * *")))
        await trio.sleep(3700)
        assert planned(ref) == ["03-01 00:20", "03-01 00:40", "03-01 01:00"]
        await ref.call(do(trido.Cancel("k")))
        await trio.sleep(3700)
        assert len(planned(ref)) == 3
        assert ref.status().timers == 0


async def test_no_other_turn_has_a_planned_time() -> None:
    async with running() as ref:
        await ref.call(TICK)
        await ref.cast(TICK)
        await settle()
        assert [(one.planned, one.why) for one in ref.state().seen if isinstance(one, Tick)] == [
            (None, "call"),
            (None, "cast"),
        ]


async def test_alone_and_without_a_clock_the_day_passes_as_virtual_time_does() -> None:
    async with trido.open_supervisor(ticker(schedules=[cron("0 0 * * *")]).spec(id="a")) as sup:
        await trio.sleep(3 * 86_400 + 1)
        assert len(sup["a"].value.state().seen) == 3


async def test_a_timer_without_a_key_stands_for_itself_and_nothing_cancels_it() -> None:
    async with running() as ref:
        await ref.call(note("0"))
        await ref.call(do(schedule(1.0, None), schedule(1.0, None)))
        await ref.call(do(trido.Cancel("1.0"), schedule(2.0, "1.1")))
        await trio.sleep(5)
        assert [one.id for one in ref.state().seen if isinstance(one, Tick)] == [
            "1.0/2026-03-01T00:00:01+00:00",
            "1.1/2026-03-01T00:00:01+00:00",
            "1.1/2026-03-01T00:00:02+00:00",
        ]


async def test_timers_take_effect_with_the_commit_and_not_without_one() -> None:
    class Unknown(trido.Directive):
        pass

    async with running(ticker(recover="committed")) as ref:
        with pytest.raises(trido.AgentCrashed):
            await ref.call(do(schedule(1.0), Unknown()))
        assert ref.status().timers == 0
        await ref.call(do(schedule(1.0), trido.Reply("set")))
        assert ref.status().timers == 1


async def test_one_turn_sets_and_cancels_in_the_order_in_which_it_says_so() -> None:
    async with running() as ref:
        await ref.call(do(schedule(1.0), trido.Cancel("k"), schedule(2.0), schedule(3.0, "other")))
        await trio.sleep(5)
        assert fired(ref) == [2.0, 3.0]


async def test_a_firing_that_is_refused_is_a_dead_letter_and_its_cron_goes_on() -> None:
    async with running() as ref:
        await ref.call(do(trido.Cron("*/20 * * * *", trido.Signal("unknown"), "k")))
        await trio.sleep(2500)
        assert letters(ref) == [
            ("k/2026-03-01T00:20:00+00:00", trido.NoRoute),
            ("k/2026-03-01T00:40:00+00:00", trido.NoRoute),
        ]


async def test_timers_go_on_while_the_intake_is_closed_and_hold_up_no_drain() -> None:
    async with trido.open_runtime(clock=Clock()) as rt:
        ref = await rt.start_agent(ticker(schedules=[cron(), schedule(5.0, "s")]), id="a")
        rt.close_intake()
        await rt.drain()
        assert trio.current_time() == 0
        await trio.sleep(10)
        assert fired(ref) == [5.0]


# Withdrawing --------------------------------------------------------------------------------------


async def test_a_timer_that_is_set_again_is_replaced() -> None:
    async with running() as ref:
        await ref.call(do(schedule(10.0)))
        await ref.call(do(schedule(20.0)))
        assert ref.status().timers == 1
        await ref.call(do(cron()))
        await trio.sleep(3601)
        assert planned(ref) == ["03-01 01:00"]


@pytest.mark.parametrize("by", [trido.Cancel("k"), schedule(50.0), cron()])
@pytest.mark.parametrize("timer", [schedule(1.0), cron("*/1 * * * *")])
async def test_cancelling_or_replacing_a_key_withdraws_its_firing_that_is_queued(
    timer: Any, by: Any
) -> None:
    async with running() as ref:
        await ref.call(do(timer))
        await ref.cast(hold(70.0, by))
        await trio.sleep(65)
        await ref.cast(note("after"))
        assert ref.status().queued == 2
        await trio.sleep(10)
        assert ref.state().seen == ("after",)
        assert letters(ref) == []


async def test_a_firing_that_waits_for_room_is_withdrawn_too() -> None:
    async with running(ticker(mailbox=1)) as ref:
        await ref.call(do(schedule(1.0)))
        await ref.cast(hold(10.0, trido.Cancel("k")))
        await ref.cast(note("in the way"))
        await trio.sleep(5)
        assert (ref.status().queued, ref.status().waiting) == (1, 1)
        await trio.sleep(10)
        assert ref.state().seen == ("in the way",)


async def test_other_keys_keep_theirs() -> None:
    async with running() as ref:
        await ref.call(do(schedule(1.0), schedule(1.0, "other"), schedule(1.0, None)))
        await ref.call(hold(5.0, trido.Cancel("k")))
        await settle()
        assert [one.id for one in ref.state().seen if isinstance(one, Tick)] == [
            "other/2026-03-01T00:00:01+00:00",
            "0.2/2026-03-01T00:00:01+00:00",
        ]


async def test_a_firing_whose_turn_has_begun_is_not_withdrawn() -> None:
    made = ticker()

    @made.on("again")
    def again(state: Ticks, data: None, turn: trido.Turn) -> trido.Decision[Ticks]:
        """As a chain does that ends or goes on by itself."""
        n = len(state.seen)
        more = trido.Cancel("k") if n == 2 else schedule(1.0, type="again")
        return Ticks((*state.seen, str(n))), [more]

    async with running(made) as ref:
        await ref.call(do(schedule(1.0, type="again")))
        await trio.sleep(10)
        assert ref.state().seen == ("0", "1", "2")
        assert ref.status().timers == 0


async def test_a_chain_that_is_begun_again_is_still_one_chain() -> None:
    made = ticker()

    @made.on("decay")
    def decay(state: Ticks, data: None) -> trido.Decision[Ticks]:
        return Ticks((*state.seen, ".")), [schedule(10.0, type="decay")]

    async with running(made) as ref:
        for _ in range(3):  # on, off and on again, with a firing in the mailbox
            await ref.call(do(schedule(10.0, type="decay")))
            await ref.call(hold(11.0, trido.Cancel("k"), schedule(10.0, type="decay")))
        before = len(ref.state().seen)
        await trio.sleep(101)
        assert len(ref.state().seen) - before == 10


# Ends and runs ------------------------------------------------------------------------------------


async def test_a_crash_drops_timers_and_the_next_run_sets_its_own() -> None:
    made = ticker(schedules=[schedule(100.0, "s")])

    @made.on_start
    def start(state: Ticks) -> trido.Decision[Ticks]:
        return state, [schedule(200.0, "start")]

    async with running(made, backoff=None) as ref:
        await ref.call(do(schedule(50.0, "turn")))
        await trio.sleep(40)
        await ref.cast(boom())
        await trio.sleep(1000)
        assert fired(ref) == [140.0, 240.0]
        assert ref.incarnation == 2


async def test_what_a_crash_dropped_does_not_ring_before_the_next_run_either() -> None:
    async with running(backoff=trido.Backoff(min=60.0, max=60.0)) as ref:
        await ref.cast(boom())
        await trio.sleep(1)
        await ref.call(do(schedule(10.0), cron("*/1 * * * *", "c")))
        await ref.cast(boom())
        await settle()
        assert (ref.status().state, ref.status().timers) == ("restarting", 0)
        await trio.sleep(500)
        assert ref.incarnation == 3
        assert ref.state().seen == ()
        assert letters(ref)[1:] == letters(ref)[:1]


async def test_a_firing_that_is_queued_outlives_a_crash_in_its_place() -> None:
    async with running(ticker(schedules=[cron("*/1 * * * *")])) as ref:
        await ref.cast(hold(30.0))
        await trio.sleep(1)
        await ref.cast(note("0"))
        await ref.cast(boom())
        await ref.cast(hold(30.0))
        await trio.sleep(62)
        assert planned(ref) == ["03-01 00:01"]
        await ref.cast(hold(70.0))
        await settle()
        await ref.cast(boom())
        await trio.sleep(60)
        await ref.cast(note("last"))
        await trio.sleep(15)
        assert planned(ref) == ["03-01 00:02", "last"]
        assert ref.incarnation == 3


async def test_a_firing_that_outlived_a_crash_is_still_its_key_s() -> None:
    made = ticker()

    @made.on_start
    def start(state: Ticks, turn: trido.Turn) -> trido.Decision[Ticks]:
        return state, [trido.Cancel("k")] if turn.why == "restart" else []

    async with running(made) as ref:
        await ref.call(do(schedule(1.0), schedule(1.0, "other")))
        await ref.cast(hold(5.0))
        await ref.cast(boom())
        await trio.sleep(6)
        assert [one.id for one in ref.state().seen if isinstance(one, Tick)] == [
            "other/2026-03-01T00:00:01+00:00"
        ]


async def test_who_recovers_what_is_committed_keeps_its_timers() -> None:
    made = ticker(recover="committed", schedules=[schedule(5.0, "once"), cron(key="hourly")])
    async with running(made) as ref:
        await ref.call(do(schedule(50.0, "turn"), trido.Cancel("hourly")))
        await trio.sleep(10)
        await ref.cast(boom())
        await trio.sleep(8000)
        assert ref.incarnation == 2
        assert fired(ref) == [5.0, 50.0]


async def test_kept_timers_fire_between_runs_and_are_served_by_the_next() -> None:
    made = ticker(recover="committed")
    async with running(made, backoff=trido.Backoff(min=60.0, max=60.0)) as ref:
        await ref.cast(boom())
        await trio.sleep(1)
        await ref.call(do(schedule(10.0), schedule(20.0, "later")))
        await ref.cast(boom())
        await trio.sleep(30)
        assert (ref.status().state, ref.status().queued) == ("restarting", 2)
        await trio.sleep(100)
        ticks = [one for one in ref.state().seen if isinstance(one, Tick)]
        assert [(one.planned - START).total_seconds() for one in ticks if one.planned] == [11, 21]
        assert [(one.now - START).total_seconds() > 60 for one in ticks] == [True, True]


async def test_a_firing_the_agent_died_on_comes_again_under_its_id_if_asked_for() -> None:
    made = ticker(redeliver=1)
    ids: list[str | None] = []

    @made.on("die")
    def die(state: Ticks, data: None, turn: trido.Turn) -> Ticks:
        ids.append(turn.signal.id)
        raise RuntimeError("ordered")

    async with running(made) as ref:
        await ref.call(do(schedule(1.0, type="die")))
        await trio.sleep(60)
        assert ids == ["k/2026-03-01T00:00:01+00:00"] * 2
        assert letters(ref) == [(ids[0], trido.AgentCrashed)]


async def test_an_agent_that_ended_has_no_timers_and_one_that_is_started_again_its_schedules() -> (
    None
):
    made = ticker(recover="committed", schedules=[schedule(30.0, "s")])
    async with trido.open_supervisor(made.spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(do(schedule(10.0)))
        await sup.stop_child("a")
        assert ref.status().timers == 0
        await trio.sleep(100)
        await sup.restart_child("a")
        await trio.sleep(100)
        assert [one.id.partition("/")[0] for one in ref.state().seen] == ["s"]
        assert letters(ref) == []


@pytest.mark.parametrize("recover", ["fresh", "committed"])
async def test_no_timer_rings_while_an_agent_is_being_stopped(recover: Any) -> None:
    made = ticker(recover=recover, schedules=[schedule(10.0, "s")])

    @made.lifespan
    async def lifespan(ref: object) -> AsyncGenerator[None, None]:
        yield
        with trido.cleanup():
            await trio.sleep(60)

    @made.on_stop
    def stop(state: Ticks) -> trido.Decision[Ticks]:
        return state, [schedule(1.0, "stop")]

    async with running(made, shutdown=100.0) as ref:
        await ref.call(do(schedule(5.0)))
        await ref.stop()
        assert trio.current_time() == 60
        assert ref.status().timers == 0
        assert ref.dead_letters.total == 0 or letters(ref) == [
            ("stop/2026-03-01T00:00:01+00:00", trido.AgentStopped)
        ]


async def test_a_sibling_that_is_stopped_for_a_group_restart_drops_its_timers_too() -> None:
    first, second = ticker().spec(id="first"), ticker(schedules=[schedule(30.0, "s")])
    sup_of = trido.open_supervisor(first, second.spec(id="second"), strategy="one_for_all")
    async with sup_of as sup:
        ref = sup["second"].value
        await ref.call(do(schedule(10.0)))
        await trio.sleep(5)
        await sup["first"].value.cast(boom())
        await trio.sleep(100)
        ticks = [one for one in ref.state().seen if isinstance(one, Tick)]
        assert [(one.id or "")[:2] for one in ticks] == ["s/"]
        assert ref.incarnation == 2


async def parked(made: trido.Agent[Ticks], rt: trido.Runtime) -> trido.AgentRef[Ticks]:
    """A minute in, with a `schedule` and a `cron` set, it has crashed too often."""
    backoff = trido.Backoff(min=0.1)
    spec = made.spec(id="a", runtime=rt, on_limit="park", backoff=backoff)
    ref: trido.AgentRef[Ticks] = await rt.start_spec(spec)
    await trio.sleep(60)
    await ref.call(do(schedule(30.0, "s"), cron("*/10 * * * *", "c", catch_up="all")))
    while ref.status().state != "parked":
        await ref.cast(boom())
        await trio.sleep(1.0)
    return ref


async def test_parked_no_timer_rings_and_revived_what_is_overdue_fires_once() -> None:
    clock = Clock()
    async with trido.open_runtime(clock=clock) as rt:
        ref = await parked(ticker(recover="committed"), rt)
        assert ref.status().timers == 2
        before = ref.dead_letters.total
        await trio.sleep(1800)
        assert ref.dead_letters.total == before
        await ref.revive()
        await trio.sleep(1)
        assert planned(ref) == ["03-01 00:01", "03-01 00:10", "03-01 00:20", "03-01 00:30"]
        await trio.sleep(600)
        assert planned(ref)[4:] == ["03-01 00:40"]


async def test_parked_and_fresh_timers_are_gone_and_revived_it_sets_its_own() -> None:
    async with trido.open_runtime(clock=Clock()) as rt:
        ref = await parked(ticker(schedules=[schedule(10.0, "own")]), rt)
        assert ref.status().timers == 0
        await trio.sleep(1800)
        await ref.revive()
        await trio.sleep(3600)
        ticks = [one for one in ref.state().seen if isinstance(one, Tick)]
        assert [(one.id or "").partition("/")[0] for one in ticks] == ["own"]


# Clocks -------------------------------------------------------------------------------------------


async def test_a_clock_set_back_repeats_no_firing() -> None:
    clock = Clock()
    async with trido.open_runtime(clock=clock) as rt:
        ref = await rt.start_agent(ticker(schedules=[cron()]), id="a")
        await trio.sleep(2 * 3600 + 1)
        clock.set_by(hours=-2)
        await trio.sleep(3 * 3600 - 10)
        assert planned(ref) == ["03-01 01:00", "03-01 02:00"]
        await trio.sleep(20)
        assert planned(ref)[2:] == ["03-01 03:00"]
        ids = [one.id for one in ref.state().seen if isinstance(one, Tick)]
        assert len(set(ids)) == 3


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        ("skip", []),
        ("once", ["03-01 04:00"]),
        ("all", ["03-01 01:00", "03-01 02:00", "03-01 03:00", "03-01 04:00"]),
    ],
)
async def test_a_clock_set_forward_is_noticed_within_a_minute_and_caught_up_with(
    catch_up: Any, expected: list[str]
) -> None:
    clock = Clock()
    async with trido.open_runtime(clock=clock) as rt:
        ref = await rt.start_agent(ticker(schedules=[cron(catch_up=catch_up)]), id="a")
        clock.set_by(hours=4, minutes=5)
        await trio.sleep(61)
        assert planned(ref) == expected
        await trio.sleep(3600)
        assert planned(ref)[len(expected) :] == ["03-01 05:00"]


async def test_set_forward_into_the_minute_it_is_on_time() -> None:
    clock = Clock()
    async with trido.open_runtime(clock=clock) as rt:
        ref = await rt.start_agent(ticker(schedules=[cron()]), id="a")
        clock.set_by(minutes=59)
        await trio.sleep(61)
        assert planned(ref) == ["03-01 01:00"]


async def test_setting_the_clock_moves_no_schedule() -> None:
    clock = Clock()
    async with trido.open_runtime(clock=clock) as rt:
        ref = await rt.start_agent(ticker(), id="a")
        await ref.call(do(schedule(100.0)))
        clock.set_by(days=1)
        await trio.sleep(99)
        assert ref.state().seen == ()
        clock.set_by(days=-2)
        await trio.sleep(2)
        assert planned(ref) == ["03-01 00:01"]


@pytest.mark.parametrize(
    ("start", "expr", "expected"),
    [
        ((2026, 3, 7, 12), "30 2 * * *", ["03-08 07:00", "03-09 06:30"]),
        ((2026, 10, 31, 12), "30 1 * * *", ["11-01 05:30", "11-02 06:30"]),
    ],
)
async def test_summer_time_a_gap_fires_after_it_and_an_overlap_once(
    start: tuple[int, int, int, int], expr: str, expected: list[str]
) -> None:
    clock = Clock(START.replace(year=start[0], month=start[1], day=start[2], hour=start[3]))
    made = ticker(schedules=[cron(expr, timezone="America/New_York")])
    async with trido.open_runtime(clock=clock) as rt:
        ref = await rt.start_agent(made, id="a")
        await trio.sleep(2 * 86_400)
        assert planned(ref) == expected


async def test_a_clock_in_another_zone_tells_the_same_moments() -> None:
    zone = ZoneInfo("America/New_York")
    clock = Clock(START.replace(month=3, day=8, hour=6).astimezone(UTC))
    async with trido.open_runtime(clock=lambda: clock().astimezone(zone)) as rt:
        ref = await rt.start_agent(ticker(), id="a")
        await ref.call(do(schedule(7200.0)))  # over the night when the clocks are set
        await trio.sleep(7201)
        (tick,) = ref.state().seen
        assert isinstance(tick, Tick)
        assert tick.planned == tick.now == datetime(2026, 3, 8, 8, tzinfo=UTC)
        assert tick.id == "k/2026-03-08T08:00:00+00:00"


@pytest.mark.parametrize("clock", [None, Clock()], ids=["virtual time", "a clock of one's own"])
def test_a_year_of_schedules_takes_no_more_steps_than_they_fire(clock: Clock | None) -> None:
    async def year() -> int:
        made = ticker(
            schedules=[cron("0 0 * * *", "d", timezone="America/New_York"), cron("0 0 1 * *")]
        )
        async with trido.open_runtime(clock=clock) as rt:
            ref = await rt.start_agent(made, id="a")
            await trio.sleep(365 * 86_400 + 1)
            return len(ref.state().seen)

    fires = 365 + 12
    assert testing.run(year, guarded=False, steps=4 * fires, lasts=math.inf) == fires


async def test_a_clock_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(trido.SpecError, match="a function that tells the time"):
        trido.open_runtime(clock=START)  # type: ignore[arg-type]
    for clock in (lambda: START.replace(tzinfo=None), lambda: 3.0):
        with pytest.raises(trido.SpecError, match="with a time zone"):
            async with trido.open_runtime(clock=clock):  # type: ignore[arg-type]
                pytest.fail("it was opened")


async def test_a_clock_that_breaks_crashes_whom_it_concerns_and_the_next_run_goes_on() -> None:
    clock = Clock()
    broken: list[OSError] = []

    def breaks() -> datetime:
        if broken:
            raise broken.pop()
        return clock()

    async with trido.open_runtime(clock=breaks) as rt:
        ref = await rt.start_agent(ticker(schedules=[cron()], recover="committed"), id="a")
        other = await rt.start_agent(ticker(), id="b")
        await other.call(do(schedule(100.0)))
        await trio.sleep(30)
        broken.append(OSError("no clock"))
        await trio.sleep(31)
        assert (ref.incarnation, other.incarnation) == (2, 1)
        await trio.sleep(2 * 3600)
        assert planned(ref) == ["03-01 01:00", "03-01 02:00"]
        assert planned(other) == ["03-01 00:01"]


async def test_a_clock_that_breaks_while_a_run_begins_is_a_failed_start() -> None:
    clock = Clock()
    broken = False

    def breaks() -> datetime:
        if broken:
            raise OSError("no clock")
        return clock()

    async with trido.open_runtime(clock=breaks) as rt:
        broken = True
        with pytest.raises(trido.StartFailed) as caught:
            await rt.start_agent(ticker(schedules=[cron()]), id="a")
        assert isinstance(caught.value.__cause__, OSError)
        assert rt.find("a") is None


async def test_a_clock_that_leaps_each_time_it_is_read_stops_nobody_else() -> None:
    now = START

    def leaps() -> datetime:
        nonlocal now
        now += timedelta(hours=1)
        return now

    async with trido.open_runtime(clock=leaps) as rt:
        await rt.start_agent(ticker(schedules=[cron(catch_up="once")]), id="a")
        for _ in range(3):
            await trio.lowlevel.checkpoint()


@pytest.mark.real_time
async def test_by_the_system_s_clock_too() -> None:
    async with trido.open_supervisor(ticker(schedules=[cron()]).spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(do(schedule(0.01, "soon")))
        await ref.wait_for(lambda state: state.seen)
        (tick,) = ref.state().seen
        assert abs(tick.now - tick.planned) < timedelta(seconds=10)
        assert ref.status().timers == 1


# Full mailboxes -----------------------------------------------------------------------------------


async def test_what_is_caught_up_with_comes_one_by_one_and_lets_others_in_between() -> None:
    clock = Clock()
    async with trido.open_runtime(clock=clock) as rt:
        ref = await rt.start_agent(ticker(schedules=[cron(catch_up="all")], mailbox=1), id="a")
        await ref.cast(hold(100.0))
        await settle()
        clock.set_by(hours=3, minutes=1)
        await trio.sleep(70)
        assert (ref.status().queued, ref.status().waiting) == (1, 0)
        async with trio.open_nursery() as nursery:
            for n in range(2):
                nursery.start_soon(ref.cast, note(str(n)))
        await trio.sleep(60)
        hours = ["03-01 01:00", "03-01 02:00", "03-01 03:00"]
        seen = planned(ref)
        assert [one for one in seen if one in hours] == hours
        assert seen.index("03-01 01:00") == 0
        assert seen.index("03-01 03:00") == 4
        assert sorted(seen[1:4]) == ["0", "03-01 02:00", "1"]
        await trio.sleep(3601)
        assert planned(ref)[5:] == ["03-01 04:00"]


@pytest.mark.parametrize("overflow", ["block", "reject", "drop_newest", "drop_oldest"])
async def test_what_is_caught_up_with_waits_for_room_whatever_the_overflow(overflow: Any) -> None:
    clock = Clock()
    made = ticker(schedules=[cron("*/1 * * * *", catch_up="all")], mailbox=1, overflow=overflow)
    async with trido.open_runtime(clock=clock) as rt:
        ref = await rt.start_agent(made, id="a")
        await ref.cast(hold(10.0))
        await settle()
        await ref.cast(note("in the way"))
        clock.set_by(minutes=30)
        await trio.sleep(61)
        assert len(ref.state().seen) == 32
        assert letters(ref) == []


async def test_who_displaces_the_oldest_displaces_one_only_though_a_firing_waits() -> None:
    clock = Clock()
    made = ticker(schedules=[cron(catch_up="all")], mailbox=1, overflow="drop_oldest")
    async with trido.open_runtime(clock=clock) as rt:
        ref = await rt.start_agent(made, id="a")
        await ref.cast(hold(100.0))
        await settle()
        clock.set_by(hours=2)
        await ref.cast(note("0"))
        await trio.sleep(60)
        await trio.sleep(1)
        assert (ref.status().queued, ref.status().waiting) == (1, 1)
        await ref.cast(note("1"))
        assert (ref.status().queued, ref.status().waiting) == (1, 1)
        await trio.sleep(60)
        assert planned(ref) == ["1", "03-01 01:00", "03-01 02:00"]
        assert [letter.signal for letter in ref.dead_letters] == [note("0")]


async def test_at_most_so_many_are_caught_up_with_and_the_rest_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    async with trido.open_runtime(clock=clock) as rt:
        schedules = [
            cron("*/1 * * * *", "many", catch_up="all"),
            cron("*/1 * * * *", "few", catch_up="all", catch_up_limit=2),
        ]
        ref = await rt.start_agent(ticker(schedules=schedules), id="a")
        clock.set_by(days=1)
        await trio.sleep(61)
        ids = [one.id for one in ref.state().seen if isinstance(one, Tick)]
        few = [id for id in ids if id and id.startswith("few")]
        assert few == ["few/2026-03-01T00:01:00+00:00", "few/2026-03-01T00:02:00+00:00"]
        assert len(ids) == 1002
        assert {"many/2026-03-01T00:01:00+00:00", "many/2026-03-01T16:40:00+00:00"} < set(ids)
    said = [record.getMessage() for record in caplog.records]
    assert any("'a'" in one and "'many'" in one and "441 times" in one for one in said)
    assert any("'few'" in one and "1439 times" in one for one in said)


@pytest.mark.parametrize(
    ("overflow", "seen", "lost"),
    [
        ("block", ["in the way", "03-01 00:00"], []),
        ("reject", ["in the way"], [("k/2026-03-01T00:00:01+00:00", trido.Overloaded)]),
        ("drop_newest", ["in the way"], [("k/2026-03-01T00:00:01+00:00", trido.Overloaded)]),
        ("drop_oldest", ["03-01 00:00"], [(None, trido.Overloaded)]),
    ],
)
async def test_a_firing_goes_by_the_overflow_of_its_agent(
    overflow: Any, seen: list[str], lost: list[Any]
) -> None:
    async with running(ticker(mailbox=1, overflow=overflow)) as ref:
        await ref.call(do(schedule(1.0)))
        await ref.cast(hold(10.0))
        await settle()
        await ref.cast(note("in the way"))
        await trio.sleep(20)
        assert planned(ref) == seen
        assert letters(ref) == lost


async def test_a_cron_whose_firing_waits_for_room_goes_on_when_it_has_some() -> None:
    async with running(ticker(schedules=[cron("*/1 * * * *")], mailbox=1)) as ref:
        await ref.cast(hold(200.0))
        await settle()
        await ref.cast(note("in the way"))
        await trio.sleep(190)
        assert ref.status().waiting == 1
        await trio.sleep(20)
        assert planned(ref) == ["in the way", "03-01 00:01", "03-01 00:03"]
        await trio.sleep(60)
        assert planned(ref)[3:] == ["03-01 00:04"]


async def test_what_was_to_be_caught_up_with_goes_with_its_timer() -> None:
    clock = Clock()
    made = ticker(schedules=[cron(catch_up="all")], mailbox=1)
    async with trido.open_runtime(clock=clock) as rt:
        ref = await rt.start_agent(made, id="a")
        await ref.cast(hold(100.0, trido.Cancel("k")))
        await settle()
        clock.set_by(hours=5)
        await trio.sleep(200)
        assert ref.state().seen == ()
        assert letters(ref) == []


@pytest.mark.parametrize("recover", ["fresh", "committed"])
async def test_a_crash_while_catching_up(recover: Any) -> None:
    """Fresh: what is queued is served, the rest is gone with its timer. Committed: it goes on."""
    clock = Clock()
    made = ticker(schedules=[cron(catch_up="all")], recover=recover)
    async with trido.open_runtime(clock=clock) as rt:
        ref = await rt.start_agent(made, id="a")
        await ref.cast(hold(100.0))
        await settle()
        await ref.cast(boom())
        clock.set_by(hours=3)
        await trio.sleep(200)
        hours = ["03-01 01:00", "03-01 02:00", "03-01 03:00"]
        assert planned(ref) == (hours[:1] if recover == "fresh" else hours)


async def test_an_end_while_catching_up_leaves_one_dead_letter_and_not_a_thousand() -> None:
    clock = Clock()
    async with trido.open_runtime(clock=clock) as rt:
        made = ticker(schedules=[cron("*/1 * * * *", catch_up="all")], recover="committed")
        ref = await rt.start_agent(made, id="a")
        await ref.cast(hold(1000.0))
        await settle()
        clock.set_by(days=1)
        await trio.sleep(61)
        await ref.stop()
        assert letters(ref) == [
            (None, trido.AgentStopped),
            ("k/2026-03-01T00:01:00+00:00", trido.AgentStopped),
        ]


async def test_parked_while_catching_up_the_rest_follows_once_revived() -> None:
    clock = Clock()
    crashes = iter(range(4))
    schedules = [cron(catch_up="all")]
    made = trido.Agent("flaky", state=Ticks, recover="committed", schedules=schedules)

    @made.on("tick")
    def tick(state: Ticks, data: None, turn: trido.Turn) -> Ticks:
        if next(crashes, None) is not None:
            raise RuntimeError("ordered")
        return Ticks((*state.seen, f"{turn.planned:%H}"))

    async with trido.open_runtime(clock=clock) as rt:
        ref = await rt.start_agent(made, id="a")
        await rt.start_agent(ticker(), id="b")
        clock.set_by(hours=8)
        await trio.sleep(70)
        assert ref.status().state == "parked"
        assert [kind for _, kind in letters(ref)] == [trido.AgentCrashed] * 4 + [trido.AgentParked]
        await ref.revive()
        await trio.sleep(1)
        assert ref.state().seen == ("06", "07", "08")


# Too much of it -----------------------------------------------------------------------------------


async def test_who_signals_itself_without_a_delay_is_throttled_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = ticker()

    @made.on("spin")
    def spin(state: Ticks, data: None) -> trido.Decision[Ticks]:
        return Ticks((*state.seen, ".")), [schedule(0.0, type="spin"), schedule(1e6, "slow")]

    async with running(made) as ref:
        await ref.cast(trido.Signal("spin"))
        await trio.sleep(10)
        assert 900 < len(ref.state().seen) < 1200
        (said,) = (record.getMessage() for record in caplog.records)
        assert "'a'" in said
        assert "'spin'" in said
        await ref.call(do(trido.Cancel("k")))
        await trio.sleep(10)
        await ref.cast(trido.Signal("spin"))
        await trio.sleep(0.5)
        assert len(caplog.records) == 2


@pytest.mark.parametrize("way", ["without keys", "two by turns", "more and more"])
async def test_however_it_does_so(way: str, caplog: pytest.LogCaptureFixture) -> None:
    made = ticker()

    @made.on("spin")
    def spin(state: Ticks, data: None) -> trido.Decision[Ticks]:
        n = len(state.seen)
        key = f"{n % 2}" if way == "two by turns" else None
        count = 2 if way == "more and more" else 1
        return Ticks((*state.seen, ".")), [schedule(0.0, key, type="spin")] * count

    async with running(made) as ref:
        await ref.cast(trido.Signal("spin"))
        with trio.fail_after(1.5):
            await trio.sleep(1)
        assert len(ref.state().seen) < 500
        assert len(caplog.records) == 1


async def test_who_defers_its_work_is_not_throttled(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as ref:
        await ref.call(do(*(schedule(0.0, None) for _ in range(500))))
        for _ in range(500):
            await ref.call(do(schedule(0.0, None)))
        await settle()
        assert len(ref.state().seen) == 1000
        assert trio.current_time() == 0
        assert caplog.records == []


async def test_a_schedule_without_a_delay_fires_after_what_is_queued_already() -> None:
    async with running() as ref:
        await ref.cast(hold(1.0, schedule(0.0)))
        await ref.cast(note("0"))
        await trio.sleep(2)
        assert planned(ref) == ["0", "03-01 00:00"]


async def test_timers_that_are_set_again_and_again_leave_nothing_behind() -> None:
    async with running() as ref:
        for n in range(5_000):
            await ref.call(do(schedule(1000.0 + n), schedule(5000.0, "c"), trido.Cancel("c")))
        assert ref.status().timers == 1
        assert len(ref.place.dispatcher) < 200


# In the same tick ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "outcomes"),
    [
        ("cancel", [("", ""), ("tick", "")]),
        ("replace", [("tick", ""), ("tick tick", "")]),
    ],
)
def test_whatever_comes_with_a_firing_it_fires_or_it_does_not(
    what: str, outcomes: list[tuple[str, str]]
) -> None:
    async def scenario() -> tuple[str, str]:
        async with running() as ref:
            await ref.call(do(schedule(1.0)))
            await trio.sleep_until(1.0)
            await ref.cast(do(trido.Cancel("k") if what == "cancel" else schedule(1.0)))
            await trio.sleep(5)
            seen = ref.place.state.seen
            lost = [kind.__name__ for _, kind in letters(ref)]
            assert ref.status().timers == 0
            return " ".join("tick" for _ in seen), " ".join(lost)

    came = {play(scenario, seed=seed) for seed in range(40)}
    assert came <= set(outcomes)
    assert len(came) > 1


def test_a_crash_in_the_tick_of_a_firing_loses_no_more_than_the_timer() -> None:
    async def scenario() -> tuple[int, int]:
        async with running() as ref:
            await ref.call(do(schedule(1.0)))
            await trio.sleep_until(1.0)
            await ref.cast(boom())
            await trio.sleep(5)
            assert ref.incarnation == 2
            return len(ref.state().seen), len(letters(ref))

    # Before the crash: the state of a fresh run shows nothing of it. After it: dropped, or queued.
    assert {play(scenario, seed=seed) for seed in range(40)} <= {(0, 1), (1, 1)}


@pytest.mark.parametrize("recover", ["fresh", "committed"])
def test_cancelled_wherever_a_runtime_with_timers_ends_and_leaves_nothing(recover: Any) -> None:
    async def scenario(steps: int) -> None:
        made = ticker(recover=recover, schedules=[cron("*/1 * * * *"), schedule(0.0, "s")])
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                async def cancel() -> None:
                    for _ in range(steps):
                        await trio.lowlevel.checkpoint()
                    scope.cancel()

                nursery.start_soon(cancel)
                async with running(made) as ref:
                    await ref.call(do(schedule(0.0), schedule(1.0, None)))
                    await ref.cast(hold(0.0, schedule(0.0, "more")))
                    await ref.cast(boom())
                    await trio.sleep(1)
        assert trio.lowlevel.current_statistics().tasks_living <= 3

    for steps in range(30):
        play(partial(scenario, steps), seed=steps)
