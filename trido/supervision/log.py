"""The log observer: what happens to supervisors, in words that say what follows from it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from trido.supervision import events
from trido.supervision.policy import ChildPolicy
from trido.supervision.records import Settings
from trido.values import ByFields

logger: Final = logging.getLogger("trido")


@frozen(eq=False, repr=False)
class About(ByFields):
    """What the log knows besides the event."""

    settings: Settings
    """Of the supervisor it happened in."""
    policy: ChildPolicy | None = None
    """Of the child it happened to."""
    restarts: bool = False
    """Whether the child is restarted."""


def log_event(event: events.Event, about: About) -> None:
    """Log ``event`` if its level is on; costs a look-up otherwise."""
    level, describe = _WORDS[type(event)]
    if isinstance(event, events.SupervisorEnded) and event.outcome in ("limit", "fatal"):
        level = logging.ERROR
    if logger.isEnabledFor(level):
        text, error = describe(event, about)
        exception = None if error is None else (type(error), error, error.__traceback__)
        logger.log(level, text, exc_info=exception)


_Words = tuple[str, BaseException | None]


def _child(event: events.Event) -> str:
    return f"child {event.id!r} (run {event.incarnation}) of {'/'.join(event.path)!r}"


def _started(event: events.ChildStarted, about: About) -> _Words:
    why = {"start": "", "restart": " again, restarted", "api": ", as asked"}[event.cause]
    return f"{_child(event)} is running{why}", None


def _stopped(event: events.ChildStopped, about: About) -> _Words:
    how = {
        "stopped": "stopped, as asked",
        "killed": "was killed after its grace ran out",
        "normal": "was asked to stop, and returned",
        "crashed": f"was asked to stop, and failed: {event.reason!r}",
    }[event.outcome]
    return f"{_child(event)} {how}", None


def _ended(event: events.ChildEnded, about: About) -> _Words:
    how = {
        "normal": "ended normally",
        "crashed": f"crashed: {event.reason!r}",
        "ignored": "has nothing to do, and does not run",
    }[event.outcome]
    return f"{_child(event)} {how}", None


def _report(event: events.SupervisorReport, about: About) -> _Words:
    return _REPORTS[event.context](event, about), event.reason


def _start_error(event: events.SupervisorReport, about: About) -> str:
    return f"{_child(event)} did not start: {event.reason!r}"


def _terminated(event: events.SupervisorReport, about: About) -> str:
    how = "crashed" if event.outcome == "crashed" else "ended"
    restart = "" if about.policy is None else about.policy.restart
    next_step = f"restarting by {about.settings.strategy!r}" if about.restarts else "not restarted"
    reason = f" by {event.reason!r}" if event.reason is not None else ""
    return f"{_child(event)} {how}{reason}; it is {restart}: {next_step}"


def _shutdown_error(event: events.SupervisorReport, about: About) -> str:
    how = {
        "killed": "outlived its grace and was killed",
        "normal": "returned where it should have been cancelled",
        "crashed": f"failed while it was stopped: {event.reason!r}",
    }[event.outcome]
    return f"{_child(event)} {how}"


def _limit(event: events.SupervisorReport, about: About) -> str:
    why = getattr(event.reason, "why", "")
    *_, above, own = ("", *about.settings.path)
    then = f"escalating to {above!r}" if above else f"{own!r} gives up"
    return f"child {event.id!r} (run {event.incarnation}) {why}: {then}"


_REPORTS: Final[dict[str, Callable[[Any, About], str]]] = {
    "start_error": _start_error,
    "child_terminated": _terminated,
    "shutdown_error": _shutdown_error,
    "shutdown": _limit,
}


def _supervisor_ended(event: events.SupervisorEnded, about: About) -> _Words:
    reason = f": {event.reason!r}" if event.reason is not None else ""
    return f"supervisor {'/'.join(event.path)!r} ended ({event.outcome}){reason}", None


def _retry(event: events.RetryScheduled, about: About) -> _Words:
    return f"{_child(event)}: restart attempt {event.attempt} in {event.delay:g} s", None


def _parked(event: events.ChildParked, about: About) -> _Words:
    limit = f"{about.settings.max_restarts:g} restarts in {about.settings.max_seconds:g} s"
    text = f"{_child(event)} needed more than {limit}: parked until restart_child({event.id!r})"
    return text, event.reason


def _unkillable(event: events.ChildUnkillable, about: About) -> _Words:
    return f"{_child(event)} cannot be killed; nothing else waits for it.\n{event.stack}", None


def _observer_failed(event: events.ObserverFailed, about: About) -> _Words:
    return f"observer {event.observer!r} failed and was removed: {event.error!r}", event.error


_WORDS: Final[dict[type[events.Event], tuple[int, Callable[[Any, About], _Words]]]] = {
    events.ChildStarted: (logging.INFO, _started),
    events.ChildStopped: (logging.INFO, _stopped),
    events.ChildEnded: (logging.INFO, _ended),
    events.SupervisorReport: (logging.ERROR, _report),
    events.SupervisorEnded: (logging.INFO, _supervisor_ended),
    events.RetryScheduled: (logging.INFO, _retry),
    events.ChildParked: (logging.ERROR, _parked),
    events.ChildUnkillable: (logging.ERROR, _unkillable),
    events.ObserverFailed: (logging.ERROR, _observer_failed),
}
