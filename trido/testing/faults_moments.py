"""Counting the moments of everybody: which has come now, and which faults are due then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import trio

from trido.runtime.place import AgentPlace
from trido.testing.faults_targets import Target, names_of
from trido.testing.plan import FaultPlan
from trido.testing.plan_check import impossible
from trido.testing.plan_errors import UnknownPoint
from trido.testing.plan_faults import CodeFault, Fault
from trido.testing.plan_points import Point, Who
from trido.testing.plan_survey import Moment, Survey


class Moments:
    """The moments that have come, each under all the names of whose it is."""

    def __init__(self, plan: FaultPlan, survey: Survey | None) -> None:
        self.plan: Final = plan
        self.survey: Final = survey
        self.happened: list[Fault] = []
        self.live: dict[Who, Target] = {}
        """Who is there, by each of their names."""
        self.absent: dict[str, str] = {}
        """What did not happen, since nobody was there at its time; and how to say so."""
        self.refused: UnknownPoint | None = None
        """Why the plan cannot happen, once that is known."""
        self._counts: Counter[tuple[Who, Any, str | None]] = Counter()
        self._waiting: dict[Moment, list[CodeFault]] = {}
        for fault in plan:
            if isinstance(fault, CodeFault):
                self._waiting.setdefault((fault.who, fault.at), []).append(fault)

    def count(self, who: Who, kind: Any, type: str | None = None) -> int:
        """How many of these there were, with this one."""
        self._counts[who, kind, type] += 1
        return self._counts[who, kind, type]

    def meet(self, moments: Sequence[Moment]) -> list[CodeFault]:
        """A moment has come, under these names: the faults whose it is."""
        if self.survey is not None:
            self.survey.note(moments, trio.current_time())
        met: list[CodeFault] = []
        if self._waiting:
            for moment in moments:
                met += self._waiting.pop(moment, ())
        self.happened += met
        return met

    def met(self, names: Iterable[Who], kind: Callable[[int], Point]) -> list[CodeFault]:
        """The next moment of this kind has come."""
        return self.meet([(who, kind(self.count(who, kind))) for who in names])

    def coming(self, names: Iterable[Who], kind: Callable[[int], Point]) -> list[CodeFault]:
        """What will happen when the next moment of this kind comes."""
        moments = [(who, kind(self._counts[who, kind, None] + 1)) for who in names]
        return [fault for moment in moments for fault in self._waiting.get(moment, ())]

    def there(self, target: Target) -> tuple[Who, ...]:
        """It is there from now on, under these names."""
        names = names_of(target)
        routes = target.agent.routes if isinstance(target, AgentPlace) else None
        if error := impossible(self.plan, names, routes):
            self.refuse(error)
        self.live.update(dict.fromkeys(names, target))
        if self.survey is not None:
            self.survey.names.update(names)
        return names

    def refuse(self, error: UnknownPoint) -> None:
        """It cannot happen."""
        self.refused = self.refused or error

    def both(self, names: Iterable[Who], kind: Any, type: str) -> list[Moment]:
        """The next moment of this kind, among all and among those of its type."""
        return [
            moment
            for who in names
            for moment in (
                (who, kind(self.count(who, kind))),
                (who, kind(self.count(who, kind, type), type=type)),
            )
        ]
