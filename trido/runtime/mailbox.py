"""Mailboxes: the signals that wait for an agent, in the order in which they came.

A mailbox belongs to the agent's place and outlives its runs. It is bounded; who finds it full and
is to wait does so in a queue of its own, first come, first served. It decides nothing: what a full
mailbox means is said by the place. The oldest signal is kept apart from the queue: most agents have
none or one, and need no queue at all.
"""

from __future__ import annotations

from collections import deque

from trido.runtime.envelope import Envelope


class Mailbox:
    """The signals that wait for one agent."""

    __slots__ = ("_capacity", "_queue", "_waiting", "oldest")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.oldest: Envelope | None = None
        """The oldest of those that are in. Not to be set by others."""
        self._queue: deque[Envelope] | None = None
        """Those that came after it; None if there are none."""
        self._waiting: dict[Envelope, None] | None = None

    def __len__(self) -> int:
        if self._queue is not None:
            return 1 + len(self._queue)
        return 0 if self.oldest is None else 1

    def __bool__(self) -> bool:
        return self.oldest is not None

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return 0 if self._waiting is None else len(self._waiting)

    def put(self, envelope: Envelope) -> bool:
        """Take one in; False if there is no room, or others wait for it."""
        if self._waiting is not None:
            return False
        queue = self._queue
        if queue is None:
            if self.oldest is not None and self._capacity == 1:
                return False
            self._append(envelope)
        elif len(queue) + 1 >= self._capacity:
            return False
        else:
            queue.append(envelope)
        return True

    def displace(self, envelope: Envelope) -> Envelope:
        """Take one in, in the place of the oldest, and hand that out. Those that wait still do."""
        waiting, self._waiting = self._waiting, None
        oldest = self.take()
        self._append(envelope)
        self._waiting = waiting
        return oldest

    def put_back(self, envelope: Envelope) -> None:
        """Take one in again, as the oldest, whether there is room or not."""
        if self.oldest is not None:
            if self._queue is None:
                self._queue = deque()
            self._queue.appendleft(self.oldest)
        self.oldest = envelope

    def wait(self, envelope: Envelope) -> None:
        """Take one in as soon as there is room."""
        if self._waiting is None:
            self._waiting = {}
        self._waiting[envelope] = None

    def take(self) -> Envelope:
        """Hand out the oldest of those that are in; who waited for room longest gets its."""
        envelope, queue = self.oldest, self._queue
        if envelope is None:
            raise LookupError("the mailbox is empty")
        if queue is None:
            self.oldest = None
        else:
            self.oldest = queue.popleft()
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
        if self.oldest is envelope:
            self.take()
            return True
        if self._queue is None or envelope not in self._queue:
            return False
        self._queue.remove(envelope)
        self._queue = self._queue or None
        self._refill()
        return True

    def clear(self) -> list[Envelope]:
        """Hand out all that are in; those that wait for room get theirs."""
        cleared = self._clear()
        self._refill()
        return cleared

    def close(self) -> list[Envelope]:
        """Hand out all that are in, and all that wait for room."""
        if self.oldest is None and self._waiting is None:
            return []
        cleared = [*self._clear(), *(self._waiting or ())]
        self._waiting = None
        return cleared

    def _clear(self) -> list[Envelope]:
        cleared = [] if self.oldest is None else [self.oldest, *(self._queue or ())]
        self.oldest = self._queue = None
        return cleared

    def _append(self, envelope: Envelope) -> None:
        if self.oldest is None:
            self.oldest = envelope
        elif self._queue is None:
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
