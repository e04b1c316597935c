"""What a journal has of its agents, read by their definitions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

import trido
from tests.runtime.books import Books, Charge, do, keeper, note, office
from tests.runtime.desk import Log
from tests.runtime.till import Till
from trido.journal.operations import Agents, History, StateAt
from trido.journal.rows import AgentKey, Past, Stored
from trido.runtime import pages
from trido.runtime.pages import Pages

WANTS: dict[str, list[trido.Directive]] = {
    "tell": [trido.Emit(note("hi"), to="b")],
    "pay": [Charge("kettle"), trido.Schedule(9.0, note("later"), key="k")],
}


async def turns(history: trido.History, agent: Any, id: str = "a", **span: Any) -> list[Any]:
    return [one async for one in history.turns(agent, id, **span)]


async def filled(journal: Any, count: int = 3) -> trido.Agent[Log]:
    agent = keeper()
    async with office(journal, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        for number in range(1, count + 1):
            await ref.call(note(f"{number}", id=f"id-{number}"))
    return agent


async def test_a_turn_tells_its_input_its_state_and_what_became_of_its_directives() -> None:
    journal, till = trido.MemoryJournal(), Till()
    agent = keeper(does=WANTS)
    async with office(journal, agent, till=till) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(note("x", id="mine", source="me"))
        await ref.cast(do("pay"))
        await ref.cast(trido.Signal("slow", 1.0))
        await ref.cast(do("tell"))
        await rt.drain()
        past = await turns(rt.history, agent)
    assert [one.revision for one in past] == [1, 2, 3, 4]
    assert [one.state.seen[-1] for one in past] == ["x", "pay", "slow", "tell"]
    assert [one.is_effectful for one in past] == [False, False, True, False]
    assert [one.turn.why for one in past] == ["call", "cast", "cast", "cast"]
    assert [one.turn.revision for one in past] == [0, 1, 2, 3]
    assert (past[0].signal.id, past[0].signal.source, past[0].signal.data) == ("mine", "me", "x")
    assert past[0].turn.now < past[3].turn.now
    assert past[0].changed == ("seen",)
    (charge,) = past[1].directives
    assert (charge.id, charge.name, charge.status) == ("a/2.0", "Charge", "done")
    assert charge.directive == Charge("kettle")
    (emit,) = past[3].directives
    assert (emit.status, emit.note) == ("dead", "there is no such agent")
    assert repr(past[0]) == "<trido.PastTurn 1 of 'a': 'note'>"
    assert repr(charge).startswith("<trido.PastDirective 'a/2.0', done: Charge(")


async def test_fields_that_a_turn_leaves_as_they_are_are_not_among_those_it_changed() -> None:
    journal = trido.MemoryJournal()
    agent = keeper(does={"nothing": []})

    @agent.on("look")
    def look(state: Log, data: None) -> Log:
        return state

    async with office(journal, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(note("x"))
        await ref.call(look.signal(None))
        assert [one.changed for one in await turns(rt.history, agent)] == [("seen",), ()]


async def test_what_is_not_known_by_its_name_here_is_told_as_plain_data() -> None:
    journal, till = trido.MemoryJournal(), Till()
    agent = keeper(does=WANTS)
    async with office(journal, agent, till=till) as rt:
        await (await rt.start_agent(agent, id="a")).call(do("pay"))
    async with trido.open_history(journal) as history:
        (past,) = await turns(history, agent)
        (one,) = past.directives
        assert (one.directive, one.data) == (None, {"what": "kettle", "seconds": 0.0})
        assert "Charge {'what': 'kettle'" in repr(one)
    async with trido.open_history(journal, directives=(Charge,)) as history:
        (past,) = await turns(history, agent)
        assert past.directives[0].directive == Charge("kettle")


async def test_a_long_history_is_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE", 4)
    journal = trido.MemoryJournal()
    agent = await filled(journal, 11)
    async with trido.open_history(journal) as history:
        for since, until in ((0, 11), (3, 11), (4, 8), (0, 1), (11, 11), (7, 5), (0, 99)):
            past = await turns(history, agent, since=since, until=until)
            assert [one.revision for one in past] == list(range(since + 1, min(until, 11) + 1))
            assert [len(one.state.seen) for one in past] == [one.revision for one in past]


async def test_more_is_to_be_kept_than_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE", 4)
    journal = trido.MemoryJournal()
    brief = keeper(history=1)
    async with office(journal, brief) as rt:
        ref = await rt.start_agent(brief, id="a")
        for number in range(200):
            await ref.call(note(f"{number}"))
    agent = keeper(history=1_000)
    async with office(journal, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(note("200"))
        past = await turns(rt.history, agent)
        assert past[0].revision > 1
        assert [one.revision for one in past] == list(range(past[0].revision, 202))
        assert [len(one.state.seen) for one in past] == [one.revision for one in past]
        with pytest.raises(trido.NotKept):
            await rt.history.state(agent, "a", 1)
        assert (await rt.history.replay(agent, "a")).is_same


async def test_the_state_at_every_revision() -> None:
    journal = trido.MemoryJournal()
    agent = await filled(journal)
    async with trido.open_history(journal) as history:
        states = [await history.state(agent, "a", revision) for revision in range(4)]
        assert [state.seen for state in states] == [(), ("1",), ("1", "2"), ("1", "2", "3")]
        with pytest.raises(trido.NotKept, match="it does not keep revision 4 of agent 'a'; re"):
            await history.state(agent, "a", 4)


async def test_which_agents_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trido.runtime.listing.PAGE", 2)
    journal = trido.MemoryJournal()
    agent = keeper()
    async with office(journal, agent) as rt:
        for id in "abcde":
            await rt.start_agent(agent, id=id)
        await rt.agent("c").call(note("x"))
        found = [one async for one in rt.history.agents()]
    assert [(one.agent.id, one.name, one.revision) for one in found] == [
        (id, "log", int(id == "c")) for id in "abcde"
    ]


async def test_what_is_not_there_is_told_with_a_way_out() -> None:
    journal = trido.MemoryJournal()
    agent = await filled(journal)
    async with trido.open_history(journal) as history:
        with pytest.raises(trido.NotKept, match=r"MemoryJournal: it has no agent 'x'; ask which"):
            await turns(history, agent, "x")
        with pytest.raises(trido.NotKept, match="it has no agent 'x'"):
            await history.state(agent, "x", 1)
        with pytest.raises(trido.JournalError, match="'log'; it cannot be read as 'other': give"):
            await turns(history, keeper("other"))
        with pytest.raises(trido.NotKept, match="agent 'tenant/a'"):
            await history.state(agent, "a", 1, partition="tenant")
        assert repr(history) == "<trido.History of MemoryJournal>"


async def test_no_turn_is_later_than_the_last_that_there_can_be() -> None:
    journal = trido.MemoryJournal()
    agent = await filled(journal)
    async with trido.open_history(journal) as history:
        assert await turns(history, agent, since=2**70, until=2**80) == []
        assert (await history.replay(agent, "a", since=2**70)).decided == 0


async def test_an_agent_of_a_partition_is_read_by_either_name() -> None:
    journal = trido.MemoryJournal()
    agent = keeper(does=WANTS)
    async with office(journal, agent) as rt:
        ref = await rt.activate(agent, "k", partition="acme")
        await ref.call(do("tell"))
        elsewhere: dict[str, Any] = {"partition": "acme"}
        for id, more in (("log/k", elsewhere), ("//acme/log/k", {})):
            (past,) = await turns(rt.history, agent, id, **more)
            assert past.turn.agent_id == "//acme/log/k"
            assert past.directives[0].id == "//acme/log/k/1.0"
            assert (await rt.history.replay(agent, id, **more)).is_same
            assert (await rt.history.state(agent, id, 1, **more)).seen == ("tell",)


async def test_a_newer_version_and_a_changed_class_are_told() -> None:
    journal = trido.MemoryJournal()
    newer = trido.Agent("log", state=Log, durability="sync", version=2, upgrades={1: lambda o: o})

    @newer.on("note", version=2, upgrades={1: lambda data: data})
    def noted(state: Log, data: str) -> Log:
        return Log((*state.seen, data))

    async with office(journal, newer) as rt:
        await (await rt.start_agent(newer, id="a")).call(note("x"))
    async with trido.open_history(journal) as history:
        with pytest.raises(trido.NewerVersion, match="has version 2, and this program knows 1"):
            await turns(history, keeper())
        with pytest.raises(trido.NewerVersion):
            await history.state(keeper(), "a", 1)
        (past,) = await turns(history, newer)
        assert past.state.seen == ("x",)


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (lambda history, agent: history.turns(agent, "a", since=-1), "since=-1"),
        (lambda history, agent: history.turns(agent, "a", until="x"), "until='x'"),
        (lambda history, agent: history.turns("log", "a"), "agent='log'"),
        (lambda history, agent: history.turns(agent, ""), "id=''"),
        (lambda history, agent: history.turns(agent, "a", partition="a/b"), "partition='a/b'"),
    ],
)
async def test_what_is_asked_is_checked_at_once(
    ask: Callable[[trido.History, trido.Agent[Log]], object], field: str
) -> None:
    async with trido.open_history(trido.MemoryJournal()) as history:
        with pytest.raises(trido.SpecError, match=field):
            ask(history, keeper())
        with pytest.raises(trido.SpecError, match="revision=-1"):
            await history.state(keeper(), "a", -1)
        with pytest.raises(trido.SpecError, match="most=0"):
            await history.replay(keeper(), "a", most=0)


async def test_a_history_needs_a_journal_that_can_be_looked_at() -> None:
    with pytest.raises(trido.SpecError, match=r"a journal with a view\(\)"):
        trido.open_history(Books())  # type: ignore[arg-type]
    async with trido.open_runtime() as rt:
        with pytest.raises(trido.SpecError, match=r"Runtime\.history"):
            _ = rt.history
    async with trido.open_runtime(journal=trido.MemoryJournal()) as rt:
        assert isinstance(rt.history, trido.History)
    with pytest.raises(trido.SpecError, match=r"MemoryJournal.*must be open.*open_history"):
        _ = rt.history


@pytest.mark.real_time
async def test_a_file_is_read_beside_its_runtime_and_after_it(tmp_path: Path) -> None:
    journal = trido.SqliteJournal(tmp_path / "app.db")
    agent = keeper()
    async with office(journal, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(note("x"))
        async with trido.open_history(journal) as history:
            assert len(await turns(history, agent)) == 1
            await ref.call(note("y"))
            assert len(await turns(history, agent)) == len(await turns(rt.history, agent)) == 2
    async with trido.open_history(journal) as history:
        assert (await history.state(agent, "a", 2)).seen == ("x", "y")
        with trio.CancelScope() as scope:
            scope.cancel()
            await turns(history, agent)
        assert scope.cancelled_caught


# What is forgotten while it is read ---------------------------------------------------------------


class Forgetful:
    """A journal of full turns whose oldest are forgotten as it is told."""

    file = "forgetful"

    def __init__(self, newest: int) -> None:
        self.oldest, self.newest = 1, newest
        self.full = True
        self.then_oldest = 0

    async def read(self, query: Any) -> Any:
        await trio.lowlevel.checkpoint()
        if isinstance(query, Agents):
            return (Stored(AgentKey("a"), "log", self.newest, self.oldest),) if self.newest else ()
        if isinstance(query, StateAt):
            kept = self.oldest <= query.revision <= self.newest
            return {"n": b"%d" % query.revision} if kept else None
        assert isinstance(query, History)
        first, last = max(query.since + 1, self.oldest), min(query.until, self.newest)
        self.oldest = max(self.oldest, self.then_oldest)
        return tuple(self.past(one) for one in range(first, last + 1))

    def past(self, revision: int) -> Past:
        return Past(revision, 0, b"", {"n": b"%d" % revision}, self.full, ())


async def rest(pages: Pages) -> list[tuple[int, bool]]:
    found = []
    while (step := await pages.next()) is not None:
        assert step.after == {"n": b"%d" % step.past.revision}
        found.append((step.past.revision, step.before is not None))
    return found


async def test_what_is_forgotten_while_it_is_read_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "PAGE", 2)
    journal = Forgetful(20)
    reading = Pages(journal, AgentKey("a"), 0, 20)
    assert await reading.next()
    journal.oldest = 10
    assert await rest(reading) == [(2, True), *((one, one > 10) for one in range(10, 21))]
    journal.oldest = 15
    assert await rest(Pages(journal, AgentKey("a"), 3, 20)) == [(n, n > 15) for n in range(15, 21)]
    assert await rest(Pages(journal, AgentKey("a"), 3, 10)) == []
    journal.newest = 0
    assert await rest(Pages(journal, AgentKey("a"), 0, 10)) == []


async def test_a_turn_whose_state_is_forgotten_before_it_is_read_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "PAGE", 2)
    journal = Forgetful(9)
    journal.full, journal.oldest = False, 5
    journal.then_oldest = 7  # once its first page was read
    assert await rest(Pages(journal, AgentKey("a"), 4, 9)) == [(7, False), (8, True), (9, True)]
