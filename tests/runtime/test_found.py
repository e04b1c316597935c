"""What the state machine over a runtime has found, each as a plain test."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import trido
from tests.conformance.kit import SEEDS, play
from tests.runtime.desk import Log


@pytest.mark.parametrize("ticks", range(6))
@pytest.mark.parametrize("seed", SEEDS)
def test_a_handler_that_awaits_never_begins_once_its_caller_is_cancelled(
    ticks: int, seed: int
) -> None:
    happened: list[str] = []
    agent = trido.Agent("a", state=Log)

    @agent.on("slow")
    async def slow(state: Log, data: Any) -> Log:
        happened.append("begun")
        await trio.sleep(1)
        return state

    async def call(ref: trido.AgentRef[Log]) -> None:
        try:
            await ref.call(trido.Signal("slow"))
        except trio.Cancelled:
            happened.append("cancelled")
            raise

    async def scenario() -> None:
        async with trido.open_supervisor(agent.spec(id="a")) as sup:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(call, sup["a"].value)
                for _ in range(ticks):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            await trio.sleep(2)

    play(scenario, seed=seed)
    assert happened in (["begun", "cancelled"], ["cancelled"])
