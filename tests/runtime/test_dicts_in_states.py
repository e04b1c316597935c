"""States whose fields are given dicts and lists: kept, replayed and read again alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve, field, frozen

import trido
from trido.testing import assert_pure


@frozen
class Stock:
    boxes: dict[str, int] = field(factory=dict)
    seen: Mapping[str, Any] = field(factory=dict)
    last: Any = None


stock = trido.Agent("stock", state=Stock)


@stock.on("stock.put")
def put(state: Stock, data: str) -> Stock:
    count = state.boxes.get(data, 0) + 1
    return evolve(
        state,
        boxes={**state.boxes, data: count},
        seen={**state.seen, data: [count]},
        last=[data, {"count": count}],
    )


spoiler = trido.Agent("stock", state=Stock)


@spoiler.on("stock.put")
def put_too(state: Stock, data: str) -> trido.Decision[Stock]:
    return put(state, data)


@spoiler.on("stock.spoil")
def spoil(state: Stock, data: str) -> Stock:
    state.boxes[data] = 0
    return state


AFTER = Stock({"tea": 2}, {"tea": [2]}, ["tea", {"count": 2}])


async def test_a_durable_state_of_dicts_comes_back_equal_and_frozen() -> None:
    journal = trido.MemoryJournal()
    async with trido.open_runtime(journal=journal, agents=(spoiler,)) as rt:
        ref = await rt.start_agent(spoiler, id="s", durability="sync")
        await ref.call(put_too.signal("tea"))
        assert await ref.call(put_too.signal("tea")) == AFTER == ref.state()
    async with trido.open_runtime(journal=journal, agents=(spoiler,)) as rt:
        ref = await rt.start_agent(spoiler, id="s", durability="sync")
        assert ref.state() == AFTER
        with pytest.raises(trido.AgentCrashed):
            await ref.call(spoil.signal("tea"))
        assert (await ref.call(put_too.signal("tea"))).boxes == {"tea": 3}


async def test_a_handler_that_changes_a_dict_of_its_state_crashes_and_changes_nothing() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(spoiler, id="s")
        await ref.call(put_too.signal("tea"))
        with pytest.raises(trido.AgentCrashed) as caught:
            await ref.call(spoil.signal("tea"))
        assert isinstance(caught.value.__cause__, TypeError)


def test_a_state_of_dicts_is_pure() -> None:
    assert_pure(stock, examples=20)
