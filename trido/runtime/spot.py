"""How long turns are served on the spot, in the tasks of callers, before other tasks run."""

from __future__ import annotations

import math
from typing import Final, final

import trio

MOST: Final = 0.5e-3
"""How many seconds at most."""
TURNS: Final = 64
"""How many turns at most: in virtual time no turn takes any time."""


@final
class Spot:
    """Turns that were served on the spot since other tasks last ran, as far as is known."""

    __slots__ = ("_since", "_turns")

    def __init__(self) -> None:
        self._since = -math.inf
        self._turns = 0

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
        self._turns, self._since = 0, now

    async def breathe(self) -> None:
        """Let other tasks run, if it is time."""
        self._turns += 1
        now = trio.current_time()
        if self._turns >= TURNS or now - self._since >= MOST:
            await trio.lowlevel.cancel_shielded_checkpoint()
            self.others_ran(trio.current_time())


_SPOT: Final = trio.lowlevel.RunVar[Spot]("trido.spot")
