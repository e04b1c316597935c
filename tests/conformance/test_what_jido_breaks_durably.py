"""What Jido v2.3.3 was seen to do to agents that are to survive, and trido does not.

Each test is named for what was seen there, and shows what happens here instead.
"""

from __future__ import annotations

import pytest
import trio

import trido
from tests.runtime.books import Books, Charge, do, keeper, killed, note, office
from tests.runtime.desk import Log, settle
from tests.runtime.till import Till
from trido.journal import MemoryJournal


async def test_an_ordered_shutdown_writes_no_state() -> None:
    journal = MemoryJournal()
    agent = keeper()
    async with office(journal, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        for n in range(100):
            await ref.cast(note(str(n)))
        await ref.call(note("last"))
    async with office(journal, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        assert len(ref.state().seen) == 101
        assert ref.status().revision == 101


async def test_a_restart_goes_back_to_an_older_state_then_overwrites_the_newer() -> None:
    books = Books()
    agent = keeper()
    async with killed(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        for n in range(70):
            await ref.call(note(str(n)))
            if n % 30 == 29:
                await ref.cast(trido.Signal("boom"))
                await settle()
    for expected in (70, 71):
        async with killed(books, agent) as rt:
            ref = await rt.start_agent(agent, id="a")
            assert len(ref.state().seen) == ref.status().revision == expected
            await ref.call(note("more"))
            revisions = [one.revision for one in books.history()]
            assert revisions == list(range(1, expected + 2))


@pytest.mark.parametrize("batches", [1, 2, 5])
async def test_a_crash_between_journal_and_checkpoint_loses_the_key_for_good(batches: int) -> None:
    """There is no such place: a turn is one transaction. Wherever it ends, the id starts again."""
    books = Books()
    agent = keeper()
    for _ in range(5):
        async with office(books, agent) as rt:
            ref = await rt.start_agent(agent, id="a")
            before = len(ref.state().seen)
            books.loses = batches
            with pytest.raises(trido.TridoError):
                await ref.call(note("x", id=str(before)))
            books.is_dead = True
        books.is_dead, books.loses = False, 0
        async with office(books, agent) as rt:
            ref = await rt.start_agent(agent, id="a")
            assert await ref.call(note("x", id=str(before)))
            assert len(ref.state().seen) == before + 1


async def test_queued_directives_are_lost() -> None:
    """By the end of an agent's process, however it comes."""
    for ends in ("killed", "left"):
        books, till = Books(), Till()
        agent = keeper(does={"pay": [Charge("x", 30.0), Charge("y", 30.0), Charge("z")]})
        async with office(books, agent, till=till) as rt:
            ref = await rt.start_agent(agent, id="a")
            await ref.call(do("pay"))
            await trio.sleep(40)
            books.is_dead = ends == "killed"
        books.is_dead = False
        again = Till()
        async with office(books, agent, till=again) as rt:
            await settle()
            assert rt.agent("a").status().outbox > 0
            await rt.drain()
            assert again.log[-1] == "z"
            assert rt.agent("a").state() == Log(("pay",))


async def test_an_idle_timeout_stops_a_busy_agent() -> None:
    """C140: of one second, with traffic each half second; and while anything is under way."""
    books, till = Books(), Till()
    agent = keeper(does={"pay": [Charge("x", 30.0)]}, idle_timeout=1.0)
    async with office(books, agent, till=till) as rt:
        ref = await rt.activate(agent, "a")
        for n in range(20):
            await trio.sleep(0.5)
            await ref.cast(note(str(n)))
        await ref.call(do("pay"))
        await trio.sleep(29)
        await ref.call(trido.Signal("slow", 20.0))
        assert (ref.incarnation, ref.status().state) == (1, "running")
        assert till.lines == "<x x"
        await trio.sleep(2)
        assert ref.status().state == "hibernated"
        assert len(ref.state().seen) == 22


@pytest.mark.parametrize("ends", ["slept", "left", "killed"])
async def test_queued_directives_are_lost_in_hibernation(ends: str) -> None:
    """It does not sleep on them; its timers it takes along; and a process may end meanwhile."""
    books, till = Books(), Till()
    later = trido.Schedule(1_000.0, note("late"), key="later")
    queued = [Charge("x", 30.0), Charge("y", 30.0), later, trido.Hibernate()]
    agent = keeper(does={"pay": queued})
    async with office(books, agent, till=till) as rt:
        ref = await rt.activate(agent, "a")
        await ref.call(do("pay"))
        await trio.sleep(59)
        assert (ref.status().state, till.lines) == ("running", "<x x <y")
        await trio.sleep(5)
        assert (ref.status().state, till.lines) == ("hibernated", "<x x <y y")
        if ends == "slept":
            await trio.sleep(1_000)
            assert ref.state() == Log(("pay", "late"))
            return
        books.is_dead = ends == "killed"
    books.is_dead = False
    async with office(books, agent, till=till) as rt:
        await trio.sleep(1_000)
        assert rt.agent("log/a").state() == Log(("pay", "late"))
