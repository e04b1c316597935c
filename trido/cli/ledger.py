"""What became of every line: each is opened once and settled once. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal, TypeAlias, get_args

from attrs import Factory, define, field, frozen

Fate: TypeAlias = Literal["handled", "refused", "dead_lettered", "not_delivered"]
FATES: Final[tuple[Fate, ...]] = get_args(Fate)

_KEPT: Final = 3
"""How many line numbers are kept as examples of each reason."""
_REASONS: Final = 50
"""How many reasons are told apart; the rest are counted together."""


@define
class Reason:
    """Why lines met a fate, and which."""

    count: int = 0
    lines: list[int] = Factory(list)
    """The first few of them."""

    def add(self, line: int) -> None:
        """One more."""
        self.count += 1
        if len(self.lines) < _KEPT:
            self.lines.append(line)


@frozen
class Balance:
    """The sum of it all."""

    lines: int
    handled: int
    refused: int
    dead_lettered: int
    not_delivered: int
    unaccounted: int
    """Lines of which nobody ever said what became of them. Not one may be."""
    settled_twice: int
    """Lines of which it was said more than once. Not one may be."""

    @property
    def is_clean(self) -> bool:
        """Whether every line is accounted for exactly once."""
        return self.unaccounted == 0 and self.settled_twice == 0


@define
class Ledger:
    """Keeps the books. Memory: the lines that are open, and a little for each reason."""

    lines: int = 0
    settled: Counter[Fate] = Factory(Counter)
    settled_twice: int = 0
    reasons: dict[Fate, dict[str, Reason]] = field(factory=lambda: {fate: {} for fate in FATES})
    _open: set[int] = Factory(set)

    def open(self, line: int) -> None:
        """A line was read."""
        self.lines += 1
        self._open.add(line)

    def settle(self, line: int, fate: Fate, reason: str = "") -> None:
        """It is known what became of a line; ``reason`` names the kind of cause, not the case."""
        if line not in self._open:
            self.settled_twice += 1
            return
        self._open.remove(line)
        self.settled[fate] += 1
        if reason:
            known = self.reasons[fate]
            key = reason if reason in known or len(known) < _REASONS else "other reasons"
            known.setdefault(key, Reason()).add(line)

    @property
    def waiting(self) -> int:
        """How many lines are open."""
        return len(self._open)

    def unaccounted(self) -> list[int]:
        """The lines that are open, in order: at the end there must be none."""
        return sorted(self._open)

    def balance(self) -> Balance:
        """The sum of it all, as of now."""
        return Balance(
            lines=self.lines,
            handled=self.settled["handled"],
            refused=self.settled["refused"],
            dead_lettered=self.settled["dead_lettered"],
            not_delivered=self.settled["not_delivered"],
            unaccounted=len(self._open),
            settled_twice=self.settled_twice,
        )
