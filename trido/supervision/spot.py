"""How long work is done on the spot, in the tasks of callers, before other tasks run.

A checkpoint after each short turn, start or stop would take longer than that does itself.
"""

from __future__ import annotations

import math
from typing import Final, final

import trio

MOST: Final = 0.5e-3
"""How many seconds at most."""
PIECES: Final = 64
"""How many pieces of it at most: in virtual time none takes any time."""


@final
class Spot:
    """Work that was done on the spot since other tasks last ran, as far as is known."""

    __slots__ = ("_pieces", "_since")

    def __init__(self) -> None:
        self._since = -math.inf
        self._pieces = 0

    @classmethod
    def here(cls) -> Spot:
        """That of this run of Trio."""
        try:
            return _SPOT.get()
        except LookupError:
            spot = cls()
            _SPOT.set(spot)
            return spot

    def others_ran(self, now: float) -> None:
        """Other tasks did: whoever calls now and then does not wait behind them once more."""
        self._pieces, self._since = 0, now

    def is_spent(self, now: float) -> bool:
        """Count one more piece; whether it is time to `breathe`."""
        self._pieces += 1
        return self._pieces >= PIECES or now - self._since >= MOST

    async def breathe(self) -> None:
        """Let other tasks run."""
        await trio.lowlevel.cancel_shielded_checkpoint()
        self.others_ran(trio.current_time())


_SPOT: Final = trio.lowlevel.RunVar[Spot]("trido.spot")
