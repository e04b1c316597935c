"""What there is in a scenario that could fail: who, and which of their moments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypeAlias, final

from attrs import Factory, define

from trido.testing.plan_points import Point, Who

Moment: TypeAlias = tuple[Who, Point]
"""A point in somebody's life, under one of the names that they have."""


@final
@define(eq=False)
class Survey:
    """What there is in a scenario."""

    agents: dict[str, str] = Factory(dict)
    """The name of each agent's definition, by the agent's id."""
    children: dict[str, str] = Factory(dict)
    """The id of each child that is a function, by its path."""
    names: set[Who] = Factory(set)
    """All the names of everybody."""
    seen: dict[Moment, None] = Factory(dict)
    """Every moment that came, under each name."""
    moments: list[Moment] = Factory(list)
    """Those under the first name of each, in the order in which they came."""
    operations: Counter[str] = Factory(Counter)
    """How often storage was asked for what."""
    trace: list[str] = Factory(list)
    """Everything that came, and when."""

    def note(self, moments: Iterable[Moment], time: float) -> None:
        """This has come: one moment, under all its names."""
        told = list(moments)
        self.seen.update(dict.fromkeys(told))
        self.moments.append(told[0])
        self.trace.append(f"{time!r} {told[0][0]} {told[0][1]}")

    @property
    def everybody(self) -> list[str]:
        """All who can be named, in the words of plans."""
        return sorted(map(str, self.names))

    def points(self, who: Who) -> list[Point]:
        """The moments of somebody, in order."""
        return [point for one, point in self.seen if one == who]
