"""What a turn's directives come to, sorted by when they take effect. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import datetime
from typing import Any, Final, final

from attrs import Factory, define

from trido.agents import Directive, Emit, Reply, Stop
from trido.agents.directive import DeferReply, Hibernate, Via
from trido.agents.errors import InvalidDecision
from trido.agents.family import AdoptChild, Demonitor, Link, Monitor, SpawnAgent, StopChild
from trido.agents.running import Run
from trido.agents.timing import Cancel, Cron, Schedule

TIMING: Final[frozenset[type]] = frozenset({Schedule, Cron, Cancel})
ERRANDS: Final[frozenset[type]] = frozenset(
    {Emit, Run, SpawnAgent, StopChild, AdoptChild, Monitor, Demonitor, Link}
)
BUILT_IN: Final[frozenset[type]] = TIMING | ERRANDS | {Reply, DeferReply, Stop, Hibernate}


@final
@define(eq=False, repr=False)
class Plan:
    """What is to be done once a turn is committed, in this order."""

    timing: list[tuple[int, Schedule | Cron | Cancel]] = Factory(list)
    """Takes effect with the commit."""
    now: datetime | None = None
    """What time it is, if there is any of that: a clock that fails does so before the commit."""
    turn_now: datetime | None = None
    """What time it was for the handler, if it took the turn."""
    reply: Reply | None = None
    """The answer to this turn's call, if it is not the state."""
    defers: bool = False
    """There is to be no answer yet."""
    replies: list[Reply] = Factory(list)
    """Answers to calls that earlier turns deferred."""
    errands: list[Any] = Factory(list)
    """What is begun in this order."""
    stops: bool = False
    """At last, the agent ends."""
    hibernates: bool = False
    """Or it sleeps, once it has nothing to do."""


def plan_of(
    directives: Iterable[Directive], executors: Container[type], dispatch: Container[str]
) -> Plan:
    """Sort the directives of a turn.

    Raises:
      InvalidDecision: nobody knows how to carry one of them out.
    """
    plan = Plan()
    for index, directive in enumerate(directives):
        kind = type(directive)
        if kind in ERRANDS:
            if isinstance(directive, Emit) and isinstance(directive.to, Via):
                _known(directive.to.name, dispatch)
            plan.errands.append(directive)
        elif kind in TIMING:
            plan.timing.append((index, directive))  # type: ignore[arg-type]
        elif isinstance(directive, Reply):
            _answer(plan, directive)
        elif isinstance(directive, DeferReply):
            plan.defers = True
        elif isinstance(directive, Stop):
            plan.stops = True
        elif isinstance(directive, Hibernate):
            plan.hibernates = True
        elif kind in executors:
            plan.errands.append(directive)
        else:
            raise InvalidDecision(
                f"nobody carries out a {kind.__name__}: give the runtime an executor for it,"
                f" open_runtime(executors={{{kind.__name__}: ...}})"
            )
    return plan


def _answer(plan: Plan, reply: Reply) -> None:
    if reply.to is not None:
        plan.replies.append(reply)
    elif plan.reply is None:
        plan.reply = reply


def _known(name: str, dispatch: Container[str]) -> None:
    if name not in dispatch:
        raise InvalidDecision(
            f"nobody sends signals via {name!r}: give the runtime a dispatch executor for it,"
            f" open_runtime(dispatch={{{name!r}: ...}})"
        )
