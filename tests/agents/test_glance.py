"""A glance says just what the closer look says; it only says it faster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs
import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

import trido
from trido.agents.errors import InvalidData
from trido.agents.schema import Record, Schema


@frozen
class Leaf:
    value: int = 0


class Twig(Leaf):
    """Also a leaf."""


@frozen
class Branch:
    whole: int = 0
    number: float = 0.0
    maybe: str | None = None
    word: Literal["a", "b"] = "a"
    table: Mapping[str, int] = attrs.field(factory=dict)
    leaf: Leaf = Leaf()
    inner: Branch | None = None
    anything: Any = None


def record(cls: type) -> Record:
    shape = Schema("test", cls, {}).shape
    assert isinstance(shape, Record)
    return shape


SHAPE = record(Branch)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([0, True, 1.5, "a", "c", None, Leaf(), Twig(), Branch(), {}, (), b"", Leaf]),
    st.builds(dict),
)
BRANCHES = st.builds(Branch, **{field.name: VALUES for field in attrs.fields(Branch)})


def passes(value: Branch, before: Branch | None = None) -> bool:
    try:
        SHAPE.check(value, before=before)
    except InvalidData:
        return False
    return True


@given(BRANCHES)
def test_a_glance_at_an_instance_agrees_with_its_check(value: Branch) -> None:
    assert SHAPE.fits(value) is passes(value)


@given(BRANCHES, BRANCHES)
def test_a_glance_at_a_change_agrees_with_its_check(new: Branch, before: Branch) -> None:
    assert SHAPE.follows(new, before) is passes(new, before)


def test_what_is_the_same_object_as_before_is_not_looked_at() -> None:
    wrong: Any = "no number"
    before = Branch(whole=wrong)
    assert SHAPE.follows(Branch(whole=wrong, maybe="x"), before)
    assert not SHAPE.follows(Branch(whole=wrong, maybe=wrong * 2, inner=wrong), before)


@pytest.mark.parametrize("value", [Twig(), 1, None, {"value": 1}])
def test_what_is_of_another_class_gets_the_closer_look(value: object) -> None:
    assert not record(Leaf).fits(value)


def test_a_class_without_fields_has_nothing_wrong_with_it() -> None:
    @frozen
    class Empty:
        pass

    assert record(Empty).fits(Empty())
    assert record(Empty).follows(Empty(), Empty())


def test_plain_types_fit_if_they_need_not_be_built() -> None:
    def fits(declared: Any, value: object) -> bool:
        return Schema("test", declared, {}).shape.fits(value)

    assert fits(int, 1)
    assert not fits(int, "1")
    assert fits(Any, object())
    assert not fits(float, 1)
    assert not fits(tuple[int, ...], (1,))


def test_a_route_takes_any_data_if_it_does_not_check() -> None:
    agent = trido.Agent("leaf", state=Leaf)

    @agent.on("seen", check=False)
    def seen(state: Leaf, data: int) -> Leaf:
        return Leaf(len(str(data)))

    wrong: Any = "four"
    assert agent.cmd(Leaf(), trido.Signal("seen", wrong)) == (Leaf(4), ())
