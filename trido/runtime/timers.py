"""Timers: signals that an agent sends itself, once or by a calendar.

Timers belong to the agent's place. When one is due its signal goes into the mailbox, and stays the
timer's until its turn begins: whoever cancels the key, or sets another timer by it, withdraws it.
That holds across runs, too. A full mailbox treats it as it treats every signal; but what a cron
makes up for waits for room, one at a time: each is sent once the turn of the one before has begun.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast, final

import trio

from trido.agents.cron import due
from trido.agents.kept import KeptTimer, row_of
from trido.agents.timing import Cancel, Cron, Schedule
from trido.runtime.throttle import Throttle
from trido.runtime.timer import Fired, Timer

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace


@final
class Timers:
    """The timers of one agent."""

    __slots__ = ("_are_set", "_is_paused", "_place", "_queued", "_throttle", "_timers")

    def __init__(self, place: AgentPlace[Any]) -> None:
        self._place = place
        self._timers: dict[Hashable, Timer] = {}
        self._queued: dict[Hashable, dict[Fired, None]] = {}
        """What was sent and is not begun; of timers that are gone, too."""
        self._throttle: Throttle | None = None
        self._are_set = self._is_paused = False

    def __len__(self) -> int:
        return len(self._timers)

    def begin(self, schedules: Iterable[Schedule | Cron]) -> None:
        """A run begins: with these, unless the timers of the last one go on."""
        self._is_paused = False
        for timer in tuple(self._timers.values()):
            self._send(timer)
            self._go_on(timer)
        if not self._are_set:
            now = self._place.env.now()
            for schedule in schedules:
                self._set(Timer(schedule.key, str(schedule.key), schedule, now))
            self._are_set = True

    def apply(
        self, directives: Iterable[tuple[int, Any]], now: datetime, revision: int, *, instant: bool
    ) -> None:
        """Do what the directives about time of one turn say.

        ``instant`` says whether a timer without a delay brought the turn about.
        """
        for index, directive in directives:
            if isinstance(directive, Cancel):
                self.cancel(directive.key)
                continue
            key = directive.key
            slot = (revision, index) if key is None else key
            self.cancel(slot)
            timer = Timer(slot, key or f"{revision}.{index}", directive, now)
            self._set(timer, self._breath(timer) if instant else 0.0)

    def cancel(self, slot: Hashable) -> None:
        """Forget a timer, and what it has sent that is not begun."""
        self._forget(slot)
        for fired in self._queued.pop(slot, ()):
            self._place.mailbox.withdraw(fired)

    def drop(self) -> None:
        """Forget them all; the next run sets its own. What they have sent stays where it is."""
        self._are_set = False
        for slot in tuple(self._timers):
            self._forget(slot)

    @property
    def first_due(self) -> datetime | None:
        """For when the first of them is planned."""
        return min((timer.next for timer in self._timers.values()), default=None)

    # In a journal --------------------------------------------------------------------------

    def restore(self, timers: Iterable[KeptTimer]) -> None:
        """Have these, which a journal kept, and no others, nor what others have sent."""
        for slot in (*self._timers, *self._queued):
            self.cancel(slot)
        now, time = self._place.env.now(), trio.current_time()
        for kept in timers:
            directive = kept.directive
            slot = ("", kept.name) if directive.key is None else directive.key
            timer = Timer(slot, kept.name, directive, kept.last or now)
            timer.next = kept.due
            timer.due = time + max((kept.due - now).total_seconds(), 0.0)
            self._timers[slot] = timer
            self._go_on(timer)
        self._are_set = False

    def kept(self) -> list[KeptTimer]:
        """All of them, for a journal."""
        return [_kept(timer) for timer in self._timers.values()]

    def kept_at(self, slot: Hashable) -> KeptTimer | None:
        """The one that has this slot, for a journal."""
        timer = self._timers.get(slot)
        return None if timer is None else _kept(timer)

    def after(self, fired: Fired) -> dict[str, KeptTimer | None]:
        """What becomes of the row of a timer once what it sent is dealt with."""
        timer = fired.timer
        now = self._timers.get(timer.slot)
        if now is not None and now is not timer:
            return {}  # the row is another timer's
        row = row_of(timer.directive.key, timer.key)
        if now is None or not isinstance(timer.directive, Cron):
            return {row: None}
        due = timer.directive.table.next_after(cast("datetime", fired.planned))
        return {row: KeptTimer(timer.directive, timer.key, due, last=fired.planned)}

    def refused(self, fired: Fired) -> None:
        """What was sent is a dead letter."""
        self.begun(fired)
        durable = self._place.durable
        if durable is not None and self._place.serving_run is not None:
            durable.is_over(fired)

    def pause(self) -> None:
        """Let none of them ring until the next run begins."""
        self._is_paused = True
        for timer in self._timers.values():
            timer.silence()

    def _forget(self, slot: Hashable) -> None:
        timer = self._timers.pop(slot, None)
        if timer is not None:
            timer.is_gone = True
            timer.pending.clear()
            timer.silence()

    def _set(self, timer: Timer, breath: float = 0.0) -> None:
        self._forget(timer.slot)
        directive = timer.directive
        if isinstance(directive, Cron):
            timer.next = directive.table.next_after(timer.last)
        else:
            after = directive.after + breath
            timer.due = trio.current_time() + after
            timer.next = timer.last + timedelta(seconds=after)
        self._timers[timer.slot] = timer
        self._go_on(timer)

    def _breath(self, timer: Timer) -> float:
        return self.breath(timer.directive.signal.type) if timer.is_instant else 0.0

    def breath(self, type: str) -> float:
        """The agent goes round once more by a signal of this type: how many seconds to wait."""
        if self._throttle is None:
            self._throttle = Throttle()
        return self._throttle.delay(self._place.id, type)

    # Time -----------------------------------------------------------------------------------

    def _go_on(self, timer: Timer) -> None:
        """Wait until it is due; one that has something to send does so first."""
        if timer.is_gone or timer.pending or timer.ahead or timer.alarm or self._is_paused:
            return
        when = timer.due
        if isinstance(timer.directive, Cron):
            when = trio.current_time() + self._place.env.wait_for(timer.next)
        timer.alarm = self._place.dispatcher.at(when, _Ring(self, timer))

    def ring(self, timer: Timer) -> None:
        """Time has come, or it is time to look at the clock again."""
        timer.alarm = None
        if isinstance(timer.directive, Cron):
            self._look(timer, timer.directive)
            self._send(timer)
            self._go_on(timer)
        else:
            self._forget(timer.slot)
            timer.pending.append(timer.next)
            self._send(timer)

    def _look(self, timer: Timer, cron: Cron) -> None:
        now = self._place.env.now()
        if now < timer.next:
            return
        firings = due(cron.table, timer.last, now, cron.catch_up, cron.catch_up_limit)
        timer.last, timer.next = firings.last, firings.next
        timer.pending.extend(firings.planned)
        timer.is_late = len(firings.planned) > 1
        if firings.left_out:
            _LOG.warning(
                "agent %r: timer %r was late: %d times it should have fired are left out (%s)",
                self._place.id,
                timer.key,
                firings.left_out,
                f"catch_up={cron.catch_up!r}",
            )

    def failed(self, error: BaseException) -> None:
        """A clock could not be read, say. The next run sets its timers anew."""
        _LOG.error("agent %r: its timers failed", self._place.id, exc_info=error)
        self.drop()
        self._place.crash(error)

    # What is sent ---------------------------------------------------------------------------

    def _send(self, timer: Timer) -> None:
        if not timer.pending or timer.ahead or self._is_paused:
            return
        fired = timer.ahead = Fired(self, timer, timer.pending.popleft())
        self._queued.setdefault(timer.slot, {})[fired] = None
        if self._place.deliver(fired):
            self.accepted(fired)

    def accepted(self, fired: Fired) -> None:
        """What was sent is in the mailbox."""
        if not fired.is_patient:
            self._past(fired)

    def begun(self, fired: Fired) -> None:
        """What was sent is the timer's no more."""
        slot = fired.timer.slot
        queued = self._queued.get(slot, {})
        queued.pop(fired, None)
        if not queued:
            self._queued.pop(slot, None)
        self._past(fired)

    def _past(self, fired: Fired) -> None:
        """The timer need not wait for this any more."""
        timer = fired.timer
        if timer.ahead is fired:
            timer.ahead = None
            self._send(timer)
            self._go_on(timer)


def _kept(timer: Timer) -> KeptTimer:
    last = timer.last if isinstance(timer.directive, Cron) else None
    return KeptTimer(timer.directive, timer.key, timer.next, last=last)


@final
class _Ring:
    """What the dispatcher tells."""

    __slots__ = ("_timer", "_timers")

    def __init__(self, timers: Timers, timer: Timer) -> None:
        self._timers = timers
        self._timer = timer

    def ring(self) -> None:
        """The timer is due."""
        try:
            self._timers.ring(self._timer)
        # A mistake in here, or in somebody's clock, must not take anybody else down.
        except BaseException as error:  # noqa: ASYNC103
            self._timers.failed(error)


_LOG: Final = logging.getLogger("trido")
