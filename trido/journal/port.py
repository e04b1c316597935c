"""The port: what a journal is to those above it, and what an adapter has to bring.

A journal keeps agents: their states, the inputs they consumed, the directives and timers they
committed. It is shaped so that a database shared by many processes can be an adapter, with nothing
above it changed. From that follows all that is said here.

**Claims and epochs.** Before a run of an agent writes, it claims the agent, which raises the
agent's epoch. Every write states the epoch and the revision it builds on, and happens only if they
are still so. Whoever was given up for dead and is not cannot do harm: its writes are `Fenced`.

**A turn is one conditional write** (`Commit`). Input, state, directives, timers and revision are
stored together or not at all. Writes that happen to wait at the same time share one transaction,
and one ``fsync``; that is how many durable turns a second are possible. They do not share a fate
by intent: one that is refused leaves the others alone. If the transaction fails, none happened.

**Ids make every send idempotent.** An input that is to be applied once has a key. The commit that
would consume it a second time does nothing, and gives what was kept the first time. So an answer
that was lost is no problem: send the same input again.

**Unavailable means: not known.** A database can commit and then fail to say so. So `Unavailable`
promises nothing either way. A run that got it claims the agent again and sees. In between, the
writes that the run had already sent are either carried out, because all they build on happened, or
fenced, with the run's own epoch in the error.

**Cancelled means: did not happen.** A write that waits is withdrawn if its caller is cancelled. One
that is being carried out is waited for, and its outcome is returned: the caller meets the
cancellation at its next checkpoint.

**Wake-ups are hints.** `Session.watch` tells a callback which agents have something to do. A hint
may be lost or come twice; the truth is the query `Waking`. A callback, not a stream: nobody has to
be there to take it, and nothing is yielded from inside a nursery.

**The journal owns no task.** ``async with journal.open()`` owns the file, and starts nothing.
What writes is `Session.run`, and runs as a task of whoever opened the session, in a nursery of
theirs::

    async with journal.open() as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        ...  # session.write(...), session.read(...)
        session.close()  # run() returns once all that was sent is written

So the writer ends where its owner says: after all that still writes. If it is cancelled, the batch
in hand is carried out and answered; what waits behind it did not happen.

**The core is synchronous.** An adapter is a `Store`: it applies a batch of writes and answers a
query, as plain function calls. It knows no Trio, and is tested without. `Session` is the one shell
around all of them: it forms the batches, hands them to a thread or to another process (or, for
memory and in virtual time, calls them on the spot), and tells who waits. What a write *means* is in
none of them but in `trido.journal.rules`, which is pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from outcome import Outcome

if TYPE_CHECKING:
    from trido.journal.operations import Query, Write
    from trido.journal.session import Session

A = TypeVar("A")


@runtime_checkable
class Journal(Protocol):
    """Where agents are kept. `SqliteJournal` and `MemoryJournal` are journals."""

    def open(self) -> AbstractAsyncContextManager[Session]:
        """Open it: ``async with journal.open() as session``.

        Raises:
          Locked: somebody else has it open.
          Corrupt: it is damaged, or is no journal.
          TooNew: its format is newer than this version of trido.
          Unavailable: it cannot be opened.
        """
        ...


class Store(Protocol):
    """An adapter's synchronous core. One call at a time for `write`, and for `read`."""

    @property
    def file(self) -> str:
        """What it is called in errors."""
        ...

    def write(self, batch: Sequence[Write[Any]], *, sync: bool) -> list[Outcome[Any]]:
        """Carry all of them out, in order, as one transaction: the outcome of each.

        ``sync``: they survive a crash of the machine before this returns; else, of the process.
        A write that is refused is an outcome, and does not touch the others.

        Raises:
          JournalError: nothing is known to have happened, of any of them.
        """
        ...

    def read(self, query: Query[A]) -> A:
        """Answer from what is committed.

        Raises:
          JournalError: it cannot be read.
        """
        ...

    def close(self) -> None:
        """Give everything back. Nothing is called after."""
        ...
