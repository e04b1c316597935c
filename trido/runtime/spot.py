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
    """Turns that were served on the spot since other tasks last ran on its account."""

    __slots__ = ("_since", "_turns")

    def __init__(self) -> None:
        self._since = -math.inf
        self._turns = 0

    @classmethod
    async def breathe(cls) -> None:
        """Let other tasks run, if it is time."""
        try:
            spot = _SPOT.get()
        except LookupError:
            spot = cls()
            _SPOT.set(spot)
        await spot._breathe()

    async def _breathe(self) -> None:
        self._turns += 1
        now = trio.current_time()
        if self._turns >= TURNS or now - self._since >= MOST:
            await trio.lowlevel.cancel_shielded_checkpoint()
            self._turns, self._since = 0, trio.current_time()


_SPOT: Final = trio.lowlevel.RunVar[Spot]("trido.spot")
