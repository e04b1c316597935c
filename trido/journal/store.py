# ruff: noqa: S608  # statements are put together from constants of this room only
"""The store of a journal in a file: transactions, and what is done when one fails.

The session holds the file's lock, so nobody else writes. What the rules need to know about an agent
is therefore read once and remembered; SQLite is asked again only after a transaction has failed.

A transaction that failed may have reached the disk in part. SQLite takes it back, and writes the
next one over it. But after a failed ``fsync`` the kernel may hold for written what is not, also of
earlier transactions of the ``buffered`` kind. So nothing more is acknowledged until the log has
been moved into the file, whole and synced: `SqliteStore._mend`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeAlias, TypeVar, cast, final

from attrs import evolve
from outcome import Error, Outcome, Value

from trido.errors import SpecError
from trido.journal import opening, rules
from trido.journal.errors import Corrupt, JournalError, Unavailable, again
from trido.journal.faults import FAULTS, failure, is_damage
from trido.journal.layout import many
from trido.journal.names import Names
from trido.journal.operations import (
    RESOLUTIONS,
    Claim,
    Commit,
    Mark,
    PlainTurn,
    Query,
    Resolve,
    Write,
)
from trido.journal.reading import INBOX, Known, Reader, columns_of
from trido.journal.rows import AgentKey, Kept, Recovery
from trido.journal.sheet import ROWS, Sheet
from trido.journal.sweep import Sweep

A = TypeVar("A")

Item: TypeAlias = Write[Any] | PlainTurn

REMEMBERED: Final = 10_000
"""How many agents are remembered at most."""

# Joined, and in this order: then each key is looked up in the index.
FIND: Final = f"SELECT {columns_of('inbox', INBOX)} FROM ("
FOUND: Final = ") CROSS JOIN inbox ON key = column1 AND agent = column2"


@final
class _Unreadable(Exception):
    """A write needs to read what is damaged. SQLite wants the transaction to be given up."""

    def __init__(self, at: int, error: JournalError) -> None:
        super().__init__(at, error)
        self.at = at
        self.error = error


@final
class SqliteStore:
    """The store of an open file.

    Raises:
      JournalError: it cannot be opened, or is not sound.
    """

    def __init__(self, file: str, *, verify: float) -> None:
        self.file = file
        self._close: list[Callable[[], None]] = []
        try:
            with opening.faults_of(file):
                self._open(verify)
        except BaseException:
            self.close()
            raise

    def _open(self, verify: float) -> None:
        opening.exists(self.file)  # or else nothing is put beside it
        self._close.append(opening.lock(self.file).close)
        opening.clear(self.file)
        if not opening.exists(self.file):  # and nobody else can make it now
            opening.create(self.file)
        opening.check_links(self.file)
        reading = opening.reader(self.file, whole_up_to=verify)
        self._close.append(reading.close)
        self._reader = Reader(self.file, reading)
        self._connection = opening.writer(self.file)
        # The last to close is this one: it moves the log into the file.
        self._close.insert(1, self._connection.close)
        self._names = Names(self.file, (f"{self.file}-wal", f"{self.file}-lock"))
        self._known: dict[AgentKey, Known] = {}
        self._kept: dict[tuple[int, str], Kept | Corrupt] = {}
        self._sync: bool | None = None
        self._at = 0
        self._failed: JournalError | None = None
        self._begin()

    def close(self) -> None:
        """Close the file, and let others have it."""
        if isinstance(getattr(self, "_failed", None), Corrupt):
            # The last to close must be the one that cannot write: the file is left as it is.
            self._close[1:] = self._close[:0:-1]
        while self._close:
            self._close.pop()()

    # Reading --------------------------------------------------------------------------------

    def read(self, query: Query[A]) -> A:
        """Answer a query."""
        with opening.faults_of(self.file):
            return cast("A", self._reader.answer(query))

    # Writing --------------------------------------------------------------------------------

    def write(self, batch: Sequence[Write[Any]], *, sync: bool) -> list[Outcome[Any]]:
        """Carry a batch out in one transaction."""
        return [one or Value(None) for one in self.carry_out(batch, sync=sync)]

    def carry_out(self, batch: Sequence[Item], *, sync: bool) -> list[Outcome[Any] | None]:
        """As `write`, also of plain turns. Where nothing comes of a write, None says so."""
        if isinstance(self._failed, Corrupt):
            raise again(self._failed)
        self._check_names()  # or somebody else may write to it, too
        try:
            if self._failed:
                self._mend()
            outcomes = self._transactions(batch, sync=sync)
        except FAULTS as error:
            self._failed = self._lost() or failure(self.file, error)
            raise self._failed from error
        except BaseException as error:
            self._failed = Unavailable(self.file, f"writing failed ({error!r})", "see the cause")
            raise
        self._check_names()
        return outcomes

    def _lost(self) -> Unavailable | None:
        """Why it failed, if the file is not this session's any more: who has it now can write."""
        lost = self._names.lost()
        if lost and self._connection.in_transaction:
            with suppress(*FAULTS):
                self._connection.execute("ROLLBACK")
        return lost

    def _check_names(self) -> None:
        if lost := self._names.lost():
            raise lost

    def _transactions(self, batch: Sequence[Item], *, sync: bool) -> list[Outcome[Any] | None]:
        """One; and if a write needs to read what is damaged, another one without it."""
        refused: dict[int, Outcome[Any]] = {}
        while True:
            try:
                return self._transaction(batch, refused, sync=sync)
            except _Unreadable as damage:
                refused[damage.at] = Error(damage.error)
                self._connection.execute("ROLLBACK")
                self._begin()

    def _transaction(
        self, batch: Sequence[Item], refused: dict[int, Outcome[Any]], *, sync: bool
    ) -> list[Outcome[Any] | None]:
        if sync is not self._sync:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if sync else 'NORMAL'}")
            self._sync = sync
        self._connection.execute("BEGIN IMMEDIATE")
        self._find_inputs(batch, refused)
        before = self._sheet.newest
        outcomes: list[Outcome[Any] | None] = []
        for self._at, write in enumerate(batch):
            if self._at in refused:
                outcomes.append(refused[self._at])
                continue
            try:  # in here, as there is one for each turn
                result = _ACTS[type(write)](self, write)
                outcomes.append(None if result is None else Value(result))
            except (JournalError, SpecError) as error:
                outcomes.append(Error(error))
        self._sheet.write()
        self._sweep.after(self._sheet.newest - before)
        self._connection.execute("COMMIT")
        self._forget_some()
        return outcomes

    def _mend(self) -> None:
        """Have nothing in the log: what is read from now on is what is on disk."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        busy, *_ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Unavailable(self.file, "it is being read", "try again when that is over")
        self._begin()

    def _begin(self) -> None:
        """Remember nothing."""
        self._now = Reader(self.file, self._connection)
        self._known.clear()
        self._sheet = Sheet(self._connection)
        self._sweep = Sweep(self._connection)
        self._failed = None

    def _forget_some(self) -> None:
        while len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]

    # What was consumed ----------------------------------------------------------------------

    def _find_inputs(self, batch: Sequence[Item], refused: dict[int, Outcome[Any]]) -> None:
        """Look up, all at once, which inputs of the batch were consumed before."""
        self._kept.clear()
        asked = []
        for self._at, write in enumerate(batch):
            if type(write) is Commit and write.consumes is not None and self._at not in refused:
                try:
                    known = self._agent(write.agent)
                except Corrupt:  # which its own commit will tell
                    continue
                if known and known.head.consumed:
                    asked.append((write.consumes, known.number))
        for at in range(0, len(asked), ROWS):
            self._find(asked[at : at + ROWS])

    def _find(self, asked: list[tuple[str, int]]) -> None:
        size = 1 << (len(asked) - 1).bit_length()
        padded = [*asked, *[(None, None)] * (size - len(asked))]
        values = [value for pair in padded for value in pair]
        for row in self._connection.execute(many(FIND, 2, size, FOUND), values).fetchall():
            try:
                self._kept[row[1], row[5]] = self._now.kept(row)
            except Corrupt as error:
                self._kept[row[1], row[5]] = error

    # Single writes --------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Generator[None]:
        """What is damaged in here refuses the write that needs it, and no other."""
        try:
            yield
        except FAULTS as error:
            if is_damage(error):
                raise _Unreadable(self._at, failure(self.file, error)) from error
            raise

    def _agent(self, agent: AgentKey) -> Known | None:
        known = self._known.get(agent)
        if known is None:
            with self._reading():
                known = self._now.known(agent)
            if known:
                self._known[agent] = known
        return known

    def _commit(self, commit: Commit) -> Kept | None:
        known, key = self._known.get(commit.agent) or self._agent(commit.agent), commit.consumes
        if known and key is not None:
            kept = self._kept.get((known.number, key))
            if isinstance(kept, Corrupt):
                raise kept
            if kept:
                return kept
        rules.judge_commit(self.file, known and known.head, commit)
        self._sheet.turn(known, commit)  # type: ignore[arg-type]  # it was found to be known
        if known and key is not None:
            self._kept[known.number, key] = Kept(commit.revision, commit.reply)
        return None

    def _plain_turn(self, turn: PlainTurn) -> None:
        id, partition, epoch, revision, _, _, _, full = turn
        agent = AgentKey.of(id, partition)
        known = self._known.get(agent) or self._agent(agent)
        rules.judge_turn(self.file, known and known.head, agent, epoch, revision, full=full)
        self._sheet.plain_turn(known, turn)  # type: ignore[arg-type]  # it was found to be known

    def _mark(self, mark: Mark) -> None:
        known = self._agent(mark.agent)
        slot = rules.judge_mark(self.file, known and known.head, mark)
        if known and slot:
            self._sheet.mark(known, slot, mark)

    def _claim(self, claim: Claim) -> Recovery:
        self._sheet.write()  # so that it can be read
        known = self._agent(claim.agent) or self._sheet.new_agent(claim.agent, claim.name)
        rules.judge_claim(self.file, known.head, claim)
        with self._reading():
            found = self._now.recovery(known, claim)
        self._known[claim.agent] = known
        self._sheet.claim(known, claim.keep)
        lost = [one for one in found.directives if one.status == "started"]
        return evolve(
            found,
            epoch=known.head.epoch,
            directives=tuple(one for one in found.directives if one not in lost),
            unknown=(*found.unknown, *(evolve(one, status="unknown", note="") for one in lost)),
        )

    def _resolve(self, resolve: Resolve) -> None:
        self._sheet.write()
        known = self._agent(resolve.agent)
        id = resolve.revision, resolve.index
        with self._reading():
            row = known and self._now.letter(known, *id)
        if not known or not row:
            raise rules.no_such_letter(self.file, resolve.agent, *id)
        self._sheet.resolve(known, row, RESOLUTIONS[resolve.to])


_ACTS: Final[dict[type, Callable[[SqliteStore, Any], object]]] = {
    Claim: SqliteStore._claim,
    Commit: SqliteStore._commit,
    tuple: SqliteStore._plain_turn,
    Mark: SqliteStore._mark,
    Resolve: SqliteStore._resolve,
}
