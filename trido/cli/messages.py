"""What happened, in words, until somebody shows it."""

from __future__ import annotations

from collections import deque
from typing import Final

from attrs import Factory, define, frozen

_KEPT: Final = 500


@frozen
class Message:
    """Something happened."""

    time: float
    """Seconds into the run."""
    kind: str
    text: str


@define
class Messages:
    """Messages that nobody has shown yet. Bounded: the oldest go first, and are counted."""

    _waiting: deque[Message] = Factory(deque)
    _lost: int = 0

    def say(self, time: float, kind: str, text: str) -> None:
        """One more."""
        if len(self._waiting) == _KEPT:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(Message(time, kind, text))

    def take(self) -> list[Message]:
        """All of them; after this there are none."""
        taken = list(self._waiting)
        if self._lost:
            more = f"{self._lost:,} earlier messages were too many to show"
            taken.insert(0, Message(taken[0].time, "", more))
        self._waiting.clear()
        self._lost = 0
        return taken
