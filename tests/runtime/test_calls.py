"""Calls and casts: in which order, answered when, and by what if not by the agent."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
import trio

import trido
from tests.conformance.kit import at, played, run
from tests.runtime import desk, slow
from tests.runtime.desk import Boom, Log, boom, do, note, reasons, settle
from tests.runtime.slow import awaits, sleep, swallow
from trido.runtime.timers import Timers
from trido.supervision import spot


def deferring(**settings: Any) -> trido.Agent[Log]:
    """The slow agent; its ``defer`` keeps the request, to be answered later."""
    made = slow.agent(**settings)

    @made.on("defer")
    def defer(state: Log, data: None, turn: trido.Turn) -> trido.Decision[Log]:
        return Log((*state.seen, str(turn.request))), [trido.DeferReply()]

    return made


DEFER = trido.Signal("defer")


def reply(value: Any, ref: trido.AgentRef[Log], which: int = 0) -> trido.Signal:
    return do(trido.Reply(value, to=ref.state().seen[which]))


# Order ----------------------------------------------------------------------------------------


@played
async def test_a_cast_then_a_call_of_one_sender_arrive_in_that_order() -> None:
    """Whether the agent is free, busy or full, and whether its handlers await."""
    async with trido.open_supervisor(slow.agent(mailbox=2).spec(id="a")) as sup:
        ref = sup["a"].value
        sent: list[str] = []

        async def sender(name: str) -> None:
            for n in range(4):
                await ref.cast(note(f"{name}{3 * n}"))
                await ref.call(note(f"{name}{3 * n + 1}"))
                await ref.call(sleep(0.1))
                sent.extend(f"{name}{3 * n + m}" for m in range(2))

        async with trio.open_nursery() as nursery:
            for name in "xyz":
                nursery.start_soon(sender, name)
        for name in "xyz":
            mine = [text for text in ref.state().seen if text.startswith(name)]
            assert mine == [text for text in sent if text.startswith(name)]


@played
async def test_callers_in_a_loop_starve_neither_casts_nor_each_other() -> None:
    async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        calls = dict.fromkeys("xyz", 0)

        async def call_on(name: str) -> None:
            while True:
                await ref.call(note(name))
                calls[name] += 1

        async with trio.open_nursery() as nursery:
            for name in calls:
                nursery.start_soon(call_on, name)
            for _ in range(20):
                await ref.cast(note("cast"))
                before = dict(calls)
                # Not an event to wait for: it is about how many turns the others get.
                while min(calls[name] - before[name] for name in calls) < 5:  # noqa: ASYNC110
                    await trio.lowlevel.checkpoint()
                # Others have not had a thousand turns meanwhile.
                assert sum(calls.values()) - sum(before.values()) < 1000
            nursery.cancel_scope.cancel()
        assert ref.state().seen.count("cast") == 20


async def test_calls_served_on_the_spot_are_cancellation_points() -> None:
    async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        with trio.move_on_after(1) as scope:
            while True:
                await ref.call(note("x"))
                if len(ref.state().seen) == 5:
                    scope.cancel()
        assert len(ref.state().seen) == 5


@pytest.mark.real_time
async def test_slow_turns_on_the_spot_let_other_tasks_run_after_half_a_millisecond() -> None:
    made = trido.Agent("busy", state=Log)

    @made.on("work")
    def work(state: Log, data: None) -> Log:
        until = trio.current_time() + 1.5 * spot.MOST
        while trio.current_time() < until:
            pass
        return state

    passes = 0

    async def others() -> None:
        nonlocal passes
        while True:
            passes += 1
            await trio.lowlevel.checkpoint()

    async with trido.open_supervisor(made.spec(id="a")) as sup, trio.open_nursery() as nursery:
        nursery.start_soon(others)
        await trio.lowlevel.checkpoint()
        for _ in range(6):
            await sup["a"].value.call(trido.Signal("work"))
        assert passes >= 4  # each time, but last in one pass and first in the next is possible
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("first", ["note", "sleep"])
async def test_status_state_and_stop_are_not_behind_the_queue(first: str) -> None:
    async with trido.open_supervisor(slow.agent(mailbox=10_001).spec(id="a")) as sup:
        ref = sup["a"].value
        ref.cast_nowait(sleep(9) if first == "sleep" else note("x"))
        for _ in range(10_000):
            ref.cast_nowait(note("x"))
        await trio.lowlevel.checkpoint()
        assert ref.status().queued > 5_000
        assert isinstance(ref.state(), Log)
        await ref.stop()
        assert ref.status().revision < 5_000
        assert ref.dead_letters.total == 10_001 - ref.status().revision


# Answers --------------------------------------------------------------------------------------


async def test_the_caller_is_answered_before_other_directives_are_done() -> None:
    """Wherever the reply stands, and though an executor never gets done."""

    async def never(directive: Any, delivery: Any) -> None:
        await trio.sleep_forever()

    async with trido.open_runtime(dispatch={"never": never}) as rt:
        ref = await rt.start_agent(slow.agent(), id="a", shutdown=0.0)
        hangs = trido.Emit(note("x"), to=trido.Via("never"))
        with trio.fail_after(1):
            assert await ref.call(do(hangs, hangs, trido.Reply("yes"))) == "yes"
            assert (await ref.call(do(hangs))).seen == ("do", "do")
            assert await ref.call(awaits(partial(_returning, [hangs, trido.Reply(3)]))) == 3


async def _returning(directives: Any, turn: trido.Turn) -> Any:
    return directives


async def test_timers_have_taken_effect_when_the_caller_is_answered() -> None:
    async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(do(trido.Schedule(1, note("due"), key="k")))
        assert ref.status().timers == 1
        await ref.call(do(trido.Reply("gone"), trido.Cancel("k")))
        assert ref.status().timers == 0


@pytest.mark.parametrize("sent", ["call", "cast"])
async def test_a_mistake_after_the_commit_is_a_crash_but_the_turn_was_served(sent: str) -> None:
    async with trido.open_supervisor(desk.agent(redeliver=3).spec(id="a")) as sup:
        ref = sup["a"].value
        with patch.object(Timers, "apply", side_effect=Boom):
            if sent == "call":
                assert await ref.call(do(trido.Schedule(1, note("x")))) == Log(("do",))
            else:
                await ref.cast(do(trido.Schedule(1, note("x"))))
            await sup["a"].wait_running(after=1)
        assert isinstance(sup["a"].last_crash, Boom)
        assert (ref.status().revision, len(ref.dead_letters)) == (1, 0)


# Cancelled ------------------------------------------------------------------------------------


def test_a_call_that_waits_in_the_mailbox_is_withdrawn() -> None:
    async def scenario() -> None:
        async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
            ref = sup["a"].value
            await ref.cast(sleep(2))
            await settle()
            with trio.move_on_after(1):
                await ref.call(note("withdrawn"))
            assert (trio.current_time(), ref.status().queued) == (1, 0)
            assert await ref.call(note("next")) == Log(("slept", "next"))

    run(scenario)


@played
async def test_a_cancelled_call_commits_nothing_though_its_handler_swallows_that() -> None:
    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        with trio.move_on_after(1):
            await ref.call(swallow(2))
        assert await ref.call(note("next")) == Log(("next",))
        assert (trio.current_time(), ref.status().timers) == (1, 0)


@played
async def test_a_caller_that_goes_is_free_though_the_handler_takes_its_time_to_go() -> None:
    async def lingers(turn: trido.Turn) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3)

    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        with trio.move_on_after(1):
            await ref.call(awaits(lingers))
        assert trio.current_time() == 1
        assert await ref.call(note("next")) == Log(("next",))
        assert trio.current_time() == 4


@played
async def test_a_deferred_call_that_is_cancelled_is_forgotten() -> None:
    async with trido.open_supervisor(deferring().spec(id="a")) as sup:
        ref = sup["a"].value
        with trio.move_on_after(1):
            await ref.call(DEFER)
        assert ref.status().requests == 0
        await ref.call(reply("too late", ref))
        assert ref.status().late_replies == 1


# Deferred -------------------------------------------------------------------------------------


@played
async def test_a_deferred_reply_comes_from_a_later_turn_and_only_the_first_counts() -> None:
    async with trido.open_supervisor(deferring().spec(id="a")) as sup:
        ref = sup["a"].value
        answers: dict[str, Any] = {}

        async def ask(name: str) -> None:
            answers[name] = await ref.call(DEFER)

        async with trio.open_nursery() as nursery:
            for name in ("first", "second"):
                nursery.start_soon(ask, name)
                await settle()
            assert ref.status().requests == 2
            await ref.call(reply(2, ref, which=1))
            await ref.call(reply(1, ref, which=0))
            await settle()
            assert answers == {"first": 1, "second": 2}
            await ref.call(reply("again", ref))
        assert answers == {"first": 1, "second": 2}
        assert (ref.status().requests, ref.status().late_replies) == (0, 1)


async def test_a_reply_to_a_request_there_never_was_is_ignored_and_counted() -> None:
    async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        assert await ref.call(do(trido.Reply("?", to="nobody"))) == Log(("do",))
        assert ref.status().late_replies == 1


async def test_a_request_may_be_deferred_and_answered_in_one_turn() -> None:
    made = trido.Agent("at once", state=Log)

    @made.on("ask")
    def ask(state: Log, data: None, turn: trido.Turn) -> trido.Decision[Log]:
        assert turn.request is not None
        return state, [trido.DeferReply(), trido.Reply("now", to=turn.request)]

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        assert await sup["a"].value.call(trido.Signal("ask")) == "now"


@pytest.mark.parametrize("durability", ["none", "sync"])
async def test_who_does_not_take_the_turn_may_leave_a_call_open(durability: Any) -> None:
    made = slow.agent(durability=durability)

    @made.on("hang")
    def hang(state: Log, data: None) -> trido.Decision[Log]:
        return state, [trido.DeferReply()]

    async with trido.open_runtime(journal=trido.MemoryJournal(), agents=(made,)) as rt:
        ref = await rt.start_agent(made, id="a")
        await ref.cast(hang.signal(None))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(at, 1, partial(ref.cast_nowait, boom()))
            with pytest.raises(trido.AgentCrashed):
                await ref.call(hang.signal(None))
        assert (trio.current_time(), ref.incarnation) == (1, 2)


async def test_what_was_cast_has_no_request_and_nothing_to_defer() -> None:
    async with trido.open_supervisor(deferring().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.cast(DEFER)
        await settle()
        assert (ref.state().seen, ref.status().requests) == (("None",), 0)


@played
async def test_a_crash_fails_deferred_calls_at_once_with_the_cause() -> None:
    """Not after the lifespan has been left, or the next run has started."""
    made = deferring()
    crash = Boom()

    @made.lifespan
    async def lifespan(ref: Any) -> AsyncGenerator[Any, None]:
        try:
            yield
        finally:
            await trio.sleep(3)

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        ref = sup["a"].value
        async with trio.open_nursery() as nursery:
            nursery.start_soon(at, 1, partial(ref.cast_nowait, boom(crash)))
            with pytest.raises(trido.AgentCrashed) as caught:
                await ref.call(DEFER)
            assert trio.current_time() == 1
        assert caught.value.__cause__ is crash
        await sup["a"].wait_running(after=1)
        # A new run does not know the requests of the old one.
        await ref.call(do(trido.Reply("?", to="a?1")))
        assert ref.status().late_replies == 1


@pytest.mark.parametrize("how", ["stop", "Stop", "kill", "Shutdown"])
@played
async def test_an_end_fails_deferred_calls(how: str) -> None:
    grace = trido.BRUTAL_KILL if how == "kill" else 5.0
    async with trido.open_supervisor(deferring().spec(id="a", shutdown=grace)) as sup:
        ref = sup["a"].value
        signals = {"Stop": do(trido.Stop()), "Shutdown": boom(trido.Shutdown())}
        with pytest.RaisesGroup(trido.AgentStopped):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ref.call, DEFER)
                await settle()
                if how in signals:
                    ref.cast_nowait(signals[how])
                else:
                    await ref.stop()


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("how", ["stop", "Stop"])
@played
async def test_the_decision_of_the_stop_may_still_answer(how: str, *, is_async: bool) -> None:
    made = deferring()
    if is_async:

        @made.on_stop
        async def stop_later(state: Log) -> trido.Decision[Log]:
            await trio.sleep(1)
            return state, [trido.Reply("goodbye", to=state.seen[0])]
    else:

        @made.on_stop
        def stop(state: Log) -> trido.Decision[Log]:
            return state, [trido.Reply("goodbye", to=state.seen[0])]

    answers: list[Any] = []

    async def ask(ref: trido.AgentRef[Log]) -> None:
        answers.append(await ref.call(DEFER))

    async with trido.open_supervisor(made.spec(id="a")) as sup, trio.open_nursery() as nursery:
        ref = sup["a"].value
        nursery.start_soon(ask, ref)
        await settle()
        if how == "stop":
            await ref.stop()
        else:
            await ref.call(do(trido.Stop()))
    assert answers == ["goodbye"]


@played
async def test_a_group_restart_fails_deferred_calls_as_a_crash() -> None:
    first, second = desk.agent("first").spec(id="first"), deferring().spec(id="second")
    async with trido.open_supervisor(first, second, strategy="one_for_all") as sup:
        with pytest.RaisesGroup(trido.AgentCrashed):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sup[second].value.call, DEFER)
                await settle()
                sup[first].value.cast_nowait(boom())


# Ends -----------------------------------------------------------------------------------------


@played
async def test_a_crash_answers_the_caller_at_once_whatever_the_lifespan_takes() -> None:
    made = slow.agent()

    @made.lifespan
    async def lifespan(ref: Any) -> AsyncGenerator[Any, None]:
        try:
            yield
        finally:
            await trio.sleep(3)

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        ref = sup["a"].value
        with pytest.raises(trido.AgentCrashed):
            await ref.call(boom())
        assert trio.current_time() == 0
        # Queued meanwhile: served by the next run.
        assert await ref.call(note("next")) == Log(("next",))
        assert (trio.current_time(), ref.incarnation) == (3, 2)


@played
async def test_a_group_restart_interrupts_a_turn_as_a_crash() -> None:
    first, second = desk.agent("first").spec(id="first"), slow.agent().spec(id="second")
    async with trido.open_supervisor(first, second, strategy="one_for_all") as sup:
        a, b = sup[first].value, sup[second].value
        async with trio.open_nursery() as nursery:
            nursery.start_soon(at, 1, partial(a.cast_nowait, boom()))
            with pytest.raises(trido.AgentCrashed):
                await b.call(sleep(5))
            assert trio.current_time() == 1
        await sup["second"].wait_running(after=1)
        assert await b.call(note("again")) == Log(("again",))


async def test_queued_calls_outlive_a_group_restart() -> None:
    first, second = desk.agent("first").spec(id="first"), slow.agent().spec(id="second")
    async with trido.open_supervisor(first, second, strategy="one_for_all") as sup:
        a, b = sup[first].value, sup[second].value
        await b.cast(sleep(5))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(at, 1, partial(a.cast_nowait, boom()))
            assert await b.call(note("queued")) == Log(("queued",))
        assert (trio.current_time(), b.incarnation) == (1, 2)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_stop_that_ends_everything_leaves_no_caller_waiting(when: str) -> None:
    """Whoever calls as it stops, too."""
    made = slow.agent()

    @made.lifespan
    async def lifespan(ref: Any) -> AsyncGenerator[Any, None]:
        try:
            yield
        finally:
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        async with trido.open_supervisor(made.spec(id="a")) as sup:
            ref = sup["a"].value
            if when == "before":
                nursery.start_soon(_called, ref, trido.AgentStopped)
                await settle()
            sup.stop()
            await settle()
            if when == "after":
                nursery.start_soon(_called, ref, trido.AgentStopped)
        assert trio.current_time() == 1


async def _called(ref: trido.AgentRef[Log], error: type[Exception]) -> None:
    before = trio.current_time()
    with pytest.raises(error):
        await ref.call(sleep(9))
    assert trio.current_time() == before


@pytest.mark.parametrize("method", ["call", "cast"])
async def test_there_is_no_timeout_but_a_cancel_scope(method: str) -> None:
    assert "timeout" not in inspect.signature(getattr(trido.AgentRef, method)).parameters


async def test_await_cast_means_in_the_mailbox() -> None:
    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.cast(sleep(1))
        await settle()
        await ref.cast(note("1"))
        assert ref.status().queued == 1
        ref.cast_nowait(note("2"))
        assert (ref.status().queued, reasons(ref)) == (2, [])
