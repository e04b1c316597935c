"""Directives as data: what each may be, and how those of a turn are sorted."""

from __future__ import annotations

import dataclasses
from typing import Any

import attrs
import pytest
from attrs import frozen

import trido
from trido.agents.directive import Directive, is_directive, is_directive_class
from trido.runtime.plan import Plan, plan_of

SIGNAL = trido.Signal("note", "x")


@frozen
class Charge(trido.Directive):
    cents: int = 0


@dataclasses.dataclass(frozen=True)
class Refund:
    cents: int = 0


@attrs.define
class Mutable:
    cents: int = 0


@trido.action("work")
async def work(data: Charge) -> int:
    return data.cents


@trido.action("work.sync")
def work_sync(data: Charge) -> int:
    return data.cents


# What they may be ---------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [None, "a", "parent", trido.Via("mail")])
def test_Emit_goes_to_whoever_subscribed_an_agent_or_the_outside(to: Any) -> None:
    assert trido.Emit(SIGNAL, to=to) == trido.Emit(SIGNAL, to=to)
    assert hash(trido.Emit(SIGNAL, to=to)) == hash(trido.Emit(SIGNAL, to=to))


REFUSED: list[tuple[Any, tuple[Any, ...], dict[str, Any], str]] = [
    (trido.Emit, ("note",), {}, "signal"),
    (trido.Emit, (SIGNAL,), {"to": ""}, "to"),
    (trido.Emit, (SIGNAL,), {"to": 7}, "to"),
    (trido.Via, ("",), {}, "name"),
    (trido.Via, (7,), {}, "name"),
    (trido.Reply, (1,), {"to": ""}, "to"),
    (trido.Reply, (1,), {"to": 7}, "to"),
    (trido.Run, ("work",), {}, "action"),
    (trido.Run, (work,), {"where": "thread"}, "where"),
    (trido.Run, (work_sync,), {"where": "moon"}, "where"),
    (trido.Run, (work,), {"delivery": "twice"}, "delivery"),
    (trido.Run, (work,), {"ok": ""}, "ok"),
    (trido.Run, (work,), {"error": 7}, "error"),
]


def test_one_that_cannot_be_is_an_error_that_names_the_field() -> None:
    for kind, args, fields, name in REFUSED:
        with pytest.raises(trido.SpecError, match=f"{name}="):
            kind(*args, **fields)


def test_one_cannot_be_changed() -> None:
    for directive, name in ((trido.Emit(SIGNAL), "to"), (trido.Run(work), "ok")):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(directive, name, "x")


def test_plain_parameters_of_a_Run_are_frozen() -> None:
    params = {"cents": [1]}
    directive = trido.Run(work, params)
    params["cents"].append(2)
    assert list(directive.params["cents"]) == [1]


def test_any_frozen_class_may_be_a_directive_of_ones_own() -> None:
    assert all(map(is_directive_class, (Charge, Refund)))
    assert all(map(is_directive, (Charge(), Refund(), trido.Stop(), trido.DeferReply())))
    assert not any(map(is_directive_class, (Mutable, int, "Charge", None)))
    assert not any(map(is_directive, (Mutable(), 7, "Stop", None, SIGNAL.data)))
    assert isinstance(Charge(), Directive)


# How those of a turn are sorted -------------------------------------------------------------------


def plan(*directives: Any) -> Plan:
    return plan_of(directives, {Charge, Refund}, {"mail"})


def test_those_that_are_begun_keep_their_order() -> None:
    errands = [
        Charge(1),
        trido.Emit(SIGNAL),
        trido.Run(work),
        Refund(2),
        trido.Emit(SIGNAL, to=trido.Via("mail")),
        trido.StopChild("x"),
    ]
    assert plan(*errands).errands == errands


def test_the_first_Reply_without_to_answers() -> None:
    sorted_out = plan(trido.Reply(1), trido.Reply(2), trido.Reply(3, to="r"))
    assert sorted_out.reply == trido.Reply(1)
    assert sorted_out.replies == [trido.Reply(3, to="r")]


def test_Stop_and_DeferReply_hold_wherever_they_stand() -> None:
    for directives in ([trido.Stop(), Charge()], [Charge(), trido.Stop()]):
        assert plan(*directives).stops
    assert plan(trido.DeferReply()).defers
    assert not plan(Charge()).stops
    assert not plan(Charge()).defers


def test_those_about_time_know_which_they_are() -> None:
    after = trido.Schedule(1.0, SIGNAL)
    assert plan(Charge(), after, trido.Cancel("x")).timing == [(1, after), (2, trido.Cancel("x"))]


def test_what_nobody_carries_out_is_an_error_that_says_what_to_do() -> None:
    @frozen
    class Unknown:
        pass

    with pytest.raises(trido.InvalidDecision, match=r"executors=\{Unknown: \.\.\.\}"):
        plan(Charge(), Unknown())
    with pytest.raises(trido.InvalidDecision, match=r"dispatch=\{'fax': \.\.\.\}"):
        plan(trido.Emit(SIGNAL, to=trido.Via("fax")))
