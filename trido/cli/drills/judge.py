"""The judge of a drill: figures against limits. Pure; what is measured is another's business."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from attrs import frozen

Figures: TypeAlias = Mapping[str, float]
"""What a drill found, by names that say what it is."""
Relation: TypeAlias = Literal["at least", "at most"]


@frozen
class Limit:
    """What a figure has to be."""

    figure: str
    relation: Relation
    value: float

    def admits(self, found: float) -> bool:
        """Whether ``found`` is within it."""
        return found >= self.value if self.relation == "at least" else found <= self.value


def at_least(figure: str, value: float) -> Limit:
    """The figure has to be that, or more."""
    return Limit(figure, "at least", value)


def at_most(figure: str, value: float) -> Limit:
    """The figure has to be that, or less."""
    return Limit(figure, "at most", value)


@frozen(kw_only=True)
class Check:
    """One limit, and what was found."""

    limit: Limit
    found: float | None
    """None: it was not even measured."""
    passed: bool

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "figure": self.limit.figure,
            "found": self.found,
            self.limit.relation.replace(" ", "_"): self.limit.value,
            "passed": self.passed,
        }


@frozen(kw_only=True)
class Verdict:
    """How a drill went."""

    name: str
    checks: tuple[Check, ...]
    passed: bool
    trouble: str | None = None
    """What kept the drill from being carried out to its end."""

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "drill": self.name,
            "passed": self.passed,
            "trouble": self.trouble,
            "checks": [one.as_json() for one in self.checks],
        }


def judge(
    name: str, limits: Sequence[Limit], figures: Figures, trouble: str | None = None
) -> Verdict:
    """Passed is what is within every limit, and was carried out to its end."""
    checks = tuple(_check(limit, figures.get(limit.figure)) for limit in limits)
    passed = trouble is None and all(one.passed for one in checks)
    return Verdict(name=name, checks=checks, passed=passed, trouble=trouble)


def _check(limit: Limit, found: float | None) -> Check:
    return Check(limit=limit, found=found, passed=found is not None and limit.admits(found))
