"""What a declared type takes, is called, and says of what it does not take; each made anew."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, Protocol, TypedDict, TypeVar
from uuid import UUID

import attrs
import pytest
import trio
from attrs import frozen

import trido
from trido.agents import shapes
from trido.agents.address import Address, AgentId
from trido.agents.frozen import FrozenDict
from trido.agents.schema import Record, Schema, hints
from trido.agents.shapes import Shape

T = TypeVar("T")
Id = NewType("Id", str)
OF = "route 'go'"


class Color(enum.Enum):
    RED = "red"
    BLUE = 2


class Told(TypedDict):
    a: int


class Shaped(Protocol):
    a: int


@frozen
class Point:
    x: int
    y: float = 0.0


@dataclasses.dataclass(frozen=True)
class Size:
    width: int
    tags: tuple[str, ...] = ()
    names: list[str] = dataclasses.field(default_factory=list)
    area: int = dataclasses.field(init=False, default=0)


@frozen
class Login:
    user: str
    password: int = trido.secret(default=0)


@frozen
class Odd:
    _hidden: int = 0
    even: int = attrs.field(default=0, validator=lambda _self, _field, value: _is_even(value))


def _is_even(value: int) -> None:
    if value % 2:
        raise ValueError(f"{value} is odd")


def shape(declared: Any) -> Shape:
    return Schema(OF, declared, {}).shape


def refusal(declared: Any, data: Any) -> str:
    with pytest.raises(trido.InvalidData) as caught:
        Schema(OF, declared, {}).build(data)
    return str(caught.value)


@pytest.mark.parametrize(
    ("declared", "name", "exact"),
    [
        (Any, "anything", set()),
        (object, "anything", set()),
        (T, "anything", set()),
        (int, "int", {int}),
        (None, "None", {type(None)}),
        (float, "float", {float, int}),
        (Id, "str", {str}),
        (Annotated[int, "x"], "int", {int}),
        (Literal["a", 1], "one of 'a', 1", set()),
        (int | None, "int | None", {int, type(None)}),
        (datetime, "datetime", {datetime}),
        (UUID, "UUID", {UUID}),
        (bytes, "bytes", {bytes}),
        (Address, "Address", {Address}),
        (Color, "Color", {Color}),
        (list, "list", {list}),
        (list[int], "list of int", {list}),
        (tuple[int, ...], "tuple of int", {tuple}),
        (tuple[int, str], "tuple of 2", {tuple}),
        (set[str], "set of str", {set}),
        (Sequence[int], "Sequence of int", {Sequence}),
        (dict, "dict", {dict}),
        (dict[str, int], "dict of int", {dict}),
        (Mapping[str, Point], "Mapping of Point", {Mapping}),
        (type[int], "type", {type}),
        (Point, "Point", {Point}),
        (trio.Event, "Event", {trio.Event}),
    ],
)
def test_a_shape_has_a_name_and_says_what_it_takes_at_once(
    declared: Any, name: str, exact: set[type]
) -> None:
    made = shape(declared)
    assert (made.name, made.exact) == (name, frozenset(exact))


@pytest.mark.parametrize(
    ("declared", "data", "built"),
    [
        (int, 1, 1),
        (float, 1, 1.0),
        (list[int], (1, 2), [1, 2]),
        (list[int], [1, 2], [1, 2]),
        (list, (1, "a"), [1, "a"]),
        (tuple[int, ...], (1,), (1,)),
        (tuple[int, str], (1, "a"), (1, "a")),
        (tuple[int, str], [1, "a"], (1, "a")),
        (set[int], (1, 1), {1}),
        (set[int], frozenset({1}), {1}),
        (frozenset[int], {1}, frozenset({1})),
        (Sequence[int], [1], (1,)),
        (Collection[int], [1], (1,)),
        (Iterable[int], [1], (1,)),
        (AbstractSet[int], [1], frozenset({1})),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (dict, {"a": 1}, {"a": 1}),
        (Mapping[str, int], {"a": 1}, FrozenDict(a=1)),
        (Color, "red", Color.RED),
        (Color, "BLUE", Color.BLUE),
        (bytes, "aGk=", b"hi"),
        (Decimal, "1.5", Decimal("1.5")),
        (Address, "a", AgentId("a")),
        (Point, {"x": 1, "y": 2}, Point(1, 2.0)),
        (Size, {"width": 1, "names": ["a"]}, Size(1, names=["a"])),
        (Odd, {"hidden": 1, "even": 2}, Odd(1, 2)),
        (Point | Size, {"width": 1}, Size(1)),
        (datetime | str, "2026-01-01", "2026-01-01"),
        (Sequence[int], range(2), (0, 1)),
        (int | float, 1.5, 1.5),
        (float | int, 1, 1.0),
        (str | int, 1, 1),
    ],
)
def test_plain_data_is_built_into_what_is_declared(declared: Any, data: Any, built: Any) -> None:
    found = Schema(OF, declared, {}).build(data)
    assert found == built
    assert type(found) is type(built)


@pytest.mark.parametrize(
    ("declared", "data", "said"),
    [
        (int, True, "$: expected int, got bool"),
        (int, FrozenDict(), "$: expected int, got dict"),
        (int, (), "$: expected int, got list"),
        (int, None, "$: expected int, got None"),
        (float, True, "$: expected float, got bool"),
        (float, 10**400, "$: expected float, got an int too large for one"),
        (datetime, "today", "$: expected datetime, got 'today'"),
        (datetime, 3, "$: expected datetime, got int"),
        (Decimal, "x", "$: expected Decimal, got 'x'"),
        (Color, "green", "$: expected Color, got 'green'"),
        (Color, "RED", "$: expected Color, got 'RED'"),
        (bytes, "?", "$: expected bytes, got '?'"),
        (bytes, "x" * 101, f"$: expected bytes, got '{'x' * 99}…"),
        (Literal["a", 1], "x" * 101, f"$: expected one of 'a', 1, got '{'x' * 99}…"),
        (Literal["a", 1], True, "$: expected one of 'a', 1, got True"),
        (list[int], "ab", "$: expected list of int, got str"),
        (list[int], b"ab", "$: expected list of int, got bytes"),
        (list[int], {1}, "$: expected list of int, got set"),
        (list[int], [1, "a"], "$[1]: expected int, got str"),
        (set[Any], [[]], "$: expected set of anything: unhashable type: 'list'"),
        (tuple[int, str], [1], "$: expected tuple of 2, got 1 items"),
        (tuple[int, str], [1, 2], "$[1]: expected str, got int"),
        (tuple[int, str], "ab", "$: expected tuple of 2, got str"),
        (dict[str, int], {"a": "b"}, "$.a: expected int, got str"),
        (dict[str, int], {1: 1}, "$.1: expected str, got int"),
        (dict[str, int], [1], "$: expected dict of int, got list"),
        (dict[str, Literal["a"]], {"token": "x"}, "$.token: expected one of 'a', got str"),
        (Point, 1, "$: expected Point, got int"),
        (Point, {}, "$.x: expected int, got nothing"),
        (Point, {"x": 1, "z": 1}, "$.z: Point has no such field"),
        (Point, Point("1"), "$.x: expected int, got str"),  # type: ignore[arg-type]  # wrong on purpose
        (list[Point], [Point("1")], "$[0].x: expected int, got str"),  # type: ignore[arg-type]  # wrong on purpose
        (Size, {"width": 1, "area": 1}, "$.area: Size has no such field"),
        (Odd, {"_hidden": 1}, "$._hidden: Odd has no such field"),
        (Odd, {"even": 1}, "$: expected Odd: 1 is odd"),
        (int | str, 1.5, "$: expected int | str, got float"),
        (int | None, "a", "$: expected int, got str"),
        (Point | str, {"x": "1"}, "$.x: expected int, got str"),
        (Point | Size, {"z": 1}, "$: expected Point | Size, got dict"),
        (Login, {"user": "a", "password": "x"}, "$.password: expected int, got str"),
    ],
)
def test_what_is_not_taken_is_told_by_path_and_rule(declared: Any, data: Any, said: str) -> None:
    assert refusal(declared, data) == said


@frozen
class Guarded:
    name: Literal["a"] = "a"
    token: Annotated[Literal["a"], "x"] = attrs.field(default="a", repr=False)
    number: int = attrs.field(default=0, validator=lambda _self, _field, value: _is_even(value))


def test_a_secret_is_not_shown_when_it_is_refused() -> None:
    assert refusal(Guarded, {"name": "x"}) == "$.name: expected one of 'a', got 'x'"
    assert refusal(Guarded, {"token": "x"}) == "$.token: expected one of 'a', got str"
    secret = Annotated[Literal["a"], trido.secret()]
    assert refusal(secret, "x") == "$: expected one of 'a', got str"
    assert refusal(Guarded, {"number": 1}) == "$: expected Guarded: 1 is odd"
    assert refusal(Guarded, {"number": 1, "token": "a"}) == (
        "$: expected Guarded, which refused its fields (ValueError)"
    )


@frozen
class Holds:
    login: Login | None = None
    kind: str = attrs.field(default="", repr=False)
    number: int = attrs.field(default=0, validator=lambda _self, _field, value: _is_even(value))


def test_no_secret_is_shown_when_the_class_itself_refuses() -> None:
    hidden = "$: expected Holds, which refused its fields (ValueError)"
    assert refusal(Holds, {"number": 1}) == "$: expected Holds: 1 is odd"
    assert refusal(Holds, {"number": 1, "kind": "x"}) == hidden
    assert refusal(Holds, {"number": 1, "login": Login("a", password=3)}) == hidden


@pytest.mark.parametrize("declared", [Told, Shaped, "a string", 3])
def test_what_cannot_be_told_is_no_type(declared: Any) -> None:
    with pytest.raises(trido.SpecError) as caught:
        Schema(OF, list[declared], {})
    assert caught.value.of == OF
    assert (caught.value.field, caught.value.value) == ("annotations", declared)
    assert caught.value.allowed == "a type whose values can be told at run time"


@frozen
class Unreadable:
    value: Nowhere = None  # type: ignore[name-defined]  # noqa: F821  # wrong on purpose


def test_annotations_are_looked_up_in_their_module_and_then_among_the_names() -> None:
    with pytest.raises(trido.SpecError) as caught:
        Schema(OF, Unreadable, {})
    assert str(caught.value) == (
        f"{OF}: annotations={Unreadable!r} is not allowed; it must be annotated with names that can"
        " be looked up where it is defined (name 'Nowhere' is not defined)"
    )
    assert isinstance(caught.value.__cause__, NameError)
    record = Schema(OF, Unreadable, {"Nowhere": int}).shape
    assert isinstance(record, Record)
    assert record.checks[0][1].name == "int"
    assert hints(OF, Guarded, {})["token"] == Annotated[Literal["a"], "x"]
    assert hints(OF, Unreadable, {"Nowhere": Annotated[int, "x"]}) == {"value": Annotated[int, "x"]}


def test_a_record_knows_its_fields() -> None:
    record = shape(Size)
    assert isinstance(record, Record)
    assert [name for name, _ in record.checks] == ["width", "tags", "names", "area"]
    assert (list(record.arguments), record.required) == (["width", "tags", "names"], ("width",))
    point, login = shape(Point), shape(Login)
    assert isinstance(point, Record)
    assert isinstance(login, Record)
    assert (point.required, point.secrets) == (("x",), frozenset())
    assert (login.required, login.secrets) == (("user",), frozenset({"password"}))


@frozen
class Pinned:
    name: str = ""
    pin: Annotated[int, trido.secret()] = 0


def test_a_field_is_secret_by_its_annotation_and_anything_without_one() -> None:
    pinned = shape(Pinned)
    assert isinstance(pinned, Record)
    assert pinned.secrets == frozenset({"pin"})
    bare = shape(attrs.make_class("Bare", {"it": attrs.field()}))
    assert isinstance(bare, Record)
    assert bare.arguments["it"].name == "anything"


def test_a_record_checks_what_is_new() -> None:
    record = shape(Point)
    assert isinstance(record, Record)
    wrong: Any = "1"
    record.check(Point(wrong), before=Point(wrong))
    for before in (None, Point(1)):
        with pytest.raises(trido.InvalidData) as caught:
            record.check(Point(wrong), "$.at", before)
        assert str(caught.value) == "$.at.x: expected int, got str"
    record.check(Point(1, 2.0), before=Point(3))
    record.check(Point(1, 2.0))
    with pytest.raises(trido.InvalidData) as at_root:
        record.check(Point(wrong))
    assert str(at_root.value) == "$.x: expected int, got str"
    with pytest.raises(trido.InvalidData) as later:
        record.check(Point(1, wrong), before=Point(1, 2.0))
    assert str(later.value) == "$.y: expected float, got str"
    assert record.accepts(Point(wrong))
    assert not record.accepts(1)
    assert (record.fits(Point(1)), record.fits(Point(wrong))) == (True, False)
    assert (record.follows(Point(1), Point(2)), record.follows(Point(wrong), Point(1))) == (
        True,
        False,
    )


def test_a_class_that_holds_itself_is_compiled_once() -> None:
    @frozen
    class Node:
        value: int = 0
        next: Node | None = None

    made = Schema(OF, Node, {}).build({"value": 1, "next": {"value": 2}})
    assert made == Node(1, Node(2))


@pytest.mark.parametrize(
    ("declared", "value", "fits"),
    [
        (Any, 1, True),
        (int, 1, True),
        (int, True, False),
        (float, 1.0, False),
        (Color, Color.RED, False),
    ],
)
def test_a_glance_says_whether_a_value_is_built_as_it_is(
    declared: Any,
    value: Any,
    fits: bool,  # noqa: FBT001  # pytest gives it by name
) -> None:
    assert shape(declared).fits(value) is fits


@pytest.mark.parametrize(
    ("declared", "yes", "no"),
    [
        (Any, [1, None], []),
        (int, [1], [True, 1.0]),
        (float, [1, 1.5], [True, "1"]),
        (Color, [Color.RED], ["red"]),
        (Literal[1], [1], [True, 2]),
        (int | str, [1, "a"], [1.5]),
        (Sequence[int], [[], ()], ["a", b"a", {1}]),
        (list[int], [[]], [()]),
        (tuple[int, str], [(), (1, "a")], [[]]),
        (dict[str, int], [{}], [[]]),
    ],
)
def test_a_shape_accepts_by_the_outside(declared: Any, yes: list[Any], no: list[Any]) -> None:
    assert all(shape(declared).accepts(one) is True for one in yes)
    assert not any(shape(declared).accepts(one) for one in no)


def test_a_member_is_said_by_its_text() -> None:
    assert shapes.member(Color, "red") is Color.RED
    assert shapes.member(Color, "BLUE") is Color.BLUE
    assert (shapes.member_text(Color.RED), shapes.member_text(Color.BLUE)) == ("red", "BLUE")
    for text in ("RED", "green"):
        with pytest.raises(ValueError, match=text):
            shapes.member(Color, text)

    class Flags(enum.Flag):
        A = 1
        B = 2

    assert (shapes.member_text(Flags.A), shapes.member_text(Flags.A | Flags.B)) == ("A", None)
