"""Lanes: what is begun when, across turns and runs, and what an end waits for."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any, TypeAlias
from unittest.mock import patch

import pytest
import trio
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

import trido
from tests.runtime.desk import Boom, Log, agent, boom, do, note, reasons, settle
from tests.runtime.till import Charge, Failed, Jobs, Refund, Till, shop
from trido import testing
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


# The outbox itself --------------------------------------------------------------------------------


class Thing:
    """An item that is done at once, or when it is told to be."""

    def __init__(self, box: outbox.Outbox, lane: str, log: list[str], *, at_once: bool) -> None:
        self.box = box
        self.lane = lane
        self.log = log
        self.at_once = at_once

    def begin(self) -> bool:
        self.log.append(f"begin {self.lane}")
        return self.at_once

    def give_up(self) -> None:
        self.log.append(f"give up {self.lane}")


class Box:
    """An outbox whose things are numbered within their lanes, and what was done in each lane."""

    def __init__(self) -> None:
        self.idle = 0
        self.box = outbox.Outbox(self._went_idle)
        self.lanes: dict[str, list[str]] = {}
        self.put_in: dict[str, list[bool]] = {}

    def _went_idle(self) -> None:
        self.idle += 1

    def put(self, lane: str, *, at_once: bool) -> None:
        log = self.lanes.setdefault(lane, [])
        self.put_in.setdefault(lane, []).append(at_once)
        self.box.put(lane, Thing(self.box, lane, log, at_once=at_once))

    def done(self, lane: str) -> None:
        self.box.done(lane)

    def begun(self, lane: str) -> int:
        return len(self.lanes.get(lane, ()))


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.sampled_from("abc"), st.booleans()),
            st.tuples(st.just("done"), st.sampled_from("abc"), st.none()),
        )
    )
)
def test_an_outbox_begins_the_next_in_a_lane_when_the_one_before_is_done(
    steps: list[tuple[str, str, bool | None]],
) -> None:
    box = Box()
    model: dict[str, list[bool]] = {lane: [] for lane in "abc"}  # those that wait, the first begun
    begun = dict.fromkeys("abc", 0)
    for step, lane, at_once in steps:
        waiting = model[lane]
        if step == "put":
            box.put(lane, at_once=bool(at_once))
            begun[lane] += not waiting
            if waiting or not at_once:
                waiting.append(bool(at_once))
        elif waiting:
            box.done(lane)
            waiting.pop(0)
            while waiting:
                begun[lane] += 1
                if not waiting[0]:
                    break
                waiting.pop(0)
        assert {one: box.begun(one) for one in "abc"} == begun
        assert len(box.box) == sum(map(len, model.values()))


def test_what_could_not_be_begun_in_a_lane_is_begun_again() -> None:
    box = Box()
    box.put("a", at_once=False)
    box.put("a", at_once=True)
    box.box.resume("b")
    assert box.begun("a") == 1
    (thing, _) = box.box._lanes["a"]
    thing.at_once = True  # type: ignore[attr-defined]
    box.box.resume("a")
    assert (box.begun("a"), len(box.box), box.idle) == (3, 0, 1)


def test_who_waits_for_an_empty_outbox_is_told_once() -> None:
    box, told = Box(), list[str]()
    box.box.when_empty(lambda: told.append("at once"))
    box.put("a", at_once=False)
    box.box.when_empty(lambda: told.append("later"))
    assert told == ["at once"]
    box.done("a")
    box.put("a", at_once=False)
    box.done("a")
    assert told == ["at once", "later"]


def test_what_is_given_up_is_told_so_and_nobody_waits_any_more() -> None:
    box, told = Box(), list[str]()
    box.put("a", at_once=False)
    box.put("a", at_once=False)
    box.put("b", at_once=False)
    box.box.when_empty(lambda: told.append("empty"))
    box.box.give_up()
    assert (box.lanes, told) == (
        {"a": ["begin a", "give up a", "give up a"], "b": ["begin b", "give up b"]},
        [],
    )
    box.done("a")  # too late
    assert len(box.box) == 0


# All of it together -------------------------------------------------------------------------------

Step: TypeAlias = tuple[Any, ...]
LANES = ("till", "mail")

charges = st.tuples(st.sampled_from(LANES), st.sampled_from((0.0, 1.0, 3.0)), st.booleans())
steps = st.one_of(
    st.tuples(st.just("turn"), st.lists(charges, min_size=1, max_size=4)),
    st.tuples(st.just("crash")),
    st.tuples(st.just("wait"), st.sampled_from((0.0, 0.5, 2.0))),
    st.tuples(st.sampled_from(("stop", "kill", "Stop", "revive"))),
)


@frozen
class Errand:
    """What a lane is to do; ``number`` says when it was committed."""

    number: int
    seconds: float
    fails: bool


@frozen
class Mail(Errand):
    pass


class Office:
    """An agent that is started again whenever it has ended, and what its lanes did."""

    def __init__(self, rt: trido.Runtime, begun: dict[str, list[int]], ended: list[int]) -> None:
        self.rt = rt
        self.begun = begun
        self.ended = ended
        self.committed: dict[str, list[int]] = {lane: [] for lane in LANES}
        self.number = 0

    async def take(self, step: Step) -> None:
        ref = self.rt.find("a") or await self.rt.start_agent(
            agent(), id="a", shutdown=2.0, backoff=None
        )
        match step:
            case ("turn", errands):
                await self.turn(ref, errands)
            case ("crash",):
                await ref.cast(boom())
            case ("wait", seconds):
                await trio.sleep(seconds)
            case ("Stop",):
                await ref.cast(do(trido.Stop()))
            case ("stop",):
                await ref.stop()
            case ("revive",):
                with suppress(trido.TridoError):
                    await ref.revive()
            case _:
                await self.kill(ref)
        await settle()

    async def kill(self, ref: trido.AgentRef[Log]) -> None:
        if ref.place.has_run:
            ref.place.run.kill()

    async def turn(self, ref: trido.AgentRef[Log], errands: list[tuple[str, float, bool]]) -> None:
        directives: list[Any] = []
        numbers: list[tuple[str, int]] = []
        for lane, seconds, fails in errands:
            self.number += 1
            kind = Mail if lane == "mail" else Errand
            directives.append(kind(self.number, seconds, fails))
            numbers.append((lane, self.number))
        with suppress(trido.AgentError):
            await ref.call(do(*directives))
            for lane, number in numbers:
                self.committed[lane].append(number)


@given(st.lists(steps, max_size=12), st.integers(0))
@settings(max_examples=60)
def test_each_committed_directive_is_done_once_in_the_order_of_its_lane_or_is_a_dead_letter(
    plan: list[Step], seed: int
) -> None:
    async def main() -> None:
        begun: dict[str, list[int]] = {lane: [] for lane in LANES}
        ended: list[int] = []

        async def carry_out(lane: str, errand: Errand) -> None:
            begun[lane].append(errand.number)
            await trio.sleep(errand.seconds)
            ended.append(errand.number)
            if errand.fails:
                raise Boom

        async def till(errand: Errand) -> None:
            await carry_out("till", errand)

        async def mail(errand: Mail) -> None:
            await carry_out("mail", errand)

        async with trido.open_runtime(executors={Errand: till, Mail: mail}) as rt:
            office = Office(rt, begun, ended)
            for step in plan:
                await office.take(step)
        letters: list[Any] = [one.directive for one in rt.dead_letters]
        given_up = [one.number for one in letters if isinstance(one, Errand)]
        for lane in LANES:
            assert begun[lane] == sorted(begun[lane])
            assert set(begun[lane]) <= set(office.committed[lane])
        committed = sorted(office.committed["till"] + office.committed["mail"])
        assert sorted(ended + given_up) == committed

    testing.run(main, seed=seed, guarded=False)
