"""Who hears what happens in a tree of supervisors."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction
from typing import TypeAlias

from trio.lowlevel import disable_ki_protection

from trido.errors import SpecError
from trido.supervision import events
from trido.supervision.log import About, log_event, logger

Observer: TypeAlias = Callable[[events.Event], object]


class Bus:
    """The observers of one tree: each hears each event of every supervisor in it, in order."""

    __slots__ = ("_observers",)

    def __init__(self, observers: Iterable[Observer]) -> None:
        if callable(observers) or not isinstance(observers, Iterable):
            raise SpecError("observers", observers, "a sequence of functions of one event")
        self._observers = list(observers)
        for observer in self._observers:
            if iscoroutinefunction(observer) or not callable(observer):
                raise SpecError("observers", observer, "plain functions of one event")

    @property
    def has_observers(self) -> bool:
        """Whether there is anybody to tell, beside the log."""
        return bool(self._observers)

    @property
    def hears_all(self) -> bool:
        """Whether anybody, the log included, hears of what goes well."""
        return bool(self._observers) or logger.isEnabledFor(logging.INFO)

    def tell(self, event: events.Event, about: About) -> BaseException | None:
        """Tell everybody, then what that caused; what was raised that is not an `Exception`."""
        if not self._observers:
            log_event(event, about)
            return None
        waiting = deque([(event, about)])
        fatal: BaseException | None = None
        while waiting:
            event, about = waiting.popleft()
            log_event(event, about)
            for observer in tuple(self._observers):
                try:
                    _hear(observer, event)
                except Exception as error:
                    self._observers.remove(observer)
                    waiting.append((_failed(event, observer, error), About(about.settings)))
                except BaseException as error:  # noqa: ASYNC103  # the caller's to raise
                    fatal = error if fatal is None else fatal
        return fatal


@disable_ki_protection
def _hear(observer: Observer, event: events.Event) -> None:
    observer(event)


def _failed(event: events.Event, observer: Observer, error: Exception) -> events.ObserverFailed:
    return events.ObserverFailed(
        path=event.path[:1],
        id=event.path[0],
        incarnation=1,
        time=event.time,
        observer=observer,
        error=error,
    )
