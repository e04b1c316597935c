"""What there is to know of an app, for the checklist: of a tree as it is, or of one that runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from trido.agents import Definition
from trido.agents.family import SpawnAgent
from trido.agents.schema import Record
from trido.agents.shapes import Shape
from trido.cli.stage import Stage
from trido.runtime import Agent, AgentSpec, Executor
from trido.runtime.place import AgentPlace
from trido.runtime.settings import Settings
from trido.supervision import ChildSpec, DynamicSupervisorSpec, Spec, SupervisorSpec
from trido.supervision.child import Child
from trido.supervision.policy import ChildPolicy
from trido.supervision.supervisor import SupervisorBase


@frozen(kw_only=True)
class SupervisorFact:
    """One supervisor."""

    path: str
    max_restarts: float
    max_seconds: float


@frozen(kw_only=True)
class WorkerFact:
    """One child that is no supervisor."""

    path: str
    policy: ChildPolicy
    says_when_ready: bool


@frozen(kw_only=True)
class AgentFact:
    """One agent, or one definition that nobody runs yet."""

    path: str
    agent: Definition[Any]
    settings: Settings


@frozen(kw_only=True)
class RuntimeFact:
    """What the agents have in common."""

    id: str
    journal: object | None
    executors: Mapping[str, Executor]
    watchdog: float | None


@frozen(kw_only=True)
class Facts:
    """All of it."""

    root: str
    is_named: bool
    """Whether the root was given an id."""
    observers: int | None
    """How many there are; None: a spec cannot say."""
    supervisors: tuple[SupervisorFact, ...] = ()
    workers: tuple[WorkerFact, ...] = ()
    agents: tuple[AgentFact, ...] = ()
    runtime: RuntimeFact | None = None


Fact = SupervisorFact | WorkerFact | AgentFact


def _facts(found: list[Fact], **others: Any) -> Facts:
    return Facts(
        supervisors=tuple(one for one in found if isinstance(one, SupervisorFact)),
        workers=tuple(one for one in found if isinstance(one, WorkerFact)),
        agents=tuple(one for one in found if isinstance(one, AgentFact)),
        **others,
    )


# A tree as it is --------------------------------------------------------------------------------


def of_spec(spec: SupervisorSpec | DynamicSupervisorSpec) -> Facts:
    """Of a tree that does not run."""
    found = list(_of_spec(spec, spec.name))
    return _facts(found, root=spec.name, is_named=spec.id is not None, observers=None)


def _of_spec(spec: Spec[Any], path: str) -> Iterator[Fact]:
    if isinstance(spec, SupervisorSpec | DynamicSupervisorSpec):
        yield _limit(spec, path)
        for child in spec.children if isinstance(spec, SupervisorSpec) else ():
            yield from _of_spec(child, f"{path}/{child.child_id}")
        if isinstance(spec, DynamicSupervisorSpec):
            yield _worker(spec.child("*", ()), f"{path}/*")
        return
    yield _worker(spec, path)
    if isinstance(spec, AgentSpec):
        yield AgentFact(path=path, agent=spec.agent, settings=spec.settings)
        for below in spec.settings.children:
            yield from _of_child(below, path)


def _of_child(child: SpawnAgent | Spec[Any], path: str) -> Iterator[Fact]:
    if isinstance(child, SpawnAgent):
        given = {**child.settings, "durability": "none"}  # there is no journal to look into
        spec = child.agent.spec(id=child.tag, **given)
        yield from _of_spec(spec, f"{path}/{child.tag}")
    else:
        yield from _of_spec(child, f"{path}/{child.child_id}")


def _limit(spec: SupervisorSpec | DynamicSupervisorSpec, path: str) -> SupervisorFact:
    return SupervisorFact(path=path, max_restarts=spec.max_restarts, max_seconds=spec.max_seconds)


def _worker(spec: Spec[Any], path: str) -> WorkerFact:
    says = isinstance(spec, ChildSpec) and spec.signals_ready
    return WorkerFact(path=path, policy=spec.policy, says_when_ready=says)


# A tree that runs -------------------------------------------------------------------------------


def of_stage(stage: Stage) -> Facts:
    """Of an app while it runs."""
    root = stage.supervisor
    found = [fact for one in stage.supervisors() for fact in _of_supervisor(one)]
    running = {fact.agent.name for fact in found if isinstance(fact, AgentFact)}
    runtime = None
    if stage.runtime is not None:
        env = stage.runtime.env
        found += [
            AgentFact(path=f"agent {name}", agent=agent, settings=agent.settings)
            for name, agent in env.definitions.items()
            if isinstance(agent, Agent) and name not in running
        ]
        executors = {kind.__name__: one for kind, one in env.executors.items()}
        runtime = RuntimeFact(
            id=root.id,
            journal=env.journal,
            executors={**executors, **env.dispatch},
            watchdog=None if env.watchdog is None else env.watchdog._spec.limit,
        )
    return _facts(
        found,
        root=root.id,
        is_named=root.spec.id is not None,
        observers=len(root.bus._observers) - 1,  # the stage's own
        runtime=runtime,
    )


def _of_supervisor(supervisor: SupervisorBase) -> Iterator[Fact]:
    path = "/".join(supervisor.path)
    yield _limit(supervisor.spec, path)
    for info in supervisor.children():
        child = supervisor[info.id]
        if child.record.policy.kind == "worker":
            yield from _of_running(child, f"{path}/{child.id}")


def _of_running(child: Child[Any], path: str) -> Iterator[Fact]:
    place: Any = child.place
    spec = getattr(place, "_spec", None)
    says = isinstance(spec, ChildSpec) and spec.signals_ready
    yield WorkerFact(path=path, policy=child.record.policy, says_when_ready=says)
    if isinstance(place, AgentPlace):
        yield AgentFact(path=path, agent=place.agent, settings=place.settings)


# What agents are given --------------------------------------------------------------------------


@frozen(kw_only=True)
class FieldFact:
    """A field of what an agent remembers or is sent."""

    name: str
    """With its class: ``Payment.card``."""
    is_secret: bool


def fields(agent: Definition[Any]) -> list[FieldFact]:
    """Of its state and of the data of its routes, and of the classes in these."""
    records: dict[type, Record] = {}
    for shape in (agent.state.shape, *(route.schema.shape for route in agent.routes)):
        _collect(shape, records)
    return [
        FieldFact(name=f"{record.name}.{name}", is_secret=name in record.secrets)
        for record in records.values()
        for name in record.arguments
    ]


def _collect(shape: Shape, records: dict[type, Record]) -> None:
    if isinstance(shape, Record) and shape.cls not in records:
        records[shape.cls] = shape
        for below in shape.arguments.values():
            _collect(below, records)
