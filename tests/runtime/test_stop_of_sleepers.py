"""`stop_child` of an agent that sleeps: it stays down, as one that was awake does."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import trido
from tests.runtime.desk import agent, note


async def test_a_stop_ends_the_sleep_of_a_child() -> None:
    spec = agent(idle_timeout=2).spec(id="a")
    async with trido.open_supervisor(spec) as sup:
        ref = sup[spec].value
        await ref.call(note("a"))
        await trio.sleep(3)
        assert ref.status().state == "hibernated"
        await sup.stop_child("a")
        with pytest.raises(trido.NoSuchAgent):
            await ref.call(note("b"))
        assert (ref.status().state, sup["a"].state) == ("stopped", "stopped")
        await sup.stop_child("a")
        await sup.restart_child("a")
        assert (await ref.call(note("c"))).seen[-1] == "c"


async def test_a_stop_by_the_root_of_a_runtime_ends_the_sleep_of_its_agents() -> None:
    log = agent(idle_timeout=2)
    async with trido.open_runtime() as rt:
        for name in ("a", "b"):
            ref = await rt.start_agent(log, id=name)
            await trio.sleep(3)
            assert ref.status().state == "hibernated"
            await rt.supervisor.stop_child(name)
            assert rt.find(name) is None
            with pytest.raises(trido.NoSuchAgent):
                await ref.call(note("b"))
            with pytest.raises(trido.ChildNotFound):
                await rt.supervisor.stop_child(name)


async def test_a_stop_ends_the_sleep_of_one_with_a_timer_that_a_journal_has() -> None:
    late = trido.Schedule(100, note("late"), key="k")
    log = agent(idle_timeout=2, durability="sync", schedules=(late,))
    async with trido.open_runtime(journal=trido.MemoryJournal(), agents=(log,)) as rt:
        ref: Any = await rt.start_agent(log, id="a")
        await trio.sleep(3)
        assert ref.status().state == "hibernated"
        await rt.supervisor.stop_child("a")
        assert ref.status().state == "removed"
        await trio.sleep(200)
        assert ref.status().state == "removed"
