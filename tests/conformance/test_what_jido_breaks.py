"""What Jido v2.3.3 was seen to do, and trido does not: one test for each.

Each docstring says what Jido does. The test does the same to trido, and says what comes of it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest
import trio
from attrs import evolve, frozen

import trido
from tests.conformance.kit import played
from tests.runtime import desk, jobs
from tests.runtime.desk import Boom, Log, boom, do, note, reasons, settle
from trido.runtime.work import own_processes

README: Final = Path(__file__).parents[2] / "README.md"


@trido.action
async def nap(data: float) -> float:
    await trio.sleep(data)
    return data


@trido.action
async def fail(data: None) -> None:
    raise Boom


def patient(name: str = "patient", **settings: Any) -> trido.Agent[Log]:
    """A `desk.agent` that takes its time for what is ``slow``."""
    made = desk.agent(name, **settings)

    @made.on("slow")
    async def slow(state: Log, data: float) -> Log:
        await trio.sleep(data)
        return evolve(state, seen=(*state.seen, "slow"))

    return made


def slow(seconds: float) -> trido.Signal:
    return trido.Signal("slow", seconds)


# Crashes and restarts -----------------------------------------------------------------------------


@played
async def test_an_agent_keeps_its_id_over_a_restart() -> None:
    """Jido: an agent that was given no id has another one after each restart."""
    async with trido.open_runtime() as rt:
        parent = await rt.start_agent(desk.agent("parent"), id="p")
        await parent.call(do(trido.SpawnAgent(desk.agent("child"), "child")))
        await rt.drain()
        child = rt.agent("p/child")
        await child.cast(boom())
        await settle()
        assert (child.id, child.incarnation) == ("p/child", 2)
        assert rt.agent("p/child") is child
        assert await child.call(note("still here")) == Log(("still here",))


@played
async def test_stop_is_not_undone_by_a_restart() -> None:
    """Jido: an agent that decided to stop is started again by its supervisor."""
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        await ref.call(do(trido.Stop()))
        await trio.sleep(60.0)
        assert (ref.status().state, ref.incarnation, rt.find("a")) == ("removed", 1, None)


@played
async def test_one_failing_start_or_restart_storm_ends_nobody_else() -> None:
    """Jido: it takes the instance's supervisor down, and every agent with that."""
    unfit = desk.agent("unfit")

    @unfit.on_start
    def begin(state: Log) -> Log:
        raise Boom("unfit")

    async with trido.open_runtime() as rt:
        good = await rt.start_agent(desk.agent(), id="good")
        with pytest.raises(trido.StartFailed):
            await rt.start_agent(unfit, id="unfit")
        bad = await rt.start_agent(desk.agent(), id="bad")
        for _ in range(20):
            await bad.cast(boom())
        await trio.sleep(600.0)
        assert bad.status().state == "parked"
        assert await good.call(note("fine")) == Log(("fine",))
        assert good.incarnation == 1
        await bad.revive()
        assert await bad.call(note("well again")) == Log(("well again",))


@played
async def test_a_childs_death_does_not_kill_its_parent() -> None:
    """Jido: parents are linked to their children, and die with them."""
    async with trido.open_runtime() as rt:
        parent = await rt.start_agent(desk.agent("parent"), id="p")
        await parent.call(do(trido.SpawnAgent(desk.agent("child"), "child")))
        await rt.drain()
        for _ in range(20):
            await rt.agent("p/child").cast(boom())
        await trio.sleep(600.0)
        assert rt.agent("p/child").status().state == "parked"
        assert (parent.incarnation, parent.state()) == (1, Log(("do",)))


# Turns and directives -----------------------------------------------------------------------------


@frozen
class Explode(trido.Directive):
    """A directive whose executor raises."""


async def explode(directive: Explode) -> None:
    raise Boom


@played
async def test_a_raising_directive_loses_neither_the_state_nor_the_other_directives() -> None:
    """Jido: it crashes the agent; the state that was set and what was to follow are gone."""
    async with trido.open_runtime(executors={Explode: explode}) as rt:
        ref, other = [await rt.start_agent(desk.agent(), id=id) for id in ("a", "b")]
        emits = [trido.Emit(note(text), to=other) for text in ("before", "after")]
        assert await ref.call(do(emits[0], Explode(), emits[1])) == Log(("do",))
        await rt.drain()
        assert (ref.incarnation, ref.state()) == (1, Log(("do",)))
        assert other.state() == Log(("before", "after"))


@played
async def test_on_overflow_neither_the_state_nor_the_effects_are_kept() -> None:
    """Jido: a turn whose directives do not fit its queue keeps its state and loses them."""
    async with trido.open_runtime() as rt:
        full = await rt.start_agent(patient("full"), id="full", mailbox=1)
        sender = await rt.start_agent(desk.agent(), id="sender")
        await full.cast(slow(10.0))
        many = [trido.Emit(note(str(number)), to=full) for number in range(1000)]
        accepted = await sender.call(do(*many))
        with pytest.raises(trido.Overloaded):
            await sender.call(do(*many))
        assert sender.state() == accepted == Log(("do",))
        await rt.drain()
        assert full.state().seen == ("slow", *map(str, range(1000)))


@played
async def test_state_that_breaks_its_class_is_not_accepted() -> None:
    """Jido: the schema of a state is checked when an agent is made, and never again."""
    agent = desk.agent()

    @agent.on("break")
    def broken(state: Log, data: None) -> Log:
        return evolve(state, seen=3)  # type: ignore[arg-type]

    with pytest.raises(trido.InvalidDecision, match=r"\$\.seen"):
        agent.cmd(Log(), trido.Signal("break"))
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(agent, id="a", recover="committed")
        await ref.call(note("right"))
        with pytest.raises(trido.AgentCrashed):
            await ref.call(trido.Signal("break"))
        assert ref.state() == Log(("right",))


# Calls and casts ----------------------------------------------------------------------------------


@played
async def test_a_call_that_is_not_waited_for_leaves_no_work_running() -> None:
    """Jido: a call that timed out goes on, and the state changes later."""
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(patient(), id="a")
        with trio.move_on_after(1.0):
            await ref.call(slow(10.0))
        await ref.cast(slow(5.0))
        with trio.move_on_after(1.0):
            await ref.call(note("queued"))
        await trio.sleep(60.0)
        assert ref.state() == Log(("slow",))  # the cast's


@played
async def test_a_slow_cast_does_not_block_the_status() -> None:
    """Jido: who asks how an agent is waits until it has served what it is serving."""
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(patient(), id="a")
        await ref.cast(slow(10.0))
        await settle()
        await ref.cast(note("queued"))
        assert (ref.status().state, ref.status().queued) == ("running", 1)
        assert (ref.state(), rt.health().busy) == (Log(), 1)
        assert trio.current_time() == 0.0


@played
async def test_a_dead_agent_is_known_to_be_dead_at_once() -> None:
    """Jido: to ask a dead agent raises an exit, or hangs for the whole timeout."""
    async with trido.open_runtime() as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(patient(), id="a")
        await ref.cast(slow(10.0))
        nursery.start_soon(fails, trido.AgentStopped, ref, note("queued"))
        await settle()
        await ref.stop()
        await fails(trido.NoSuchAgent, ref, note("late"))
        with pytest.raises(trido.NoSuchAgent):
            ref.state()
        assert ref.status().state == "removed"
        assert trio.current_time() == 0.0


async def fails(error: type[Exception], ref: trido.AgentRef[Any], signal: trido.Signal) -> None:
    with pytest.raises(error):
        await ref.call(signal)


@played
async def test_looping_callers_do_not_starve_casts() -> None:
    """Jido: as long as somebody calls again and again, no cast is served."""
    async with trido.open_runtime() as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(desk.agent(), id="a")
        for _ in range(CALLERS):
            nursery.start_soon(call_again_and_again, ref)
        await ref.wait_for(lambda log: len(log.seen) > CALLERS)
        before = len(ref.state().seen)
        await ref.cast(note("cast"))
        log = await ref.wait_for(lambda log: "cast" in log.seen)
        assert log.seen.index("cast") - before <= CALLERS
        nursery.cancel_scope.cancel()


CALLERS: Final = 3


async def call_again_and_again(ref: trido.AgentRef[Any]) -> None:
    while True:
        await ref.call(note("call"))


@played
async def test_a_cast_and_a_call_of_one_sender_keep_their_order() -> None:
    """Jido: the call may overtake the cast."""
    async with trido.open_runtime() as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(patient(), id="a")
        nursery.start_soon(ref.cast, slow(1.0))
        for number in range(0, 20, 2):
            await ref.cast(note(str(number)))
            await ref.call(note(str(number + 1)))
        seen = [text for text in ref.state().seen if text != "slow"]
        assert seen == [str(number) for number in range(20)]


@played
async def test_each_wait_returns_what_it_waits_for() -> None:
    """Jido: who waits for a second request is given the result of the first."""
    agent = desk.agent()

    @agent.on("ask")
    def ask(state: Log, data: str, turn: trido.Turn) -> trido.Decision[Log]:
        later = trido.Schedule(1.0, trido.Signal("answer", (turn.request, data)))
        return state, [trido.DeferReply(), later]

    @agent.on("answer")
    def answer(state: Log, data: tuple[str, str]) -> trido.Decision[Log]:
        return state, [trido.Reply(data[1], to=data[0])]

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(agent, id="a")
        for request in ("first", "second"):
            began = trio.current_time()
            assert await ref.call(ask.signal(request)) == request
            assert trio.current_time() == began + 1.0


# Mailboxes ----------------------------------------------------------------------------------------


@played
async def test_what_is_full_drops_nothing_silently() -> None:
    """Jido: a pool without a free worker drops the signal, and nobody hears of it."""
    agent = patient(runs=2)

    @agent.on("rested")
    def rested(state: Log, data: float) -> Log:
        return evolve(state, seen=(*state.seen, f"rested {data:g}"))

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(agent, id="a", mailbox=2, overflow="drop_newest")
        await ref.call(do(*(trido.Run(nap, float(n), ok="rested") for n in range(1, 6))))
        await rt.drain()
        assert Counter(ref.state().seen) == Counter(["do", *(f"rested {n}" for n in range(1, 6))])

        await ref.cast(slow(1.0))
        await settle()
        for text in ("1", "2", "3"):
            await ref.cast(note(text))
        await fails(trido.Overloaded, ref, note("4"))
        await rt.drain()
        assert ref.state().seen[-3:] == ("slow", "1", "2")
        assert reasons(ref) == [("3", trido.Overloaded)]


async def test_a_queue_of_ten_takes_ten() -> None:
    """Jido: 100,000 casts go into a queue of 10."""
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(patient(), id="a", mailbox=10)
        await ref.cast(slow(1.0))
        await settle()
        refused = 0
        for number in range(100_000):
            try:
                ref.cast_nowait(note(str(number)))
            except trio.WouldBlock:
                refused += 1
        assert (ref.status().queued, refused) == (10, 99_990)
        with trio.move_on_after(0.5) as scope:
            await ref.cast(note("waits"))
        assert scope.cancelled_caught
        await rt.drain()
        assert ref.state().seen == ("slow", *map(str, range(10)))


# Actions ------------------------------------------------------------------------------------------


@played
async def test_a_step_that_fails_keeps_the_rest_from_running() -> None:
    """Jido: of a list of actions the others run all the same."""
    ran: list[str] = []

    @trido.action
    async def first(data: None) -> None:
        ran.append("first")

    @trido.action
    async def last(data: None) -> None:
        ran.append("last")

    agent = desk.agent()

    @agent.on("failed")
    def failed(state: Log, data: trido.RunFailed) -> Log:
        return evolve(state, seen=(*state.seen, data.kind))

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(agent, id="a")
        steps = trido.sequence("steps", first, fail, last)
        await ref.call(do(trido.Run(steps, error="failed")))
        await rt.drain()
        assert (ran, ref.state().seen) == (["first"], ("do", "StepFailed"))


@played
async def test_an_action_that_failed_does_not_run_twice() -> None:
    """Jido: it is tried again, though nobody asked for that."""
    tried: list[None] = []

    @trido.action
    async def fails_once(data: None) -> None:
        tried.append(data)
        raise Boom

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        await ref.call(do(trido.Run(fails_once)))
        await trio.sleep(600.0)
        assert len(tried) == 1
        with pytest.raises(Boom):
            await trido.run_action(fails_once, None)
        assert len(tried) == 2


@pytest.mark.real_time
async def test_a_lost_worker_gives_its_slot_back() -> None:
    """Jido: the slot of a worker that died stays taken; its agent waits, and says that it lives."""
    agent = desk.agent(runs=1)

    @agent.on("done")
    def done(state: Log, data: jobs.Done) -> Log:
        return evolve(state, seen=(*state.seen, str(data.number)))

    @agent.on("failed")
    def failed(state: Log, data: trido.RunFailed) -> Log:
        return evolve(state, seen=(*state.seen, data.kind))

    async with trido.open_runtime() as rt, own_processes():
        ref = await rt.start_agent(agent, id="a")
        dies = trido.Run(jobs.die, jobs.Work(), error="failed", where="process")
        works = trido.Run(jobs.square, jobs.Work(3), ok="done", where="process")
        with trio.fail_after(60.0):
            await ref.call(do(dies, works))
            await rt.drain()
        assert ref.state().seen == ("do", "WorkerDied", "9")


# Routes -------------------------------------------------------------------------------------------


@played
async def test_of_three_matching_routes_one_runs_once() -> None:
    """Jido: the action runs three times."""
    agent = trido.Agent("routed", state=Log)

    @agent.on("order.paid")
    def exact(state: Log, data: None) -> Log:
        return evolve(state, seen=(*state.seen, "exact"))

    @agent.on("order.*")
    def one(state: Log, data: None) -> Log:
        return evolve(state, seen=(*state.seen, "one"))

    @agent.on("**")
    def every(state: Log, data: None) -> Log:
        return evolve(state, seen=(*state.seen, "any"))

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(agent, id="a", subscribe=("order.paid", "order.*", "**"))
        await ref.call(trido.Signal("order.paid"))
        await rt.publish(trido.Signal("order.paid"))
        await rt.drain()
        assert ref.state().seen == ("exact", "exact")


def test_a_malformed_route_is_an_error_at_once_and_silences_no_other() -> None:
    """Jido: it is found when a signal is routed, and then no route of the agent works."""
    agent = desk.agent()
    malformed: Any
    for malformed in ("order..paid", "", "order.***", 3):
        with pytest.raises(trido.SpecError, match=r"route .* of Agent 'log'"):
            agent.on(malformed)
    assert agent.cmd(Log(), note("works")) == (Log(("works",)), ())


def test_the_quick_start_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Jido: its own fails. (That all of it prints what it shows is for tests/docs.)"""
    blocks = README.read_text().split("```python\n")[1:]
    code = [text for text, _, _ in (block.partition("```") for block in blocks)]
    (quick_start,) = (text for text in code if "trido.Agent(" in text)
    exec(compile(quick_start, str(README), "exec"), {"__name__": "quick_start"})
    assert capsys.readouterr().out.endswith("Signal('counter.changed', 3)\n")
