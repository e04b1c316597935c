"""Sessions: the Trio shell around a store. It forms batches, and tells who waits.

Whoever sends a write leaves it in a queue. `Session.run`, in a task of its own, has what is there
carried out as one transaction; meanwhile the next batch gathers. So a batch is as large as the disk
is slow, and nobody waits for a timer.

For a file this happens in a thread, which stays as long as there is something to write, and a
little longer: while it writes a batch, those whose batch was written go on in Trio's thread, and
send the next. The queue and the tickets are all that both threads touch: one appends, the other
takes, and a lock sees to it that a write is either taken or withdrawn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, Final, Protocol, TypeAlias, TypeVar, final

import trio
from attrs import frozen
from outcome import Error, Outcome, Value
from trio.lowlevel import Abort, enable_ki_protection

from trido.journal.errors import JournalError, Unavailable, again
from trido.journal.operations import RESOLUTIONS, Commit, Query, Resolve, Write
from trido.journal.port import Store
from trido.journal.rows import AgentKey

A = TypeVar("A")

BATCH: Final = 512
"""How many writes share a transaction at most."""


LINGER: Final = 0.01
"""For how many seconds a thread waits for more before it is given back."""


class Way(Protocol):
    """How a store is called: in a thread, or here."""

    async def call(self, fn: Callable[[], A], /) -> A:
        """Call a function."""
        ...

    async def repeat(self, step: Callable[[], Tell | None], /) -> None:
        """Call ``step`` until it gives nothing; what it gives is called in Trio's thread."""
        ...

    def nudge(self) -> None:
        """There is more for ``step``: it need not be waited for any longer."""
        ...


Tell: TypeAlias = Callable[[], object]


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
class Ticket:
    """A write that was sent."""

    __slots__ = ("_lock", "sync", "taken", "then", "withdrawn", "write")

    def __init__(
        self, write: Write[Any], then: Callable[[Outcome[Any]], object], lock: Lock, *, sync: bool
    ) -> None:
        self.write: Write[Any] = write
        self.then: Callable[[Outcome[Any]], object] = then
        self.sync: bool = sync
        self.taken: bool = False
        self.withdrawn: bool = False
        self._lock = lock

    def withdraw(self) -> bool:
        """Take it back: it will not happen, and nobody is told. False if it is too late for that.

        Take back nothing that a later write builds on.
        """
        with self._lock:
            self.withdrawn = not self.taken
        return self.withdrawn


@final
class Session:
    """An open journal. Made by ``async with journal.open()``."""

    def __init__(self, store: Store, writing: Way, reading: Way) -> None:
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
                await self._writing.repeat(self._carry_out)
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

    def _carry_out(self) -> Tell | None:
        """Write a batch. Returns what tells its outcomes; None if there was nothing to write."""
        batch = [] if self._failures else self._take()
        if not batch:
            return None
        outcomes = self._written(batch)
        return lambda: self._tell(batch, outcomes)

    def _take(self) -> list[Ticket]:
        batch: list[Ticket] = []
        with self._lock:
            while self._queue and len(batch) < BATCH:
                ticket = self._queue.popleft()
                if not ticket.withdrawn:
                    ticket.taken = True
                    batch.append(ticket)
        return batch

    def _written(self, batch: list[Ticket]) -> Sequence[Outcome[Any]]:
        sync = any(ticket.sync for ticket in batch)
        try:
            outcomes = self._store.write([ticket.write for ticket in batch], sync=sync)
        except Exception as error:
            # A mistake in a store, too: whoever waits has to be told.
            failure = error if isinstance(error, JournalError) else self._failed()
            return [Error(again(failure, error)) for _ in batch]
        self._writes += len(batch)
        self._batches += 1
        return outcomes

    def _tell(self, batch: list[Ticket], outcomes: Sequence[Outcome[Any]]) -> None:
        for ticket, result in zip(batch, outcomes, strict=True):
            try:
                ticket.then(result)
                if self._watchers and ticket.write.gives_work:
                    self._hint(ticket.write, result)
            except Exception as error:
                self._failures.append(error)

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
        self._tell(rest, [Error(self._closed_error()) for _ in rest])

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


ON_THE_SPOT: Final[ContextVar[bool]] = ContextVar("trido.journal.on_the_spot", default=False)
"""Whether journals opened in this context use no thread: virtual time would leap over it."""


@final
class Here:
    """On the spot, after letting others run."""

    async def call(self, fn: Callable[[], A], /) -> A:
        """Call a function."""
        await trio.lowlevel.checkpoint()
        return fn()

    async def repeat(self, step: Callable[[], Tell | None], /) -> None:
        """Call ``step`` once: the caller comes again if there is more."""
        tell = await self.call(step)
        if tell:
            tell()

    def nudge(self) -> None:
        """Nobody waits."""


@final
class InOneThread:
    """In a thread, one call at a time."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(1)
        self._sleeps = False
        self._bell = Lock()
        self._bell.acquire()

    async def call(self, fn: Callable[[], A], /) -> A:
        """Call a function; once it has begun, it is waited for."""
        return await trio.to_thread.run_sync(fn, limiter=self._limiter)

    async def repeat(self, step: Callable[[], Tell | None], /) -> None:
        """Call ``step`` until it gives nothing, or this is cancelled."""
        token = trio.lowlevel.current_trio_token()

        def steps() -> None:
            # What is told last is told before the end of this is: Trio keeps the order.
            while tell := step() or self._wait_for(step):
                token.run_sync_soon(tell)
                trio.from_thread.check_cancelled()

        await self.call(steps)

    def _wait_for(self, step: Callable[[], Tell | None]) -> Tell | None:
        """Wait a little for more: those who were told are about to send the next."""
        self._sleeps = True
        tell = step()  # what was sent in between
        if tell is None and self._bell.acquire(timeout=LINGER):
            tell = step()
        self._sleeps = False
        return tell

    def nudge(self) -> None:
        """Go on, if it waits. If that came too late, the next time waits less."""
        if self._sleeps and self._bell.locked():
            self._bell.release()


def _without_thread(way: Way) -> Way:
    return Here() if isinstance(way, InOneThread) else way


@asynccontextmanager
async def open_session(
    make: Callable[[], Store], writing: Way, reading: Way
) -> AsyncGenerator[Session]:
    """A session of the store that is made, which is closed at the end."""
    if ON_THE_SPOT.get():
        writing, reading = _without_thread(writing), _without_thread(reading)
    store = await writing.call(make)
    session = Session(store, writing, reading)
    try:
        yield session
    finally:
        session._end()
        with trio.CancelScope(shield=True):
            await writing.call(store.close)  # noqa: ASYNC102  # it takes what the disk takes
