from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve, frozen
from attrs.exceptions import FrozenInstanceError

import trido
from trido.agents.frozen import FrozenDict

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_signals_that_say_the_same_are_equal() -> None:
    assert trido.Signal("a.b", {"n": [1]}) == trido.Signal("a.b", {"n": [1]})
    assert hash(trido.Signal("a.b", {"n": [1]})) == hash(trido.Signal("a.b", {"n": [1]}))
    assert trido.Signal("a.b") != trido.Signal("a.c")
    assert trido.Signal("a.b", 1) != trido.Signal("a.b", 2)
    assert trido.Signal("a.b") != "a.b"


def test_a_stamp_tells_signals_apart() -> None:
    plain = trido.Signal("a")
    assert (plain.id, plain.source, plain.time) == (None, None, None)
    assert plain != trido.Signal("a", id="1")
    assert plain != trido.Signal("a", attributes={"subject": "s"})
    assert trido.Signal("a", id="1", time=NOON) == trido.Signal("a", id="1", time=NOON)


def test_a_request_is_the_signal_it_looks_like() -> None:
    request: trido.Request[int, int] = trido.Request("a", 1)
    assert request == trido.Signal("a", 1)
    assert hash(request) == hash(trido.Signal("a", 1))


def test_signals_do_not_change() -> None:
    signal = trido.Signal("a", {"n": 1})
    with pytest.raises(FrozenInstanceError):
        signal.type = "b"  # type: ignore[misc]
    assert evolve(signal, id="1") == trido.Signal("a", {"n": 1}, id="1")
    assert not hasattr(signal, "__dict__")


def test_plain_data_is_frozen_all_the_way_down() -> None:
    inner = {"list": [1, {"set": {2}}], "bytes": bytearray(b"x")}
    data = trido.Signal("a", {"inner": inner}).data
    inner["list"] = []
    assert data == {"inner": {"list": (1, {"set": frozenset({2})}), "bytes": b"x"}}
    with pytest.raises(TypeError, match="does not change"):
        data["inner"]["list"][1]["set"] = 3
    assert type(data["inner"]["bytes"]) is bytes


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        ("update", ({"b": 1},)),
        ("pop", ("a",)),
        ("popitem", ()),
        ("clear", ()),
        ("setdefault", ("b", 1)),
        ("__delitem__", ("a",)),
        ("__ior__", ({"b": 1},)),
    ],
)
def test_frozen_data_refuses_every_change(change: str, arguments: tuple[Any, ...]) -> None:
    data = trido.Signal("a", {"a": 1}).data
    with pytest.raises(TypeError, match="does not change"):
        getattr(data, change)(*arguments)
    assert data == {"a": 1}


def test_frozen_data_is_a_dict_to_those_who_read_it() -> None:
    data = FrozenDict(a=1)
    assert json.dumps(data) == '{"a": 1}'
    assert pickle.loads(pickle.dumps(data)) == data
    assert copy.copy(data) is data
    assert copy.deepcopy(data) is data


def test_an_instance_of_a_class_is_not_copied() -> None:
    @frozen
    class Add:
        by: list[int]

    add = Add([1])
    assert trido.Signal("a", add).data is add


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"type": ""}, "type"),
        ({"type": 1}, "type"),
        ({"type": "a", "id": ""}, "id"),
        ({"type": "a", "source": 1}, "source"),
        ({"type": "a", "time": 1.0}, "time"),
        ({"type": "a", "time": datetime(2026, 1, 1)}, "time"),  # noqa: DTZ001  # what is refused
        ({"type": "a", "attributes": []}, "attributes"),
        ({"type": "a", "attributes": {"Not-One": 1}}, "attributes"),
        ({"type": "a", "attributes": {"id": 1}}, "attributes"),
        ({"type": "a", "attributes": {1: 1}}, "attributes"),
    ],
)
def test_what_is_no_signal(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(trido.SpecError) as caught:
        trido.Signal(**fields)
    assert caught.value.field == field


def test_an_unknown_keyword_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        trido.Signal("a", subject="s")  # type: ignore[call-arg]


def test_it_prints_what_it_says() -> None:
    assert repr(trido.Signal("a", {"n": 1})) == "Signal('a', {'n': 1})"
    full = trido.Signal("a", id="1", source="s", attributes={"subject": "x"})
    assert repr(full) == "Signal('a', None, id='1', source='s', attributes={'subject': 'x'})"
