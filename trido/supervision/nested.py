"""The adapter for supervisors as children of supervisors."""

from __future__ import annotations

from typing import final

from trido.supervision.place import Report, as_place
from trido.supervision.spec import DynamicSupervisorSpec, SupervisorSpec
from trido.supervision.supervisor import (
    DynamicSupervisor,
    Supervisor,
    SupervisorBase,
)
from trido.supervision.tables import State


@final
class SupervisorPlace:
    """A place whose runs are supervisors, each a new one."""

    __slots__ = ("_spec",)

    def __init__(self, spec: SupervisorSpec | DynamicSupervisorSpec) -> None:
        self._spec = spec

    def start(self, report: Report) -> SupervisorRun:
        """Start a supervisor in a task of the nursery of the one above."""
        kind: type[SupervisorBase] = (
            Supervisor if isinstance(self._spec, SupervisorSpec) else DynamicSupervisor
        )
        above = report.child.supervisor
        supervisor = kind(self._spec, above.bus, above=above, report=report)
        run = SupervisorRun(supervisor)
        report.nursery.start_soon(supervisor.run, name=report.name)
        return run

    def changed(self, state: State, *, comes_back: bool) -> None:
        """Nothing of a supervisor outlives its run."""


as_place.register(SupervisorSpec, SupervisorPlace)
as_place.register(DynamicSupervisorSpec, SupervisorPlace)


@final
class SupervisorRun:
    """One supervisor, as the one above sees it: asked to stop, and killed, by being told."""

    __slots__ = ("_supervisor",)

    def __init__(self, supervisor: SupervisorBase) -> None:
        self._supervisor = supervisor

    def cancel(self, deadline: float, reason: str) -> None:
        """Have it stop its children, in order."""
        self._supervisor.told_to_end = "stopped"
        self._supervisor.stop()

    def kill(self) -> None:
        """Have it stop its children, in order, with no grace left for any of them."""
        self._supervisor.told_to_end = "killed"
        self._supervisor.kill_children()

    def beat(self) -> None:
        """A supervisor has no heartbeat."""

    def stack(self) -> str:
        """Its tree."""
        return self._supervisor.tree()

    def below(self) -> SupervisorBase:
        """The supervisor."""
        return self._supervisor
