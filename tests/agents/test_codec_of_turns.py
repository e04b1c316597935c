"""What turns leave behind is refused word for word, and found again by its names or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

import trido
from tests.agents.kept import definition
from trido.agents.codec import Codec, CodecError, StateCodec, Unregistered

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@frozen
class State:
    value: int = 0
    _hidden: str = field(default="", alias="shown")


@frozen
class Pay(trido.Directive):
    cents: int = 0


counter = trido.Agent("counter", state=State)
twin = trido.Agent("counter", state=State)


@trido.action
def bill(data: None) -> None: ...


@trido.action("bill")
def another(data: None) -> None: ...


def said_by(decode: Any, *given: Any) -> str:
    """What is said by the error that it raises."""
    with pytest.raises(CodecError) as refused:
        decode(*given)
    return str(refused.value)


# What cannot be read is told ----------------------------------------------------------------------


def test_what_is_damaged_says_what_it_was_to_be() -> None:
    codec = Codec({"counter": counter})
    assert said_by(lambda: codec.decode_input(b"[]", agent_id="a", revision=0)) == (
        "input of a turn: $: expected an object, got list"
    )
    assert said_by(codec.decode_timer, "k", 0, b'{"type":"a","after":1}') == (
        "timer: $: expected the row of a timer to be called after its key"
    )
    assert said_by(codec.decode_reply, counter, b"{}") == "reply: $: expected a state or a value"
    assert said_by(codec.decode, "Emit", b"[]") == (
        "directive 'Emit': $: expected an object, got list"
    )


KNOWN = "is not known: register it, open_runtime"
OTHER = "is another one than is known by that name: register it, open_runtime"
NOT_PLAIN = "expected plain data, for it has to be written; got"


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        (Pay(), f"directive: $: the directive 'Pay' {KNOWN}(executors={{...: ...}})"),
        (trido.Run(bill), f"directive 'Run': $: the action 'bill' {KNOWN}(actions=(...))"),
        (
            trido.SpawnAgent(counter, "t"),
            f"directive 'SpawnAgent': $: the agent 'counter' {KNOWN}(agents=(...))",
        ),
    ],
)
def test_what_is_not_known_is_told_with_what_it_is_for_and_the_way_out(
    directive: trido.Directive, message: str
) -> None:
    written = Codec({"counter": counter}, {"bill": bill}, {"Pay": Pay}).encode(directive)
    assert said_by(Codec().encode, directive) == message
    assert said_by(Codec().decode, *written) == message


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        (trido.Run(another), f"directive 'Run': $: the action 'bill' {OTHER}(actions=(...))"),
        (
            trido.SpawnAgent(twin, "t"),
            f"directive 'SpawnAgent': $: the agent 'counter' {OTHER}(agents=(...))",
        ),
        (
            trido.SpawnAgent(counter, "t", settings={"on_error": print}),
            f"directive 'SpawnAgent': $.settings.on_error: {NOT_PLAIN} builtin_function_or_method",
        ),
    ],
)
def test_what_could_not_be_read_again_is_told(directive: trido.Directive, message: str) -> None:
    assert said_by(Codec({"counter": counter}, {"bill": bill}).encode, directive) == message


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("SpawnAgent", b'{"tag":"t"}', "expected the name of an agent, got None"),
        ("Run", b"{}", "expected the name of an action, got None"),
    ],
)
def test_a_directive_without_the_name_of_what_it_is_about_is_none(
    name: str, data: bytes, message: str
) -> None:
    assert said_by(Codec().decode, name, data) == f"directive {name!r}: $: {message}"


def test_a_name_that_is_taken_is_refused_with_whose_it_is() -> None:
    with pytest.raises(trido.SpecError) as refused:
        Codec(directives={"Emit": Pay})
    assert str(refused.value) == (
        "Codec: directives='Emit' is not allowed; it must be a name that none of trido's"
        " directives has"
    )
    with pytest.raises(trido.SpecError) as refused:
        Codec({"counter": counter}).learn(twin)
    assert str(refused.value) == (
        "Agent 'counter': name='counter' is not allowed; it must be a name that no other agent of"
        " the runtime has"
    )


# States -------------------------------------------------------------------------------------------


def test_a_state_is_written_by_the_names_of_its_arguments_and_shown_by_those_of_its_fields() -> (
    None
):
    codec = StateCodec(definition(State))
    written = codec.encode(State(1, shown="x"))
    assert {name: codec.attribute(name) for name in written if name != "$"} == {
        "value": "value",
        "shown": "_hidden",
    }


def test_an_upgrade_that_fails_is_told_by_its_state() -> None:
    def fail(fields: Mapping[str, Any]) -> Mapping[str, Any]:
        raise KeyError("hunter2")

    written = StateCodec(definition(State)).encode(State())
    newer = StateCodec(definition(State, version=2, upgrades={1: fail}))
    line = fail.__code__.co_firstlineno + 1
    assert said_by(newer.decode, written) == (  # where, but not what: that may be a secret
        "state of Agent 'keeper': $: an upgrade from version 1 on raised KeyError, at"
        f" {Path(__file__).name}:{line}"
    )


def test_an_answer_that_is_the_state_just_written_is_taken_as_it_was_written() -> None:
    codec = Codec({"counter": counter})
    fields = {**codec.state(counter).encode(State()), "value": b" 7"}
    answer = codec.encode_reply(counter, State(), fields)
    assert b'"value": 7' in answer
    assert codec.decode_reply(counter, answer) == State(7)


# What a look back meets ---------------------------------------------------------------------------


@pytest.mark.parametrize("directive", [trido.Run(bill), trido.SpawnAgent(counter, "t"), Pay(5)])
def test_what_was_met_is_known_by_its_name(directive: trido.Directive) -> None:
    codec = Codec()
    codec.meet(directive)
    codec.meet(directive)
    assert codec.decode(*codec.encode(directive)) == directive


def test_what_was_known_before_stays_so() -> None:
    @frozen
    class Charge(trido.Directive):
        pass

    codec = Codec({"counter": counter}, {"bill": bill}, {"Charge": Pay})
    for one in (trido.Run(another), trido.SpawnAgent(twin, "t"), Charge()):
        codec.meet(one)
        with pytest.raises(Unregistered):
            codec.encode(one)
    assert codec.actions == (bill,)
    assert codec.decode(*codec.encode(Pay(5))) == Pay(5)


def test_a_directive_is_compared_as_it_would_be_written_now() -> None:
    codec = Codec(directives={"pay": Pay})
    assert codec.rewritten("pay", b'{ "cents": 5 }') == b'{"cents":5}'
    assert codec.rewritten("pay", b"{}") == b'{"cents":0}'


@pytest.mark.parametrize(("name", "data"), [("pay", b"{"), ("gone", b'{ "cents": 5 }')])
def test_a_directive_that_cannot_be_read_is_compared_as_it_is(name: str, data: bytes) -> None:
    assert Codec(directives={"pay": Pay}).rewritten(name, data) == data
