"""The index of patterns: the order of equals, and which answers it keeps."""

from __future__ import annotations

import pytest

from trido.agents import patterns
from trido.agents.patterns import LONGEST, Index


def index_of(*names: str) -> Index[str]:
    index: Index[str] = Index()
    for name in names:
        index.add(name, name)
    return index


def is_kept(index: Index[str], type: str) -> bool:
    return index.match(type) is index.match(type)


@pytest.mark.parametrize("order", [("a.**.b.**", "a.**.c.**"), ("a.**.c.**", "a.**.b.**")])
def test_of_patterns_that_are_as_close_the_first_added_comes_first(order: tuple[str, str]) -> None:
    assert index_of(*order).match("a.b.c") == order
    index = index_of(*order)
    index.remove(order[0], order[0])
    index.add(order[0], order[0])
    assert index.match("a.b.c") == order[::-1]


def test_an_item_has_priority_0_unless_it_says_so() -> None:
    index: Index[str] = Index()
    index.add("a", "first", 0)
    index.add("a", "second")
    assert index.match("a") == ("first", "second")


def test_an_answer_is_kept_until_an_item_comes_or_goes() -> None:
    index = index_of("a.*", "a.b")
    assert is_kept(index, "a.b")
    index.add("a.**", "more")
    assert index.match("a.b") == ("a.b", "a.*", "more")
    index.remove("a.**", "more")
    assert index.match("a.b") == ("a.b", "a.*")


def test_no_answer_is_kept_for_a_type_so_long_that_it_would_take_memory() -> None:
    index = index_of("*")
    assert is_kept(index, "x" * LONGEST)
    assert not is_kept(index, "x" * (LONGEST + 1))
    long = "y" * (LONGEST + 1)
    assert is_kept(index_of(long), long)


def test_so_many_answers_are_kept_besides_those_that_a_pattern_spells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patterns, "REMEMBERED", 3)
    index = index_of("a", "b", "*")
    types = ["a", "b", "c", "d", "e"]
    first = [index.match(type) for type in types]
    assert all(index.match(type) is one for type, one in zip(types, first, strict=True))
    index.match("f")
    assert index.match("a") is not first[0]
    assert len(index._answers) <= 5
