"""Cron expressions and time zones, as they are written. Read by cronsim and zoneinfo."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache
from typing import Final, final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import frozen
from cronsim import CronSim, CronSimError

from trido.errors import SpecError

_ANY_DAY: Final = datetime(2000, 1, 1)  # noqa: DTZ001  # what a clock shows, wherever
_FIELDS: Final = (
    "a cron expression of five fields, minute, hour, day of month, month and day of week"
)
_NEVER: Final = "an expression that fires some day; of the days it names there is none"
_ZONES: Final = "the name of an IANA time zone, such as 'UTC' or 'America/New_York'"


@final
@frozen(eq=False)
class Parsed:
    """An expression, in the form in which cronsim does with it what `cron` says."""

    expr: str
    every_hour: bool
    _sim: CronSim

    def after(self, start: datetime) -> CronSim:
        """The times after one, as ``start`` shows them. There is always another."""
        return CronSim(self.expr, start)

    def on(self, day: date) -> int:
        """How many times of one day it fits."""
        if day.month in self._sim.months and self._sim.match_day(day):
            return len(self._sim.hours) * len(self._sim.minutes)
        return 0


def parsed(expr: object) -> Parsed:
    """An expression, read.

    Raises:
      SpecError: it is none, or would never fire.
    """
    if not isinstance(expr, str):
        raise SpecError("expr", expr, _FIELDS, of="Cron")
    return _parse(expr)


@lru_cache(maxsize=256)
def _parse(expr: str) -> Parsed:
    fields = expr.split()
    if len(fields) != 5:  # noqa: PLR2004  # cronsim takes a sixth, for seconds
        raise SpecError("expr", expr, _FIELDS, of="Cron")
    sim = _read(expr)
    every_hour = len(sim.hours) == 24  # noqa: PLR2004  # all there are
    if not every_hour:
        # Without a star cronsim takes them for times that are named.
        fields[:2] = fields[0].replace("*", "0-59"), fields[1].replace("*", "0-23")
    return Parsed(" ".join(fields), every_hour, sim)


def _read(expr: str) -> CronSim:
    try:
        sim = CronSim(expr, _ANY_DAY)
    except (CronSimError, ValueError) as error:
        raise SpecError("expr", expr, _why(expr, error), of="Cron") from None
    if next(CronSim(expr, _ANY_DAY), None) is None:
        raise SpecError("expr", expr, _NEVER, of="Cron")
    return sim


def _why(expr: str, error: Exception) -> str:
    """What is wrong. cronsim calls the 30th of February a bad day of the month."""
    said = str(error).lower()
    try:
        CronSim(f"0 0 {expr.split()[2]} 1 *", _ANY_DAY)
    except CronSimError:
        return f"{_FIELDS}: {said}"
    return _NEVER if "day-of-month" in said else f"{_FIELDS}: {said}"


def zone(timezone: object) -> ZoneInfo:
    """The time zone of a name. Raises `SpecError` if there is none."""
    if isinstance(timezone, str):
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(timezone)
    raise SpecError("timezone", timezone, _ZONES, of="Cron")
