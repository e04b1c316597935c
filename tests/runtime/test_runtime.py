"""Runtimes: who knows whom, what ends with what, and how a runtime is."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import pytest
import trio
from attrs import frozen

import trido
from tests.conformance.kit import played
from tests.runtime import desk
from tests.runtime.cancelling import CANCEL, Trial, at_every_step
from tests.runtime.desk import Boom, Log, boom, do, note, reasons, settle
from trido import testing


@frozen
class Mine(trido.Directive):
    """A directive of one's own."""


def hanging(events: list[str]) -> trido.Agent[Log]:
    """An agent that does not end before it is killed."""
    made = desk.agent("hanging")

    @made.lifespan
    async def life(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        try:
            yield
            await trio.sleep_forever()
        finally:
            events.append(ref.id)

    return made


# Agents ------------------------------------------------------------------------------------------


async def test_agents_are_found_by_their_ids() -> None:
    async with trido.open_runtime() as rt:
        a = await rt.start_agent(desk.agent(), id="a")
        b = await rt.start_agent(desk.agent(), id="b")
        assert rt.agents() == (a, b)
        assert (rt.agent("a"), rt.find("b"), rt.find("c")) == (a, b, None)
        with pytest.raises(trido.NoSuchAgent, match="'c' has ended, or never was"):
            rt.agent("c")
        assert repr(rt) == "<trido.Runtime 'runtime': 2 agents>"
        await a.call(do(trido.Emit(note("hello"), to="b")))
        await settle()
        assert b.state().seen == ("hello",)


async def test_a_ref_stays_valid_across_restarts_and_tells_the_run() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        await ref.cast(boom())
        await settle()
        assert rt.agent("a") is ref
        assert ref.incarnation == 2
        assert await ref.call(note("1")) == Log(("1",))


async def test_under_a_plain_supervisor_a_ref_ends_with_its_place() -> None:
    async with trido.open_supervisor() as sup:
        child = await sup.start_child(desk.agent().spec(id="a"))
        await sup.stop_child("a")
        await sup.delete_child("a")
        again = await sup.start_child(desk.agent().spec(id="a"))
        assert again.value is not child.place.ref  # type: ignore[attr-defined]
        with pytest.raises(trido.NoSuchAgent):
            await child.place.ref.call(note("1"))  # type: ignore[attr-defined]


async def test_any_number_of_runtimes_know_nothing_of_each_other() -> None:
    async with trido.open_runtime() as one, trido.open_runtime(id="two") as two:
        a = await one.start_agent(desk.agent(subscribe=("note",)), id="a")
        b = await two.start_agent(desk.agent(), id="a")
        await two.start_agent(desk.agent(), id="b")
        await one.publish(note("1"))
        await a.call(do(trido.Emit(note("2"), to="b")))
        await settle()
        assert (a.state().seen, b.state().seen) == (("1", "do"), ())
        assert reasons(a) == [("2", trido.NoSuchAgent)]
        assert (len(one.dead_letters), len(two.dead_letters)) == (1, 0)


@played
async def test_one_agent_s_storm_ends_in_its_own_parking() -> None:
    async with trido.open_runtime() as rt:
        bad = await rt.start_agent(desk.agent(), id="bad", backoff=None)
        good = await rt.start_agent(desk.agent(), id="good")
        for text in ("1", "2", "3", "4", "5"):
            bad.cast_nowait(boom())
            await good.call(note(text))
        await settle()
        assert bad.status().state == "parked"
        assert (good.incarnation, len(good.state().seen)) == (1, 5)
        with pytest.raises(trido.AgentParked):
            await bad.call(note("1"))
        assert rt.health().parked == 1
        await bad.revive()
        assert await bad.call(note("1")) == Log(("1",))
        assert rt.health().parked == 0


async def test_restarts_are_spread_by_a_backoff() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        for _ in range(3):
            ref.cast_nowait(boom())
        await settle()
        assert ref.status().state == "restarting"
        await trio.sleep(1)
        assert ref.incarnation == 4


async def test_a_failing_start_is_its_caller_s_affair_alone() -> None:
    bad = desk.agent("bad")

    @bad.on_start
    def start(state: Log, turn: trido.Turn) -> Log:
        raise Boom

    async with trido.open_runtime() as rt:
        good = await rt.start_agent(desk.agent(), id="good")
        for _ in range(9):
            with pytest.raises(trido.StartFailed) as caught:
                await rt.start_agent(bad, id="bad")
            assert isinstance(caught.value.__cause__, Boom)
        assert rt.agents() == (good,)
        await good.call(note("1"))


async def test_a_block_is_left_with_agents_parked() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a", backoff=None)
        for _ in range(4):
            ref.cast_nowait(boom())
        await settle()
        assert ref.status().state == "parked"
    with pytest.raises(trido.NoSuchAgent):
        ref.state()


async def test_what_a_parked_agent_has_not_done_is_a_dead_letter_in_the_end() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a", backoff=None)
        with rt.subscribe("note", buffer=1, overflow="block"):
            await ref.call(do(trido.Emit(note("1")), trido.Emit(note("2"))))
            for _ in range(4):
                ref.cast_nowait(boom())
            await settle()
            assert (ref.status().state, ref.status().outbox) == ("parked", 1)
            rt.supervisor.stop()
            await rt.supervisor.wait()
            assert [type(letter.directive) for letter in ref.dead_letters][-1:] == [trido.Emit]
        assert ref.status().outbox == 0


async def test_a_supervisor_is_left_with_agents_parked() -> None:
    spec = desk.agent().spec(id="a", on_limit="park")
    async with trido.open_supervisor(spec, max_restarts=0) as sup:
        ref = sup[spec].value
        await ref.cast(boom())
        waits: list[str] = []

        async def wait() -> None:
            with pytest.raises(trido.NoSuchAgent):
                await ref.wait_for(lambda state: state.seen)
            waits.append("told")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await settle()
            assert ref.status().state == "parked"
            sup.stop()
        assert waits == ["told"]


async def test_start_agent_takes_the_options_of_a_spec() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a", restart="temporary", mailbox=1)
        assert ref.place.settings.mailbox == 1
        await ref.cast(boom())
        await settle()
        assert rt.agents() == ()
        with pytest.raises(trido.SpecError, match="mailbox"):
            await rt.start_agent(desk.agent(), id="a", mailbox=0)
        with pytest.raises(trido.SpecError, match=r"a trido\.Agent"):
            await rt.start_agent("a", id="a")  # type: ignore[arg-type]


async def test_what_a_closed_runtime_says() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        assert rt.health().live
    with pytest.raises(trido.SupervisorStopped):
        await rt.start_agent(desk.agent(), id="b")
    with pytest.raises(trido.NoSuchAgent):
        await ref.call(note("1"))
    assert rt.agents() == ()
    assert (await rt.monitor(ref).wait()).reason == "noproc"
    await ref.stop()
    rt.stop_soon(ref.place)
    await rt.drain()
    with pytest.raises(trido.SupervisorStopped):
        await rt.publish(note("nobody hears"))
    health = rt.health()
    assert (health.live, health.ready, health.draining) == (False, False, False)


# Anywhere in a tree ------------------------------------------------------------------------------


async def test_an_agent_of_a_runtime_can_stand_anywhere_in_a_tree() -> None:
    async with trido.open_runtime() as rt:
        a = await rt.start_agent(desk.agent(), id="a")
        spec = desk.agent(subscribe=("note",)).spec(id="b", runtime=rt)
        inner = trido.SupervisorSpec(spec, id="inner", max_restarts=9)
        async with trido.open_supervisor(inner) as sup:
            sup_inner = sup["inner"].value
            b = sup_inner[spec].value
            assert rt.agents() == (a, b)
            await a.call(do(trido.Emit(note("1"), to="b")))
            await b.call(do(trido.Emit(note("2"), to="a")))
            await rt.publish(note("3"))
            await settle()
            assert (a.state().seen, b.state().seen) == (("do", "2"), ("1", "do", "3"))
            await b.cast(boom())
            await settle()
            assert (rt.agent("b"), b.incarnation) == (b, 2)
            await sup_inner.stop_child("b")
            assert rt.find("b") is None
            assert (await sup_inner.restart_child("b")).value is rt.agent("b")
            await rt.publish(note("4"))
            await settle()
            assert b.state().seen == ("4",)
        assert rt.agents() == (a,)


async def test_it_may_outlive_its_runtime() -> None:
    async with trio.open_nursery() as nursery:
        async with trido.open_runtime() as rt:
            await rt.start_agent(desk.agent(), id="a")
            spec = desk.agent(subscribe=("note",)).spec(id="b", runtime=rt)
            tree = await nursery.start(trido.supervise, trido.SupervisorSpec(spec))
        b = tree["b"].value
        assert rt.agents() == (b,)
        await b.call(do(trido.Emit(note("1"), to="a"), trido.Emit(note("2"))))
        await settle()
        assert reasons(b) == [("1", trido.NoSuchAgent)]
        await b.cast(boom())
        await settle()
        assert await b.call(note("3")) == Log(("3",))
        tree.stop()
    assert rt.agents() == ()


# Alone -------------------------------------------------------------------------------------------


async def test_alone_an_agent_is_whole_and_knows_nobody_by_name() -> None:
    async with trido.open_supervisor(desk.agent(subscribe=("note",)).spec(id="a")) as sup:
        await sup.start_child(desk.agent().spec(id="b"))
        a, b = sup["a"].value, sup["b"].value
        await a.call(
            do(
                trido.Emit(note("by name"), to="b"),
                trido.Emit(note("to all")),
                trido.Emit(note("by ref"), to=b),
                trido.Schedule(1.0, note("timer")),
                trido.SpawnAgent(desk.agent(), "kid"),
            )
        )
        await trio.sleep(2)
        assert a.state().seen == ("do", "timer")
        assert b.state().seen == ("by ref",)
        assert reasons(a) == [("by name", trido.NoSuchAgent)]
        assert a.status().children == 1


def test_alone_durability_is_refused_at_the_spec() -> None:
    with pytest.raises(trido.SpecError, match="durability"):
        desk.agent(durability="sync").spec(id="a")


# The block ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Boom(), KeyboardInterrupt(), SystemExit()])
async def test_what_the_body_raises_leaves_the_block_once_all_have_ended(
    error: BaseException,
) -> None:
    kept: list[tuple[trido.Runtime, trido.AgentRef[Any]]] = []
    with pytest.raises(type(error)) as caught:
        async with trido.open_runtime() as opened:
            kept.append((opened, await opened.start_agent(desk.agent(), id="a")))
            raise error
    ((rt, ref),) = kept
    assert caught.value is error
    assert rt.agents() == ()
    assert ref.status().state == "removed"


async def test_a_cancelled_block_ends_in_order() -> None:
    events: list[str] = []
    made = desk.agent()

    @made.on_stop
    def stop(state: Log, turn: trido.Turn) -> Log:
        events.append("stopped")
        return state

    with trio.move_on_after(1) as scope:
        async with trido.open_runtime() as rt:
            await rt.start_agent(made, id="a")
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert events == ["stopped"]


async def test_a_block_that_is_entered_cancelled_starts_nothing() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        async with trido.open_runtime():
            raise AssertionError("it was entered")
    assert scope.cancelled_caught


@pytest.mark.real_time
async def test_an_interrupt_stops_the_agents_and_leaves_the_block() -> None:
    kept: list[tuple[trido.Runtime, trido.AgentRef[Any]]] = []
    with pytest.raises(KeyboardInterrupt):
        async with trido.open_runtime() as opened:
            kept.append((opened, await opened.start_agent(desk.agent(), id="a")))
            signal.raise_signal(signal.SIGINT)
            await trio.sleep_forever()
    ((rt, ref),) = kept
    assert ref.status().state == "removed"
    assert not rt.health().live


async def test_what_is_no_exception_in_an_agent_leaves_the_block() -> None:
    error = KeyboardInterrupt()
    kept: list[trido.Runtime] = []
    with pytest.raises(KeyboardInterrupt) as caught:
        async with trido.open_runtime() as opened:
            kept.append(opened)
            await opened.start_agent(desk.agent(), id="good")
            ref = await opened.start_agent(desk.agent(), id="a")
            with pytest.raises(trido.AgentCrashed):
                await ref.call(boom(error))
            await trio.sleep_forever()
    (rt,) = kept
    assert caught.value is error
    assert rt.agents() == ()


async def test_hanging_agents_are_given_one_grace_together() -> None:
    events: list[str] = []
    async with trido.open_runtime() as rt:
        for id in "abc":
            await rt.start_agent(hanging(events), id=id, shutdown=3.0)
    assert trio.current_time() == 3.0
    assert sorted(events) == ["a", "b", "c"]


def test_nothing_is_left_running() -> None:
    async def main() -> None:
        before = trio.lowlevel.current_statistics().tasks_living
        async with trido.open_runtime() as rt:
            a = await rt.start_agent(desk.agent(mailbox=1), id="a")
            b = await rt.start_agent(hanging([]), id="b")
            await a.call(do(trido.Schedule(60.0, note("later")), trido.Monitor(b)))
            with rt.subscribe("**"):
                await rt.publish(note("1"))
        assert trio.lowlevel.current_statistics().tasks_living == before

    testing.run(main)


def noting(log: list[Any]) -> trido.Agent[Log]:
    """An agent that notes when its runs begin and are over."""
    made = desk.agent("noting")

    @made.lifespan
    async def life(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        log.append(("+", ref.id))
        try:
            await trio.lowlevel.checkpoint()
            yield
        finally:
            log.append(("-", ref.id))

    return made


def test_cancelled_at_any_step_it_ends_in_order() -> None:
    """Whatever the caller is at: each agent that was begun ends once, children before parents."""

    def trial() -> Trial:
        log: list[Any] = []
        kid, made = noting(log), noting(log)

        async def main() -> None:
            async with trido.open_runtime() as rt:
                ref = await rt.start_agent(made, id="a")
                await ref.call(do(trido.SpawnAgent(kid, "kid")))
                await rt.drain()
                with rt.subscribe("note") as notes:
                    await ref.call(do(trido.Emit(note("1"))))
                    await anext(notes)
                monitor = rt.monitor(ref)
                await ref.stop()
                await monitor.wait()

        def check() -> None:
            told = [one for one in log if one != CANCEL]
            began = [id for what, id in told if what == "+"]
            ended = [id for what, id in told if what == "-"]
            assert ended == began[::-1]

        return main, log, check

    assert at_every_step(trial) > 20


async def test_what_a_runtime_is_not_opened_with() -> None:
    named = desk.agent("a")
    wrong: tuple[dict[str, Any], ...] = (
        {"agents": (named, desk.agent("a"))},
        {"agents": ("a",)},
        {"executors": {int: print}},
        {"executors": {trido.Stop: print}},
        {"executors": {Mine: print}},
        {"dispatch": {"": print}},
        {"clock": 3},
        {"watchdog": 0},
        {"watchdog": "soon"},
        {"id": ""},
    )
    for given in wrong:
        with pytest.raises(trido.SpecError):
            trido.open_runtime(**given)
    trido.open_runtime(agents=(named,), id="fine")


async def test_the_clock_of_a_runtime_is_what_its_turns_see() -> None:
    made = desk.agent()
    seen: list[datetime] = []

    @made.on("look")
    def look(state: Log, data: None, turn: trido.Turn) -> Log:
        seen.append(turn.now)
        return state

    then = datetime(2020, 2, 29, tzinfo=UTC)
    async with trido.open_runtime(clock=lambda: then) as rt:
        ref = await rt.start_agent(made, id="a")
        await ref.call(trido.Signal("look"))
    assert seen == [then]


# Health ------------------------------------------------------------------------------------------


async def test_health_tells_live_ready_and_draining() -> None:
    busy = desk.agent("busy")

    @busy.on("busy")
    async def on_busy(state: Log, data: None) -> Log:
        await trio.sleep(1)
        return state

    def how(rt: trido.Runtime) -> tuple[Any, ...]:
        health = rt.health()
        return health.live, health.ready, health.draining, health.agents, health.busy

    async with trido.open_runtime() as rt:
        assert how(rt) == (True, True, False, 0, 0)
        ref = await rt.start_agent(busy, id="a")
        await ref.cast(trido.Signal("busy"))
        assert how(rt) == (True, True, False, 1, 1)
        rt.close_intake()
        assert how(rt) == (True, False, True, 1, 1)
        await rt.drain()
        assert how(rt) == (True, False, False, 1, 0)
        rt.supervisor.stop()
        await rt.supervisor.wait()
        assert how(rt) == (False, False, False, 0, 0)


async def test_a_tree_shows_agents_and_their_children() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="p")
        await ref.call(do(trido.SpawnAgent(desk.agent(), "kid")))
        await settle()
        assert rt.tree().splitlines() == [
            "runtime [dynamic]",
            "└── p running (run 1)",
            "    └── p/kid running (run 1)",
        ]
