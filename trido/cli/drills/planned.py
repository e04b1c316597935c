"""A plan of faults, made to happen to one's own app. It reads the same here and in a test."""

from __future__ import annotations

from collections.abc import Callable

import trio
from attrs import define

from trido.cli.drills.judge import Figures, Verdict, at_least, at_most, judge
from trido.cli.drills.kit import Drill, Terminated, silence
from trido.cli.kinds import App
from trido.cli.load import UserError, said
from trido.cli.stage import Stage, staged
from trido.supervision.signals import with_signals
from trido.testing import Fault, FaultPlan, PlanSyntaxError, UnknownPoint
from trido.testing import run as run_seeded
from trido.testing.faults import Faults
from trido.testing.inject import injected
from trido.testing.plan_check import check_names
from trido.testing.plan_survey import Survey
from trido.testing.schedule import LASTS

_DOWN = frozenset({"parked", "zombie", "restarting"})


def parsed(line: str) -> FaultPlan:
    """The plan that reads like this.

    Raises:
      UserError: it does not read like a plan.
    """
    try:
        return FaultPlan.parse(line)
    except PlanSyntaxError as error:
        raise UserError(f"{error}") from None


@define
class Planned:
    """A plan that is carried out."""

    plan: FaultPlan
    make: Callable[[], App]
    seconds: float
    pending: tuple[Fault, ...] = ()
    """What has not happened of it."""

    def drill(self) -> Drill:
        """What it is, as a drill."""
        return Drill(
            name="plan",
            does=f"{self.plan}",
            protection="no fault may take a child or the root down for good",
            limits=(
                at_least("faults of the plan", 1),
                at_most("of them that did not happen", 0),
                at_most("roots that gave up", 0),
                at_most("children that are down in the end", 0),
            ),
            run=self._run,
            example=self.make,
        )

    def carry_out(self, seed: int) -> Verdict:
        """Carry it out in virtual time, in the order that the seed decides.

        Raises:
          UserError: there is no such app, or it cannot be seen at work; or the plan names what it
            does not have.
          Terminated: it was stopped by SIGTERM.
        """
        figures: Figures | None = {}
        trouble = None
        lasts = 2 * self.seconds + LASTS
        try:
            with silence():
                figures = run_seeded(
                    with_signals, self._run, (self.make,), seed=seed, guarded=False, lasts=lasts
                )
        except UserError:
            raise
        except UnknownPoint as error:
            raise UserError(f"{error}") from None
        except Exception as error:
            trouble = said(error)
        if figures is None:
            raise Terminated
        if self.pending:
            trouble = f"it did not happen: {'; '.join(map(str, self.pending))}"
        return judge("plan", self.drill().limits, figures, trouble)

    async def _run(self, make: Callable[[], App]) -> Figures:
        down = 0
        faults = Faults(self.plan, strict=True)
        async with injected(faults) as injection, staged(make()) as stage:
            await trio.sleep(self.seconds)  # cut short if the root gives up
            down = _down(stage)
        self.pending = injection.pending
        if not stage.gave_up:
            check_names(self.plan, Survey(names=injection.names))
        return {
            "faults of the plan": len(self.plan),
            "of them that did not happen": len(self.pending),
            "roots that gave up": int(stage.gave_up),
            "children that are down in the end": down,
        }


def _down(stage: Stage) -> int:
    infos = [info for one in stage.supervisors() for info in one.children()]
    return sum(info.state in _DOWN for info in infos)
