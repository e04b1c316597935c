"""A state machine drives a real runtime, finds what breaks it, and shrinks it to the least."""

from __future__ import annotations

import itertools
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import evolve, frozen
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

import trido
from tests.testing.agents import quiet
from trido import testing
from trido.testing import no_task_left, siblings_untouched, state_equals_fold, stops_within
from trido.testing.guest import GuestRun
from trido.testing.machine import RuntimeMachine, runtime_machine
from trido.testing.recorder_entries import TurnCommitted

SEARCH = settings(
    max_examples=10,
    stateful_step_count=8,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
)


@frozen
class Account:
    balance: int = 0


@frozen
class Amount:
    cents: int = 1


def account_of(**settings: Any) -> trido.Agent[Account]:
    agent = trido.Agent("account", state=Account, **settings)

    @agent.on("pay")
    def pay(state: Account, data: Amount) -> Account:
        return evolve(state, balance=state.balance + abs(data.cents))

    @agent.on("wait")
    async def wait(state: Account, data: bool) -> Account:  # noqa: FBT001
        await trio.sleep(5 if data else 50)
        return state

    return agent


def judge(machine: type[RuntimeMachine], **search: Any) -> None:
    run_state_machine_as_test(machine, settings=settings(SEARCH, **search))


def steps_of(machine: type[RuntimeMachine], error: type[BaseException]) -> list[str]:
    """The steps that a failing machine is shrunk to, without the first and the last."""
    with pytest.raises(error) as caught:
        judge(machine)
    notes = "\n".join(caught.value.__notes__)
    return re.findall(r"^\s*state\.(\w+)\(", notes, re.MULTILINE)[1:-1]


def test_agents_that_keep_their_promises_pass() -> None:
    account = account_of()
    judge(
        runtime_machine(
            {"a": account, "b": account},
            always=[siblings_untouched],
            in_the_end=[no_task_left, stops_within(5.0), state_equals_fold(account, "a")],
        )
    )


def test_what_is_lost_by_a_crash_is_found_in_two_steps() -> None:
    class Machine(RuntimeMachine):
        agents = trido.freeze({"a": account_of()})

        def holds(self) -> None:
            turns = self.recorder.of(TurnCommitted)
            paid = [abs(one.signal.data.cents) for one in turns if one.signal.type == "pay"]
            assert self.ref("a").state().balance == sum(paid)

    assert steps_of(Machine, AssertionError) in (["send", "crash"], ["call", "crash"])


def test_without_crashes_there_is_nothing_to_find() -> None:
    class Machine(RuntimeMachine):
        agents = trido.freeze({"a": account_of()})
        crashes = False

        def holds(self) -> None:
            assert not self.recorder.crashes

    judge(Machine)


def test_rules_of_ones_own_and_what_holds_in_the_end() -> None:
    class Machine(RuntimeMachine):
        agents = trido.freeze({"a": account_of()})

        @rule(cents=st.integers(1, 100))
        def pay(self, cents: int) -> None:
            self.do(lambda: self.ref("a").cast_nowait(trido.Signal("pay", Amount(cents))))

        def holds_in_the_end(self) -> None:
            assert all(state.balance < 50 for state in self.recorder.states("a"))

    assert steps_of(Machine, AssertionError) == ["pay"]


def test_a_call_is_answered_refused_or_cancelled() -> None:
    seen: set[str] = set()

    agent = account_of()

    @agent.on("no")
    def no(state: Account, data: bool) -> Account:  # noqa: FBT001
        raise trido.Reject("no")

    class Machine(RuntimeMachine):
        agents = trido.freeze({"a": agent})

        def holds(self) -> None:
            for one in self.calls:
                assert repr(one).startswith("<call of 'a': Signal(")
                if one.is_over and one.scope.cancelled_caught:
                    seen.add("cancelled")
                elif one.is_over:
                    seen.add("answered" if one.error is None else type(one.error).__name__)

    judge(Machine, max_examples=40)
    assert seen >= {"answered", "cancelled", "Reject"}


def test_a_runtime_that_does_not_end_is_told() -> None:
    agent = trido.Agent("deaf", state=Account)

    @agent.on("listen")
    async def listen(state: Account, data: None) -> Account:
        while trio.current_time() < 20_000:
            with trio.CancelScope(shield=True):
                try:
                    await trio.sleep(30_000)
                except trio.Cancelled:  # noqa: ASYNC103
                    continue  # noqa: ASYNC104
        return state

    with pytest.raises(AssertionError, match="did not end within 1000 s"):
        judge(runtime_machine({"a": agent}, crashes=False))


def test_a_runtime_that_cannot_be_opened_says_why() -> None:
    with pytest.raises(trido.SpecError, match="executors"):
        judge(runtime_machine({"a": account_of()}, executors={int: None}))


def test_what_a_step_raises_is_raised_to_whoever_takes_it() -> None:
    machine = runtime_machine({"a": account_of()})()
    with pytest.raises(RuntimeError, match="no runtime is open"):
        machine.do(lambda: None)
    machine.teardown()
    machine.begin(0)
    with pytest.raises(trido.NoSuchAgent):
        machine.do(lambda: machine.ref("b"))
    machine.teardown()


def test_what_ends_the_runtime_is_raised_at_once() -> None:
    machine = runtime_machine({"a": account_of()})()
    machine.begin(0)
    with pytest.raises(SystemExit):
        machine.do(lambda: machine.ref("a").place.crash(SystemExit(3)))
    machine.teardown()


def test_a_journal_in_a_file_is_written_on_the_spot(tmp_path: Path) -> None:
    account = account_of(durability="sync")
    numbers = itertools.count()

    class Machine(RuntimeMachine):
        agents = trido.freeze({"a": account})

        def __init__(self) -> None:
            journal = trido.SqliteJournal(tmp_path / f"{next(numbers)}.db")
            self.options = {"journal": journal, "agents": [account]}
            super().__init__()

        def holds_in_the_end(self) -> None:
            assert not self.recorder.left

    judge(Machine, max_examples=3)
    assert next(numbers) >= 3


@pytest.mark.parametrize("when", ["as it starts", "in a turn", "in time", "as it stops"])
def test_what_no_seed_decides_is_told_with_its_place(when: str) -> None:
    agent = account_of()

    def looks_at_the_clock(now: str) -> None:
        if now == when:
            time.monotonic()

    @agent.on_start
    def on_start(state: Account, turn: trido.Turn) -> trido.Decision[Account]:
        looks_at_the_clock("as it starts")
        return state, [trido.Schedule(5.0, trido.Signal("tick"))]

    @agent.on("look")
    def look(state: Account, data: object) -> Account:
        looks_at_the_clock("in a turn")
        return state

    @agent.on("tick")
    def tick(state: Account, data: object) -> Account:
        looks_at_the_clock("in time")
        return state

    @agent.on_stop
    def on_stop(state: Account, turn: trido.Turn) -> Account:
        looks_at_the_clock("as it stops")
        return state

    line = looks_at_the_clock.__code__.co_firstlineno + 2
    with quiet(), pytest.raises(testing.NotReproducible, match=r"time.monotonic\(\)") as caught:
        judge(
            runtime_machine({"a": agent}, in_the_end=[not_crashed_by_it]), phases=[Phase.generate]
        )
    assert caught.value.place == f"{__file__}:{line}"
    assert sys.getprofile() is None
    judge(runtime_machine({"a": agent}, guarded=False), max_examples=3)


def not_crashed_by_it(recorder: testing.Recorder) -> None:
    """So that what came of it would be told instead, if anything was."""
    assert not any(isinstance(one.reason, testing.NotReproducible) for one in recorder.crashes)


def test_what_ends_the_runtime_in_time_is_raised_by_what_lets_it_pass() -> None:
    agent = account_of()

    @agent.on_start
    def on_start(state: Account, turn: trido.Turn) -> trido.Decision[Account]:
        return state, [trido.Schedule(5.0, trido.Signal("exit"))]

    @agent.on("exit")
    def leave(state: Account, data: object) -> Account:
        raise SystemExit(3)

    machine = runtime_machine({"a": agent})()
    machine.begin(0)
    with pytest.raises(SystemExit):
        machine.advance(10.0)
    machine.teardown()


@pytest.mark.parametrize("agents", [{}, {"a": "no agent"}], ids=["none", "text"])
def test_a_machine_is_about_agents(agents: Any) -> None:
    with pytest.raises(trido.SpecError, match="by their ids"):
        runtime_machine(agents)
    with pytest.raises(trido.SpecError, match="one at least"):
        RuntimeMachine()


# Guest runs ---------------------------------------------------------------------------------------


def test_a_guest_run_goes_on_only_when_it_is_told_to() -> None:
    seen: list[float] = []

    async def main() -> str:
        for _ in range(3):
            await trio.sleep(1)
            seen.append(trio.current_time())
        return "done"

    run = GuestRun(main, seed=0)
    assert seen == []
    run.sleep(1.5, lambda: seen.append(-1.0))
    assert seen == [1.0, -1.0, -1.0]
    run.sleep(10)
    assert seen[-2:] == [2.0, 3.0]
    run.close(lambda: None)
    assert run.result is not None


def test_a_guest_run_can_be_stopped_between_two_ticks() -> None:
    woken: list[str] = []
    event = trio.Event()

    async def main() -> None:
        await event.wait()
        woken.append("once")

    run = GuestRun(main, seed=0)
    run.do(event.set, ticks=1)
    assert run.result is None
    run.close(lambda: None)
    assert woken == ["once"]


def test_a_guest_run_that_never_rests_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trido.testing.guest.TICKS", 1000)
    stop = trio.Event()

    async def main() -> None:
        while not stop.is_set():  # noqa: ASYNC110
            await trio.lowlevel.checkpoint()

    with pytest.raises(AssertionError, match="never comes to rest"):
        GuestRun(main, seed=0)


def test_a_guest_run_that_does_not_end_makes_room_for_another() -> None:
    async def main() -> None:
        await trio.sleep_forever()

    async def other() -> int:
        await trio.sleep(0.001)
        return 1

    GuestRun(main, seed=0).close(lambda: None)
    assert trio.run(other) == 1
