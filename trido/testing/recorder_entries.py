"""What a recorder notes down: one entry for each thing that happened, and what it came of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final, Literal, TypeAlias, final

from attrs import field, frozen

from trido.agents import Directive, Signal, Turn
from trido.agents.secrets import redacted
from trido.runtime.dead_letters import DeadLetter
from trido.supervision.events import Event
from trido.testing.plan_errors import InjectedCrash

Outcome: TypeAlias = Literal["done", "failed", "cancelled"]
SHOWN: Final = 60
"""How many characters of a value a line shows."""


def shown(value: object) -> str:
    """A value, in a line."""
    text = redacted(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 2]} …"


@frozen(kw_only=True, eq=False)
class Note(ABC):
    """Something that happened."""

    at: float
    """When, in seconds from the beginning of the record."""
    agent: str
    """The id of the agent it happened to; of a child that is none, its path."""
    incarnation: int = 0
    """Which run of it; 0 if there was none."""
    cause: Note | None = field(default=None, repr=False)
    """What it came of; None if it came from outside."""

    @abstractmethod
    def said(self) -> str:
        """What happened, in a few words."""

    def __str__(self) -> str:
        run = f"#{self.incarnation}" if self.incarnation else ""
        return f"{self.at:9.3f}  {self.agent}{run} {self.said()}"


@final
@frozen(kw_only=True, eq=False)
class RunStarted(Note):
    """A run began: the first, or a restart."""

    def said(self) -> str:
        """What happened, in a few words."""
        return "starts" if self.incarnation == 1 else "starts again"


@final
@frozen(kw_only=True, eq=False)
class RunEnded(Note):
    """A run ended."""

    kind: str
    """How, as supervisors have it: ``"crashed"``, ``"stopped"``, ``"normal"`` …"""
    reason: BaseException | None = None
    """What it crashed by."""

    @property
    def is_crash(self) -> bool:
        """Whether it ended by an error of its own."""
        return self.kind not in ("stopped", "killed", "normal")

    def said(self) -> str:
        """What happened, in a few words."""
        if isinstance(self.reason, InjectedCrash):
            return f"crashes by the plan: {self.reason}"
        why = "" if self.reason is None else f": {shown(self.reason)}"
        return f"ends, {self.kind}{why}"


@final
@frozen(kw_only=True, eq=False)
class Sent(Note):
    """A signal came to an agent's mailbox."""

    how: str
    """As `Turn.why` has it: ``"cast"``, ``"call"``, ``"emit"``, ``"timer"`` …"""
    envelope: Any = field(repr=False)

    @property
    def signal(self) -> Signal:
        """The signal."""
        return self.envelope.signal  # type: ignore[no-any-return]

    def said(self) -> str:
        """What happened, in a few words."""
        return f"is sent {self.signal.type!r} {shown(self.signal.data)} ({self.how})"


@final
@frozen(kw_only=True, eq=False)
class TurnBegun(Note):
    """A handler is called."""

    turn: Turn
    before: Any
    """The state it is given."""
    envelope: Any = field(repr=False)

    @property
    def signal(self) -> Signal:
        """What the turn is about."""
        return self.turn.signal

    def said(self) -> str:
        """What happened, in a few words."""
        return f"turn {self.turn.revision + 1} begins: {self.signal.type!r}"


@final
@frozen(kw_only=True, eq=False)
class TurnCommitted(Note):
    """A turn was committed: this is the state."""

    begun: TurnBegun
    state: Any
    revision: int
    request: str | None = None
    directives: tuple[Directive, ...] = ()

    @property
    def signal(self) -> Signal:
        """What the turn was about."""
        return self.begun.signal

    def said(self) -> str:
        """What happened, in a few words."""
        return f"commits revision {self.revision}: {shown(self.state)}"


@final
@frozen(kw_only=True, eq=False)
class DirectiveBegun(Note):
    """A directive is about to be carried out."""

    directive: Directive

    def said(self) -> str:
        """What happened, in a few words."""
        return f"wants {shown(self.directive)}"


@final
@frozen(kw_only=True, eq=False)
class Effect(Note):
    """What an executor or an action did of a directive has come to an end."""

    directive: Directive
    outcome: Outcome
    reason: BaseException | None = None

    def said(self) -> str:
        """What happened, in a few words."""
        why = "" if self.reason is None else f": {shown(self.reason)}"
        return f"carried out {shown(self.directive)}: {self.outcome}{why}"


@final
@frozen(kw_only=True, eq=False)
class Lettered(Note):
    """A signal or a directive became a dead letter."""

    letter: DeadLetter
    envelope: Any = field(default=None, repr=False)
    """That of the `Sent` which it is the letter of: each is of another. None if there was none."""

    def said(self) -> str:
        """What happened, in a few words."""
        what = self.letter.signal if self.letter.directive is None else self.letter.directive
        return f"has a dead letter, {shown(what)}: {shown(self.letter.reason)}"


@final
@frozen(kw_only=True, eq=False)
class Stopping(Note):
    """A run is asked to stop, whether it notices or not: from here on it has its grace."""

    def said(self) -> str:
        """What happened, in a few words."""
        return "is asked to stop"


@final
@frozen(kw_only=True, eq=False)
class Told(Note):
    """A supervisor told its observers."""

    event: Event

    def said(self) -> str:
        """What happened, in a few words."""
        return f"is told of: {type(self.event).__name__}"
