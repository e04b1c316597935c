"""A virtual day of traffic and faults passes in seconds, and its report is always the same."""

from __future__ import annotations

import json
import random
from random import Random
from typing import Any

import pytest
from attrs import evolve, frozen

import trido
from tests.testing.ledgers import Charge, charge, summer
from trido.testing import NotReproducible, Rates, SimulationReport, UnknownPoint, simulate

ADD = [trido.Signal("add", 1)]
HALF_AN_HOUR = 1 / 48


def day(**given: Any) -> SimulationReport:
    settings = {"days": HALF_AN_HOUR, "traffic": {"a": ADD}, "per_hour": 60.0, "faults": None}
    agents = {"a": summer(), **given.pop("more", {})}
    return simulate(agents, **{**settings, **given})


def test_without_faults_everything_is_served() -> None:
    report = day()
    (a,) = report.agents
    assert (report.seconds, report.faults, report.plan) == (1800.0, 0, "nothing")
    assert (a.availability, a.crashes, a.parked, a.lost, a.refused) == (1.0, 0, 0, 0, 0)
    assert a.sent == a.served > 10
    assert (a.recovery.count, a.recovery.max) == (0, 0.0)
    assert a.dead_letters == {}


def test_the_same_seed_gives_the_same_report() -> None:
    faults = Rates(crashes=200, cancels=50, drops=100, duplicates=100, delays=50, blocks=50)
    one, same, other = (day(faults=faults, seed=seed) for seed in (1, 1, 2))
    assert one.to_json() == same.to_json() != other.to_json()
    assert str(one) == str(same)
    assert one.faults > 5


def test_a_signal_that_is_dropped_is_lost() -> None:
    (a,) = day(faults="drop 1st signal to a; drop 3rd signal to a").agents
    assert a.lost >= 1
    assert a.served + a.lost + a.refused == a.sent


def test_so_it_is_if_the_same_signal_is_a_dead_letter_another_time() -> None:
    boom = [trido.Signal("boom")]
    plan = "drop 1st signal to a; drop 3rd signal to a"
    options = {"calls": 0.0, "revive_after": 60.0}
    (a,) = day(faults=plan, traffic={"a": boom}, **options).agents
    assert a.lost == 2
    assert a.lost + sum(a.dead_letters.values()) == a.sent


@pytest.mark.parametrize("mishap", ["delay 2nd signal to a by 5s", "reorder 2nd signal to a"])
@pytest.mark.parametrize("calls", [0.0, 1.0])
def test_a_signal_that_comes_later_is_sent_once(mishap: str, calls: float) -> None:
    (a,) = day(faults=mishap, calls=calls).agents
    assert a.sent == a.served == day(calls=calls).agents[0].sent


def test_crashes_take_time_and_signals() -> None:
    agent = summer(redeliver=0)

    @agent.on("die")
    def die(state: Any, data: None) -> Any:
        raise ValueError("die")

    report = day(more={"a": agent}, traffic={"a": [*ADD, trido.Signal("die")]}, per_hour=600)
    (a,) = report.agents
    assert a.crashes > 1
    assert a.dead_letters["AgentCrashed"] > 0
    assert a.refused > 0
    assert a.recovery.count > 1
    assert a.recovery.p50 <= a.recovery.p99 <= a.recovery.max
    assert "dead letters of a: AgentCrashed" in str(report)


def test_who_is_parked_is_not_available_until_somebody_revives_it() -> None:
    agent = summer()

    @agent.on("die")
    def die(state: Any, data: None) -> Any:
        raise ValueError("die")

    def storm(**more: Any) -> Any:
        deadly = {"a": [trido.Signal("die")]}
        (a,) = day(more={"a": agent}, traffic=deadly, per_hour=9000, days=0.005, **more).agents
        return a

    left = storm()
    assert left.parked == 1
    assert left.availability < 0.2
    revived = storm(revive_after=30.0)
    assert revived.parked > 1
    assert revived.availability > left.availability


def test_a_start_that_fails_again_is_one_time_down() -> None:
    agent = summer()

    @agent.on_start
    def begin(state: Any, turn: trido.Turn) -> Any:
        if turn.why == "restart" and turn.random.random() < 2 and turn.revision < 2:
            raise ValueError("not yet")
        return evolve(state, total=1)

    (a,) = day(more={"a": agent}, traffic={}, faults="crash a at 10s").agents
    assert a.crashes > 1
    assert a.recovery.count <= 1
    assert a.availability < 1


def test_signals_are_drawn_from_the_routes_or_made() -> None:
    plain = trido.Agent("plain", state=_Seen)

    @plain.on("see")
    def see(state: _Seen, data: int) -> _Seen:
        return _Seen(data)

    def make(random: Random) -> trido.Signal:
        return trido.Signal("see", random.randint(1, 6))

    (a,) = day(more={"a": plain}, traffic=None).agents
    assert a.sent == a.served > 0
    (b,) = day(more={"a": plain}, traffic={"a": make}, calls=0.0).agents
    assert b.sent == b.served > 0
    (c,) = day(more={"a": plain}, traffic={}).agents
    assert c.sent == 0


@frozen
class _Seen:
    last: int = 0


def test_what_the_runtime_needs_besides_is_passed_on() -> None:
    signals = {"a": [trido.Signal("charge", Charge(1))]}
    (a,) = day(traffic=signals, executors={Charge: charge}).agents
    assert a.served == a.sent


def test_the_report_is_a_table_and_json() -> None:
    report = day(more={"longer-name": summer("other")})
    head, heads, *rows = str(report).splitlines()
    assert head == "0.0208333 virtual days, 0 faults, seed=0"
    assert heads.split() == [
        "agent", "available", "crashes", "parked", "p50", "p99", "max", "sent", "served",
        "refused", "lost", "dead",
    ]  # fmt: skip
    assert [row.split()[0] for row in rows] == ["a", "longer-name"]
    assert len({len(row) for row in (heads, *rows)}) == 1
    found = json.loads(report.to_json())
    assert found["agents"][0]["id"] == "a"
    assert found["agents"][0]["availability"] == 1.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": 0},
        {"per_hour": "x"},
        {"calls": 2},
        {"revive_after": -1},
        {"agents": {"a": 1}},
        {"traffic": {"A": ADD}},
        {"traffic": {"a": ["add"]}},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    given = {"agents": {"a": summer()}, **wrong}
    with pytest.raises(trido.SpecError, match=next(iter(wrong))):
        simulate(given.pop("agents"), **given)


def test_what_did_not_happen_is_not_counted() -> None:
    report = day(faults="crash a at 10s; crash a at turn 99999")
    assert (report.faults, report.planned) == (1, 2)
    assert str(report).startswith("0.0208333 virtual days, 1 of 2 faults, seed=0\n")


def test_a_plan_for_who_was_never_there_is_told() -> None:
    with pytest.raises(UnknownPoint, match="no agent or child 'A'; there is a, any sum, runtime/a"):
        day(faults="crash A at 10s")


def test_what_no_seed_decides_is_told() -> None:
    agent = summer()

    @agent.on("roll")
    def roll(state: Any, data: None) -> Any:
        return evolve(state, total=random.randint(1, 6))

    rolls: dict[str, Any] = {"more": {"a": agent}, "traffic": {"a": [trido.Signal("roll")]}}
    with pytest.raises(NotReproducible, match="the global random"):
        day(**rolls)
    (a,) = day(**rolls, guarded=False).agents
    assert a.served == a.sent


def test_rates_are_numbers() -> None:
    with pytest.raises(trido.SpecError, match="crashes"):
        Rates(crashes=-1)
