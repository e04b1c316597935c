"""When to think of which child again."""

from __future__ import annotations

import math

from trido.supervision.alarms import Alarms


def test_alarms_ring_in_the_order_in_which_they_are_due() -> None:
    alarms = Alarms()
    alarms.set("a", "start", 2.0)
    alarms.set("b", "grace", 1.0)
    alarms.set("c", "retry", 2.0)
    assert alarms.next() == 1.0
    assert alarms.pop(0.5) is None
    assert [alarms.pop(2.0) for _ in range(4)] == [
        *(("b", "grace"), ("a", "start"), ("c", "retry"), None)
    ]
    assert alarms.next() == math.inf


def test_a_child_has_one_alarm_the_last_that_was_set() -> None:
    alarms = Alarms()
    alarms.set("a", "start", 1.0)
    alarms.set("a", "grace", 3.0)
    assert alarms.next() == 3.0
    assert alarms.pop(2.0) is None
    assert alarms.pop(3.0) == ("a", "grace")


def test_an_alarm_that_is_set_to_never_clears_the_one_before() -> None:
    alarms = Alarms()
    alarms.set("a", "start", 1.0)
    alarms.set("a", "grace", math.inf)
    assert alarms.next() == math.inf


def test_what_is_cleared_does_not_ring() -> None:
    alarms = Alarms()
    alarms.clear("a")
    alarms.set("a", "start", 1.0)
    alarms.set("b", "start", 2.0)
    alarms.clear("a")
    assert alarms.pop(5.0) == ("b", "start")
    assert alarms.pop(5.0) is None


def kept(alarms: Alarms) -> int:
    """How many are kept, those that were cleared among them."""
    alarms.next()
    return len(alarms._heap)


def test_setting_and_clearing_leaves_little_behind() -> None:
    alarms = Alarms()
    for number in range(10_000):
        alarms.set("b", "start", 20_000.0 - number)
        alarms.set("a", "start", 0.0)
        assert kept(alarms) <= 68
    assert alarms.next() == 0


def test_what_is_cleared_before_anybody_asks_leaves_nothing_behind() -> None:
    alarms = Alarms()
    for number in range(10):
        alarms.set("a", "start", number)
    assert kept(alarms) == 1


def test_a_sweep_comes_only_when_as_much_is_cleared_as_is_set() -> None:
    alarms = Alarms()
    for number in range(100):
        alarms.set(f"{number}", "start", 1000.0 + number)
    assert kept(alarms) == 100
    for number in range(100):
        alarms.set(f"{number}", "grace", 200.0 - number)
    assert kept(alarms) == 200
    for number in range(64):
        alarms.set(f"{number}", "retry", 300.0)
    assert kept(alarms) == 264
    alarms.set("x", "retry", 1.0)
    assert kept(alarms) == 265
    alarms.set("0", "retry", 400.0)
    alarms.set("1", "retry", 400.0)
    assert kept(alarms) == 101
    assert alarms.pop(400.0) == ("x", "retry")
    assert alarms.pop(400.0) == ("99", "grace")


def test_a_copy_of_alarms_rings_by_itself() -> None:
    alarms = Alarms()
    alarms.set("a", "start", 1.0)
    twin = alarms.copy()
    twin.set("b", "start", 0.5)
    assert alarms.pop(9.0) == ("a", "start")
    assert [twin.pop(9.0), twin.pop(9.0)] == [("b", "start"), ("a", "start")]
    assert alarms.pop(9.0) is None
