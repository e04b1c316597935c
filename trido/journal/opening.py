"""Opening a journal's file: by one session at a time, and only if it is sound.

Nothing is written before all that can be looked at was found good, and that is looked at through a
connection that cannot write. Closing a connection that can write moves the log into the file, so
one that found damage must not be the last to close.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Final, Literal

from trido.journal.errors import Corrupt, Locked, Unavailable
from trido.journal.faults import FAULTS, RESTORE, failure
from trido.journal.header import (
    FIRST_LOOK,
    check_header,
    check_marks,
    has_log,
    is_put_away,
    log_size,
)
from trido.journal.layout import APPLICATION, SCHEMA, VERSION

BUSY: Final = 5.0
"""Seconds to wait for another program that uses the file, such as a backup or SQLite's shell."""


@contextmanager
def faults_of(file: str) -> Generator[None]:
    """Raise what SQLite and the operating system raise as a `JournalError`."""
    try:
        yield
    except FAULTS as error:
        raise failure(file, error) from error


def connect(file: str, mode: Literal["ro", "rw", "rwc"]) -> sqlite3.Connection:
    """A connection in which nothing begins or commits by itself."""
    # SQLite puts files beside one that it reads, unless it is told that the file does not change.
    put_away = "&immutable=1" if mode == "ro" and is_put_away(file) else ""
    connection = sqlite3.connect(
        f"{Path(file).absolute().as_uri()}?mode={mode}{put_away}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY,
        cached_statements=512,
    )
    # A text whose bytes were damaged is to be noticed by its seal.
    connection.text_factory = _text
    return connection


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")


def lock(file: str) -> sqlite3.Connection:
    """Hold the journal until the connection is closed, or the process ends, however it ends.

    A lock of SQLite's own on a file beside the journal: it works between processes and in one, is
    not inherited, and leaves readers of the journal alone.

    Raises:
      Locked: somebody else holds it.
    """
    connection = connect(f"{file}-lock", "rwc")
    try:
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        connection.close()
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_NOTADB:
            reason = "the -lock beside it is something else"
            raise Unavailable(file, reason, "move that away: the journal makes its own") from error
        if code != sqlite3.SQLITE_BUSY:
            raise
        remedy = "close the session that has it, in this process or another"
        raise Locked(file, "it is open already", remedy) from error
    return connection


def exists(file: str) -> bool:
    """Whether there is something that can be a journal; False if there is nothing.

    Raises:
      Corrupt: there is what remains of one, or something else.
      TooNew: its format is newer than this.
      Unavailable: it is a directory, or a link to itself.
    """
    path = Path(file)
    if path.is_dir():
        raise Unavailable(file, "it is a directory", "give the path of a file")
    if not path.exists():
        if path.is_symlink():
            raise Unavailable(file, "it is a link that leads nowhere", "give the path of a file")
        if has_log(file):
            remedy = f"put the file back beside {path.name}-wal, or move that away to start anew"
            raise Corrupt(file, "its log is there, and the file is not", remedy)
        return False
    if not path.stat().st_size:
        raise Corrupt(file, "it is empty, and a journal never is", RESTORE)
    check_header(file)
    return True


def create(file: str) -> None:
    """Make a new journal. It appears whole: a crash leaves either a journal or none."""
    new = unfinished(file)
    connection = connect(str(new), "rwc")
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.executescript(f"BEGIN; {SCHEMA} COMMIT;")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
    finally:
        connection.close()
    new.rename(file)
    sync_directory(file)


def unfinished(file: str) -> Path:
    """The name of a journal that is being made."""
    return Path(f"{file}-unfinished")


def clear(file: str) -> None:
    """Remove what a process has left that was killed as it made this file."""
    new = unfinished(file)
    for rest in (new, Path(f"{new}-journal"), Path(f"{new}-wal"), Path(f"{new}-shm")):
        rest.unlink(missing_ok=True)


def check_links(file: str) -> None:
    """Raise `Unavailable` if a file has more names: by each it would have another log."""
    if Path(file).stat().st_nlink > 1:
        remedy = "remove the others, or copy it, with its -wal, and use the copy"
        raise Unavailable(file, "the file has more names (hard links)", remedy)


def sync_directory(file: str) -> None:
    """Have the name of a file survive a crash of the machine."""
    directory = os.open(Path(file).parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def reader(file: str, *, whole_up_to: float) -> sqlite3.Connection:
    """A connection that cannot write, to a journal that was found sound.

    A file of at most ``whole_up_to`` bytes is looked at whole, of a larger one the table of agents.

    Raises:
      Corrupt: it is no journal, or is damaged.
      TooNew: its format is newer than this.
    """
    connection = connect(file, "ro")
    try:
        check_format(file, connection)
        check_soundness(file, connection, whole=size(file) <= whole_up_to)
    except BaseException:
        connection.close()
        raise
    return connection


def check_format(file: str, connection: sqlite3.Connection) -> None:
    """Raise `Corrupt` if it has not a journal's tables, `TooNew` if its format is a newer one."""
    with FIRST_LOOK:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    check_marks(file, application, version)
    if _schema(connection) != _expected():
        raise Corrupt(file, "its tables are damaged", RESTORE)


def _schema(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    sql = "SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name"
    return connection.execute(sql).fetchall()


@cache
def _expected() -> list[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        return _schema(connection)


def check_soundness(file: str, connection: sqlite3.Connection, *, whole: bool) -> None:
    """Raise `Corrupt` unless pages, rows and indexes agree: of all tables, or of agents only."""
    if is_cut_off(file, connection):
        raise Corrupt(file, "it is cut off", RESTORE)
    check = "PRAGMA integrity_check(1)" if whole else "PRAGMA integrity_check(agents)"
    found = connection.execute(check).fetchone()[0]
    if found != "ok":
        raise Corrupt(file, f"it is damaged ({found})", RESTORE)


def is_cut_off(file: str, connection: sqlite3.Connection) -> bool:
    """Whether its last page is not whole."""
    page = connection.execute("PRAGMA page_size").fetchone()[0]
    # With a log, it may be that the log was being moved into it.
    return not has_log(file) and Path(file).stat().st_size % page > 0


def size(file: str) -> int:
    """How many bytes it has, with its log."""
    return Path(file).stat().st_size + log_size(file)


def writer(file: str) -> sqlite3.Connection:
    """A connection that writes to a journal that is there."""
    connection = connect(file, "rw")
    try:
        with FIRST_LOOK:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA cell_size_check = ON")  # notices damage earlier
        connection.execute("PRAGMA secure_delete = OFF")
        # If it cannot be written, that is told now.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("ROLLBACK")
    except BaseException:
        connection.close()
        raise
    return connection
