"""How much is shown of a value: what fits is shown whole, and what does not is not looked at."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Annotated, Any

import attrs
import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

import trido
from trido.agents.secrets import has_secret, redacted_field

VALUE = "hunter2"


def nested(depth: int) -> list[Any]:
    return [nested(depth - 1)] if depth > 1 else []


PLAIN = st.recursive(
    st.none() | st.integers() | st.text(max_size=9) | st.binary(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=9) | st.integers(), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


@given(PLAIN)
def test_what_fits_is_shown_whole(value: object) -> None:
    """Of what has a secret, by chance, that is hidden: it shows itself otherwise."""
    shown = repr(value)
    if not has_secret(value):
        assert trido.redacted(value, length=len(shown)) == shown
        assert trido.redacted(value, length=len(shown) - 1) == f"{shown[:-1]}…"


@pytest.mark.parametrize(
    ("value", "limits", "shown"),
    [
        (7, {"length": 1}, "7"),
        (7, {"length": 0}, "…"),
        ([1, 2, 3], {"length": 9}, "[1, 2, 3]"),
        ([1, 2, 3], {"length": 8}, "[1, 2, 3…"),
        ({"ab": 1, "token": VALUE}, {"length": 23}, "{'ab': 1, 'token': ***}"),
        ({"ab": 1, "token": VALUE}, {"length": 20}, "{'ab': 1, 'token': *…"),
        ({"a": {"b": 1}}, {"depth": 3}, "{'a': {'b': 1}}"),
        ({"a": {"b": 1}}, {"depth": 2}, "{'a': {'b': …}}"),
        ({"a": {"b": 1}}, {"depth": 1}, "{'a': …}"),
        ({(1,): 2}, {"depth": 2}, "{(…): 2}"),
        ({((1,),): 2}, {"depth": 2}, "{(…): 2}"),
        ([], {"depth": 1}, "[]"),
        ([], {"depth": 0}, "…"),
        (nested(8), {}, "[[[[[[[[]]]]]]]]"),
        (nested(9), {}, "[[[[[[[[…]]]]]]]]"),
        ("x" * 1_998, {}, repr("x" * 1_998)),
        ("x" * 1_999, {}, f"'{'x' * 1_999}…"),
    ],
)
def test_what_is_too_long_or_too_deep_is_left_out(value: object, limits: Any, shown: str) -> None:
    assert trido.redacted(value, **limits) == shown


@pytest.mark.parametrize(
    ("value", "hides"),
    [
        (nested(8), False),
        (nested(9), True),
        ("x" * 1_998, False),
        ("x" * 1_999, True),
        (1, False),
        ({"token": 1}, True),
    ],
)
def test_what_could_not_be_looked_at_may_be_a_secret(value: object, *, hides: bool) -> None:
    assert has_secret(value) is hides


class Counted(list[int]):
    """Tells how many of its items were looked at."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[int]:
        while self.taken < 1_000:
            self.taken += 1
            yield 5


class Named(dict[str, int]):
    """Same, with names."""

    def __init__(self) -> None:
        self.taken = 0

    def items(self) -> Any:
        while self.taken < 1_000:
            self.taken += 1
            yield "a", 5


def test_it_looks_at_no_more_than_it_has_room_for() -> None:
    numbers, named = Counted(), Named()
    trido.redacted(numbers, length=60)  # of "5, "
    trido.redacted(named, length=80)  # of "'a': 5, "
    assert (numbers.taken, named.taken) == (21, 11)


@frozen
class Diary:
    """Shows itself in few words, and the wrong ones."""

    first: int = 1
    second: int = 2
    password: str = VALUE

    def __repr__(self) -> str:
        return f"Diary({self.password})"


def test_what_was_not_looked_at_does_not_show_itself() -> None:
    assert trido.redacted(Diary()) == "Diary(first=1, second=2, password=***)"
    assert trido.redacted(Diary(), length=16) == "Diary(first=1, s…"


# Which fields -------------------------------------------------------------------------------------


def test_a_field_is_secret_by_its_mark_or_its_name_or_its_repr() -> None:
    @frozen
    class Login:
        user: str = "ann"
        password: str = VALUE
        marked: str = trido.secret(default=VALUE)
        silent: str = field(default=VALUE, repr=False)
        said: str = field(default=VALUE, metadata=attrs.fields(Marked).it.metadata)

    shown = "Login(user='ann', password=***, marked=***, silent=***, said=***)"
    assert trido.redacted(Login()).endswith(shown)
    assert "marked" not in repr(Login())


@frozen
class Marked:
    it: str = trido.secret(default="")


@frozen
class Letter:
    text: str


def test_a_number_may_be_a_secret() -> None:
    @dataclasses.dataclass
    class Card:
        pin: Annotated[int, trido.secret()] = 1234

    assert trido.redacted(Card()).endswith("Card(pin=***)")


def test_other_annotations_say_nothing_of_secrets() -> None:
    @frozen
    class Ruler:
        length: Annotated[int, "in meters"] = 1
        note: Annotated[str, attrs.field()] = "new"

    assert trido.redacted(Ruler()) == repr(Ruler())


def test_one_field_is_shown_like_all_of_them() -> None:
    diary = Diary()
    assert redacted_field(diary, "first") == "1"
    assert redacted_field(diary, "password") == "***"
    assert redacted_field(Diary(password="x"), "second") == "2"
    long = Letter("x" * 3_000)
    assert redacted_field(long, "text") == f"'{'x' * 1_999}…"
    assert redacted_field(long, "text", length=3) == "'xx…"
    assert redacted_field("no class with fields", "strip") == "***"
