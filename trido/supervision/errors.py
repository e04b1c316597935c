"""What supervision raises, and what a child raises to say how it wants to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trido.errors import SpecError, TridoError

if TYPE_CHECKING:
    from trido.supervision.current import Current

__all__ = [
    "ChildAlreadyPresent",
    "ChildAlreadyStarted",
    "ChildNotFound",
    "ChildRestarting",
    "ChildRunning",
    "DeadlockError",
    "DuplicateChild",
    "Escalate",
    "Ignore",
    "LeakedCancelled",
    "MaxChildren",
    "NotStarted",
    "RestartLimitExceeded",
    "Shutdown",
    "SpecError",
    "StartFailed",
    "StartTimeout",
    "SupervisorStopped",
    "TridoError",
    "Unresponsive",
]


# What a child raises about itself. Not errors, so not TridoErrors.


class Ignore(Exception):
    """Raised by a child before it is ready: "there is nothing for me to do, do not run me".

    The place is kept without a run (removed if temporary or dynamic), and nothing failed.
    OTP's ``ignore``. Raised once ready, it is a crash like any other exception.
    """


class Shutdown(Exception):
    """Raised by a running child: "I end on purpose"; a normal end, as if it had returned.

    OTP's ``exit({shutdown, Reason})``. Raised before the child is ready, it is a start failure.
    """


class Escalate(Exception):
    """Raised by a running child: "my supervisor cannot mend this"; the supervisor gives up now.

    It gives up exactly as it does when its restart limit is exceeded, with this as the cause.
    """


# Errors of definitions.


class DuplicateChild(SpecError):
    """Two children of one supervisor have the same id."""

    def __init__(self, id: str, *, of: str = "") -> None:
        super().__init__("id", id, "different from the id of every other child", of=of)
        self.args: tuple[Any, ...] = (id,)  # what a copy is made from
        self.id = id


# Errors of a start.


class StartFailed(TridoError):
    """A child failed before it was ready. ``__cause__`` says why; ``id`` names the child."""

    def __init__(self, id: str, reason: BaseException | None = None) -> None:
        super().__init__(id, reason)
        self.id = id
        self.reason = reason
        self.__cause__ = reason

    def __str__(self) -> str:
        return f"child {self.id!r} did not start: {self.reason!r}"


class NotStarted(TridoError):
    """A child that announces when it is ready returned without calling ``started()``."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return f"child {self.id!r} returned before it called task_status.started()"


class StartTimeout(TridoError):
    """A child was not ready within its ``start_timeout`` and was stopped."""

    def __init__(self, id: str, seconds: float) -> None:
        super().__init__(id, seconds)
        self.id = id
        self.seconds = seconds

    def __str__(self) -> str:
        return f"child {self.id!r} was not ready within its start_timeout of {self.seconds:g} s"


# Errors of a run.


class LeakedCancelled(TridoError):
    """A ``trio.Cancelled`` came out of a child that nobody had cancelled.

    It was caught elsewhere, kept, and raised again outside the scope it belongs to.
    """

    beside: BaseException | None = None
    """What else came out with it, if anything."""


class Unresponsive(TridoError):
    """A child with a ``heartbeat`` was silent for longer than that."""

    def __init__(self, id: str, seconds: float) -> None:
        super().__init__(id, seconds)
        self.id = id
        self.seconds = seconds

    def __str__(self) -> str:
        return f"child {self.id!r} did not beat for {self.seconds:g} s"


# Errors of a supervisor.


class RestartLimitExceeded(TridoError):
    """A supervisor gave up: more restarts than its limit allows, or a child said `Escalate`.

    ``__cause__`` is the last crash (or the `Escalate`); None if the last end was a normal one.

    Attributes:
      id: the supervisor that gave up.
      child: the child whose end was one too many.
    """

    def __init__(self, id: str, child: str, why: str) -> None:
        super().__init__(id, child, why)
        self.id = id
        self.child = child
        self.why = why
        self.opened_by: Current | None = None
        """The run that opened the supervisor in its code, if one did: it ends as a shutdown."""

    def __str__(self) -> str:
        return f"supervisor {self.id!r} gave up: child {self.child!r} {self.why}"


class SupervisorStopped(TridoError):
    """The supervisor is stopping or has stopped: it starts, stops and restarts nothing more."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return f"supervisor {self.id!r} is stopping or has stopped"


class MaxChildren(TridoError):
    """A dynamic supervisor has as many children as its ``max_children`` allows."""

    def __init__(self, id: str, max_children: float) -> None:
        super().__init__(id, max_children)
        self.id = id
        self.max_children = max_children

    def __str__(self) -> str:
        return f"supervisor {self.id!r} has its max_children={self.max_children} already"


class DeadlockError(TridoError):
    """A call that could never return, because what it waits for waits for the caller."""


# Errors that name a child.


class ChildNotFound(TridoError, KeyError):
    """The supervisor has no child of this id."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return f"there is no child {self.id!r}"


class _ChildIs(TridoError):
    state = ""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return f"child {self.id!r} {self.state}"


class ChildAlreadyStarted(_ChildIs):
    """A child with this id is running."""

    state = "is running already"


class ChildAlreadyPresent(_ChildIs):
    """A child with this id is there, without a run: restart it, or delete it first."""

    state = "is there already, without a run: restart_child() runs it, delete_child() removes it"


class ChildRunning(_ChildIs):
    """The child is running: stop it first."""

    state = "is running: stop_child() it first"


class ChildRestarting(_ChildIs):
    """The child is about to be restarted: stop it first."""

    state = "is being restarted: stop_child() it first"
