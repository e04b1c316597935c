"""The input file, line by line."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Self

import trio

from trido.cli.lines import MAX_BYTES

BUNDLED: Final = Path(__file__).parent / "data" / "desk.jsonl"
"""One day of an online shop, made by `trido.cli.sample`."""

_SNIFFED: Final = 8192
_BOM: Final = b"\xef\xbb\xbf"


class BadInput(Exception):
    """There is no input to work on; the message says why."""


class Source:
    """The lines of a file. Close it by ``with``."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
          BadInput: it is missing, unreadable, empty or no text at all.
        """
        self.path = path
        self.trouble: str | None = None
        """Why reading ended before the end of the file, if it did."""
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise BadInput(f"cannot read {path}: {_reason(error)}") from error
        # A pipe or a device may have nothing to read yet, and must not hold up everybody else.
        status = os.fstat(self._file.fileno())
        self._may_block = not stat.S_ISREG(status.st_mode)
        self._size = status.st_size
        try:
            self._sniff()
        except BadInput:
            self._file.close()
            raise
        self._lines = numbered(self._file)

    def _sniff(self) -> None:
        if self._may_block:
            return
        try:
            beginning = self._file.peek(_SNIFFED)
        except OSError as error:
            raise BadInput(f"cannot read {self.path}: {_reason(error)}") from error
        if not beginning:
            raise BadInput(f"{self.path} is empty")
        if is_binary(beginning):
            raise BadInput(f"{self.path} is binary, not JSON lines")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def progress(self) -> float | None:
        """How much of the file was read, from 0 to 1; None of what has no size."""
        if self._may_block:
            return None
        return min(1.0, self._file.tell() / self._size) if self._size else 1.0

    async def next(self) -> tuple[int, bytes] | None:
        """The next line and its number, from 1; None after the last. See `numbered`.

        Checkpoints: for what is not a regular file.
        """
        try:
            if self._may_block:
                return await trio.to_thread.run_sync(
                    next, self._lines, None, abandon_on_cancel=True
                )
            return next(self._lines, None)
        except OSError as error:
            self.trouble = f"cannot go on reading {self.path}: {_reason(error)}"
            return None

    def rest(self) -> Iterator[int]:
        """The numbers of the lines that were not read; none where that could last for ever."""
        if self._may_block:
            return
        try:
            for number, _ in self._lines:
                yield number
        except OSError as error:
            self.trouble = f"cannot go on reading {self.path}: {_reason(error)}"


def numbered(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Every line with its number, without its end; cut short if it is too long to be read."""
    number = 0
    while line := file.readline(MAX_BYTES + 1):
        number += 1
        rest = line
        while not rest.endswith(b"\n") and (rest := file.readline(MAX_BYTES)):
            pass
        yield number, (line.removeprefix(_BOM) if number == 1 else line).removesuffix(b"\n")


def is_binary(beginning: bytes) -> bool:
    """Whether a file that begins so can have no good line: zero bytes, and no object in sight."""
    return b"\0" in beginning and not any(
        line.lstrip().startswith(b"{") for line in beginning.splitlines()
    )


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
