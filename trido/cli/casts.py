"""What became of signals that were cast. Pure.

Nobody answers a cast, so two others are asked: the box of dead letters names every signal that was
not served, and the agent's count of committed turns says how many were. They are served in the
order in which they were cast; so the oldest that are no dead letters are the ones that count.
"""

from __future__ import annotations

from collections import deque

from attrs import Factory, define

from trido.cli.ledger import Ledger


@define
class Casts:
    """Follows the signals cast to one agent, each named by its line."""

    _ledger: Ledger
    _waiting: deque[int] = Factory(deque)
    _dead: set[int] = Factory(set)
    _committed: int = 0

    def sending(self, line: int) -> None:
        """About to cast it."""
        self._waiting.append(line)

    def withdrawn(self, line: int) -> None:
        """The latest was not cast after all."""
        self._waiting.remove(line)

    def died(self, line: int) -> None:
        """It is a dead letter."""
        self._dead.add(line)
        self._bury()

    def committed(self, total: int) -> None:
        """So many turns were committed so far; told after the dead letters of the same moment."""
        for _ in range(total - self._committed):
            self._bury()
            if self._waiting:
                self._ledger.settle(self._waiting.popleft(), "handled")
            else:
                self._ledger.settled_twice += 1
        self._committed = max(total, self._committed)
        self._bury()

    def _bury(self) -> None:
        while self._waiting and self._waiting[0] in self._dead:
            self._dead.remove(self._waiting.popleft())
