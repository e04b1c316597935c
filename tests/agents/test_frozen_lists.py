"""Lists in data: what came equals what was sent, though it cannot change."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from attrs import evolve, frozen

import trido
from trido.agents.frozen import FrozenList


def test_data_equals_the_lists_that_it_was_made_of() -> None:
    sent = {"k": [1, [2, {"deep": [3]}]], "empty": []}
    signal = trido.Signal("x", sent)
    assert signal.data == sent
    assert sent == signal.data
    assert trido.Signal("x", [1, 2]).data == [1, 2] != trido.Signal("x", [2, 1]).data
    assert trido.Signal("x", [1, 2]) == trido.Signal("x", (1, 2))


def test_data_that_came_as_json_equals_what_json_says() -> None:
    text = trido.Signal("x", {"k": [[1], "two", None]}, id="1", source="s").to_json()
    assert trido.Signal.from_json(text).data == json.loads(text)["data"]


def test_a_frozen_list_is_a_tuple_in_all_else() -> None:
    value = trido.freeze([1, [2]])
    assert type(value) is FrozenList
    assert isinstance(value, tuple)
    assert value == (1, (2,))
    assert (1, (2,)) == value  # noqa: SIM300  # the other way round
    assert not value != [1, [2]]  # noqa: SIM202  # it has a way of its own
    assert value != [1, 2]
    assert value != "12"
    assert hash(value) == hash((1, (2,)))
    assert json.dumps(value) == "[1, [2]]"
    assert repr(value) == "(1, (2,))"
    with pytest.raises(AttributeError):
        value.append(3)  # type: ignore[attr-defined]  # wrong on purpose


def test_a_frozen_list_is_never_copied_but_for_another_process() -> None:
    value = trido.freeze([1, [2]])
    assert trido.freeze(value) is value
    assert copy.copy(value) is value
    assert copy.deepcopy({"a": value})["a"] is value
    again = pickle.loads(pickle.dumps(value))
    assert again == value
    assert type(again) is type(again[1]) is FrozenList


def test_tuples_stay_tuples() -> None:
    assert type(trido.freeze(([1],))) is tuple
    assert type(trido.freeze(([1],))[0]) is FrozenList


@frozen
class Kept:
    items: tuple[int, ...] = ()
    pair: tuple[int, str] = (0, "")
    loose: object = None


async def test_frozen_lists_are_kept_where_tuples_are() -> None:
    agent = trido.Agent("kept", state=Kept)

    @agent.on("keep")
    def keep(state: Kept, data: Any) -> Kept:
        return evolve(state, items=data, pair=trido.freeze([1, "a"]), loose=data)

    journal = trido.MemoryJournal()
    for _ in range(2):
        async with trido.open_runtime(journal=journal, agents=(agent,)) as rt:
            ref = await rt.start_agent(agent, id="k", durability="sync")
            state = await ref.call(trido.Signal("keep", [1, 2], id="one"))
            assert state == Kept((1, 2), (1, "a"), [1, 2])
            assert ref.state().loose == [1, 2]
