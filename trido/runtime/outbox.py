"""Outboxes: what an agent emitted and its receiver has no room for yet.

An outbox belongs to the agent's place and outlives its runs. Each signal in it waits in the
receiver's mailbox for room; so signals to one receiver arrive in order, and receivers do not wait
for each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from trido.agents import Signal
from trido.agents.errors import AgentError
from trido.runtime.mailbox import Envelope, Mailbox

CAPACITY: Final = 1024
"""How many signals may wait. An empty outbox takes what any one turn emits."""


@final
class Emitted(Envelope):
    """A signal that an agent emitted."""

    __slots__ = ("_outbox",)

    def __init__(self, signal: Signal, outbox: Outbox) -> None:
        super().__init__(signal)
        self._outbox = outbox

    def accepted(self) -> None:
        """It waits no more."""
        self._outbox.done(self)

    def fail(self, error: AgentError) -> bool:
        """It waits no more; nobody is told."""
        self._outbox.done(self)
        return False


@final
class Outbox:
    """What one agent emitted and could not be delivered yet."""

    __slots__ = ("_pending", "_when_empty")

    def __init__(self) -> None:
        self._pending: dict[Emitted, tuple[str, Mailbox]] = {}
        self._when_empty: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._pending)

    def has_room(self, more: int) -> bool:
        """Whether a turn that emits so many signals may be committed."""
        return not (more and self._pending) or len(self._pending) + more <= CAPACITY

    def wait(self, envelope: Emitted, receiver: str, mailbox: Mailbox) -> None:
        """Deliver one as soon as its receiver has room."""
        self._pending[envelope] = (receiver, mailbox)
        mailbox.wait(envelope)

    def done(self, envelope: Emitted) -> None:
        """One waits no more."""
        self._pending.pop(envelope, None)
        if not self._pending and self._when_empty is not None:
            told, self._when_empty = self._when_empty, None
            told()

    def when_empty(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` once nothing is left to be delivered; at once if nothing is."""
        if self._pending:
            self._when_empty = tell
        else:
            tell()

    def withdraw_all(self) -> list[tuple[str, Signal]]:
        """Give up: take everything back. Whom it was for, and what it was."""
        pending, self._pending = self._pending, {}
        self._when_empty = None
        for envelope, (_, mailbox) in pending.items():
            mailbox.withdraw(envelope)
        return [(receiver, envelope.signal) for envelope, (receiver, _) in pending.items()]
