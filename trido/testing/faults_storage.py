"""Storage that fails: a journal whose n-th opening, write or read is not what it should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, final

import trio
from outcome import Error, Outcome

from trido.journal import Corrupt, Fenced, Journal, JournalError, Locked, TooNew, Unavailable
from trido.journal.operations import Query, Write
from trido.journal.port import Store
from trido.journal.session import Session
from trido.journal.ways import Way, Work
from trido.testing.plan_faults import Failure, Operation, StorageFault

if TYPE_CHECKING:
    from trido.testing.faults import Faults

A = TypeVar("A")

_ERRORS: Final[dict[Failure, tuple[type[JournalError], str, str]]] = {
    "unavailable": (Unavailable, "it cannot be reached", "try again"),
    "full": (Unavailable, "the disk is full", "make room"),
    "lost": (Unavailable, "its outcome was lost", "try again"),
    "fenced": (Fenced, "another run has claimed the agent", "let that one go on"),
    "locked": (Locked, "somebody else has it open", "close that"),
    "corrupt": (Corrupt, "it is damaged", "restore a backup"),
    "newer": (TooNew, "it was written by a newer trido", "use that"),
}


@final
class StorageFaults:
    """Counts operations, and knows which of them fail."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._counts: Counter[Operation] = Counter()
        self._waiting = {
            (one.operation, one.nth): one for one in faults.plan if isinstance(one, StorageFault)
        }

    def next(self, operation: Operation, file: str) -> tuple[Failure | None, JournalError | None]:
        """The next operation of this kind: how it fails, if it does, and what that raises."""
        self._counts[operation] += 1
        if self._faults.survey is not None:
            self._faults.survey.operations[operation] += 1
        fault = self._waiting.get((operation, self._counts[operation]))
        if fault is None or fault.failure == "slow":
            return None, None
        self._faults.happened.append(fault)
        kind, reason, remedy = _ERRORS[fault.failure]
        return fault.failure, kind(file, f"{reason} ({fault})", remedy)

    async def wait(self, operation: Operation, more: int) -> None:
        """Take the time that the next ``more`` operations of this kind are to take."""
        done = self._counts[operation]
        for nth in range(done + 1, done + more + 1):
            fault = self._waiting.get((operation, nth))
            if fault is not None and fault.failure == "slow":
                del self._waiting[operation, nth]
                self._faults.happened.append(fault)
                await trio.sleep(fault.seconds)


@final
class FaultyJournal:
    """A journal that fails as a plan says."""

    def __init__(self, journal: Journal, faults: StorageFaults) -> None:
        self._journal = journal
        self._faults = faults

    def __repr__(self) -> str:
        return repr(self._journal)

    def open(self) -> AbstractAsyncContextManager[Session]:
        """Open it, unless that is to fail."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Session]:
        await self._faults.wait("open", 1)
        _, error = self._faults.next("open", repr(self._journal))
        if error is not None:
            raise error
        async with self._journal.open() as session:
            session._store = _FaultyStore(session._store, self._faults)
            session._writing = _SlowWay(cast("Way", session._writing), session, self._faults)
            session._reading = _SlowWay(session._reading, session, self._faults)
            yield session


@final
class _SlowWay:
    """Takes its time before what is to be slow."""

    def __init__(self, way: Way, session: Session, faults: StorageFaults) -> None:
        self._way = way
        self._session = session
        self._faults = faults

    async def call(self, fn: Callable[[], A], /) -> A:
        """Read."""
        await self._faults.wait("read", 1)
        return await self._way.call(fn)

    async def repeat(self, work: Work, /) -> None:
        """Write what waits."""
        await self._faults.wait("write", self._session.statistics().waiting)
        await self._way.repeat(work)

    def nudge(self) -> None:
        """Not told on: what comes next is to be slow, too."""


@final
class _FaultyStore:
    """A store that fails as a plan says."""

    def __init__(self, store: Store, faults: StorageFaults) -> None:
        self._store = store
        self._faults = faults
        self.file = store.file
        self.close = store.close

    def write(self, batch: Sequence[Write[Any]], *, sync: bool) -> list[Outcome[Any]]:
        """Carry all of them out, but for those that are to fail."""
        told = [self._faults.next("write", self.file) for _ in batch]
        fatal = [one for one in told if one[1] is not None and one[0] != "fenced"]
        for failure, error in fatal:
            if failure == "lost":
                self._store.write(batch, sync=sync)
            raise error or AssertionError
        kept = [one for one, (failure, _) in zip(batch, told, strict=True) if failure is None]
        outcomes = iter(self._store.write(kept, sync=sync))
        return [
            next(outcomes) if error is None else Error(_fenced(error, one))
            for one, (_, error) in zip(batch, told, strict=True)
        ]

    def read(self, query: Query[A]) -> A:
        """Answer, unless that is to fail."""
        _, error = self._faults.next("read", self.file)
        if error is not None:
            raise error
        return self._store.read(query)


def _fenced(error: JournalError, write: Write[Any]) -> JournalError:
    """It says that another run has claimed the agent since."""
    if isinstance(error, Fenced):  # pragma: no branch - the only one that is an outcome
        error.epoch = getattr(write, "epoch", 0) + 1
    return error
