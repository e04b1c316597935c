# ruff: noqa: S608  # statements are put together from constants of this room only
"""What an operator does with a journal's file: check, inspect, back up, compact.

All but compacting works beside a session that writes, on the state of the moment it began. None of
it knows Trio; each tells ``progress(done, of)`` how far it is, and stops if that raises. It is told
again and again during a long statement of SQL, so that stopping never has to wait for one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from trido.journal import layout, opening
from trido.journal.errors import Corrupt, JournalError, Unavailable
from trido.journal.header import has_log
from trido.journal.inspection import Inspection, Progress
from trido.journal.reading import (
    AGENT,
    INBOX,
    OUTBOX,
    TIMER,
    TURN,
    Reader,
)
from trido.journal.rows import AgentKey
from trido.journal.sweep import Sweep

SEALED: Final[dict[str, tuple[str, Callable[..., int]]]] = {
    "agents": (AGENT, layout.seal_agent),
    "turns": (TURN, layout.seal_turn),
    "inbox": (INBOX, layout.seal_input),
    "outbox": (OUTBOX, layout.seal_entry),
    "timers": (TIMER, layout.seal_timer),
}

STEP: Final = 1_000
"""Rows, or pages, between two tellings."""

OPERATIONS: Final = 1_000_000
"""Steps of SQLite's machine between two tellings in one statement: hundredths of a second."""


@contextmanager
def _told(
    connection: sqlite3.Connection, progress: Progress, far: tuple[int, int] = (0, 1)
) -> Generator[Progress]:
    """Tell ``progress`` during long statements, too; one ends at once if that raises."""
    raised: list[BaseException] = []

    def tell(done: int, of: int) -> None:
        nonlocal far
        far = done, of
        progress(done, of)

    def tell_again() -> bool:
        try:
            progress(*far)
        except BaseException as error:  # noqa: ASYNC103  # raised below: SQLite would forget it
            raised.append(error)
        return bool(raised)

    connection.set_progress_handler(tell_again, OPERATIONS)
    try:
        yield tell
    except sqlite3.Error:
        if raised:
            raise raised[0] from None
        raise
    finally:
        connection.set_progress_handler(None, OPERATIONS)


@contextmanager
def _reading(file: str) -> Generator[sqlite3.Connection]:
    """A connection to a journal that is there, on one state of it."""
    with opening.faults_of(file):
        if not opening.exists(file):
            raise Unavailable(file, "it is not there", "give the path of a journal")
        connection = opening.connect(file, "ro")
        try:
            opening.check_format(file, connection)
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close()


def inspect(file: str, progress: Progress) -> Inspection:
    """Count what is in it."""
    with _reading(file) as connection, _told(connection, progress):
        counts = _counts(connection)
        by_status = "SELECT status, count(*) FROM outbox GROUP BY status ORDER BY status"
        return Inspection(
            file=file,
            format=connection.execute("PRAGMA user_version").fetchone()[0],
            bytes=opening.size(file),
            agents=counts["agents"],
            turns=counts["turns"],
            inputs=counts["inbox"],
            directives=dict(connection.execute(by_status).fetchall()),
            timers=counts["timers"],
        )


def check(file: str, progress: Progress) -> tuple[str, ...]:
    """Look at all of it. Returns what is damaged, in words; nothing if it is sound."""
    with _reading(file) as connection, _told(connection, progress) as tell:
        found = connection.execute("PRAGMA integrity_check(100)").fetchall()
        damage = [said for (said,) in found if said != "ok"]
        if opening.is_cut_off(file, connection):
            damage.append("it is cut off")
        return (*damage, *_damaged_rows(connection, tell), *_damaged_agents(file, connection))


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    return {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in SEALED
    }


def _damaged_rows(connection: sqlite3.Connection, progress: Progress) -> Iterator[str]:
    done, of = 0, sum(_counts(connection).values())
    for table, (columns, seal) in SEALED.items():
        for row in connection.execute(f"SELECT {columns} FROM {table}"):
            done += 1
            if done % STEP == 0:
                progress(done, of)
            if not layout.is_sealed(seal, row):
                yield f"a row of {table} is damaged: {columns.split(',')[0]} {row[0]}"
    progress(done, of)


def _damaged_agents(file: str, connection: sqlite3.Connection) -> Iterator[str]:
    """Those whose own row does not agree with what is there of them."""
    reader = Reader(file, connection)
    keys: list[Any] = connection.execute("SELECT id, partition FROM agents").fetchall()
    for id, partition in keys:
        try:
            reader.trace(AgentKey(id, partition))
        except Corrupt as error:
            yield error.reason


def backup(file: str, progress: Progress, *, to: str) -> None:
    """Copy it. The copy appears whole, and was found sound, or not at all."""
    new = opening.unfinished(to)
    with opening.faults_of(to):
        if Path(to).exists():
            raise _taken(to)
        if has_log(to):
            reason = "the log of another journal is beside it, and would be taken for its own"
            raise JournalError(to, reason, f"move {to}-wal away, or give another path")
        opening.clear(to)
        try:
            with _reading(file) as connection:
                connection.execute("SELECT count(*) FROM agents").fetchone()  # from now on
                _copy(connection, new, to, progress)
            _verify(str(new), file, progress)
            _put_in_place(new, to)
        finally:
            opening.clear(to)


def _put_in_place(new: Path, to: str) -> None:
    """Give a finished copy its name, durably, and replace nothing."""
    try:
        Path(to).hardlink_to(new)
    except FileExistsError as error:
        raise _taken(to) from error
    except OSError:  # there are none on this disk
        new.rename(to)
    opening.sync_directory(to)


def _taken(to: str) -> JournalError:
    return JournalError(to, "it is there already", "give a path where nothing is yet")


def _verify(copy: str, file: str, progress: Progress) -> None:
    """Look whether a copy is sound. If not, ``file`` is not, and that is what is told."""
    try:
        with opening.faults_of(copy), closing(opening.connect(copy, "ro")) as connection:
            opening.check_format(copy, connection)
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            with _told(connection, progress, (pages, pages)):
                opening.check_soundness(copy, connection, whole=True)
    except Corrupt as error:
        raise Corrupt(file, error.reason, error.remedy) from error


def _copy(connection: sqlite3.Connection, new: Path, to: str, progress: Progress) -> None:
    def tell(_: int, remaining: int, of: int) -> None:
        progress(of - remaining, of)

    with opening.faults_of(to), closing(opening.connect(str(new), "rwc")) as target:
        connection.backup(target, pages=STEP, progress=tell)


def compact(file: str, progress: Progress, *, verify: float) -> tuple[int, int]:
    """Forget all that is kept no longer, and give the room back. Returns its size before and after.

    Nobody may have it open: raises `Locked`.
    """
    with opening.faults_of(file):
        if not opening.exists(file):
            raise Unavailable(file, "it is not there", "give the path of a journal")
        lock = opening.lock(file)
        try:
            opening.reader(file, whole_up_to=verify).close()
            before = opening.size(file)
            _vacuum(file, progress)
            return before, opening.size(file)
        finally:
            lock.close()


def _vacuum(file: str, progress: Progress) -> None:
    with closing(opening.writer(file)) as connection, _told(connection, progress) as tell:
        connection.execute("BEGIN IMMEDIATE")
        Sweep(connection).all()
        connection.execute("COMMIT")
        tell(1, 3)
        connection.execute("VACUUM")
        tell(2, 3)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        tell(3, 3)
