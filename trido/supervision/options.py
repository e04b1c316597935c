"""The keyword arguments of children and supervisors. Only type checkers import this."""

from __future__ import annotations

from typing import Literal, TypedDict

from trido.supervision.policy import (
    AutoShutdown,
    Backoff,
    Exceptions,
    Grace,
    OnLimit,
    Ready,
    Restart,
    Strategy,
)


class TemplateOptions(TypedDict, total=False):
    """What may be said of a child besides its function."""

    restart: Restart
    shutdown: Grace
    ready: Ready | None
    start_timeout: float
    kill_timeout: float
    backoff: Backoff | None
    on_limit: OnLimit
    restart_on: Exceptions
    escalate_on: Exceptions
    heartbeat: float | None


class ChildOptions(TemplateOptions, total=False):
    """The keyword arguments of `ChildSpec`."""

    id: str | None
    significant: bool


class LimitOptions(TypedDict, total=False):
    """What may be said of every supervisor."""

    id: str | None
    max_restarts: float
    max_seconds: float
    max_consecutive: int | None
    shutdown_timeout: float


class SupervisorOptions(LimitOptions, total=False):
    """The keyword arguments of `open_supervisor`."""

    strategy: Strategy
    auto_shutdown: AutoShutdown


class NestedOptions(SupervisorOptions, total=False):
    """The keyword arguments of `SupervisorSpec`; the further ones are for one in another."""

    restart: Restart
    shutdown: Grace
    significant: bool
    start_timeout: float
    backoff: Backoff | None


class DynamicOptions(TemplateOptions, LimitOptions, total=False):
    """The keyword arguments of `DynamicSupervisorSpec`."""

    max_children: float
    strategy: Literal["one_for_one"]
    auto_shutdown: Literal["never"]
    significant: Literal[False]
