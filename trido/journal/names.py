"""Whether files still have the names by which they were opened.

A file that has lost its name can be written to as before, and is gone when it is closed: nothing
that is written to it must be acknowledged.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeAlias, final

from trido.journal.errors import Unavailable

_Identity: TypeAlias = tuple[int, int]


@final
class Names:
    """What is there under some names.

    Raises:
      OSError: there is nothing under one of them.
    """

    def __init__(self, file: str, more: Iterable[str] = ()) -> None:
        self._file = file
        self._found = [(name, _identity(name)) for name in (file, *more)]

    def lost(self) -> Unavailable | None:
        """What is to be raised if something else is there now, or nothing."""
        for name, before in self._found:
            try:
                is_same = _identity(name) == before
            except OSError:
                is_same = False
            if not is_same:
                reason = f"{name} was moved, deleted or replaced while it was open"
                return Unavailable(self._file, reason, "put it back, and open the journal again")
        return None


def _identity(name: str) -> _Identity:
    found = os.stat(name)  # noqa: PTH116  # called for each batch; a Path takes as long again
    return found.st_dev, found.st_ino
