from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NewType, Protocol, TypedDict, TypeVar
from uuid import UUID

import pytest
import trio
from attrs import Factory, field, frozen
from hypothesis import given
from hypothesis import strategies as st

import trido
from trido.agents.frozen import freeze
from trido.agents.schema import Schema

T = TypeVar("T")
Id = NewType("Id", str)


class Color(enum.Enum):
    RED = "red"


@frozen
class Point:
    x: int
    y: float = 0.0


@dataclasses.dataclass(frozen=True)
class Size:
    width: int
    tags: tuple[str, ...] = ()
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)


@frozen
class Node:
    value: int
    children: tuple[Node, ...] = ()


@frozen
class Odd:
    _hidden: int
    even: int = field(default=0, validator=lambda _self, _field, value: _is_even(value))
    derived: int = field(init=False, default=1)
    items: tuple[int, ...] = Factory(tuple)


def _is_even(value: int) -> None:
    if value % 2:
        raise ValueError(f"{value} is odd")


@frozen
class Box(Generic[T]):
    content: T


class Told(TypedDict):
    a: int


class Shaped(Protocol):
    a: int


def build(declared: Any, data: Any) -> Any:
    return Schema("test", declared, {}).build(freeze(data))


def refusal(declared: Any, data: Any) -> str:
    with pytest.raises(trido.InvalidData) as caught:
        build(declared, data)
    assert str(caught.value) == f"{caught.value.path}: {caught.value.rule}"
    return str(caught.value)


@pytest.mark.parametrize(
    ("declared", "data", "built"),
    [
        (int, 1, 1),
        (str, "a", "a"),
        (bool, True, True),
        (None, None, None),
        (float, 1, 1.0),
        (Any, {"a": [1]}, {"a": (1,)}),
        (object, 1, 1),
        (int | None, None, None),
        (int | str, "a", "a"),
        (datetime | str, "2026-01-01", "2026-01-01"),
        (Id, "a", "a"),
        (Annotated[int, "positive"], 1, 1),
        (Literal["a", 1], 1, 1),
        (Color, "red", Color.RED),
        (Color, Color.RED, Color.RED),
        (UUID, "12345678123456781234567812345678", UUID(int=0x12345678123456781234567812345678)),
        (Decimal, "1.50", Decimal("1.50")),
        (Decimal, Decimal(1), Decimal(1)),
        (bytes, "aGk=", b"hi"),
        (datetime, "2026-01-01T00:00:00+00:00", datetime(2026, 1, 1, tzinfo=UTC)),
        (list[int], [1, 2], [1, 2]),
        (list, [1, "a"], [1, "a"]),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[int, str], [1, "a"], (1, "a")),
        (set[int], [1, 1], {1}),
        (frozenset[str], {"a"}, frozenset({"a"})),
        (set[int], {1}, {1}),
        (set, {1}, {1}),
        (dict[str, set[int]], {"a": {1}}, {"a": {1}}),
        (Sequence[int], [1], (1,)),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (dict, {"a": 1}, {"a": 1}),
        (Mapping[str, list[int]], {"a": [1]}, {"a": [1]}),
        (Point, {"x": 1}, Point(1)),
        (Point, {"x": 1, "y": 2}, Point(1, 2.0)),
        (Size, {"width": 1, "tags": ["a"]}, Size(1, ("a",))),
        (Node, {"value": 1, "children": [{"value": 2}]}, Node(1, (Node(2),))),
        (Odd, {"hidden": 1, "even": 2}, Odd(1, 2)),
        (Point | None, {"x": 1}, Point(1)),
        (Point | Size, {"width": 1}, Size(1)),
        (Box[int], {"content": "anything"}, Box("anything")),
    ],
)
def test_builds(declared: Any, data: Any, built: Any) -> None:
    result = build(declared, data)
    assert result == built
    assert type(result) is type(built) or declared in (Any, dict, Mapping[str, list[int]])


@pytest.mark.parametrize(
    ("declared", "data", "message"),
    [
        (int, "1", "$: expected int, got str"),
        (int, True, "$: expected int, got bool"),
        (int, 1.0, "$: expected int, got float"),
        (float, True, "$: expected float, got bool"),
        (float, "1", "$: expected float, got str"),
        (float, 10**400, "$: expected float, got an int too large for one"),
        (str, None, "$: expected str, got None"),
        (bool, 1, "$: expected bool, got int"),
        (None, 0, "$: expected None, got int"),
        (int | None, "a", "$: expected int, got str"),
        (int | str, 1.5, "$: expected int | str, got float"),
        (Point | str, {"x": "1"}, "$.x: expected int, got str"),
        (Point | Size, {"z": 1}, "$: expected Point | Size, got dict"),
        (Literal["a", 1], True, "$: expected one of 'a', 1, got True"),
        (Color, "blue", "$: expected Color, got 'blue'"),
        (Color, 1, "$: expected Color, got int"),
        (UUID, "x", "$: expected UUID, got 'x'"),
        (Decimal, "x", "$: expected Decimal, got 'x'"),
        (Decimal, 1, "$: expected Decimal, got int"),
        (bytes, "?", "$: expected bytes, got '?'"),
        (datetime, "today", "$: expected datetime, got 'today'"),
        (list[int], "ab", "$: expected list of int, got str"),
        (Sequence[str], "ab", "$: expected Sequence of str, got str"),
        (list[int], [1, "a"], "$[1]: expected int, got str"),
        (set[Any], [[{}], {1: {2}}, {"a": 1}], None),
        (tuple[int, str], [1], "$: expected tuple of 2, got 1 items"),
        (tuple[int, str], {"a": 1}, "$: expected tuple of 2, got dict"),
        (dict[str, int], {"a": "b"}, "$.a: expected int, got str"),
        (dict[str, int], {1: 1}, "$.1: expected str, got int"),
        (dict[str, int], [1], "$: expected dict of int, got list"),
        (Point, {"x": "1"}, "$.x: expected int, got str"),
        (Point, {}, "$.x: expected int, got nothing"),
        (Point, {"x": 1, "z": 1}, "$.z: Point has no such field"),
        (Point, 1, "$: expected Point, got int"),
        (Point, Size(1), "$: expected Point, got Size"),
        (Point, Point("1"), "$.x: expected int, got str"),  # type: ignore[arg-type]
        (Node, {"value": 1, "children": [{"value": "2"}]}, "$.children[0].value: expected int"),
        (Odd, {"hidden": 1, "even": 1}, "$: expected Odd: 1 is odd"),
        (Odd, {"hidden": 1, "derived": 1}, "$.derived: Odd has no such field"),
        (Odd, {"_hidden": 1}, "$._hidden: Odd has no such field"),
    ],
)
def test_refuses(declared: Any, data: Any, message: str | None) -> None:
    if message is None:
        assert build(declared, data)  # frozen data can be hashed, so a set can be made of it
    else:
        assert refusal(declared, data).startswith(message)


def test_what_cannot_be_hashed_is_no_set() -> None:
    @frozen(eq=True, unsafe_hash=False)
    class Unhashable:
        pass

    class Plain:
        __hash__ = None  # type: ignore[assignment]

    assert refusal(set[Any], [Plain()]).startswith("$: expected set of anything: ")


def test_an_instance_is_neither_copied_nor_entered() -> None:
    size = Size(1, tags=(1, 2))  # type: ignore[arg-type]
    assert build(Size, size) is size


@pytest.mark.parametrize("declared", [Told, Shaped, Sequence[Told], "a string", 3])
def test_a_type_that_cannot_be_told_is_an_error_when_it_is_defined(declared: Any) -> None:
    with pytest.raises(trido.SpecError, match="told at run time"):
        build(declared, {})


@pytest.mark.parametrize("declared", [trio.Event, trio.Lock, trio.MemorySendChannel[int]])
def test_a_class_whose_annotations_are_for_its_authors_is_told_by_its_class(declared: Any) -> None:
    cls = typing.get_origin(declared) or declared
    value = trio.open_memory_channel[int](1)[0] if cls is trio.MemorySendChannel else cls()
    assert build(declared, value) is value
    assert refusal(declared, {}) == f"$: expected {cls.__name__}, got dict"


def test_other_generic_classes_are_told_by_their_class() -> None:
    assert build(Callable[[int], str], str) is str
    assert refusal(type[int], 1) == "$: expected type, got int"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON)
def test_whatever_comes_is_built_or_refused(data: object) -> None:
    try:
        assert isinstance(build(Node, data), Node)
    except trido.InvalidData as error:
        assert error.path.startswith("$")  # noqa: PT017  # the point is that nothing else comes
