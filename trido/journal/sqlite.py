"""A journal in a file of its own, by SQLite.

What works on it is imported when it is opened: whoever keeps nothing does not pay for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, final

import trio

from trido.checks import one_of
from trido.errors import SpecError
from trido.virtual import is_virtual

if TYPE_CHECKING:
    from trido.journal.inspection import Inspection, Progress
    from trido.journal.session import Session
    from trido.journal.view import View

A = TypeVar("A")

VERIFIED: Final = 64 * 2**20
"""64 MiB: a file of this size is read in a fraction of a second."""


_WRITERS: Final = ("thread",) if sys.platform == "win32" else ("thread", "process")


@final
class SqliteJournal:
    """A journal in a file, for one process at a time.

    What was written with ``sync`` survives a crash of the machine, the rest a crash of the process.
    The file is made when it is opened and is not there. Beside it are its log (``-wal``, ``-shm``)
    while it is open, and its lock (``-lock``); all belong together.

    Args:
      path: the file. It must not be on a network file system.
      verify: how many bytes a file may have to be read whole, and checked, whenever it is opened.
        Of a larger one only the table of agents is; what is damaged elsewhere is noticed when it is
        read. ``math.inf`` checks always.
      writer: who writes to it: a ``"thread"``, or a ``"process"`` of its own, which ends with this
        one. All Python of a process takes turns, so where a sync is quick, as on most SSDs, a
        process writes more turns a second: up to twice as many. It takes a tenth of a second to
        start, and some 30 MiB. Not on Windows. In virtual time there is neither: all is done on the
        spot.

    Raises:
      SpecError: an argument is not what it may be.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        verify: float = VERIFIED,
        writer: Literal["thread", "process"] = "thread",
    ) -> None:
        file = _path("SqliteJournal", "path", path)
        size: Any = verify
        if isinstance(size, bool) or not isinstance(size, int | float) or not size >= 0:
            raise SpecError("verify", verify, "a number of bytes", of="SqliteJournal")
        self.path: str = file
        """Where it is. Two names of one file are one journal."""
        self._verify = verify
        one_of("SqliteJournal", "writer", writer, _WRITERS)
        self._writer = writer

    def __repr__(self) -> str:
        return f"<trido.SqliteJournal {self.path!r}>"

    def open(self) -> AbstractAsyncContextManager[Session]:
        """Open it: ``async with journal.open() as session``.

        It is closed when the block is left, also if a write is still waited for: that one then
        raises `Unavailable`.

        Raises:
          Locked: a session has it, in this process or another.
          Corrupt: it is damaged, or is no journal. It is left as it is.
          TooNew: its format is newer than this version of trido.
          Unavailable: it cannot be opened: the reason says why.
        """
        from trido.journal.session import open_session  # noqa: PLC0415  # see above
        from trido.journal.ways import InOneThread  # noqa: PLC0415

        if self._writer == "process" and not is_virtual():
            from trido.journal.apart import Apart  # noqa: PLC0415
            from trido.journal.remote import RemoteStore  # noqa: PLC0415

            remote = RemoteStore(self.path, verify=self._verify)
            return open_session(remote.open, Apart(remote), InOneThread())

        from trido.journal.store import SqliteStore  # noqa: PLC0415

        make = partial(SqliteStore, self.path, verify=self._verify)
        return open_session(make, InOneThread(), InOneThread())

    def view(self) -> AbstractAsyncContextManager[View]:
        """Open it to read only: ``async with journal.view() as view``.

        Works beside an open session, of this process or another, and on what a process has left
        that was killed. Nothing is locked, and nothing in the file changes.

        Raises:
          Corrupt: it is damaged, or is no journal.
          TooNew: its format is newer than this version of trido.
          Unavailable: it is not there, or cannot be opened: the reason says why.
        """
        from trido.journal.shelf import SqliteShelf  # noqa: PLC0415  # see above
        from trido.journal.view import open_view  # noqa: PLC0415
        from trido.journal.ways import InOneThread  # noqa: PLC0415

        return open_view(partial(SqliteShelf, self.path), InOneThread())

    async def check(self, *, progress: Progress | None = None) -> tuple[str, ...]:
        """Look at all that is in it. Returns what is damaged, in words; nothing if it is sound.

        Works beside an open session, of this process or another. ``progress(done, of)`` is told of
        the rows that were looked at.

        Checkpoints: always, and stops soon if cancelled.

        Raises:
          JournalError: it cannot be looked at; as `open`.
        """
        from trido.journal import upkeep  # noqa: PLC0415  # see above

        return await self._work(upkeep.check, progress)

    async def inspect(self) -> Inspection:
        """Count what is in it. Works beside an open session.

        Checkpoints: always, and stops soon if cancelled.

        Raises:
          JournalError: it cannot be looked at; as `open`.
        """
        from trido.journal import upkeep  # noqa: PLC0415  # see above

        return await self._work(upkeep.inspect, None)

    async def backup(self, to: str | os.PathLike[str], *, progress: Progress | None = None) -> None:
        """Copy it, as it is at this moment, to a path where nothing is yet.

        Works beside an open session. The copy appears once it is whole and was found sound.
        ``progress(done, of)`` is told of the pages that were copied.

        Checkpoints: always, and stops soon if cancelled; then there is no copy.

        Raises:
          SpecError: ``to`` is no path of a file.
          JournalError: something is at ``to`` already, or it could not be copied.
        """
        from trido.journal import upkeep  # noqa: PLC0415  # see above

        file = _path("backup", "to", to)
        await self._work(partial(upkeep.backup, to=file), progress)

    async def compact(self, *, progress: Progress | None = None) -> tuple[int, int]:
        """Forget all that is not kept any longer, and make the file as small as it can be.

        Returns its size in bytes, before and after. ``progress(done, of)`` is told of the steps.

        Checkpoints: always, and stops soon if cancelled; then it holds what is to be kept all the
        same, and may be as large as before.

        Raises:
          Locked: a session has it.
          JournalError: it cannot be opened; as `open`.
        """
        from trido.journal import upkeep  # noqa: PLC0415  # see above

        return await self._work(partial(upkeep.compact, verify=self._verify), progress)

    async def _work(self, fn: Callable[[str, Progress], A], progress: Progress | None) -> A:
        if is_virtual():
            await trio.lowlevel.checkpoint()
            return fn(self.path, progress or _tell_nobody)

        def tell(done: int, of: int) -> None:
            trio.from_thread.check_cancelled()
            if progress:
                trio.from_thread.run_sync(progress, done, of)

        return await trio.to_thread.run_sync(fn, self.path, tell)


def _tell_nobody(done: int, of: int) -> None:
    pass


def _path(of: str, name: str, value: Any) -> str:
    """Where a file is, without the links on the way."""
    file = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(file, str) or not file or "\0" in file or file == ":memory:":
        raise SpecError(name, value, _FILE[name], of=of)
    try:
        real = os.path.realpath(file)
    except OSError as error:
        allowed = "an absolute path: the directory that it starts from is gone"
        raise SpecError(name, value, allowed, of=of) from error
    if real.endswith(_BESIDE):
        allowed = f"no name that ends in {', '.join(_BESIDE)}: a journal has such files beside it"
        raise SpecError(name, value, allowed, of=of)
    return real


_BESIDE: Final = ("-wal", "-shm", "-lock", "-journal", "-unfinished")
_FILE: Final = {
    "path": "the path of a file (in memory: trido.MemoryJournal())",
    "to": "the path of a file",
}
