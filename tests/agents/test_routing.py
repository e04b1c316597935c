"""Which route a signal takes: patterns, priorities, guards; and which routes are refused."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen

import trido
from trido.agents.routing import Route, Routes, choose
from trido.agents.schema import Schema


@frozen
class Paid:
    amount: int = 0


def handler(state: object, data: object) -> object:
    return state


def route(pattern: str, *, data: Any = Any, **options: Any) -> Route:
    return Route(pattern, handler, False, Schema(pattern, data, {}), True, **options)  # noqa: FBT003


def over(amount: int) -> Any:
    def guard(state: Any, data: Paid) -> bool:
        return data.amount > amount

    return guard


def always(state: Any, data: Any) -> bool:
    return True


def never(state: Any, data: Any) -> bool:
    return False


def added(*several: Route) -> Routes:
    routes = Routes()
    for one in several:
        routes.check("agent", one.pattern, one.guard, one.priority)
        routes.add(one)
    return routes


def chosen(routes: Routes, signal: trido.Signal, state: object = None) -> str:
    return choose("till", routes.match(signal.type), state, signal)[0].pattern


# Which is taken ----------------------------------------------------------------------------------


def test_one_signal_takes_one_route_the_closest() -> None:
    routes = added(*map(route, ["**", "order.**", "order.*", "order.paid"]))
    assert [one.pattern for one in routes.match("order.paid")] == [
        "order.paid",
        "order.*",
        "order.**",
        "**",
    ]
    for type, pattern in [
        ("order.paid", "order.paid"),
        ("order.sent", "order.*"),
        ("order", "order.**"),
        ("order.item.added", "order.**"),
        ("stock", "**"),
    ]:
        found = routes.exact(type)
        assert found is not None
        assert found.pattern == pattern == chosen(routes, trido.Signal(type))


def test_all_routes_can_be_looked_through() -> None:
    assert list(Routes()) == []
    assert [one.pattern for one in added(*map(route, ["b", "a.*", "a"]))] == ["b", "a.*", "a"]


def test_no_route() -> None:
    routes = added(route("order.paid"))
    assert routes.match("order") == ()
    assert routes.exact("order") is None
    with pytest.raises(trido.NoRoute, match="agent 'till' has no route for 'order'"):
        choose("till", routes.match("order"), None, trido.Signal("order"))


@pytest.mark.parametrize("type", ["..", " ", "order.", "*", "**", "ä.ö", "order..paid", "x" * 9999])
def test_a_type_of_any_kind_takes_a_route_or_none(type: str) -> None:
    """Jido: one malformed route silences all routes."""
    routes = added(route("order.paid"))
    with pytest.raises(trido.NoRoute):
        chosen(routes, trido.Signal(type))
    assert chosen(routes, trido.Signal("order.paid")) == "order.paid"
    assert chosen(added(route("**")), trido.Signal(type)) == "**"


# Guards ------------------------------------------------------------------------------------------


def test_the_first_whose_guard_lets_it_pass() -> None:
    large = route("order.paid", data=Paid, guard=over(100), priority=2)
    middle = route("order.paid", data=Paid, guard=over(10), priority=1)
    rest = route("order.*", data=Paid)
    routes = added(rest, middle, large)
    for amount, expected in [(500, large), (50, middle), (5, rest)]:
        signal = trido.Signal("order.paid", {"amount": amount})
        assert routes.exact(signal.type) is None
        assert choose("till", routes.match(signal.type), None, signal) == (expected, Paid(amount))


def test_a_guard_sees_the_state() -> None:
    def is_open(state: Any, data: Any) -> bool:
        return bool(state == "open")

    routes = added(route("order.paid", guard=is_open), route("**"))
    assert chosen(routes, trido.Signal("order.paid"), "open") == "order.paid"
    assert chosen(routes, trido.Signal("order.paid"), "closed") == "**"


def test_of_guards_of_one_priority_the_first_is_asked_first() -> None:
    first, second = route("a", guard=always), route("a", guard=over(0))
    assert choose("till", added(first, second).match("a"), None, trido.Signal("a"))[0] is first


def test_no_guard_lets_it_pass() -> None:
    routes = added(route("order.paid", guard=never), route("order.*", guard=never))
    with pytest.raises(trido.NoRoute):
        chosen(routes, trido.Signal("order.paid"))


def test_a_guard_sees_valid_data_only_and_the_first_route_judges_it() -> None:
    asked: list[Any] = []

    def guard(state: Any, data: Paid) -> bool:
        asked.append(data)
        return False

    routes = added(route("order.paid", data=Paid, guard=guard), route("**"))
    with pytest.raises(trido.InvalidData, match=r"\$\.amount: expected int, got str"):
        chosen(routes, trido.Signal("order.paid", {"amount": "much"}))
    assert asked == []
    assert chosen(routes, trido.Signal("order.paid", Paid(1))) == "**"
    assert asked == [Paid(1)]


def test_a_route_that_does_not_check_takes_the_data_as_it_comes() -> None:
    unchecked = Route("a", handler, False, Schema("a", Paid, {}), False)  # noqa: FBT003
    assert choose("till", [unchecked], None, trido.Signal("a", "anything"))[1] == "anything"


def test_a_guard_that_raises_refuses_the_signal() -> None:
    """Others are not tried: what cannot be judged must not slip through to a laxer route."""
    error = ZeroDivisionError("oh")

    def broken(state: Any, data: Any) -> bool:
        raise error

    routes = added(route("order.*", guard=broken), route("**"))
    with pytest.raises(trido.Reject) as caught:
        chosen(routes, trido.Signal("order.paid"))
    assert caught.value.reason == "the guard of route 'order.*' raised ZeroDivisionError: oh"
    assert caught.value.__cause__ is error


def test_a_guard_may_reject() -> None:
    rejection = trido.Reject("closed on Sundays")

    def closed(state: Any, data: Any) -> bool:
        raise rejection

    with pytest.raises(trido.Reject) as caught:
        chosen(added(route("a", guard=closed)), trido.Signal("a"))
    assert caught.value is rejection


@pytest.mark.parametrize("answer", [None, 1, "yes"])
def test_a_guard_that_does_not_say_yes_or_no_refuses_the_signal(answer: Any) -> None:
    with pytest.raises(trido.Reject, match="neither True nor False"):
        chosen(added(route("a", guard=lambda state, data: answer), route("**")), trido.Signal("a"))


@pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
def test_what_is_no_error_goes_through_a_guard(fatal: type[BaseException]) -> None:
    def guard(state: Any, data: Any) -> bool:
        raise fatal

    with pytest.raises(fatal):
        chosen(added(route("a", guard=guard)), trido.Signal("a"))


# What is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["", "a..b", ".a", "a.", "a b", "a*", "***", None, 7])
def test_malformed_routes_are_refused(pattern: Any) -> None:
    with pytest.raises(trido.SpecError, match="joined by dots") as caught:
        Routes().check("agent", pattern)
    assert caught.value.field == "type"


@pytest.mark.parametrize("pattern", ["a.b", "a.*", "**"])
def test_duplicate_routes_are_refused(pattern: str) -> None:
    routes = added(route(pattern))
    with pytest.raises(trido.SpecError, match="different from that of every other") as caught:
        routes.check("agent", pattern)
    assert caught.value.field == "type"
    with pytest.raises(trido.SpecError):
        routes.check("agent", pattern, None, 5)


class Guards:
    def guard(self, state: Any, data: Any) -> bool:
        return True


def test_the_same_guard_at_the_same_priority_is_a_duplicate() -> None:
    guards = Guards()
    routes = added(route("a", guard=guards.guard, priority=1))
    with pytest.raises(trido.SpecError) as caught:
        routes.check("agent", "a", guards.guard, 1)
    assert caught.value.field == "guard"
    assert routes.check("agent", "a", guards.guard, 2) == "a"
    assert routes.check("agent", "a", never, 1) == "a"
    assert routes.check("agent", "b", guards.guard, 1) == "b"


def test_a_route_that_could_never_be_taken_is_refused() -> None:
    routes = added(route("a.*"))
    for priority in (0, -1):
        with pytest.raises(trido.SpecError, match="over 0: the route without a guard") as caught:
            routes.check("agent", "a.*", never, priority)
        assert caught.value.field == "priority"
    assert routes.check("agent", "a.*", never, 1) == "a.*"
    # Other patterns have signals of their own.
    assert routes.check("agent", "a.**", never, -1) == "a.**"


def test_a_route_that_would_leave_none_to_another_is_refused() -> None:
    routes = added(route("a", guard=never, priority=1))
    with pytest.raises(trido.SpecError, match="at most 1") as caught:
        routes.check("agent", "a", None, 2)
    assert caught.value.field == "priority"
    assert routes.check("agent", "a", None, 1) == "a"


async def asynchronous(state: Any, data: Any) -> bool:
    return True


def generator(state: Any, data: Any) -> Any:
    yield True


async def both(state: Any, data: Any) -> Any:
    yield True


@pytest.mark.parametrize("guard", ["guard", True, asynchronous, generator, both])
def test_what_is_no_guard(guard: Any) -> None:
    with pytest.raises(trido.SpecError, match="plain function") as caught:
        Routes().check("agent", "a", guard)
    assert caught.value.field == "guard"


@pytest.mark.parametrize("priority", ["high", 1.5, True, None])
def test_what_is_no_priority(priority: Any) -> None:
    with pytest.raises(trido.SpecError, match="the higher is tried first") as caught:
        Routes().check("agent", "a", None, priority)
    assert caught.value.field == "priority"
