"""Signals that nobody will serve, kept to be looked at."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, final

from attrs import frozen

from trido.agents import Signal
from trido.agents.errors import AgentError

KEPT: Final = 1000
"""How many dead letters are kept at least: the latest, and a whole mailbox in any case."""


@final
@frozen
class DeadLetter:
    """A signal that was not served."""

    agent: str
    """The id of the agent it was sent to."""
    signal: Signal
    reason: AgentError
    """Why: what a caller would have been told."""


@final
class DeadLetters:
    """The latest dead letters, oldest first."""

    __slots__ = ("_kept", "_total")

    def __init__(self, mailbox: int) -> None:
        self._kept: deque[DeadLetter] = deque(maxlen=max(KEPT, mailbox))
        self._total = 0

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(tuple(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"<trido.DeadLetters: {len(self)} kept of {self._total}>"

    @property
    def total(self) -> int:
        """How many there were, with those that are no longer kept."""
        return self._total

    def add(self, agent: str, signal: Signal, reason: AgentError) -> None:
        """Keep one; forget the oldest if there are too many."""
        self._total += 1
        self._kept.append(DeadLetter(agent, signal, reason))
