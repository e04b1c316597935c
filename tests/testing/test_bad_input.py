"""What cannot be meant is told before anything runs: the argument, the rule, and who has it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

import trido
from tests.testing.agents import Note, counter, signal
from trido import testing
from trido.testing import strategies
from trido.testing.guest import GuestRun
from trido.testing.machine import RuntimeMachine, runtime_machine

AGENTS = {"a": counter}
PLANS = strategies.fault_plans("a")


async def never() -> None:
    pytest.fail("it ran")


async def recorded() -> testing.Recorder:
    with testing.Recorder() as recorder:
        async with trido.open_runtime() as rt:
            await rt.start_agent(counter, id="a")
    return recorder


RECORD: Any = testing.run(recorded, guarded=False)


class OfNone(RuntimeMachine):
    pass


class OfNothingToHold(RuntimeMachine):
    agents = trido.freeze(AGENTS)
    always = (3,)  # type: ignore[assignment]  # wrong on purpose


RUN: dict[str, Any] = {
    "plan": 3,
    "seed": -1,
    "guarded": "no",
    "rehearsed": None,
    "steps": 0,
    "lasts": math.nan,
    "instruments": [3],
}
SIMULATE: dict[str, Any] = {
    "days": math.inf,
    "seed": None,
    "traffic": [signal("add")],
    "per_hour": math.inf,
    "calls": 2,
    "revive_after": -1,
    "guarded": "no",
}


@pytest.mark.parametrize("name", RUN)
def test_run(name: str) -> None:
    of = "FaultPlan" if name == "plan" else "trido.testing.run"
    with pytest.raises(trido.SpecError, match=f"^{of}: {name}="):
        testing.run(never, **{name: RUN[name]})


@pytest.mark.parametrize("name", ["plan", "steps", "lasts"])
def test_run_seeds(name: str) -> None:
    with pytest.raises(trido.SpecError, match=f"{name}="):
        testing.run_seeds(never, **{name: RUN[name]})


@pytest.mark.parametrize("seeds", [0, None, [], [0, -1], ["a"], "12", 1.5])
def test_seeds(seeds: Any) -> None:
    with pytest.raises(trido.SpecError, match=r"^run_seeds: seeds?="):
        testing.run_seeds(never, seeds=seeds)


@pytest.mark.parametrize("name", ["seed", "steps", "lasts", "limit", "invariant"])
def test_every_crash_point(name: str) -> None:
    bad = {**RUN, "limit": 0, "invariant": 3}
    with pytest.raises(trido.SpecError, match=f"^every_crash_point: {name}="):
        testing.every_crash_point(never, **{name: bad[name]})


@pytest.mark.parametrize("run", [testing.run, testing.run_seeds, testing.every_crash_point])
@pytest.mark.parametrize("fn", [3, None, print])
def test_what_is_no_async_function(run: Callable[..., object], fn: Any) -> None:
    with pytest.raises(trido.SpecError, match=r"fn=.*it must be an async function"):
        run(fn)


@pytest.mark.parametrize("name", SIMULATE)
def test_simulate(name: str) -> None:
    with pytest.raises(trido.SpecError, match=f"^simulate: {name}="):
        testing.simulate(AGENTS, **{name: SIMULATE[name]})


@pytest.mark.parametrize("agents", [{}, [counter], None, {"a": "b"}, {3: counter}])
def test_agents_are_given_by_their_ids(agents: Any) -> None:
    with pytest.raises(trido.SpecError, match=r"^simulate: agents=.*by their ids"):
        testing.simulate(agents)
    with pytest.raises(trido.SpecError, match=r"^runtime_machine: agents=.*by their ids"):
        runtime_machine(agents)


# As somebody would call them who has no type checker.
t: Any = testing
s: Any = strategies
m: Any = runtime_machine
g: Any = GuestRun
OTHERS: list[tuple[str, Callable[[], object]]] = [
    ("simulate: traffic=", lambda: t.simulate(AGENTS, traffic={"a": signal("x")})),
    ("simulate: traffic=3", lambda: t.simulate(AGENTS, traffic={"a": [3]})),
    ("Rates: crashes=inf", lambda: t.Rates(crashes=math.inf)),
    ("check: invariants=", lambda: t.check(RECORD)),
    ("check: invariants=3", lambda: t.check(RECORD, 3)),
    ("nothing_lost: allow=", lambda: t.nothing_lost(RECORD, allow=ValueError)),
    ("nothing_lost: allow=(3,)", lambda: t.nothing_lost(RECORD, allow=[3])),
    ("nothing_twice: directive=3", lambda: t.nothing_twice(RECORD, 3)),
    ("nothing_twice: key=", lambda: t.nothing_twice(RECORD, key=str)),
    ("nothing_twice: key=3", lambda: t.nothing_twice(RECORD, Note, key=3)),
    ("no_task_left: recorder=", lambda: t.no_task_left(None)),
    ("state_equals_fold: id=3", lambda: t.state_equals_fold(counter, 3)),
    ("explain: recorder=", lambda: t.explain(None)),
    ("assert_pure: types=3", lambda: t.assert_pure(counter, types=3)),
    ("assert_replays: agent=", lambda: t.assert_replays(None, [])),
    ("assert_replays: signals=3", lambda: t.assert_replays(counter, 3)),
    ("assert_replays: signals=['add']", lambda: t.assert_replays(counter, ["add"])),
    ("assert_replays: durable=", lambda: t.assert_replays(counter, [], durable=3)),
    ("fault_plans: who=3", lambda: s.fault_plans(3)),
    ("fault_plans: faults=3", lambda: s.fault_plans("a", faults=3)),
    ("find_plan: fn=3", lambda: s.find_plan(3, PLANS)),
    ("find_plan: plans=", lambda: s.find_plan(never, "crash a")),
    ("find_plan: invariant=", lambda: s.find_plan(never, PLANS, invariant=3)),
    ("find_plan: seed=", lambda: s.find_plan(never, PLANS, seed="x")),
    ("signals: valid=", lambda: s.signals(counter, valid="no")),
    ("signals: types=3", lambda: s.signals(counter, types=3)),
    ("supervisor_trees: children=3", lambda: s.supervisor_trees(3)),
    ("runtime_machine: crashes=", lambda: m(AGENTS, crashes="no")),
    ("runtime_machine: guarded=", lambda: m(AGENTS, guarded="no")),
    ("runtime_machine: types=", lambda: m(AGENTS, types=3)),
    ("runtime_machine: always=", lambda: m(AGENTS, always=print)),
    ("runtime_machine: in_the_end=3", lambda: m(AGENTS, in_the_end=[3])),
    ("OfNone: agents=", OfNone),
    ("OfNothingToHold: always=3", OfNothingToHold),
    ("GuestRun: main=3", lambda: g(3, seed=0)),
    ("GuestRun: seed=", lambda: g(never, seed="x")),
    ("FaultPlan: faults=", lambda: t.FaultPlan("crash a at turn 1")),
    ("FaultPlan: plan=b'crash'", lambda: t.run(never, plan=b"crash")),
    ("FaultPlan: plan={}", lambda: t.run(never, plan={})),
    ("Recorder.of: kind='zz'", lambda: RECORD.of("zz")),
    ("Recorder.effects: kind='zz'", lambda: RECORD.effects("zz")),
    ("find_plan: plans=0", lambda: s.find_plan(recorded, st.integers())),
    ("Time: seconds=", lambda: t.Time("x")),
    ("ClockFault: jump=", lambda: t.ClockFault("x", t.Time(1))),
    ("LoopFault: seconds=", lambda: t.LoopFault("x", t.Time(1))),
    (
        "CodeFault: seconds=",
        lambda: t.CodeFault("slow", "a", t.Turn(1), seconds="x"),
    ),
]


@pytest.mark.parametrize(("says", "call"), OTHERS, ids=[says for says, _ in OTHERS])
def test_the_others(says: str, call: Callable[[], object]) -> None:
    with pytest.raises(trido.SpecError, match=f"^{re.escape(says)}"):
        call()


def test_tasks_are_counted_once_the_record_is_over() -> None:
    recorder = testing.Recorder()
    with recorder, pytest.raises(testing.InvariantFailed, match="its block is not left yet"):
        testing.no_task_left(recorder)
    testing.no_task_left(recorder)
