"""What a reading of the runtime found: each test failed before it was mended."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from unittest.mock import patch

import pytest
import trio

import trido
from tests.runtime.desk import Boom, Log, agent, boom, do, note, settle
from tests.runtime.till import Charge, Failed, Till, shop
from trido.runtime.bus import Bus
from trido.runtime.dead_letters import DeadLetters
from trido.runtime.monitors import Monitors


@dataclass(frozen=True)
class Stubborn(Exception):
    """A crash that takes no notes: it cannot be changed."""

    what: str = ""


async def test_a_crash_that_takes_no_notes_is_told_like_any_other() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        with trio.fail_after(1.0), pytest.raises(trido.AgentCrashed) as caught:
            await sup["a"].value.call(boom(Stubborn("no")))
        assert isinstance(caught.value.__cause__, Stubborn)


@pytest.mark.parametrize("ask", ["ask", "ask.async"])
async def test_a_refusal_by_another_agent_that_a_handler_lets_out_is_a_crash(ask: str) -> None:
    """It is not this agent that has no route, or was sent invalid data."""
    other, made = agent("other"), agent()

    @made.on("ask")
    def ask_purely(state: Log, data: str) -> Log:
        return other.cmd(state, trido.Signal(data))[0]

    @made.on("ask.async")
    async def ask_effectfully(state: Log, data: str) -> Log:
        return other.cmd(state, trido.Signal(data))[0]

    async with trido.open_supervisor(made.spec(id="a"), max_restarts=9) as sup:
        ref = sup["a"].value
        for type in ("nothing.such", "note"):
            with pytest.raises(trido.AgentCrashed):
                await ref.call(trido.Signal(ask, type))


async def test_what_is_no_exception_in_a_guard_is_the_end_of_everything() -> None:
    made = agent()

    def guard(state: Log, data: str) -> bool:
        raise KeyboardInterrupt

    @made.on("guarded", guard=guard)
    def guarded(state: Log, data: str) -> Log:
        return state

    with pytest.raises(KeyboardInterrupt):
        async with trido.open_supervisor(made.spec(id="a")) as sup:
            with pytest.raises(trido.AgentCrashed):
                await sup["a"].value.call(trido.Signal("guarded", "x"))
            await trio.sleep_forever()


@pytest.mark.parametrize("whom", [0, 1])
async def test_a_predicate_may_cancel_who_waits_itself_or_another(whom: int) -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref: trido.AgentRef[Log] = sup["a"].value
        scopes = [trio.CancelScope(), trio.CancelScope()]

        def seen(log: Log) -> bool:
            if log.seen:
                scopes[whom].cancel()
            return bool(log.seen)

        async def wait(scope: trio.CancelScope) -> None:
            with scope:
                await ref.wait_for(seen)

        async with trio.open_nursery() as nursery:
            for scope in scopes:
                nursery.start_soon(wait, scope)
                await settle()
            await ref.call(note("x"))
        assert [scope.cancelled_caught for scope in scopes] == [whom == 0, whom == 1]
        assert ref.incarnation == 1


async def test_calls_that_are_queued_fail_at_once_when_the_agent_stops_by_itself() -> None:
    """Not only when what it has committed is done: that may wait for the call."""
    async with shop(shutdown=60.0) as (_, ref, _till):
        start = trio.current_time()
        await ref.call(do(Charge("slow", 30.0), trido.Stop()))
        with pytest.raises(trido.AgentStopped):
            await ref.call(note("late"))
        assert trio.current_time() == start


async def test_calls_that_are_queued_fail_at_once_when_a_crash_is_the_end() -> None:
    made = agent()

    @made.lifespan
    async def hold(ref: Any) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3.0)

    @made.on("wait")
    async def wait(state: Log, data: None) -> Log:
        await trio.sleep(1.0)
        raise Boom

    async with trido.open_supervisor(made.spec(id="a", restart="temporary")) as sup:
        ref = sup["a"].value
        ended: list[float] = []

        async def call() -> None:
            with pytest.raises(trido.AgentStopped):
                await ref.call(note("late"))
            ended.append(trio.current_time())

        start = trio.current_time()
        await ref.cast(trido.Signal("wait"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
        assert ended == [start + 1.0]


@pytest.mark.parametrize("recover", ["fresh", "committed"])
async def test_a_spawn_that_a_crash_interrupts_is_carried_out_by_the_next_run(
    recover: Literal["fresh", "committed"],
) -> None:
    failed = Failed()
    made = agent(recover=recover, on_error=failed)
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(made, id="p")
        spawn = do(trido.SpawnAgent(agent("kid"), "kid"))
        ref.cast_nowait(spawn)
        ref.cast_nowait(boom())
        await trio.sleep(5.0)
        assert failed.errors == []
        assert rt.find("p/kid") is not None
        assert ref.status().children == 1
        assert ref.incarnation == 2


@pytest.mark.parametrize("recover", ["fresh", "committed"])
async def test_a_detached_child_whose_start_outlasted_the_run_is_the_next_runs(
    recover: Literal["fresh", "committed"],
) -> None:
    """The grace of the run was over before it was ready; its start is carried through."""
    failed, kid = Failed(), agent("kid")

    @kid.lifespan
    async def slow(ref: Any) -> AsyncGenerator[None]:
        await trio.sleep(10.0)
        yield

    async with trido.open_runtime() as rt:
        made = agent(recover=recover, on_error=failed)
        ref = await rt.start_agent(made, id="p", shutdown=1.0)
        ref.cast_nowait(do(trido.SpawnAgent(kid, "kid", detached=True)))
        await trio.sleep(0.5)
        ref.cast_nowait(boom())
        await trio.sleep(60.0)
        assert (ref.incarnation, failed.errors) == (2, [])
        assert ref.status().children == 1
        await ref.call(do(trido.StopChild("kid")))
        await settle()
        assert (ref.status().children, rt.find("p/kid")) == (0, None)


@pytest.mark.parametrize("ends", ["the agent", "the runtime"])
async def test_a_run_that_has_stopped_its_children_starts_no_other(ends: str) -> None:
    """Such a directive comes late: from among the dead letters. It becomes one again."""
    made, kid = agent(), agent("kid")

    @made.lifespan
    async def leave_slowly(ref: Any) -> AsyncGenerator[None]:
        yield
        with trido.cleanup():
            await trio.sleep(3.0)

    @kid.lifespan
    async def never(ref: Any) -> AsyncGenerator[None]:
        await trio.sleep_forever()
        yield

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(made, id="p", shutdown=5.0)
        await ref.call(do(trido.SpawnAgent(kid, "kid")))
        await ref.stop()
        (letter,) = rt.dead_letters
        ref = await rt.start_agent(made, id="p", shutdown=5.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.stop)
            await trio.sleep(1.0)
            await rt.dead_letters.resend(letter)
            await settle()
            assert (list(rt.dead_letters), ref.status().outbox) == ([], 1)
            if ends == "the runtime":
                rt.supervisor.stop()
        await trio.sleep(6.0 if ends == "the agent" else 0.0)
        assert [one.directive for one in rt.dead_letters] == [letter.directive]
        assert rt.agents() == ()


class Clock:
    """One that can be broken."""

    works = True

    def __call__(self) -> datetime:
        if not self.works:
            raise Boom
        return datetime.now(UTC)


async def test_a_clock_that_fails_leaves_no_turn_half_committed() -> None:
    clock = Clock()
    async with trido.open_runtime(clock=clock) as rt:
        ref = await rt.start_agent(agent(recover="committed"), id="a")
        with rt.subscribe("note") as signals:
            clock.works = False
            with pytest.raises(trido.AgentCrashed):
                await ref.call(do(trido.Schedule(1.0, note("later")), trido.Emit(note("now"))))
            clock.works = True
            assert ref.status().revision == 0
            assert signals.statistics().taken == 0


async def test_a_directive_that_cannot_be_begun_has_failed_and_the_next_is_carried_out() -> None:
    clock, failed = Clock(), Failed()
    executors: dict[type, Any] = {Charge: Till().charge}
    async with trido.open_runtime(clock=clock, executors=executors) as rt:
        ref = await rt.start_agent(agent(on_error=failed), id="a")
        with rt.subscribe("note") as signals:
            clock.works = False
            await ref.call(do(Charge("1"), trido.Emit(note("2"))))
            assert failed.kinds == [Boom]
            assert signals.statistics().taken == 1
            assert ref.incarnation == 1


SEEN_BY: ContextVar[str] = ContextVar("seen by", default="nobody")


async def test_the_context_of_whoever_sends_the_first_signal_is_not_kept() -> None:
    seen: list[str] = []

    def clock() -> datetime:
        seen.append(SEEN_BY.get())
        return datetime.now(UTC) + timedelta(seconds=trio.current_time())

    async with trido.open_runtime(clock=clock) as rt:
        ref = await rt.start_agent(agent(), id="a")
        SEEN_BY.set("the sender")
        ref.cast_nowait(do(trido.Cron("* * * * *", note("tick"), "k")))
        await settle()
        seen.clear()
        await trio.sleep(61)
        assert ref.state().seen == ("do", "tick")
        assert set(seen) == {"nobody"}


@pytest.mark.parametrize("what", ["enter", "close", "monitor", "demonitor", "resend"])
async def test_a_keyboard_interrupt_does_not_come_between_two_steps(what: str) -> None:
    """It comes before or after the whole of it: the innermost step is protected."""
    protected: list[bool] = []

    def spy(cls: type, name: str) -> Any:
        real = getattr(cls, name)

        def step(*args: Any) -> Any:
            protected.append(trio.lowlevel.currently_ki_protected())
            return real(*args)

        return patch.object(cls, name, step)

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(agent(), id="a")
        stream, handle = rt.subscribe("note"), rt.monitor(ref)
        ref.cast_nowait(trido.Signal("unknown"))
        await settle()
        match what:
            case "enter":
                with spy(Bus, "add"), stream:
                    pass
            case "close":
                with spy(Bus, "remove"):
                    stream.close()
            case "monitor":
                with spy(Monitors, "add"):
                    rt.monitor(ref)
            case "demonitor":
                with spy(Monitors, "discard"):
                    handle.demonitor()
            case _:
                with spy(DeadLetters, "_place_of"):
                    await rt.dead_letters.resend(next(iter(rt.dead_letters)))
        assert protected == [True]
