"""Which of the signals that were sent a dead letter is of: each letter is of one."""

from __future__ import annotations

from itertools import count
from typing import final

from trido.runtime.dead_letters import DeadLetter
from trido.runtime.envelope import Call, Envelope
from trido.testing.recorder_entries import Sent


@final
class Posts:
    """What was sent, each envelope once; and what of it is neither served nor given up."""

    def __init__(self) -> None:
        self.sent: dict[Envelope, Sent] = {}
        self._open: dict[tuple[str, int], dict[Envelope, Sent]] = {}
        """By the agent, and the identity of the signal: one may be sent many times."""
        self._begun: dict[Envelope, int] = {}
        """Those whose turn has begun, with the number of that turn."""
        self._turns = count()

    def add(self, sent: Sent) -> None:
        """It was sent."""
        self.sent[sent.envelope] = sent
        if not isinstance(sent.envelope, Call):  # its caller is told instead
            self._open.setdefault(_key(sent), {})[sent.envelope] = sent

    def begin(self, envelope: Envelope) -> None:
        """Its turn begins, perhaps not for the first time."""
        self._begun[envelope] = next(self._turns)

    def settle(self, envelope: Envelope) -> None:
        """It is served, or given up."""
        self._begun.pop(envelope, None)
        sent = self.sent.get(envelope)
        if sent is not None:
            self._open.get(_key(sent), {}).pop(envelope, None)

    def of(self, letter: DeadLetter) -> Sent | None:
        """What this is the letter of: of several, what was begun last, or else was sent first.

        None if it came to nobody.
        """
        same = self._open.get((letter.agent, id(letter.signal)), {})
        if not same:
            return None
        begun = [one for one in same if one in self._begun]
        found = same[max(begun, key=self._begun.__getitem__) if begun else next(iter(same))]
        self.settle(found.envelope)
        return found


def _key(sent: Sent) -> tuple[str, int]:
    return sent.agent, id(sent.signal)
