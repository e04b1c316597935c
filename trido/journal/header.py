"""The first bytes of a file: what is no journal is refused before anything is put beside it."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from typing import Final

from trido.journal.errors import Corrupt, TooNew
from trido.journal.faults import RESTORE
from trido.journal.layout import APPLICATION, VERSION

_MAGIC: Final = b"SQLite format 3\0"
_VERSION: Final = slice(60, 64)
_APPLICATION: Final = slice(68, 72)


FIRST_LOOK: Final = Lock()
"""Held to look at a file of which SQLite has no connection in this process, and to make the first.

To close a file is, by POSIX, to give up all locks that the process has on it. If SQLite loses its
own, another program may take the log away that is written to.
"""


def check_header(file: str) -> None:
    """Raise `Corrupt` if a file is no journal, `TooNew` if its format is a newer one.

    With a log, though it is empty, nothing is said: somebody may have the file open, in this
    process too, and what counts may be in the log.
    """
    with FIRST_LOOK:
        if Path(f"{file}-wal").exists():
            return
        with Path(file).open("rb") as opened:
            head = opened.read(100)
    if not head.startswith(_MAGIC):
        raise Corrupt(file, "it is no journal, or is damaged (file is not a database)", RESTORE)
    check_marks(file, _number(head[_APPLICATION]), _number(head[_VERSION]))


def check_marks(file: str, application: int, version: int) -> None:
    """As `check_header`, of what the file says it is."""
    if application != APPLICATION:
        remedy = "give the path of a journal, or of a file that is not there yet"
        raise Corrupt(file, "it is a SQLite file, but no journal", remedy)
    if version > VERSION:
        reason = f"its format is {version}, and this trido knows {VERSION}"
        raise TooNew(file, reason, "open it with the trido that wrote it, or a newer one")


def has_log(file: str) -> bool:
    """Whether there is something in its log."""
    return log_size(file) > 0


def log_size(file: str) -> int:
    """How many bytes its log has."""
    try:
        return Path(f"{file}-wal").stat().st_size
    except FileNotFoundError:  # whoever had it open may take it away at any moment
        return 0


def is_put_away(file: str) -> bool:
    """Whether it has no log, and lies where this process can put none: so it can only be read."""
    directory = Path(file).absolute().parent
    has_more = has_log(file) or Path(f"{file}-shm").exists()
    may = os.access(directory, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
    return directory.exists() and not has_more and not may


def _number(stored: bytes) -> int:
    return int.from_bytes(stored, "big")
