"""The sleep of an agent, and the room of all who sleep under one supervisor.

Whoever sleeps has no run, so its supervisor does not know of it, and could not end it. One task for
each supervisor waits for its end instead, and ends all of them then.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, final

import trio
from trio.lowlevel import RunVar

from trido.runtime.dispatcher import Alarm

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace
    from trido.supervision.supervisor import SupervisorBase

KEPT: Final = 10_000
"""How many that a journal has, and nobody else needs, are kept at hand under one supervisor."""


@final
class Asleep:
    """The sleep of one agent. It ends with the first signal, or when a timer that it keeps is due.

    Timers of an agent that no journal has go on by themselves; of the others only this is left.
    """

    __slots__ = ("_alarm", "_due", "_place", "timers")

    def __init__(self, place: AgentPlace[Any], due: datetime | None, timers: int) -> None:
        self._place = place
        self._due = due
        self.timers: int = timers
        """How many of its timers are left to a journal."""
        self._alarm: Alarm | None = None

    @property
    def has_timers(self) -> bool:
        """Whether a journal has timers of it."""
        return self._due is not None

    def set(self, pause: float = 0.0) -> None:
        """Wake it when its first timer is due, and not before a pause is over."""
        self.silence()
        if self._due is not None:
            when = trio.current_time() + max(self._place.env.wait_for(self._due), pause)
            self._alarm = self._place.dispatcher.at(when, self)

    def silence(self) -> None:
        """It is awake, or has ended."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def ring(self) -> None:
        """Its timer is due, or it is time to look at the clock again."""
        self._alarm = None
        try:
            is_early = self._due is not None and self._place.env.now() < self._due
        except Exception as error:  # somebody's clock
            _LOG.error("agent %r wakes: its clock failed", self._place.id, exc_info=error)
            is_early = False
        if is_early:
            self.set()
        else:
            self._place.rouse()


@final
class Dormitory:
    """All who sleep under one supervisor, those that sleep longest first."""

    __slots__ = ("_forgettable", "_is_watched", "_places", "_supervisor")

    def __init__(self, supervisor: SupervisorBase) -> None:
        self._supervisor = supervisor
        self._places: dict[AgentPlace[Any], None] = {}
        self._forgettable: dict[AgentPlace[Any], None] = {}
        self._is_watched = False

    @classmethod
    def of(cls, supervisor: SupervisorBase) -> Dormitory:
        """The one of this supervisor."""
        try:
            all_of_them = _DORMITORIES.get()
        except LookupError:
            all_of_them = {}
            _DORMITORIES.set(all_of_them)
        found = all_of_them.get(supervisor)
        if found is None:
            found = all_of_them[supervisor] = cls(supervisor)
        return found

    def enter(self, place: AgentPlace[Any]) -> None:
        """It sleeps. If there are too many, one that a journal has is forgotten."""
        self._places[place] = None
        if not self._is_watched:
            self._is_watched = True
            place.spawn_aside(self._watch)
        if place.can_be_forgotten:
            self._forgettable[place] = None
        if len(self._forgettable) > KEPT:
            oldest = next(iter(self._forgettable))
            self.leave(oldest)
            oldest.forget()

    def leave(self, place: AgentPlace[Any]) -> None:
        """It is awake, or has ended."""
        self._places.pop(place, None)
        self._forgettable.pop(place, None)

    async def _watch(self) -> None:
        try:
            await self._supervisor.winds_up.wait()
        finally:
            del _DORMITORIES.get()[self._supervisor]
            for place in tuple(self._places):
                place.end_asleep()


_DORMITORIES: Final = RunVar[dict["SupervisorBase", Dormitory]]("trido.dormitories")
_LOG: Final = logging.getLogger("trido")
