"""Turns on the spot: how long other tasks wait for them, and who need not wait once more."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from attrs import frozen

import trido
from trido.runtime.spot import TURNS, Spot


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


@pytest.mark.parametrize("told", [True, False])
async def test_others_run_after_so_many_turns(*, told: bool) -> None:
    spot = Spot.here()
    assert spot is Spot.here()
    await spot.breathe()
    for _ in range(TURNS - 1):
        with trio.testing.assert_no_checkpoints():
            await spot.breathe()
    if told:
        spot.others_ran(trio.current_time())
        with trio.testing.assert_no_checkpoints():
            await spot.breathe()
    else:
        with trio.testing.assert_checkpoints():
            await trio.lowlevel.checkpoint_if_cancelled()  # it does not look for that itself
            await spot.breathe()
