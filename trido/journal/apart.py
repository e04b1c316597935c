"""The way to write in a process of its own: see `trido.journal.remote`. It needs no thread.

The process has its next batch at hand when it has written one, so it never waits for those who
decide; they do not wait for it, either. Each batch is what was sent while another was written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Final, TypeVar, final

import trio

from trido.journal import wire
from trido.journal.remote import RemoteStore
from trido.journal.ways import InOneThread, Result, Ticket, Work

A = TypeVar("A")

UNDER_WAY: Final = 2
"""How many batches are with the process at most: one that is written, and the next."""

QUICK: Final = 0.002
"""If a batch takes more seconds, the next one is kept until then: the larger, the better."""

LOOK_EVERY: Final = 8
"""After so many writes that were sent it is looked whether the process has answered.

Trio looks once all tasks that can run have run, and each of a hundred agents may decide before.
"""


@final
class Apart:
    """In another process."""

    def __init__(self, store: RemoteStore) -> None:
        self._store = store
        self._thread = InOneThread()
        self._turn = trio.Lock()
        """Whoever closes the store has to wait until what is under way was answered."""
        self._work: Work | None = None
        self._under_way: deque[list[Ticket]] = deque()
        self._answered: deque[tuple[list[Ticket], Result]] = deque()
        self._most = UNDER_WAY
        self._since = 0.0
        """When the oldest batch that is under way was begun with, about."""
        self._waiting = trio.CancelScope()
        self._sent = 0

    async def call(self, fn: Callable[[], A], /) -> A:
        """Call a function in a thread, when no batch is under way; once begun, it is waited for."""
        async with self._turn:
            return await self._thread.call(fn)

    async def repeat(self, work: Work, /) -> None:
        """Have batches written until there is nothing more, or this is cancelled."""
        async with self._turn:
            if await self._is_open(work):
                await self._write(work)

    async def _write(self, work: Work) -> None:
        self._work, self._sent = work, 0
        try:
            await self._see_through(work)
        finally:
            self._work = None
            with trio.CancelScope(shield=True):
                await self._see_through(work)  # noqa: ASYNC102  # it takes what the disk takes

    def nudge(self) -> None:
        """There is more to be written: look now and then whether it can be sent."""
        self._sent += 1
        if self._work is not None and self._sent % LOOK_EVERY == 0 and self._look():
            self._waiting.cancel()

    async def _is_open(self, work: Work) -> bool:
        """Whether there is a process, perhaps a new one; if not, who waits is told why."""
        try:
            if not self._store.is_open():
                await self._thread.call(self._store.open)
        except Exception as error:  # such as no room for a thread: it may be there the next time
            work.tell(work.take(), error)
            return False
        return True

    async def _see_through(self, work: Work) -> None:
        self._send()
        while self._under_way or self._answered:
            while self._answered:
                work.tell(*self._answered.popleft())
            if self._under_way:
                await self._answer()
            else:  # those who were told send the next
                await trio.lowlevel.checkpoint()
                self._send()

    async def _answer(self) -> None:
        line = self._store.line
        with trio.CancelScope() as self._waiting:
            # The process reads until it has all of a batch. From then on it has to be heard first:
            # if it has much to say, it reads no more until then.
            while not line.flush() and len(self._under_way) == 1:
                await trio.lowlevel.wait_writable(line.end)
            await trio.lowlevel.wait_readable(line.end)
        self._look()

    def _look(self) -> bool:
        """Take answers, and send what can be sent. Whether there was an answer."""
        before = len(self._answered)
        while self._under_way and (result := self._store.line.receive()) is not None:
            now = perf_counter()
            self._most = UNDER_WAY if now - self._since < QUICK else 1
            self._since = now
            self._answered.append((self._under_way.popleft(), result))
        self._send()
        return len(self._answered) > before

    def _send(self) -> None:
        """Send the next batch, if there is one, and the process is to have it."""
        line = self._store.line
        if self._work is None or line.is_lost or len(self._under_way) >= self._most:
            return
        if not line.is_clear:  # or it could not be told which of the two is being read
            return
        batch = self._work.take()
        if not batch:
            return
        if not self._under_way:
            self._since = perf_counter()
        sync = any(ticket.sync for ticket in batch)
        try:
            message = wire.pack_batch([one.write for one in batch], sync=sync)
        except Exception as error:  # whoever waits is told of a mistake, too
            self._answered.append((batch, error))
            return
        self._under_way.append(batch)
        line.send(message)
