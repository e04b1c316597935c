"""The schema and the strict builder agree, as far as JSON Schema can say."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Mapping, Sequence, Sized
from datetime import UTC, date, datetime
from decimal import Decimal
from numbers import Number
from typing import Any, Literal
from uuid import UUID

import pytest
from attrs import Factory, field, frozen
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import trido


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"
    OTHER = 3


class Level(enum.IntEnum):
    LOW = 1


class Rights(enum.Flag):
    READ = 1
    WRITE = 2
    BOTH = 3
    ALSO_BOTH = 3


class Empty(enum.Enum):
    """It has no members."""


class Lenient(enum.Enum):
    YES = "yes"

    @classmethod
    def _missing_(cls, value: object) -> Lenient:
        return cls.YES


@frozen
class Point:
    x: int
    y: float = 0.0


@frozen
class Tree:
    value: int
    left: Tree | None = None
    points: tuple[Point, ...] = ()


@dataclasses.dataclass(frozen=True)
class Everything:
    """A field of each kind."""

    number: int
    real: float
    text: str | None
    flag: bool = False
    nothing: None = None
    anything: Any = None
    literal: Literal["a", 1, True] | None = "a"
    color: Color = Color.RED
    rights: Rights = Rights.READ
    password: Point | None = None
    either: int | Point | list[str] = 0
    pair: tuple[int, str] = (0, "")
    empty: tuple[()] = ()
    bag: frozenset[int] = frozenset()
    row: Sequence[Point] = ()
    table: Mapping[str, int] = dataclasses.field(default_factory=dict)
    colors: dict[Color, bool] = dataclasses.field(default_factory=dict)
    numbered: dict[int, int] = dataclasses.field(default_factory=dict)
    tree: Tree = Tree(0)


@frozen
class Parsed:
    """What JSON has no type for: what a string must look like, JSON Schema cannot say."""

    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    id: UUID | None = None
    price: Decimal = Decimal(0)
    raw: bytes = b""
    lenient: Lenient = Lenient.YES


@frozen
class Private:
    _secret: int
    derived: int = field(init=False, default=1)
    items: list[int] = Factory(list)


def action(declared: Any) -> trido.Action[Any, Any]:
    made: trido.Action[Any, Any] = trido.action("a", data=declared)(lambda data: data)
    return made


def schema(declared: Any) -> dict[str, Any]:
    """The schema without its dialect: a schema of JSON, by the meta-schema."""
    whole = action(declared).schema()
    Draft202012Validator.check_schema(whole)
    assert json.loads(json.dumps(whole)) == whole
    assert whole.pop("$schema") == "https://json-schema.org/draft/2020-12/schema"
    return whole


NEVER: dict[str, Any] = {"not": {}}


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (str, {"type": "string"}),
        (bool, {"type": "boolean"}),
        (None, {"type": "null"}),
        (Any, {}),
        (date, NEVER),
        (Number, {"type": ["boolean", "number"]}),
        (Sized, {"type": ["string", "array", "object"]}),
        (datetime, {"type": "string", "format": "date-time"}),
        (UUID, {"type": "string", "format": "uuid"}),
        (bytes, {"type": "string", "contentEncoding": "base64"}),
        (Decimal, {"type": "string"}),
        (Color, {"enum": ["red", "blue", "OTHER"]}),
        (Level, {"enum": ["LOW"]}),
        (Rights, {"enum": ["READ", "WRITE", "BOTH"]}),
        (Empty, NEVER),
        (Lenient, {"type": "string"}),
        (Literal["a", 1, b"b"], {"enum": ["a", 1]}),
        (Literal[b"b"], NEVER),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (date | str, {"type": "string"}),
        (date | Empty, NEVER),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (set[str], {"type": "array", "items": {"type": "string"}}),
        (
            tuple[int, str],
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
            },
        ),
        (tuple[()], {"type": "array", "minItems": 0, "maxItems": 0}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (dict, {"type": "object", "additionalProperties": {}}),
        (
            dict[Color, int],
            {
                "type": "object",
                "propertyNames": {"enum": ["red", "blue", "OTHER"]},
                "additionalProperties": {"type": "integer"},
            },
        ),
        (
            Private,
            {
                "title": "Private",
                "type": "object",
                "properties": {
                    "secret": {"type": "integer"},
                    "items": {"type": "array", "items": {"type": "integer"}},
                },
                "required": ["secret"],
                "additionalProperties": False,
            },
        ),
    ],
)
def test_the_schema_of_each_kind(declared: Any, expected: dict[str, Any]) -> None:
    assert schema(declared) == expected


def test_a_class_that_leads_back_to_itself_refers_to_itself() -> None:
    tree = schema(Tree)
    assert tree["properties"]["left"] == {"anyOf": [{"$ref": "#"}, {"type": "null"}]}
    assert tree["properties"]["points"]["items"] == {"$ref": "#/$defs/Point"}
    assert list(tree["$defs"]) == ["Point"]
    assert schema(list[Tree])["items"] == {"$ref": "#/$defs/Tree"}


def test_classes_of_one_name_are_told_apart() -> None:
    one = dataclasses.make_dataclass("Point", [("a", int)])
    two = dataclasses.make_dataclass("Point", [("b", int)])
    odd = dataclasses.make_dataclass("Größe", [("c", int)])
    written = schema(tuple[Point, one, two, odd, Point])  # type: ignore[valid-type]
    references = [item["$ref"].rpartition("/")[2] for item in written["prefixItems"]]
    assert references == ["Point", "Point_2", "Point_3", "Gr__e", "Point"]
    assert [*written["$defs"]["Point_3"]["properties"]] == ["b"]


def test_a_sequence_has_the_schema_of_its_first_step() -> None:
    first = action(Point)
    assert trido.sequence("s", first).schema() == first.schema()


# The property -------------------------------------------------------------------------------------

# JSON does not tell 1.0 from 1, and JSON Schema follows it; Python and trido do tell them.
REALS = st.floats(-1e9, 1e9).filter(lambda one: not one.is_integer())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | REALS | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def like(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with these fields: some are missing, and in some is something else."""
    odd = {name: inner | JSON for name, inner in fields.items()}
    good = st.fixed_dictionaries({}, optional=fields)
    return good | st.fixed_dictionaries({}, optional=odd) | st.fixed_dictionaries(fields)


INTS = st.integers(-(10**9), 10**9)
COLORS = st.sampled_from(["red", "blue", "OTHER", "RED", "green", 3])
POINTS = like(x=INTS, y=REALS | INTS)
TREES = st.recursive(
    like(value=INTS), lambda inner: like(value=INTS, left=inner, points=st.lists(POINTS))
)
EVERYTHING = like(
    number=INTS,
    real=REALS | INTS,
    text=st.none() | st.text(),
    flag=st.booleans(),
    nothing=st.none(),
    anything=JSON,
    literal=st.sampled_from(["a", 1, True, None, 0, False, "b"]),
    color=COLORS,
    rights=st.sampled_from(["READ", "BOTH", "ALSO_BOTH", "read", 3]),
    password=POINTS | st.none(),
    either=INTS | POINTS | st.lists(st.text()),
    pair=st.tuples(INTS, st.text()).map(list),
    empty=st.just([]) | st.just([1]),
    bag=st.lists(INTS),
    row=st.lists(POINTS, max_size=2),
    table=st.dictionaries(st.text(), INTS),
    colors=st.dictionaries(COLORS.map(str), st.booleans()),
    numbered=st.just({}) | st.just({"1": 1}),
    tree=TREES,
)
PARSED = like(
    at=st.sampled_from(["2026-01-01", "2026-01-01T00:00:00Z", "today"]),
    id=st.uuids().map(str) | st.uuids().map(lambda one: one.hex),
    price=st.sampled_from(["1.5", "NaN", "x"]),
    raw=st.sampled_from(["aGk=", "?"]),
    lenient=st.text(),
)

CASES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (Everything, EVERYTHING),
    (Tree, TREES),
    (Point | Tree, POINTS | TREES),
]


def built(one: trido.Action[Any, Any], data: object) -> bool:
    try:
        one.build(data)
    except trido.InvalidData:
        return False
    return True


def valid(one: trido.Action[Any, Any], data: Any) -> bool:
    return bool(Draft202012Validator(one.schema()).is_valid(data))


@given(st.data())
def test_the_schema_accepts_exactly_what_is_built(data: st.DataObject) -> None:
    declared, values = data.draw(st.sampled_from(CASES))
    value = data.draw(values | JSON)
    one = action(declared)
    assert built(one, value) is valid(one, value)


@given(PARSED | JSON)
def test_what_is_built_is_accepted_even_where_more_is_accepted(value: object) -> None:
    one = action(Parsed)
    assert built(one, value) <= valid(one, value)


def test_the_properties_see_both_sides() -> None:
    one, good = action(Everything), {"number": 1, "real": 0.5, "text": None}
    assert built(one, good)
    assert valid(one, good)
    assert not built(one, {**good, "numbered": {"1": 1}})
    assert not valid(one, {**good, "numbered": {"1": 1}})
