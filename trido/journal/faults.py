"""What SQLite and the operating system say went wrong, in a journal's words."""

from __future__ import annotations

import errno
import sqlite3
from typing import Final, TypeAlias

from trido.journal.errors import Corrupt, JournalError, Unavailable

RESTORE: Final = (
    "it is left as it is: move it away, with its -wal and -shm, and restore a backup or start anew"
)

_WHERE: Final = (
    "its directory must be there, and the process must be able to write there, or be given a copy"
    " of it with its -wal, where it may"
)
_Words: TypeAlias = tuple[type[JournalError], str, str]

_FAULTS: Final[dict[int, _Words]] = {
    sqlite3.SQLITE_CORRUPT: (Corrupt, "it is damaged", RESTORE),
    sqlite3.SQLITE_NOTADB: (Corrupt, "it is no journal, or is damaged", RESTORE),
    sqlite3.SQLITE_CONSTRAINT: (Corrupt, "it contradicts itself", RESTORE),
    sqlite3.SQLITE_FULL: (Unavailable, "the disk is full", "make room"),
    sqlite3.SQLITE_READONLY: (
        Unavailable,
        "it cannot be written",
        "let the process write the file, its -wal and -shm, and its directory",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        Unavailable,
        "it cannot be opened",
        _WHERE,
    ),
    sqlite3.SQLITE_IOERR: (Unavailable, "the disk failed", "see to the disk"),
    sqlite3.SQLITE_BUSY: (Unavailable, "another program is writing to it", "end that program"),
}

_ELSE: Final = (Unavailable, "SQLite failed", "see what it says")


FAULTS: Final = (sqlite3.Error, OSError, UnicodeDecodeError)
"""What is raised if something is wrong with a file."""


_OF_SYSTEM: Final[dict[int, _Words]] = {
    errno.EMFILE: (Unavailable, "too many files are open", "close some, or raise the limit"),
    errno.ENFILE: (Unavailable, "too many files are open", "close some, or raise the limit"),
    errno.ENOSPC: _FAULTS[sqlite3.SQLITE_FULL],
    errno.EDQUOT: _FAULTS[sqlite3.SQLITE_FULL],
    errno.EIO: _FAULTS[sqlite3.SQLITE_IOERR],
    errno.ENAMETOOLONG: (Unavailable, "its name is too long", "give it a shorter one"),
}


def failure(file: str, error: Exception) -> JournalError:
    """What is raised for one of `FAULTS`, which goes with it as its cause."""
    known = _OF_SYSTEM.get(error.errno or 0) if isinstance(error, OSError) else None
    kind, reason, remedy = known or _FAULTS.get(_code(error), _ELSE)
    said = " ".join(str(error).split())  # what SQLite says may be several lines
    one = kind(file, f"{reason} ({said})", remedy)
    one.__cause__ = error
    return one


def _code(error: Exception) -> int:
    if isinstance(error, OSError):
        return sqlite3.SQLITE_CANTOPEN
    if isinstance(error, UnicodeDecodeError):  # from a message that quotes what is damaged
        return sqlite3.SQLITE_CORRUPT
    # The low byte is the kind of error, the rest says more about it.
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_damage(error: Exception) -> bool:
    """Whether SQLite found its file damaged."""
    return isinstance(failure("", error), Corrupt)


def row_damaged(file: str, what: str) -> Corrupt:
    """What is raised for a row that is not what was written."""
    return Corrupt(file, f"{what} is damaged", RESTORE)
