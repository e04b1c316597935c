from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import assert_checkpoints

import trido
from tests.conformance.kit import run
from tests.runtime.desk import Boom, Log, agent, boom, do, note, reasons, settle
from trido.supervision import spot


async def test_a_call_gives_the_committed_state_or_the_first_reply() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        assert await ref.call(note("1")) == Log(("1",))
        assert await ref.call(do(trido.Reply("yes"), trido.Reply("no"))) == "yes"
        assert ref.state() == Log(("1", "do"))


async def test_a_ref_knows_its_agent() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        assert (ref.id, ref.incarnation) == ("a", 1)
        assert repr(ref) == "<trido.AgentRef 'a'>"
        assert ref.status() == trido.AgentStatus(
            id="a",
            agent="log",
            state="running",
            incarnation=1,
            revision=0,
            queued=0,
            waiting=0,
            outbox=0,
            runs=0,
            timers=0,
            children=0,
            requests=0,
            late_replies=0,
            dead_letters=0,
        )


async def test_signals_of_one_sender_keep_their_order() -> None:
    async with trido.open_supervisor(agent(mailbox=2).spec(id="a")) as sup:
        ref = sup["a"].value
        for n in range(0, 9, 3):
            await ref.cast(note(str(n)))
            await ref.call(note(str(n + 1)))
            ref.cast_nowait(note(str(n + 2)))
        await settle()
        assert ref.state().seen == tuple("012345678")


async def test_no_is_an_answer_and_the_agent_lives() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        with pytest.raises(trido.Reject) as rejected:
            await ref.call(trido.Signal("no", "because"))
        assert rejected.value.reason == "because"
        with pytest.raises(trido.InvalidData, match=r"^\$: expected str, got int$"):
            await ref.call(trido.Signal("note", 1))
        await ref.cast(trido.Signal("no", "cast"))
        await ref.cast(trido.Signal("note", 1))
        assert await ref.call(note("alive")) == Log(("alive",))
        assert reasons(ref) == [("cast", trido.Reject), (1, trido.InvalidData)]
        assert ref.incarnation == 1


def test_a_cancelled_call_did_not_happen_and_never_will() -> None:
    """Whichever comes first, the cancellation or the turn."""

    async def scenario() -> None:
        async with trido.open_supervisor(agent().spec(id="a")) as sup:
            ref = sup["a"].value
            answers: list[Log] = []

            async def call(scope: trio.CancelScope) -> None:
                with scope:
                    answers.append(await ref.call(note("call")))

            async with trio.open_nursery() as nursery:
                scope = trio.CancelScope()
                nursery.start_soon(call, scope)
                await trio.lowlevel.checkpoint()
                scope.cancel()
            await ref.call(note("after"))
            assert ref.state().seen == (("call", "after") if answers else ("after",))

    run(scenario)


async def test_a_call_is_withdrawn_between_runs() -> None:
    """Whether it is in the mailbox or waits for room in it."""
    spec = agent(mailbox=1).spec(id="a", backoff=trido.Backoff(min=10.0))
    async with trido.open_supervisor(spec, max_restarts=9) as sup:
        ref = sup[spec].value
        await ref.cast(boom())
        await sup["a"].wait_running(after=1)
        await ref.cast(boom())
        await settle()
        assert sup["a"].state == "restarting"
        with trio.move_on_after(1):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ref.call, note("queued"))
                await settle()
                nursery.start_soon(ref.call, note("waiting"))
                nursery.start_soon(ref.call, note("waiting too"))
                await settle()
                assert (ref.status().queued, ref.status().waiting) == (1, 2)
                nursery.start_soon(trio.sleep_forever)
        assert (ref.status().queued, ref.status().waiting) == (0, 0)
        await ref.call(note("after"))
        assert ref.state().seen == ("after",)


async def test_a_withdrawn_call_makes_room() -> None:
    spec = agent(mailbox=1).spec(id="a", backoff=trido.Backoff(min=10.0))
    async with trido.open_supervisor(spec, max_restarts=9) as sup:
        ref = sup[spec].value
        await ref.cast(boom())
        await sup["a"].wait_running(after=1)
        await ref.cast(boom())
        await settle()
        async with trio.open_nursery() as nursery:
            with trio.move_on_after(1):
                nursery.start_soon(ref.cast, note("first to wait"))
                await ref.call(note("withdrawn"))
            await trio.sleep(1)
            assert (ref.status().queued, ref.status().waiting) == (1, 0)
        await settle()
        await sup["a"].wait_running(after=2)
        await settle()
        assert ref.state().seen == ("first to wait",)


@pytest.mark.parametrize("method", ["call", "cast"])
async def test_calls_and_casts_are_checkpoints(method: str) -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        send = getattr(ref, method)
        if method == "cast":
            with assert_checkpoints():
                await send(note("1"))
        with trio.CancelScope() as scope:
            scope.cancel()
            await send(note("2"))
        assert scope.cancelled_caught
        await sup.stop_child("a")
        with assert_checkpoints():
            try:
                await send(note("3"))
            except trido.NoSuchAgent:
                assert method == "call"
        assert ref.dead_letters.total == (method == "cast")


@pytest.mark.parametrize("signal", ["note", None, Log()])
async def test_only_signals_are_sent(signal: Any) -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        with pytest.raises(TypeError):
            await ref.call(signal)
        with pytest.raises(TypeError):
            await ref.cast(signal)
        with pytest.raises(TypeError):
            ref.cast_nowait(signal)


async def test_an_ended_agent_still_has_a_status() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(note("1"))
        await sup.stop_child("a")
        assert (ref.status().state, ref.status().incarnation) == ("stopped", 1)
        with pytest.raises(trido.NoSuchAgent, match="'a' has ended"):
            ref.state()
        await sup.delete_child("a")
        assert ref.status().state == "removed"


async def test_the_cause_of_a_crash_reaches_the_caller() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        cause = Boom()
        with pytest.raises(trido.AgentCrashed, match="'a' crashed while it served") as caught:
            await sup["a"].value.call(boom(cause))
        assert caught.value.__cause__ is cause


async def test_calls_served_on_the_spot_let_other_tasks_run() -> None:
    """In virtual time, where no turn takes any time."""
    passes = 0

    async def others() -> None:
        nonlocal passes
        while True:
            passes += 1
            await trio.lowlevel.checkpoint()

    async with trido.open_supervisor(agent().spec(id="a")) as sup, trio.open_nursery() as nursery:
        nursery.start_soon(others)
        for _ in range(3 * spot.PIECES):
            await sup["a"].value.call(note("x"))
        assert passes >= 2
        nursery.cancel_scope.cancel()
