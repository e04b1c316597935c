"""Typed data that is written as plain data is built again, equal, by the strict schema."""

from __future__ import annotations

import dataclasses
import enum
import operator
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Optional
from uuid import UUID

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

import trido
from trido.agents import jsontext
from trido.agents.frozen import freeze
from trido.agents.plain import plain
from trido.agents.schema import Schema


class Color(enum.Enum):
    RED = "red"
    BLUE = "RED"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mode(enum.StrEnum):
    FAST = "fast"


class Flags(enum.Flag):
    A = 1
    B = 2


@frozen
class Point:
    x: int
    _y: float = 0.0
    length: float = field(init=False, default=0.0)


@dataclasses.dataclass(frozen=True)
class Size:
    width: Decimal
    tags: tuple[str, ...] = ()


@frozen
class Tree:
    value: Point | Size | None = None
    sizes: frozenset[Size] = frozenset()
    branches: tuple[Tree, ...] = ()
    named: Mapping[str, Tree] = field(factory=dict)


class Pair(NamedTuple):
    a: int
    b: str


POINTS = st.builds(Point, st.integers(), st.floats(allow_nan=False, allow_infinity=False))
SIZES = st.builds(Size, st.decimals(allow_nan=False), st.lists(st.text()).map(tuple))
TREES = st.recursive(
    st.builds(Tree, st.none() | POINTS | SIZES, st.frozensets(SIZES, max_size=3)),
    lambda inner: st.builds(
        Tree,
        branches=st.lists(inner, max_size=3).map(tuple),
        named=st.dictionaries(st.text(), inner, max_size=3),
    ),
    max_leaves=5,
)
ZONES = st.none() | st.sampled_from([UTC, timezone(timedelta(hours=5, seconds=7))])

Typed = tuple[Any, st.SearchStrategy[Any]]
"""A declared type, and values of it."""

TEXTS: list[Typed] = [
    (str, st.text()),
    (UUID, st.uuids()),
    (Decimal, st.decimals(allow_nan=False)),
    (datetime, st.datetimes(timezones=ZONES)),
    (bytes, st.binary()),
    (Color, st.sampled_from(Color)),
    (Level, st.sampled_from(Level)),
    (Mode, st.sampled_from(Mode)),
]
LEAVES: list[Typed] = [
    *TEXTS,
    (None, st.none()),
    (bool, st.booleans()),
    (int, st.integers()),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (int | str | None, st.integers() | st.text() | st.none()),
    (Literal["a", 1], st.sampled_from(["a", 1])),
    (Size, SIZES),
]


def some_list(item: Typed) -> Typed:
    return generic(list, item[0]), st.lists(item[1], max_size=3)


def some_sequence(item: Typed) -> Typed:
    return generic(Sequence, item[0]), st.lists(item[1], max_size=3).map(tuple)


def some_set(item: Typed) -> Typed:
    return generic(set, item[0]), st.sets(item[1], max_size=3)


def some_pair(items: tuple[Typed, Typed]) -> Typed:
    (one, ones), (other, others) = items
    return generic(tuple, (one, other)), st.tuples(ones, others)


def some_mapping(items: tuple[Typed, Typed]) -> Typed:
    (key, keys), (value, values) = items
    return generic(Mapping, (key, value)), st.dictionaries(keys, values, max_size=3)


def perhaps(item: Typed) -> Typed:
    return generic(Optional, item[0]), st.none() | item[1]


def generic(origin: Any, args: Any) -> Any:
    """As ``origin[args]``, which type checkers take for an annotation."""
    return operator.getitem(origin, args)


def collections_of(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return st.one_of(
        inner.map(some_list),
        inner.map(some_sequence),
        st.sampled_from(LEAVES).map(some_set),
        st.tuples(inner, inner).map(some_pair),
        st.tuples(st.sampled_from(TEXTS), inner).map(some_mapping),
        inner.map(perhaps),
    )


TYPED = st.recursive(st.sampled_from([*LEAVES, (Tree, TREES)]), collections_of, max_leaves=4)


def built(declared: Any, value: object) -> Any:
    text = jsontext.write(plain(value)).decode()
    data = jsontext.read(text, depth=100)
    return Schema("test", declared, {}).build(freeze(data))


@given(st.data())
def test_typed_data_is_built_again_from_json(data: st.DataObject) -> None:
    declared, values = data.draw(TYPED)
    value = data.draw(values)
    assert built(declared, value) == value


def test_fields_are_said_as_they_are_given_and_derived_ones_not_at_all() -> None:
    assert plain(Point(1, 2.0)) == {"x": 1, "y": 2.0}
    assert built(Point, Point(1, 2.0)) == Point(1, 2.0)


def test_equal_sets_are_written_alike() -> None:
    sets = {"b", "a", "c"}, {"c", "b", "a"}
    assert [plain(one) for one in sets] == [["a", "b", "c"]] * 2


def test_subclasses_are_written_as_what_they_are() -> None:
    class Name(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "something else"

    assert plain([Name("a"), Pair(1, "b"), MappingProxyType({"c": Level.LOW})]) == [
        "a",
        [1, "b"],
        {"c": "LOW"},
    ]


def test_an_enum_is_said_by_its_value_or_else_by_its_name() -> None:
    assert built(Color, Color.BLUE) is Color.BLUE
    assert built(Level, Level.LOW) is Level.LOW
    for declared, text in ((Color, "BLUE"), (Level, "MEDIUM"), (Level, "1")):
        with pytest.raises(trido.InvalidData):
            Schema("test", declared, {}).build(text)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, object()]}, "$.data.a[1]: expected data that JSON can say, got object"),
        (
            Tree(Point(0, float("nan"))),
            "$.data.value.y: expected data that JSON can say, got nan",
        ),
        (date(2026, 1, 1), "$.data: expected data that JSON can say, got date"),
        (Point, "$.data: expected data that JSON can say, got type"),
        (Flags.A | Flags.B, "$.data: expected data that JSON can say, got a nameless Flags"),
        ({1: 1}, "$.data: expected keys that are text, got int"),
        ({UUID(int=1): 1, str(UUID(int=1)): 2}, "$.data: expected keys that differ as text"),
    ],
)
def test_what_json_cannot_say_is_refused_by_path(value: object, message: str) -> None:
    with pytest.raises(trido.InvalidSignal) as refused:
        plain(value)
    assert str(refused.value) == message


def test_data_in_itself_is_refused() -> None:
    inside: list[object] = []
    inside.append(inside)
    with pytest.raises(trido.InvalidSignal, match="not in itself"):
        plain(inside)
