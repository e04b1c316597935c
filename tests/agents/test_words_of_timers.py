"""What is no cron expression is refused by what is wrong with it, and the days of one counted."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

import trido
from trido.agents.cron import CronTable
from trido.agents.crontext import parsed, zone

FIELDS = "a cron expression of five fields, minute, hour, day of month, month and day of week"
NEVER = "an expression that fires some day; of the days it names there is none"
ZONES = "the name of an IANA time zone, such as 'UTC' or 'America/New_York'"


@pytest.mark.parametrize(
    ("expr", "allowed"),
    [
        (None, FIELDS),
        (5, FIELDS),
        ("", FIELDS),
        ("* * * *", FIELDS),
        ("* * * * * *", FIELDS),
        ("60 * * * *", f"{FIELDS}: bad minute"),
        ("* 24 * * *", f"{FIELDS}: bad hour"),
        ("* * 32 * *", f"{FIELDS}: bad day-of-month"),
        ("* * 0 2 *", f"{FIELDS}: bad day-of-month"),
        ("* * 31 13 *", f"{FIELDS}: bad month"),
        ("0 0 31 2 8", f"{FIELDS}: bad day-of-week"),
        ("0 0 30 2 *", NEVER),
        ("0 0 31 2,4,6,9,11 *", NEVER),
        ("0 0 */30 2 MON#5", NEVER),
    ],
)
def test_an_expression_that_is_none(expr: Any, allowed: str) -> None:
    with pytest.raises(trido.SpecError) as caught:
        CronTable(expr)
    assert str(caught.value) == f"Cron: expr={expr!r} is not allowed; it must be {allowed}"


@pytest.mark.parametrize("timezone", [None, "", "Mars", "Europe", "../UTC", "x" * 999])
def test_a_time_zone_that_is_none(timezone: Any) -> None:
    with pytest.raises(trido.SpecError) as caught:
        CronTable("* * * * *", timezone)
    said = f"Cron: timezone={timezone!r} is not allowed; it must be {ZONES}"
    assert str(caught.value) == said
    assert zone("Europe/Berlin").key == "Europe/Berlin"


@pytest.mark.parametrize(
    ("expr", "day", "times"),
    [
        ("*/20 1,2 * * *", date(2026, 3, 1), 6),
        ("0 0 1 * *", date(2026, 3, 1), 1),
        ("0 0 1 * *", date(2026, 3, 2), 0),
        ("0 0 * 4 *", date(2026, 3, 1), 0),
        ("0 0 * 3 SUN", date(2026, 3, 1), 1),
        ("0 0 * 3 MON", date(2026, 3, 1), 0),
    ],
)
def test_how_often_it_fits_a_day(expr: str, day: date, times: int) -> None:
    assert parsed(expr).on(day) == times


def test_what_names_each_hour_goes_by_the_time_that_passes() -> None:
    assert parsed("*/5 * * * *").every_hour
    assert parsed("0 0-23 * * *").every_hour
    assert not parsed("* 0-22 * * *").every_hour
    start = datetime(2026, 3, 1)  # noqa: DTZ001  # what a clock shows
    assert next(parsed("5 * * * *").after(start)) == start.replace(minute=5)
