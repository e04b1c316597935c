"""A real runtime of several agents on Trio, against a model of what it promises."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.faults.audit import Watched, Witness
from tests.faults.desks import SEEN
from tests.faults.drawn import ERRANDS, LANE_WORK, ORDERS, SECONDS
from tests.faults.names import CAPACITY
from tests.faults.office import Office, note_earlier
from tests.faults.orders import IDS, Answer, Defer, Forget, Later, Order, Send, Work
from tests.faults.roles import ROLES, Role
from trido.runtime import outbox, place
from trido.runtime.waiting import Waiting

DEEP = profile().max_examples > 100
PICK = st.integers(0, 7)
IDSOF = st.sampled_from([*IDS, "a", "a/x", "b/y"])
TICKS = st.sampled_from([0, 0, 0, 1, 2, 3, 5])
SCRIPTS = st.lists(
    st.tuples(st.sampled_from(["call", "call", "cast"]), IDSOF, ORDERS), min_size=1, max_size=3
)

STEPS: Counter[str] = Counter()
INIT: Final = place.AgentPlace.__init__


@pytest.fixture(autouse=True)
def _judged(monkeypatch: pytest.MonkeyPatch) -> None:
    def commit(self: Any, state: Any) -> None:
        Office.commit(self, state)

    note_earlier()

    def init(self: Any, *args: Any) -> None:
        INIT(self, *args)
        self._waiting = Waiting()  # whoever is waited for commits by `commit`

    monkeypatch.setattr(place.AgentPlace, "__init__", init)
    monkeypatch.setattr(place.AgentPlace, "commit", commit)
    monkeypatch.setattr(outbox, "CAPACITY", CAPACITY)
    monkeypatch.setattr(logging.getLogger("trido"), "disabled", True)


class RuntimeMachine(RuleBasedStateMachine):
    office: Office

    @initialize(a=ROLES, b=ROLES, c=ROLES, seed=st.integers(0, 2**32))
    def begin(self, a: Role, b: Role, c: Role, seed: int) -> None:
        self.office = Office({"a": a, "b": b, "c": c}, seed)
        STEPS["begin"] += 1

    def step(self, word: str, do: Callable[[], object], ticks: int = 0) -> None:
        STEPS[word] += 1
        self.office.do(do, ticks=ticks)

    # Signals --------------------------------------------------------------------------------

    @rule(to=IDSOF, order=ORDERS, ticks=TICKS)
    def cast_nowait(self, to: str, order: Order, ticks: int) -> None:
        self.step("cast_nowait", lambda: self.office.cast_nowait(to, order), ticks)

    @rule(to=IDSOF, order=ERRANDS, ticks=TICKS)
    def send_on_an_errand(self, to: str, order: Order, ticks: int) -> None:
        self.step("errand", lambda: self.office.cast_nowait(to, order), ticks)

    @rule(
        to=IDSOF, orders=st.lists(ERRANDS, min_size=2, max_size=4), at=PICK, times=st.integers(1, 2)
    )
    def crash_among_errands(self, to: str, orders: list[Order], at: int, times: int) -> None:
        """In one tick: it is ordered to do all this, and crashes in the middle of it."""
        script = [("cast", to, order) for order in orders]
        script.insert(at % len(orders), ("cast", to, Order(crashes=times)))
        self.step("crash", lambda: self.office.hire(script))

    @rule(to=IDSOF, orders=st.lists(LANE_WORK, min_size=1, max_size=2), crashes=st.integers(0, 1))
    def work_for_executors(self, to: str, orders: list[Order], crashes: int) -> None:
        """In lanes, whatever becomes of the agent."""
        script = [("cast", to, one) for one in (*orders, Order(crashes=crashes))]
        self.step("lanes", lambda: self.office.hire(script))

    @rule(to=IDSOF, delay=SECONDS, told=st.booleans(), crashes=st.integers(0, 1))
    def run_actions(self, to: str, delay: float, told: bool, crashes: int) -> None:  # noqa: FBT001
        """Maybe more than it runs at once; and maybe it crashes meanwhile."""
        runs = Order((Work(delay, False, Order(), told, False),) * 2)  # noqa: FBT003
        script = [("cast", to, runs), ("cast", to, Order(crashes=crashes))]
        self.step("runs", lambda: self.office.hire(script))

    @rule(to=IDSOF, callers=st.integers(1, 2), answers=st.integers(0, 3), ticks=TICKS)
    def defer_answers(self, to: str, callers: int, answers: int, ticks: int) -> None:
        """Some callers have to wait until a later turn answers them; or one too many does."""

        def do() -> None:
            for _ in range(callers):
                self.office.hire([("call", to, Order((Defer(),)))])
            self.office.hire([("cast", to, Order((Answer(),)))] * answers)

        self.step("defer", do, ticks)

    @rule(to=IDSOF, after=SECONDS, wait=SECONDS, again=st.booleans())
    def replace_a_timer(self, to: str, after: float, wait: float, again: bool) -> None:  # noqa: FBT001
        """By a turn in the middle of which it fires, maybe."""
        timer = Later(after, "k", Order())
        orders = [Order((timer,)), Order((timer if again else Forget("k"),), (wait,))]
        self.step("timer", lambda: self.office.hire([("cast", to, one) for one in orders]))

    @rule(script=SCRIPTS, ticks=TICKS)
    def somebody_sends(self, script: list[tuple[str, str, Order]], ticks: int) -> None:
        self.step("somebody sends", lambda: self.office.hire(script), ticks)

    @rule(scripts=st.lists(SCRIPTS, min_size=2, max_size=3), ticks=TICKS)
    def several_send(self, scripts: list[Any], ticks: int) -> None:
        """In one tick: only the schedule says what comes first."""

        def do() -> None:
            for script in scripts:
                self.office.hire(script)

        self.step("several send", do, ticks)

    @rule(to=IDSOF, orders=st.lists(ORDERS, min_size=3, max_size=6), ticks=TICKS)
    def flood(self, to: str, orders: list[Order], ticks: int) -> None:
        def do() -> None:
            for order in orders:
                self.office.cast_nowait(to, order)

        self.step("flood", do, ticks)

    @rule(to=IDSOF, order=ORDERS)
    def send_to_no_route(self, to: str, order: Order) -> None:
        self.step("no route", lambda: self.office.cast_nowait(to, order, type="nobody.does"))

    @rule(to=IDSOF)
    def send_bad_data(self, to: str) -> None:
        self.step("bad data", lambda: self.office.bad_data(to))

    # Callers --------------------------------------------------------------------------------

    @precondition(lambda self: any(not one.over for one in self.office.callers))
    @rule(pick=PICK, ticks=TICKS)
    def cancel_caller(self, pick: int, ticks: int) -> None:
        self.step("cancel", lambda: self.office.cancel_caller(pick), ticks)

    @rule(pick=PICK, steps=st.integers(1, 12), script=SCRIPTS)
    def cancel_in_the_middle(self, pick: int, steps: int, script: list[Any]) -> None:
        office = self.office

        def do() -> None:
            office.hire(script)
            caller = office.callers[-1] if pick < 4 else office.callers[pick % len(office.callers)]
            office.steps.after(steps, partial(caller.scope.cancel, reason="the test says so"))

        self.step("cancel in the middle", do)

    # Those who watch --------------------------------------------------------------------------

    @rule(id=IDSOF)
    def monitor(self, id: str) -> None:
        office = self.office

        def do() -> None:
            ref = office.find(id)
            if ref is not None:
                status, handle = ref.status(), office.rt.monitor(ref)
                watched = Watched(
                    id, ref, ref.place, status.incarnation, handle.down is None, handle
                )
                account = office.ledger.account(ref.place)
                ends = account.crashes or account.asked_to_end < math.inf
                assert watched.had_run or status.state != "running" or ends, status
                office.monitors.append(watched)
                office.start_soon(watched.wait)

        self.step("monitor", do)

    @rule(id=IDSOF)
    def wait_for(self, id: str) -> None:
        office = self.office

        def do() -> None:
            ref = office.find(id)
            if ref is not None:
                account = office.ledger.account(ref.place)
                witness = Witness(account, ref.place)
                office.witnesses.append(witness)
                office.start_soon(office.ask_supervisor, partial(ref.wait_for, witness.asks))

        self.step("wait_for", do)

    # The whole ------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0, 3.0, 61.0]))
    def sleep(self, seconds: float) -> None:
        STEPS["sleep"] += 1
        self.office.sleep(seconds)

    @rule(ticks=st.integers(1, 4))
    def tick(self, ticks: int) -> None:
        self.step("tick", lambda: None, ticks)

    @rule(id=IDSOF, ticks=TICKS, really=st.integers(0, 3))
    def stop(self, id: str, ticks: int, really: int) -> None:
        if really == 3:
            self.step("stop", lambda: self.office.stop_agent(id), ticks)

    @rule(id=st.sampled_from(IDS), orders=st.lists(LANE_WORK, min_size=1, max_size=2), ticks=TICKS)
    def stop_among_errands(self, id: str, orders: list[Order], ticks: int) -> None:
        """What it has committed by then has its grace."""
        self.step("stop", lambda: self.office.hire([("call", id, one) for one in orders]), ticks)
        self.step("stop", lambda: self.office.stop_agent(id))

    @rule(
        id=st.sampled_from(IDS), other=st.sampled_from(IDS), how=st.sampled_from(["stop", "crash"])
    )
    def end_a_full_one(self, id: str, other: str, how: str) -> None:
        """Others have sent it more than it has room for."""
        office, crashes = self.office, int(how == "crash")
        script = [("cast", id, Order((), (0.5,), crashes)), ("cast", id, Order())]
        sends = ("cast", other, Order((Send(id, Order()),) * 4))
        self.step("fill", lambda: office.hire([*script, sends]))
        if how == "stop":
            self.step("stop", lambda: office.stop_agent(id))

    @rule(id=st.sampled_from(IDS))
    def start_or_revive(self, id: str) -> None:
        office = self.office

        def do() -> None:
            if office.find(id) is None:
                office.start_soon(office.start_agent, id)
            elif office.find(id).status().state == "parked":
                office.revive(id)

        self.step("start or revive", do)

    def teardown(self) -> None:
        office = getattr(self, "office", None)
        if office is not None and not office.has_ended:
            office.end()


# Derandomized but for the deep profile, as in the test of the supervisor.
SEARCH = profile(
    max_examples=480 if not DEEP else 50_000, stateful_step_count=30, derandomize=not DEEP
)

LEAST = {
    "committed": 1500,
    "answered": 100,
    "cancelled": 100,
    "crash": 500,
    "crash starting": 50,
    "crash leaving the lifespan": 20,
    "crash on_stop": 20,
    "breaks its state": 50,
    "asks for what nobody does": 50,
    "errand": 60,
    "run": 100,
    "on_error": 20,
    "ask": 150,
    "letter: AgentCrashed": 200,
    "letter: AgentParked": 100,
    "letter: AgentStopped": 20,
    "letter: InvalidData": 50,
    "letter: NoRoute": 50,
    "letter: Overloaded": 200,
    "letter: Reject": 20,
    "letter: TurnExpired": 10,
    "refused: AgentCrashed": 100,
    "refused: DeadlockError": 30,
    "refused: Overloaded": 100,
}
"""How often this happens at least, or nothing has been tested."""


def test_runtimes_keep_their_promises() -> None:
    STEPS.clear()
    SEEN.clear()
    run_state_machine_as_test(RuntimeMachine, settings=SEARCH)
    assert STEPS.total() >= 10_000, STEPS
    few = {what: SEEN[what] for what, least in LEAST.items() if SEEN[what] < least}
    assert not few, f"this has hardly happened: {few}, of {SEEN}"
