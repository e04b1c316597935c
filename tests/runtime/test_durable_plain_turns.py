"""Turns that only change the state: they are served on the spot, and no `Turn` is made for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio
from attrs import evolve

import trido
from tests.runtime.books import Books, keeper, note, office
from tests.runtime.desk import Log, settle
from trido.agents.codec.inputs import Input
from trido.journal import SqliteJournal


def inputs(rt: trido.Runtime, books: Books) -> list[Input]:
    codec = rt.env.codec
    assert codec is not None
    return [
        codec.decode_input(one.input, agent_id="a", revision=one.revision - 1)
        for one in books.commits()
    ]


def clerk() -> trido.Agent[Log]:
    """Beside `keeper`'s: one that is given the turn."""
    agent = keeper()

    @agent.on("when", check=False)
    def when(state: Log, data: object, turn: trido.Turn) -> Log:
        return evolve(state, seen=(*state.seen, turn.now.isoformat()))

    return agent


async def test_what_no_handler_was_given_is_not_recorded() -> None:
    books, agent = Books(), clerk()
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(note("x"))
        state = await ref.call(trido.Signal("when"))
        plain, given = inputs(rt, books)
    assert (plain.signal, plain.turn.why, plain.turn.request) == (note("x"), "call", None)
    assert (given.turn.why, given.turn.request) == ("call", "a?1.1")
    assert state.seen[1] == given.turn.now.isoformat()
    assert plain.turn.now == given.turn.now


async def test_a_clock_of_one_s_own_tells_when_a_turn_was() -> None:
    books, agent = Books(), keeper()
    moments = iter([datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(9)])
    async with office(books, agent, clock=lambda: next(moments)) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(note("x"))
        await ref.cast(note("y"))
        await rt.drain()
        first, second = (one.turn.now for one in inputs(rt, books))
    assert second - first == timedelta(days=1)


@pytest.mark.real_time
async def test_the_system_s_clock_tells_it_in_real_time(tmp_path: Any) -> None:
    agent = keeper()
    before = datetime.now(UTC)
    async with office(SqliteJournal(tmp_path / "app.db"), agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(note("x"))
        (turn,) = [one async for one in rt.history.turns(agent, "a")]
    # A clock is read here, and there in another way.
    assert abs(turn.turn.now - before) < timedelta(seconds=60)


async def test_what_a_handler_with_a_turn_cannot_have_kept_is_refused() -> None:
    agent = clerk()
    async with office(Books(), agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        with pytest.raises(trido.InvalidData, match="so that the journal can keep it"):
            await ref.call(trido.Signal("when", object()))
        assert (ref.incarnation, ref.status().revision, ref.state()) == (1, 0, Log())


async def test_a_turn_on_the_spot_comes_after_what_was_sent_before() -> None:
    books, agent = Books(), keeper()
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        ref.cast_nowait(note("1"))
        assert await ref.call(note("2")) == Log(("1", "2"))
        release = books.hold()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.call, note("3"))
            await settle()
            ref.cast_nowait(note("4"))
            nursery.start_soon(ref.call, note("5"))
            await settle()
            assert ref.state() == Log(("1", "2"))
            release()
        assert ref.state() == Log(("1", "2", "3", "4", "5"))
        assert [one.revision for one in books.commits()] == [1, 2, 3, 4, 5]
