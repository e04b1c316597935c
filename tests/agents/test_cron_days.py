"""Times of a schedule are counted by days, and those on which the clock is set minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest

from trido.agents.cron import CronTable, Firings, due

DAY = timedelta(days=1)
NEW_YORK = "America/New_York"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


HOURLY = CronTable("0 * * * *")
NOON = utc("2026-06-01 12:00")


@pytest.mark.parametrize(
    ("expr", "timezone", "start"),
    [
        ("*/7 * * * *", NEW_YORK, "2026-03-06 12:00"),
        ("*/7 * * * *", NEW_YORK, "2026-10-30 12:00"),
        ("30 2 * * *", NEW_YORK, "2026-03-06 12:00"),
        # At midnight on to one o'clock, and at one o'clock back to midnight.
        ("*/20 0,1 * * *", "Atlantic/Azores", "2026-03-27 12:00"),
        ("*/20 0,1 * * *", "Atlantic/Azores", "2026-10-23 12:00"),
        ("*/20 * * * *", "Atlantic/Azores", "2026-10-23 12:00"),
        ("*/7 * * * *", "Australia/Lord_Howe", "2026-04-03 12:00"),
    ],
)
def test_days_on_which_the_clock_is_set_are_counted_as_they_are(
    expr: str, timezone: str, start: str
) -> None:
    table, begin = CronTable(expr, timezone), utc(start)
    for hours in (24, 60, 103):
        end = begin + timedelta(hours=hours)
        each = list(takewhile(end.__ge__, table.after(begin)))
        assert table._count(begin, end) == len(each)


def test_what_falls_due_at_this_very_moment_is_the_latest() -> None:
    assert due(HOURLY, NOON, NOON + 2 * timedelta(hours=1), "once") == Firings(
        (utc("2026-06-01 14:00"),), 1, utc("2026-06-01 14:00"), utc("2026-06-01 15:00")
    )


@pytest.mark.parametrize("expr", ["0 * * * *", "0 0 * * *"])
def test_whatever_comes_in_utc_goes_out(expr: str) -> None:
    table = CronTable(expr, NEW_YORK)
    moment = datetime(2026, 7, 1, 12, 30, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert table.next_after(moment).tzinfo is UTC
    nothing = due(table, moment, moment, "all")
    assert (nothing.planned, nothing.last) == ((), moment)
    missed = due(table, moment, moment + 3 * DAY, "all")
    for one in (nothing.last, nothing.next, *missed.planned, missed.last, missed.next):
        assert one.tzinfo is UTC
