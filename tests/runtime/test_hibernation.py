"""Hibernation: an agent with nothing to do gives back its run, and loses nothing."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
import trio
import trio.lowlevel
from attrs import evolve

import trido
from tests.runtime.desk import Boom, Log, agent, do, note, settle
from tests.runtime.till import Jobs
from trido.runtime.envelope import Cast


def state_of(ref: trido.AgentRef[Any]) -> str:
    return ref.status().state


async def test_it_sleeps_when_it_was_idle_for_so_long_and_wakes_with_its_state() -> None:
    log = agent(idle_timeout=10)
    async with trido.open_runtime() as rt:
        ref = await rt.activate(log, "k")
        await ref.call(note("a"))
        await trio.sleep(9.9)
        assert state_of(ref) == "running"
        await trio.sleep(0.2)
        assert state_of(ref) == "hibernated"
        assert (ref.state().seen, ref.status().revision) == (("a",), 1)
        assert (rt.health().hibernated, rt.health().busy) == (1, 0)
        assert rt.agent("log/k") is ref
        assert rt.agents() == (ref,)
        assert (await ref.call(note("b"))).seen == ("a", "b")
        await settle()
        assert (state_of(ref), ref.incarnation, ref.status().revision) == ("running", 2, 2)
        assert rt.health().hibernated == 0


async def test_c140_an_idle_timeout_of_1_s_with_traffic_each_half_second_does_not_fire() -> None:
    log = agent(idle_timeout=1.0)
    async with trido.open_runtime() as rt:
        ref = await rt.activate(log, "k")
        for n in range(20):
            await trio.sleep(0.5)
            if n % 2:
                ref.cast_nowait(note("."))
            else:
                await ref.call(note("."))
        await settle()
        assert (ref.incarnation, len(ref.state().seen)) == (1, 20)
        await trio.sleep(1.1)
        assert state_of(ref) == "hibernated"


@pytest.mark.real_time
@pytest.mark.parametrize("decides", [True, False])
async def test_it_sleeps_on_a_clock_that_never_stands_still(*, decides: bool) -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.activate(agent(idle_timeout=600.0 if decides else 0.05), "k")
        await ref.call(do(trido.Hibernate()) if decides else note("a"))
        with trio.fail_after(30):
            while state_of(ref) != "hibernated":  # noqa: ASYNC110  # nothing tells of it
                await trio.sleep(0.01)


async def test_signals_that_are_refused_are_traffic_too() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.activate(agent(idle_timeout=1.0), "k")
        for _ in range(10):
            await trio.sleep(0.5)
            with pytest.raises(trido.Reject):
                await ref.call(trido.Signal("no"))
        assert ref.incarnation == 1


@pytest.mark.parametrize("how", ["call", "cast", "cast_nowait", "emit", "emit to a ref", "publish"])
async def test_whatever_signal_wakes_it(how: str) -> None:
    log, sender = agent(idle_timeout=5, subscribe=("note",)), agent("sender")
    async with trido.open_runtime() as rt:
        ref = await rt.activate(log, "k")
        other = await rt.activate(sender, "s")
        await ref.call(note("a"))
        await trio.sleep(6)
        assert state_of(ref) == "hibernated"
        if how == "call":
            await ref.call(note("b"))
        elif how == "cast":
            await ref.cast(note("b"))
        elif how == "cast_nowait":
            ref.cast_nowait(note("b"))
        elif how == "publish":
            await rt.publish(note("b"))
        else:
            to: Any = ref if how == "emit to a ref" else "log/k"
            await other.call(do(trido.Emit(note("b"), to=to)))
        await rt.drain()
        assert (ref.state().seen, ref.incarnation) == (("a", "b"), 2)


async def test_activate_wakes_it() -> None:
    log = agent(idle_timeout=5)
    async with trido.open_runtime() as rt:
        ref = await rt.activate(log, "k")
        await trio.sleep(6)
        assert await rt.activate(log, "k") is ref
        await settle()
        assert state_of(ref) == "running"


async def test_it_sleeps_again_and_again() -> None:
    log = agent(idle_timeout=1)
    async with trido.open_runtime() as rt:
        ref = await rt.activate(log, "k")
        for n in range(10):
            assert len((await ref.call(note("."))).seen) == n + 1
            await trio.sleep(2)
            assert state_of(ref) == "hibernated"


async def test_hibernate_is_a_decision_that_waits_until_nothing_is_under_way() -> None:
    jobs = Jobs()
    log = agent()
    async with trido.open_runtime(actions=(jobs.work,)) as rt:
        ref = await rt.activate(log, "k")
        await ref.call(do(jobs.run("job", 5), trido.Hibernate()))
        for _ in range(4):
            await trio.sleep(1)
            assert state_of(ref) == "running"
        await trio.sleep(3)
        assert state_of(ref) == "hibernated"
        assert jobs.lines == "<job job"
        await ref.call(note("a"))
        await trio.sleep(100)
        assert state_of(ref) == "running", "once it said so, and once it slept"


async def test_one_with_an_idle_timeout_can_sleep_before_it() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.activate(agent(idle_timeout=1000), "k")
        await ref.call(do(trido.Hibernate()))
        await trio.sleep(1)
        assert state_of(ref) == "hibernated"


async def test_if_its_place_is_taken_senders_are_told() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.activate(agent(idle_timeout=1), "k")
        await trio.sleep(2)
        await rt.supervisor.start_place(ref.id, trido.ChildSpec(trio.sleep_forever, id=ref.id))
        with pytest.raises(trido.AgentCrashed) as caught:
            await ref.call(note("a"))
        assert isinstance(caught.value.__cause__, trido.ChildAlreadyStarted)
        await rt.supervisor.stop_child(ref.id)
        assert (await ref.call(note("a"))).seen == ("a",)


async def test_whoever_restarts_it_as_it_wakes_does_no_harm() -> None:
    log = agent(idle_timeout=1)
    spec = log.spec(id="a")

    async def restart(sup: trido.Supervisor) -> None:
        with suppress(trido.ChildRunning):
            await sup.restart_child("a")

    async with trido.open_supervisor(spec) as sup, trio.open_nursery() as nursery:
        ref = sup[spec].value
        for n in range(20):  # in both orders
            await trio.sleep(2)
            nursery.start_soon(restart, sup)
            ref.cast_nowait(note("a"))
            await settle()
            assert len(ref.state().seen) == n + 1


async def test_on_stop_and_on_start_and_the_lifespan_frame_each_run() -> None:
    log, said = agent(idle_timeout=5), list[str]()

    @log.on_start
    def start(state: Log) -> Log:
        return evolve(state, seen=(*state.seen, "start"))

    @log.on_stop
    def stop(state: Log) -> Log:
        return evolve(state, seen=(*state.seen, "stop"))

    @log.lifespan
    async def lives(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        said.append("open")
        yield
        said.append("close")

    async with trido.open_runtime() as rt:
        ref = await rt.activate(log, "k")
        await trio.sleep(6)
        assert (ref.state().seen, said) == (("start", "stop"), ["open", "close"])
        await ref.call(note("a"))
        assert ref.state().seen == ("start", "stop", "start", "a")
        assert said == ["open", "close", "open"]


async def test_timers_go_on_and_wake_it() -> None:
    log = agent(idle_timeout=5)
    async with trido.open_runtime() as rt:
        ref = await rt.activate(log, "k")
        await ref.call(do(trido.Schedule(60, note("tick"), key="t")))
        await trio.sleep(50)
        assert (state_of(ref), ref.status().timers) == ("hibernated", 1)
        await trio.sleep(11)
        assert ref.state().seen == ("do", "tick")


async def test_a_timer_that_is_due_before_it_would_have_slept_keeps_it_awake() -> None:
    log = agent(idle_timeout=5, schedules=(trido.Schedule(8, note("tick"), key="t"),))
    async with trido.open_runtime() as rt:
        ref = await rt.activate(log, "k")
        await trio.sleep(8.5)
        assert (ref.state().seen, ref.incarnation) == (("tick",), 1)


async def test_schedules_are_not_set_anew_as_it_wakes() -> None:
    log = agent(idle_timeout=1, schedules=(trido.Schedule(8, note("tick"), key="t"),))
    async with trido.open_runtime() as rt:
        ref = await rt.activate(log, "k")
        for _ in range(5):
            await trio.sleep(3)
            await ref.call(note("."))
        assert ref.state().seen.count("tick") == 1


class Held:
    """What keeps an agent awake, and how that ends."""

    def __init__(self, rt: trido.Runtime, ref: trido.AgentRef[Log], nursery: trio.Nursery) -> None:
        self.rt, self.ref, self.nursery = rt, ref, nursery
        self.scope = trio.CancelScope()

    async def run(self, fn: Any, *args: Any) -> None:
        with self.scope:
            await fn(*args)

    async def waiter(self) -> None:
        self.nursery.start_soon(self.run, self.ref.wait_for, lambda state: "never" in state.seen)

    async def monitor(self) -> None:
        self.nursery.start_soon(self.run, self.rt.monitor(self.ref).wait)

    async def request(self) -> None:
        self.nursery.start_soon(self.run, self.ref.call, trido.Signal("ask"))

    async def turn(self) -> None:
        self.nursery.start_soon(self.run, self.ref.call, trido.Signal("slow", 100.0))

    async def child(self) -> None:
        await self.ref.call(do(trido.SpawnAgent(agent("kid"), "kid")))

    async def watching(self) -> None:
        await self.rt.start_agent(agent("other"), id="other")
        await self.ref.call(do(trido.Monitor(self.rt.agent("other"))))

    async def link(self) -> None:
        await self.rt.start_agent(agent("other"), id="other")
        await self.ref.call(do(trido.Link(self.rt.agent("other"))))


def awake() -> trido.Agent[Log]:
    log = agent(idle_timeout=1)

    @log.on("ask")
    def ask(state: Log, data: object, turn: trido.Turn) -> trido.Decision[Log]:
        return state, [trido.DeferReply()]

    @log.on("slow")
    async def slow(state: Log, data: float) -> Log:
        await trio.sleep(data)
        return state

    return log


@pytest.mark.parametrize(
    "what", ["waiter", "monitor", "request", "turn", "child", "watching", "link"]
)
async def test_it_is_never_stopped_while_something_is_under_way(what: str) -> None:
    async with trido.open_runtime() as rt, trio.open_nursery() as nursery:
        ref = await rt.activate(awake(), "k")
        held = Held(rt, ref, nursery)
        await getattr(held, what)()
        await trio.sleep(20)
        assert (state_of(ref), ref.incarnation) == ("running", 1)
        if what in ("waiter", "request", "turn"):
            held.scope.cancel()
            await trio.sleep(5)
            assert state_of(ref) == "hibernated"
        nursery.cancel_scope.cancel()


async def test_a_run_and_an_executor_keep_it_awake() -> None:
    jobs = Jobs()
    async with trido.open_runtime(actions=(jobs.work,)) as rt:
        ref = await rt.activate(agent(idle_timeout=1), "k")
        await ref.call(do(jobs.run("job", 10)))
        await trio.sleep(9)
        assert state_of(ref) == "running"
        await trio.sleep(3)
        assert (jobs.lines, state_of(ref)) == ("<job job", "hibernated")


async def test_whoever_waits_for_a_state_or_monitors_it_wakes_it() -> None:
    log = agent(idle_timeout=1)
    async with trido.open_runtime() as rt, trio.open_nursery() as nursery:
        ref = await rt.activate(log, "k")
        await trio.sleep(2)
        handle = rt.monitor(ref)
        await settle()
        assert (state_of(ref), handle.down) == ("running", None)
        await ref.stop()
        assert (await handle.wait()).reason == "stopped"
        ref = await rt.activate(log, "k")
        await trio.sleep(2)
        nursery.start_soon(ref.wait_for, lambda state: state.seen)
        await settle()
        assert state_of(ref) == "running"
        await ref.call(note("a"))


async def test_a_link_to_one_that_sleeps_is_a_link() -> None:
    log = agent(idle_timeout=1)
    async with trido.open_runtime() as rt:
        ref = await rt.activate(log, "k")
        other = await rt.activate(agent("other"), "o")
        await trio.sleep(2)
        await other.call(do(trido.Link(ref)))
        await settle()
        assert (state_of(ref), state_of(other)) == ("running", "running")


async def test_one_that_sleeps_can_be_stopped() -> None:
    log = agent(idle_timeout=1)
    async with trido.open_runtime() as rt:
        ref = await rt.activate(log, "k")
        await trio.sleep(2)
        await ref.stop()
        assert (rt.agents(), rt.find("log/k")) == ((), None)
        with pytest.raises(trido.NoSuchAgent):
            await ref.call(note("a"))
        assert await rt.activate(log, "k") is ref
        assert ref.state() == Log()


async def test_revive_wakes_it() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.activate(agent(idle_timeout=1), "k")
        await trio.sleep(2)
        await ref.revive()
        await settle()
        assert state_of(ref) == "running"


async def test_an_id_that_sleeps_is_taken() -> None:
    log = agent(idle_timeout=1)
    async with trido.open_runtime() as rt:
        await rt.activate(log, "k")
        await trio.sleep(2)
        with pytest.raises(trido.ChildAlreadyStarted):
            await rt.start_agent(log, id="log/k")


class Fussy:
    """Agents whose starts fail as often as they are told to."""

    def __init__(self, **settings: Any) -> None:
        self.fails = 0
        self.agent = agent(idle_timeout=1, **settings)

        @self.agent.lifespan
        async def lives(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
            await trio.sleep(0.1)
            if self.fails:
                self.fails -= 1
                raise Boom("no start")
            yield


async def test_if_it_cannot_wake_senders_are_told_and_it_sleeps_on_with_its_state() -> None:
    fussy = Fussy()
    async with trido.open_runtime() as rt:
        ref = await rt.activate(fussy.agent, "k")
        await ref.call(note("a"))
        await trio.sleep(2)
        fussy.fails = 1
        ref.cast_nowait(note("lost"))
        with pytest.raises(trido.AgentCrashed) as caught:
            await ref.call(note("b"))
        assert isinstance(caught.value.__cause__, Boom)
        assert [type(one.reason) for one in rt.dead_letters] == [trido.AgentCrashed]
        assert (state_of(ref), ref.state().seen) == ("hibernated", ("a",))
        assert (await ref.call(note("c"))).seen == ("a", "c")
        await trio.sleep(3)
        fussy.fails = 1
        with pytest.raises(trido.StartFailed):
            await rt.activate(fussy.agent, "k")
        assert state_of(ref) == "hibernated"
        assert (await ref.call(note("d"))).seen == ("a", "c", "d")
        assert ref.incarnation > 3


async def test_what_comes_just_as_a_wake_fails_has_another_try() -> None:
    fussy = Fussy()
    async with trido.open_runtime() as rt:
        ref = await rt.activate(fussy.agent, "k")
        await trio.sleep(2)
        fussy.fails = 1

        class Resent(Cast):
            def fail(self, error: trido.AgentError) -> bool:
                ref.cast_nowait(note("b"))
                return True

        ref.place.deliver(Resent(note("a")))
        await ref.wait_for(lambda state: state.seen == ("b",))


async def test_a_runtime_that_ends_ends_those_that_sleep() -> None:
    log = agent(idle_timeout=1)
    with trio.fail_after(100):
        async with trido.open_runtime() as rt:
            ref = await rt.activate(log, "k")
            await ref.call(do(trido.Schedule(1000, note("tick"))))
            await trio.sleep(5)
            assert state_of(ref) == "hibernated"
        await ref.cast(note("a"))
        assert len(rt.dead_letters) == 1
        with pytest.raises(trido.NoSuchAgent):
            await ref.call(note("a"))
        with pytest.raises(trido.NoSuchAgent):
            ref.state()


@pytest.mark.parametrize("seconds", [0.0, 0.05])
async def test_a_runtime_ends_while_one_wakes(seconds: float) -> None:
    fussy = Fussy()
    with trio.fail_after(100):
        async with trido.open_runtime() as rt:
            ref = await rt.activate(fussy.agent, "k")
            await trio.sleep(3)
            ref.cast_nowait(note("a"))
            await trio.sleep(seconds)
        assert [type(one.reason) for one in rt.dead_letters] == [trido.AgentStopped]


async def test_a_signal_just_before_the_runtime_ends_is_a_dead_letter() -> None:
    with trio.fail_after(100):
        async with trido.open_runtime() as rt:
            ref = await rt.activate(agent(idle_timeout=1), "k")
            await trio.sleep(3)
            rt.supervisor.stop()
            await trio.lowlevel.checkpoint()
            ref.cast_nowait(note("a"))
        assert len(rt.dead_letters) == 1


async def test_under_a_plain_supervisor_it_sleeps_too() -> None:
    log = agent(idle_timeout=1)
    spec = log.spec(id="a")
    async with trido.open_supervisor(spec) as sup:
        ref = sup[spec].value
        await ref.call(note("a"))
        await trio.sleep(2)
        assert state_of(ref) == "hibernated"
        assert (await ref.call(note("b"))).seen == ("a", "b")
        await trio.sleep(2)
        assert state_of(ref) == "hibernated"
        await sup.restart_child("a")
        assert state_of(ref) == "running"
        await trio.sleep(2)
    with pytest.raises(trido.NoSuchAgent):
        await ref.call(note("c"))


async def test_a_group_restart_is_no_sleep() -> None:
    log = agent(idle_timeout=1)
    spec = log.spec(id="a")

    @log.lifespan
    async def lives(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        yield
        await trio.sleep(1)

    other = agent("b").spec(id="b")
    async with trido.open_supervisor(spec, other, strategy="one_for_all") as sup:
        ref = sup[spec].value
        await trio.sleep(1.5)  # it is just falling asleep
        await sup[other].value.cast(trido.Signal("boom"))
        await trio.sleep(0.9)
        assert (await ref.call(note("a"))).seen == ("a",)


async def test_a_stop_that_comes_as_it_falls_asleep_is_a_stop() -> None:
    fussy = Fussy()

    @fussy.agent.on_stop
    async def stop(state: Log) -> Log:
        await trio.sleep(1)
        return state

    async with trido.open_runtime() as rt:
        ref = await rt.activate(fussy.agent, "k")
        await trio.sleep(1.5)
        await ref.stop()
        assert rt.agents() == ()


async def test_activate_waits_for_one_that_is_just_falling_asleep() -> None:
    log = agent(idle_timeout=1)

    @log.on_stop
    async def stop(state: Log) -> Log:
        await trio.sleep(1)
        return state

    async with trido.open_runtime() as rt:
        ref = await rt.activate(log, "k")
        await trio.sleep(1.5)
        assert await rt.activate(log, "k") is ref
        assert ref.incarnation == 2
        assert (await ref.call(note("a"))).seen == ("a",)


async def test_a_crash_on_the_way_into_sleep_is_a_crash() -> None:
    log, crashes = agent(idle_timeout=1), [Boom("once")]

    @log.on_stop
    def stop(state: Log) -> Log:
        if crashes:
            raise crashes.pop()
        return state

    async with trido.open_runtime() as rt:
        ref = await rt.activate(log, "k")
        await ref.call(note("a"))
        await trio.sleep(1.5)
        assert (ref.state(), ref.incarnation) == (Log(), 2), "it began anew"
        await trio.sleep(2)
        assert state_of(ref) == "hibernated"


async def test_a_child_that_lives_with_its_parent_stays_awake_and_a_detached_one_need_not() -> None:
    kid, parent = agent("kid", idle_timeout=1), agent("parent")
    told: list[str] = []

    @parent.on("agent.child.exit")
    def gone(state: Log, data: trido.ChildExit) -> Log:
        told.append(f"exit {data.tag} {data.comes_back}")
        return state

    async with trido.open_runtime() as rt:
        ref = await rt.activate(parent, "p")
        await ref.call(
            do(trido.SpawnAgent(kid, "near"), trido.SpawnAgent(kid, "far", detached=True))
        )
        await settle()
        await rt.agent("parent/p/near").call(do(trido.Hibernate()))
        await trio.sleep(3)
        assert state_of(rt.agent("parent/p/near")) == "running"
        assert state_of(rt.agent("parent/p/far")) == "hibernated"
        assert told == ["exit far True"]
        await ref.call(do(trido.StopChild("far")))
        await settle()
        assert rt.find("parent/p/far") is None


async def test_drain_does_not_wait_for_those_that_sleep_but_for_what_wakes_them() -> None:
    fussy = Fussy()
    async with trido.open_runtime() as rt:
        ref = await rt.activate(fussy.agent, "k")
        await trio.sleep(3)
        await rt.drain()
        assert state_of(ref) == "hibernated"
        ref.cast_nowait(note("a"))
        await rt.drain()
        assert ref.state().seen == ("a",)


@pytest.mark.parametrize("value", [0, -1, math.nan, "1", True])
def test_an_idle_timeout_is_a_number_of_seconds(value: Any) -> None:
    with pytest.raises(trido.SpecError, match="idle_timeout"):
        agent(idle_timeout=value)


def test_a_permanent_child_never_sleeps() -> None:
    with pytest.raises(trido.SpecError, match="never sleeps"):
        agent(idle_timeout=1).spec(id="a", restart="permanent")


async def test_a_clock_that_fails_keeps_it_awake_until_it_works() -> None:
    clock = _Clock()
    log = agent(idle_timeout=1)
    async with trido.open_runtime(clock=clock) as rt:
        ref = await rt.activate(log, "k")
        await ref.call(do(trido.Schedule(1000, note("tick"))))
        clock.fails = True
        await trio.sleep(3)
        assert state_of(ref) == "running"
        clock.fails = False
        await ref.call(note("a"))
        await trio.sleep(2)
        assert state_of(ref) == "hibernated"


class _Clock:
    def __init__(self) -> None:
        self.fails = False
        self._began = datetime.fromisoformat("2026-01-01T00:00:00Z")

    def __call__(self) -> datetime:
        if self.fails:
            raise OSError("no clock")
        return self._began + timedelta(seconds=trio.current_time())


async def test_thousands_of_keys_and_hardly_a_task() -> None:
    log = agent(idle_timeout=10)
    async with trido.open_runtime() as rt:
        refs = [await rt.activate(log, str(n)) for n in range(5_000)]
        for ref in refs:
            await ref.call(note("a"))
        await trio.sleep(20)
        assert (rt.health().hibernated, rt.health().agents) == (5_000, 5_000)
        assert trio.lowlevel.current_statistics().tasks_living < 20
        assert len(refs[0].place.dispatcher) == 0, "and none has a timer"
        assert (await refs[17].call(note("b"))).seen == ("a", "b")
        assert rt.health().hibernated == 4_999
