"""Effectful turns: all or nothing, bounded, and each in a task of its own."""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio

import trido
from tests.conformance.kit import at, played, run
from tests.conformance.stage import Log as Events
from tests.conformance.stage import errors_of, leaves
from tests.runtime import desk, slow
from tests.runtime.desk import Boom, Log, boom, do, note, reasons, settle
from tests.runtime.slow import awaits, finish, sleep, swallow


async def test_an_effectful_turn_holds_the_mailbox_while_it_awaits() -> None:
    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        ref.cast_nowait(sleep(2))
        ref.cast_nowait(note("behind"))
        await trio.sleep(1)
        assert (ref.state().seen, ref.status().queued) == ((), 1)
        await trio.sleep(1.5)
        assert ref.state().seen == ("slept", "behind")


async def test_state_and_directives_of_an_effectful_turn_are_committed_at_once() -> None:
    seen: list[Any] = []

    async def decide(turn: trido.Turn) -> Any:
        seen.append(ref.state().seen)
        await trio.sleep(1)
        return [trido.Emit(note("emitted"), to=ref), trido.Reply("yes")]

    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        assert await ref.call(awaits(decide)) == "yes"
        assert seen == [()]
        await settle()
        assert ref.state().seen == ("awaited", "emitted")
        assert ref.status().revision == 2


async def test_cmd_refuses_an_effectful_route() -> None:
    with pytest.raises(trido.EffectfulRoute, match="sleep"):
        slow.agent().cmd(Log(), sleep(1))


# How long it may take -------------------------------------------------------------------------


@played
async def test_a_turn_that_takes_too_long_is_cancelled_and_the_agent_lives() -> None:
    async with trido.open_supervisor(slow.agent(turn_limit=1).spec(id="a")) as sup:
        ref = sup["a"].value
        with pytest.raises(trido.TurnExpired, match=r"'a' did not get done with 'sleep' in 1 s"):
            await ref.call(sleep(2))
        assert trio.current_time() == 1
        await ref.cast(sleep(2))
        assert await ref.call(note("alive")) == Log(("alive",))
        assert trio.current_time() == 2
        assert reasons(ref) == [(2.0, trido.TurnExpired)]
        assert ref.incarnation == 1


@played
async def test_an_expired_turn_commits_nothing_though_it_swallows_the_cancellation() -> None:
    async with trido.open_supervisor(slow.agent(turn_limit=1).spec(id="a")) as sup:
        ref = sup["a"].value
        with pytest.raises(trido.TurnExpired):
            await ref.call(swallow(2))
        await trio.sleep(1)
        assert (ref.state(), ref.status().timers) == (Log(), 0)


async def test_no_is_no_answer_of_an_expired_turn() -> None:
    async def refuse(turn: trido.Turn) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise trido.Reject("too late")  # noqa: ASYNC104

    async with trido.open_supervisor(slow.agent(turn_limit=1).spec(id="a")) as sup:
        with pytest.raises(trido.TurnExpired):
            await sup["a"].value.call(awaits(refuse))
        assert sup["a"].incarnation == 1


async def test_a_turn_is_given_thirty_seconds_unless_its_agent_or_its_route_says_otherwise() -> (
    None
):
    made = slow.agent()

    @made.on("hurried", turn_limit=2)
    async def hurried(state: Log, data: None) -> Log:
        await trio.sleep_forever()
        return state

    @made.on("unhurried", turn_limit=float("inf"))
    async def unhurried(state: Log, data: None) -> Log:
        await trio.sleep(10_000)
        return Log(("patience",))

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        ref = sup["a"].value
        for signal, limit in ((sleep(99), 30), (trido.Signal("hurried"), 2)):
            before = trio.current_time()
            with pytest.raises(trido.TurnExpired) as expired:
                await ref.call(signal)
            assert trio.current_time() - before == limit
            assert (expired.value.id, expired.value.limit) == ("a", limit)
        assert await ref.call(trido.Signal("unhurried")) == Log(("patience",))


# Interrupted ----------------------------------------------------------------------------------


@played
async def test_a_stop_interrupts_the_turn_at_once() -> None:
    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        async with trio.open_nursery() as nursery:
            nursery.start_soon(at, 1, sup.stop)
            with pytest.raises(trido.AgentStopped):
                await ref.call(sleep(5))
            assert trio.current_time() == 1
    assert ref.status().revision == 0


@played
async def test_a_cast_whose_turn_is_stopped_is_a_dead_letter() -> None:
    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.cast(sleep(5))
        await trio.sleep(1)
        await sup.stop_child("a")
        assert trio.current_time() == 1
        assert reasons(ref) == [(5.0, trido.AgentStopped)]


@played
async def test_a_stopped_turn_commits_nothing_though_it_swallows_the_cancellation() -> None:
    async with trido.open_supervisor(slow.agent(recover="committed").spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.cast(swallow(5))
        await trio.sleep(1)
        await sup.stop_child("a")
        assert (ref.status().revision, ref.status().timers) == (0, 0)
        await sup.restart_child("a")
        assert ref.state() == Log()


async def test_a_killed_turn_commits_nothing_though_it_swallows_the_cancellation() -> None:
    spec = slow.agent().spec(id="a", shutdown=trido.BRUTAL_KILL)
    async with trido.open_supervisor(spec) as sup:
        ref = sup[spec].value
        await ref.cast(swallow(5))
        await settle()
        await sup.stop_child("a")
        assert (ref.status().revision, ref.status().timers) == (0, 0)
        assert reasons(ref) == [(5.0, trido.AgentStopped)]


async def test_a_crash_of_something_else_interrupts_the_turn_and_the_caller_learns_it() -> None:
    made = slow.agent()
    crash = Boom()

    @made.lifespan
    @asynccontextmanager
    async def lifespan(ref: Any) -> AsyncGenerator[Any, None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_crash_at, 1, crash)
            yield

    async with trido.open_supervisor(made.spec(id="a"), max_restarts=9) as sup:
        ref = sup["a"].value
        with pytest.raises(trido.AgentCrashed) as caught:
            await ref.call(sleep(5))
        assert trio.current_time() == 1
        assert leaves(caught.value.__cause__ or caught.value) == [crash]
        assert ref.status().revision == 0


async def _crash_at(time: float, error: BaseException) -> None:
    await trio.sleep_until(time)
    raise error


async def test_an_error_of_an_interrupted_turn_is_a_crash_all_the_same() -> None:
    async def fails(turn: trido.Turn) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Boom("in cleanup")  # noqa: ASYNC104

    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        with trio.move_on_after(1) as scope:
            await sup["a"].value.call(awaits(fails))
        assert scope.cancelled_caught
        await sup["a"].wait_running(after=1)
        assert isinstance(sup["a"].last_crash, Boom)


async def test_cleanup_of_an_interrupted_turn_has_the_grace() -> None:
    cleaned: list[float] = []

    async def cleaning(turn: trido.Turn) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup():
                await trio.sleep(2)
                cleaned.append(trio.current_time())
                await trio.sleep_forever()

    async with trido.open_supervisor(slow.agent().spec(id="a", shutdown=3.0)) as sup:
        await sup["a"].value.cast(awaits(cleaning))
        await settle()
        await sup.stop_child("a")
        assert cleaned == [2]
        assert trio.current_time() == 3


async def test_a_turn_that_shields_itself_is_killed_after_the_grace() -> None:
    async def stubborn(turn: trido.Turn) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

    events = Events()
    spec = slow.agent().spec(id="a", shutdown=3.0)
    async with trido.open_supervisor(spec, observers=[events]) as sup:
        await sup["a"].value.cast(awaits(stubborn))
        await settle()
        await sup.stop_child("a")
        assert trio.current_time() == 3
        assert events.lines == ["S a", "K a killed", "R shutdown_error(a, killed)"]
        assert len(sup["a"].value.dead_letters) == 1  # said once


# Errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "caller_gets", "lives"),
    [
        (trido.Reject("no"), trido.Reject, True),
        (Boom(), trido.AgentCrashed, False),
        (trido.Shutdown(), trido.AgentStopped, False),
        (trido.Ignore(), trido.AgentCrashed, False),
        (ExceptionGroup("", [Boom()]), trido.AgentCrashed, False),
    ],
)
async def test_what_an_async_handler_raises_means_what_it_means_in_any_other(
    error: Exception, caller_gets: type[Exception], *, lives: bool
) -> None:
    async def fails(turn: trido.Turn) -> None:
        await trio.sleep(1)
        raise error

    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        with pytest.raises(caller_gets):
            await ref.call(awaits(fails))
        await settle()
        assert ref.status().revision == 0
        assert (sup["a"].state == "running" and ref.incarnation == 1) == lives


async def test_what_is_no_decision_is_a_crash() -> None:
    async def nonsense(turn: trido.Turn) -> Any:
        return ["no directive"]

    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        with pytest.raises(trido.AgentCrashed) as caught:
            await sup["a"].value.call(awaits(nonsense))
        assert isinstance(caught.value.__cause__, trido.InvalidDecision)


@pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["sync", "async", "guard"])
def test_a_fatal_error_of_a_handler_leaves_the_supervisor_as_it_is(
    fatal: type[BaseException], where: str
) -> None:
    async def scenario() -> None:
        made = slow.agent()

        def guard(state: Log, data: Any) -> bool:
            raise error

        @made.on("guarded", guard=guard)
        def guarded(state: Log, data: None) -> Log:
            return state

        async def fails(turn: trido.Turn) -> None:
            await trio.sleep(1)
            raise error

        async with trido.open_supervisor(made.spec(id="a"), desk.agent().spec(id="b")) as sup:
            signals = {
                "sync": boom(error),
                "async": awaits(fails),
                "guard": trido.Signal("guarded"),
            }
            with pytest.raises(trido.AgentCrashed) as caught:
                await sup["a"].value.call(signals[where])
            assert caught.value.__cause__ is error
            await trio.sleep_forever()

    error = fatal()
    assert [leaves(left) for left in errors_of(scenario)] == [[error]] * 6


async def test_a_cancelled_that_leaks_from_an_async_handler_is_a_crash() -> None:
    async def leaks(turn: trido.Turn) -> None:
        raise await slow.a_cancelled()

    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        with pytest.raises(trido.AgentCrashed):
            await sup["a"].value.call(awaits(leaks))
        await sup["a"].wait_running(after=1)
        assert isinstance(sup["a"].last_crash, trido.LeakedCancelled)


# Tasks, scopes, contexts ----------------------------------------------------------------------


async def _leaves_a_nursery_open(turn: trido.Turn) -> None:
    nursery = await trio.open_nursery().__aenter__()
    nursery.start_soon(trio.sleep_forever)


async def _leaves_a_scope_open(turn: trido.Turn) -> None:
    trio.CancelScope().__enter__()
    await trio.lowlevel.checkpoint()


async def _leaves_a_cancelled_scope_open(turn: trido.Turn) -> None:
    trio.CancelScope().__enter__().cancel()


@pytest.mark.parametrize(
    ("mistake", "crashes"),
    [
        (_leaves_a_nursery_open, True),
        (_leaves_a_scope_open, False),
        (_leaves_a_cancelled_scope_open, False),
    ],
)
def test_a_handler_that_leaves_a_nursery_or_a_scope_open_harms_nobody_else(
    mistake: Any, *, crashes: bool
) -> None:
    """A nursery is its crash; a scope ends with its task."""

    @played
    async def scenario() -> None:
        made = slow.agent()
        left: list[str] = []

        @made.lifespan
        async def lifespan(ref: Any) -> AsyncGenerator[Any, None]:
            try:
                yield
            finally:
                await trio.sleep(1)  # nothing cancels it: it is left in order
                left.append("left")

        async with trido.open_supervisor(made.spec(id="a"), slow.agent().spec(id="b")) as sup:
            a, b = sup["a"].value, sup["b"].value
            async with trio.open_nursery() as nursery:
                nursery.start_soon(b.call, sleep(5))
                await settle()
                if crashes:
                    with pytest.raises(trido.AgentCrashed):
                        await a.call(awaits(mistake))
                else:
                    await a.call(awaits(mistake))
                await a.call(sleep(3))
            assert (a.incarnation, left) == (1 + crashes, ["left"] * crashes)
            assert (b.incarnation, b.state().seen) == (1, ("slept",))

    scenario()
    gc.collect()


async def test_every_handler_runs_in_the_context_of_its_agent() -> None:
    async def look(turn: trido.Turn) -> Any:
        await trio.sleep(1)
        return [trido.Reply(trido.current_child().id)]

    answers: list[str] = []

    async def ask(ref: trido.AgentRef[Log]) -> None:
        answers.append(await ref.call(awaits(look)))

    spec = slow.agent().spec(id="a")
    async with trido.open_supervisor(spec) as sup:
        await sup.start_child(ask, sup[spec].value, restart="temporary")
        await trio.sleep(2)
        assert answers == ["a"]


async def test_an_idle_agent_without_a_lifespan_holds_no_task_after_an_effectful_turn() -> None:
    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        before = trio.lowlevel.current_statistics().tasks_living
        await sup["a"].value.call(sleep(1))
        await settle()
        # The dispatcher of the nursery is the one that stays.
        assert trio.lowlevel.current_statistics().tasks_living <= before + 1
        run = sup["a"].run
        assert run is not None
        assert run.stack() == ""


async def test_the_stack_of_an_agent_shows_where_its_handler_is() -> None:
    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        await sup["a"].value.cast(sleep(1))
        await settle()
        run = sup["a"].run
        assert run is not None
        assert "await trio.sleep(data)" in run.stack()


# Callers that go ------------------------------------------------------------------------------


def test_a_call_that_is_cancelled_did_not_happen_whenever_that_was() -> None:
    """Before the turn, as it begins, while it awaits, as it ends: the caller is told the truth."""
    came = set[tuple[bool, bool]]()

    async def scenario(ticks: int) -> None:
        begun: list[str] = []

        async def decide(turn: trido.Turn) -> None:
            begun.append("begun")
            await trio.lowlevel.checkpoint()

        async def cancel() -> None:
            for _ in range(ticks):
                await trio.lowlevel.checkpoint()
            scope.cancel()

        scope = trio.CancelScope()
        async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
            ref = sup["a"].value
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel)
                with scope:
                    await ref.call(awaits(decide))
            await settle()
            assert ("awaited" in ref.state().seen) != scope.cancelled_caught
            came.add((bool(begun), scope.cancelled_caught))

    for ticks in range(12):
        run(partial(scenario, ticks))
    assert came == {(False, True), (True, True), (True, False)}


@played
async def test_a_caller_that_goes_does_not_interrupt_a_turn_that_finishes() -> None:
    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        with trio.move_on_after(1):
            await ref.call(finish(2))
        assert trio.current_time() == 1
        assert await ref.call(note("next")) == Log(("finished", "next"))
        assert trio.current_time() == 2


async def test_a_turn_that_finishes_without_its_caller_may_defer_and_reply() -> None:
    made = slow.agent()

    @made.on("later", on_caller_gone="finish")
    async def later(state: Log, data: None, turn: trido.Turn) -> trido.Decision[Log]:
        await trio.sleep(2)
        return Log((turn.request or "",)), [trido.DeferReply()]

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        ref = sup["a"].value
        with trio.move_on_after(1):
            await ref.call(trido.Signal("later"))
        await trio.sleep(2)
        assert ref.status().requests == 0
        await ref.call(do(trido.Reply("too late", to=ref.state().seen[0])))
        assert ref.status().late_replies == 1


async def test_a_turn_limit_holds_though_the_caller_has_gone() -> None:
    async with trido.open_supervisor(slow.agent(turn_limit=3).spec(id="a")) as sup:
        ref = sup["a"].value
        with trio.move_on_after(1):
            await ref.call(finish(5))
        assert await ref.call(note("next")) == Log(("next",))
        assert trio.current_time() == 3


@pytest.mark.parametrize("depth", [2, 30])
def test_a_deadline_of_a_caller_reaches_any_depth(depth: int) -> None:
    @played
    async def scenario() -> None:
        agents = [slow.agent().spec(id=str(n)) for n in range(depth)]
        async with trido.open_supervisor(*agents) as sup:
            refs = [sup[str(n)].value for n in range(depth)]

            def signal(n: int) -> trido.Signal:
                if n == depth - 1:
                    return sleep(9)

                async def call_the_next(turn: trido.Turn) -> None:
                    await refs[n + 1].call(signal(n + 1))

                return awaits(call_the_next)

            with trio.move_on_after(1) as scope:
                await refs[0].call(signal(0))
            assert scope.cancelled_caught
            assert trio.current_time() == 1
            for ref in refs:
                assert await ref.call(note("free")) == Log(("free",))
            assert trio.current_time() == 1

    scenario()


@played
async def test_a_turn_limit_cancels_the_calls_of_the_handler() -> None:
    async def call_b(turn: trido.Turn) -> None:
        await b.call(sleep(9))

    a_spec, b_spec = slow.agent(turn_limit=1).spec(id="a"), slow.agent().spec(id="b")
    async with trido.open_supervisor(a_spec, b_spec) as sup:
        a, b = sup[a_spec].value, sup[b_spec].value
        with pytest.raises(trido.TurnExpired):
            await a.call(awaits(call_b))
        assert await b.call(note("free")) == Log(("free",))
        assert trio.current_time() == 1


@played
async def test_a_crash_cancels_the_calls_of_the_handler() -> None:
    async def call_b_and_crash(turn: trido.Turn) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(b.call, sleep(9))
            await trio.sleep(1)
            raise Boom

    a_spec, b_spec = slow.agent().spec(id="a"), slow.agent().spec(id="b")
    async with trido.open_supervisor(a_spec, b_spec) as sup:
        a, b = sup[a_spec].value, sup[b_spec].value
        with pytest.raises(trido.AgentCrashed):
            await a.call(awaits(call_b_and_crash))
        assert await b.call(note("free")) == Log(("free",))
        assert trio.current_time() == 1


async def test_casts_and_directives_carry_no_deadline() -> None:
    async def cast_b(turn: trido.Turn) -> None:
        await b.cast(sleep(5))

    a_spec, b_spec = slow.agent().spec(id="a"), slow.agent().spec(id="b")
    async with trido.open_supervisor(a_spec, b_spec) as sup:
        a, b = sup[a_spec].value, sup[b_spec].value
        with trio.move_on_after(1):
            await a.call(awaits(cast_b))
            await a.call(do(trido.Emit(sleep(5), to=b)))
            await a.call(sleep(9))
        await trio.sleep(20)
        assert b.state().seen == ("slept", "slept")


async def test_an_agent_can_be_stopped_by_its_own_handler() -> None:
    async def stop(turn: trido.Turn) -> None:
        await ref.stop()

    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        with trio.fail_after(1), pytest.raises(trido.AgentStopped):
            await ref.call(awaits(stop))
        await sup["a"].wait_ended()
        assert ref.status().revision == 0
