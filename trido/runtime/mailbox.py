"""Mailboxes: the signals that wait for an agent, in the order in which they came.

A mailbox belongs to the agent's place and outlives its runs. It is bounded; who finds it full and
is to wait does so in a queue of its own, first come, first served. It decides nothing: what a full
mailbox means is said by the place.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any, final

import trio
from outcome import Error, Value
from trio.lowlevel import Task

from trido.agents import Signal
from trido.agents.errors import AgentError


class Envelope:
    """A signal on its way to an agent, and whom to tell about it."""

    __slots__ = ("signal",)

    def __init__(self, signal: Signal) -> None:
        self.signal: Signal = signal

    def accepted(self) -> None:
        """It waited for room, and is in the mailbox now."""

    def answer(self, value: object) -> None:
        """It was served."""

    def fail(self, error: AgentError) -> bool:
        """It will not be served; whether somebody was told. If not, it is a dead letter."""
        return False


@final
class Cast(Envelope):
    """A signal whose sender at most waits for room."""

    __slots__ = ("waiting",)

    def __init__(self, signal: Signal) -> None:
        super().__init__(signal)
        self.waiting: Task | None = None

    def accepted(self) -> None:
        """Its sender may go on."""
        task, self.waiting = self.waiting, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    def fail(self, error: AgentError) -> bool:
        """Its sender may go on, and is not told."""
        self.accepted()
        return False


@final
class Call(Envelope):
    """A signal whose sender waits for the answer."""

    __slots__ = ("task",)

    def __init__(self, signal: Signal, task: Task) -> None:
        super().__init__(signal)
        self.task: Task = task

    def answer(self, value: object) -> None:
        """Give the caller its answer."""
        trio.lowlevel.reschedule(self.task, Value(value))

    def fail(self, error: AgentError) -> bool:
        """Raise ``error`` in the caller."""
        trio.lowlevel.reschedule(self.task, Error(error))
        return True


@final
class Mailbox:
    """The signals that wait for one agent."""

    __slots__ = ("_capacity", "_queue", "_waiting")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._queue: deque[Envelope] = deque()
        self._waiting: OrderedDict[Envelope, Any] = OrderedDict()

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return len(self._waiting)

    def put(self, envelope: Envelope) -> bool:
        """Take one in; False if there is no room."""
        if len(self._queue) >= self._capacity:
            return False
        self._queue.append(envelope)
        return True

    def wait(self, envelope: Envelope) -> None:
        """Take one in as soon as there is room."""
        self._waiting[envelope] = None

    def take(self) -> Envelope:
        """Hand out the oldest; who waited for room longest gets its."""
        envelope = self._queue.popleft()
        if self._waiting:
            self._refill()
        return envelope

    def withdraw(self, envelope: Envelope) -> None:
        """Forget one, wherever it waits."""
        if envelope in self._waiting:
            del self._waiting[envelope]
        else:
            self._queue.remove(envelope)
            self._refill()

    def clear(self) -> list[Envelope]:
        """Hand out all that are in; those that wait for room get theirs."""
        cleared = list(self._queue)
        self._queue.clear()
        self._refill()
        return cleared

    def close(self) -> list[Envelope]:
        """Hand out all that are in, and all that wait for room."""
        cleared = [*self._queue, *self._waiting]
        self._queue.clear()
        self._waiting.clear()
        return cleared

    def _refill(self) -> None:
        while self._waiting and len(self._queue) < self._capacity:
            envelope, _ = self._waiting.popitem(last=False)
            self._queue.append(envelope)
            envelope.accepted()
