"""Walks through the decision that a search comes by too rarely, beside the model all the way.

Together they use every entry of the table, whatever the search does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import trido
from tests.faults.comparing import Pair
from trido.supervision import messages
from trido.supervision.deciding import memory
from trido.supervision.messages import End, EndKind, Input
from trido.supervision.policy import BRUTAL_KILL, Backoff, ChildPolicy
from trido.supervision.records import Record, Settings
from trido.supervision.tables import LIFECYCLE, Asked, State, Trigger

STAY = ChildPolicy()
TEMPORARY = ChildPolicy(restart="temporary")
BRUTAL = ChildPolicy(shutdown=BRUTAL_KILL)
INNER = ChildPolicy(kind="supervisor")


class Walk:
    """Both, begun and with every child ready, and words for what happens to them."""

    def __init__(
        self, children: dict[str, ChildPolicy], *, ready: str | None = None, **settings: Any
    ) -> None:
        self.pair = Pair.of(Settings(path=("root",), **settings), children)
        self.now = 0.0
        self.number = 0
        self.feed(messages.Begin(now=0.0))
        for id in children if ready is None else ready:
            self.ready(id)

    def feed(self, event: Input) -> None:
        self.pair.feed(event)

    def run(self, id: str) -> int:
        return self.pair.machine.records[id].incarnation

    def ready(self, id: str) -> None:
        self.feed(messages.RunReady(now=self.now, id=id, run=self.run(id)))

    def ends(self, id: str, kind: EndKind = "crashed") -> None:
        reason: Any = {"crashed": ValueError, "ignored": trido.Ignore}.get(kind)
        end = End(kind, reason and reason(id))
        self.feed(messages.RunEnded(now=self.now, id=id, run=self.run(id), end=end))

    def fails(self, id: str) -> None:
        error = ValueError("silent")
        self.feed(messages.RunFailing(now=self.now, id=id, run=self.run(id), error=error))

    def stuck(self, id: str) -> None:
        self.feed(messages.RunStuck(now=self.now, id=id, run=self.run(id)))

    def ask(self, asked: Asked, id: str, policy: ChildPolicy | None = None) -> None:
        self.number += 1
        record = None if policy is None else Record(id, policy)
        self.feed(
            messages.Request(now=self.now, number=self.number, asked=asked, id=id, record=record)
        )

    def tick(self) -> None:
        self.now = self.pair.machine.next_deadline()
        self.feed(messages.Tick(now=self.now))

    def stop(self) -> None:
        self.feed(messages.Stop(now=self.now))

    def state(self, id: str) -> State:
        return self.pair.machine.records[id].state


def a_life() -> None:
    walk = Walk({"a": STAY, "b": TEMPORARY})
    walk.ends("a")
    walk.ready("a")
    walk.ask("stop_child", "a")
    walk.ends("a", "stopped")
    walk.ask("restart_child", "a")
    walk.ends("a", "ignored")
    walk.ask("delete_child", "a")
    walk.ends("b")
    walk.ask("start_child", "c", TEMPORARY)
    walk.ends("c")
    walk.ask("start_child", "d", TEMPORARY)
    walk.ready("d")
    walk.ask("stop_child", "d")
    walk.ends("d", "stopped")
    walk.ask("start_child", "e", STAY)
    walk.stop()
    walk.ends("e", "stopped")


def an_end_that_is_not_restarted() -> None:
    walk = Walk({"a": ChildPolicy(restart="transient"), "b": ChildPolicy(restart_on=())})
    walk.ends("a", "normal")
    walk.ends("b")
    assert walk.state("a") == walk.state("b") == "stopped"


def parking() -> None:
    parked = ChildPolicy(on_limit="park")
    walk = Walk({"a": parked}, max_restarts=1)
    for then in ("restart_child", "stop_child"):
        for _ in range(2):
            walk.ends("a")
            if walk.state("a") == "restarting":
                walk.ready("a")
        assert walk.state("a") == "parked"
        walk.ask(then, "a")
        if then == "restart_child":
            walk.ready("a")
    walk.ask("restart_child", "a")
    walk.ready("a")
    walk.now = 60.0
    walk.ends("a")
    walk.ready("a")
    walk.ends("a")
    walk.ask("delete_child", "a")


def a_member_fails_in_a_group_restart() -> None:
    walk = Walk({"a": STAY, "b": STAY, "c": STAY}, strategy="one_for_all", max_restarts=5)
    walk.ends("c")
    for id in "ba":
        walk.ends(id, "stopped")
    walk.ready("a")
    walk.ask("stop_child", "a")  # in the queue, before the retry
    walk.ends("b")
    assert [walk.state(id) for id in "abc"] == ["stopping", "restarting", "stopped"]
    walk.ends("a", "stopped")
    for id in "abc":
        walk.ready(id)


def a_stale_retry_counts_nothing() -> None:
    later = ChildPolicy(backoff=Backoff(min=1.0))
    walk = Walk({"a": STAY, "b": later}, strategy="rest_for_one", max_restarts=10)
    walk.ends("b")
    walk.ends("a")  # waits in the queue
    walk.ends("b")  # its retry comes after that
    walk.ready("a")  # which restarted both
    walk.ends("b")  # a second retry, and the first is still in the queue
    assert len(walk.pair.machine.window) == 3
    walk.tick()
    walk.ready("b")


def zombies_are_not_waited_for() -> None:
    walk = Walk({"a": STAY, "b": BRUTAL, "c": STAY}, strategy="one_for_all")
    walk.ends("c")
    walk.stuck("b")
    walk.ends("a", "stopped")
    assert walk.state("c") == "restarting"  # paused, and everybody is served
    walk.ask("stop_child", "a")
    walk.ends("b", "killed")
    for id in "abc":
        walk.ready(id)
    walk.stop()
    walk.ends("c", "stopped")
    walk.stuck("b")
    walk.ends("a", "stopped")
    walk.ends("b", "killed")


def zombies_of_all_kinds() -> None:
    late = ChildPolicy(shutdown=0, start_timeout=1.0)
    walk = Walk({"a": INNER, "b": late})
    walk.stuck("a")
    walk.ends("a", "normal")  # of its own accord: it is restarted
    walk.ready("a")
    walk.ends("b")
    walk.tick()
    walk.stuck("b")  # in an automatic restart
    walk.ends("b", "killed")
    walk.ready("b")
    for policy in (late, INNER):
        walk.ask("start_child", "c", policy)
        if policy is late:
            walk.tick()
        walk.stuck("c")
        walk.ends("c", "killed" if policy is late else "crashed")
    walk.stop()
    for id in "ba":
        walk.stuck(id)
        walk.ends(id, "stopped")


def a_start_that_ends_as_a_zombie() -> None:
    late = ChildPolicy(shutdown=0, start_timeout=1.0)
    walk = Walk({"a": STAY, "b": late}, ready="a")
    walk.tick()
    walk.stuck("b")
    walk.ends("a", "stopped")
    walk.ends("b", "killed")


def a_silent_child() -> None:
    walk = Walk({"a": STAY, "t": TEMPORARY})
    walk.fails("a")
    walk.ends("a", "stopped")
    walk.ready("a")
    walk.fails("t")
    walk.ends("t", "stopped")


def a_temporary_zombie() -> None:
    walk = Walk({"t": ChildPolicy(restart="temporary", shutdown=0)})
    walk.ask("stop_child", "t")
    walk.stuck("t")
    walk.ask("stop_child", "t")
    walk.ends("t", "killed")


def a_dynamic_child() -> None:
    again = ChildPolicy(on_limit="park", backoff=Backoff(min=1.0))
    walk = Walk({}, dynamic=True, max_restarts=math.inf)
    walk.ask("start_child", "a", again)
    walk.ready("a")
    walk.ends("a")
    walk.ends("a")
    walk.ask("stop_child", "a")  # cancels the retry
    walk.ask("start_child", "b", again)
    walk.ready("b")
    walk.ends("b")
    walk.ends("b", "ignored")


WALKS: list[Callable[[], None]] = [
    a_life,
    an_end_that_is_not_restarted,
    parking,
    a_member_fails_in_a_group_restart,
    a_stale_retry_counts_nothing,
    zombies_are_not_waited_for,
    zombies_of_all_kinds,
    a_start_that_ends_as_a_zombie,
    a_silent_child,
    a_temporary_zombie,
    a_dynamic_child,
]


@pytest.mark.parametrize("walk", WALKS)
def test_walk(walk: Callable[[], None]) -> None:
    walk()


def test_every_entry_of_the_table_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    used: set[tuple[State, Trigger]] = set()

    def next_state(state: State, trigger: Trigger) -> State:
        used.add((state, trigger))
        return LIFECYCLE[state][trigger]

    monkeypatch.setattr(memory, "_next_state", next_state)
    for walk in WALKS:
        walk()
    entries = {(state, trigger) for state, row in LIFECYCLE.items() for trigger in row}
    assert used == entries
