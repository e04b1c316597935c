"""What the index of patterns costs, in calls and in answers that are kept."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import partial

import pytest

from trido.agents import patterns
from trido.agents.patterns import Index


def calls(fn: Callable[[], object]) -> int:
    """How many functions a function calls: the same on every machine."""
    count = 0

    def profile(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    gc.disable()  # what is collected meanwhile calls functions, too
    sys.setprofile(profile)
    try:
        fn()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


def filled(count: int) -> Index[int]:
    index: Index[int] = Index()
    for number in range(count):
        index.add(f"exact.n{number}", number)
        index.add(f"wild.n{number}.*", number)
        index.add(f"**.end{number}", number)
    return index


@pytest.mark.parametrize("type", ["exact.n7", "wild.n7.x", "some.where.end7", "nowhere"])
def test_10_000_patterns_are_as_fast_as_10(type: str) -> None:
    few, many = filled(10), filled(10_000)
    assert many.match("wild.n7.x") == few.match("wild.n7.x") == (7,)
    first = [calls(partial(index.match, type)) for index in (few, many)]
    again = [calls(partial(index.match, type)) for index in (few, many)]
    assert first[0] == first[1]
    assert again[0] == again[1] < 10


def test_answers_for_exact_types_are_kept_however_many_there_are() -> None:
    index = filled(10_000)
    for number in range(10_000):
        index.match(f"exact.n{number}")
    assert len(index._answers) == 10_000


def test_what_is_kept_is_bounded() -> None:
    index = filled(1)
    for number in range(5000):
        index.match(f"wild.n0.x{number}")
        assert len(index._answers) <= patterns.REMEMBERED + 1
    assert index.match("wild.n0.x1") == (0,)
    index.match("x" * 1_000_000)
    assert all(len(type) <= patterns.LONGEST for type in index._answers)


def test_an_exact_type_may_be_long() -> None:
    index: Index[str] = Index()
    index.add("a" * 1000, "long")
    assert index.match("a" * 1000) == ("long",)
    assert "a" * 1000 in index._answers
