"""What the decision is told (inputs) and what it wants done (operations). Pure data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, TypeAlias

from trido.supervision import errors, events
from trido.supervision.policy import ChildPolicy
from trido.supervision.tables import Asked, State
from trido.values import ByFields

if TYPE_CHECKING:
    from attrs import frozen as value

    from trido.supervision.records import Record
else:
    # Nobody changes one, as type checkers see to. Made unchangeable it would take twice as long to
    # make, and a supervisor makes a dozen for each start and stop of a child.
    from attrs import define as value

# Those without fields of their own are plain classes: attrs would have nothing to make.

# What comes in ------------------------------------------------------------------------------

EndKind: TypeAlias = Literal[
    "normal", "ignored", "crashed", "escalated", "stopped", "killed", "fatal"
]


@value(eq=False, repr=False)
class End(ByFields):
    """How a run ended."""

    kind: EndKind
    reason: BaseException | None = None


@value(kw_only=True, eq=False, repr=False)
class _Input(ByFields):
    now: float
    u: float = 0.0
    """A random number from [0, 1), for the jitter of a `Backoff`."""


class Begin(_Input):
    """Start the children."""

    __slots__ = ()


@value(kw_only=True, eq=False, repr=False)
class RunReady(_Input):
    """A run became ready."""

    id: str
    run: int
    value: object = None


@value(kw_only=True, eq=False, repr=False)
class RunEnded(_Input):
    """A run ended, for whatever reason."""

    id: str
    run: int
    end: End


@value(kw_only=True, eq=False, repr=False)
class RunFailing(_Input):
    """A run cannot go on: it is to be stopped, and its end is a crash by ``error``."""

    id: str
    run: int
    error: Exception


@value(kw_only=True, eq=False, repr=False)
class RunStuck(_Input):
    """A run was killed, and will not end."""

    id: str
    run: int


class Tick(_Input):
    """`Machine.next_deadline` has come."""

    __slots__ = ()


@value(kw_only=True, eq=False, repr=False)
class Request(_Input):
    """Somebody asks for a change, and waits for the `Reply` of this number."""

    number: int
    asked: Asked
    id: str
    record: Record | None = None
    """What ``start_child`` asks for."""


@value(kw_only=True, eq=False, repr=False)
class Withdraw(_Input):
    """Whoever waited for the reply of this number waits no more."""

    number: int


@value(kw_only=True, eq=False, repr=False)
class Stop(_Input):
    """Stop the supervisor, in order."""

    cancelled: bool = False
    """Because the scope around it was cancelled."""


class Kill(_Input):
    """Stop the supervisor in order, with no grace left for anybody."""

    __slots__ = ()


@value(kw_only=True, eq=False, repr=False)
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


@value(eq=False, repr=False)
class _OfRun(ByFields):
    id: str
    run: int


class StartRun(_OfRun):
    """Start a run of this place."""

    __slots__ = ()


@value(eq=False, repr=False)
class CancelRun(ByFields):
    """Ask a run to stop, by ``deadline``."""

    id: str
    run: int
    deadline: float
    reason: str


class KillRun(_OfRun):
    """Make a run stop."""

    __slots__ = ()


@value(eq=False, repr=False)
class Moved(ByFields):
    """A place is in another state, or will stay in this one."""

    record: Record
    state: State
    comes_back: bool
    """It is going to be started again: it crashed, or was stopped with the group it is in."""


@value(eq=False, repr=False)
class Tell(ByFields):
    """Tell the observers."""

    event: events.Event
    policy: ChildPolicy | None
    """Of the child that the event is about."""
    restarts: bool = False
    """Of a report: whether the child is restarted."""


class TellUnkillable(_OfRun):
    """Tell the observers that a run cannot be killed, and where it is."""

    __slots__ = ()


@value(eq=False, repr=False)
class Reply(ByFields):
    """Answer a request: done, or refused."""

    number: int
    error: errors.TridoError | None


@value(eq=False, repr=False)
class InterruptBody(ByFields):
    """The supervisor gives up: cancel the block's body."""


@value(eq=False, repr=False)
class Stuck(ByFields):
    """Only zombies are left to wait for."""


@value(eq=False, repr=False)
class Finished(ByFields):
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
Operations: TypeAlias = Iterable[Operation]
