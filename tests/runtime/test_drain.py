"""Ending in two steps: take nothing more from outside, and finish what there is."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import trio
from attrs import evolve, frozen

import trido
from tests.conformance.kit import played
from tests.runtime import desk
from tests.runtime.desk import Boom, Log, boom, do, note, reasons, settle


def busy(name: str = "busy", **settings: Any) -> trido.Agent[Log]:
    """An agent that takes as long as it is told."""
    made = desk.agent(name, **settings)

    @made.on("sleep")
    async def sleep(state: Log, data: float) -> Log:
        await trio.sleep(data)
        return evolve(state, seen=(*state.seen, f"slept {data}"))

    return made


def sleep(seconds: float) -> trido.Signal:
    return trido.Signal("sleep", seconds)


# The intake --------------------------------------------------------------------------------------


async def test_with_the_intake_closed_nothing_comes_in_from_outside() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(subscribe=("note",)), id="a")
        rt.close_intake()
        with pytest.raises(trido.IntakeClosed, match="'a' is sent nothing more"):
            await ref.call(note("call"))
        await ref.cast(note("cast"))
        ref.cast_nowait(note("nowait"))
        with pytest.raises(trido.IntakeClosed):
            await rt.publish(note("publish"))
        with pytest.raises(trido.IntakeClosed):
            await rt.start_agent(desk.agent(), id="b")
        assert ref.state() == Log()
        closed = trido.IntakeClosed
        assert reasons(ref) == [("cast", closed), ("nowait", closed)]


async def test_who_reads_and_stops_agents_may_go_on() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        rt.close_intake()
        assert ref.state() == Log()
        assert (await ref.wait_for(lambda state: not state.seen)) == Log()
        await ref.stop()


async def test_what_agents_send_each_other_comes_in() -> None:
    async with trido.open_runtime() as rt:
        a = await rt.start_agent(desk.agent(subscribe=("note",)), id="a")
        b = await rt.start_agent(desk.agent(), id="b")
        later = do(
            trido.Emit(note("by id"), to="a"),
            trido.Emit(note("to all")),
            trido.Schedule(1.0, note("timer")),
            trido.SpawnAgent(desk.agent(), "near"),
            trido.SpawnAgent(desk.agent(), "far", detached=True),
        )
        await b.call(do(trido.Schedule(1.0, later)))
        rt.close_intake()
        await trio.sleep(3)
        assert a.state().seen == ("by id", "to all")
        assert b.state().seen == ("do", "do", "timer")
        assert {ref.id for ref in rt.agents()} == {"a", "b", "b/near", "b/far"}


@trido.action("send")
async def send(data: dict[str, str]) -> str:
    """Call whoever is told, from within a `Run`."""
    await RUNTIME[0].agent("a").call(note("run calls"))
    await RUNTIME[0].agent("a").cast(note("run casts"))
    return "run's result"


RUNTIME: list[trido.Runtime] = []


@frozen
class Ring(trido.Directive):
    """Call somebody, from within an executor."""


async def ring(directive: Ring) -> None:
    await RUNTIME[0].agent("a").call(note("executor"))


async def test_what_lives_in_agents_may_send() -> None:
    """Turns of either kind, Runs, lifespans, executors and children that are no agents."""
    made = desk.agent("made")

    @made.lifespan
    async def life(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        yield
        await RUNTIME[0].agent("a").cast(note("lifespan"))

    @made.on("turn")
    async def turn(state: Log, data: None) -> Log:
        await RUNTIME[0].agent("a").call(note("turn"))
        await RUNTIME[0].publish(trido.Signal("news", "published"))
        await RUNTIME[0].start_agent(desk.agent(), id="started")
        return state

    @made.on("plain")
    def plain(state: Log, data: None) -> Log:
        RUNTIME[0].agent("a").cast_nowait(note("plain turn"))
        return state

    async def child() -> None:
        await trio.sleep(1)
        await RUNTIME[0].agent("a").cast(note("child"))
        await trio.sleep_forever()

    receiver = desk.agent(subscribe=("news",))

    @receiver.on("news")
    def news(state: Log, data: str) -> Log:
        return evolve(state, seen=(*state.seen, data))

    async with trido.open_runtime(executors={Ring: ring}) as rt:
        RUNTIME[:] = [rt]
        a = await rt.start_agent(receiver, id="a")
        spec = made.spec(id="b", runtime=rt, children=(trido.ChildSpec(child, id="child"),))
        async with trido.open_supervisor(spec) as sup:
            b = sup[spec].value
            await b.cast(trido.Signal("turn"))
            await b.cast(trido.Signal("plain"))
            await b.cast(do(Ring(), trido.Run(send, {}, ok="note")))
            rt.close_intake()
            await rt.drain()
            await trio.sleep(2)
            assert b.state().seen == ("do", "run's result")
        await settle()
        assert sorted(a.state().seen) == sorted(
            [
                *("turn", "published", "plain turn", "executor", "run calls", "run casts"),
                *("child", "lifespan"),
            ]
        )
        assert rt.find("started") is not None
        assert len(rt.dead_letters) == 0


async def test_the_agents_of_another_runtime_are_outside() -> None:
    made = desk.agent("made")

    @made.on("send")
    async def send_there(state: Log, data: Any) -> Log:
        with pytest.raises(trido.IntakeClosed):
            await RUNTIME[0].agent("a").call(note("1"))
        return state

    async with trido.open_runtime() as rt, trido.open_runtime() as other:
        RUNTIME[:] = [rt]
        await rt.start_agent(desk.agent(), id="a")
        ref = await other.start_agent(made, id="a")
        rt.close_intake()
        await ref.call(trido.Signal("send"))


# Draining ----------------------------------------------------------------------------------------


@played
async def test_drain_waits_for_every_mailbox() -> None:
    async with trido.open_runtime() as rt:
        refs = [await rt.start_agent(busy(), id=id) for id in "ab"]
        for ref in refs:
            for seconds in (1.0, 2.0):
                await ref.cast(sleep(seconds))
        rt.close_intake()
        await rt.drain()
        assert trio.current_time() == 3.0
        assert [ref.state().seen for ref in refs] == [("slept 1.0", "slept 2.0")] * 2
        assert len(rt.dead_letters) == 0


async def test_drain_returns_at_once_when_nothing_is_left_to_do() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        await rt.drain()
        await ref.call(do(trido.Schedule(60.0, note("later"))))
        await rt.drain()
        assert trio.current_time() == 0


async def test_drain_waits_for_runs_and_what_they_lead_to() -> None:
    @trido.action("wait")
    async def wait(data: dict[str, str]) -> float:
        await trio.sleep(1)
        return 2.0

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(busy(runs=1), id="a")
        await ref.call(do(*[trido.Run(wait, {}, ok="sleep")] * 2))
        await rt.drain()
        assert ref.state().seen == ("do", "slept 2.0", "slept 2.0")
        assert trio.current_time() == 5.0


async def test_drain_waits_for_blocked_outboxes() -> None:
    async with trido.open_runtime() as rt:
        slow = await rt.start_agent(busy(mailbox=1), id="slow")
        fast = await rt.start_agent(desk.agent(), id="fast")
        await slow.cast(sleep(1.0))
        await settle()
        await fast.call(do(*[trido.Emit(sleep(1.0), to="slow")] * 3))
        assert fast.status().outbox == 2
        await rt.drain()
        assert trio.current_time() == 4.0
        assert len(slow.state().seen) == 4


async def test_drain_waits_for_executors_and_publishers() -> None:
    async def slowly(directive: Ring) -> None:
        await trio.sleep(2)

    async with trido.open_runtime(executors={Ring: slowly}) as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        with rt.subscribe("note", buffer=1, overflow="block") as signals:
            await ref.call(do(Ring(), trido.Emit(note("1")), trido.Emit(note("2"))))
            async with trio.open_nursery() as nursery:

                async def read() -> None:
                    await trio.sleep(3)
                    await anext(signals)

                nursery.start_soon(read)
                await rt.drain()
                assert trio.current_time() == 3.0


async def test_drain_waits_for_children_being_started() -> None:
    slow = desk.agent("slow")

    @slow.lifespan
    async def life(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        await trio.sleep(2)
        yield

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        await ref.call(do(trido.SpawnAgent(slow, "kid")))
        await rt.drain()
        assert trio.current_time() == 2.0
        assert rt.agent("a/kid").status().state == "running"


async def test_drain_waits_for_restarts_that_have_something_to_serve() -> None:
    async with trido.open_runtime() as rt:
        backoff = trido.Backoff(min=3.0, jitter=0.0)
        ref = await rt.start_agent(desk.agent(), id="a", backoff=backoff)
        for signal in (boom(), boom(), note("1")):
            await ref.cast(signal)
        await rt.drain()
        assert trio.current_time() == 3.0
        assert ref.state().seen == ("1",)


@pytest.mark.parametrize("how", ["park", "stop", "withdraw", "crash"])
async def test_drain_does_not_wait_for_what_nobody_will_do(how: str) -> None:
    made = busy()

    @made.on("hang")
    async def hang(state: Log, data: None) -> Log:
        await trio.sleep(1)
        raise Boom

    async with trido.open_runtime() as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(made, id="a", backoff=None)
        scope = trio.CancelScope()

        async def call() -> None:
            with scope:
                await ref.call(note("call"))

        if how == "crash":
            await ref.cast(trido.Signal("hang"))
        else:
            await ref.cast(sleep(1.0))
        await settle()
        if how == "park":
            for _ in range(4):
                ref.cast_nowait(boom())
            ref.cast_nowait(note("1"))
        elif how == "withdraw":
            nursery.start_soon(call)
        await settle()
        async with trio.open_nursery() as waiting:
            waiting.start_soon(rt.drain)
            await settle()
            if how == "stop":
                await ref.stop()
            elif how == "withdraw":
                scope.cancel()
        assert trio.current_time() == (0 if how == "stop" else 1)


async def test_what_a_parked_agent_has_not_done_holds_up_nobody() -> None:
    async with trido.open_runtime() as rt:
        made = desk.agent("made")
        started: list[float] = []

        @made.on_start
        def on_start(state: Log, turn: trido.Turn) -> Log:
            started.append(trio.current_time())
            if len(started) > 1:
                raise Boom
            return state

        @trido.action("never")
        async def never(data: dict[str, str]) -> None:
            await trio.sleep_forever()

        ref = await rt.start_agent(made, id="a", backoff=None, runs=1)
        slow = desk.agent("slow")

        @slow.lifespan
        async def life(it: trido.AgentRef[Log]) -> AsyncGenerator[None]:
            await trio.sleep(60)
            yield

        run = trido.Run(never, {})
        await ref.call(do(run, run, trido.SpawnAgent(slow, "kid")))
        await ref.cast(boom())
        await settle()
        assert ref.status().state == "parked"
        assert (ref.status().runs, ref.status().outbox) == (1, 1)
        await rt.drain()
        assert trio.current_time() == 0


@played
async def test_two_drains_at_once_and_one_that_is_cancelled() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(busy(), id="a")
        await ref.cast(sleep(2.0))
        ends: list[float] = []

        async def drain(patience: float) -> None:
            with trio.move_on_after(patience):
                await rt.drain()
            ends.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            for patience in (1.0, 9.0, 9.0):
                nursery.start_soon(drain, patience)
                await settle()
        assert ends == [1.0, 2.0, 2.0]
        assert rt.env.drain is None


async def test_all_drains_cancelled_leave_nothing_behind() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(busy(), id="a")
        await ref.cast(sleep(9.0))
        with trio.move_on_after(1):
            await rt.drain()
        assert rt.env.drain is None


async def test_drain_is_over_when_all_are_idle_at_one_moment() -> None:
    """One is idle first, and is sent something again by the other."""
    async with trido.open_runtime() as rt:
        a = await rt.start_agent(busy(), id="a")
        b = await rt.start_agent(busy(), id="b")
        await a.cast(sleep(1.0))
        await b.cast(sleep(2.0))
        await b.cast(do(trido.Emit(sleep(3.0), to="a")))
        await rt.drain()
        assert trio.current_time() == 5.0


async def test_agents_anywhere_in_a_tree_are_waited_for() -> None:
    async with trido.open_runtime() as rt:
        spec = busy().spec(id="a", runtime=rt)
        async with trido.open_supervisor(spec) as sup:
            await sup[spec].value.cast(sleep(1.0))
            await rt.drain()
            assert trio.current_time() == 1.0


async def test_a_turn_cannot_wait_for_its_own_end() -> None:
    made = desk.agent("made")

    @made.on("drain")
    async def drain(state: Log, data: None) -> Log:
        with pytest.raises(trido.DeadlockError, match="its own turn"):
            await RUNTIME[0].drain()
        await RUNTIME[1].drain()
        return state

    async with trido.open_runtime() as rt, trido.open_runtime() as other:
        RUNTIME[:] = [rt, other]
        ref = await rt.start_agent(made, id="a")
        await ref.call(trido.Signal("drain"))
