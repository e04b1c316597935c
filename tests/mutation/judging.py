"""Changes, what became of them, and what the list of survivors says of those that were let be."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal, TypeAlias, final

from attrs import frozen

WANTED: Final = 0.95
"""Which part of the changes is to be noticed."""

Outcome: TypeAlias = Literal["noticed", "too long", "unnoticed"]

_FOR_TYPE_CHECKERS = re.compile(r'\bcast\((?:"[^"]*"|[^(),"]*), ')


@final
@frozen
class Change:
    """One small change, by what stays the same as long as its line does."""

    where: str
    """The function, from its module on."""
    was: str
    now: str
    nth: int = 1
    """Which of several such lines of the function."""

    @property
    def module(self) -> str:
        """The module, as long as its classes have names like classes."""
        return ".".join(
            part for part in self.where.split(".")[:-1] if not re.match("_*[A-Z]", part)
        )

    def __str__(self) -> str:
        nth = f" (no. {self.nth})" if self.nth > 1 else ""
        return f"{self.where}{nth}\n  - {self.was}\n  + {self.now}"


@final
@frozen
class Mutant:
    """A change that can be switched on."""

    change: Change
    name: str
    """What the environment says to switch it on."""
    function: str
    """A digest of the function as it is, without the change."""


def lines_of(before: str, after: str) -> tuple[str, str]:
    """What was changed, in one line; and into what."""
    removed, added = [], []
    for line in difflib.ndiff(before.splitlines(), after.splitlines()):
        if line.startswith("- "):
            removed.append(line[2:].strip())
        elif line.startswith("+ "):
            added.append(line[2:].strip())
    return " ".join(removed), " ".join(added)


def numbered(found: Iterable[tuple[str, str, str]]) -> list[Change]:
    """The changes, given where they are, what was and what is now."""
    seen: Counter[tuple[str, str, str]] = Counter()
    changes = []
    for one in found:
        seen[one] += 1
        changes.append(Change(*one, nth=seen[one]))
    return changes


def runs_the_same(change: Change) -> bool:
    """Whether only type checkers see it: it is in the first argument of a `cast`."""
    was, now = (_FOR_TYPE_CHECKERS.sub("cast(", text) for text in (change.was, change.now))
    return was == now


def judged(text: str) -> dict[Change, str]:
    """Read the list of survivors: each with the reason why no test notices it.

    Raises:
      ValueError: one of them has no reason, or stands there twice.
    """
    found: dict[Change, str] = {}
    for group in tomllib.loads(text).get("because", []):
        for fields in group["changes"]:
            change = Change(*fields)
            if change in found or not group["why"].strip():
                raise ValueError(f"no reason, or two: {change}")
            found[change] = group["why"]
    return found


@final
@frozen
class Verdict:
    """What is to be said of a whole run."""

    text: str
    good: bool


def verdict(
    outcomes: Mapping[Change, Outcome], reasons: Mapping[Change, str], modules: Collection[str]
) -> Verdict:
    """Say which changes nobody noticed and nobody judged, and how many were noticed.

    A change that was judged counts as unnoticed, like any other. What is listed though it is
    noticed by now, or is no more, is told: of these modules, that is; all of them were looked at.
    """
    unnoticed = [one for one, outcome in outcomes.items() if outcome == "unnoticed"]
    unjudged = [one for one in unnoticed if one not in reasons]
    stale = [one for one in reasons if one.module in modules and one not in unnoticed]
    part = 1 - len(unnoticed) / max(len(outcomes), 1)
    said = [
        *(f"not noticed, and not judged: {one}" for one in unjudged),
        *(f"judged, but {_why_stale(one, outcomes)}: {one}" for one in stale),
        *_table(outcomes, reasons),
        f"{len(outcomes) - len(unnoticed)} of {len(outcomes)} changes were noticed: {part:.1%}",
    ]
    return Verdict("\n".join(said), good=part >= WANTED and not unjudged and not stale)


def _why_stale(change: Change, outcomes: Mapping[Change, Outcome]) -> str:
    return "noticed by now" if change in outcomes else "there is no such change"


def _table(outcomes: Mapping[Change, Outcome], reasons: Mapping[Change, str]) -> Iterable[str]:
    row = "{:<40}{:>8}{:>9}{:>10}{:>8}{:>12}".format
    yield row("module", "changes", "noticed", "too long", "judged", "not judged")
    for module in sorted({change.module for change in outcomes}):
        mine = {one: outcome for one, outcome in outcomes.items() if one.module == module}
        left = [one for one, outcome in mine.items() if outcome == "unnoticed"]
        late = sum(outcome == "too long" for outcome in mine.values())
        known = sum(one in reasons for one in left)
        yield row(module, len(mine), len(mine) - len(left), late, known, len(left) - known)
