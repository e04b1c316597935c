"""Throttling: an agent that signals itself without a delay, again and again, lets no time pass."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, final

import trio

if TYPE_CHECKING:
    from trido.runtime.dispatcher import Alarm
    from trido.runtime.place import AgentPlace

NO_DELAY: Final = 0.001
"""Less than so many seconds is no delay."""
SPINS: Final = 100
"""So many signals to itself in one second, each brought about by the one before, are too many."""
BREATH: Final = 0.01
"""How many seconds each of them then has for itself."""


@final
class Throttle:
    """Slows one agent down while it goes round and round."""

    __slots__ = ("_free", "_is_on", "_spins", "_until")

    def __init__(self) -> None:
        self._until = self._free = 0.0
        self._spins = 0
        self._is_on = False

    def delay(self, id: str, type: str) -> float:
        """It goes round once more: how many seconds to wait."""
        now = trio.current_time()
        if now >= self._until:
            goes_on = self._spins > SPINS // 2 and now < self._until + 1.0
            self._is_on = self._is_on and goes_on
            self._until, self._spins = now + 1.0, 0
        self._spins += 1
        if self._spins > SPINS and not self._is_on:
            self._is_on = True
            _LOG.warning(
                "agent %r sends itself %r again and again without a delay:"
                " it is throttled to one every %g s",
                id,
                type,
                BREATH,
            )
        if not self._is_on:
            return 0.0
        self._free = max(self._free, now) + BREATH
        return self._free - now


@final
class Pause:
    """An item of an outbox: what comes after it in its lane waits until a time."""

    __slots__ = ("_alarm", "_due", "_lane")

    def __init__(self, lane: AgentPlace[Any], due: float) -> None:
        self._lane = lane
        self._due = due
        self._alarm: Alarm | None = None

    def begin(self) -> bool:
        """Wait."""
        self._alarm = self._lane.dispatcher.at(self._due, self)
        return False

    def ring(self) -> None:
        """Time has come."""
        self._alarm = None
        self._lane.outbox.done(self._lane)

    def give_up(self) -> None:
        """Its agent has ended."""
        if self._alarm is not None:
            self._alarm.cancel()


def pace(place: AgentPlace[Any], type: str) -> None:
    """An agent goes round once more by a signal to itself: have that wait, if it is too often."""
    seconds = place.timers.breath(type)
    if seconds:
        place.outbox.put(place, Pause(place, trio.current_time() + seconds))


_LOG: Final = logging.getLogger("trido")
