"""When an agent sleeps: once it has had nothing to do for so long, or it says so itself.

An agent that is never to sleep has nothing of this. Of the others each has at most one alarm, that
is set anew only when it rings: in between, an agent only notes when it was last seen at work.
"""

from __future__ import annotations

import logging
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, final

import trio

from trido.runtime.dispatcher import Alarm

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace

AGAIN: Final = 1.0
"""How soon an agent that is to sleep, and has something under way, is looked at again."""


@final
class Idle:
    """How long one agent has had nothing to do."""

    __slots__ = ("_alarm", "_place", "_seen", "_timeout", "_wants")

    def __init__(self, place: AgentPlace[Any], timeout: float) -> None:
        self._place = place
        self._timeout = timeout
        self._seen = 0.0
        self._wants = False
        self._alarm: Alarm | None = None

    def note(self) -> None:
        """It was at work up to now."""
        self._seen = trio.current_time()
        if self._alarm is None and self._place.serving_run is not None:
            self._set(self._due)

    def want(self) -> None:
        """It is to sleep as soon as it has nothing to do."""
        self._wants = True
        self._silence()
        self._set(self._due)

    def stop(self) -> None:
        """There is no run that could end."""
        self._wants = False
        self._silence()

    @property
    def _due(self) -> float:
        return trio.current_time() if self._wants else self._seen + self._timeout

    def _set(self, due: float) -> None:
        if due < math.inf:
            self._alarm = self._place.dispatcher.at(due, self)

    def _silence(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def ring(self) -> None:
        """Time has come to look at it."""
        self._alarm = None
        try:
            self._look()
        # A mistake in here, or in somebody's clock, must not take anybody else down.
        except Exception as error:
            _LOG.error("agent %r cannot sleep", self._place.id, exc_info=error)

    def _look(self) -> None:
        now = trio.current_time()
        if not self._wants and now < self._due:
            self._set(self._due)
        elif has_nothing_to_do(self._place, 0.0 if self._wants else self._timeout):
            self._place.hibernate()
        else:
            self._set(now + min(self._timeout, AGAIN))


def has_nothing_to_do(place: AgentPlace[Any], within: float) -> bool:
    """Whether nothing is under way, and no timer is due within so many seconds.

    Whoever waits for a state, or monitors it, keeps it awake; so do its children, whom it
    monitors, and callers that it owes an answer.
    """
    run = place.serving_run
    if run is None or run.phase != "serving" or place.is_busy or place.is_engaged:
        return False
    due = place.next_timer
    return due is None or due > place.env.now() + timedelta(seconds=within)


_LOG: Final = logging.getLogger("trido")
