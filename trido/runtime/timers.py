"""Timers: signals that an agent sends itself, once or by a calendar.

Timers belong to the agent's place. When one is due its signal goes into the mailbox, and stays the
timer's until its turn begins: whoever cancels the timer, or replaces it, withdraws it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, final

import trio
from attrs import evolve

from trido.agents import Signal
from trido.agents.cron import due
from trido.agents.errors import AgentError
from trido.agents.timing import Cancel, Cron, Schedule
from trido.agents.turn import Why
from trido.runtime.dispatcher import Alarm
from trido.runtime.envelope import Envelope

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace

LOOK_AGAIN: Final = 60.0
"""After how many seconds a clock that may be set is looked at again."""
SPINS: Final = 100
"""So many timers without a delay in one second, and an agent is throttled."""
BREATH: Final = 0.01
"""How many seconds it then has to wait at least."""
_NO_DELAY: Final = 0.001


@final
class Timer:
    """One timer: what it sends, and for when it is planned."""

    __slots__ = ("alarm", "cron", "is_gone", "key", "last", "pending", "sent", "signal")

    def __init__(self, key: str, signal: Signal, cron: Cron | None, last: datetime) -> None:
        self.key: str = key
        self.signal: Signal = signal
        self.cron: Cron | None = cron
        self.last: datetime = last
        """For a `Schedule`, when it is due; for a `Cron`, up to when it is dealt with."""
        self.alarm: Alarm | None = None
        self.pending: deque[datetime] = deque()
        """What is due and not sent yet: the mailbox has had no room."""
        self.sent: dict[Fired, None] = {}
        """What is sent and not begun."""
        self.is_gone: bool = False


@final
class Fired(Envelope):
    """A signal that a timer sent."""

    __slots__ = ("_timer", "_timers", "_waits", "planned")

    why: ClassVar[Why] = "timer"

    def __init__(self, timers: Timers, timer: Timer, planned: datetime) -> None:
        super().__init__(evolve(timer.signal, id=f"{timer.key}/{planned.isoformat()}"))
        self.planned: datetime = planned
        self._timers = timers
        self._timer = timer
        self._waits = False

    def wait(self) -> None:
        """It waits for room."""
        self._waits = True

    def accepted(self) -> None:
        """There is room now; for the timer's next one, maybe, too."""
        if self._waits:
            self._waits = False
            self._timers.send(self._timer)

    def begun(self) -> None:
        """It is the timer's no more."""
        self._timers.begun(self._timer, self)

    def fail(self, error: AgentError) -> bool:
        """It is a dead letter, and the timer's no more."""
        self._waits = False
        self._timers.begun(self._timer, self)
        return False


@final
class Timers:
    """The timers of one agent."""

    __slots__ = ("_place", "_second", "_spins", "_timers")

    def __init__(self, place: AgentPlace[Any]) -> None:
        self._place = place
        self._timers: dict[str, Timer] = {}
        self._second = 0.0
        self._spins = 0

    def __len__(self) -> int:
        return len(self._timers)

    def __contains__(self, key: str) -> bool:
        return key in self._timers

    def apply(self, directives: Iterable[tuple[int, Any]], revision: int) -> None:
        """Do what the directives about time of one turn say."""
        for index, directive in directives:
            if isinstance(directive, Cancel):
                self.cancel(directive.key)
            else:
                self.set(directive, f"{revision}.{index}")

    def set(self, directive: Schedule | Cron, name: str = "") -> None:
        """Set a timer; it replaces the one of its key. ``name`` is its key if it has none."""
        key = name if directive.key is None else directive.key
        self.cancel(key)
        now = self._place.env.now()
        if isinstance(directive, Cron):
            timer = Timer(key, directive.signal, directive, now)
            self._timers[key] = timer
            self._await_cron(timer, directive.table.next_after(now))
        else:
            after = directive.after + self._throttle(directive)
            timer = Timer(key, directive.signal, None, now + timedelta(seconds=after))
            self._timers[key] = timer
            self._await(timer, after)

    def cancel(self, key: str) -> None:
        """Forget a timer, and what it has sent that is not begun."""
        timer = self._timers.pop(key, None)
        if timer is None:
            return
        timer.is_gone = True
        timer.pending.clear()
        if timer.alarm is not None:
            timer.alarm.cancel()
        for fired in timer.sent:
            self._place.mailbox.withdraw(fired)
        timer.sent.clear()

    def clear(self) -> None:
        """Forget them all; what they have sent stays where it is."""
        timers, self._timers = self._timers, {}
        for timer in timers.values():
            timer.is_gone = True
            timer.pending.clear()
            if timer.alarm is not None:
                timer.alarm.cancel()

    # Time -----------------------------------------------------------------------------------

    def _await(self, timer: Timer, seconds: float) -> None:
        when = trio.current_time() + max(0.0, seconds)
        timer.alarm = self._place.dispatcher.at(when, _Ring(self, timer))

    def _await_cron(self, timer: Timer, planned: datetime) -> None:
        env = self._place.env
        seconds = (planned - env.now()).total_seconds()
        self._await(timer, min(seconds, LOOK_AGAIN) if env.clock_may_be_set else seconds)

    def ring(self, timer: Timer) -> None:
        """Time has come, or it is time to look at the clock again."""
        timer.alarm = None
        if timer.cron is None:
            timer.pending.append(timer.last)
        elif not timer.pending:
            self._due(timer, timer.cron)
        self.send(timer)

    def _due(self, timer: Timer, cron: Cron) -> None:
        now = self._place.env.now()
        firings = due(cron.table, timer.last, now, cron.catch_up)
        timer.last = firings.last
        timer.pending.extend(firings.planned)
        if firings.left_out:
            _LOG.warning(
                "agent %r: timer %r was late: %d times it should have fired are left out (%s)",
                self._place.id,
                timer.key,
                firings.left_out,
                f"catch_up={cron.catch_up!r}",
            )

    def send(self, timer: Timer) -> None:
        """Send what is due, the earliest first, as long as there is room for it."""
        while timer.pending and not timer.is_gone:
            fired = Fired(self, timer, timer.pending.popleft())
            timer.sent[fired] = None
            if not self._place.deliver(fired):
                fired.wait()
                return
        if timer.cron is not None and timer.alarm is None and not timer.is_gone:
            self._await_cron(timer, timer.cron.table.next_after(timer.last))

    def begun(self, timer: Timer, fired: Fired) -> None:
        """What was sent is the timer's no more."""
        timer.sent.pop(fired, None)
        if timer.cron is None and self._timers.get(timer.key) is timer:
            del self._timers[timer.key]

    def _throttle(self, directive: Schedule) -> float:
        """An agent that never lets time pass would never let anybody else have it."""
        if directive.after >= _NO_DELAY:
            return 0.0
        now = trio.current_time()
        if now - self._second > 1.0:
            self._second, self._spins = now, 0
        self._spins += 1
        if self._spins <= SPINS:
            return 0.0
        if self._spins == SPINS + 1:
            _LOG.warning(
                "agent %r schedules %r again and again without a delay: it is throttled to one"
                " every %g s",
                self._place.id,
                directive.signal.type,
                BREATH,
            )
        return BREATH


@final
class _Ring:
    """What the dispatcher tells."""

    __slots__ = ("_timer", "_timers")

    def __init__(self, timers: Timers, timer: Timer) -> None:
        self._timers = timers
        self._timer = timer

    def ring(self) -> None:
        """The timer is due."""
        self._timers.ring(self._timer)


_LOG: Final = logging.getLogger("trido")
