"""What is outside, and outlives a process: files that are appended to, one line at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, final


@final
class Lines:
    """A file of lines. A line is there once it is synced; half of one at the end never was."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        whole = path.read_bytes()
        os.ftruncate(self._file, whole.rfind(b"\n") + 1)

    def add(
        self,
        line: str,
        *,
        half: Callable[[], object] = lambda: None,
        written: Callable[[], object] = lambda: None,
        sync: bool = True,
    ) -> None:
        """Append a line; ``half`` and ``written`` are called on the way."""
        text = f"{line}\n".encode()
        os.write(self._file, text[: len(text) // 2])
        half()
        os.write(self._file, text[len(text) // 2 :])
        written()
        if sync:
            os.fdatasync(self._file)


def lines(path: Path) -> list[list[str]]:
    """The words of each line that is whole."""
    if not path.exists():
        return []
    *whole, _ = path.read_text().split("\n")
    return [line.split(" ") for line in whole]


CHARGES: Final = "charges"
"""What the keyed receiver was told: ``new`` or ``again``, the id, the turn."""
NOTICES: Final = "notices"
"""What the other one was told: the id, the turn."""
CALLS: Final = "calls-{}"
"""Of one client: ``ask`` agent id type amount, then ``got`` agent id answer, and complaints."""
