# ruff: noqa: S608  # statements are put together from constants of this room only
"""What an operator does with a journal's file: check, inspect, back up, compact.

All but compacting works beside a session that writes, on the state of the moment it began. None of
it knows Trio; each tells ``progress(done, of)`` how far it is, and stops if that raises.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any, Final, TypeAlias, final

from attrs import frozen

from trido.journal import layout, opening
from trido.journal.errors import Corrupt, JournalError, Unavailable
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

Progress: TypeAlias = Callable[[int, int], object]

SEALED: Final[dict[str, tuple[str, Callable[..., int]]]] = {
    "agents": (AGENT, layout.seal_agent),
    "turns": (TURN, layout.seal_turn),
    "inbox": (INBOX, layout.seal_input),
    "outbox": (OUTBOX, layout.seal_entry),
    "timers": (TIMER, layout.seal_timer),
}

STEP: Final = 1_000
"""Rows, or pages, between two tellings."""


@final
@frozen(kw_only=True)
class Inspection:
    """What a journal's file holds."""

    file: str
    format: int
    bytes: int
    """With the log."""
    agents: int
    turns: int
    inputs: int
    """How many consumed inputs are known again."""
    directives: dict[str, int]
    """How many have each status."""
    timers: int


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
    with _reading(file) as connection:
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
    with _reading(file) as connection:
        found = connection.execute("PRAGMA integrity_check(100)").fetchall()
        damage = [said for (said,) in found if said != "ok"]
        return (*damage, *_damaged_rows(connection, progress), *_damaged_agents(file, connection))


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
    if Path(to).exists():
        raise JournalError(to, "it is there already", "give a path where nothing is yet")
    new = Path(f"{to}-new")
    with opening.faults_of(to):
        new.unlink(missing_ok=True)
        try:
            with _reading(file) as connection:
                connection.execute("SELECT count(*) FROM agents").fetchone()  # from now on
                _copy(connection, new, progress)
            opening.reader(str(new), whole_up_to=inf).close()
            opening.put_in_place(new, Path(to))
        finally:
            for rest in (new, Path(f"{new}-wal"), Path(f"{new}-shm")):
                rest.unlink(missing_ok=True)


def _copy(connection: sqlite3.Connection, to: Path, progress: Progress) -> None:
    target = opening.connect(str(to), "rwc")

    def tell(_: int, remaining: int, of: int) -> None:
        progress(of - remaining, of)

    try:
        connection.backup(target, pages=STEP, progress=tell)
    finally:
        target.close()


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
    connection = opening.writer(file)
    try:
        connection.execute("BEGIN IMMEDIATE")
        Sweep(connection).all()
        connection.execute("COMMIT")
        progress(1, 3)
        connection.execute("VACUUM")
        progress(2, 3)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        progress(3, 3)
    finally:
        connection.close()
