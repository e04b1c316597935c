"""When a cron expression fires, and what to do about the times it missed.

It knows no clock: whoever asks says what time it is. Moments come in with a time zone and go out in
UTC, where a later one is always the greater one.

An expression is about what a clock on the wall shows, and twice a year that clock is set:

- One that names hours (``30 2 * * *``) fires once for each time it names. A time that the clock
  skips fires at the first moment after the gap; several that it skips fire there once. A time that
  it shows twice fires the first time.
- One for every hour (``*/5 * * * *``) goes by the time that passes: it fires whenever the clock
  shows such a minute. What the clock skips is not missed, what it shows twice fires twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from heapq import merge
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, final

from attrs import field, frozen

from trido.values import ByFields

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from trido.agents.crontext import Parsed

CatchUp: TypeAlias = Literal["skip", "once", "all"]

LIMIT: Final = 1000
"""How many times ``catch_up="all"`` makes up for, at most."""

_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_TICK: Final = timedelta(microseconds=1)


@final
@frozen(eq=False, repr=False)
class CronTable(ByFields):
    """The times at which a cron expression fires, by the clocks of a time zone.

    A value, and pure: it knows no clock. Moments come in with any time zone and go out in UTC.

    Raises:
      SpecError: the expression or the time zone is none, or the expression would never fire.
    """

    expr: str
    """Minute, hour, day of month, month and day of week."""
    timezone: str = "UTC"
    """The name of an IANA time zone."""
    _zone: ZoneInfo = field(init=False, eq=False, repr=False)
    _parsed: Parsed = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # Whoever has no cron entries does not pay for what reads them.
        from trido.agents import crontext  # noqa: PLC0415

        object.__setattr__(self, "_parsed", crontext.parsed(self.expr))
        object.__setattr__(self, "_zone", crontext.zone(self.timezone))

    def next_after(self, moment: datetime) -> datetime:
        """The first time it fires after ``moment``, and not at it.

        Raises:
          ValueError: ``moment`` has no time zone.
        """
        return next(self.after(moment))

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Every time it fires after ``moment``, the earliest first."""
        last = _in_utc(moment)
        for planned in self._planned(last):  # pragma: no branch - never ends
            if planned > last:
                yield planned
                last = planned

    def _latest(self, after: datetime, until: datetime) -> datetime:
        """The last time it fires up to ``until``; it has fired since ``after``."""
        early, late = _in_utc(after), _in_utc(until)
        while late - early > _MINUTE:
            middle = early + (late - early) / 2
            if self.next_after(middle) <= until:
                early = middle
            else:
                late = middle
        return self.next_after(early)

    def _count(self, after: datetime, until: datetime) -> int:
        """How often it fires after one moment and up to another."""
        day = self._shown(_in_utc(after)).date() + _DAY
        start = self._midnight(day)
        counted = self._walk(after, min(until, start - _TICK))
        while (end := self._midnight(day + _DAY)) <= until:
            counted += self._between_midnights(day, start, end)
            day, start = day + _DAY, end
        return counted + self._walk(start - _TICK, until)

    def _between_midnights(self, day: date, start: datetime, end: datetime) -> int:
        offsets = {
            moment.astimezone(self._zone).utcoffset() for moment in (start, start - _TICK, end)
        }
        if len(offsets) == 1:  # nobody sets the clock
            return self._parsed.on(day)
        return self._walk(start - _TICK, end - _TICK)

    def _walk(self, after: datetime, until: datetime) -> int:
        return sum(1 for _ in takewhile(lambda planned: planned <= until, self.after(after)))

    def _planned(self, after: datetime) -> Iterator[datetime]:
        if self._parsed.every_hour:
            return merge(self._every_hour(after, fold=0), self._every_hour(after, fold=1))
        return self._named_hours(after)

    def _named_hours(self, after: datetime) -> Iterator[datetime]:
        start = after.astimezone(self._zone)
        for local in self._parsed.after(start):  # pragma: no branch - never ends
            yield local.astimezone(UTC)

    def _every_hour(self, after: datetime, *, fold: int) -> Iterator[datetime]:
        """When the clock shows such a minute; of those it shows twice the first or the second."""
        # A clock that is about to be set back will show again what it showed before.
        start = min(self._shown(after), self._shown(after + _DAY) - _DAY)
        for shown in self._parsed.after(start):  # pragma: no branch - never ends
            planned = self._moment(shown, fold)
            if self._shown(planned) == shown:
                yield planned

    def _shown(self, moment: datetime) -> datetime:
        """What the clock on the wall shows."""
        return moment.astimezone(self._zone).replace(tzinfo=None)

    def _moment(self, shown: datetime, fold: int = 0) -> datetime:
        return shown.replace(tzinfo=self._zone, fold=fold).astimezone(UTC)

    def _midnight(self, day: date) -> datetime:
        return self._moment(datetime.combine(day, time()))


@final
@frozen(eq=False, repr=False)
class Firings(ByFields):
    """What is to be done about a schedule, now."""

    planned: tuple[datetime, ...]
    """What to fire for, the earliest first."""
    left_out: int
    """How many more times were due, and are not made up for."""
    last: datetime
    """The last time that is dealt with: what to say the next time one asks."""
    next: datetime
    """When to ask again."""


def due(
    table: CronTable, last: datetime, now: datetime, catch_up: CatchUp, limit: int = LIMIT
) -> Firings:
    """What a schedule has to fire for at ``now``, if ``last`` is dealt with.

    What is due is every time after ``last`` and up to ``now``. A time is on time in the minute for
    which it was planned; after that it was missed.

    - ``"skip"`` fires for the one that is on time, and for none that was missed.
    - ``"once"`` fires once for all that is due: for the latest.
    - ``"all"`` fires for each, the earliest first, up to ``limit`` of them.

    ``last`` begins as the moment at which the schedule was set. It never goes back, so a clock
    that is set back repeats nothing: nothing is due until it is past ``last`` again.
    """
    first = table.next_after(last)
    if first > now:
        return Firings((), 0, _in_utc(last), first)
    latest, coming = first, table.next_after(first)
    if coming <= now:
        latest, coming = table._latest(last, now), table.next_after(now)
    planned: tuple[datetime, ...] = (latest,)
    if catch_up == "all":
        planned = tuple(islice(takewhile(latest.__ge__, table.after(last)), limit))
    elif catch_up == "skip" and now - latest >= _MINUTE:
        planned = ()
    left_out = 1 if first == latest else table._count(last, now)
    return Firings(planned, left_out - len(planned), latest, coming)


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError(f"it must be known in which time zone this is: {moment!r}")
    return moment.astimezone(UTC)
