"""One timer, and what it sends."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, final

from attrs import evolve

from trido.agents.errors import AgentError
from trido.agents.timing import Cron, Schedule
from trido.agents.turn import Why
from trido.runtime.dispatcher import Alarm
from trido.runtime.envelope import Envelope
from trido.runtime.throttle import NO_DELAY

if TYPE_CHECKING:
    from trido.runtime.timers import Timers


@final
class Timer:
    """What one directive set: what it sends, and for when it is planned."""

    __slots__ = (
        "ahead",
        "alarm",
        "directive",
        "due",
        "is_gone",
        "is_late",
        "key",
        "last",
        "next",
        "pending",
        "slot",
    )

    def __init__(self, slot: Hashable, key: str, directive: Schedule | Cron, now: datetime) -> None:
        self.slot: Hashable = slot
        """What replaces and cancels it: its key, or nothing that has a name."""
        self.key: str = key
        self.directive: Schedule | Cron = directive
        self.last: datetime = now
        """Of a `Cron`: up to when it is dealt with."""
        self.next: datetime = now
        """For when it is planned."""
        self.due: float = 0.0
        """Of a `Schedule`: when that is by Trio's clock."""
        self.alarm: Alarm | None = None
        self.pending: deque[datetime] = deque()
        """What is due and not sent yet."""
        self.ahead: Fired | None = None
        """What it has sent, and waits for before it goes on."""
        self.is_late: bool = False
        """It makes up for what it missed."""
        self.is_gone: bool = False

    @property
    def is_instant(self) -> bool:
        """Whether it fires without a delay."""
        return isinstance(self.directive, Schedule) and self.directive.after < NO_DELAY

    def silence(self) -> None:
        """Let it not ring."""
        if self.alarm is not None:
            self.alarm.cancel()
            self.alarm = None


@final
class Fired(Envelope):
    """A signal that a timer sent."""

    __slots__ = ("_timers", "_waits", "is_instant", "is_patient", "planned", "timer")

    why: ClassVar[Why] = "timer"

    def __init__(self, timers: Timers, timer: Timer, planned: datetime) -> None:
        id = f"{timer.key}/{planned.isoformat()}"
        super().__init__(evolve(timer.directive.signal, id=id))
        self.timer: Timer = timer
        self.planned: datetime | None = planned
        self.is_instant: bool = timer.is_instant
        self.is_patient: bool = timer.is_late
        self._timers = timers

    def accepted(self) -> None:
        """There is room for it now."""
        self._timers.accepted(self)

    def begun(self) -> None:
        """It is the timer's no more."""
        self._timers.begun(self)

    def fail(self, error: AgentError) -> bool:
        """It is a dead letter, and the timer's no more."""
        self._timers.refused(self)
        return False
