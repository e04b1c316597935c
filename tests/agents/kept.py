"""Declared types and their values, of all kinds that a journal can keep."""

from __future__ import annotations

import dataclasses
import enum
import operator
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, NewType, Union
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
from attrs import field, frozen
from hypothesis import strategies as st

import trido
from trido.agents.address import Address, AgentId
from trido.agents.definition import Definition


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
class Idle:
    """Has no field that could tell it from another."""


@frozen
class Ready:
    """Same."""


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
    value: Idle | Ready | Point | Size | None = None
    branches: tuple[Tree, ...] = ()
    named: Mapping[str, Tree] = field(factory=dict)


Number = NewType("Number", Union[int, datetime, None])  # type: ignore[valid-newtype]  # noqa: UP007

FLOATS = st.floats(allow_nan=False)
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.none() | st.sampled_from([UTC, timezone(timedelta(hours=5, seconds=7)), BERLIN])
MOMENTS = st.datetimes(timezones=ZONES, allow_imaginary=True) | st.sampled_from(
    [datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=BERLIN) for fold in (0, 1)]
)
POINTS = st.builds(Point, st.integers(), FLOATS)
SIZES = st.builds(Size, st.decimals(allow_nan=False), st.lists(st.text()).map(tuple))
TREES = st.recursive(
    st.builds(Tree, st.none() | st.builds(Idle) | st.builds(Ready) | POINTS | SIZES),
    lambda inner: st.builds(
        Tree,
        branches=st.lists(inner, max_size=3).map(tuple),
        named=st.dictionaries(st.text(), inner, max_size=3),
    ),
    max_leaves=5,
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=5,
)
SIGNALS = st.builds(
    trido.Signal,
    st.sampled_from(["a.b", "order.placed"]),
    PLAIN,
    id=st.none() | st.text(min_size=1),
    source=st.none() | st.text(min_size=1),
    time=st.none() | st.datetimes(timezones=st.just(UTC)),
    attributes=st.dictionaries(
        st.sampled_from(["one", "two", "three"]),
        st.booleans()
        | st.integers(-9, 9)
        | st.binary()
        | st.sampled_from(["x", datetime(2026, 1, 1, tzinfo=UTC)]),
    ),
)

Typed = tuple[Any, st.SearchStrategy[Any]]
"""A declared type, and values of it."""

TEXTS: list[Typed] = [
    (str, st.text(st.characters())),
    (UUID, st.uuids()),
    (Decimal, st.decimals(allow_nan=False)),
    (datetime, MOMENTS),
    (date, st.dates()),
    (time, st.times(timezones=st.none() | st.just(UTC))),
    (timedelta, st.timedeltas()),
    (bytes, st.binary()),
    (Color, st.sampled_from(Color)),
    (Level, st.sampled_from(Level)),
    (Mode, st.sampled_from(Mode)),
    (Address, st.builds(AgentId, st.text(min_size=1))),
    (Literal["a", "b"], st.sampled_from(["a", "b"])),
]
LEAVES: list[Typed] = [
    *TEXTS,
    (None, st.none()),
    (bool, st.booleans()),
    (int, st.integers()),
    (float, FLOATS | st.integers()),
    (Any, PLAIN),
    (Flags, st.sampled_from([Flags(0), Flags.A, Flags.A | Flags.B])),
    (Literal["a", 1, True, None], st.sampled_from(["a", 1, True, None])),  # noqa: PYI061  # as one
    (Literal["red", Color.RED, b"red"], st.sampled_from(["red", Color.RED, b"red"])),
    (Idle, st.builds(Idle)),
    (Point, POINTS),
    (Size, SIZES),
    (trido.Signal, SIGNALS),
    (Number, st.none() | st.integers() | MOMENTS),
]


def generic(origin: Any, args: Any) -> Any:
    """As ``origin[args]``, which type checkers take for an annotation."""
    return operator.getitem(origin, args)


def some_sequence(item: Typed) -> Typed:
    return generic(Sequence, item[0]), st.lists(item[1], max_size=3).map(tuple)


def some_set(item: Typed) -> Typed:
    return generic(frozenset, item[0]), st.frozensets(item[1], max_size=3)


def some_pair(items: tuple[Typed, Typed]) -> Typed:
    (one, ones), (other, others) = items
    return generic(tuple, (one, other)), st.tuples(ones, others)


def some_mapping(items: tuple[Typed, Typed]) -> Typed:
    (key, keys), (value, values) = items
    tables = st.dictionaries(keys, values, max_size=3)
    return generic(Mapping, (key, value)), tables | tables.map(MappingProxyType)


def some_union(items: list[Typed]) -> Typed:
    types, values = zip(*items, strict=True)
    return generic(Union, types), st.one_of(*values)


HASHED = [one for one in LEAVES if one[0] not in (Any, trido.Signal)]
CHOICES = [*LEAVES, (Ready, st.builds(Ready)), (Tree, TREES)]


def compound(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return st.one_of(
        inner.map(some_sequence),
        st.sampled_from(HASHED).map(some_set),
        st.tuples(inner, inner).map(some_pair),
        st.tuples(st.sampled_from(HASHED), inner).map(some_mapping),
        st.lists(st.sampled_from(CHOICES), min_size=2, max_size=4, unique_by=str).map(some_union),
        inner.map(lambda item: some_union([item, (None, st.none())])),
    )


TYPED = st.recursive(st.sampled_from(CHOICES), compound, max_leaves=4)


@st.composite
def states(draw: st.DrawFn, typed: st.SearchStrategy[Typed] = TYPED) -> Any:
    """A state of a class of its own, with some fields."""
    declared = draw(st.lists(typed, max_size=3))
    fields = {f"f{at}": field(default=None, type=cls) for at, (cls, _) in enumerate(declared)}
    return attrs.make_class("State", fields, frozen=True)(*(draw(values) for _, values in declared))


def definition(cls: Any, **options: Any) -> Definition[Any]:
    return Definition("keeper", state=cls, **options)


def exactly(one: Any, other: Any) -> bool:
    """Whether they are equal, down to the types of which equal values can be."""
    return bool(one == other and typed(one) == typed(other))


def typed(value: Any) -> Any:
    """What it is made of, each with its type."""
    match value:
        case Mapping():
            return [(typed(key), typed(item)) for key, item in value.items()]
        case tuple():
            return [typed(item) for item in value]
        case frozenset():
            return {(type(item), item) for item in value}
        case datetime():
            return value.tzinfo, value.fold if isinstance(value.tzinfo, ZoneInfo) else 0
        case _ if attrs.has(type(value)) and not isinstance(value, trido.Signal):
            inner = [typed(getattr(value, one.name)) for one in attrs.fields(type(value))]
            return type(value), inner
        case _:
            return type(value)
