"""Mailboxes: the signals that wait for an agent, in the order in which they came.

A mailbox belongs to the agent's place and outlives its runs. It is bounded; who finds it full and
is to wait does so in a queue of its own, first come, first served. It decides nothing: what a full
mailbox means is said by the place. An empty one holds no queue, since most agents are idle.
"""

from __future__ import annotations

from collections import deque
from typing import final

from trido.runtime.envelope import Envelope


@final
class Mailbox:
    """The signals that wait for one agent."""

    __slots__ = ("_capacity", "_queue", "_waiting")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._queue: deque[Envelope] | None = None
        self._waiting: dict[Envelope, None] | None = None

    def __len__(self) -> int:
        return 0 if self._queue is None else len(self._queue)

    def __bool__(self) -> bool:
        return self._queue is not None

    @property
    def first(self) -> Envelope:
        """The oldest of those that are in."""
        if self._queue is None:
            raise LookupError("the mailbox is empty")
        return self._queue[0]

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return 0 if self._waiting is None else len(self._waiting)

    def put(self, envelope: Envelope) -> bool:
        """Take one in; False if there is no room, or others wait for it."""
        if self._waiting is not None or len(self) >= self._capacity:
            return False
        self._append(envelope)
        return True

    def displace(self, envelope: Envelope) -> Envelope:
        """Take one in, in the place of the oldest, and hand that out. Those that wait still do."""
        queue = self._queue
        if queue is None:
            raise LookupError("the mailbox is empty")
        queue.append(envelope)
        return queue.popleft()

    def put_back(self, envelope: Envelope) -> None:
        """Take one in again, as the oldest, whether there is room or not."""
        if self._queue is None:
            self._queue = deque((envelope,))
        else:
            self._queue.appendleft(envelope)

    def wait(self, envelope: Envelope) -> None:
        """Take one in as soon as there is room."""
        if self._waiting is None:
            self._waiting = {}
        self._waiting[envelope] = None

    def take(self) -> Envelope:
        """Hand out the oldest of those that are in; who waited for room longest gets its."""
        queue = self._queue
        if queue is None:
            raise LookupError("the mailbox is empty")
        envelope = queue.popleft()
        if not queue:
            self._queue = None
        if self._waiting is not None:
            self._refill()
        return envelope

    def withdraw(self, envelope: Envelope) -> bool:
        """Forget one, wherever it waits; False if it is not here."""
        if self._waiting is not None and envelope in self._waiting:
            self._stop_waiting(envelope)
            return True
        queue = self._queue
        if queue is None or envelope not in queue:
            return False
        queue.remove(envelope)
        self._queue = queue or None
        self._refill()
        return True

    def clear(self) -> list[Envelope]:
        """Hand out all that are in; those that wait for room get theirs."""
        cleared = list(self._queue or ())
        self._queue = None
        self._refill()
        return cleared

    def close(self) -> list[Envelope]:
        """Hand out all that are in, and all that wait for room."""
        cleared = [*(self._queue or ()), *(self._waiting or ())]
        self._queue = self._waiting = None
        return cleared

    def _append(self, envelope: Envelope) -> None:
        if self._queue is None:
            self._queue = deque((envelope,))
        else:
            self._queue.append(envelope)

    def _stop_waiting(self, envelope: Envelope) -> None:
        waiting = self._waiting or {}
        del waiting[envelope]
        self._waiting = waiting or None

    def _refill(self) -> None:
        while self._waiting is not None and len(self) < self._capacity:
            envelope = next(iter(self._waiting))
            self._stop_waiting(envelope)
            self._append(envelope)
            envelope.accepted()
