"""Agents that come and go: what a place does at its end, and does only once."""

from __future__ import annotations

import pytest
from attrs import frozen

import trido


@frozen
class Counter:
    value: int = 0


@frozen
class Add:
    by: int = 1


counter = trido.Agent("counter", state=Counter)


@counter.on("counter.add")
def add(state: Counter, data: Add) -> Counter:
    return Counter(state.value + data.by)


async def test_what_was_stopped_and_removed_can_be_started_anew() -> None:
    async with trido.open_supervisor() as sup:
        for _ in range(3):
            child = await sup.start_child(counter.spec(id="a"))
            assert await child.value.call(add.signal(Add(2))) == Counter(2)
            await sup.stop_child("a")
            with pytest.raises(trido.NoSuchAgent):
                await child.value.call(add.signal(Add(2)))
            await sup.delete_child("a")
            assert child.state == "removed"
            with pytest.raises(trido.NoSuchAgent):
                await child.value.call(add.signal(Add(2)))


async def test_the_name_of_what_was_stopped_is_free_before_it_is_removed() -> None:
    async with trido.open_runtime() as rt, trido.open_supervisor() as sup:
        first = await sup.start_child(counter.spec(id="a", runtime=rt))
        monitor = rt.monitor(first.value)
        await sup.stop_child("a")
        second = await rt.start_agent(counter, id="a")
        await sup.delete_child("a")
        assert (await monitor.wait()).reason == "stopped"
        assert rt.find("a") is second
        assert await second.call(add.signal(Add(1))) == Counter(1)


def test_specs_that_differ_are_each_checked() -> None:
    """What one spec of a definition was found to be says nothing of another."""
    plain = counter.spec(id="a")
    assert counter.spec(id="b").policy is plain.policy
    assert counter.spec(id="c", shutdown=1).policy.shutdown == 1
    for wrong in (True, "1", -1.0):
        with pytest.raises(trido.SpecError, match="shutdown"):
            counter.spec(id="d", shutdown=wrong)  # type: ignore[arg-type]  # as it says
    with pytest.raises(trido.SpecError, match="id"):
        counter.spec(id="")
    assert counter.spec(id="e") == counter.spec(id="e")
