"""``trido tree`` and ``trido explain``: a tree as it would run, without running it."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from typing import Any

from trido.agents.family import SpawnAgent
from trido.cli.job import printable, stdout_for
from trido.cli.kinds import tree_at
from trido.cli.load import UserError, did_you_mean
from trido.runtime import AgentSpec
from trido.supervision import (
    ChildNotFound,
    ChildSpec,
    DynamicSupervisorSpec,
    Plan,
    Spec,
    SupervisorSpec,
    draw,
    explain,
)
from trido.supervision.functions import unwrapped

Described = dict[str, Any]


def draw_app(where: str, *, as_json: bool) -> int:
    """Draw a tree; returns the exit code."""
    try:
        with stdout_for(as_json=as_json):
            tree = described(tree_at(where, "draw"))
    except UserError as error:
        print(printable(f"trido tree: {error}"), file=sys.stderr)
        return 2
    print(json.dumps(tree) if as_json else printable(draw.tree(_node(tree))))
    return 0


def explain_crash(where: str, crash: str, *, as_json: bool) -> int:
    """Say what follows from a crash; returns the exit code."""
    try:
        with stdout_for(as_json=as_json):
            spec = tree_at(where, "explain")
        plan = _plan(spec, crash)
    except UserError as error:
        print(printable(f"trido explain: {error}"), file=sys.stderr)
        return 2
    print(json.dumps(_as_json(crash, plan)) if as_json else printable(_words(spec, plan)))
    return 0


def _plan(spec: SupervisorSpec | DynamicSupervisorSpec, crash: str) -> Plan:
    try:
        return explain(spec, crash)
    except ChildNotFound:
        known = list(paths(spec))
        each = [*known, *(one.rpartition("/")[2] for one in known)]
        more = did_you_mean(crash, each) or f"; there are {', '.join(known) or 'none'}"
        raise UserError(f"there is no child {crash!r}{more}") from None


def _as_json(crash: str, plan: Plan) -> Described:
    return {
        "crash": crash,
        "stops": plan.stops,
        "starts": plan.starts,
        "counted": plan.counted,
        "gives_up": plan.gives_up,
    }


def _words(spec: SupervisorSpec | DynamicSupervisorSpec, plan: Plan) -> str:
    count = "It counts towards a restart limit" if plan.counted else "It counts towards no limit"
    end = ", and is over it at once." if plan.gives_up else "."
    return f"{plan}\n{count}{end}"


def paths(spec: Spec[Any], above: str = "") -> Iterator[str]:
    """The paths of all below, as ``explain`` takes them."""
    for child in spec.children if isinstance(spec, SupervisorSpec) else ():
        path = f"{above}{child.child_id}"
        yield path
        yield from paths(child, f"{path}/")


# A tree as plain data ---------------------------------------------------------------------------


def described(spec: Spec[Any]) -> Described:
    """A spec and all below it, as JSON has it; inf is ``"inf"``."""
    if isinstance(spec, SupervisorSpec | DynamicSupervisorSpec):
        return _supervisor(spec)
    policy = spec.policy
    stops: object = policy.shutdown
    common: Described = {
        "id": spec.child_id,
        "kind": "child",
        "runs": type(spec).__name__,
        "restart": policy.restart,
        "shutdown": number(stops) if isinstance(stops, int | float) else "kill",
    }
    if isinstance(spec, ChildSpec):
        return {**common, "runs": _function(spec.fn)}
    if isinstance(spec, AgentSpec):
        return {**common, "kind": "agent", **_agent(spec)}
    return common


def _supervisor(spec: SupervisorSpec | DynamicSupervisorSpec) -> Described:
    dynamic = isinstance(spec, DynamicSupervisorSpec)
    return {
        "id": spec.name,
        "kind": "supervisor",
        "strategy": "dynamic" if dynamic else spec.strategy,
        "max_restarts": number(spec.max_restarts),
        "max_seconds": spec.max_seconds,
        "runs": _function(spec.fn) if isinstance(spec, DynamicSupervisorSpec) else None,
        "children": [
            described(one) for one in (spec.children if isinstance(spec, SupervisorSpec) else ())
        ],
    }


def _agent(spec: AgentSpec[Any]) -> Described:
    return {
        "runs": spec.agent.name,
        "durability": spec.settings.durability,
        "mailbox": spec.settings.mailbox,
        "overflow": spec.settings.overflow,
        "children": [
            _spawned(one) if isinstance(one, SpawnAgent) else described(one)
            for one in spec.settings.children
        ],
    }


def _spawned(spawn: SpawnAgent) -> Described:
    return {"id": spawn.tag, "kind": "agent", "runs": spawn.agent.name}


def number(value: float) -> float | str:
    """As JSON has it, which knows no inf."""
    return "inf" if value == math.inf else value


def _function(fn: object) -> str:
    inner = unwrapped(fn)
    return str(getattr(inner, "__qualname__", type(inner).__qualname__))


def _node(tree: Described) -> draw.Node:
    return draw.Node(_line(tree), [_node(one) for one in tree.get("children", ())])


def _line(tree: Described) -> str:
    if tree["kind"] == "supervisor":
        often = f"{tree['max_restarts']} restarts in {tree['max_seconds']:g} s"
        what = f"{tree['strategy']} of {tree['runs']}" if tree["runs"] else tree["strategy"]
        return f"{tree['id']} [{what}, {often}]"
    facts = [f"{tree['kind']} {tree['runs']}"]
    if "restart" in tree:
        facts += [tree["restart"], _grace(tree["shutdown"])]
    if tree.get("durability", "none") != "none":
        facts.append(f"durable: {tree['durability']}")
    return f"{tree['id']} ({', '.join(facts)})"


def _grace(shutdown: float | str) -> str:
    if shutdown == "kill":
        return "killed to stop"
    return f"{shutdown} s to stop" if isinstance(shutdown, str) else f"{shutdown:g} s to stop"
