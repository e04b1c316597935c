"""What the shell around a supervisor's decision holds: the machine, an inbox, who waits."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, final

import trio
from attrs import evolve
from outcome import Error, Value
from trio.lowlevel import Task

from trido.supervision import errors
from trido.supervision.bus import Bus
from trido.supervision.child import Child
from trido.supervision.current import Current
from trido.supervision.decision import Machine
from trido.supervision.messages import Input, Operation
from trido.supervision.place import Report, Sleeper
from trido.supervision.records import Phase, Record, Settings
from trido.supervision.spec import DynamicSupervisorSpec, SupervisorSpec
from trido.supervision.spot import Spot

if TYPE_CHECKING:
    from trido.supervision.supervisor import SupervisorBase


@final
class Caller:
    """Whoever asked for a change, and waits until it is made."""

    __slots__ = ("error", "is_answered", "task")

    def __init__(self) -> None:
        self.task: Task | None = None
        """Its task, once that sleeps."""
        self.is_answered: bool = False
        self.error: Exception | None = None

    def answer(self, error: Exception | None) -> None:
        """It is made; or it is not, because of ``error``."""
        self.is_answered, self.error = True, error
        if self.task is not None:
            trio.lowlevel.reschedule(self.task, Value(None) if error is None else Error(error))
            self.task = None


class Shell:
    """A supervisor's machine, and what comes in."""

    spot: Spot
    """How long its work is done on the spot; once its task has begun."""

    def __init__(
        self,
        spec: SupervisorSpec | DynamicSupervisorSpec,
        bus: Bus,
        *,
        above: SupervisorBase | None = None,
        report: Report | None = None,
        **settings: Any,
    ) -> None:
        self.id: str = spec.name
        """Its id; ``"root"`` for a root that was given none."""
        self.spec = spec
        self.opened_by: Current | None = None
        self.task: Task | None = None
        self.now: Callable[[], float] = trio.current_time
        """What time it is."""
        self.bus = bus
        self._report = report
        self.path: tuple[str, ...] = (*(() if above is None else above.path), self.id)
        """The ids from the root to this supervisor."""
        self._settings = evolve(_settings(spec, self.path, report), **settings)
        self._machine = Machine(self._settings, self._records(spec))
        self._scope = trio.CancelScope(shield=True)
        self.body_scope: trio.CancelScope = trio.CancelScope()
        self.nursery: trio.Nursery | None = None
        self._inbox: deque[Input] = deque()
        self._sleeper: Task | None = None
        self._due = math.inf
        """When the supervisor's task wakes by itself."""
        self._phase: Phase = "new"
        """As it was told to others."""
        self._restarted = False
        self._callers: dict[int, Caller] = {}
        """Who waits for the reply of which number."""
        self._number = 0
        self.sleepers: dict[str, Sleeper] = {}
        """Who would begin a run by itself, by the id that it has or had here."""
        self.error: BaseException | None = None
        """What leaves the supervisor once it has ended, if anything."""
        self.told_to_end: Literal["stopped", "killed"] | None = None
        """How the supervisor above asked it to end, if it did."""
        self._finished = False
        self._rest: Iterator[Operation] | None = None
        """What is to be carried out once the body is interrupted."""
        self.settled: trio.Event = trio.Event()
        self.winds_up: trio.Event = trio.Event()
        """Set once it stops its children for good. What a place has left behind ends then, too."""
        self.over: trio.Event = trio.Event()

    def __repr__(self) -> str:
        return f"<trido.{type(self).__name__} {'/'.join(self.path)!r} {self._machine.phase}>"

    def _records(self, spec: SupervisorSpec | DynamicSupervisorSpec) -> Iterable[Record]:
        return []

    @property
    def _whole(self) -> SupervisorBase:
        return self  # type: ignore[return-value]  # nothing less is ever made

    @property
    def has_ended(self) -> bool:
        """Whether all children have ended and nothing can be started any more."""
        return self._finished

    @property
    def is_stopping(self) -> bool:
        """Whether it is stopping its children, for good."""
        return self._machine.phase == "stopping"

    @property
    def has_begun_to_end(self) -> bool:
        """Whether it stops its children for good, or has stopped them."""
        return self._machine.phase in ("stopping", "ended")

    def post(self, event: Input) -> None:
        """Put ``event`` into the inbox."""
        if not self._finished:
            self._inbox.append(event)
            self._wake()

    def _wake(self) -> None:
        if self._sleeper is not None:
            trio.lowlevel.reschedule(self._sleeper)
            self._sleeper = None

    def _finish(self) -> None:
        self._finished = True
        self.winds_up.set()
        callers, self._callers = self._callers, {}
        for caller in callers.values():
            stopped = errors.SupervisorStopped(self.id)
            stopped.__cause__ = self.error
            caller.answer(stopped)


def child_of(record: Record) -> Child[Any]:
    """The place, as its users see it."""
    child: Child[Any] = record.tag  # type: ignore[assignment]  # it is told so by none but us
    return child


def _settings(
    spec: SupervisorSpec | DynamicSupervisorSpec, path: tuple[str, ...], report: Report | None
) -> Settings:
    return Settings(
        path=path,
        incarnation=1 if report is None else report.child.incarnation,
        strategy=spec.strategy,
        max_restarts=spec.max_restarts,
        max_seconds=spec.max_seconds,
        max_consecutive=spec.max_consecutive,
        auto_shutdown=spec.auto_shutdown,
        shutdown_timeout=spec.shutdown_timeout if report is None else math.inf,
        dynamic=isinstance(spec, DynamicSupervisorSpec),
        max_children=getattr(spec, "max_children", math.inf),
    )
