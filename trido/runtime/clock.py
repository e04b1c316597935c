"""The time of day, by Trio's clock: in virtual time it passes as that does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import trio

_START: Final = trio.lowlevel.RunVar[tuple[datetime, float]]("trido.clock")


def now() -> datetime:
    """What time it is, in UTC."""
    elapsed = trio.current_time()
    try:
        day, start = _START.get()
    except LookupError:
        day, start = datetime.now(UTC), elapsed
        _START.set((day, start))
    return day + timedelta(seconds=elapsed - start)
