"""What observers are told: one frozen class for each thing that can happen to a supervisor.

Order: an end, then its report, then what follows from it. Each event is told after the state it
tells of is in place.
"""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from trido.values import ByFields

__all__ = [
    "ChildEnded",
    "ChildParked",
    "ChildStarted",
    "ChildStopped",
    "ChildUnkillable",
    "Event",
    "ObserverFailed",
    "RetryScheduled",
    "SupervisorEnded",
    "SupervisorReport",
]


@frozen(kw_only=True, eq=False, repr=False)
class Event(ByFields):
    """What every event has."""

    path: tuple[str, ...]
    """The ids from the root to the supervisor this happened in."""
    id: str
    """The child it happened to; for events of the supervisor itself, the supervisor's own."""
    incarnation: int
    """Which run of the place: 1 for the first. Every attempt to start is a run of its own."""
    time: float
    """When, in seconds of Trio's clock."""


@frozen(kw_only=True, eq=False, repr=False)
class ChildStarted(Event):
    """A child became ready."""

    cause: Literal["start", "restart", "api"]
    """Why it was started: with its supervisor, by a restart, or by a call."""


@frozen(kw_only=True, eq=False, repr=False)
class ChildStopped(Event):
    """A child that was asked to stop has ended."""

    outcome: Literal["stopped", "killed", "normal", "crashed"]
    """How it took it: cancelled, killed after its grace, returned, or failed while stopping."""
    reason: BaseException | None = field(default=None)
    """The exception, if it ended by one."""


@frozen(kw_only=True, eq=False, repr=False)
class ChildEnded(Event):
    """A child ended by itself."""

    outcome: Literal["normal", "crashed", "ignored"]
    reason: BaseException | None = field(default=None)
    """The exception it ended by; None if it returned."""


@frozen(kw_only=True, eq=False, repr=False)
class SupervisorReport(Event):
    """Something went wrong: OTP's supervisor report."""

    context: Literal["start_error", "child_terminated", "shutdown_error", "shutdown"]
    outcome: Literal["normal", "crashed", "killed", "limit"]
    reason: BaseException | None = field(default=None)


@frozen(kw_only=True, eq=False, repr=False)
class SupervisorEnded(Event):
    """A supervisor ended; all its children ended before."""

    outcome: Literal["shutdown", "limit", "fatal", "cancelled"]
    reason: BaseException | None = field(default=None)


@frozen(kw_only=True, eq=False, repr=False)
class RetryScheduled(Event):
    """A restart was put off by the child's `Backoff`."""

    attempt: int
    """Which automatic attempt in a row this will be."""
    delay: float
    """Seconds from now."""


@frozen(kw_only=True, eq=False, repr=False)
class ChildParked(Event):
    """A child with ``on_limit="park"`` exceeded its limit: it has no run until it is restarted."""

    reason: BaseException | None = field(default=None)
    """Its last crash."""


@frozen(kw_only=True, eq=False, repr=False)
class ChildUnkillable(Event):
    """A child outlived being killed. It is a zombie until it ends; nothing else waits for it."""

    stack: str
    """Where its tasks are, as text."""


@frozen(kw_only=True, eq=False, repr=False)
class ObserverFailed(Event):
    """An observer raised an exception and was removed."""

    observer: object
    error: Exception
