"""Whoever waits for the disk waits alone: no other turn is held up by it."""

from __future__ import annotations

import trio

import trido
from tests.runtime.books import Books, keeper, note, office
from tests.runtime.desk import Log, settle
from tests.runtime.desk import agent as desk

MANY = 200


async def test_an_answer_that_waits_for_the_disk_holds_up_no_turn_of_anybody_else() -> None:
    books, kept, plain = Books(), keeper(), desk("plain")
    answers: list[Log] = []

    async def ask(ref: trido.AgentRef[Log]) -> None:
        answers.append(await ref.call(note("kept")))

    async with office(books, kept, plain) as rt, trio.open_nursery() as nursery:
        durable = [await rt.start_agent(kept, id=f"durable-{index}") for index in range(3)]
        other = await rt.start_agent(plain, id="other")
        release = books.hold()
        for ref in durable:
            nursery.start_soon(ask, ref)
        await settle()
        began = trio.current_time()
        for _ in range(MANY):
            await other.call(note("x"))
            other.cast_nowait(note("y"))
        assert len((await other.call(note("z"))).seen) == 2 * MANY + 1
        assert trio.current_time() == began
        assert answers == []
        assert [ref.place.state.seen for ref in durable] == [("kept",)] * 3  # decided all the same
        release()
    assert len(answers) == len(durable)
