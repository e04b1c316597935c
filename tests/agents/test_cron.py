"""When schedules fire: against a model that looks at the clock minute by minute, over DST."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from attrs import frozen
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

import trido
from trido.agents import crontext
from trido.agents.cron import CronTable, Firings, due

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
NEW_YORK = "America/New_York"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(moments: Any, timezone: str) -> list[str]:
    """What the clock on the wall showed."""
    zone = ZoneInfo(timezone)
    return [f"{moment.astimezone(zone):%m-%d %H:%M %z}" for moment in moments]


def firings(expr: str, timezone: str, start: str, days: int = 1) -> list[str]:
    """When it fires from midnight on."""
    begin = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)
    table = CronTable(expr, timezone)
    found: list[datetime] = []
    moment = begin - timedelta(seconds=1)
    while (moment := table.next_after(moment)) < begin + days * DAY:
        found.append(moment)
    return shown(found, timezone)


# The calendar ------------------------------------------------------------------------------------


def test_the_first_time_after_a_moment_and_not_at_it() -> None:
    table = CronTable("*/5 * * * *")
    assert table.next_after(utc("2026-03-01 12:00:00")) == utc("2026-03-01 12:05:00")
    assert table.next_after(utc("2026-03-01 12:04:59.9")) == utc("2026-03-01 12:05:00")
    assert table.next_after(utc("2026-03-01 12:05:00.1")) == utc("2026-03-01 12:10:00")


def test_moments_of_any_time_zone_come_in_and_utc_goes_out() -> None:
    midnight = CronTable("0 0 * * *", NEW_YORK)
    moment = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert midnight.next_after(moment) == utc("2026-07-01 04:00")
    assert midnight.next_after(moment).tzinfo is UTC


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="in which time zone"):
        CronTable("* * * * *").next_after(datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_29th_of_february() -> None:
    table = CronTable("0 0 29 2 *")
    assert table.next_after(utc("2024-02-29 00:00")) == utc("2028-02-29 00:00")


def test_a_monday_that_is_the_29th_of_february() -> None:
    table = CronTable("0 0 * 2 MON#5")
    assert table.next_after(utc("2074-01-01 00:00")) == utc("2112-02-29 00:00")


def test_tables_are_values() -> None:
    table = CronTable("0 0 * * *", NEW_YORK)
    assert table == CronTable("0 0 * * *", NEW_YORK)
    assert hash(table) == hash(CronTable("0 0 * * *", NEW_YORK))
    assert table != CronTable("0 0 * * *")
    assert repr(table) == "CronTable(expr='0 0 * * *', timezone='America/New_York')"
    for again in (copy.deepcopy(table), pickle.loads(pickle.dumps(table))):
        assert again == table
        assert again.next_after(utc("2026-07-01 00:00")) == utc("2026-07-01 04:00")


# Summer time -------------------------------------------------------------------------------------


def test_a_named_time_in_a_gap_fires_at_the_first_moment_after_it() -> None:
    assert firings("30 2 * * *", NEW_YORK, "2026-03-07", 3) == [
        "03-07 02:30 -0500",
        "03-08 03:00 -0400",
        "03-09 02:30 -0400",
    ]


def test_several_named_times_in_a_gap_fire_once() -> None:
    assert firings("*/20 2,3 * * *", NEW_YORK, "2026-03-08") == [
        "03-08 03:00 -0400",
        "03-08 03:20 -0400",
        "03-08 03:40 -0400",
    ]


def test_a_named_time_that_comes_twice_fires_the_first_time() -> None:
    assert firings("30 1 * * *", NEW_YORK, "2026-10-31", 3) == [
        "10-31 01:30 -0400",
        "11-01 01:30 -0400",
        "11-02 01:30 -0500",
    ]


def test_a_named_time_that_comes_twice_does_not_fire_the_second_time_either_way() -> None:
    """Not even for a schedule that is set between the two."""
    between = utc("2026-11-01 06:15")  # 01:15, the second time
    table = CronTable("30 1 * * *", NEW_YORK)
    assert shown([table.next_after(between)], NEW_YORK) == ["11-02 01:30 -0500"]


def test_every_hour_goes_by_the_time_that_passes() -> None:
    assert firings("30 * * * *", NEW_YORK, "2026-03-08")[:3] == [
        "03-08 00:30 -0500",
        "03-08 01:30 -0500",
        "03-08 03:30 -0400",
    ]
    assert firings("30 * * * *", NEW_YORK, "2026-11-01")[:4] == [
        "11-01 00:30 -0400",
        "11-01 01:30 -0400",
        "11-01 01:30 -0500",
        "11-01 02:30 -0500",
    ]


def test_every_hour_where_the_clock_is_set_by_half_an_hour() -> None:
    """Lord Howe Island: at 02:00 back to 01:30."""
    assert firings("45 * * * *", "Australia/Lord_Howe", "2026-04-05")[:4] == [
        "04-05 00:45 +1100",
        "04-05 01:45 +1100",
        "04-05 01:45 +1030",
        "04-05 02:45 +1030",
    ]


def test_a_midnight_that_does_not_exist() -> None:
    """The Azores: at midnight on to one o'clock."""
    assert firings("0 0 * * *", "Atlantic/Azores", "2026-03-28", 3)[:3] == [
        "03-28 00:00 -0100",
        "03-29 01:00 +0000",
        "03-30 00:00 +0000",
    ]
    assert firings("30 * * * SUN", "Atlantic/Azores", "2026-03-28", 2)[0] == "03-29 01:30 +0000"


ZONES = {
    NEW_YORK: ["2025-03-09", "2025-11-02", "2026-03-08", "2026-11-01"],
    "Australia/Lord_Howe": ["2025-04-06", "2025-10-05", "2026-04-05"],
    "Atlantic/Azores": ["2025-03-30", "2025-10-26", "2026-03-29"],
    "America/Santiago": ["2025-04-05", "2025-09-07"],
    "Europe/Berlin": ["2026-03-29", "2026-10-25"],
    "UTC": ["2026-03-08"],
}


@frozen
class Case:
    """An expression, what it means, and days on which the clock is set."""

    minutes: frozenset[int]
    hours: frozenset[int]
    weekdays: frozenset[int]
    """As Python counts them."""
    expr: str
    timezone: str
    start: datetime
    minutes_long: int

    @property
    def every_hour(self) -> bool:
        return len(self.hours) == 24

    def fits(self, reading: datetime) -> bool:
        here = (reading.minute in self.minutes, reading.hour in self.hours)
        return all(here) and reading.weekday() in self.weekdays


def numbers(draw: Any, count: int) -> tuple[frozenset[int], str]:
    """What a field may say, and how."""
    kind: Literal["all", "step", "some"] = draw(st.sampled_from(["all", "step", "some"]))
    if kind == "all":
        return frozenset(range(count)), "*"
    if kind == "step":
        step = draw(st.integers(2, count - 1))
        return frozenset(range(0, count, step)), f"*/{step}"
    some = draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=5))
    return frozenset(some), ",".join(map(str, some))


@st.composite
def cases(draw: Any) -> Case:
    timezone = draw(st.sampled_from(sorted(ZONES)))
    minutes, minute = numbers(draw, 60)
    hours, hour = numbers(draw, 24)
    some = draw(st.one_of(st.just(set(range(7))), st.sets(st.integers(0, 6), min_size=1)))
    weekday = "*" if len(some) == 7 else ",".join(str((day + 1) % 7) for day in some)
    noon = datetime.fromisoformat(draw(st.sampled_from(ZONES[timezone]))) + DAY / 2
    start = noon.replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)
    return Case(
        minutes=minutes,
        hours=hours,
        weekdays=frozenset(some),
        expr=f"{minute} {hour} * * {weekday}",
        timezone=timezone,
        start=start - timedelta(seconds=draw(st.integers(0, 36 * 3600))),
        minutes_long=draw(st.integers(1, 60 * 36)),
    )


def model(case: Case) -> list[datetime]:
    """Look at the clock every minute."""
    zone = ZoneInfo(case.timezone)
    moment = case.start.replace(second=0)
    found: list[datetime] = []
    for _ in range(case.minutes_long):
        before, moment = moment, moment + MINUTE
        local = moment.astimezone(zone)
        reading = local.replace(tzinfo=None)
        if case.every_hour:
            fires = case.fits(reading)
        else:
            step = before.astimezone(zone).replace(tzinfo=None) + MINUTE
            skipped = [step + n * MINUTE for n in range(int((reading - step) / MINUTE))]
            first = local.fold == 0
            fires = (first and case.fits(reading)) or any(map(case.fits, skipped))
        if fires:
            found.append(moment)
    return found


@given(cases())
def test_it_fires_when_someone_who_watches_the_clock_would_say_so(case: Case) -> None:
    table = CronTable(case.expr, case.timezone)
    end = case.start.replace(second=0) + case.minutes_long * MINUTE
    expected = [planned for planned in model(case) if planned > case.start]
    found = list(islice(table.after(case.start), len(expected) + 1))
    assert found[:-1] == expected
    assert found[-1] > end
    moment = case.start
    for planned in expected[:50]:
        assert table.next_after(moment) == planned
        moment = planned


@given(cases())
def test_what_is_due_agrees_with_counting_it(case: Case) -> None:
    table = CronTable(case.expr, case.timezone)
    now = case.start.replace(second=0) + case.minutes_long * MINUTE
    expected = [planned for planned in model(case) if planned > case.start]
    assert table._count(case.start, now) == len(expected)
    every = due(table, case.start, now, "all", limit=5000)
    assert every.planned == tuple(expected)
    some = due(table, case.start, now, "all", limit=7)
    assert (some.planned, some.left_out) == (tuple(expected[:7]), len(expected[7:]))
    once = due(table, case.start, now, "once")
    assert (once.planned, once.left_out) == (tuple(expected[-1:]), len(expected[:-1]))
    skip = due(table, case.start, now, "skip")
    assert skip.planned == tuple(planned for planned in expected if now - planned < MINUTE)
    assert skip.left_out + len(skip.planned) == len(expected)
    for one in (every, some, once, skip):
        assert one.next == table.next_after(now)
        assert one.last == (expected[-1] if expected else case.start)


@given(
    expr=st.sampled_from(["*/7 * * * *", "*/15 1,2,3 * * *", "30 2 * * SUN"]),
    timezone=st.sampled_from(sorted(ZONES)),
    days=st.integers(2, 6),
    ahead=st.timedeltas(timedelta(0), timedelta(days=365)),
)
def test_days_are_counted_as_if_one_by_one(
    expr: str, timezone: str, days: int, ahead: timedelta
) -> None:
    table = CronTable(expr, timezone)
    start = utc("2025-01-01") + ahead
    end = start + days * DAY + ahead / 100
    expected = list(takewhile(lambda planned: planned <= end, table.after(start)))
    assert table._count(start, end) == len(expected)
    if expected:
        assert table._latest(start, end) == expected[-1]


# What was missed ---------------------------------------------------------------------------------

HOURLY = CronTable("0 * * * *")
NOON = utc("2026-06-01 12:00")


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return NOON.replace(hour=hour, minute=minute, second=second)


def test_nothing_is_due_before_its_time() -> None:
    assert due(HOURLY, NOON, at(12, 59, 59), "all") == Firings((), 0, NOON, at(13))


@pytest.mark.parametrize("catch_up", ["skip", "once", "all"])
def test_what_is_on_time_is_never_missed(catch_up: Any) -> None:
    on_time = Firings((at(13),), 0, at(13), at(14))
    assert due(HOURLY, NOON, at(13), catch_up) == on_time
    assert due(HOURLY, NOON, at(13, 0, 59), catch_up) == on_time


def test_skip_makes_up_for_nothing() -> None:
    assert due(HOURLY, NOON, at(13, 1), "skip") == Firings((), 1, at(13), at(14))
    assert due(HOURLY, NOON, at(16, 30), "skip") == Firings((), 4, at(16), at(17))
    # But what is on time is sent.
    assert due(HOURLY, NOON, at(16, 0, 30), "skip") == Firings((at(16),), 3, at(16), at(17))


def test_once_fires_for_the_latest() -> None:
    assert due(HOURLY, NOON, at(16, 30), "once") == Firings((at(16),), 3, at(16), at(17))


def test_all_fires_for_each_the_earliest_first() -> None:
    each = (at(13), at(14), at(15), at(16))
    assert due(HOURLY, NOON, at(16, 30), "all") == Firings(each, 0, at(16), at(17))
    assert due(HOURLY, NOON, at(16, 30), "all", limit=3) == Firings(each[:3], 1, at(16), at(17))


def test_all_fires_a_thousand_times_at_most_and_tells_how_many_are_left() -> None:
    late = due(CronTable("* * * * *"), NOON, NOON + 2000 * MINUTE, "all")
    assert late.planned == tuple(NOON + n * MINUTE for n in range(1, 1001))
    assert late.left_out == 1000


@pytest.mark.parametrize("catch_up", ["skip", "once", "all"])
def test_a_clock_set_back_repeats_nothing(catch_up: Any) -> None:
    sent = due(HOURLY, NOON, at(15), catch_up)
    assert due(HOURLY, sent.last, at(13), catch_up) == Firings((), 0, at(15), at(16))
    assert due(HOURLY, sent.last, at(15, 59), catch_up).planned == ()
    assert due(HOURLY, sent.last, at(16), catch_up).planned == (at(16),)


@given(
    st.lists(st.integers(-90, 300), max_size=30),
    st.sampled_from(["*/10 * * * *", "30 1 * * *", "*/25 2 * * *"]),
    st.sampled_from(["skip", "once", "all"]),
)
def test_planned_times_only_ever_grow_however_the_clock_is_set(
    steps: list[int], expr: str, catch_up: Any
) -> None:
    table = CronTable(expr, NEW_YORK)
    now = last = utc("2026-11-01 02:00")
    sent: list[datetime] = []
    accounted = 0
    for step in steps:
        now += step * MINUTE
        firing = due(table, last, now, catch_up)
        sent += firing.planned
        accounted += len(firing.planned) + firing.left_out
        assert firing.next > now
        assert firing.last >= last
        last = firing.last
    assert sent == sorted(set(sent))
    assert accounted == table._count(utc("2026-11-01 02:00"), last)


class CountingSim(CronSim):
    steps = 0

    def __next__(self) -> datetime:
        CountingSim.steps += 1
        return super().__next__()


@pytest.mark.parametrize("catch_up", ["skip", "once", "all"])
def test_a_year_of_missed_minutes_takes_no_walk_through_the_year(
    catch_up: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crontext, "CronSim", CountingSim)
    CountingSim.steps = 0
    table = CronTable("* * * * *", NEW_YORK)
    late = due(table, NOON, NOON + 365 * DAY, catch_up)
    assert len(late.planned) + late.left_out == 365 * 24 * 60
    assert CountingSim.steps < 20_000


# Definitions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        (None, "five fields"),
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("@daily", "five fields"),
        ("60 * * * *", "bad minute"),
        ("* 24 * * *", "bad hour"),
        ("* * 32 * *", "bad day-of-month"),
        ("* * * 13 *", "bad month"),
        ("* * * * 8", "bad day-of-week"),
        ("* * 31 13 *", "bad month"),
        ("5-1 * * * *", "bad minute"),
        (f"*/{'9' * 5000} * * * *", "five fields"),
        ("0 0 30 2 *", "fires some day"),
        ("0 0 31 2,4,6,9,11 *", "fires some day"),
        ("0 0 */30 2 MON#5", "fires some day"),
    ],
)
def test_what_is_no_cron_expression(expr: Any, said: str) -> None:
    with pytest.raises(trido.SpecError, match=said) as caught:
        CronTable(expr)
    assert caught.value.field == "expr"


@given(
    st.lists(
        st.text("0123456789*/-,#LWSUNMOJAE ", max_size=6),
        min_size=5,
        max_size=5,
    ).map(" ".join)
)
def test_any_text_is_an_expression_or_a_spec_error(expr: str) -> None:
    try:
        table = CronTable(expr, NEW_YORK)
    except trido.SpecError:
        return
    assert table.next_after(NOON) > NOON


@pytest.mark.parametrize(
    "timezone", [None, "", "Mars", "Europe", "/etc/passwd", "../UTC", "a\0b", "x" * 999, "\ud800"]
)
def test_what_is_no_time_zone(timezone: Any) -> None:
    with pytest.raises(trido.SpecError, match="America/New_York") as caught:
        CronTable("* * * * *", timezone)
    assert caught.value.field == "timezone"
