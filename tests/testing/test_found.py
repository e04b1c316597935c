"""What plans of faults have found in trido itself."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from attrs import evolve, frozen

import trido
from tests.testing.agents import counter
from trido import testing


@frozen
class Boss:
    hired: tuple[str, ...] = ()


def boss_of(**settings: Any) -> trido.Agent[Boss]:
    boss = trido.Agent("boss", state=Boss, **settings)

    @boss.on("hire")
    def hire(state: Boss, data: str) -> trido.Decision[Boss]:
        return evolve(state, hired=(*state.hired, data)), [trido.SpawnAgent(counter, data)]

    return boss


@pytest.mark.parametrize("settings", [{"recover": "committed"}, {"durability": "sync"}], ids=str)
def test_a_child_that_cannot_be_started_again_at_once_is_not_forgotten(
    settings: dict[str, Any],
) -> None:
    """By `find_plan`: the next run began with those of its children alone that came after."""
    boss = boss_of(**settings)

    async def main() -> list[str]:
        journal = trido.MemoryJournal()
        async with trido.open_runtime(journal=journal, agents=[boss, counter]) as rt:
            ref = await rt.start_agent(boss, id="boss")
            for tag in ("ann", "bob"):
                await ref.call(trido.Signal("hire", tag))
            await trio.sleep(60)
            return sorted(one.id for one in rt.agents())

    plan = "crash boss at 5s; crash boss/ann at start 2"
    assert testing.run(main, plan=plan) == ["boss", "boss/ann", "boss/bob"]
