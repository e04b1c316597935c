"""Whether what a plan names is there. Pure: a plan, and what was seen without it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from trido.agents.routing import Routes
from trido.testing.plan import FaultPlan
from trido.testing.plan_errors import UnknownPoint
from trido.testing.plan_faults import CodeFault, Fault, SignalFault, StorageFault
from trido.testing.plan_points import AnyOf, DirectiveOf, Received, Time, Turn, Who
from trido.testing.plan_survey import Survey

_MOST: Final = 30
"""How many points an error lists."""


def check(plan: FaultPlan, survey: Survey) -> None:
    """Every fault of ``plan`` can happen, as far as can be known from a run without it.

    With one fault, that is exact. One of several may be possible only because of the others: of
    such a plan everybody that it names must be there, and have moments of that kind.

    Raises:
      UnknownPoint: one cannot.
    """
    alone = len(plan) == 1
    for fault in plan:
        _check(fault, survey, alone=alone)


def impossible(plan: FaultPlan, names: Iterable[Who], routes: Routes | None) -> UnknownPoint | None:
    """What ``plan`` says of somebody that can never come: they have these names, and routes.

    Without routes they are a function. It is known as soon as they are there.
    """
    known = set(names)
    for fault in plan:
        if isinstance(fault, CodeFault) and fault.who in known:
            what = f"{fault.at} of {fault.who}"
            there = _there(fault.at, routes)
        elif isinstance(fault, SignalFault) and fault.to in known:
            what = f"signal to {fault.to}"
            there = _FUNCTION if routes is None else ()
        else:
            continue
        if there:
            return UnknownPoint(str(fault), what, there)
    return None


_FUNCTION: Final = (
    "start",
    "stop",
    "await",
    "a time: it is a function",
)


def _there(point: object, routes: Routes | None) -> tuple[str, ...]:
    """What there is instead of a point that they can never come to."""
    if not isinstance(point, Turn | DirectiveOf | Received):
        return ()
    if routes is None:
        return _FUNCTION
    if isinstance(point, Received) or point.type is None or routes.match(point.type):
        return ()
    patterns = dict.fromkeys(one.pattern for one in routes)
    return (*(f"turn of {pattern}" for pattern in patterns), "start", "stop")


def check_names(plan: FaultPlan, survey: Survey) -> None:
    """Everybody whom ``plan`` names was there.

    Raises:
      UnknownPoint: somebody was not.
    """
    for fault in plan:
        if isinstance(fault, CodeFault | SignalFault):
            _check_who(fault, fault.who if isinstance(fault, CodeFault) else fault.to, survey)


def _check(fault: Fault, survey: Survey, *, alone: bool) -> None:
    if isinstance(fault, CodeFault):
        _check_who(fault, fault.who, survey)
        if not isinstance(fault.at, Time):
            _check_point(fault, fault.who, fault.at, survey, alone=alone)
    elif isinstance(fault, SignalFault):
        _check_who(fault, fault.to, survey)
        point = Received(fault.nth, type=fault.type)
        _check_point(fault, fault.to, point, survey, alone=alone)
    elif isinstance(fault, StorageFault):
        count = survey.operations[fault.operation]
        if count < (fault.nth if alone else 1):
            known = (f"{one} {n}" for one, n in sorted(survey.operations.items()))
            raise UnknownPoint(str(fault), f"{fault.operation} {fault.nth}", _some(known))


def _check_who(fault: Fault, who: Who, survey: Survey) -> None:
    if who in survey.names:
        return
    if isinstance(who, AnyOf):
        raise UnknownPoint(str(fault), f"agent {who.name!r}", survey.everybody)
    what, below = f"agent or child {who!r}", _below(who, survey)
    if below:
        what += " but a supervisor, which cannot fail by itself: name one of its children"
    raise UnknownPoint(str(fault), what, below or survey.everybody)


def _below(supervisor: str, survey: Survey) -> list[str]:
    """Everybody whose path goes through it."""
    return [one for one in survey.everybody if f"/{supervisor}/" in f"/{one}"]


def _check_point(fault: Fault, who: Who, point: object, survey: Survey, *, alone: bool) -> None:
    points = survey.points(who)
    type = getattr(point, "type", None)
    known = points if alone else [one for one in points if _is_like(one, point, type)]
    if point not in known if alone else not known:
        near = [one for one in points if one.__class__ is point.__class__] or points
        raise UnknownPoint(str(fault), f"{point} of {who}", _some(map(str, near)))


def _is_like(one: object, point: object, type: str | None) -> bool:
    return one.__class__ is point.__class__ and getattr(one, "type", None) == type


def _some(points: Iterable[str]) -> list[str]:
    told = list(dict.fromkeys(points))
    return told if len(told) <= _MOST else [*told[:_MOST], f"{len(told) - _MOST} more"]
