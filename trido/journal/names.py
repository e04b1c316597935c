"""Whether files still have the names by which they were opened.

A file that has lost its name can be written to as before, and is gone when it is closed: nothing
that is written to it must be acknowledged.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Final, final

from trido.journal.errors import Unavailable

CALM: Final = 50_000_000
"""Nanoseconds: a clock of a file system may be so coarse that two changes have the same time."""
_SECOND: Final = 1_000_000_000


@final
class Names:
    """What is there under some names, all in one directory.

    Raises:
      OSError: there is nothing under one of them.
    """

    def __init__(self, file: str, more: Iterable[str] = ()) -> None:
        self._file = file
        self._directory = os.path.dirname(file)  # noqa: PTH120  # a Path takes as long as a look
        self._found = [(name, _identity(name)) for name in (file, *more)]
        self._calm: tuple[int, int, int] | None = None
        """The directory as it was when the names were right: a name that changes changes it."""

    def lost(self) -> Unavailable | None:
        """What is to be raised if something else is there now, or nothing."""
        try:
            directory = _stamp(self._directory)
        except OSError:
            directory = None
        if directory is not None and directory == self._calm:
            return None
        self._calm = None
        for name, before in self._found:
            if not _is_there(name, before):
                reason = f"{name} was moved, deleted or replaced while it was open"
                return Unavailable(self._file, reason, "put it back, and open the journal again")
        if directory is not None and _is_calm(directory[2]):
            self._calm = directory
        return None


def _is_calm(changed: int) -> bool:
    """Whether a change after this one has another time. Some file systems count seconds only."""
    return changed % _SECOND != 0 and time.time_ns() - changed > CALM


def _is_there(name: str, before: tuple[int, int]) -> bool:
    try:
        return _identity(name) == before
    except OSError:
        return False


def _identity(name: str) -> tuple[int, int]:
    found = os.stat(name)  # noqa: PTH116  # as above
    return found.st_dev, found.st_ino


def _stamp(directory: str) -> tuple[int, int, int]:
    found = os.stat(directory)  # noqa: PTH116  # as above
    return found.st_dev, found.st_ino, found.st_mtime_ns
