"""What was found, in a file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, final

import cattrs

from tests.mutation.judging import Change, Mutant, Outcome


@final
class Book:
    """What was found, kept in a file: a line for each change and round.

    What was noticed stays so as long as its function is the same; what was not, as long as all of
    the copy is.
    """

    def __init__(self, path: Path, copy: str) -> None:
        self._path, self._copy = path, copy
        self._noticed: dict[tuple[Change, str], Outcome] = {}
        self._unnoticed: dict[Change, int] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._read(json.loads(line))

    def _read(self, line: dict[str, Any]) -> None:
        change = cattrs.structure(line["change"], Change)
        outcome: Outcome = line["outcome"]
        if outcome != "unnoticed":
            self._noticed[change, line["function"]] = outcome
        elif line["copy"] == self._copy:
            self._unnoticed[change] = line["round"]

    def is_open(self, mutant: Mutant, number: int) -> bool:
        """Whether it is still to be seen if this round's tests notice it."""
        if (mutant.change, mutant.function) in self._noticed:
            return False
        return self._unnoticed.get(mutant.change, -1) < number

    def write(self, number: int, mutant: Mutant, outcome: Outcome) -> None:
        line = {
            "change": cattrs.unstructure(mutant.change),
            "function": mutant.function,
            "copy": self._copy,
            "round": number,
            "outcome": outcome,
        }
        self._read(line)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def outcomes(self, mutants: Iterable[Mutant]) -> dict[Change, Outcome]:
        """What became of each."""
        return {
            one.change: self._noticed.get((one.change, one.function), "unnoticed")
            for one in mutants
        }
