"""How a run talks to its supervisor: its word becomes an input."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, final

import trio

from trido.supervision.child import Child
from trido.supervision.messages import End, RunEnded, RunFailing, RunReady, RunStuck

if TYPE_CHECKING:
    from trido.supervision.supervisor import SupervisorBase


@final
class RunReport:
    """Takes one run's word, as inputs for its supervisor."""

    __slots__ = ("_run", "_supervisor", "child", "is_over")

    def __init__(self, supervisor: SupervisorBase, child: Child[Any], run: int) -> None:
        self._supervisor = supervisor
        self._run = run
        self.child: Child[Any] = child
        self.is_over: bool = False

    @property
    def name(self) -> str:
        """The path of the child."""
        return "/".join((*self._supervisor.path, self.child.id))

    @property
    def nursery(self) -> trio.Nursery:
        """The supervisor's own nursery."""
        return self._supervisor.nursery  # type: ignore[return-value]  # it runs in there

    def ready(self, value: object = None) -> None:
        """The run is ready."""
        child, supervisor = self.child, self._supervisor
        child.announced = max(child.announced, self._run)
        now = supervisor.now()
        supervisor.tell(RunReady(now=now, id=child.record.id, run=self._run, value=value))

    def failing(self, error: Exception) -> None:
        """The run cannot go on."""
        now = self._supervisor.now()
        self._supervisor.tell(RunFailing(now=now, id=self.child.id, run=self._run, error=error))

    def unkillable(self) -> None:
        """The run was killed, and will not end."""
        now = self._supervisor.now()
        self._supervisor.tell(RunStuck(now=now, id=self.child.id, run=self._run))

    def ended(self, end: End) -> None:
        """The run has ended."""
        self.is_over = True
        child, supervisor = self.child, self._supervisor
        child.run = None
        now, u = supervisor.now(), random.random()
        supervisor.tell(RunEnded(now=now, u=u, id=child.record.id, run=self._run, end=end))
