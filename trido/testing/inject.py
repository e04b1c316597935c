"""Making a plan of faults happen, to whatever is opened in a block."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import final

import trio

from trido.runtime.probe import Probe, Probes
from trido.supervision.probe import PROBE
from trido.testing.faults import Faults
from trido.testing.plan import FaultPlan, Plan
from trido.testing.plan_faults import Fault
from trido.testing.plan_points import AnyOf


@final
class Injection:
    """A plan in force. Made by `inject`."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    @property
    def plan(self) -> FaultPlan:
        """The plan."""
        return self._faults.plan

    @property
    def happened(self) -> tuple[Fault, ...]:
        """What has happened of it, in that order."""
        return tuple(self._faults.happened)

    @property
    def pending(self) -> tuple[Fault, ...]:
        """What has not."""
        return tuple(one for one in self.plan if one not in self._faults.happened)

    @property
    def names(self) -> set[str | AnyOf]:
        """Everybody who was there, under each of their names."""
        return set(self._faults.live)


def inject(plan: Plan) -> AbstractAsyncContextManager[Injection]:
    """Have a plan happen to the runtimes and supervisors that are opened within this block.

    ``async with trido.testing.inject("crash counter at turn 3") as injection: ...``

    Their code needs no change. Each fault happens once; `Injection.pending` tells which have not
    happened. Times count from the entry. With `run`, give it the plan instead.

    Checkpoints: leaving always does.

    Raises:
      PlanSyntaxError: at once, if ``plan`` is a line that is no plan.
    """
    return injected(Faults(FaultPlan.of(plan)))


@asynccontextmanager
async def injected(faults: Faults) -> AsyncGenerator[Injection]:
    """As `inject`, by a probe that is there already."""
    error: BaseException | None = None
    async with trio.open_nursery() as nursery:
        token = PROBE.set(beside(PROBE.get(), faults))
        try:
            faults.begin(nursery)
            yield Injection(faults)
        # It leaves the block below as it is, not in a group of the nursery's.
        except BaseException as raised:  # noqa: ASYNC103
            error = raised
        finally:
            PROBE.reset(token)
            nursery.cancel_scope.cancel(reason="the plan is no longer in force")
    if faults.refused is not None:
        raise faults.refused from error
    if error is not None:
        raise error


def beside(one: Probe | None, other: Probe) -> Probe:
    """Both look on."""
    if one is None:
        return other
    return Probes((*(one.all if isinstance(one, Probes) else (one,)), other))
