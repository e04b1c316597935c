"""Specs of children and trees of supervisors: none that is refused, and the plain one first."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import trido
from tests.testing.finding import find
from trido.testing.strategies import child_specs, supervisor_trees


async def feed(name: str) -> None:
    await trio.sleep_forever()


@frozen
class Nothing:
    pass


echo = trido.Agent("echo", state=Nothing)


@settings(max_examples=20)
@given(child_specs(feed, "eu", id="eu", restart="transient"))
def test_children_are_drawn_around_what_is_given(spec: trido.ChildSpec[Any]) -> None:
    assert (spec.fn, spec.args, spec.id, spec.restart) == (feed, ("eu",), "eu", "transient")


def test_the_plain_child_comes_first() -> None:
    assert find(child_specs(feed, "eu"), lambda _: True) == trido.ChildSpec(feed, "eu")


@pytest.mark.parametrize(
    ("field", "value"),
    [("restart", "temporary"), ("on_limit", "park"), ("shutdown", trido.BRUTAL_KILL)],
)
def test_nothing_is_said_but_what_is_wanted(field: str, value: object) -> None:
    plain: Any = trido.ChildSpec(feed, "eu")
    spec = find(child_specs(feed, "eu"), lambda one: getattr(one, field) == value)
    assert spec == evolve(plain, **{field: value})


def test_a_child_can_be_significant() -> None:
    spec = find(child_specs(), lambda one: one.significant)
    assert spec.restart == "transient"


def walk(spec: Any) -> list[Any]:
    return [spec, *(one for child in getattr(spec, "children", ()) for one in walk(child))]


def height(spec: Any) -> int:
    return 1 + max(map(height, spec.children)) if hasattr(spec, "children") else 0


@settings(max_examples=25)
@given(supervisor_trees(depth=2))
def test_every_tree_can_be_run(tree: trido.SupervisorSpec) -> None:
    async def main() -> None:
        async with trido.open_supervisor(spec=tree) as sup:
            assert len(sup.children()) == len(tree.children)

    trio.run(main, clock=MockClock(autojump_threshold=0))


@settings(max_examples=25)
@given(supervisor_trees(max_children=2, depth=2, strategy="rest_for_one"))
def test_they_keep_to_what_is_given(tree: trido.SupervisorSpec) -> None:
    supers = [one for one in walk(tree) if isinstance(one, trido.SupervisorSpec)]
    assert all(one.strategy == "rest_for_one" and len(one.children) <= 2 for one in supers)
    assert height(tree) <= 2


def test_the_plain_tree_comes_first() -> None:
    least = find(supervisor_trees(child_specs(feed, "eu")), lambda _: True)
    assert least == trido.SupervisorSpec(trido.ChildSpec(feed, "eu"), id="level-1")


def test_trees_grow_only_where_they_must() -> None:
    deep = find(supervisor_trees(), lambda tree: height(tree) == 3)
    assert len(walk(deep)) == 4
    wide = find(supervisor_trees(), lambda tree: len(tree.children) == 2)
    assert [one.child_id for one in wide.children] == ["idle", "idle-2"]


def test_agents_are_children_like_any_other() -> None:
    tree = find(supervisor_trees(st.just(echo.spec(id="a"))), lambda one: len(one.children) > 1)
    assert tree.children == (echo.spec(id="a"), echo.spec(id="a-2"))


def test_a_significant_child_has_a_supervisor_that_minds() -> None:
    def has_one(tree: Any) -> bool:
        return any(child.significant for child in tree.children)

    tree = find(supervisor_trees(depth=1), has_one)
    assert tree.auto_shutdown != "never"


async def test_a_child_that_is_idle_waits_to_be_stopped() -> None:
    spec = find(child_specs(), lambda _: True)
    async with trido.open_supervisor(spec) as sup:
        await trio.sleep(1000)
        assert sup["idle"].state == "running"


@pytest.mark.parametrize("wrong", [{"max_children": 0}, {"depth": 1.5}, {"strategy": "none"}])
def test_a_tree_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(trido.SpecError, match=next(iter(wrong))):
        supervisor_trees(**wrong)
