"""Fault plans: who fails, where and how, as data that reads as one line.

Everything here is pure: a plan does nothing. It is the same in a test, in ``trido drill`` and in a
bug report, and a line of it parses back to what it was printed from::

    crash counter at turn 3 before commit; drop 2nd signal to billing; clock +3600s at 10s

What makes it happen is `inject`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias, final

from attrs import field, frozen

from trido.errors import SpecError
from trido.testing import arguments
from trido.testing.plan_faults import Fault
from trido.testing.plan_text import parsed

NOTHING: Final = "nothing"
"""How the empty plan reads."""


def _in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    allowed = "faults, such as a CodeFault; FaultPlan.parse reads a line"
    return arguments.several("FaultPlan", "faults", faults, allowed)


@final
@frozen
class FaultPlan:
    """Faults, each of which happens once, when its place is reached.

    ``str(plan)`` is one line, and ``FaultPlan.parse(line)`` is the plan again.

    Raises:
      SpecError: one of them is no fault.
    """

    faults: tuple[Fault, ...] = field(default=(), converter=_in_order)

    def __attrs_post_init__(self) -> None:
        for fault in self.faults:
            if not isinstance(fault, Fault):
                raise SpecError("faults", fault, "faults, such as a CodeFault", of="FaultPlan")

    @classmethod
    def of(cls, plan: Plan) -> FaultPlan:
        """A plan, given as one, as its line, as its faults, or as none."""
        if plan is None or isinstance(plan, str):
            return cls.parse(plan or "")
        if isinstance(plan, FaultPlan):
            return plan
        return cls(arguments.several("FaultPlan", "plan", plan, "a FaultPlan, its line, or faults"))

    @classmethod
    def parse(cls, line: str) -> FaultPlan:
        """The plan that reads like this.

        Raises:
          PlanSyntaxError: it does not read like a plan; it says where, and what may stand there.
          SpecError: it is no line.
        """
        if not isinstance(line, str):
            raise SpecError("line", line, "a plan in a line of text", of="FaultPlan.parse")
        return cls(parsed(line))

    def __str__(self) -> str:
        return "; ".join(map(str, self.faults)) or NOTHING

    def __iter__(self) -> Iterator[Fault]:
        return iter(self.faults)

    def __len__(self) -> int:
        return len(self.faults)


Plan: TypeAlias = FaultPlan | str | Iterable[Fault] | None
"""A plan, given as one, as its line, as its faults, or as none."""
