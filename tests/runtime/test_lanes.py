"""Lanes: what is begun when, across turns and runs, and what an end waits for."""

from __future__ import annotations

import math
from unittest.mock import patch

import pytest
import trio
from attrs import frozen

import trido
from tests.runtime.desk import Boom, Log, agent, boom, do, note, reasons, settle
from tests.runtime.till import Charge, Failed, Jobs, Refund, Till, shop
from trido.runtime import outbox


@frozen
class Tip(trido.Directive):
    what: str
    seconds: float = 0.0
    error: None = None


async def test_in_a_lane_the_next_starts_when_the_one_before_is_done_across_turns() -> None:
    async with shop() as (_, ref, till):
        await ref.call(do(Charge("1", 2.0), Charge("2", 1.0)))
        await ref.call(do(Charge("3")))
        assert ref.status().outbox == 3
        await trio.sleep(10)
        assert till.lines == "<1 1 <2 2 <3 3"
        assert ref.status().outbox == 0


async def test_in_a_lane_the_next_starts_when_the_one_before_is_done_across_runs() -> None:
    async with shop() as (rt, ref, till):
        await ref.call(do(Charge("1", 2.0), Charge("2", 1.0)))
        await ref.cast(boom())
        await rt.supervisor["a"].wait_running(after=1)
        await ref.call(do(Charge("3")))
        await trio.sleep(10)
        assert (till.lines, ref.incarnation) == ("<1 1 <2 2 <3 3", 2)


async def test_in_a_lane_the_next_starts_when_the_one_before_has_failed() -> None:
    async with shop() as (_, ref, till):
        await ref.call(do(Charge("1", 1.0, Boom()), Charge("2", 1.0)))
        await trio.sleep(10)
        assert till.lines == "<1 <2 2"


async def test_in_a_lane_the_next_starts_when_the_one_before_is_dead() -> None:
    # The first waits for room at a receiver that ends: it and the next are dead letters.
    slow = agent("slow", mailbox=1).spec(id="slow", backoff=trido.Backoff(min=10.0))
    inner = trido.SupervisorSpec(slow, id="inner", max_restarts=99)
    async with trido.open_supervisor(inner, agent("sender").spec(id="sender")) as sup:
        receiver, sender = sup[inner].value[slow].value, sup["sender"].value
        await receiver.cast(boom())
        await sup[inner].value["slow"].wait_running(after=1)
        await receiver.cast(boom())
        await settle()
        await sender.call(do(*[trido.Emit(note(text), to=receiver) for text in "123"]))
        assert sender.status().outbox == 2
        await sup[inner].value.stop_child("slow")
        assert sender.status().outbox == 0
        assert sorted(data for data, _ in reasons(receiver)[2:]) == ["1", "2", "3"]


async def test_lanes_do_not_wait_for_each_other() -> None:
    async with shop() as (rt, ref, till):
        other = await rt.start_agent(agent(), id="b")
        errands = [Charge("1", 5.0), Charge("2"), Refund("3"), trido.Emit(note("4"), to=other)]
        await ref.call(do(*errands))
        await settle()
        assert sorted(till.log) == ["3", "<1"]
        assert other.state().seen == ("4",)
        await trio.sleep(10)
        assert till.lines.replace("3 ", "") == "<1 1 <2 2"


async def test_directives_of_two_kinds_with_one_executor_share_its_lane() -> None:
    till = Till()
    both = trido.Executor(till.charge)
    async with trido.open_runtime(executors={Charge: both, Tip: both}) as rt:
        ref = await rt.start_agent(agent(), id="a")
        await ref.call(do(Charge("1", 1.0), Tip("2"), Charge("3")))
        await trio.sleep(5)
        assert till.lines == "<1 1 <2 2 <3 3"


async def test_the_caller_is_answered_before_an_executor_begins() -> None:
    async with shop() as (_, ref, till):
        await ref.call(do(Charge("1")))
        assert till.lines == ""
        await settle()
        assert till.lines == "<1 1"


async def test_a_turn_that_does_not_fit_is_refused_before_its_commit() -> None:
    jobs = Jobs()
    with patch.object(outbox, "CAPACITY", 2):
        async with shop(settings={"runs": 1}) as (_, ref, till):
            await ref.call(do(Charge("1", 5.0), jobs.run("x", 9.0), jobs.run("y", 9.0)))
            # One errand and one waiting Run: there is no room for another of either.
            for more in (Charge("2"), jobs.run("z")):
                with pytest.raises(trido.Overloaded):
                    await ref.call(do(more))
            await ref.cast(do(Charge("3")))
            await settle()
            assert (ref.state(), ref.status().revision) == (Log(("do",)), 1)
            assert [reason for _, reason in reasons(ref)] == [trido.Overloaded]
            assert await ref.call(note("without directives")) == Log(("do", "without directives"))
            await trio.sleep(6)
            await ref.call(do(Charge("4")))
            await trio.sleep(1)
            assert till.lines == "<1 1 <4 4"


async def test_two_agents_that_emit_to_each_other_with_full_mailboxes_do_not_deadlock() -> None:
    async with trido.open_runtime() as rt:
        refs: list[trido.AgentRef[Log]] = []
        echo = trido.Agent("echo", state=Log, mailbox=1)

        @echo.on("echo")
        def on_echo(state: Log, data: tuple[str, int]) -> trido.Decision[Log]:
            to, left = data
            back = trido.Signal("echo", ("b" if to == "a" else "a", left - 1))
            more = [trido.Emit(back, to=to)] * 2 if left else []
            return Log((*state.seen, str(left))), more

        refs += [await rt.start_agent(echo, id=id) for id in "ab"]
        with trio.fail_after(1):
            await refs[0].call(trido.Signal("echo", ("b", 5)))
            await rt.drain()
        assert sum(len(ref.state().seen) for ref in refs) == 2**6 - 1
        assert len(rt.dead_letters) == 0


# Ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["Stop", "stop"])
async def test_an_end_waits_until_the_lanes_are_empty(how: str) -> None:
    async with shop(shutdown=math.inf) as (rt, ref, till):
        start = trio.current_time()
        await ref.call(do(Charge("1", 20.0), Charge("2", 20.0)))
        child = rt.supervisor["a"]
        await (ref.call(do(trido.Stop())) if how == "Stop" else ref.stop())
        await child.wait_ended()
        await settle()
        assert trio.current_time() - start == pytest.approx(40, abs=0.1)
        assert till.lines == "<1 1 <2 2"
        assert len(rt.dead_letters) == 0


@pytest.mark.parametrize("how", ["Stop", "stop"])
async def test_an_end_waits_no_longer_than_the_grace(how: str) -> None:
    async with shop(shutdown=3.0) as (rt, ref, till):
        start = trio.current_time()
        await ref.call(do(Charge("1", 20.0), Charge("2", 20.0)))
        child = rt.supervisor["a"]
        await (ref.call(do(trido.Stop())) if how == "Stop" else ref.stop())
        await child.wait_ended()
        assert trio.current_time() - start == pytest.approx(3, abs=0.1)
        assert till.lines == "<1 !1"
        assert {type(letter.reason) for letter in rt.dead_letters} == {
            trido.OutcomeUnknown,
            trido.AgentStopped,
        }


async def test_Stop_acts_last_wherever_it_stands() -> None:
    async with shop() as (rt, ref, till):
        child = rt.supervisor["a"]
        assert await ref.call(do(trido.Stop(), Charge("1", 1.0), Charge("2"))) == Log(("do",))
        await child.wait_ended()
        assert till.lines == "<1 1 <2 2"


async def test_Stop_waits_for_directives_about_children() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(agent(), id="a")
        spawns = [trido.SpawnAgent(agent(), tag) for tag in "xy"]
        await ref.call(do(*spawns))
        await settle()
        start = trio.current_time()
        child = rt.supervisor["a"]
        await ref.call(do(trido.StopChild("x"), trido.StopChild("y"), trido.Stop()))
        await child.wait_ended()
        assert trio.current_time() == start
        assert len(rt.dead_letters) == 0


async def test_what_on_start_commits_is_carried_out_once() -> None:
    starter = agent()

    @starter.on_start
    def start(state: Log, turn: trido.Turn) -> trido.Decision[Log]:
        return state, [Charge("1"), trido.SpawnAgent(agent(), "x")]

    till = Till()
    async with trido.open_runtime(executors={Charge: till.charge}) as rt:
        failed = Failed()
        await rt.start_agent(starter, id="a", on_error=failed)
        await settle()
        assert (till.lines, failed.errors) == ("<1 1", [])
        assert [ref.id for ref in rt.agents()] == ["a", "a/x"]


async def test_what_on_stop_commits_is_carried_out_within_the_grace() -> None:
    stopper = agent()

    @stopper.on_stop
    def stop(state: Log, turn: trido.Turn) -> trido.Decision[Log]:
        return state, [Charge("1", 1.0), Charge("2", 9.0)]

    till = Till()
    async with trido.open_runtime(executors={Charge: till.charge}) as rt:
        ref = await rt.start_agent(stopper, id="a", shutdown=5.0)
        await ref.stop()
        assert till.lines == "<1 1 <2 !2"
        (letter,) = rt.dead_letters
        assert isinstance(letter.reason, trido.OutcomeUnknown)


async def test_a_drain_waits_until_the_lanes_are_empty() -> None:
    async with shop() as (rt, ref, till):
        await ref.call(do(Charge("1", 20.0)))
        rt.close_intake()
        await rt.drain()
        assert till.lines == "<1 1"
