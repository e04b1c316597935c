"""Sessions: the Trio shell around a store. It forms batches, and tells who waits.

Whoever sends a write leaves it in a queue. `Session.run`, in a task of its own, has what is there
carried out as one transaction; meanwhile the next batch gathers. So a batch is as large as the disk
is slow, and nobody waits for a timer.

For a file this happens in a thread, or in another process: see `trido.journal.ways` and
`trido.journal.apart`. The queue and the tickets are all that a thread touches, too: one appends,
the other takes, and a lock sees to it that a write is either taken or withdrawn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from threading import Lock
from typing import Any, Final, TypeVar, final

import trio
from attrs import frozen
from outcome import Error, Outcome, Value
from trio.lowlevel import Abort, enable_ki_protection

from trido.journal.errors import JournalError, Unavailable, again
from trido.journal.operations import RESOLUTIONS, Commit, Query, Resolve, Write
from trido.journal.port import Store
from trido.journal.rows import AgentKey
from trido.journal.ways import Result, Ticket, Way, Work, Writing, by_the_clock

A = TypeVar("A")

BATCH: Final = 512
"""How many writes share a transaction at most."""


@final
@frozen
class SessionStatistics:
    """What a session has done."""

    waiting: int
    """How many writes wait to be taken up."""
    writes: int
    """How many were carried out."""
    batches: int
    """In how many transactions."""


@final
class Session:
    """An open journal. Made by ``async with journal.open()``."""

    def __init__(self, store: Store, writing: Writing, reading: Way) -> None:
        self._store = store
        self._writing = writing
        self._reading = reading
        self._lock = Lock()
        self._queue: deque[Ticket] = deque()
        self._more = trio.Event()
        self._running = self._closed = self._ended = self._waits = False
        self._watchers: list[Callable[[AgentKey, int | None], object]] = []
        self._failures: list[Exception] = []
        self._writes = self._batches = 0
        self._work = Work(self._take, self._written, self._tell)

    @enable_ki_protection
    async def run(self) -> None:
        """Carry out what is sent, until `close`: then the rest, and return.

        If this is cancelled, the batch in hand is carried out and answered. All else that waits, or
        is sent later, raises ``Unavailable``, and did not happen. So it is if a callback raises:
        that leaves this, once the others of its batch were told.

        Checkpoints: always.

        Raises:
          RuntimeError: it runs already.
        """
        if self._running:
            raise RuntimeError("a session has one writer: run() runs already")
        self._running = True
        try:
            while await self._wait_for_more():
                await self._writing.repeat(self._work)
                if self._failures:
                    raise ExceptionGroup("callbacks of a journal's session", self._failures)
        finally:
            self._running = False
            self._give_up()

    def close(self) -> None:
        """Take no more: what is sent later raises ``Unavailable``. `run` ends with the rest."""
        self._closed = True
        self._more.set()
        self._writing.nudge()

    def submit(
        self,
        write: Write[A],
        then: Callable[[Outcome[A]], object],
        *,
        sync: bool = True,
    ) -> Ticket:
        """Send a write, and go on: ``then`` is called with its outcome, in Trio's thread.

        Writes are carried out in the order in which they were sent. With ``sync`` the outcome is
        told when it survives a crash of the machine; without, when it survives one of the process.

        Raises:
          Unavailable: the session is closed. Nothing happened, and ``then`` is not called.
        """
        if self._closed:
            raise self._closed_error()
        ticket = Ticket(write, then, self._lock, sync=sync)
        self._queue.append(ticket)
        if self._waits:
            self._waits = False
            self._more.set()
        else:
            self._writing.nudge()
        return ticket

    async def write(self, write: Write[A], *, sync: bool = True) -> A:
        """Send a write, and return what comes of it, once it is as durable as ``sync`` says.

        ``Cancelled`` means that it did not happen. If the caller is cancelled when the write is
        being carried out already, this waits, and returns or raises what came of it.

        Checkpoints: always.

        Raises:
          Fenced: it was built on what is no longer so. It did not happen.
          Unavailable: it is not known whether it happened.
          JournalError: it was refused, as the write says. It did not happen.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        task = trio.lowlevel.current_task()

        def told(result: Outcome[A]) -> None:
            trio.lowlevel.reschedule(task, result)

        ticket = self.submit(write, told, sync=sync)

        def abort(_: object) -> Abort:
            return Abort.SUCCEEDED if ticket.withdraw() else Abort.FAILED

        result: A = await trio.lowlevel.wait_task_rescheduled(abort)
        return result

    @property
    def file(self) -> str:
        """What the journal is called in errors."""
        return self._store.file

    async def read(self, query: Query[A]) -> A:
        """Answer a query from what is committed.

        Writes go on meanwhile. Checkpoints: always.

        Raises:
          Corrupt: what was asked for is damaged.
          Unavailable: it cannot be read.
        """
        if self._ended:
            raise self._closed_error()
        return await self._reading.call(lambda: self._store.read(query))

    @contextmanager
    def watch(self, callback: Callable[[AgentKey, int | None], object]) -> Generator[None]:
        """Within this block, have ``callback(agent, due)`` called when an agent gets work.

        ``due`` is when: None for now, for a directive; else the time of a timer. It is called in
        Trio's thread, and must not raise. These are hints: ``Waking`` tells the truth.
        """
        self._watchers.append(callback)
        try:
            yield
        finally:
            self._watchers.remove(callback)

    def statistics(self) -> SessionStatistics:
        """What it has done so far."""
        return SessionStatistics(len(self._queue), self._writes, self._batches)

    def __repr__(self) -> str:
        return f"<trido.journal.Session of {self._store.file}>"

    # The writer -----------------------------------------------------------------------------

    async def _wait_for_more(self) -> bool:
        await trio.lowlevel.checkpoint()
        if not self._queue and not self._closed:
            self._more = trio.Event()
            self._waits = True
            await self._more.wait()
        return bool(self._queue)

    def _take(self) -> list[Ticket]:
        batch: list[Ticket] = []
        with self._lock:
            while self._queue and len(batch) < BATCH and not self._failures:
                ticket = self._queue.popleft()
                if not ticket.withdrawn:
                    ticket.taken = True
                    batch.append(ticket)
        return batch

    def _written(self, batch: list[Ticket]) -> Result:
        sync = any(ticket.sync for ticket in batch)
        try:
            return self._store.write([ticket.write for ticket in batch], sync=sync)
        except Exception as error:  # whoever waits is told of a store's mistake, too
            return error

    def _tell(self, batch: list[Ticket], result: Result) -> None:
        for ticket, one in zip(batch, self._outcomes(batch, result), strict=True):
            self._tell_one(ticket, one)

    def _tell_one(self, ticket: Ticket, result: Outcome[Any]) -> None:
        try:
            ticket.then(result)
            if self._watchers and ticket.write.gives_work:
                self._hint(ticket.write, result)
        except Exception as error:
            self._failures.append(error)

    def _outcomes(self, batch: list[Ticket], result: Result) -> Sequence[Outcome[Any]]:
        if isinstance(result, Exception):
            failure = result if isinstance(result, JournalError) else self._failed()
            return [Error(again(failure, result)) for _ in batch]
        self._writes += len(batch)
        self._batches += 1
        return result

    def _hint(self, write: Write[Any], result: Outcome[Any]) -> None:
        if isinstance(result, Value) and result.value is None:
            for agent, due in _work(write):
                for callback in tuple(self._watchers):
                    callback(agent, due)

    def _give_up(self) -> None:
        """Tell all that waits that it did not happen, and take no more."""
        self._closed = True
        rest = [ticket for ticket in self._queue if not ticket.withdrawn]
        self._queue.clear()
        for ticket in rest:
            self._tell_one(ticket, Error(self._closed_error()))

    def _end(self) -> None:
        self._ended = True
        self._give_up()

    def _closed_error(self) -> Unavailable:
        return Unavailable(self._store.file, "the session is closed", "open the journal again")

    def _failed(self) -> Unavailable:
        return Unavailable(self._store.file, "the store failed", "see the cause")


def _work(write: Write[Any]) -> Iterator[tuple[AgentKey, int | None]]:
    """Which agent has something to do once this has happened, and when."""
    if isinstance(write, Commit):
        if write.directives:
            yield write.agent, None
        if write.timers:
            yield write.agent, min(timer.due for timer in write.timers)
    elif isinstance(write, Resolve) and RESOLUTIONS[write.to] == "pending":
        yield write.agent, None


@asynccontextmanager
async def open_session(
    make: Callable[[], Store], writing: Way, reading: Way
) -> AsyncGenerator[Session]:
    """A session of the store that is made, which is closed at the end."""
    writing, reading = by_the_clock(writing), by_the_clock(reading)
    store = await writing.call(make)
    session = Session(store, writing, reading)
    try:
        yield session
    finally:
        session._end()
        with trio.CancelScope(shield=True):  # it takes what the disk takes
            await reading.call(_nothing)  # noqa: ASYNC102  # once all that is read was read
            await writing.call(store.close)  # noqa: ASYNC102  # as above


def _nothing() -> None:
    pass
