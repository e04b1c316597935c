"""A store whose writes are carried out in a process of their own.

All Python of one process runs under one lock, so a thread that writes and an event loop that
decides take turns. Two processes do not: the next batch is decided while one is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast, final

from outcome import Outcome

from trido.journal import line, wire
from trido.journal.line import Line, Spawn
from trido.journal.names import Names
from trido.journal.operations import Query, Write
from trido.journal.shelf import SqliteShelf

A = TypeVar("A")


@final
class RemoteStore:
    """The store of a file that another process has open to write, and this one to read.

    `write` waits for that process, as a store does. `trido.journal.apart` does not wait: it sends
    and receives by the `line`, and by nothing else.
    """

    def __init__(self, file: str, *, verify: float, spawn: Spawn = line.spawn) -> None:
        self.file = file
        self._verify = verify
        self._spawn = spawn
        self._line: Line | None = None
        self._shelf: SqliteShelf | None = None
        self._names: Names | None = None

    @property
    def line(self) -> Line:
        """The line to the process, since it was opened; the process may have ended."""
        return cast("Line", self._line)

    def is_open(self) -> bool:
        """Whether the process is there, as far as can be seen at once."""
        return self._line is not None and self._line.is_open()

    def open(self) -> RemoteStore:
        """Start the process, unless it is there; return once it has opened the file.

        Raises:
          JournalError: it cannot be opened, or is not sound.
        """
        if not self.is_open():
            self._hang_up()
            self._check_names()
            self._line = Line(self.file, verify=self._verify, spawn=self._spawn)
            try:
                self._answer(self._line.ask())
                self._check_names()
                self._shelf = self._shelf or SqliteShelf(self.file)
                self._names = self._names or Names(self.file)
            except BaseException:
                self._hang_up()
                raise
        return self

    def _check_names(self) -> None:
        """Another process goes on with the same file: it must not make a new one."""
        if self._names and (lost := self._names.lost()):
            raise lost

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None

    def close(self) -> None:
        """Close the file, and return once the process has ended: others can have it then."""
        cast("SqliteShelf", self._shelf).close()
        self._hang_up()

    def read(self, query: Query[A]) -> A:
        """Answer a query."""
        return cast("SqliteShelf", self._shelf).read(query)

    def write(self, batch: Sequence[Write[Any]], *, sync: bool) -> list[Outcome[Any]]:
        """Carry a batch out in one transaction."""
        return self._answer(self.open().line.ask(wire.pack_batch(batch, sync=sync)))

    def _answer(self, result: list[Outcome[Any]] | Exception) -> list[Outcome[Any]]:
        if isinstance(result, Exception):
            raise result
        return result
