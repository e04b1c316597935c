"""A journal's file that is only read, through one connection that cannot write."""

from __future__ import annotations

from typing import Any, TypeVar, cast, final

from trido.journal import opening
from trido.journal.errors import Unavailable
from trido.journal.operations import Query
from trido.journal.reading import Reader

A = TypeVar("A")


@final
class SqliteShelf:
    """A file that is there.

    Raises:
      JournalError: it cannot be opened, or is not sound.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        with opening.faults_of(file):
            if not opening.exists(file):
                raise Unavailable(file, "it is not there", "give the path of a journal")
            # A file of any size is opened at once: each row has its seal.
            self._connection = opening.reader(file, whole_up_to=0)
        self._reader = Reader(file, self._connection)

    def read(self, query: Query[A]) -> A:
        """Answer a query."""
        with opening.faults_of(self.file):
            return cast("A", self._reader.answer(cast("Query[Any]", query)))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
