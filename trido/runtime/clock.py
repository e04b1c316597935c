"""The time of day. In virtual time it passes as that does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, final

import trio

from trido.errors import SpecError
from trido.virtual import is_virtual

LOOK_AGAIN: Final = 60.0
"""After how many seconds a clock that may be set is looked at again."""
_TOLERANCE: Final = 0.001

_START: Final = trio.lowlevel.RunVar[tuple[datetime, float]]("trido.clock")


def now() -> datetime:
    """What time it is, in UTC."""
    if not is_virtual():
        return datetime.now(UTC)
    elapsed = trio.current_time()
    try:
        day, start = _START.get()
    except LookupError:
        day, start = datetime.now(UTC), elapsed
        _START.set((day, start))
    return day + timedelta(seconds=elapsed - start)


def checked(moment: object) -> datetime:
    """What somebody's clock says, in UTC.

    Raises:
      SpecError: that is no moment.
    """
    if isinstance(moment, datetime) and moment.utcoffset() is not None:
        return moment.astimezone(UTC)
    allowed = "a function that gives datetimes with a time zone"
    raise SpecError("clock", moment, allowed, of="open_runtime")


@final
class Trust:
    """For how long a clock that may be set can be left alone.

    For a minute. In virtual time, for as long as it has gone along with that already: a year of
    waiting must not take half a million looks.
    """

    __slots__ = ("_ahead", "_since")

    def __init__(self) -> None:
        self._ahead = float("inf")
        self._since = 0.0

    def lasts(self, now: datetime) -> float:
        """For so many seconds; ``now`` is what the clock says."""
        if not is_virtual():
            return LOOK_AGAIN
        elapsed = trio.current_time()
        ahead = now.timestamp() - elapsed
        if abs(ahead - self._ahead) > _TOLERANCE:
            self._ahead, self._since = ahead, elapsed
        return max(LOOK_AGAIN, elapsed - self._since)
