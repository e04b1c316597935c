"""Monitors and links: who is told of the end of a run, and who ends with it."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from attrs import evolve

import trido
from tests.conformance.kit import played
from tests.runtime import desk
from tests.runtime.desk import Boom, Log, boom, do, note, reasons, settle
from trido.agents import Address


def watcher(name: str = "watcher", **settings: Any) -> trido.Agent[Log]:
    """An agent that notes what monitors and links tell it."""
    made = desk.agent(name, **settings)

    @made.on("agent.down")
    def down(state: Log, data: trido.Down) -> Log:
        return evolve(state, seen=(*state.seen, f"{data.id} {data.reason} {data.incarnation}"))

    @made.on("agent.exit")
    def left(state: Log, data: trido.Down) -> Log:
        return evolve(state, seen=(*state.seen, f"exit {data.id} {data.reason}"))

    return made


def told(ref: trido.AgentRef[Log]) -> list[str]:
    return [one for one in ref.state().seen if one != "do"]


class Nowhere(Address):
    """The address of an agent that there is not."""

    @property
    def id(self) -> str:
        return "nobody"


# Monitors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "reason"),
    [("stop", "stopped"), ("Stop", "normal"), ("boom", "crashed"), ("Shutdown", "normal")],
)
async def test_a_monitor_tells_how_the_run_ended(how: str, reason: str) -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        me = await rt.start_agent(watcher(), id="me")
        await me.call(do(trido.Monitor(ref)))
        monitor = rt.monitor(ref)
        assert monitor.down is None
        match how:
            case "stop":
                await ref.stop()
            case "Stop":
                await ref.cast(do(trido.Stop()))
            case "boom":
                await ref.cast(boom())
            case _:
                await ref.cast(boom(trido.Shutdown()))
        told_of = await monitor.wait()
        await settle()
        assert (told_of.id, told_of.incarnation, told_of.reason) == ("a", 1, reason)
        assert monitor.down is told_of
        assert told(me) == [f"a {reason} 1"]
        assert ("Boom" in (told_of.error or "")) is (how == "boom")


async def test_a_monitor_takes_a_ref() -> None:
    async with trido.open_runtime() as rt:
        with pytest.raises(TypeError, match="takes the ref of an agent: 'x'"):
            rt.monitor("x")  # type: ignore[arg-type]  # wrong on purpose


async def test_a_killed_run_is_told_of_as_killed() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a", shutdown=trido.BRUTAL_KILL)
        monitor = rt.monitor(ref)
        await ref.stop()
        assert (await monitor.wait()).reason == "killed"


@played
async def test_a_monitor_tells_once_and_then_is_spent() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a", backoff=None)
        me = await rt.start_agent(watcher(), id="me")
        await me.call(do(trido.Monitor(ref), trido.Monitor(ref)))
        for _ in range(2):
            await ref.cast(boom())
            await settle()
        assert told(me) == ["a crashed 1"]
        await me.call(do(trido.Monitor(ref)))
        await ref.cast(boom())
        await settle()
        assert told(me) == ["a crashed 1", "a crashed 3"]


@played
async def test_every_run_is_told_of_once_even_if_it_never_was_ready() -> None:
    made = desk.agent()
    runs: list[int] = []

    @made.on_start
    async def start(state: Log, turn: trido.Turn) -> Log:
        runs.append(len(runs))
        await trio.sleep(1)
        if runs[-1] == 1:
            raise Boom
        return state

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(made, id="a", backoff=None)
        first = rt.monitor(ref)
        await ref.cast(boom())
        await settle()
        second = rt.monitor(ref)
        with trio.fail_after(1.5):
            assert (await first.wait()).incarnation == 1
            # It is told when that run ends, not when the next one is ready.
            assert (await second.wait()).incarnation == 2
        third = rt.monitor(ref)
        await trio.sleep(2)
        assert (ref.incarnation, third.down) == (3, None)


async def test_noproc_is_told_at_once() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a", backoff=None)
        me = await rt.start_agent(watcher(), id="me")
        for _ in range(4):
            await ref.cast(boom())
        await settle()
        assert ref.status().state == "parked"
        assert (await rt.monitor(ref).wait()).reason == "noproc"
        await ref.stop()
        assert rt.monitor(ref).down == trido.Down("a", 4, "noproc")
        await me.call(do(trido.Monitor(ref), trido.Monitor(Nowhere())))
        await settle()
        assert told(me) == ["a noproc 4", "nobody noproc 0"]


async def test_by_the_time_a_monitor_tells_all_is_in_place() -> None:
    async with trido.open_runtime() as rt:
        spec = desk.agent().spec(id="a", runtime=rt)
        inner = trido.SupervisorSpec(spec, id="inner", max_restarts=0, restart="temporary")
        async with trido.open_supervisor(inner) as sup:
            ref = sup["inner"].value["a"].value
            monitor = rt.monitor(ref)
            await ref.cast(boom())
            # Its supervisor gives up: the crash is the end of the agent.
            assert (await monitor.wait()).reason == "crashed"
            assert rt.find("a") is None
            with pytest.raises(trido.NoSuchAgent):
                await ref.call(note("1"))


async def test_who_does_not_monitor_any_more_is_told_nothing() -> None:
    async with trido.open_runtime() as rt:
        a = await rt.start_agent(desk.agent(), id="a")
        b = await rt.start_agent(desk.agent(), id="b")
        me = await rt.start_agent(watcher(), id="me")
        await me.call(do(trido.Monitor(a), trido.Monitor(b)))
        await me.call(do(trido.Demonitor(a), trido.Demonitor(me)))
        await a.stop()
        await b.stop()
        await settle()
        assert told(me) == ["b stopped 1"]
        assert len(me.place.watching.watchers) == 0


async def test_flush_withdraws_what_is_queued_and_not_what_is_seen() -> None:
    busy = watcher("busy")

    @busy.on("busy")
    async def on_busy(state: Log, data: None) -> Log:
        await trio.sleep(1)
        return state

    async with trido.open_runtime() as rt:
        a = await rt.start_agent(desk.agent(), id="a")
        me = await rt.start_agent(busy, id="me")
        await me.call(do(trido.Monitor(a)))
        me.cast_nowait(trido.Signal("busy"))
        me.cast_nowait(do(trido.Demonitor(a, flush=True)))
        await settle()
        await a.stop()
        assert me.status().queued == 2
        await trio.sleep(2)
        assert told(me) == []
        await me.call(do(trido.Demonitor(a, flush=True)))
        assert reasons(me) == []


async def test_monitors_end_with_the_run_that_made_them_and_what_they_told_stays() -> None:
    busy = watcher("busy", recover="committed")

    @busy.on("busy")
    async def on_busy(state: Log, data: None) -> Log:
        await trio.sleep(1)
        raise Boom

    async with trido.open_runtime() as rt:
        a = await rt.start_agent(desk.agent(), id="a")
        b = await rt.start_agent(desk.agent(), id="b")
        c = await rt.start_agent(desk.agent(), id="c")
        me = await rt.start_agent(busy, id="me")
        await me.call(do(trido.Monitor(a), trido.Monitor(b), trido.Monitor(c)))
        me.cast_nowait(trido.Signal("busy"))
        me.cast_nowait(do(trido.Demonitor(a, flush=True)))
        await settle()
        await a.stop()
        await b.stop()
        await trio.sleep(2)
        await c.stop()
        await settle()
        assert told(me) == ["b stopped 1"]


async def test_a_monitor_of_an_agent_without_a_route_for_it_is_a_dead_letter() -> None:
    async with trido.open_runtime() as rt:
        a = await rt.start_agent(desk.agent(), id="a")
        me = await rt.start_agent(desk.agent(), id="me")
        await me.call(do(trido.Monitor(a)))
        await a.stop()
        await settle()
        (letter,) = me.dead_letters
        assert letter.signal is not None
        assert (letter.signal.type, type(letter.reason)) == ("agent.down", trido.NoRoute)
        assert len(me.place.watching.watchers) == 0


async def test_one_task_waits_for_a_monitor_and_may_be_cancelled() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        monitor = rt.monitor(ref)
        with trio.move_on_after(1):
            await monitor.wait()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(monitor.wait)
            await settle()
            with pytest.raises(RuntimeError, match="another task"):
                await monitor.wait()
            await ref.stop()
        assert (await monitor.wait()).reason == "stopped"


async def test_who_waits_for_a_monitor_that_is_given_up_is_told() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        monitor = rt.monitor(ref)

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await monitor.wait()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await settle()
            monitor.demonitor()
        await ref.stop()
        assert monitor.down is None
        with pytest.raises(trio.ClosedResourceError):
            await monitor.wait()
        spent = rt.monitor(ref)
        spent.demonitor()
        assert (await spent.wait()).reason == "noproc"
        spent.demonitor(flush=True)
        assert spent.down is None


# Links -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["a", "b"])
async def test_a_link_ends_either_run_when_the_other_crashes(first: str) -> None:
    async with trido.open_runtime() as rt:
        a = await rt.start_agent(desk.agent(), id="a")
        b = await rt.start_agent(desk.agent(), id="b")
        await a.call(do(trido.Link(b)))
        monitors = {ref.id: rt.monitor(ref) for ref in (a, b)}
        await rt.agent(first).cast(boom())
        await settle()
        downs = {id: monitor.down for id, monitor in monitors.items()}
        other = downs["b" if first == "a" else "a"]
        assert other is not None
        assert other.reason == "crashed"
        assert "LinkedExit" in (other.error or "")
        assert "Boom" in (other.error or "")
        # It was about those runs.
        await a.cast(boom())
        await trio.sleep(1)
        assert (a.incarnation, b.incarnation) == (3, 2)


@pytest.mark.parametrize("how", ["stop", "Stop", "Shutdown"])
async def test_an_orderly_end_does_not_spread(how: str) -> None:
    async with trido.open_runtime() as rt:
        a = await rt.start_agent(desk.agent(), id="a")
        b = await rt.start_agent(desk.agent(trap_exits=True), id="b")
        c = await rt.start_agent(desk.agent(), id="c")
        await a.call(do(trido.Link(b), trido.Link(c), trido.Link(a)))
        if how == "stop":
            await a.stop()
        else:
            await a.cast(do(trido.Stop()) if how == "Stop" else boom(trido.Shutdown()))
        await settle()
        assert [ref.id for ref in rt.agents()] == ["b", "c"]
        assert (b.incarnation, c.incarnation, b.state().seen) == (1, 1, ())


async def test_a_kill_spreads() -> None:
    async with trido.open_runtime() as rt:
        a = await rt.start_agent(desk.agent(), id="a", shutdown=trido.BRUTAL_KILL)
        b = await rt.start_agent(desk.agent(), id="b")
        await b.call(do(trido.Link(a)))
        await a.stop()
        await settle()
        assert b.incarnation == 2


@played
async def test_an_agent_that_traps_exits_is_told_and_lives() -> None:
    async with trido.open_runtime() as rt:
        a = await rt.start_agent(desk.agent(), id="a")
        me = await rt.start_agent(watcher(trap_exits=True), id="me")
        await me.call(do(trido.Link(a), trido.Link(Nowhere())))
        await a.cast(boom())
        await settle()
        assert sorted(told(me)) == ["exit a crashed", "exit nobody noproc"]
        assert me.incarnation == 1


async def test_a_link_with_a_run_that_there_is_not_ends_this_one() -> None:
    async with trido.open_runtime() as rt:
        a = await rt.start_agent(desk.agent(), id="a")
        b = await rt.start_agent(desk.agent(), id="b")
        await a.stop()
        for ref in (a, Nowhere()):
            monitor = rt.monitor(b)
            await b.call(do(trido.Link(ref)))
            assert "noproc" in str((await monitor.wait()).error)
            await settle()


@played
async def test_chains_and_circles_of_links_end_once_each() -> None:
    async with trido.open_runtime() as rt:
        refs = [await rt.start_agent(desk.agent(), id=id) for id in "abcd"]
        a, b, c, _ = refs
        await a.call(do(trido.Link(b)))
        await b.call(do(trido.Link(c)))
        await c.call(do(trido.Link(a)))
        await c.call(do(trido.Link(refs[3])))
        monitors = [rt.monitor(ref) for ref in refs]
        await b.cast(boom())
        await trio.sleep(1)
        assert [monitor.down and monitor.down.incarnation for monitor in monitors] == [1] * 4
        assert [ref.incarnation for ref in refs] == [2] * 4


async def test_a_link_interrupts_the_turn_in_progress() -> None:
    busy = desk.agent("busy")

    @busy.on("busy")
    async def on_busy(state: Log, data: None) -> Log:
        await trio.sleep_forever()
        return state

    async with trido.open_runtime() as rt:
        a = await rt.start_agent(desk.agent(), id="a")
        me = await rt.start_agent(busy, id="me")
        await me.call(do(trido.Link(a)))
        async with trio.open_nursery() as nursery:

            async def call() -> None:
                with pytest.raises(trido.AgentCrashed) as caught:
                    await me.call(trido.Signal("busy"))
                assert isinstance(caught.value.__cause__, trido.LinkedExit)
                assert caught.value.__cause__.id == "a"

            nursery.start_soon(call)
            await settle()
            await a.cast(boom())
        assert trio.current_time() == 0


async def test_links_and_monitors_of_agents_alone() -> None:
    a, me = desk.agent().spec(id="a"), watcher(trap_exits=True).spec(id="me")
    async with trido.open_supervisor(a, me) as sup:
        ref = sup[me].value
        await ref.call(do(trido.Monitor(sup[a].value), trido.Link(sup[a].value)))
        await sup[a].value.cast(boom())
        await settle()
        assert told(ref) == ["a crashed 1", "exit a crashed"]
