from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.lowlevel

import trido
from tests.conformance.stage import Log as Events
from tests.runtime.desk import Boom, Log, agent, boom, do, note, reasons, settle


@pytest.mark.parametrize(("recover", "seen"), [("fresh", ()), ("committed", ("1",))])
async def test_what_the_next_run_begins_with(recover: str, seen: tuple[str, ...]) -> None:
    async with trido.open_supervisor(agent(recover=recover).spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(note("1"))
        await ref.cast(boom())
        await sup["a"].wait_running(after=1)
        assert ref.state().seen == seen


async def test_between_runs_the_last_committed_state_is_read() -> None:
    spec = agent().spec(id="a", backoff=trido.Backoff(min=10.0))
    async with trido.open_supervisor(spec, max_restarts=9) as sup:
        ref = sup[spec].value
        await ref.cast(boom())
        await sup["a"].wait_running(after=1)
        await ref.call(note("1"))
        await ref.cast(boom())
        await settle()
        assert (ref.status().state, ref.state().seen) == ("restarting", ("1",))


async def test_queued_calls_wait_for_the_next_run() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        async with trio.open_nursery() as nursery:
            ref.cast_nowait(boom())
            nursery.start_soon(ref.call, note("1"))
            nursery.start_soon(ref.call, note("2"))
        assert sorted(ref.state().seen) == ["1", "2"]
        assert ref.incarnation == 2


async def test_without_keep_mailbox_queued_calls_crash_with_it() -> None:
    async with trido.open_supervisor(agent(keep_mailbox=False).spec(id="a")) as sup:
        ref = sup["a"].value
        cause = Boom()
        ref.cast_nowait(boom(cause))
        with pytest.raises(trido.AgentCrashed) as caught:
            await ref.call(note("1"))
        assert caught.value.__cause__ is cause


@pytest.mark.parametrize("restart", ["temporary", "transient"])
async def test_queued_calls_fail_at_once_if_there_is_no_next_run(restart: Any) -> None:
    limit = 0 if restart == "transient" else 3
    spec = trido.SupervisorSpec(
        agent().spec(id="a", restart=restart), id="inner", max_restarts=limit, restart="transient"
    )
    async with trido.open_supervisor(spec) as sup:
        ref = sup["inner"].value["a"].value
        ref.cast_nowait(boom())
        ref.cast_nowait(note("cast"))
        with pytest.raises(trido.AgentStopped, match="'a' stopped before"):
            await ref.call(note("call"))
        assert reasons(ref) == [(None, trido.AgentCrashed), ("cast", trido.AgentStopped)]
        with pytest.raises(trido.NoSuchAgent):
            await ref.call(note("call"))


async def test_a_parked_agent_says_so_until_it_is_revived() -> None:
    spec = agent().spec(id="a", on_limit="park")
    async with trido.open_supervisor(spec, max_restarts=0) as sup:
        ref = sup[spec].value
        ref.cast_nowait(boom())
        ref.cast_nowait(note("queued"))
        with pytest.raises(trido.AgentParked, match="'a' is parked"):
            await ref.call(note("queued"))
        with pytest.raises(trido.AgentParked):
            await ref.call(note("new"))
        await ref.cast(note("new"))
        assert ref.status().state == "parked"
        assert reasons(ref)[1:] == [("queued", trido.AgentParked), ("new", trido.AgentParked)]
        await sup.restart_child("a")
        assert await ref.call(note("1")) == Log(("1",))


async def test_a_stopped_agent_runs_again_under_the_same_ref() -> None:
    async with trido.open_supervisor(agent(recover="committed").spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(note("1"))
        await sup.stop_child("a")
        child = await sup.restart_child("a")
        assert child.value is ref
        assert await ref.call(note("2")) == Log(("1", "2"))


async def test_an_ordered_stop_fails_calls_and_buries_casts() -> None:
    spec = agent().spec(id="a", backoff=trido.Backoff(min=10.0))
    async with trido.open_supervisor(spec, max_restarts=9) as sup:
        ref = sup[spec].value
        ref.cast_nowait(boom())
        await sup["a"].wait_running(after=1)
        ref.cast_nowait(boom())
        await settle()
        ref.cast_nowait(note("cast"))
        with pytest.RaisesGroup(trido.AgentStopped):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ref.call, note("call"))
                await settle()
                await sup.stop_child("a")
        assert reasons(ref)[2:] == [("cast", trido.AgentStopped)]


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_a_sibling_stopped_by_a_group_restart_keeps_its_mailbox(strategy: Any) -> None:
    first = agent("first").spec(id="first", backoff=trido.Backoff(min=10.0))
    second = agent("second").spec(id="second")
    async with trido.open_supervisor(first, second, strategy=strategy, max_restarts=9) as sup:
        a, b = sup[first].value, sup[second].value
        await a.cast(boom())
        await sup["second"].wait_running(after=1)
        b.cast_nowait(note("0"))
        await a.cast(boom())
        await settle()
        assert (sup["first"].state, sup["second"].state) == ("restarting", "stopped")
        await b.cast(note("1"))
        assert await b.call(note("2")) == Log(("1", "2"))
        assert b.incarnation == 3
        assert reasons(b) == []


async def test_those_before_the_crashed_one_do_not_wait_in_vain() -> None:
    first = agent("first").spec(id="first")
    second = agent("second").spec(id="second", backoff=trido.Backoff(min=10.0))
    async with trido.open_supervisor(first, second, strategy="rest_for_one", max_restarts=9) as sup:
        a, b = sup[first].value, sup[second].value
        await b.cast(boom())
        await sup["second"].wait_running(after=1)
        await b.cast(boom())
        await settle()
        assert sup["second"].state == "restarting"
        await a.call(do(trido.Stop()))
        await sup["first"].wait_ended()
        await settle()
        with pytest.raises(trido.NoSuchAgent):
            await a.call(note("1"))


@pytest.mark.parametrize(
    ("error", "caller_gets", "line"),
    [
        (trido.Shutdown("enough"), trido.AgentStopped, "E a normal Shutdown"),
        (ExceptionGroup("", [trido.Shutdown()]), trido.AgentStopped, "E a normal Shutdown"),
        (trido.Escalate("help"), trido.AgentCrashed, "E a Escalate"),
        (ExceptionGroup("", [Boom()]), trido.AgentCrashed, "E a Boom"),
        (trido.Ignore(), trido.AgentCrashed, "E a Ignore"),
    ],
)
async def test_how_a_handler_ends_its_agent(
    error: BaseException, caller_gets: type[Exception], line: str
) -> None:
    events = Events()
    inner = trido.SupervisorSpec(agent().spec(id="a"), id="inner", restart="transient")
    async with trido.open_supervisor(inner, observers=[events]) as sup:
        ref = sup["inner"].value["a"].value
        with pytest.raises(caller_gets) as caught:
            await ref.call(boom(error))
        assert caught.value.__cause__ is error
        await settle()
        assert line in events.lines


async def test_a_cancelled_that_leaks_from_a_handler_is_a_crash() -> None:
    leaked: list[BaseException] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as error:
            leaked.append(error)
            raise
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        with pytest.raises(trido.AgentCrashed):
            await sup["a"].value.call(boom(leaked[0]))
        await sup["a"].wait_running(after=1)
        assert isinstance(sup["a"].last_crash, trido.LeakedCancelled)


async def test_a_fatal_error_ends_everything_and_nobody_hangs() -> None:
    with pytest.raises(KeyboardInterrupt):
        async with trido.open_supervisor(agent().spec(id="a")) as sup:
            with pytest.raises(trido.AgentCrashed):
                await sup["a"].value.call(boom(KeyboardInterrupt()))
            await trio.sleep_forever()


async def test_a_permanent_agent_is_restarted_even_by_its_own_stop() -> None:
    async with trido.open_supervisor(agent().spec(id="a", restart="permanent")) as sup:
        ref = sup["a"].value
        ref.cast_nowait(do(trido.Stop()))
        ref.cast_nowait(note("queued"))
        await sup["a"].wait_running(after=1)
        await settle()
        assert ref.state().seen == ("queued",)


async def test_an_agent_can_be_killed() -> None:
    events = Events()
    spec = agent().spec(id="a", shutdown=trido.BRUTAL_KILL)
    async with trido.open_supervisor(spec, observers=[events]) as sup:
        await sup.stop_child("a")
        assert events.lines == ["S a", "K a killed"]


@pytest.mark.parametrize("how", ["stop", "stop_child"])
async def test_those_stopped_for_a_restart_that_is_given_up_do_not_wait_in_vain(how: str) -> None:
    first = agent("first").spec(id="first", backoff=trido.Backoff(min=10.0))
    second = agent("second").spec(id="second")
    async with trido.open_supervisor(first, second, strategy="one_for_all", max_restarts=9) as sup:
        a, b = sup[first].value, sup[second].value
        await a.cast(boom())
        await sup["second"].wait_running(after=1)
        await a.cast(boom())
        await settle()
        with pytest.RaisesGroup(trido.AgentStopped):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(b.call, note("1"))
                await settle()
                if how == "stop":
                    sup.stop()
                else:
                    await sup.stop_child("first")
        assert trio.current_time() < 10


async def test_a_runtime_with_a_parked_agent_ends_and_nobody_waits_for_it() -> None:
    async with trio.open_nursery() as nursery:

        async def wait(ref: trido.AgentRef[Log]) -> None:
            with pytest.raises(trido.NoSuchAgent):
                await ref.wait_for(lambda state: state.seen == ("never",))

        async with trido.open_runtime() as rt:
            ref = await rt.start_agent(agent(), id="a")
            await rt.start_agent(agent(), id="b")
            nursery.start_soon(wait, ref)
            while ref.status().state != "parked":
                await ref.cast(boom())
                await trio.sleep(0.1)
        assert rt.find("a") is None


async def test_the_note_of_a_crash_is_text_like_any_other_and_stands_once() -> None:
    crash = Boom("again")
    async with trido.open_supervisor(agent().spec(id="a"), max_restarts=9) as sup:
        ref = sup["a"].value
        for _ in range(2):
            with pytest.raises(trido.AgentCrashed):
                await ref.call(boom(crash))
    assert crash.__notes__ == [
        "agent 'a' crashed on 'boom'; its last committed state, of revision 0: Log(seen=())"
    ]
