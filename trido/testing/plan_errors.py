"""What is wrong with a plan, or with a scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trido.agents.frozen import EMPTY
from trido.errors import TridoError


class PlanSyntaxError(TridoError, ValueError):
    """A line that does not read like a plan.

    Attributes:
      line: the line.
      at: where in it, counted in characters from 0.
      expected: what may stand there.
    """

    def __init__(self, line: str, at: int, expected: str) -> None:
        super().__init__(line, at, expected)
        self.line = line
        self.at = at
        self.expected = expected

    def __str__(self) -> str:
        rest = self.line[self.at :]
        found = repr(rest.partition(";")[0].strip() or rest) if rest else "its end"
        return f"{self.line!r} is no plan: at {found} it must say {self.expected}"


class UnknownPoint(TridoError, LookupError):
    """A plan names what is not there. Nothing of it has happened.

    Attributes:
      fault: the line of the fault.
      what: what is not there.
      known: what is, instead.
    """

    def __init__(self, fault: str, what: str, known: Sequence[str]) -> None:
        super().__init__(fault, what, known)
        self.fault = fault
        self.what = what
        self.known: tuple[str, ...] = tuple(known)

    def __str__(self) -> str:
        there = ", ".join(self.known) or "nothing"
        return f"{self.fault!r}: there is no {self.what}; there is {there}"


class NotReached(TridoError, RuntimeError):
    """A run came to its end, and not all of its plan had happened: it never came to that place.

    Attributes:
      faults: the lines of the faults that did not happen.
      reasons: why, by the line, of those of which that is known.
    """

    def __init__(self, faults: Sequence[str], reasons: Mapping[str, str] = EMPTY) -> None:
        super().__init__(faults, reasons)
        self.faults: tuple[str, ...] = tuple(faults)
        self.reasons: Mapping[str, str] = reasons

    def __str__(self) -> str:
        said = [f"{one!r} did not happen: {why}" for one, why in self.reasons.items()]
        rest = ", ".join(repr(one) for one in self.faults if one not in self.reasons)
        if rest:
            said.append(
                f"{rest} did not happen: the run was over before it came there, or what is there"
                " never awaits; name a place that it comes to"
            )
        return "; ".join(said)


class NotReproducible(TridoError, RuntimeError):
    """A scenario depends on something that no seed decides, so it cannot be replayed.

    Attributes:
      what: what it depends on.
      place: where: ``file:line``.
      remedy: what to do instead.
    """

    def __init__(self, what: str, place: str, remedy: str) -> None:
        super().__init__(what, place, remedy)
        self.what = what
        self.place = place
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.place}: {self.what} cannot be replayed; {self.remedy}"


class NotOver(TridoError, RuntimeError):
    """A scenario did not come to its end: it waits for what never happens, or goes on for ever.

    Attributes:
      steps: how many steps its tasks took.
      time: what time it was then.
      why: which limit that is, and the way out.
    """

    def __init__(self, steps: int, time: float, why: str) -> None:
        super().__init__(steps, time, why)
        self.steps = steps
        self.time = time
        self.why = why

    def __str__(self) -> str:
        return f"not over after {self.steps} steps, at {self.time:g} s of virtual time: {self.why}"


class InjectedCrash(Exception):  # it is what a test has happen
    """The crash that a fault plan asked for: a bug of an agent's own, as all the world sees it."""
