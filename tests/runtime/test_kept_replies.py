"""A call with an id that is known gets the reply of the first, as long as that is at hand."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen

import trido
from trido.runtime import inbox


@frozen
class Shelf:
    count: int = 0


@frozen
class Receipt:
    number: int


shelf = trido.Agent("shelf", state=Shelf)


@shelf.on("shelf.take")
def take(state: Shelf, data: int) -> trido.Decision[Shelf]:
    return Shelf(state.count + 1), [trido.Reply(Receipt(data))]


async def test_the_reply_of_the_first_is_that_of_the_second() -> None:
    journal = trido.MemoryJournal()
    signal = trido.Signal("shelf.take", 1, id="one")
    async with trido.open_runtime(journal=journal, agents=(shelf,)) as rt:
        ref: Any = await rt.start_agent(shelf, id="s", durability="sync")
        first = await ref.call(signal)
        assert first == Receipt(1)
        assert await ref.call(signal) is first
        await ref.cast(signal)
        assert ref.state() == Shelf(1)
    async with trido.open_runtime(journal=journal, agents=(shelf,)) as rt:
        ref = await rt.start_agent(shelf, id="s", durability="sync")
        assert await ref.call(signal) == {"number": 1}  # the journal has no class for it


async def test_no_more_replies_are_at_hand_than_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "KNOWN", 1)
    journal = trido.MemoryJournal()
    async with trido.open_runtime(journal=journal, agents=(shelf,)) as rt:
        ref: Any = await rt.start_agent(shelf, id="s", durability="sync")
        for number in (1, 2):
            await ref.call(trido.Signal("shelf.take", number, id=str(number)))
        assert await ref.call(trido.Signal("shelf.take", 2, id="2")) == Receipt(2)
        assert await ref.call(trido.Signal("shelf.take", 1, id="1")) == {"number": 1}
