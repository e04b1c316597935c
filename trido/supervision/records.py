"""What the decision remembers: places, the job in hand, the queue. Pure data."""

from __future__ import annotations

import copy
import math
from typing import Literal, TypeAlias

from attrs import Factory, define, frozen

from trido.supervision.messages import End, Request
from trido.supervision.policy import AutoShutdown, ChildPolicy, Strategy
from trido.supervision.tables import State
from trido.values import ByFields, Shown

Cause: TypeAlias = Literal["start", "restart", "api"]
Phase: TypeAlias = Literal["new", "starting", "running", "stopping", "ended"]
Outcome: TypeAlias = Literal["shutdown", "limit", "fatal", "cancelled"]

Purpose: TypeAlias = Literal[
    "init", "restart", "start_child", "restart_child", "stop_child", "stop"
]


@define(eq=False, repr=False)
class Record(Shown):
    """What the machine knows of one place."""

    id: str
    policy: ChildPolicy
    state: State = "stopped"
    incarnation: int = 0
    restarts: int = 0
    value: object = None
    last_crash: BaseException | None = None
    tag: object = None
    """Whatever the one who carries out operations keeps with the place."""

    provisional: bool = False
    """Added by a request whose start is not over: if that fails, no trace remains."""
    live: bool = False
    """There is a run that has not ended."""
    ready: bool = False
    """The last run became ready."""
    asked: bool = False
    """The run was asked to stop."""
    killed: bool = False
    """The kill step has begun."""
    fault: Exception | None = None
    """Why the run is being stopped though nobody asked: its end is a crash by this."""
    found: End | None = None
    """How the run ended by itself, until that is handled."""

    cause: Cause = "start"
    ready_at: float = 0.0
    attempt: int = 0
    consecutive: int = 0
    window: tuple[float, ...] = ()
    chain: int = 0
    """Which chain of retries is the current one; an older one's retries mean nothing."""
    due: float = -math.inf
    """A restart that was decided must not begin before this."""
    waiters: tuple[int, ...] = ()
    """Requests to be answered when the run has ended."""
    orphan: Job | None = None
    """The job that this run was started for, and that was dropped when it became a zombie."""

    def copy(self) -> Record:
        """An independent record in the same state."""
        twin = copy.copy(self)
        twin.orphan = None if self.orphan is None else self.orphan.copy()
        return twin


@define(eq=False, repr=False)
class Job(Shown):
    """Stop these, then start those, one after another."""

    purpose: Purpose
    subject: str = ""
    to_stop: list[str] = Factory(list)
    """In start order: the last one is stopped next."""
    to_start: list[str] = Factory(list)
    """In reverse start order: the last one is started next."""
    request: int | None = None
    waiting: str | None = None
    """The child whose start or end has to come before the next step."""
    begun: bool = False
    """A restart that is not put off any more."""

    def copy(self) -> Job:
        """An independent job in the same state."""
        twin = copy.copy(self)
        twin.to_stop, twin.to_start = list(self.to_stop), list(self.to_start)
        return twin


@frozen(eq=False, repr=False)
class Handle(ByFields):
    """In the queue: the run that ended by itself."""

    id: str
    run: int


@frozen(eq=False, repr=False)
class Retry(ByFields):
    """In the queue: try again to restart this child; each retry counts."""

    id: str
    chain: int


@frozen(eq=False, repr=False)
class Resume(ByFields):
    """In the queue: go on with a restart that was decided and put off."""

    id: str
    chain: int


Item: TypeAlias = Handle | Retry | Resume | Request


@frozen(kw_only=True, eq=False, repr=False)
class Settings(ByFields):
    """The supervisor's own part of its spec."""

    path: tuple[str, ...]
    incarnation: int = 1
    strategy: Strategy = "one_for_one"
    max_restarts: float = 3
    max_seconds: float = 5.0
    max_consecutive: int | None = None
    auto_shutdown: AutoShutdown = "never"
    shutdown_timeout: float = math.inf
    dynamic: bool = False
    """Its children leave once they have ended, and are stopped all at once."""
    forgets: bool = False
    """Its children leave once they have ended; they are stopped in order."""
    max_children: float = math.inf
