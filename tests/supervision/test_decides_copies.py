"""A copy of a decision is told something else, and the original does not notice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.supervision.telling import STAY, Desk
from trido.supervision.policy import Backoff, ChildPolicy

LATE = ChildPolicy(shutdown=0, start_timeout=1.0)
LATER = ChildPolicy(backoff=Backoff(min=1.0))


def in_a_queue() -> Desk:
    d = Desk({"a": STAY, "b": STAY})
    d.ask("stop_child", "a")
    d.ask("start_child", "n", STAY)
    d.ask("stop_child", "b")
    return d


def withdraws(d: Desk) -> list[list[str]]:
    d.withdraw(3)
    return [d.ends("a", "stopped"), d.ready("n"), d.ends("n"), d.stop()]


def goes_on(d: Desk) -> list[list[str]]:
    return [d.ends("a", "stopped"), d.ready("n"), d.ends("b", "stopped"), d.stop()]


def in_a_group_restart() -> Desk:
    d = Desk({"a": STAY, "b": STAY, "c": STAY}, strategy="one_for_all")
    d.ends("b")
    return d


def restarts_all(d: Desk) -> list[list[str]]:
    return [
        *(d.ends("c", "stopped"), d.ends("a", "stopped")),
        *(d.ready("a"), d.ready("b"), d.ready("c"), d.stop()),
    ]


def gives_up(d: Desk) -> list[list[str]]:
    return [d.ends("c", "stopped"), d.stop(), d.ends("a", "stopped")]


def before_a_retry() -> Desk:
    d = Desk({"a": LATER, "b": STAY})
    d.ends("a")
    d.ends("a")
    return d


def tries(d: Desk) -> list[list[str]]:
    return [d.tick(1.0), d.ready("a"), d.stop()]


def does_not_try(d: Desk) -> list[list[str]]:
    return [d.ask("stop_child", "a"), d.tick(1.0), d.stop(cancelled=True), d.kill()]


def beside_a_zombie() -> Desk:
    d = Desk({"a": ChildPolicy(shutdown=0), "b": STAY}, strategy="one_for_all")
    d.ends("b")
    d.stuck("a")
    d.ask("start_child", "n", LATE)
    d.tick(1.0)
    d.stuck("n")
    return d


def the_zombies_end(d: Desk) -> list[list[str]]:
    return [d.ends("n", "killed"), d.ends("a", "killed"), d.ready("a"), d.ready("b")]


def the_zombies_are_awaited(d: Desk) -> list[list[str]]:
    return [d.ask("stop_child", "a"), d.withdraw(1), d.ends("n", "killed"), d.stop()]


def in_a_stop() -> Desk:
    d = Desk({"a": STAY, "b": STAY})
    d.fail(SystemExit(1))
    return d


def stops(d: Desk) -> list[list[str]]:
    return [d.ends("b", "stopped"), d.ends("a", "stopped")]


def fails_again(d: Desk) -> list[list[str]]:
    return [d.fail(SystemExit(2)), d.kill(), d.ends("b", "killed"), d.ends("a", "killed")]


def with_a_withdrawn_request() -> Desk:
    d = Desk({"a": STAY, "b": STAY})
    d.ask("stop_child", "a")
    d.ask("stop_child", "b")
    d.withdraw(2)
    return d


def lets_b_live(d: Desk) -> list[list[str]]:
    return [d.ends("a", "stopped"), d.stop()]


def is_stopped_first(d: Desk) -> list[list[str]]:
    return [d.stop(), d.ends("a", "stopped")]


Life = Callable[[Desk], object]

LIVES: list[tuple[Callable[[], Desk], Life, Life]] = [
    (in_a_queue, goes_on, withdraws),
    (in_a_queue, withdraws, goes_on),
    (in_a_group_restart, restarts_all, gives_up),
    (in_a_group_restart, gives_up, restarts_all),
    (before_a_retry, tries, does_not_try),
    (before_a_retry, does_not_try, tries),
    (beside_a_zombie, the_zombies_end, the_zombies_are_awaited),
    (beside_a_zombie, the_zombies_are_awaited, the_zombies_end),
    (in_a_stop, stops, fails_again),
    (in_a_stop, fails_again, stops),
    (with_a_withdrawn_request, lets_b_live, is_stopped_first),
    (with_a_withdrawn_request, is_stopped_first, lets_b_live),
]


@pytest.mark.parametrize(("begin", "one", "other"), LIVES)
def test_a_copy_and_its_original_live_lives_of_their_own(
    begin: Callable[[], Desk], one: Life, other: Life
) -> None:
    wanted, also_wanted = one(begin()), other(begin())
    original = begin()
    copy = original.copy()
    assert other(copy) == also_wanted
    assert one(original) == wanted
    for first, second in ((begin().copy(), one), (begin().copy(), other)):
        assert second(first) == second(begin())


def test_a_copy_has_places_of_its_own() -> None:
    d = in_a_queue()
    twin = d.copy()
    assert set(twin.machine.records) == set(d.machine.records)
    assert not any(twin.record(id) is d.record(id) for id in d.machine.records)
    goes_on(twin)
    assert d.states() == {"a": "stopping", "b": "running"}
    assert twin.machine.phase == "stopping"
    assert d.machine.phase == "running"
