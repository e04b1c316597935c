from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio

import trido
from tests.runtime.desk import Log, agent, boom, do, note, reasons, settle


@asynccontextmanager
async def full(overflow: str) -> AsyncGenerator[trido.AgentRef[Log]]:
    """An agent with room for two, and two signals in it; it will run again in ten seconds."""
    spec = agent(mailbox=2, overflow=overflow).spec(id="a", backoff=trido.Backoff(min=10.0))
    async with trido.open_supervisor(spec, agent("other").spec(id="b"), max_restarts=9) as sup:
        ref = sup[spec].value
        await ref.cast(boom())
        await sup["a"].wait_running(after=1)
        await ref.cast(boom())
        await settle()
        ref.cast_nowait(note("1"))
        ref.cast_nowait(note("2"))
        before = ref.dead_letters.total
        assert before == 2
        yield ref


async def seen(ref: trido.AgentRef[Log]) -> str:
    await trio.sleep(20)
    return "".join(ref.state().seen)


async def test_block_lets_senders_wait_in_the_order_in_which_they_came() -> None:
    async with full("block") as ref:
        async with trio.open_nursery() as nursery:
            with pytest.raises(trio.WouldBlock):
                ref.cast_nowait(note("x"))
            for number, send in enumerate([ref.cast, ref.call, ref.cast], 3):
                nursery.start_soon(send, note(str(number)))
                await settle()
            assert (ref.status().queued, ref.status().waiting) == (2, 3)
        assert await seen(ref) == "12345"


async def test_a_cast_waits_no_longer_than_for_room() -> None:
    async with full("block") as ref:
        start = trio.current_time()
        await ref.cast(note("3"))
        assert trio.current_time() - start == pytest.approx(10, abs=0.5)


async def test_a_cancelled_cast_was_not_sent() -> None:
    async with full("block") as ref:
        with trio.move_on_after(1) as scope:
            await ref.cast(note("x"))
        assert scope.cancelled_caught
        assert await seen(ref) == "12"


async def test_reject_refuses() -> None:
    async with full("reject") as ref:
        with pytest.raises(trido.Overloaded, match="'a' has no room"):
            await ref.cast(note("x"))
        with pytest.raises(trido.Overloaded):
            await ref.call(note("x"))
        with pytest.raises(trio.WouldBlock):
            ref.cast_nowait(note("x"))
        assert ref.dead_letters.total == 2
        assert await seen(ref) == "12"


async def test_drop_newest_drops_what_comes() -> None:
    async with full("drop_newest") as ref:
        await ref.cast(note("cast"))
        ref.cast_nowait(note("nowait"))
        with pytest.raises(trido.Overloaded):
            await ref.call(note("call"))
        assert reasons(ref)[2:] == [("cast", trido.Overloaded), ("nowait", trido.Overloaded)]
        assert await seen(ref) == "12"


async def test_drop_oldest_drops_what_waited_longest() -> None:
    async with full("drop_oldest") as ref:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.call, note("3"))
            await settle()
            await ref.cast(note("4"))
            assert reasons(ref)[2:] == [("1", trido.Overloaded), ("2", trido.Overloaded)]
        assert await seen(ref) == "34"


async def test_drop_oldest_refuses_a_call_that_waited_longest() -> None:
    async with full("drop_oldest") as ref:
        ref.cast_nowait(note("x"))
        with pytest.RaisesGroup(trido.Overloaded):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ref.call, note("call"))
                await settle()
                ref.cast_nowait(note("y"))
                ref.cast_nowait(note("z"))
        assert await seen(ref) == "yz"


@pytest.mark.parametrize("overflow", ["reject", "drop_newest"])
async def test_what_is_emitted_to_a_full_mailbox_is_a_dead_letter(overflow: str) -> None:
    async with full(overflow) as ref:
        other = await emitter_beside(ref)
        await other.call(do(trido.Emit(note("x"), to=ref)))
        assert reasons(ref)[2:] == [("x", trido.Overloaded)]
        assert await seen(ref) == "12"


async def test_what_is_emitted_to_a_full_mailbox_may_drop_the_oldest() -> None:
    async with full("drop_oldest") as ref:
        other = await emitter_beside(ref)
        await other.call(do(trido.Emit(note("3"), to=ref)))
        assert reasons(ref)[2:] == [("1", trido.Overloaded)]
        assert await seen(ref) == "23"


async def test_what_is_emitted_to_a_full_mailbox_may_refuse_the_oldest_call() -> None:
    async with full("drop_oldest") as ref:
        other = await emitter_beside(ref)
        ref.cast_nowait(note("x"))
        with pytest.RaisesGroup(trido.Overloaded):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ref.call, note("call"))
                await settle()
                await other.call(do(*[trido.Emit(note(text), to=ref) for text in "yz"]))
        assert await seen(ref) == "yz"


async def test_what_is_emitted_to_a_full_mailbox_waits_in_the_senders_outbox() -> None:
    async with full("block") as ref:
        other = await emitter_beside(ref)
        await other.call(do(trido.Emit(note("3"), to=ref)))
        assert (other.status().outbox, ref.status().waiting) == (1, 1)
        assert await seen(ref) == "123"


async def emitter_beside(ref: trido.AgentRef[Log]) -> trido.AgentRef[Log]:
    child = ref.place._child
    assert child is not None
    return child.supervisor["b"].value  # type: ignore[no-any-return]
