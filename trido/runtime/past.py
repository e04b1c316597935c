"""What was: turns that a journal keeps, and how they would be decided now. Plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

from attrs import frozen

from trido.agents import Signal, Turn
from trido.agents.directive import Directive
from trido.agents.secrets import redacted

if TYPE_CHECKING:
    from trido.journal.rows import Status

S = TypeVar("S")


@final
@frozen(repr=False)
class PastDirective:
    """A directive that a turn has committed, and what became of it."""

    id: str
    """For `Runtime.resolve`; its executor was given it as `Delivery.id`."""
    name: str
    """What kind of directive it is."""
    directive: Directive | None
    """None if it, or what it is about, is not known by its name here."""
    data: Any
    """What it says, as plain data."""
    status: Status
    attempts: int
    note: str
    """What was said when it came to its status."""

    def __repr__(self) -> str:
        what = redacted(self.directive) if self.directive else f"{self.name} {redacted(self.data)}"
        return f"<trido.PastDirective {self.id!r}, {self.status}: {what}>"


@final
@frozen(eq=False, repr=False)
class PastTurn(Generic[S]):
    """A turn that was committed."""

    revision: int
    """What it led to: one more than ``turn.revision``."""
    turn: Turn
    """What it was decided upon: the signal, ``now``, ``planned``, ``request`` and ``why``.

    ``request`` is None if the handler does not take the turn: then it had nobody to answer later.
    """
    state: S
    """The state that was decided."""
    changed: tuple[str, ...]
    """The fields whose values are not as before; all of them, if what was before is not kept."""
    directives: tuple[PastDirective, ...]
    """What is carried out after it. Timers, answers and `Stop` take effect with it, and are not
    told here."""
    is_effectful: bool
    """Whether its handler awaited."""

    @property
    def signal(self) -> Signal:
        """What was sent."""
        return self.turn.signal

    def __repr__(self) -> str:
        return f"<trido.PastTurn {self.revision} of {self.turn.agent_id!r}: {self.signal.type!r}>"


@final
@frozen
class Changed:
    """One thing that is not as it was recorded. What is secret is shown as ``***``."""

    name: str
    """A field of the state, such as ``state.total``, or a directive, such as ``directives[0]``."""
    recorded: str
    decided: str


@final
@frozen(eq=False, repr=False)
class Difference(Generic[S]):
    """A turn that is decided differently now."""

    recorded: PastTurn[S]
    """What was committed."""
    state: S | None
    """The state that is decided now; None if nothing is."""
    directives: tuple[Directive, ...]
    """All that is to be done now, also what is not compared."""
    changed: tuple[Changed, ...]
    """What differs."""
    error: Exception | None = None
    """What is raised now, instead of a decision."""

    @property
    def revision(self) -> int:
        """Which turn it is."""
        return self.recorded.revision

    def __repr__(self) -> str:
        return f"<trido.Difference at revision {self.revision}>"

    def __str__(self) -> str:
        turn = self.recorded
        lines = [f"revision {turn.revision}, {turn.signal.type!r} ({turn.turn.why}):"]
        if self.error is not None:
            lines.append(f"  raises {redacted(self.error)}")
        for one in self.changed:
            lines += [
                f"  {one.name}",
                f"    recorded {one.recorded}",
                f"    now      {one.decided}",
            ]
        return "\n".join(lines)


@final
@frozen(eq=False, kw_only=True)
class Replayed(Generic[S]):
    """What came of a replay."""

    agent: str
    """Whose turns."""
    decided: int
    """How many turns were decided again."""
    taken: int
    """How many were taken as recorded: a handler that awaits decided, or is to decide now; or the
    state before it is not kept."""
    differences: tuple[Difference[S], ...]
    """Those that came out differently, the oldest first: as many as were asked for."""

    @property
    def is_same(self) -> bool:
        """Whether all of it came out as recorded."""
        return not self.differences

    @property
    def first(self) -> Difference[S] | None:
        """The first that differs."""
        return self.differences[0] if self.differences else None
