"""What the decision is told (inputs) and what it wants done (operations). Pure data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import frozen

from trido.supervision import errors, events
from trido.supervision.policy import ChildPolicy
from trido.supervision.tables import Asked, State

if TYPE_CHECKING:
    from trido.supervision.records import Record

# What comes in ------------------------------------------------------------------------------

EndKind: TypeAlias = Literal[
    "normal", "ignored", "crashed", "escalated", "stopped", "killed", "fatal"
]


@frozen
class End:
    """How a run ended."""

    kind: EndKind
    reason: BaseException | None = None


@frozen(kw_only=True)
class _Input:
    now: float
    u: float = 0.0
    """A random number from [0, 1), for the jitter of a `Backoff`."""


@frozen(kw_only=True)
class Begin(_Input):
    """Start the children."""


@frozen(kw_only=True)
class RunReady(_Input):
    """A run became ready."""

    id: str
    run: int
    value: object = None


@frozen(kw_only=True)
class RunEnded(_Input):
    """A run ended, for whatever reason."""

    id: str
    run: int
    end: End


@frozen(kw_only=True)
class RunFailing(_Input):
    """A run cannot go on: it is to be stopped, and its end is a crash by ``error``."""

    id: str
    run: int
    error: Exception


@frozen(kw_only=True)
class RunStuck(_Input):
    """A run was killed, and will not end."""

    id: str
    run: int


@frozen(kw_only=True)
class Tick(_Input):
    """`Machine.next_deadline` has come."""


@frozen(kw_only=True)
class Request(_Input):
    """Somebody asks for a change, and waits for the `Reply` of this number."""

    number: int
    asked: Asked
    id: str
    record: Record | None = None
    """What ``start_child`` asks for."""


@frozen(kw_only=True)
class Withdraw(_Input):
    """Whoever waited for the reply of this number waits no more."""

    number: int


@frozen(kw_only=True)
class Stop(_Input):
    """Stop the supervisor, in order."""

    cancelled: bool = False
    """Because the scope around it was cancelled."""


@frozen(kw_only=True)
class Kill(_Input):
    """Stop the supervisor in order, with no grace left for anybody."""


@frozen(kw_only=True)
class Fail(_Input):
    """Something that is not a child failed fatally: an observer, say."""

    error: BaseException


Input: TypeAlias = (
    Begin
    | RunReady
    | RunEnded
    | RunFailing
    | RunStuck
    | Tick
    | Request
    | Withdraw
    | Stop
    | Kill
    | Fail
)

# What goes out ------------------------------------------------------------------------------


@frozen
class StartRun:
    """Start a run of this place."""

    id: str
    run: int


@frozen
class CancelRun:
    """Ask a run to stop, by ``deadline``."""

    id: str
    run: int
    deadline: float
    reason: str


@frozen
class KillRun:
    """Make a run stop."""

    id: str
    run: int


@frozen
class Moved:
    """A place is in another state, or will stay in this one."""

    record: Record
    state: State
    comes_back: bool
    """It is going to be started again: it crashed, or was stopped with the group it is in."""


@frozen
class Tell:
    """Tell the observers."""

    event: events.Event
    policy: ChildPolicy | None
    """Of the child that the event is about."""
    restarts: bool = False
    """Of a report: whether the child is restarted."""


@frozen
class TellUnkillable:
    """Tell the observers that a run cannot be killed, and where it is."""

    id: str
    run: int


@frozen
class Reply:
    """Answer a request: done, or refused."""

    number: int
    error: errors.TridoError | None


@frozen
class InterruptBody:
    """The supervisor gives up: cancel the block's body."""


@frozen
class Stuck:
    """Only zombies are left to wait for."""


@frozen
class Finished:
    """Every child has ended. ``error`` is what leaves the supervisor, if anything."""

    error: BaseException | None


Operation: TypeAlias = (
    StartRun
    | CancelRun
    | KillRun
    | Moved
    | Tell
    | TellUnkillable
    | Reply
    | InterruptBody
    | Stuck
    | Finished
)
Operations: TypeAlias = Iterator[Operation]
