"""What errors say, word for word; and what is refused of where signals go and actions run."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import attrs
import pytest
from attrs import frozen

import trido
from trido.agents.address import AgentId
from trido.agents.directive import a_signal, is_directive, is_directive_class
from trido.agents.frozen import EMPTY, FrozenDict, freeze, too_deep
from trido.agents.where import check_where, importable

NOTE = trido.Signal("note")
TEXT = "a non-empty string"
AGENTS = "an agent's ref, its id, a trido.Via, or None"
WHERE = "one of 'task', 'thread', 'process'"


@trido.action
async def waits(data: int) -> int:
    return data


@trido.action
def works(data: int) -> int:
    return data


def undo(data: int, error: BaseException) -> None: ...


@trido.action("undone", compensate=undo)
def undone(data: int) -> int:
    return data


class Tools:
    """Something that actions stand in."""

    @trido.action
    def halve(data: int) -> int:  # noqa: N805  # pyright: ignore[reportGeneralTypeIssues]  # wrong on purpose
        return data // 2


def made_here() -> Any:
    @trido.action("local")
    def local(data: int) -> int:
        return data

    return local


def refused(make: Any, *args: Any, **fields: Any) -> str:
    with pytest.raises(trido.SpecError) as caught:
        make(*args, **fields)
    return str(caught.value)


def no(what: str, allowed: str) -> str:
    return f"{what} is not allowed; it must be {allowed}"


@pytest.mark.parametrize(
    ("make", "what", "allowed"),
    [
        (lambda: trido.Emit("note"), "Emit: signal='note'", "a trido.Signal"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: trido.Emit(NOTE, to=""), "Emit: to=''", AGENTS),
        (lambda: trido.Emit(NOTE, to=7), "Emit: to=7", AGENTS),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: trido.Via(""), "Via: name=''", TEXT),
        (lambda: trido.Reply(1, to=""), "Reply: to=''", TEXT),
        (lambda: AgentId(""), "AgentId: id=''", TEXT),
        (lambda: a_signal("it", 3), "it: signal=3", "a trido.Signal"),
        (lambda: a_signal("it", 3, "input"), "it: input=3", "a trido.Signal"),
        (
            lambda: check_where(works, "moon"),  # type: ignore[arg-type]  # wrong on purpose
            "action 'works': where='moon'",
            WHERE,
        ),
        (
            lambda: check_where(waits, "thread"),
            "action 'waits': where='thread'",
            "'task' for an async def or a sequence",
        ),
        (
            lambda: check_where(undone, "thread"),
            "action 'undone': where='thread'",
            (
                "'task' or 'process' for what has a compensation: a thread cannot be stopped, and"
                " might do its work after it was undone; or an async def that awaits"
                " trio.to_thread.run_sync"
            ),
        ),
        (
            lambda: check_where(made_here(), "process"),
            "action 'local': where='process'",
            "'task' or 'thread' for a function that cannot be imported by its name",
        ),
    ],
)
def test_what_cannot_be_sent_or_run_there(make: Any, what: str, allowed: str) -> None:
    assert refused(make) == no(what, allowed)


def test_where_an_action_can_run() -> None:
    check_where(waits, "task")
    check_where(works, "thread")
    check_where(undone, "process")
    assert importable(works) is works
    assert importable(Tools.halve) is Tools.halve


def test_an_address_is_an_id() -> None:
    assert (AgentId("a").id, repr(AgentId("a"))) == ("a", "AgentId('a')")
    assert AgentId("a") == AgentId("a") != AgentId("b")


@attrs.define
class Mutable:
    value: int = 0


@frozen
class Charge:
    cents: int = 0


@dataclasses.dataclass(frozen=True)
class Refund:
    cents: int = 0


@pytest.mark.parametrize(
    ("one", "is_one"),
    [
        (Charge(), True),
        (Refund(), True),
        (trido.Stop(), True),
        (Mutable(), False),
        (NOTE, False),
        (3, False),
        (Charge, False),
    ],
)
def test_a_directive_is_immutable_and_no_signal(one: Any, is_one: bool) -> None:  # noqa: FBT001  # pytest gives it by name
    assert is_directive(one) is is_one
    assert is_directive_class(type(one)) is is_one
    assert is_directive_class(one) is (one is Charge)


def test_frozen_data_stays_what_it_is_and_refuses_to_change() -> None:
    data = freeze({"a": [1, {2}, bytearray(b"x")], "b": (3, [4])})
    assert data == {"a": (1, frozenset({2}), b"x"), "b": (3, (4,))}
    assert freeze(data) is data
    assert hash(FrozenDict(a=1, b=2)) == hash(FrozenDict(b=2, a=1))
    assert hash(FrozenDict(a=1)) != hash(FrozenDict(a=2))
    assert pickle.loads(pickle.dumps(data)) == data
    assert type(pickle.loads(pickle.dumps(EMPTY))) is FrozenDict
    with pytest.raises(TypeError) as caught:
        data["a"] = 1
    assert str(caught.value) == "the data of a signal or a state does not change"
    assert str(too_deep("it", "data", [1])) == no(
        "it: data=<class 'list'>", "data nested less deeply, and not in itself"
    )


class Own(dict[str, Any]):
    """A dict of one's own."""


def test_a_dict_of_any_class_is_frozen() -> None:
    assert type(freeze(Own(a=Own()))) is FrozenDict
    assert type(freeze(Own(a=Own()))["a"]) is FrozenDict


ERRORS: list[tuple[Exception, dict[str, Any], str]] = [
    (
        trido.NoRoute("till", "a.b"),
        {"agent": "till", "type": "a.b"},
        "agent 'till' has no route for 'a.b'",
    ),
    (
        trido.InvalidData("$.by", "expected int"),
        {"path": "$.by", "rule": "expected int"},
        "$.by: expected int",
    ),
    (
        trido.EffectfulRoute("till", "a.b"),
        {"agent": "till", "type": "a.b"},
        (
            "agent 'till' handles 'a.b' by an async function, which cmd() cannot run: send the"
            " signal to a running agent"
        ),
    ),
    (
        trido.InvalidSignal("$.id", "expected text"),
        {"path": "$.id", "rule": "expected text"},
        "$.id: expected text",
    ),
    (trido.InvalidDecision("no decision"), {}, "no decision"),
    (trido.Reject("no"), {"reason": "no"}, "no"),
    (trido.Reject(), {"reason": None}, "None"),
    (
        trido.ActionTimeout("a", 2.0),
        {"action": "a", "timeout": 2.0, "abandoned": False},
        "action 'a' took longer than 2 s",
    ),
    (
        trido.ActionTimeout("a", 2.5, abandoned=True),
        {"action": "a", "timeout": 2.5, "abandoned": True},
        ("action 'a' took longer than 2.5 s; its thread was abandoned and may still be at work"),
    ),
    (
        trido.InvalidResult("a", "$.n", "expected int"),
        {"action": "a", "path": "$.n", "rule": "expected int"},
        "the result of action 'a': $.n: expected int",
    ),
    (
        trido.BreakerOpen("b", 1.5),
        {"breaker": "b", "after": 1.5},
        "breaker 'b' is open: try again in 1.5 s",
    ),
    (
        trido.BreakerOpen("b", 0.0),
        {"breaker": "b", "after": 0.0},
        "breaker 'b' is open: an attempt is being made",
    ),
    (
        trido.StepFailed("s", "a", 2),
        {"sequence": "s", "step": "a", "number": 2},
        "step 2 of 's' failed: 'a'",
    ),
    (
        trido.CompensationFailed("a"),
        {"action": "a"},
        "the compensation of action 'a' failed",
    ),
    (trido.WorkerDied("a"), {"action": "a"}, "the process that ran action 'a' died"),
]


@pytest.mark.parametrize(("error", "says", "said"), ERRORS, ids=[said for *_, said in ERRORS])
def test_an_error_says_what_it_knows(error: Exception, says: dict[str, Any], said: str) -> None:
    made = type(error)(*error.args)
    for one in (made, pickle.loads(pickle.dumps(made))):
        assert (vars(one), str(one)) == (says, said)
        assert (one.args, repr(one)) == (error.args, repr(error))


def test_an_attempt_was_abandoned_only_if_that_is_said() -> None:
    assert trido.ActionTimeout("a", 2.0).abandoned is False
    assert trido.Reject().reason is None
