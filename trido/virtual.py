"""Whether time is virtual."""

from __future__ import annotations

import trio


def is_virtual() -> bool:
    """Whether the clock of this run is any other than Trio's own.

    Such a clock leaps over threads and processes: it sees no task that runs and no deadline, so it
    jumps. What would wait for one is done on the spot.
    """
    return type(trio.lowlevel.current_clock()).__name__ != "SystemClock"
