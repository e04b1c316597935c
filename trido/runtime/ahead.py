"""Turns that are decided and not durable yet, and what comes of them. Pure.

Nothing here knows a journal's session, a task or a clock: what was decided, what the journal said
about it, and what follows from that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, Literal, NoReturn, TypeAlias, TypeVar, cast, final

from attrs import define
from outcome import Error, Outcome, Value

from trido.agents import Signal
from trido.journal.errors import Unavailable
from trido.journal.operations import Commit
from trido.journal.rows import Kept
from trido.runtime.envelope import Envelope
from trido.runtime.plan import Plan
from trido.runtime.timer import Fired

S = TypeVar("S")

AHEAD: Final = 64
"""How many turns may be decided and not durable."""
Verdict: TypeAlias = Literal["durable", "known", "lost", "refused"]


@final
@define(eq=False)
class Ahead(Generic[S]):
    """A turn that is decided and not durable yet."""

    envelope: Envelope
    plan: Plan | None
    state: S
    write: Commit
    cause: Signal
    """What it was decided upon, as it is traced."""
    key: str | None
    """What names its input, if it is to be applied once."""
    is_sent: bool = False
    caller_left: Callable[[], NoReturn] | None = None
    """Its caller is cancelled, and waits for what comes of it."""

    @property
    def revision(self) -> int:
        """The revision that it leads to."""
        return self.write.revision


def verdict(outcome: Outcome[Kept | None]) -> Verdict:
    """What the journal said about a turn.

    It is durable; or its input was consumed by another turn before; or it is not known; or it was
    refused, for the agent is another run's, say.
    """
    if isinstance(outcome, Error):
        return "lost" if isinstance(outcome.error, Unavailable) else "refused"
    return "durable" if cast("Value[Kept | None]", outcome).value is None else "known"


def split(ahead: Iterable[Ahead[S]], revision: int) -> tuple[list[Ahead[S]], list[Ahead[S]]]:
    """Those that did happen, if the agent is at this revision, and those that did not."""
    turns = list(ahead)
    happened = sum(one.revision <= revision for one in turns)
    return turns[:happened], turns[happened:]


def key_of(envelope: Envelope) -> str | None:
    """What names the input of a turn among all of its agent; None: it is never sent again.

    A signal's id names it among those of its source. A firing of a timer has an id, and is known
    by the row of its timer instead.
    """
    signal = envelope.signal
    if signal.id is None or isinstance(envelope, Fired):
        return None
    source = signal.source or ""
    return f"{len(source)}/{source}/{signal.id}"


def deferred(ahead: Ahead[Any]) -> bool:
    """Whether its caller gets no answer yet."""
    return ahead.plan is not None and ahead.plan.reply is None and ahead.plan.defers
