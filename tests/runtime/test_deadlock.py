"""Circles of calls: who would wait for ever is told at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import pytest
import trio
from attrs import frozen

import trido
from tests.conformance.kit import both_orders, played
from tests.runtime import slow
from tests.runtime.desk import Log, do, note, settle
from tests.runtime.slow import awaits, sleep

Ref: TypeAlias = trido.AgentRef[Log]


@asynccontextmanager
async def agents(ids: str, **settings: Any) -> AsyncGenerator[list[Ref]]:
    """Some agents that await, in time for none of them to wait for ever."""
    specs = [slow.agent(**settings).spec(id=id) for id in ids]
    with trio.fail_after(20):
        async with trido.open_supervisor(*specs) as sup:
            yield [sup[spec].value for spec in specs]


def calls(ref: Ref, signal: trido.Signal) -> trido.Signal:
    """A turn that calls, and hands the answer on."""

    async def call(turn: trido.Turn) -> Any:
        return [trido.Reply(await ref.call(signal))]

    return awaits(call)


def dead(*ids: str) -> Any:
    """What the last of a circle is told; those before it crash by that."""
    circle = " → ".join(map(repr, ids))
    return pytest.raises(trido.DeadlockError, match=f"wait for each other for ever: {circle}$")


async def told(call: Callable[[], Awaitable[object]], *ids: str) -> list[trido.Directive]:
    with dead(*ids):
        await call()
    return [trido.Reply("told")]


async def test_a_call_to_oneself_is_the_shortest_circle() -> None:
    async def call_self(turn: trido.Turn) -> Any:
        with pytest.raises(trido.DeadlockError, match="agent 'a' calls itself"):
            await a.call(note("x"))
        return [trido.Reply("told")]

    async with agents("a") as (a,):
        assert await a.call(awaits(call_self)) == "told"
        assert a.state().seen == ("awaited",)


@pytest.mark.parametrize("length", [2, 3, 6])
def test_a_circle_of_calls_is_named_to_whoever_would_close_it(length: int) -> None:
    @played
    async def scenario() -> None:
        ids = "abcdef"[:length]
        async with agents(ids) as refs:

            async def close(turn: trido.Turn) -> Any:
                return await told(lambda: refs[0].call(note("x")), ids[-1], *ids)

            signal = awaits(close)
            for ref in refs[-2:0:-1]:
                signal = calls(refs[refs.index(ref) + 1], signal)
            assert await refs[0].call(calls(refs[1], signal)) == "told"
            assert trio.current_time() == 0
            assert all(ref.incarnation == 1 for ref in refs)

    scenario()


async def test_a_circle_that_nobody_catches_is_the_crash_of_whoever_would_close_it() -> None:
    async with agents("ab") as (a, b):
        with pytest.raises(trido.AgentCrashed) as caught:
            await a.call(calls(b, calls(a, note("x"))))
        crash_of_b = caught.value.__cause__
        assert isinstance(crash_of_b, trido.AgentCrashed)
        assert crash_of_b.id == "b"
        assert isinstance(crash_of_b.__cause__, trido.DeadlockError)


def test_of_two_that_call_each_other_at_once_one_is_told() -> None:
    async def scenario() -> str:
        who: list[str] = []

        async def call(caller: str, other: Ref) -> None:
            try:
                await other.call(sleep(1))
            except trido.DeadlockError:
                who.append(caller)

        async with agents("ab") as (a, b):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(a.call, awaits(lambda _: call("a", b)))
                nursery.start_soon(b.call, awaits(lambda _: call("b", a)))
            return "".join(who)

    both_orders(scenario, ["a", "b"])


# Who holds a turn -----------------------------------------------------------------------------


@played
async def test_tasks_that_a_handler_starts_hold_its_turn() -> None:
    async def call_a(turn: trido.Turn) -> Any:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(told, lambda: a.call(note("x")), "b", "a", "b")

    async def call_b(turn: trido.Turn) -> Any:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(b.call, awaits(call_a))

    async with agents("ab") as (a, b):
        await a.call(awaits(call_b))
        assert b.state().seen == ("awaited",)


@played
async def test_a_deferred_answer_is_waited_for_all_the_same() -> None:
    """B has not answered A, so B must not wait for A; though B's first turn has long ended."""

    async def call_a(turn: trido.Turn) -> Any:
        return await told(lambda: a.call(note("x")), "b", "a", "b")

    async def defer(turn: trido.Turn) -> Any:
        requests.append(turn.request)
        return [trido.DeferReply()]

    requests: list[Any] = []
    async with agents("ab") as (a, b), trio.open_nursery() as nursery:
        nursery.start_soon(a.call, calls(b, awaits(defer)))
        await settle()
        assert await b.call(awaits(call_a)) == "told"
        await b.call(do(trido.Reply("at last", to=requests[0])))
        await settle()
        assert await b.call(calls(a, note("x"))) == Log(("awaited", "x"))


@played
async def test_holding_is_void_once_the_turn_has_ended() -> None:
    """A task that a handler has left with a nursery of somebody else may call whom it likes."""

    async def leave_behind(turn: trido.Turn) -> None:
        nursery.start_soon(later)

    async def later() -> None:
        await trio.sleep(1)
        answers.append(await a.call(note("x")))

    answers: list[Log] = []
    async with agents("a") as (a,), trio.open_nursery() as nursery:
        await a.call(awaits(leave_behind))
        await trio.sleep(2)
        assert answers == [Log(("awaited", "x"))]


async def test_an_old_holder_adds_nothing_to_a_later_turn() -> None:
    """Its call stands for no edge: A's next turn does not wait for B."""

    async def leave_behind(turn: trido.Turn) -> None:
        nursery.start_soon(later)

    async def later() -> None:
        await trio.sleep(1)
        await b.call(sleep(5))

    async def call_b_later(turn: trido.Turn) -> None:
        await trio.sleep(3)

    async with agents("abc") as (a, b, c), trio.open_nursery() as nursery:
        await a.call(awaits(leave_behind))
        await a.cast(awaits(call_b_later))
        await trio.sleep(2)
        assert await b.call(calls(a, note("x"))) == Log(("awaited", "awaited", "x"))
        assert c.incarnation == 1


async def test_a_call_that_was_answered_or_given_up_is_no_edge() -> None:
    async def call_b_and_wait(turn: trido.Turn) -> None:
        await b.call(note("x"))
        with trio.move_on_after(1):
            await b.call(sleep(5))
        await trio.sleep(2)

    async with agents("ab") as (a, b):
        await a.cast(awaits(call_b_and_wait))
        await trio.sleep(1.5)
        # A would have B wait for it, and does not wait for B.
        assert await b.call(calls(a, note("y"))) == Log(("awaited", "y"))


async def test_two_ways_to_one_agent_are_no_circle() -> None:
    async def call_both(turn: trido.Turn) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(b.call, calls(d, sleep(1)))
            nursery.start_soon(c.call, calls(d, sleep(1)))

    async with agents("abcde") as (a, b, c, d, e), trio.open_nursery() as nursery:
        nursery.start_soon(a.call, awaits(call_both))
        await settle()
        await e.call(calls(a, note("x")))
        assert a.state().seen == ("awaited", "x")


async def test_an_agent_may_wait_for_several_at_once() -> None:
    async def call_both(turn: trido.Turn) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(b.call, sleep(1))
            nursery.start_soon(b.call, sleep(1))
            nursery.start_soon(c.call, awaits(call_a))
            await settle()
            assert a.place.open_turn is not None
            assert dict(a.place.open_turn.calls) == {b.place: 2, c.place: 1}

    async def call_a(turn: trido.Turn) -> Any:
        await trio.sleep(1.5)
        return await told(lambda: a.call(note("x")), "c", "a", "c")

    async with agents("abc") as (a, b, c):
        await a.call(awaits(call_both))


# Who holds none -------------------------------------------------------------------------------


@played
async def test_plain_tasks_hold_no_turn() -> None:
    """Not even if an agent waits for them: how they are tied, nobody knows."""
    async with agents("a") as (a,), trio.open_nursery() as nursery:
        nursery.start_soon(a.call, sleep(1))
        await settle()
        assert await a.call(note("x")) == Log(("slept", "x"))


async def test_actions_that_run_beside_hold_no_turn() -> None:
    @trido.action("call")
    async def call(data: None) -> str:
        await a.call(note("from the run"))
        return "ran"

    async def decide(turn: trido.Turn) -> Any:
        return [trido.Run(call, None, ok="note")]

    async with agents("a") as (a,):
        await a.call(awaits(decide))
        await a.call(sleep(1))
        await settle()
        assert set(a.state().seen) == {"awaited", "from the run", "slept", "ran"}


@played
async def test_tasks_of_a_lifespan_hold_no_turn() -> None:
    made = slow.agent()

    @made.lifespan
    @asynccontextmanager
    async def lifespan(ref: Ref) -> AsyncGenerator[Any, None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(beside, ref)
            yield
            nursery.cancel_scope.cancel()

    async def beside(ref: Ref) -> None:
        await trio.sleep(1)
        await ref.call(note("beside"))

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(sleep(2))
        await settle()
        assert ref.state().seen == ("slept", "beside")


async def test_executors_hold_no_turn() -> None:
    async def order(directive: Order, delivery: Any) -> None:
        await rt.agent("a").call(note("from the executor"))

    async def decide(turn: trido.Turn) -> Any:
        return [Order()]

    async with trido.open_runtime(executors={Order: order}) as rt:
        ref = await rt.start_agent(slow.agent(), id="a")
        await ref.call(awaits(decide))
        await settle()
        assert ref.state().seen == ("awaited", "from the executor")


@frozen
class Order(trido.Directive):
    """One of one's own."""


# Starts, stops, and rooms ---------------------------------------------------------------------


async def test_a_start_that_calls_its_own_agent_is_told() -> None:
    made = slow.agent()

    @made.on_start
    async def start(state: Log, turn: trido.Turn) -> Log:
        await rt.agent(turn.agent_id).call(note("x"))
        return state

    async with trido.open_runtime() as rt:
        with pytest.raises(trido.StartFailed) as failed:
            await rt.start_agent(made, id="a")
        assert isinstance(failed.value.__cause__, trido.DeadlockError)


async def test_a_stop_that_calls_its_own_agent_is_told() -> None:
    told: list[type] = []
    made = slow.agent()

    @made.on_stop
    async def stop(state: Log) -> Log:
        try:
            await ref.call(note("x"))
        except trido.TridoError as error:
            told.append(type(error))
        return state

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        ref = sup["a"].value
        with trio.fail_after(1):
            await sup.stop_child("a")
    assert told == [trido.DeadlockError]


@played
async def test_a_cast_for_which_there_can_never_be_room_is_told() -> None:
    """Only the handler that waits could make room."""

    async def cast_to_self(turn: trido.Turn) -> Any:
        await a.cast(note("fits"))
        with pytest.raises(trido.DeadlockError, match="'a'"):
            await a.cast(note("does not"))
        return [trido.Reply("told")]

    async with agents("a", mailbox=1) as (a,):
        assert await a.call(awaits(cast_to_self)) == "told"
        await settle()
        assert a.state().seen == ("awaited", "fits")


@played
async def test_a_cast_that_would_close_a_circle_is_told() -> None:
    async def cast_to_a(turn: trido.Turn) -> Any:
        await a.cast(note("fits"))
        return await told(lambda: a.cast(note("does not")), "b", "a", "b")

    async with agents("ab", mailbox=1) as (a, b):
        assert await a.call(calls(b, awaits(cast_to_a))) == "told"


@played
async def test_a_call_that_would_close_a_circle_with_a_waiting_cast_is_told() -> None:
    async def cast_to_b(turn: trido.Turn) -> None:
        await b.cast(note("waits for room"))

    async def call_a(turn: trido.Turn) -> Any:
        await trio.sleep(1)
        return await told(lambda: a.call(note("x")), "b", "a", "b")

    async with agents("ab", mailbox=1) as (a, b), trio.open_nursery() as nursery:
        nursery.start_soon(b.call, awaits(call_a))
        await settle()
        b.cast_nowait(note("fills it"))
        await a.cast(awaits(cast_to_b))
        await trio.sleep(2)
        assert b.state().seen == ("awaited", "fills it", "waits for room")


async def test_a_cast_that_waits_for_another_agent_just_waits() -> None:
    async def cast_to_b(turn: trido.Turn) -> None:
        await b.cast(note("2"))

    async with agents("ab", mailbox=1) as (a, b):
        await b.cast(sleep(1))
        await settle()
        b.cast_nowait(note("1"))
        await a.call(awaits(cast_to_b))
        assert trio.current_time() == 1
        await settle()
        assert b.state().seen == ("slept", "1", "2")


async def test_a_long_chain_of_calls_is_no_circle() -> None:
    """Looking for a circle does not get deeper with the chain."""
    length = 1100
    made = slow.agent()
    async with trido.open_supervisor(*(made.spec(id=str(n)) for n in range(length))) as sup:
        refs = [sup[str(n)].value for n in range(length)]
        signal = awaits(lambda _: _told_by(refs[0]))
        for ref in refs[:0:-1]:
            signal = calls(ref, signal)
        assert await refs[0].call(signal) == "told"


async def _told_by(first: Ref) -> Any:
    with pytest.raises(trido.DeadlockError, match="'1099' → '0' → '1' → "):
        await first.call(note("x"))
    return [trido.Reply("told")]
