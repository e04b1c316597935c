from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
from attrs import evolve, frozen
from attrs.exceptions import FrozenInstanceError

import trido
from trido.agents.frozen import FrozenDict
from trido.agents.stamps import caused_by, stamped

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01"


class Nowhere(tzinfo):
    """A time zone that does not know."""

    def utcoffset(self, dt: datetime | None) -> None: ...
    def dst(self, dt: datetime | None) -> None: ...
    def tzname(self, dt: datetime | None) -> None: ...


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
        ({"type": "a", "id": "\ud800"}, "id"),
        ({"type": "a", "source": "\ud800"}, "source"),
        ({"type": "a", "time": 1.0}, "time"),
        ({"type": "a", "time": datetime(2026, 1, 1)}, "time"),  # noqa: DTZ001  # what is refused
        ({"type": "a", "time": datetime(2026, 1, 1, tzinfo=Nowhere())}, "time"),
        ({"type": "a", "attributes": []}, "attributes"),
        ({"type": "a", "attributes": {"Not-One": 1}}, "attributes"),
        ({"type": "a", "attributes": {"id": 1}}, "attributes"),
        ({"type": "a", "attributes": {1: 1}}, "attributes"),
        ({"type": "a", "attributes": {"data": 1}}, "attributes"),
        ({"type": "a", "attributes": {"x": None}}, "x"),
        ({"type": "a", "attributes": {"x": 1.5}}, "x"),
        ({"type": "a", "attributes": {"x": 2**31}}, "x"),
        ({"type": "a", "attributes": {"x": "a\nb"}}, "x"),
        ({"type": "a", "attributes": {"x": "\ud800"}}, "x"),
        ({"type": "a", "attributes": {"x": "\U0001ffff"}}, "x"),
        ({"type": "a", "attributes": {"x": datetime(2026, 1, 1)}}, "x"),  # noqa: DTZ001  # same
        ({"type": "a", "attributes": {"subject": ""}}, "subject"),
        ({"type": "a", "attributes": {"subject": 1}}, "subject"),
        ({"type": "a", "attributes": {"datacontenttype": "json"}}, "datacontenttype"),
        ({"type": "a", "attributes": {"traceparent": "00-0-0-00"}}, "traceparent"),
        ({"type": "a", "attributes": {"tracestate": "a=1,b"}}, "tracestate"),
    ],
)
def test_what_is_no_signal(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(trido.SpecError) as caught:
        trido.Signal(**fields)
    assert caught.value.field == field


def nested_in_itself() -> list[Any]:
    items: list[Any] = []
    items.append({"items": items})
    return items


def nested_deeply() -> Any:
    data: Any = None
    for _ in range(100_000):
        data = [data]
    return data


@pytest.mark.parametrize("data", [nested_in_itself(), nested_deeply()], ids=["itself", "deeply"])
def test_data_without_end_is_refused_where_it_is_given(data: Any) -> None:
    @trido.action
    def act(data: object) -> None: ...

    said = "it must be data nested less deeply, and not in itself"
    with pytest.raises(trido.SpecError, match=f"Signal 'a': data=.* {said}"):
        trido.Signal("a", data)
    with pytest.raises(trido.SpecError, match=f"Run: params=.* {said}"):
        trido.Run(act, data)
    with pytest.raises(trido.InvalidData, match="expected data nested less deeply"):
        act.build(data)


def test_the_attributes_there_may_be() -> None:
    said = {
        "datacontenttype": 'text/plain; charset="utf-8"',
        "dataschema": "https://example.com/schema",
        "subject": "é",
        "traceparent": TRACE,
        "tracestate": "rojo=00f067aa0ba902b7,congo@x=t61rcWkgMzE, ",
        "anextensionwithaverylongname1": True,
        "number": -(2**31),
        "empty": "",
        "bytes": b"a",
        "at": NOON,
    }
    assert trido.Signal("a", attributes=said).attributes == said


def test_an_unknown_keyword_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        trido.Signal("a", subject="s")  # type: ignore[call-arg]


def test_it_prints_what_it_says() -> None:
    assert repr(trido.Signal("a", {"n": 1})) == "Signal('a', {'n': 1})"
    full = trido.Signal("a", id="1", source="s", attributes={"subject": "x"})
    assert repr(full) == "Signal('a', None, id='1', source='s', attributes={'subject': 'x'})"


def test_a_stamp_fills_in_what_is_not_set() -> None:
    later = NOON + timedelta(hours=1)
    signal = stamped(trido.Signal("a", {"n": 1}, source="me"), id="1", source="x", time=NOON)
    assert signal == trido.Signal("a", {"n": 1}, id="1", source="me", time=NOON)
    assert stamped(signal, id="2", source="y", time=later) is signal
    request: trido.Request[int, int] = trido.Request("a", 1)
    assert type(stamped(request, id="1", source="x", time=NOON)) is trido.Request


def test_an_emitted_signal_takes_over_causation_correlation_and_trace() -> None:
    trace = {"traceparent": TRACE, "tracestate": "a=1"}
    cause = trido.Signal("a", id="1", attributes={"other": "x", **trace})
    first = caused_by(trido.Signal("b", id="2"), cause)
    assert first.attributes == {"causationid": "1", "correlationid": "1", **trace}
    second = caused_by(trido.Signal("c", attributes={"subject": "s"}), first)
    assert second.attributes == {
        "causationid": "2",
        "correlationid": "1",
        "subject": "s",
        **trace,
    }


def test_what_an_emitted_signal_sets_itself_stays() -> None:
    own = {"causationid": "x", "correlationid": "y", "traceparent": TRACE}
    cause = trido.Signal("a", id="1", attributes={"tracestate": "a=1"})
    assert caused_by(trido.Signal("b", attributes=own), cause).attributes == own


def test_a_cause_that_says_nothing_gives_nothing() -> None:
    emitted = trido.Signal("b")
    assert caused_by(emitted, trido.Signal("a")) is emitted
