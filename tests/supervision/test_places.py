"""What a place is told of its life, and supervisors whose places go with their runs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
import trio

import trido
from tests.conformance.kit import Log, Worker, played, settle, states
from trido.supervision import Supervisor
from trido.supervision.bus import Bus
from trido.supervision.decision import Machine
from trido.supervision.messages import (
    Begin,
    CancelRun,
    End,
    Input,
    Moved,
    Request,
    RunEnded,
    RunReady,
    Stop,
    Tick,
)
from trido.supervision.policy import ChildPolicy
from trido.supervision.records import Record, Settings

EMPTY: Mapping[str, Any] = MappingProxyType({})
CRASH = End("crashed", ValueError())


def machine(*ids: str, policy: Mapping[str, Any] = EMPTY, **settings: Any) -> Machine:
    """A machine whose children have started."""
    records = [Record(id, ChildPolicy(**policy)) for id in ids]
    made = Machine(Settings(path=("root",), **settings), records)
    moves(made, Begin(now=0.0))
    for id in ids:
        moves(made, RunReady(now=0.0, id=id, run=1))
    return made


def moves(made: Machine, event: Input) -> list[str]:
    """What the places are told because of ``event``."""
    return [
        f"{one.record.id} {one.state}{' back' if one.comes_back else ''}"
        for one in made.handle(event)
        if isinstance(one, Moved)
    ]


def ended(id: str, end: End = CRASH, *, now: float = 0.0, run: int = 1) -> RunEnded:
    return RunEnded(now=now, id=id, run=run, end=end)


def settled(goes: str) -> dict[str, Any]:
    return {goes: True}


# What a place is told ----------------------------------------------------------------------------


def test_a_crash_that_is_restarted_is_told_as_coming_back() -> None:
    assert moves(machine("a"), ended("a")) == ["a restarting back"]


def test_a_crash_that_is_one_too_many_is_not() -> None:
    parked = machine("a", policy={"on_limit": "park"}, max_restarts=0)
    assert moves(parked, ended("a")) == ["a restarting", "a parked"]
    over = machine("a", max_restarts=0)
    assert moves(over, ended("a")) == ["a restarting", "a stopped"]


def test_a_failed_restart_is_told_again_once_that_is_decided() -> None:
    backoff = trido.Backoff(min=1.0, factor=1.0, jitter=0.0)
    made = machine("a", policy={"on_limit": "park", "backoff": backoff}, max_restarts=2)
    assert moves(made, ended("a")) == ["a restarting back"]
    moves(made, Tick(now=1.0))
    assert moves(made, ended("a", now=1.0, run=2)) == ["a restarting back"]
    moves(made, Tick(now=2.0))
    assert moves(made, ended("a", now=2.0, run=3)) == ["a parked"]


def test_a_group_comes_back_until_that_is_given_up() -> None:
    backoff = trido.Backoff(min=1.0, factor=1.0, jitter=0.0)
    made = machine("a", "b", policy={"backoff": backoff}, strategy="one_for_all")
    assert moves(made, ended("a")) == ["a restarting back", "b stopping back"]
    assert moves(made, ended("b", End("stopped"))) == ["b stopped back"]
    assert moves(made, ended("a", run=2)) == ["a restarting back"]
    assert moves(made, Stop(now=0.5)) == ["b stopped", "a stopped"]


# Places that go ----------------------------------------------------------------------------------


@pytest.mark.parametrize("goes", ["dynamic", "forgets"])
@pytest.mark.parametrize("end", [End("normal"), CRASH])
def test_a_place_whose_child_has_ended_goes(goes: str, end: End) -> None:
    made = machine("a", "b", policy={"restart": "transient"}, max_restarts=0, **settled(goes))
    told = moves(made, ended("a", end))
    assert told[-1 if end.kind == "normal" else 1] == "a removed"
    assert "a" not in made.records


@pytest.mark.parametrize("goes", ["dynamic", "forgets"])
def test_a_place_that_is_stopped_goes(goes: str) -> None:
    made = machine("a", **settled(goes))
    moves(made, Request(now=0.0, number=1, asked="stop_child", id="a"))
    assert moves(made, ended("a", End("stopped"))) == ["a removed"]
    assert made.records == {}


def test_one_that_is_parked_stays_until_it_is_stopped() -> None:
    made = machine("a", policy={"on_limit": "park"}, max_restarts=0, forgets=True)
    moves(made, ended("a"))
    assert made.records["a"].state == "parked"
    request = Request(now=0.0, number=1, asked="stop_child", id="a")
    assert moves(made, request) == ["a removed"]


@pytest.mark.parametrize(("goes", "at_once"), [("dynamic", ["b", "a"]), ("forgets", ["b"])])
def test_they_are_stopped_at_once_or_in_order(goes: str, at_once: list[str]) -> None:
    made = machine("a", "b", **settled(goes))
    cancelled = [one.id for one in made.handle(Stop(now=0.0)) if isinstance(one, CancelRun)]
    assert cancelled == at_once
    then = [one.id for one in made.handle(ended("b", End("stopped"))) if isinstance(one, CancelRun)]
    assert then == [id for id in ("a",) if id not in at_once]


@played
async def test_a_supervisor_that_forgets_restarts_stops_in_order_and_forgets() -> None:
    log = Log()
    workers = [Worker(id, cleanup=1.0) for id in "abc"]
    spec = trido.SupervisorSpec(*[one.spec(restart="transient") for one in workers], id="root")
    supervisor = Supervisor(spec, Bus([log]), forgets=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await supervisor.settled.wait()
        workers[0].crash()
        await settle()
        assert states(supervisor) == "a running 2, b running 1, c running 1"
        workers[1].finish()
        await settle()
        assert states(supervisor) == "a running 2, c running 1"
        log.take()
        supervisor.stop()
        await supervisor.over.wait()
    assert log.take() == ["K c", "K a", "SUP shutdown"]
    assert states(supervisor) == ""
    assert trio.current_time() == 2.0


# Drawing -----------------------------------------------------------------------------------------


async def test_a_child_that_has_a_supervisor_below_is_drawn_with_it() -> None:
    inner = trido.SupervisorSpec(Worker("b").spec(), id="inner")
    async with trido.open_supervisor(Worker("a").spec(), inner) as sup:
        assert sup.tree().splitlines() == [
            "root [one_for_one]",
            "├── a running (run 1)",
            "└── inner [one_for_one] running (run 1)",
            "    └── b running (run 1)",
        ]
