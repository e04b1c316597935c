"""Section I: agents; with C029, but for its monitor, which is not there yet."""

from __future__ import annotations

import pytest
import trio

import trido
from tests.conformance.kit import run
from tests.conformance.stage import Log as Events
from tests.runtime import desk
from tests.runtime.desk import boom, do, note, reasons, settle


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
