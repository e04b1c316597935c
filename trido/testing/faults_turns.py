"""Which turn it is, and which of its directives, so that what is counted is found again later."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final, final

from trido.agents import Directive, Emit
from trido.agents.directive import Via
from trido.agents.running import Run
from trido.runtime.envelope import Envelope
from trido.testing.faults_targets import Place
from trido.testing.plan_points import DirectiveOf, Turn
from trido.testing.plan_survey import Moment

KEPT: Final = 256
"""How many turns of an agent are remembered. More are never in the making at once."""


@final
class Step:
    """One turn, under the names and numbers that it has."""

    def __init__(self, envelope: Envelope, moments: Sequence[Moment]) -> None:
        self.envelope: Final = envelope
        self._moments: Final = [(who, turn) for who, turn in moments if isinstance(turn, Turn)]
        self.directives: list[Directive | None] = []
        """Those that have not begun; None in the place of one that has."""

    def at(self, phase: Any) -> list[Moment]:
        """This moment of the turn."""
        return [(who, Turn(turn.nth, phase, type=turn.type)) for who, turn in self._moments]

    def of(self, index: int, moment: Any) -> list[Moment]:
        """This moment of one of its directives."""
        return [
            (who, DirectiveOf(turn.nth, index + 1, moment, type=turn.type))
            for who, turn in self._moments
        ]

    def take(self, directive: Directive, *, done: bool) -> int | None:
        """Which one this is, if it is one of those that have not begun."""
        for index, one in enumerate(self.directives):
            if one is directive:
                if done:
                    self.directives[index] = None
                return index
        return None

    def rest(self) -> list[int]:
        """Those that nobody carries out: the commit has done them."""
        left = [
            index
            for index, one in enumerate(self.directives)
            if one is not None and not awaits(one)
        ]
        for index in left:
            self.directives[index] = None
        return left


def awaits(directive: Directive) -> bool:
    """Whether code that awaits carries it out."""
    if isinstance(directive, Emit):
        return isinstance(directive.to, Via)
    return isinstance(directive, Run) or type(directive).__module__.partition(".")[0] != "trido"


@final
class TurnLog:
    """The latest turns of each agent."""

    def __init__(self) -> None:
        self._steps: dict[Place, deque[Step]] = {}

    def begin(self, place: Place, envelope: Envelope, moments: Sequence[Moment]) -> None:
        """One begins."""
        steps = self._steps.setdefault(place, deque(maxlen=KEPT))
        steps.append(Step(envelope, moments))

    def decided(
        self, place: Place, envelope: Envelope, directives: Iterable[Directive]
    ) -> Step | None:
        """It has decided on these."""
        step = self._step(place, envelope)
        if step is not None:
            step.directives = list(directives)
        return step

    def committed(self, place: Place, envelope: Envelope) -> Step | None:
        """It is committed."""
        return self._step(place, envelope)

    def _step(self, place: Place, envelope: Envelope) -> Step | None:
        steps = self._steps.get(place, ())
        return next((one for one in reversed(steps) if one.envelope is envelope), None)

    def find(self, place: Place, directive: Directive, *, done: bool) -> tuple[Step, int] | None:
        """Whose directive this is, and which; with ``done``, it is not found again."""
        for step in self._steps.get(place, ()):
            index = step.take(directive, done=done)
            if index is not None:
                return step, index
        return None
