"""A route alone: how it calls its handler, and what a glance at its data says."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen

import trido
from trido.agents.routing import Route, Routes
from trido.agents.schema import Schema
from trido.agents.turn import NO_TURN


@frozen
class Paid:
    amount: int = 0


def route(*, takes_turn: bool = False, check: bool = True, is_async: bool = False) -> Route:
    def handler(*given: Any) -> Any:
        return given

    return Route("a", handler, takes_turn, Schema("a", Paid, {}), check, is_async=is_async)


def test_a_handler_is_given_the_state_the_data_and_the_turn_if_it_takes_it() -> None:
    assert route().call(1, 2, NO_TURN) == (1, 2)
    assert route(takes_turn=True).call(1, 2, NO_TURN) == (1, 2, NO_TURN)


def test_plain_is_what_takes_no_turn_and_awaits_nothing() -> None:
    assert route().is_plain is True
    assert route(takes_turn=True).is_plain is False
    assert route(is_async=True).is_plain is False
    assert route(takes_turn=True, is_async=True).is_plain is False


def test_all_data_fits_a_route_that_does_not_check() -> None:
    assert [route().fits(one) for one in (Paid(), {"amount": 1}, 3)] == [True, False, False]
    assert [route(check=False).fits(one) for one in (Paid(), {"amount": 1}, 3)] == [True] * 3


def test_a_route_has_priority_0_unless_it_says_so() -> None:
    routes = Routes()
    routes.add(route())
    with pytest.raises(trido.SpecError, match="priority=0 is not allowed; it must be over 0"):
        routes.check("agent", "a", lambda state, data: True)
