"""A recorder notes down what happens, and what each thing came of."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import trido
from tests.testing.ledgers import Charge, Sum, recorded, summer
from trido.testing import Recorder, explain, inject
from trido.testing.explain import chain
from trido.testing.recorder_entries import (
    DirectiveBegun,
    Effect,
    Lettered,
    RunEnded,
    RunStarted,
    Sent,
    Stopping,
    TurnBegun,
    TurnCommitted,
)


def kinds(recorder: Recorder, agent: str) -> list[str]:
    return [type(one).__name__ for one in recorder if one.agent == agent]


async def test_a_turn_is_noted_from_its_signal_to_its_commit() -> None:
    async def body(rt: trido.Runtime) -> None:
        ref = await rt.start_agent(summer(), id="a")
        await ref.call(trido.Signal("add", 2))
        await ref.cast(trido.Signal("add", 3))

    recorder = await recorded(body)
    turn = ["Sent", "TurnBegun", "TurnCommitted"]
    seen = [one for one in kinds(recorder, "a") if one != "Told"]
    assert seen == ["RunStarted", *turn, *turn, "Stopping", "RunEnded"]
    assert recorder.states("a") == [Sum(2), Sum(5)]
    assert recorder.agents == ("a",)
    assert not recorder.crashes
    assert [one.how for one in recorder.of(Sent)] == ["call", "cast"]
    assert recorder.missed == 0
    assert recorder.left == ()
    assert [type(one).__name__ for one in recorder.events][-1] == "SupervisorEnded"


async def test_a_chain_leads_from_a_signal_over_a_directive_to_a_crash_and_a_restart() -> None:
    async def body(rt: trido.Runtime) -> None:
        ref = await rt.start_agent(summer(), id="a")
        await rt.start_agent(summer("other"), id="b")
        await ref.cast(trido.Signal("pass", "b"))
        await trio.sleep(1)

    recorder = await recorded(body)
    (crash,) = recorder.crashes
    assert [type(one) for one in chain(recorder, crash)] == [
        Sent, TurnBegun, TurnCommitted, DirectiveBegun, Sent, TurnBegun, RunEnded, RunStarted,
    ]  # fmt: skip
    assert explain(recorder).splitlines() == [
        "    0.000  a#1 is sent 'pass' 'b' (cast)",
        "    0.000  a#1 turn 1 begins: 'pass'",
        "    0.000  a#1 commits revision 1: Sum(total=0)",
        "    0.000  a#1 wants Emit(signal=Signal('boom', None), to='b')",
        "    0.000  b#1 is sent 'boom' None (emit)",
        "    0.000  b#1 turn 1 begins: 'boom'",
        "    0.000  b#1 ends, crashed: ValueError('boom')",
        "    0.000  b#2 starts again",
    ]
    assert len(recorder.dead_letters) == 1
    (letter,) = recorder.of(Lettered)
    assert isinstance(letter.cause, TurnBegun)
    assert "has a dead letter" in str(letter)


async def test_a_signal_that_comes_late_was_sent_once() -> None:
    async with inject("delay 1st signal to a by 1s"):

        async def body(rt: trido.Runtime) -> None:
            ref = await rt.start_agent(summer(), id="a")
            await ref.cast(trido.Signal("add", 2))
            await trio.sleep(2)

        recorder = await recorded(body)
    (sent,), (begun,) = recorder.of(Sent), recorder.of(TurnBegun)
    assert (sent.at, begun.at) == (0.0, 1.0)
    assert begun.cause is sent


async def test_a_long_chain_is_told_by_its_ends() -> None:
    async def body(rt: trido.Runtime) -> None:
        ref = await rt.start_agent(summer(), id="a")
        await rt.start_agent(summer("other"), id="b")
        await ref.cast(trido.Signal("pass", "b"))
        await trio.sleep(1)

    lines = explain(await recorded(body), most=5).splitlines()
    assert len(lines) == 5
    assert lines[2].strip() == "… 4 more …"
    assert "'pass'" in lines[0]
    assert "starts again" in lines[-1]


async def test_effects_are_noted_with_how_they_came_out() -> None:
    async def body(rt: trido.Runtime) -> None:
        ref = await rt.start_agent(summer(), id="a")
        for one in (Charge(1), Charge(2, fails=True)):
            await ref.cast(trido.Signal("charge", one))
        await ref.cast(trido.Signal("double", 4))
        await ref.cast(trido.Signal("charge", Charge(3)))
        await trio.sleep(1.25)
        await ref.stop()

    recorder = await recorded(body)
    assert recorder.effects(Charge) == [Charge(1), Charge(3)]
    outcomes = sorted(one.outcome for one in recorder.of(Effect))
    assert outcomes == ["done", "done", "done", "failed"]
    (failed,) = [one for one in recorder.of(Effect) if one.outcome == "failed"]
    assert isinstance(failed.cause, DirectiveBegun)
    assert str(failed).endswith("failed: OSError('the bank is closed')")
    assert recorder.states("a")[-1] == Sum(8)


async def test_what_is_cut_short_is_noted_too() -> None:
    async def body(rt: trido.Runtime) -> None:
        ref = await rt.start_agent(summer(), id="a", shutdown=0.1)
        await ref.cast(trido.Signal("charge", Charge(1)))
        await trio.sleep(0.1)

    recorder = await recorded(body)
    assert [one.outcome for one in recorder.of(Effect)] == ["cancelled"]


async def test_a_timer_is_traced_to_the_turn_that_set_it() -> None:
    async def body(rt: trido.Runtime) -> None:
        ref = await rt.start_agent(summer(), id="a")
        await ref.cast(trido.Signal("later", 2.0))
        await trio.sleep(3)

    recorder = await recorded(body)
    fired = recorder.of(Sent)[-1]
    assert (fired.how, fired.at) == ("timer", 2.0)
    assert isinstance(fired.cause, TurnCommitted)


async def test_what_waited_for_room_is_noted_when_it_is_served() -> None:
    async def body(rt: trido.Runtime) -> None:
        await rt.start_agent(summer(subscribe=("slow",), mailbox=1), id="a")
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(rt.publish, trido.Signal("slow", 1.0))
        await rt.drain()

    recorder = await recorded(body)
    assert recorder.states("a")[-1] == Sum(3)
    assert [one.how for one in recorder.of(Sent)] == ["emit"] * 3


async def test_hooks_and_stops_are_turns_too() -> None:
    agent = summer()

    @agent.on_start
    def begin(state: Sum, turn: trido.Turn) -> Sum:
        return Sum(1)

    @agent.on_stop
    def end(state: Sum) -> Sum:
        return Sum(9)

    async def body(rt: trido.Runtime) -> None:
        ref = await rt.start_agent(agent, id="a")
        with pytest.raises(trido.AgentCrashed):
            await ref.call(trido.Signal("boom"))

    recorder = await recorded(body)
    assert [one.turn.why for one in recorder.of(TurnBegun)] == ["start", "call", "restart", "stop"]
    assert recorder.states("a") == [Sum(1), Sum(1), Sum(9)]
    assert len(recorder.of(Stopping)) == 1


async def test_children_that_are_no_agents_have_runs_too() -> None:
    async def child() -> None:
        await trio.sleep(1)
        if trido.current_child().incarnation == 1:
            raise ValueError("once")

    async def waits() -> None:
        await trio.sleep_forever()

    with Recorder() as recorder:
        async with trido.open_supervisor(
            trido.ChildSpec(child, id="c", restart="transient"), trido.ChildSpec(waits), id="root"
        ):
            await trio.sleep(3)
    ends = [(one.agent, one.kind) for one in recorder.of(RunEnded)]
    assert ends == [("root/c", "crashed"), ("root/c", "normal"), ("root/waits", "stopped")]
    assert [str(one).split(" ", 10)[-1] for one in recorder.of(RunStarted, "root/c")][1] == "again"


async def test_agents_without_a_runtime_are_recorded_too() -> None:
    with Recorder() as recorder:
        async with trido.open_supervisor(summer().spec(id="a")) as sup:
            await sup["a"].value.call(trido.Signal("add", 1))
    assert recorder.states("a") == [Sum(1)]


async def test_a_durable_agent_is_recorded_as_its_commits_are_written() -> None:
    async def body(rt: trido.Runtime) -> None:
        ref = await rt.start_agent(summer(), id="a", durability="sync")
        for n in (1, 2, 3):
            await ref.cast(trido.Signal("add", n))
        await ref.cast(trido.Signal("pass", "a"))
        await rt.drain()

    recorder = await recorded(body, journal=trido.MemoryJournal())
    assert recorder.states("a") == [Sum(1), Sum(3), Sum(6), Sum(6)]
    assert [one.revision for one in recorder.of(TurnCommitted)] == [1, 2, 3, 4]
    assert len(recorder.crashes) == 1


async def test_it_looks_on_beside_a_plan_of_faults() -> None:
    async with inject("crash a at turn 2 before commit"):

        async def body(rt: trido.Runtime) -> None:
            ref = await rt.start_agent(summer(), id="a")
            for n in (1, 2, 3):
                await ref.cast(trido.Signal("add", n))
            await trio.sleep(1)

        recorder = await recorded(body)
    assert "crash a at turn 2 before commit" in explain(recorder)
    assert recorder.states("a") == [Sum(1), Sum(3)]


async def test_there_is_only_so_much_room() -> None:
    async def body(rt: trido.Runtime) -> None:
        await rt.start_agent(summer(), id="a")

    recorder = await recorded(body, most=3)
    assert len(recorder.entries) == 3
    assert recorder.missed > 0


def test_it_can_be_opened_around_a_whole_run() -> None:
    async def main() -> None:
        async with trido.open_runtime() as rt:
            await rt.start_agent(summer(), id="a")

    with Recorder() as recorder:
        trio.run(main)
    assert recorder.agents == ("a",)
    assert recorder.left == ()
    assert explain(recorder, "a").endswith("ends, stopped")


async def test_what_nobody_did_cannot_be_explained() -> None:
    async def body(rt: trido.Runtime) -> None:
        await rt.start_agent(summer(), id="a")

    recorder = await recorded(body)
    with pytest.raises(trido.SpecError, match="who did something: 'a'"):
        explain(recorder, "b")
    with pytest.raises(trido.SpecError, match="nobody"):
        explain(Recorder())
    assert "ends, stopped" in explain(recorder)


@pytest.mark.parametrize(
    "make",
    [lambda: Recorder(most=0), lambda: explain(Recorder(), most=2)],
    ids=["record", "explain"],
)
def test_limits_must_be_some(make: Any) -> None:
    with pytest.raises(trido.SpecError, match="most"):
        make()
