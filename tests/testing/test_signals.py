"""Signals for an agent: right, and only just wrong in a place that can be told."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

import pytest
from attrs import field, frozen, validators
from hypothesis import given, settings
from hypothesis import strategies as st

import trido
from tests.testing.finding import find
from trido.testing.strategies import WrongSignal, signals, states, turns, wrong_signals


@frozen
class Stock:
    items: Mapping[str, int] = trido.freeze({})
    open: bool = True


@frozen
class Line:
    item: str
    count: int = field(default=1, validator=[validators.ge(1), validators.lt(10)])


@frozen
class Order:
    name: str
    price: Decimal = field(default=Decimal(1), validator=validators.gt(Decimal(0)))
    note: Line | None = None
    either: int | str = 0
    pair: tuple[int, bool] = (0, False)
    by_name: Mapping[str, int] = trido.freeze({})
    login: Line = field(default=Line("a"), repr=False)


@frozen
class Basket:
    lines: tuple[Line, ...] = ()


@frozen
class Nested:
    inner: Nested | None = None


shop = trido.Agent("shop", state=Stock)
till = trido.Agent("till", state=Stock)


@till.on("till.fill")
def fill(state: Stock, data: Basket) -> Stock:
    return state


@shop.on("shop.order")
def order(state: Stock, data: Order) -> Stock:
    return state


@shop.on("shop.count", guard=lambda state, data: data > 0)
def count(state: Stock, data: int) -> Stock:
    return state


@shop.on("shop.*")
def anything(state: Stock, data: object) -> Stock:
    return state


@shop.on("shop.**.end")
def nested(state: Stock, data: Nested) -> Stock:
    return state


@shop.on("free", check=False)
def free(state: Stock, data: int) -> Stock:
    return state


@settings(max_examples=25)
@given(signals(shop), states(shop))
def test_an_agent_takes_them(signal: trido.Signal, state: Stock) -> None:
    shop.cmd(state, signal)


@settings(max_examples=40)
@given(wrong_signals(shop), states(shop))
def test_an_agent_refuses_them_where_they_are_said_to_be_wrong(
    wrong: WrongSignal, state: Stock
) -> None:
    with pytest.raises(trido.InvalidData) as caught:
        shop.cmd(state, wrong.signal)
    assert caught.value.path == wrong.path


@settings(max_examples=20)
@given(signals(shop, valid=False))
def test_they_can_be_had_without_the_path(signal: trido.Signal) -> None:
    with pytest.raises(trido.InvalidData):
        shop.cmd(Stock(), signal)


@pytest.mark.parametrize(
    "path",
    [
        "$", "$.name", "$.unknown_", "$.note.item", "$.either", "$.pair", "$.pair[1]", "$.price",
        "$.login", "$.inner",
    ],
)  # fmt: skip
def test_every_place_can_be_wrong(path: str) -> None:
    wrong = find(wrong_signals(shop), lambda one: one.path == path)
    assert wrong.path == path


def test_a_value_of_a_mapping_can_be_wrong() -> None:
    wrong = find(wrong_signals(shop), lambda one: one.path.startswith("$.by_name."))
    assert wrong.path == "$.by_name."


@pytest.mark.parametrize("path", ["$.lines", "$.lines[0]", "$.lines[0].item"])
def test_so_can_every_place_within_an_item(path: str) -> None:
    assert find(wrong_signals(till), lambda one: one.path == path).path == path


def test_nothing_else_is_wrong_with_them() -> None:
    wrong = find(wrong_signals(till), lambda one: one.path == "$.lines[0].count")
    lines = [{"item": "", "count": None}]
    assert wrong.signal == trido.Signal("till.fill", {"lines": lines})


def test_values_beyond_a_bound_are_the_nearest() -> None:
    def is_beyond(wrong: WrongSignal) -> bool:
        data: Any = wrong.signal.data
        return wrong.path == "$.lines[0]" and isinstance(data["lines"][0], Mapping)

    least: Any = find(wrong_signals(till), is_beyond).signal.data
    assert least["lines"][0]["count"] in {0, 10}


def test_an_instance_can_be_wrong_too() -> None:
    wrong = find(wrong_signals(shop), lambda one: isinstance(one.signal.data, Order))
    assert wrong.path == "$.name"
    assert wrong.signal.data == Order(None)  # type: ignore[arg-type]


def test_they_shrink() -> None:
    plain = find(signals(shop), lambda one: one.type == "shop.order")
    assert plain == trido.Signal("shop.order", Order(""))
    assert find(states(shop), lambda _: True) == Stock()
    assert find(states(shop), lambda state: len(state.items) > 0) == Stock(trido.freeze({"": 0}))
    assert find(signals(shop), lambda one: one.type.endswith("end")).data == Nested()


@pytest.mark.parametrize("kind", ["shop.a.b.end", "shop.a"])
def test_patterns_are_filled_in(kind: str) -> None:
    assert find(signals(shop), lambda one: one.type == kind).type == kind


def test_a_secret_is_wrong_as_a_whole() -> None:
    agent = trido.Agent("safe", state=Stock)

    @agent.on("open")
    def open_(state: Stock, data: Annotated[Line, trido.secret()]) -> Stock:
        return state

    assert find(wrong_signals(agent), lambda one: one.signal.data is not None).path == "$"


def test_what_a_guard_lets_pass_comes_to_the_next_route() -> None:
    drawn = find(signals(shop), lambda one: one.type == "shop.count")
    assert isinstance(drawn.data, int)


def test_what_a_guarded_route_refuses_never_comes_to_the_next() -> None:
    agent = trido.Agent("two", state=Stock)

    @agent.on("a", guard=lambda state, data: data > 0)
    def positive(state: Stock, data: int) -> Stock:
        return state

    @agent.on("a")
    def any_other(state: Stock, data: int | str) -> Stock:
        return state

    @settings(max_examples=20)
    @given(signals(agent))
    def check(signal: trido.Signal) -> None:
        agent.cmd(Stock(), signal)

    check()


def test_types_of_ones_own() -> None:
    drawn = find(signals(shop, types={Order: st.just(Order("mine"))}), lambda _: True)
    assert drawn.data == Order("mine")


def test_turns_say_everything() -> None:
    turn = find(turns(), lambda _: True)
    assert (turn.agent_id, turn.revision, turn.request, turn.why) == ("agent", 0, None, "call")


@pytest.mark.parametrize("draw", [signals, wrong_signals, states])
def test_what_is_no_agent_is_refused(draw: Any) -> None:
    with pytest.raises(trido.SpecError, match="agent"):
        draw("shop")


def test_an_agent_without_routes_is_refused() -> None:
    with pytest.raises(trido.SpecError, match="with a route"):
        signals(trido.Agent("idle", state=Stock))


def test_an_agent_that_takes_anything_is_never_told_wrong() -> None:
    agent = trido.Agent("open", state=Stock)

    @agent.on("a")
    def take(state: Stock, data: object) -> Stock:
        return state

    @agent.on("b", check=False)
    def take_too(state: Stock, data: int) -> Stock:
        return state

    with pytest.raises(trido.SpecError, match="does not take any data"):
        wrong_signals(agent)
