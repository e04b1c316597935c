"""What is written, byte by byte: journals are read by later programs, so these forms are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from json import encoder
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import pytest
from attrs import field, frozen

import trido
from tests.agents.kept import Color, Flags, Level, Number, Point, Ready, Size, definition, exactly
from trido.agents.address import AgentId
from trido.agents.codec import Codec, KeptTimer, StateCodec, Unencodable
from trido.agents.codec import text as json_text
from trido.agents.codec.errors import Misfit
from trido.agents.codec.text import DEPTH, read, write

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SHOWN = datetime(2026, 1, 1, 12)  # noqa: DTZ001  # without a zone on purpose
ONE = UUID(int=1)
ONE_TEXT = "00000000-0000-0000-0000-000000000001"
LONE = "\ud800"


def codec_of(declared: Any) -> tuple[Any, StateCodec[Any]]:
    cls = attrs.make_class("State", {"it": field(default=None, type=declared)}, frozen=True)
    return cls, StateCodec(definition(cls))


# Values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "value", "form"),
    [
        (str, LONE, '"\ud800"'),
        (tuple[str, ...], ("a", LONE), '["a","\ud800"]'),
        (Mapping[str, str], {LONE: "a"}, '{"\ud800":"a"}'),
        (float, 1, "1"),
        (float, float("-inf"), "-Infinity"),
        (bytes, b"hi", '"aGk="'),
        (Decimal, Decimal("1.50"), '"1.50"'),
        (UUID, ONE, f'"{ONE_TEXT}"'),
        (date, date(2026, 1, 2), '"2026-01-02"'),
        (time, time(1, 2, 3, tzinfo=UTC), '"01:02:03+00:00"'),
        (timedelta, timedelta(microseconds=-1), '"-1"'),
        (datetime, NOON, '"2026-01-01T12:00:00+00:00"'),
        (
            datetime,
            SHOWN.replace(tzinfo=timezone(timedelta(hours=-2))),
            '"2026-01-01T12:00:00-02:00"',
        ),
        (datetime, SHOWN.replace(tzinfo=ZoneInfo("UTC")), '"2026-01-01T12:00:00[UTC]"'),
        (
            datetime,
            datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
            '"2026-10-25T02:30:00[Europe/Berlin]1"',
        ),
        (Color, Color.BLUE, '"RED"'),
        (Flags, Flags.A | Flags.B, "3"),
        (Literal["a", True, 1, b"b"], True, "true"),
        (Literal["a", b"b"], b"b", "\"$bytes:b'b'\""),
        (Point, Point(1, 2.0), '{"x":1,"y":2.0}'),
        (Size, Size(Decimal(1), ("a",)), '{"width":"1","tags":["a"]}'),
        (tuple[int, UUID], (1, ONE), f'[1,"{ONE_TEXT}"]'),
        (frozenset[str], frozenset({"b", "a"}), '["a","b"]'),
        (frozenset[int], frozenset({10, 9}), "[10,9]"),
        (Mapping[Literal["a"], int], {"a": 1}, '{"a":1}'),
        (Mapping[Literal["a", 1], int], {1: 1, "a": 2}, '[[1,1],["a",2]]'),
        (Mapping[Level, int], {Level.LOW: 1}, '{"LOW":1}'),
        (Mapping[Flags, int], {Flags.A: 1}, "[[1,1]]"),
        (Mapping[int | str, int], {1: 1}, "[[1,1]]"),
        (int | None, None, "null"),
        (Point | None, Point(1), '{"x":1,"y":0.0}'),
        (int | str | UUID | None, "a", '"a"'),
        (int | UUID | None, None, "null"),
        (int | UUID, ONE, f'{{"$":"UUID","value":"{ONE_TEXT}"}}'),
        (Ready | Point, Point(1), '{"$":"Point","x":1,"y":0.0}'),
        (
            Literal["a", Level.LOW] | UUID,
            "a",
            '{"$":"one of \'a\', <Level.LOW: 1>","value":"a"}',
        ),
        (Literal["a"] | UUID, "a", '"a"'),
        (Literal["a", None] | None, "a", '"a"'),  # noqa: PYI061  # as one
        (
            Literal[Level.LOW, None] | None,  # noqa: PYI061  # same
            Level.LOW,
            '{"$":"one of <Level.LOW: 1>, None","value":"$Level:LOW"}',
        ),
        (Any | None, 5, '{"$":"anything","value":5}'),
        (Number | None, 1, '{"$":"int | datetime | None","value":1}'),
        (Any, {"a": (1, {"b": None})}, '{"a":[1,{"b":null}]}'),
        (
            trido.Signal,
            trido.Signal(
                "a", (1,), id="i", source="s", time=NOON, attributes={"two": b"x", "one": NOON}
            ),
            (
                '{"type":"a","data":[1],"id":"i","source":"s","time":"2026-01-01T12:00:00+00:00",'
                '"attributes":{"one":{"time":"2026-01-01T12:00:00+00:00"},"two":{"bytes":"eA=="}}}'
            ),
        ),
    ],
)
def test_a_value_has_one_form_and_is_read_from_it(declared: Any, value: Any, form: str) -> None:
    cls, codec = codec_of(declared)
    written = codec.encode(cls(value))
    assert written["it"] == form.encode("utf-8", "surrogatepass")
    assert exactly(codec.decode(written).it, value)


@pytest.mark.parametrize(
    "values", [(1, [2], {"a": 3}), (trido.freeze([1]), trido.freeze({"a": [1]}))]
)
def test_what_was_frozen_is_written_like_what_it_was(values: Any) -> None:
    cls, codec = codec_of(tuple[Any, ...])
    written = codec.encode(cls(trido.freeze(values)))
    assert codec.decode(written).it == trido.freeze(values)
    for declared, value in ((Sequence[int], [1, 2]), (tuple[int, int], [1, 2])):
        cls, codec = codec_of(declared)
        assert codec.encode(cls(trido.freeze(value)))["it"] == b"[1,2]"


class Moment(datetime):
    """It would come back as a plain datetime."""


@pytest.mark.parametrize(
    ("declared", "value", "message"),
    [
        (datetime, Moment(2026, 1, 1), "$.it: expected datetime, got Moment"),
        (date, SHOWN, "$.it: expected date, got datetime"),
        (Level | UUID, 5, "$.it: expected Level | UUID, got int"),
        (Flags | UUID, 5, "$.it: expected Flags | UUID, got int"),
        (
            Literal[Level.LOW] | UUID,
            5,
            "$.it: expected one of <Level.LOW: 1> | UUID, got int",
        ),
        (Point | UUID, Point("a"), "$.it.x: expected int, got str"),  # type: ignore[arg-type]  # on purpose
        (Sequence[int] | Mapping[str, int], ("a",), "$.it[0]: expected int, got str"),
        (
            tuple[int, ...] | tuple[()],
            ("a",),
            "$.it: expected tuple of int | tuple of 0, got list",
        ),
        (Mapping[str, Point], {"a": Point(1), "b": 2}, "$.it[1]: expected Point, got int"),
        (Mapping[int, int], {"a": 1}, "$.it[0]: expected int, got str"),
        (Any, {"a": {1}}, "$.it[0]: expected plain data, as no type is declared, got set"),
    ],
)
def test_a_value_that_would_not_come_back_is_told_in_full(
    declared: Any, value: Any, message: str
) -> None:
    cls, codec = codec_of(declared)
    with pytest.raises(Unencodable) as refused:
        codec.encode(cls(value))
    assert str(refused.value) == f"state of Agent 'keeper': {message}"


# JSON ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [False, True])
def test_it_is_what_python_writes_and_no_space(
    monkeypatch: pytest.MonkeyPatch, *, missing: bool
) -> None:
    if missing:
        monkeypatch.setattr(encoder, "c_make_encoder", None)
    parts = json_text._encoder()
    value: Any
    for value in ({"b": [1.5, True], "a": "ä\n", "c": None}, float("nan"), [], 10**20):
        expected = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        assert "".join(parts(value, 0)) == expected
    with pytest.raises(TypeError, match="not JSON serializable"):
        list(parts(object(), 0))


def test_it_may_be_long() -> None:
    numbers = [0] * 200_000
    assert read(write(numbers)) == numbers


def test_it_may_be_as_deep_as_it_is_read() -> None:
    for open, close in (("[", "]"), ('{"a":', "}")):
        inner = "0" if open != "[" else ""
        deep = read((open * DEPTH + inner + close * DEPTH).encode())
        assert read(write(deep)) == deep
        with pytest.raises(Misfit, match="expected at most 100 levels of nesting"):
            write([deep])
        with pytest.raises(Misfit, match="expected at most 100 levels of nesting"):
            read((open * (DEPTH + 1) + inner + close * (DEPTH + 1)).encode())


# Inputs, directives, timers and replies -----------------------------------------------------------


@frozen
class Counter:
    value: int = 0


counter = trido.Agent("counter", state=Counter)


@trido.action
def bill(data: int) -> int:
    return data


CODEC = Codec({"counter": counter}, {"bill": bill})
SIGNAL = trido.Signal("a", 1, id="i")
SAID = '"type":"a","data":1,"id":"i"'


@pytest.mark.parametrize(
    ("options", "form"),
    [
        ({}, '{"type":"a","why":"call","now":5,"data":1,"id":"i"}'),
        (
            {"request": "ä", "planned": NOON, "effectful": True},
            (
                '{"type":"a","why":"call","now":5,"request":"ä","data":1,"id":"i",'
                '"planned":1767268800000000,"effectful":true}'
            ),
        ),
    ],
)
def test_an_input_has_one_form(options: Any, form: str) -> None:
    assert CODEC.encode_input(SIGNAL, why="call", now=5, **options).decode() == form


def test_an_input_of_nothing_else_is_short() -> None:
    written = CODEC.encode_input(trido.Signal("a"), why="start", now=5)
    assert written == b'{"type":"a","why":"start","now":5}'
    found = CODEC.decode_input(written, agent_id="a", revision=0)
    assert found.turn.planned is found.turn.request is None
    assert found.is_effectful is False


@pytest.mark.parametrize(
    ("directive", "form"),
    [
        (trido.Emit(SIGNAL), f"{{{SAID}}}"),
        (trido.Emit(SIGNAL, to=trido.Via("mail")), f'{{{SAID},"via":"mail"}}'),
        (trido.Emit(SIGNAL, to=AgentId("x")), f'{{{SAID},"ref":"x"}}'),
        (
            trido.Run(bill, 1, ok="o", error="e", where="thread", delivery="keyed"),
            '{"action":"bill","params":1,"ok":"o","error":"e","where":"thread","delivery":"keyed"}',
        ),
        (
            trido.SpawnAgent(counter, "t", id="x", detached=True, on_parent_death="continue"),
            '{"agent":"counter","tag":"t","id":"x","detached":true,"on_parent_death":"continue"}',
        ),
        (trido.StopChild("t"), '{"tag":"t"}'),
        (trido.AdoptChild(AgentId("x"), "t"), '{"ref":"x","tag":"t"}'),
        (trido.Demonitor(AgentId("x"), flush=True), '{"ref":"x","flush":true}'),
    ],
)
def test_a_directive_has_one_form(directive: trido.Directive, form: str) -> None:
    name, written = CODEC.encode(directive)
    assert (name, written.decode()) == (type(directive).__name__, form)
    assert CODEC.decode(name, written) == directive


@pytest.mark.parametrize(
    ("timer", "row", "form"),
    [
        (
            KeptTimer(trido.Schedule(2, SIGNAL, key="k"), "k", NOON),
            "=k",
            f'{{{SAID},"after":2}}',
        ),
        (KeptTimer(trido.Schedule(2, SIGNAL), "1.0", NOON), "#1.0", f'{{{SAID},"after":2}}'),
        (
            KeptTimer(trido.Cron("* * * * *", SIGNAL, "k", "UTC"), "k", NOON, last=NOON),
            "=k",
            (
                f'{{{SAID},"cron":{{"expr":"* * * * *","timezone":"UTC","catch_up":"skip",'
                '"catch_up_limit":1000,"last":1767268800000000}}'
            ),
        ),
    ],
)
def test_a_timer_has_one_form(timer: KeptTimer, row: str, form: str) -> None:
    found, due, written = CODEC.encode_timer(timer)
    assert (found, due, written.decode()) == (row, 1_767_268_800_000_000, form)
    assert CODEC.decode_timer(found, due, written) == timer


def test_a_reply_has_one_form() -> None:
    for value, form in (
        (Counter(5), b'{"state":{"$":{"version":1,"fields":["value"]},"value":5}}'),
        ({"a": (1,)}, b'{"value":{"a":[1]}}'),
        (None, b'{"value":null}'),
    ):
        assert CODEC.encode_reply(counter, value) == form
        assert CODEC.decode_reply(counter, form) == value
