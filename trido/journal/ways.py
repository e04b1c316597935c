"""Ways to call a store, which is synchronous: on the spot, or in a thread.

A thread stays as long as there is something to write, and a little longer: while it writes a batch,
those whose batch was written go on in Trio's thread, and send the next.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, Final, Protocol, TypeAlias, TypeVar, final

import trio
from attrs import frozen
from outcome import Outcome

from trido.journal.operations import Write
from trido.virtual import is_virtual

A = TypeVar("A")

LINGER: Final = 0.01
"""For how many seconds a thread waits for more before it is given back."""

Tell: TypeAlias = Callable[[], object]


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


Result: TypeAlias = list[Outcome[Any]] | Exception
"""What came of a batch: the outcome of each of its writes, or why nothing is known of any."""


@final
@frozen
class Work:
    """What there is to be written, for whoever sees to it."""

    take: Callable[[], list[Ticket]]
    """The next batch, in any thread; empty if there is none."""
    write: Callable[[list[Ticket]], Result]
    """Carry a batch out, in any thread."""
    tell: Callable[[list[Ticket], Result], None]
    """Tell who waits for it, in Trio's thread."""

    def step(self) -> Tell | None:
        """Write a batch. Returns what tells its outcomes; None if there was nothing to write."""
        batch = self.take()
        if not batch:
            return None
        result = self.write(batch)
        return lambda: self.tell(batch, result)


class Writing(Protocol):
    """How batches are written."""

    async def repeat(self, work: Work, /) -> None:
        """See to what there is to be written, until there is nothing more.

        If this is cancelled, the batch in hand is carried out and answered.
        """
        ...

    def nudge(self) -> None:
        """There is more to be written: it need not be waited for any longer."""
        ...


class Way(Writing, Protocol):
    """How a store is called: in a thread, or here."""

    async def call(self, fn: Callable[[], A], /) -> A:
        """Call a function."""
        ...


@final
class Here:
    """On the spot, after letting others run."""

    async def call(self, fn: Callable[[], A], /) -> A:
        """Call a function."""
        await trio.lowlevel.checkpoint()
        return fn()

    async def repeat(self, work: Work, /) -> None:
        """Write one batch: the caller comes again if there is more."""
        tell = await self.call(work.step)
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

    async def repeat(self, work: Work, /) -> None:
        """Write until there is nothing more, or this is cancelled."""
        token = trio.lowlevel.current_trio_token()

        def steps() -> None:
            # What is told last is told before the end of this is: Trio keeps the order.
            while tell := work.step() or self._wait_for(work):
                token.run_sync_soon(tell)
                trio.from_thread.check_cancelled()

        try:
            await self.call(steps)
        except RuntimeError as error:  # no thread can be started: the next time one may be
            work.tell(work.take(), error)

    def _wait_for(self, work: Work) -> Tell | None:
        """Wait a little for more: those who were told are about to send the next."""
        self._sleeps = True
        tell = work.step()  # what was sent in between
        if tell is None and self._bell.acquire(timeout=LINGER):
            tell = work.step()
        self._sleeps = False
        return tell

    def nudge(self) -> None:
        """Go on, if it waits. If that came too late, the next time waits less."""
        if self._sleeps and self._bell.locked():
            self._bell.release()


def by_the_clock(way: Way) -> Way:
    """The same; in virtual time, which would leap over a thread, `Here` instead of one."""
    return Here() if isinstance(way, InOneThread) and is_virtual() else way
