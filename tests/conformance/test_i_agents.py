"""Section I: agents; with C029."""

from __future__ import annotations

import traceback
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import trio

import trido
from tests.conformance.kit import played, run
from tests.conformance.stage import Log as Events
from tests.runtime import desk, slow
from tests.runtime.desk import Boom, Log, boom, do, note, reasons, settle
from tests.runtime.slow import awaits, finish, sleep
from trido import events


def test_C029_the_ref_outlives_the_run() -> None:
    async def scenario() -> None:
        async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
            ref = sup["a"].value
            await ref.call(note("before"))
            assert ref.incarnation == 1
            crash = desk.Boom()
            with pytest.raises(trido.AgentCrashed) as caught:
                await ref.call(boom(crash))
            assert caught.value.__cause__ is crash
            assert await ref.call(note("after")) == desk.Log(("after",))
            assert ref.incarnation == 2
            assert sup["a"].value is ref

    run(scenario)


@played
async def test_C029_a_monitor_taken_before_is_told_once() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a", backoff=None)
        before = rt.monitor(ref)
        crash = Boom()
        with pytest.raises(trido.AgentCrashed) as caught:
            await ref.call(boom(crash))
        assert caught.value.__cause__ is crash
        assert await ref.call(note("after")) == Log(("after",))
        assert ref.incarnation == 2
        down = await before.wait()
        assert (down.id, down.incarnation, down.reason) == ("a", 1, "crashed")
        after = rt.monitor(ref)
        with pytest.raises(trido.AgentCrashed):
            await ref.call(boom())
        assert (await after.wait()).incarnation == 2
        assert await before.wait() is down  # it is spent: the end of the second run is not told


@played
async def test_C128_a_caller_gives_up() -> None:
    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        tasks = trio.lowlevel.current_statistics().tasks_living
        with trio.move_on_after(1) as scope:
            await ref.call(sleep(2))
        assert (scope.cancelled_caught, trio.current_time()) == (True, 1)
        assert await ref.call(note("next")) == Log(("next",))
        assert trio.current_time() == 1
        await trio.sleep(9)
        assert ref.state() == Log(("next",))
        assert trio.lowlevel.current_statistics().tasks_living <= tasks + 1  # the dispatcher
        assert (ref.status().requests, reasons(ref)) == (0, [])


@played
async def test_C128_a_caller_gives_up_and_the_turn_finishes() -> None:
    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        tasks = trio.lowlevel.current_statistics().tasks_living
        with trio.move_on_after(1) as scope:
            await ref.call(finish(2))
        assert (scope.cancelled_caught, trio.current_time(), ref.state()) == (True, 1, Log())
        state = await ref.wait_for(lambda state: state != Log())
        assert (state, trio.current_time()) == (Log(("finished",)), 2)
        await settle()
        assert trio.lowlevel.current_statistics().tasks_living <= tasks + 1
        assert (ref.status().requests, reasons(ref)) == (0, [])


def test_C130_stop_without_a_reply() -> None:
    async def scenario() -> None:
        log = Events()
        spec = desk.agent().spec(id="a")
        async with trido.open_supervisor(spec, observers=[log]) as sup:
            ref = sup[spec].value
            assert await ref.call(do(trido.Stop())) == desk.Log(("do",))
            await sup["a"].wait_ended()
            await settle()
            assert (sup["a"].state, sup["a"].incarnation) == ("stopped", 1)
            assert log.lines == ["S a", "E a normal"]

    run(scenario)


@played
async def test_C130_stop_of_an_effectful_turn_without_a_reply() -> None:
    async def stop(turn: trido.Turn) -> Any:
        await trio.sleep(1)
        return [trido.Stop()]

    log = Events()
    async with trido.open_supervisor(slow.agent().spec(id="a"), observers=[log]) as sup:
        assert await sup["a"].value.call(awaits(stop)) == Log(("awaited",))
        await sup["a"].wait_ended()
        await settle()
        assert log.lines == ["S a", "E a normal"]


@played
async def test_C131_deferred_reply_and_a_second_one() -> None:
    made = desk.agent()

    @made.on("defer")
    def defer(state: Log, data: None, turn: trido.Turn) -> trido.Decision[Log]:
        return Log((str(turn.request),)), [trido.DeferReply()]

    answers: list[Any] = []

    async def ask(ref: trido.AgentRef[Log]) -> None:
        answers.append(await ref.call(trido.Signal("defer")))

    async with trido.open_supervisor(made.spec(id="a")) as sup, trio.open_nursery() as nursery:
        ref = sup["a"].value
        nursery.start_soon(ask, ref)
        await settle()
        assert answers == []
        (request,) = ref.state().seen
        await ref.call(do(trido.Reply("first", to=request)))
        await ref.call(do(trido.Reply("second", to=request)))
        await settle()
        assert answers == ["first"]
        assert (ref.status().requests, ref.status().late_replies) == (0, 1)


def test_C132_call_to_self() -> None:
    async def scenario() -> None:
        caller = trido.Agent("caller", state=desk.Log)
        refs: list[trido.AgentRef[desk.Log]] = []

        @caller.on("call")
        def call(state: desk.Log, data: None) -> trido.Decision[desk.Log]:
            # A plain function cannot await; this is as far as it gets.
            with pytest.raises(trido.DeadlockError, match="'a' calls itself"):
                refs[0].call(trido.Signal("call")).send(None)
            return desk.Log(("refused",))

        async with trido.open_supervisor(caller.spec(id="a")) as sup:
            refs.append(sup["a"].value)
            assert await refs[0].call(trido.Signal("call")) == desk.Log(("refused",))

    run(scenario)


@played
async def test_C132_call_to_self_in_an_effectful_turn() -> None:
    async def call_self(turn: trido.Turn) -> Any:
        with pytest.raises(trido.DeadlockError, match="'a' calls itself"):
            await ref.call(note("x"))
        return [trido.Reply("told")]

    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        assert await ref.call(awaits(call_self)) == "told"
        assert (trio.current_time(), ref.incarnation) == (0, 1)


def test_C133_call_and_cast_to_an_ended_agent() -> None:
    async def scenario() -> None:
        async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
            ref = sup["a"].value
            await sup.stop_child("a")
            with pytest.raises(trido.NoSuchAgent):
                await ref.call(note("call"))
            await ref.cast(note("cast"))
            ref.cast_nowait(note("cast_nowait"))
            assert [data for data, _ in reasons(ref)] == ["cast", "cast_nowait"]
        with pytest.raises(trido.NoSuchAgent):
            await ref.call(note("call"))

    run(scenario)


def test_C133_emitted_to_an_unknown_agent() -> None:
    async def scenario() -> None:
        async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
            ref = sup["a"].value
            await ref.call(do(trido.Emit(note("lost"), to="nobody")))
            await settle()
            (letter,) = ref.dead_letters
            assert (letter.agent, letter.signal) == ("nobody", note("lost"))
            assert isinstance(letter.reason, trido.NoSuchAgent)

    run(scenario)


@played
async def test_C133_an_unknown_agent_of_a_runtime() -> None:
    async with trido.open_runtime() as rt:
        with pytest.raises(trido.NoSuchAgent, match="'nobody'"):
            rt.agent("nobody")
        ref = await rt.start_agent(desk.agent(), id="a")
        await ref.call(do(trido.Emit(note("lost"), to="nobody")))
        await ref.stop()
        with pytest.raises(trido.NoSuchAgent):
            await ref.call(note("call"))
        await ref.cast(note("cast"))
        letters = [(letter.agent, letter.signal, type(letter.reason)) for letter in rt.dead_letters]
        gone = trido.NoSuchAgent
        assert letters == [("nobody", note("lost"), gone), ("a", note("cast"), gone)]


@pytest.mark.parametrize("is_async", [False, True])
@played
async def test_C134_on_start_comes_before_what_is_queued(*, is_async: bool) -> None:
    made = slow.agent(recover="committed")

    def started(state: Log, turn: trido.Turn) -> Log:
        return Log((*state.seen, turn.why))

    async def started_later(state: Log, turn: trido.Turn) -> Log:
        await trio.sleep(1)
        return started(state, turn)

    made.on_start(started_later if is_async else started)
    async with trido.open_supervisor() as sup, trio.open_nursery() as nursery:
        spec = made.spec(id="a")
        nursery.start_soon(sup.start_child, spec)
        if is_async:
            # It is there, and not ready: what is sent waits.
            await trio.sleep(0.5)
            place: Any = sup["a"].place
            await place.ref.cast(note("early"))
        await trio.sleep(1)
        ref = sup[spec].value
        early = ("early",) if is_async else ()
        assert ref.state().seen == ("start", *early)
        ref.cast_nowait(boom())
        assert await ref.call(note("queued")) == Log(("start", *early, "restart", "queued"))


@pytest.mark.parametrize("is_async", [False, True])
@played
async def test_C135_cleanup_then_the_crash_with_the_last_committed_state(*, is_async: bool) -> None:
    made = slow.agent()
    story: list[str] = []

    @made.lifespan
    async def lifespan(ref: Any) -> AsyncGenerator[Any, None]:
        try:
            yield
        finally:
            await trio.sleep(1)
            story.append("cleaned up")

    async def fails(turn: trido.Turn) -> None:
        raise Boom("handler")

    def tell(event: events.Event) -> None:
        if isinstance(event, events.ChildEnded):
            assert event.reason is not None
            story.append("".join(traceback.format_exception(event.reason)))

    spec = made.spec(id="a", restart="temporary")
    async with trido.open_supervisor(spec, observers=[tell]) as sup:
        ref = sup[spec].value
        await ref.call(note("committed"))
        with pytest.raises(trido.AgentCrashed):
            await ref.call(awaits(fails) if is_async else boom(Boom("handler")))
        assert trio.current_time() == 0
        await trio.sleep(2)
    cleanup, report = story
    assert cleanup == "cleaned up"
    on = "awaits" if is_async else "boom"
    assert report.endswith(
        f"Boom: handler\nagent 'a' crashed on '{on}'; its last committed state, of revision 1:"
        " Log(seen=('committed',))\n"
    )


class Way:
    """An agent on its way out: a turn in progress, on_stop, an outbox, a lifespan."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.agent = slow.agent()

        @self.agent.on_stop
        async def stop(state: Log) -> trido.Decision[Log]:
            await self.step("on_stop")
            return Log(("stopped",)), [trido.Emit(note("x"), to=trido.Via("out"))]

        @self.agent.lifespan
        async def lifespan(ref: Any) -> AsyncGenerator[Any, None]:
            try:
                yield
            finally:
                await self.step("lifespan")

    async def step(self, name: str) -> None:
        try:
            await trio.sleep(1)
        except trio.Cancelled:
            self.story.append(f"{name} expired")
            raise
        self.story.append(f"{name} @{trio.current_time():g}")

    async def turn(self, turn: trido.Turn) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.story.append("turn over")

    async def out(self, directive: Any, delivery: Any) -> None:
        await self.step("outbox")

    async def stopped(self, **options: Any) -> trido.AgentRef[Log]:
        async with trido.open_runtime(dispatch={"out": self.out}) as rt:
            ref = await rt.start_agent(self.agent, id="a", **options)
            with pytest.RaisesGroup(trido.AgentStopped):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(ref.call, awaits(self.turn))
                    await settle()
                    await ref.stop()
            return ref


@played
async def test_C136_an_ordered_stop() -> None:
    way = Way()
    ref = await way.stopped()
    assert way.story == ["turn over", "on_stop @1", "outbox @2", "lifespan @3"]
    assert ref.status().revision == 1  # that of on_stop


@played
async def test_C136_what_is_not_done_within_the_grace_expires() -> None:
    way = Way()
    await way.stopped(shutdown=1.5)
    assert way.story[:2] == ["turn over", "on_stop @1"]
    assert sorted(way.story[2:]) == ["lifespan expired", "outbox expired"]
    assert trio.current_time() == 1.5


@played
async def test_C136_killed() -> None:
    way = Way()
    ref = await way.stopped(shutdown=trido.BRUTAL_KILL)
    assert sorted(way.story) == ["lifespan expired", "turn over"]
    assert (trio.current_time(), ref.status().revision) == (0, 0)


@played
async def test_C137_a_lifespan_fails_in_leaving() -> None:
    made = desk.agent()
    error = Boom("leaving")

    @made.lifespan
    async def lifespan(ref: Any) -> AsyncGenerator[Any, None]:
        yield
        raise error

    log = Events()
    async with trido.open_supervisor(
        desk.agent().spec(id="a"), made.spec(id="b"), desk.agent().spec(id="c"), observers=[log]
    ):
        pass
    assert log.lines[3:] == [
        "K c",
        "K b Boom",
        "R shutdown_error(b, Boom)",
        "K a",
        "SUP shutdown",
    ]
    assert log.only("K b Boom").reason is error


def watching() -> trido.Agent[Log]:
    """An agent that notes the reasons it is told by monitors."""
    made = desk.agent("watching")

    @made.on("agent.down")
    def down(state: Log, data: trido.Down) -> Log:
        return Log((*state.seen, data.reason))

    @made.on("hold")
    async def hold(state: Log, data: None) -> Log:
        await trio.sleep(1)
        return state

    return made


@played
async def test_C142_a_monitor_of_a_dead_ref_is_told_noproc_at_once() -> None:
    async with trido.open_runtime() as rt:
        dead = await rt.start_agent(desk.agent(), id="dead")
        me = await rt.start_agent(watching(), id="me")
        await dead.stop()
        assert rt.monitor(dead).down == trido.Down("dead", 1, "noproc")
        await me.call(do(trido.Monitor(dead)))
        await settle()
        assert me.state() == Log(("do", "noproc"))


@played
async def test_C142_a_monitor_is_told_exactly_once() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        me = await rt.start_agent(watching(), id="me")
        await me.call(do(trido.Monitor(ref)))
        await ref.cast(boom())
        await settle()
        await ref.stop()
        await settle()
        assert me.state() == Log(("do", "crashed"))


@played
async def test_C142_demonitor_with_flush_withdraws_what_is_queued() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        me = await rt.start_agent(watching(), id="me")
        await me.call(do(trido.Monitor(ref)))
        await me.cast(trido.Signal("hold"))
        await me.cast(do(trido.Demonitor(ref, flush=True)))
        await settle()
        await ref.stop()
        assert me.status().queued == 2
        await trio.sleep(2)
        assert me.state() == Log(("do", "do"))


@pytest.mark.parametrize("keep", [True, False])
def test_C144_crash_with_queued_casts(*, keep: bool) -> None:
    async def scenario() -> None:
        spec = desk.agent(keep_mailbox=keep).spec(id="a")
        async with trido.open_supervisor(spec) as sup:
            ref = sup[spec].value
            for signal in (boom(), note("1"), note("2"), note("3")):
                ref.cast_nowait(signal)
            await sup["a"].wait_running(after=1)
            await settle()
            crashed = trido.AgentCrashed
            lost = [] if keep else [("1", crashed), ("2", crashed), ("3", crashed)]
            assert reasons(ref) == [(None, crashed), *lost]
            assert ref.state().seen == (("1", "2", "3") if keep else ())
            assert ref.status().queued == 0

    run(scenario)


def test_C145_no_route() -> None:
    async def scenario() -> None:
        async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
            ref = sup["a"].value
            with pytest.raises(trido.NoRoute, match="'log' has no route for 'unknown'"):
                await ref.call(trido.Signal("unknown"))
            await ref.cast(trido.Signal("unknown", "cast"))
            assert await ref.call(note("alive")) == desk.Log(("alive",))
            assert reasons(ref) == [("cast", trido.NoRoute)]
            assert ref.incarnation == 1

    run(scenario)


def test_C146_emits_to_itself_with_a_full_mailbox() -> None:
    async def scenario() -> None:
        echo = trido.Agent("echo", state=desk.Log, mailbox=1)
        refs: list[trido.AgentRef[desk.Log]] = []

        @echo.on("echo")
        def on_echo(state: desk.Log, data: int) -> trido.Decision[desk.Log]:
            # Two for each: they do not fit into the mailbox, which has room for one.
            more = [trido.Emit(trido.Signal("echo", data - 1), to=refs[0])] * 2
            return desk.Log((*state.seen, str(data))), more if data else []

        async with trido.open_supervisor(echo.spec(id="a")) as sup:
            refs.append(sup["a"].value)
            with trio.fail_after(1):
                await refs[0].call(trido.Signal("echo", 3))
                await settle()
            assert "".join(refs[0].state().seen) == "322111100000000"
            assert len(refs[0].dead_letters) == 0

    run(scenario)


@played
async def test_C146_casts_to_itself_from_an_effectful_turn() -> None:
    async def cast_to_self(turn: trido.Turn) -> None:
        await ref.cast(note("1"))
        with pytest.raises(trio.WouldBlock):
            ref.cast_nowait(note("2"))
        with pytest.raises(trido.DeadlockError):
            await ref.cast(note("2"))

    async with trido.open_supervisor(slow.agent(mailbox=1).spec(id="a")) as sup:
        ref = sup["a"].value
        with trio.fail_after(1):
            await ref.call(awaits(cast_to_self))
            await settle()
        assert ref.state().seen == ("awaited", "1")
        assert len(ref.dead_letters) == 0


@played
async def test_C146_casts_to_itself_from_a_plain_turn() -> None:
    made = desk.agent(mailbox=1)
    refs: list[trido.AgentRef[Log]] = []

    @made.on("twice")
    def twice(state: Log, data: None) -> Log:
        refs[0].cast_nowait(note("1"))
        with pytest.raises(trio.WouldBlock):
            refs[0].cast_nowait(note("2"))
        return state

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        refs.append(sup["a"].value)
        await refs[0].call(trido.Signal("twice"))
        await settle()
        assert refs[0].state().seen == ("1",)
