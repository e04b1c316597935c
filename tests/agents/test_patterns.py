"""The index of patterns: against a matcher that reads the rules aloud."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trido.agents.patterns import Index, is_exact, is_pattern

# The rules, plainly ------------------------------------------------------------------------------


def fits(pattern: Sequence[str], type: Sequence[str]) -> bool:
    match pattern:
        case []:
            return not type
        case ["**", *rest]:
            return any(fits(rest, type[n:]) for n in range(len(type) + 1))
        case [segment, *rest]:
            return bool(type) and segment in {type[0], "*"} and fits(rest, type[1:])
    raise AssertionError


def widest(pattern: str) -> int:
    return 2 if "**" in pattern else 1 if "*" in pattern else 0


def kind(segment: str | None) -> int:
    match segment:
        case "*":
            return 1
        case None:  # the end
            return 2
        case "**":
            return 3
        case _:
            return 0


def closer(a: str, b: str) -> int:
    """Below 0 if ``a`` is closer, above if ``b`` is."""
    if widest(a) != widest(b):
        return widest(a) - widest(b)
    left, right = [*a.split("."), None], [*b.split("."), None]
    for one, other in zip(left, right, strict=False):
        if kind(one) != kind(other):
            return kind(one) - kind(other)
    return 0


closeness = cmp_to_key(closer)


class Naive:
    """All of them, looked at one by one."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, int, int]] = []

    def add(self, pattern: str, item: int, priority: int) -> None:
        self.entries.append((pattern, item, priority))

    def remove(self, pattern: str, item: int) -> None:
        self.entries = [one for one in self.entries if one[:2] != (pattern, item)]

    def match(self, type: str) -> tuple[int, ...]:
        fitting = [one for one in self.entries if fits(one[0].split("."), type.split("."))]
        # Sorting keeps the order of those that are equal.
        fitting.sort(key=lambda one: -one[2])
        fitting.sort(key=lambda one: closeness(one[0]))
        return tuple(dict.fromkeys(item for _, item, _ in fitting))


patterns_of_few_words = st.lists(
    st.sampled_from(["a", "b", "*", "**"]), min_size=1, max_size=5
).map(".".join)
types_of_few_words = (
    st.lists(st.sampled_from(["a", "b", "c", "", "*", "**", "x y"]), min_size=1, max_size=6)
    .map(".".join)
    .filter(bool)
)
adds = st.tuples(patterns_of_few_words, st.integers(0, 3), st.integers(-1, 1))


@given(st.lists(adds, max_size=20), st.lists(types_of_few_words, max_size=5), st.data())
def test_the_index_agrees_with_the_rules(
    added: list[tuple[str, int, int]], types: list[str], data: st.DataObject
) -> None:
    index: Index[int] = Index()
    naive = Naive()
    here: set[tuple[str, int]] = set()
    for pattern, item, priority in added:
        if (pattern, item) not in here:
            here.add((pattern, item))
            index.add(pattern, item, priority)
            naive.add(pattern, item, priority)
        else:
            here.remove((pattern, item))
            index.remove(pattern, item)
            naive.remove(pattern, item)
        for type in types:
            assert index.match(type) == naive.match(type)
            assert index.match(type) == naive.match(type)
    for pattern, item in data.draw(st.permutations(sorted(here))):
        index.remove(pattern, item)
        naive.remove(pattern, item)
        for type in types:
            assert index.match(type) == naive.match(type)
    assert not index._exact
    assert not index._wild.next


@pytest.mark.parametrize(
    "order",
    [
        ["a.b", "a.*", "*.b", "*.*", "a.b.**", "a.**", "*.**", "**.b", "**.*", "**"],
        ["*.b.c", "a.**"],
        ["a.*.c", "*.b.c", "a.b.**"],
        ["a.b.**", "a.*.**", "a.**", "*.b.**", "**.b"],
        ["a.**.c", "a.**", "**.c"],
    ],
)
def test_the_closest_comes_first(order: list[str]) -> None:
    type = "a.b" if "a.b" in order else "a.b.c"
    fitting = [one for one in order if fits(one.split("."), type.split("."))]
    for added in (fitting, fitting[::-1]):
        index: Index[str] = Index()
        for priority, pattern in enumerate(added):
            index.add(pattern, pattern, priority)
        assert index.match(type) == tuple(fitting)


def test_of_one_closeness_the_higher_priority_then_the_first() -> None:
    index: Index[str] = Index()
    for item, priority in [("second", 0), ("third", 0), ("first", 1), ("last", -1)]:
        index.add("order.*", item, priority)
    assert index.match("order.paid") == ("first", "second", "third", "last")


def test_an_item_under_several_patterns_comes_once() -> None:
    index: Index[str] = Index()
    index.add("**", "both")
    index.add("a.*", "one")
    index.add("a.b", "both")
    assert index.match("a.b") == ("both", "one")
    assert index.match("a.c") == ("one", "both")


def test_what_is_not_there_cannot_be_removed() -> None:
    index: Index[str] = Index()
    index.add("a.b", "item")
    index.add("a.*", "item")
    for pattern, item in [("a.b", "x"), ("a.*", "x"), ("a", "item"), ("*", "item"), ("a.**", "x")]:
        with pytest.raises(KeyError):
            index.remove(pattern, item)
    assert index.match("a.b") == ("item",)


def test_removing_one_leaves_those_below_and_beside_it() -> None:
    index: Index[str] = Index()
    for pattern in ("a.*", "a.*.b", "a.**"):
        index.add(pattern, pattern)
    index.remove("a.*", "a.*")
    assert index.match("a.x.b") == ("a.*.b", "a.**")
    index.remove("a.*.b", "a.*.b")
    assert index.match("a.x.b") == ("a.**",)


# Types of any kind -------------------------------------------------------------------------------


@given(st.text(min_size=1))
@example("a..b")
@example("." * 1000)
@example("*")
@example("**")
def test_any_text_can_be_a_type(type: str) -> None:
    index: Index[str] = Index()
    index.add("**", "any")
    index.add("a.b", "exact")
    assert "any" in index.match(type)


def test_many_wildcards_and_a_long_type_take_no_time() -> None:
    """Trying every way in which they might fit would take for ever."""
    index: Index[str] = Index()
    index.add(".".join(["**", "a"] * 50), "item")
    assert index.match(".".join(["a"] * 2000)) == ("item",)
    assert index.match(".".join(["a"] * 2000 + ["b"])) == ()


@pytest.mark.parametrize("text", ["a", "a.b", "A-1.b_2", "*", "**", "a.*.b", "**.a.**", "a.**"])
def test_patterns(text: str) -> None:
    assert is_pattern(text)
    assert is_exact(text) == ("*" not in text)


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "a b", "a*", "*a.b", "***", "a.b\n", "ä", None, 1, b"a"]
)
def test_what_is_no_pattern(text: Any) -> None:
    assert not is_pattern(text)
