"""Directives about time, as data: what they are and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from attrs import frozen
from attrs.exceptions import FrozenInstanceError

import trido
from trido import Cancel, Cron, Schedule, Signal

TICK = Signal("tick")


@frozen
class State:
    pass


@pytest.mark.parametrize("after", [0, 0.0, 1, 2.5, 100 * 365.25 * 86_400])
def test_a_schedule_is_data(after: float) -> None:
    one = Schedule(after, TICK, key="k")
    assert (one.after, one.signal, one.key) == (after, TICK, "k")
    assert one == Schedule(after, Signal("tick"), key="k")
    assert one != Schedule(after, TICK)
    with pytest.raises(FrozenInstanceError):
        one.key = "other"  # type: ignore[misc]


@pytest.mark.parametrize("after", [-1, -0.001, math.inf, math.nan, 1e30, True, "1", None])
def test_what_is_no_delay(after: Any) -> None:
    with pytest.raises(trido.SpecError, match="a number of seconds from 0 to") as caught:
        Schedule(after, TICK)
    assert caught.value.field == "after"


def test_a_cron_is_data() -> None:
    one = Cron("0 0 * * *", TICK, "k", "America/New_York", catch_up="all", catch_up_limit=3)
    assert one == Cron("0 0 * * *", TICK, "k", "America/New_York", catch_up="all", catch_up_limit=3)
    assert one != Cron("0 0 * * *", TICK, "k")
    assert (Cron("0 0 * * *", TICK, "k").catch_up, one.catch_up_limit) == ("skip", 3)
    assert Cron("0 0 * * *", TICK, "k").catch_up_limit == 1000
    assert "table" not in repr(one)
    with pytest.raises(FrozenInstanceError):
        one.key = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("expr", "61 * * * *"),
        ("expr", "0 0 30 2 *"),
        ("timezone", "Mars"),
        ("signal", "tick"),
        ("key", ""),
        ("key", None),
        ("catch_up", "twice"),
        ("catch_up_limit", 0),
        ("catch_up_limit", 1.5),
        ("catch_up_limit", math.inf),
    ],
)
def test_what_is_no_cron(field: str, given: Any) -> None:
    fields: dict[str, Any] = {"expr": "0 0 * * *", "signal": TICK, "key": "k", field: given}
    with pytest.raises(trido.SpecError) as caught:
        Cron(**fields)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "given", [{"signal": "tick"}, {"signal": TICK, "key": ""}, {"signal": TICK, "key": 3}]
)
def test_what_is_no_schedule(given: Any) -> None:
    with pytest.raises(trido.SpecError, match="Schedule"):
        Schedule(1, **given)


def test_cancel_names_a_key() -> None:
    assert Cancel("k") == Cancel("k")
    with pytest.raises(trido.SpecError, match="Cancel"):
        Cancel("")


@pytest.mark.parametrize(
    ("schedules", "said"),
    [
        ([Schedule(1, TICK)], "a key of its own"),
        ([Schedule(1, TICK, key="k"), Cron("0 0 * * *", TICK, "k")], "a key of its own"),
        ([Cancel("k")], "trido.Cron or trido.Schedule"),
        (Schedule(1, TICK, key="k"), "trido.Cron or trido.Schedule"),
    ],
)
def test_schedules_of_an_agent_each_have_a_key(schedules: Any, said: str) -> None:
    with pytest.raises(trido.SpecError, match=said) as caught:
        trido.Agent("a", state=State, schedules=schedules)
    assert caught.value.field == "schedules"
