"""Values compare, hash and show as attrs itself would have it."""

from __future__ import annotations

from attrs import evolve, field, frozen

from trido.values import ByFields


@frozen(eq=False, repr=False)
class Point(ByFields):
    x: int
    _y: int = 0
    seen: int = field(default=0, eq=False, repr=False)


@frozen(eq=False, repr=False)
class Place(ByFields):
    x: int
    _y: int = 0
    seen: int = field(default=0, eq=False, repr=False)


@frozen
class Known:
    x: int
    _y: int = 0
    seen: int = field(default=0, eq=False, repr=False)


def test_values_are_equal_if_of_one_class_and_equal_in_all_fields() -> None:
    assert Point(1, 2) == Point(1, 2, seen=3)
    assert Point(1, 2) != Point(1, 3)
    assert Point(1, 2) != Place(1, 2)
    assert Point(1, 2) != (1, 2)


def test_equal_values_are_one_in_a_set() -> None:
    assert len({Point(1), Point(1), evolve(Point(2), x=1), Place(1)}) == 2


def test_a_value_is_shown_as_attrs_shows_one() -> None:
    assert repr(Point(1)) == repr(Known(1)).replace("Known", "Point")
