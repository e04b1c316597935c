"""What would happen if a child crashed: the decision, asked without running anything."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from attrs import Factory, define, field, frozen

from trido.supervision import draw, errors, events
from trido.supervision.decision import Machine
from trido.supervision.messages import (
    Begin,
    CancelRun,
    End,
    Finished,
    Input,
    KillRun,
    RunEnded,
    RunReady,
    StartRun,
    Stop,
    Tell,
)
from trido.supervision.records import Record, Settings
from trido.supervision.spec import (
    DynamicSupervisorSpec,
    Spec,
    SupervisorSpec,
    supervisor_spec,
)
from trido.values import ByFields


@frozen(eq=False, repr=False)
class Plan(ByFields):
    """What a supervisor does about a crash. Printed, it is a drawing of the tree."""

    stops: tuple[str, ...]
    """The children it stops, in order; those deeper down as ``"inner/id"``."""
    starts: tuple[str, ...]
    """The children it starts, in the order in which they become ready."""
    counted: bool
    """Whether it counts towards a restart limit."""
    gives_up: bool
    """Whether the crash alone is over the limit of its supervisor."""
    drawing: str = field(eq=False, repr=False, default="")

    def __str__(self) -> str:
        return self.drawing


def explain(spec: SupervisorSpec | DynamicSupervisorSpec, crash: str | tuple[str, ...]) -> Plan:
    """Say what follows if a child of ``spec`` crashes, with all others running. Pure.

    The crash is an `Exception` like any other: one that ``restart_on`` covers if that is the
    default, and ``escalate_on`` does not.

    Args:
      spec: the tree.
      crash: the child's id; for one deeper down its path below the root, as a tuple or joined by
        ``/`` (an id that is nowhere else in the tree is enough).

    Raises:
      ChildNotFound: there is no such child.
    """
    supervisor_spec("spec", spec)
    if not isinstance(crash, str | tuple):
        raise TypeError(f"crash is a child's id or path, not {crash!r}")
    root = _Tree(spec, ())
    root.feed(Begin(now=0.0))
    above, id = _find(root, crash)
    root.log.clear()
    record = above.machine.records[id]
    error = Exception(f"{id} crashed")
    above.feed(RunEnded(now=0.0, id=id, run=record.incarnation, end=End("crashed", error)))
    base = len(root.path)
    stops = [e for e in root.log if isinstance(e, events.ChildStopped)]
    starts = [e for e in root.log if isinstance(e, events.ChildStarted)]
    gives_up = above.machine.outcome == "limit"
    crashed = (*above.path, id)
    return Plan(
        stops=tuple(_name(e, base) for e in stops),
        starts=tuple(_name(e, base) for e in starts),
        counted=any(one.consecutive for one in root.all_records()),
        gives_up=gives_up,
        drawing=_draw(spec, crashed, stops, starts, gives_up=gives_up),
    )


def _name(event: events.Event, base: int) -> str:
    return "/".join((*event.path[base:], event.id))


def _find(root: _Tree, crash: str | tuple[str, ...]) -> tuple[_Tree, str]:
    path = crash if isinstance(crash, tuple) else tuple(crash.split("/"))
    for candidate in (path, path[1:] if path[:1] == root.path else path):
        found = root.look_up(candidate)
        if found is not None:
            return found
    everywhere = [tree for tree in root.all_trees() if crash in tree.machine.records]
    if isinstance(crash, str) and len(everywhere) == 1:
        return everywhere[0], crash
    raise errors.ChildNotFound("/".join(path))


@define(eq=False, repr=False)
class _Tree:
    """A supervisor of the imagined tree: its machine, and those of the supervisors below."""

    spec: SupervisorSpec | DynamicSupervisorSpec
    above: tuple[str, ...]
    log: list[events.Event] = Factory(list)
    parent: _Tree | None = None
    machine: Machine = field(init=False)
    inner: dict[str, _Tree] = Factory(dict)
    finished: Finished | None = None

    def __attrs_post_init__(self) -> None:
        settings = Settings(
            path=self.path,
            strategy=self.spec.strategy,
            max_restarts=self.spec.max_restarts,
            max_seconds=self.spec.max_seconds,
            max_consecutive=self.spec.max_consecutive,
            auto_shutdown=self.spec.auto_shutdown,
        )
        self.machine = Machine(
            settings, [Record(one.child_id, one.policy, tag=one) for one in self._children()]
        )

    @property
    def path(self) -> tuple[str, ...]:
        return (*self.above, self.spec.name)

    def _children(self) -> tuple[Spec[Any], ...]:
        return self.spec.children if isinstance(self.spec, SupervisorSpec) else ()

    def look_up(self, path: tuple[str, ...]) -> tuple[_Tree, str] | None:
        """The supervisor whose child ``path`` names, and the child's id."""
        if len(path) == 1:
            return (self, path[0]) if path[0] in self.machine.records else None
        below = self.inner.get(path[0]) if path else None
        return None if below is None else below.look_up(path[1:])

    def all_trees(self) -> list[_Tree]:
        """This one and all below."""
        return [self, *(tree for below in self.inner.values() for tree in below.all_trees())]

    def all_records(self) -> list[Record]:
        """The places of all of them."""
        return [one for tree in self.all_trees() for one in tree.machine.records.values()]

    def feed(self, event: Input) -> None:
        """Hand ``event`` in, and see all that follows from it through."""
        inputs = deque([event])
        while inputs:
            for operation in self.machine.handle(inputs.popleft()):
                if isinstance(operation, Tell):
                    self.log.append(operation.event)
                elif isinstance(operation, StartRun):
                    inputs.append(self._start(operation))
                elif isinstance(operation, CancelRun | KillRun):
                    inputs.append(self._stop(operation))
                elif isinstance(operation, Finished):
                    self.finished = operation
        if self.finished is not None and self.parent is not None:
            self._tell_parent(self.parent, self.finished)

    def _start(self, operation: StartRun) -> Input:
        spec = self.machine.records[operation.id].tag
        if isinstance(spec, SupervisorSpec | DynamicSupervisorSpec):
            below = self.inner[operation.id] = _Tree(spec, self.path, self.log)
            below.feed(Begin(now=0.0))
            below.parent = self
        return RunReady(now=0.0, id=operation.id, run=operation.run)

    def _stop(self, operation: CancelRun | KillRun) -> Input:
        below = self.inner.pop(operation.id, None)
        if below is not None:
            below.parent = None
            below.feed(Stop(now=0.0))
        return RunEnded(now=0.0, id=operation.id, run=operation.run, end=End("stopped"))

    def _tell_parent(self, parent: _Tree, finished: Finished) -> None:
        self.parent = None
        id = self.spec.child_id
        run = parent.machine.records[id].incarnation
        parent.feed(RunEnded(now=0.0, id=id, run=run, end=End("normal", finished.error)))


def _numbered(told: Iterable[events.Event]) -> dict[tuple[str, ...], int]:
    return {(*event.path, event.id): number for number, event in enumerate(told, 1)}


def _draw(
    spec: SupervisorSpec | DynamicSupervisorSpec,
    crashed: tuple[str, ...],
    stops: list[events.ChildStopped],
    starts: list[events.ChildStarted],
    *,
    gives_up: bool,
) -> str:
    stopped, started = _numbered(stops), _numbered(starts)

    def mark(path: tuple[str, ...]) -> str:
        marks = ["crashes"] if path == crashed else []
        if path in stopped:
            marks.append(f"is stopped ({stopped[path]})")
        if path == crashed[:-1] and gives_up:
            marks.append("gives up")
        if path in started:
            marks.append(f"is started ({started[path]})")
        return f"  <- {', '.join(marks)}" if marks else ""

    def node(one: Spec[Any], above: tuple[str, ...]) -> draw.Node:
        if isinstance(one, SupervisorSpec | DynamicSupervisorSpec):
            path = (*above, one.name)
            drawn = draw.Node(f"{one.name} [{one.strategy}]{mark(path)}")
        else:
            path = (*above, one.child_id)
            drawn = draw.Node(one.child_id + mark(path))
        below = one.children if isinstance(one, SupervisorSpec) else ()
        drawn.children = [node(child, path) for child in below]
        return drawn

    return draw.tree(node(spec, ()))
