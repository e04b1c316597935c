"""Turns on the spot: how long other tasks wait for them, and who need not wait once more."""

from __future__ import annotations

import trio
import trio.testing
from attrs import frozen

import trido
from trido.supervision.spot import MOST, PIECES, Spot


@frozen
class Counter:
    value: int = 0


counter = trido.Agent("counter", state=Counter)


@counter.on("count")
def count(state: Counter, data: None) -> Counter:
    return Counter(state.value + 1)


COUNT = trido.Signal("count")


async def lets_others_run(ref: trido.AgentRef[Counter]) -> bool:
    """Whether a call does: it is a cancellation point in any case."""
    try:
        with trio.testing.assert_checkpoints():
            await ref.call(COUNT)
    except AssertionError:
        return False
    return True


async def test_whoever_calls_now_and_then_waits_behind_others_once() -> None:
    """The agents that are served together had their turn while the caller slept."""
    cold, hot = counter.spec(id="cold"), counter.spec(id="hot")
    async with trido.open_supervisor(cold, hot) as sup:
        ref, busy = sup[cold].value, sup[hot].value
        for _ in range(3):
            await trio.sleep(1)
            busy.cast_nowait(COUNT)
            await trio.testing.wait_all_tasks_blocked()
            assert not await lets_others_run(ref)


async def test_others_run_where_nobody_knows_when_they_last_did() -> None:
    cold = counter.spec(id="cold")
    async with trido.open_supervisor(cold) as sup:
        for _ in range(3):
            await trio.sleep(1)
            assert await lets_others_run(sup[cold].value)
            assert not await lets_others_run(sup[cold].value)


async def test_others_run_after_so_many_pieces() -> None:
    spot, now = Spot.here(), trio.current_time()
    assert spot is Spot.here()
    assert spot.is_spent(now)  # nobody knows when they last did
    with trio.testing.assert_checkpoints():
        await trio.lowlevel.checkpoint_if_cancelled()  # it does not look for that itself
        await spot.breathe()
    assert [spot.is_spent(now) for _ in range(PIECES)] == [False] * (PIECES - 1) + [True]
    spot.others_ran(now)
    assert not spot.is_spent(now)


def test_others_run_after_so_much_time() -> None:
    spot = Spot()
    spot.others_ran(0.0)
    assert not spot.is_spent(MOST / 2)
    assert spot.is_spent(MOST)
    assert spot.is_spent(2 * MOST)


async def test_starting_and_stopping_lets_others_run_often_enough() -> None:
    steps = 0

    async def others() -> None:
        nonlocal steps
        while True:
            await trio.lowlevel.checkpoint()
            steps += 1

    async with trido.open_runtime() as rt, trio.open_nursery() as nursery:
        nursery.start_soon(others)
        for index in range(10 * PIECES):
            ref = await rt.start_agent(counter, id=str(index))
            await ref.stop()
        nursery.cancel_scope.cancel()
    assert steps >= 18


async def test_a_start_or_a_stop_that_is_cancelled_did_not_happen() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(counter, id="there")
        with trio.CancelScope() as scope:
            scope.cancel()
            await rt.start_agent(counter, id="new")
        assert scope.cancelled_caught
        with trio.CancelScope() as scope:
            scope.cancel()
            await ref.stop()
        assert scope.cancelled_caught
        assert rt.agents() == (ref,)
        await ref.stop()
        with trio.CancelScope() as scope:
            scope.cancel()
            await ref.stop()  # also where there is nothing to do
        assert scope.cancelled_caught
        assert rt.agents() == ()


async def test_what_a_supervisor_is_asked_for_is_always_a_checkpoint() -> None:
    async with trido.open_supervisor() as sup:
        for index in range(3):
            one = counter.spec(id=str(index))
            with trio.testing.assert_checkpoints():
                await sup.start_child(one)
            with trio.testing.assert_checkpoints():
                await sup.stop_child(one)
            with trio.testing.assert_checkpoints():
                await sup.restart_child(one)
            with trio.testing.assert_checkpoints():
                await sup.stop_child(one)
            with trio.testing.assert_checkpoints():
                await sup.delete_child(one)
