"""The time of day. In virtual time it passes as that does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import trio

_START: Final = trio.lowlevel.RunVar[tuple[datetime, float]]("trido.clock")


def is_virtual() -> bool:
    """Whether time is virtual here: whether the clock is any other than Trio's own."""
    return type(trio.lowlevel.current_clock()).__name__ != "SystemClock"


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
