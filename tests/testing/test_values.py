"""Values of declared types: what is drawn is what schemas take, and it shrinks to the plainest."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NewType
from uuid import UUID

import pytest
from attrs import field, frozen, validators
from hypothesis import given, settings
from hypothesis import strategies as st

import trido
from tests.testing.finding import find
from trido.agents.handlers import callers_names
from trido.agents.schema import Schema
from trido.testing.strategies import values

UserId = NewType("UserId", str)


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2


@frozen
class Point:
    x: int
    y: float = 0.0


@frozen
class Tree:
    label: str = ""
    left: Tree | None = None
    right: Tree | None = None


@dataclass(frozen=True)
class Plain:
    number: int
    words: tuple[str, ...] = ()


def _is_odd(_: object, field: object, value: int) -> None:
    if value % 2 == 0:
        raise ValueError("even")


@frozen
class Limited:
    percent: int = field(validator=[validators.ge(1), validators.lt(100)])
    share: float = field(validator=validators.and_(validators.gt(0.0), validators.le(1.0)))
    price: Decimal = field(validator=validators.gt(Decimal(0)))
    code: str = field(validator=validators.matches_re(r"[A-Z]{3}"))
    name: str = field(validator=[validators.min_len(2), validators.max_len(4)])
    tags: tuple[str, ...] = field(validator=validators.min_len(1))
    size: str = field(validator=validators.in_(["s", "m", "l"]))
    mood: str = field(validator=validators.in_({"good", "bad"}))
    boss: int | None = field(default=None, validator=validators.optional(validators.ge(5)))
    odd: int = field(default=1, validator=_is_odd)


DECLARED: list[Any] = [
    bool, int, float, str, bytes, None, datetime, Decimal, UUID, Colour, UserId, Any, object,
    int | None, Literal["a", 1, True], tuple[int, str], tuple[int, ...], list[int], set[int],
    frozenset[str], Mapping[str, int], dict[int, Point], Point, Tree, Plain, Limited,
    tuple[Point | None, ...], trido.AgentRef[Any], complex,
]  # fmt: skip


@pytest.mark.parametrize("declared", DECLARED, ids=str)
def test_what_is_drawn_is_accepted(declared: Any) -> None:
    shape = Schema("test", declared, callers_names()).shape

    @settings(max_examples=10)
    @given(values(declared))
    def check(value: Any) -> None:
        assert shape.accepts(value)
        built = shape.build(value, "$")
        assert built == value or "nan" in repr(value)

    check()


@pytest.mark.parametrize(
    ("declared", "plainest"),
    [
        (int, 0),
        (bool, False),
        (int | None, None),
        (tuple[int, ...], ()),
        (Literal["b", "a"], "b"),
        (Colour, Colour.RED),
        (Point, Point(0)),
        (Tree, Tree()),
        (Mapping[str, int], trido.freeze({})),
    ],
    ids=str,
)
def test_the_plainest_comes_first(declared: Any, plainest: object) -> None:
    assert find(values(declared), lambda _: True) == plainest


@pytest.mark.parametrize(
    ("wanted", "least"),
    [
        (lambda tree: tree.left is not None, Tree(left=Tree())),
        (lambda tree: tree.left and tree.left.right, Tree(left=Tree(right=Tree()))),
        (lambda tree: len(tree.label) > 1, Tree("00")),
    ],
)
def test_they_shrink_to_nothing_but_what_is_wanted(wanted: Any, least: Tree) -> None:
    assert find(values(Tree), wanted) == least


def test_numbers_keep_to_their_bounds() -> None:
    least = find(values(Limited), lambda _: True)
    assert (least.percent, least.boss, least.size, least.name) == (1, None, "s", "00")
    most = find(values(Limited), lambda one: one.percent > 90)
    assert most.percent == 91


def test_a_class_of_ones_own_is_drawn_as_one_says() -> None:
    @frozen
    class Opaque:
        what: Any

    drawn = values(tuple[Opaque, int], types={Opaque: st.just("o"), int: st.just(7)})
    assert find(drawn, lambda _: True) == ("o", 7)
