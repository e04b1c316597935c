"""Waking: durable agents with something to do are started, whoever else asks for them or not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
import trio

import trido
from tests.runtime.books import Books, Charge, do, keeper, killed, note, office
from tests.runtime.desk import Boom, Log, settle
from tests.runtime.test_durable_timers import Days, after
from tests.runtime.till import Till
from trido.journal.rows import AgentKey, Wake
from trido.runtime.waking import in_rounds


async def test_who_has_nothing_to_do_is_not_woken() -> None:
    books = Books()
    agent = keeper()
    async with killed(books, agent) as rt:
        await (await rt.start_agent(agent, id="a")).call(note("x"))
    async with office(books, agent) as rt:
        await settle()
        assert rt.agents() == ()


async def test_who_has_directives_is_woken_and_start_agent_returns_its_ref_once() -> None:
    books = Books()
    agent = keeper(does={"pay": [Charge("x", 100.0)]})
    async with killed(books, agent, till=Till()) as rt:
        await (await rt.start_agent(agent, id="a")).call(do("pay"))
    async with office(books, agent, till=Till()) as rt:
        ref = await rt.start_agent(agent, id="a")
        assert rt.agents() == (ref,)
        assert ref.state() == Log(("pay",))
        with pytest.raises(trido.ChildAlreadyStarted):
            await rt.start_agent(agent, id="a")
    async with office(books, agent, till=Till()) as rt:
        await settle()
        assert await rt.start_agent(agent, id="a") == rt.agent("a")


async def test_a_drain_waits_for_what_was_to_be_done_when_the_runtime_was_opened() -> None:
    books, till = Books(), Till()
    agent = keeper(does={"pay": [Charge("x", 1.0)]})
    async with killed(books, agent, till=Till()) as rt:
        await (await rt.start_agent(agent, id="a")).call(do("pay"))
    async with office(books, agent, till=till) as rt:
        assert rt.agents() == ()
        await rt.drain()
        assert till.log == ["<x", "x"]


async def test_a_drain_does_not_outlast_the_waking() -> None:
    books, agent = Books(), keeper()
    async with trio.open_nursery() as nursery, office(books, agent) as rt:
        nursery.start_soon(rt.drain)


async def test_a_woken_agent_is_not_that_of_another_definition() -> None:
    books = Books()
    agent = keeper(does={"pay": [Charge("x", 100.0)]})
    async with killed(books, agent, till=Till()) as rt:
        await (await rt.start_agent(agent, id="a")).call(do("pay"))
    async with office(books, agent, till=Till()) as rt:
        await settle()
        with pytest.raises(trido.ChildAlreadyStarted):
            await rt.start_agent(keeper("other"), id="a")


async def test_it_is_woken_whenever_a_timer_falls_due() -> None:
    books, clock = Books(), Days()
    agent = keeper(does={"set": [after(1000, "late")]})
    async with killed(books, agent, clock=clock) as rt:
        await (await rt.start_agent(agent, id="a")).call(do("set"))
    async with office(books, agent, clock=clock) as rt:
        await trio.sleep(999)
        assert rt.agents() == ()
        await trio.sleep(2)
        assert rt.agent("a").state() == Log(("set", "late"))
    clock.ahead += timedelta(days=1)
    async with office(books, agent, clock=clock) as rt:
        await settle()
        assert rt.agents() == ()


async def test_one_that_was_made_durable_by_an_option_is_woken_as_durable() -> None:
    books = Books()
    agent = keeper(durability="none", does={"pay": [Charge("x", 100.0)]})
    async with killed(books, agent, till=Till()) as rt:
        ref = await rt.start_agent(agent, id="a", durability="buffered")
        await ref.call(do("pay"))
    async with office(books, agent, till=Till()) as rt:
        await settle()
        assert rt.agent("a").state() == Log(("pay",))


async def test_an_unknown_name_is_reported_and_left_untouched(
    caplog: pytest.LogCaptureFixture,
) -> None:
    books = Books()
    agent, other = keeper(does={"pay": [Charge("x", 100.0)]}), keeper("other")
    async with killed(books, agent, till=Till()) as rt:
        await (await rt.start_agent(agent, id="a")).call(do("pay"))
    before = len(books.writes)
    async with office(books, other, till=Till()) as rt:
        await settle()
        assert rt.agents() == ()
        assert "nobody knows its definition 'log'" in caplog.text
    assert len(books.writes) == before


async def test_one_that_cannot_be_woken_is_reported_and_others_are_woken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    books = Books()
    agent = keeper(does={"pay": [Charge("x", 100.0)]})
    async with killed(books, agent, till=Till()) as rt:
        for id in "ab":
            await (await rt.start_agent(agent, id=id)).call(do("pay"))
    books.memory._agents[AgentKey("a")].turns[-1].state["seen"] = b"{"  # type: ignore[index]
    async with office(books, agent, till=Till()) as rt:
        await settle()
        assert [one.id for one in rt.agents()] == ["b"]
        assert "agent 'a' could not be woken" in caplog.text


async def test_a_journal_that_cannot_be_read_is_asked_again() -> None:
    books = Books()
    agent = keeper(does={"pay": [Charge("x", 100.0)]})
    async with killed(books, agent, till=Till()) as rt:
        await (await rt.start_agent(agent, id="a")).call(do("pay"))
    books.reads_fail = 2  # who is to be woken, and the dead letters there are
    async with office(books, agent, till=Till()) as rt:
        await settle()
        assert rt.agents() == ()
        await trio.sleep(6)
        assert len(rt.agents()) == 1


async def test_many_are_woken_page_by_page_and_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trido.runtime.waking._PAGE", 7)
    books = Books()
    agent = keeper(does={"pay": [Charge("x", 100.0)]})
    async with killed(books, agent, till=Till()) as rt:
        for n in range(40):
            await (await rt.start_agent(agent, id=f"a{n}")).call(do("pay"))
    async with office(books, agent, till=Till()) as rt:
        await settle()
        assert len(rt.agents()) == 40


async def test_one_that_has_ended_in_this_process_is_not_woken_for_what_it_left() -> None:
    books = Books()
    agent = keeper(does={"set": [after(5)], "pay": [Charge("x", 100.0)]})
    async with office(books, agent, till=Till()) as rt:
        ref = await rt.start_agent(agent, id="a", restart="temporary")
        other = await rt.start_agent(agent, id="b")
        await ref.call(do("set"))
        await ref.cast(trido.Signal("boom"))
        await other.call(do("pay"))
        await trio.sleep(50)
        assert [one.id for one in rt.agents()] == ["b"]


async def test_all_that_an_ordered_end_commits_is_written_when_the_block_is_left() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt:
        refs = [await rt.start_agent(agent, id=f"a{n}") for n in range(20)]
        for ref in refs:
            await ref.cast(note("x"))
        await settle()
    assert len([one for one in books.writes if getattr(one, "consumes", 0) is None]) == 20
    with pytest.raises(trido.NoSuchAgent):
        refs[0].state()


async def test_leaving_is_not_cut_short_by_being_cancelled() -> None:
    books = Books()
    agent = keeper()
    with trio.CancelScope() as scope:
        async with office(books, agent) as rt:
            ref = await rt.start_agent(agent, id="a")
            await ref.cast(note("x"))
            scope.cancel()
    assert scope.cancelled_caught
    async with office(books, agent) as rt:
        assert len(books.history()) in (0, 1)


async def test_a_journal_that_is_in_use_is_refused_as_the_runtime_opens() -> None:
    books = Books()
    async with office(books):
        with pytest.raises(trido.TridoError, match="open already"):
            async with office(books):
                pass  # pragma: no cover


def wake(id: str) -> Wake:
    return Wake(AgentKey(id), "log", 1, None)


def test_parents_are_woken_before_their_children() -> None:
    ids = ["b/x", "a/x/y", "a", "a/x", "c"]
    rounds = in_rounds(wake(id) for id in ids)
    assert [[one.agent.id for one in round] for round in rounds] == [
        ["a", "b/x", "c"],
        ["a/x"],
        ["a/x/y"],
    ]


@pytest.mark.parametrize("detached", [False, True])
async def test_a_woken_child_yields_to_the_parent_that_starts_it(*, detached: bool) -> None:
    books, clock = Books(), Days()
    child = keeper("child", does={"set": [after(5, "late", "k")], "pay": [Charge("x", 50.0)]})
    # It comes first when all are woken.
    spawn = trido.SpawnAgent(child, "kid", id="0", detached=detached)
    parent = keeper("parent", does={"spawn": [spawn]})
    async with killed(books, parent, child, till=Till(), clock=clock) as rt:
        ref = await rt.start_agent(parent, id="a")
        await ref.call(do("spawn"))
        await settle()
        await rt.agent("0").call(do("set"))
        await rt.agent("0").call(do("pay"))
    till = Till()
    async with office(books, parent, child, till=till, clock=clock) as rt:
        await settle()
        assert rt.agent("a").status().children == 1
        assert books.standing()[0] == "1.0 SpawnAgent pending"
        await trio.sleep(60)
        assert rt.agent("0").state() == Log(("set", "pay", "late"))
        assert till.log[-1] == "x"
        assert books.timers("0") == []


# Whoever has a place for it takes over ------------------------------------------------------------


def charged(books: Books, id: str = "a/kid") -> list[str]:
    return [line for line in books.standing(id) if "Charge" in line]


async def test_a_declared_child_that_was_woken_is_its_parents_once_that_starts() -> None:
    books, till = Books(), Till()
    child = keeper("child", does={"pay": [Charge("x", 50.0)]})
    parent = keeper("parent", children=(trido.SpawnAgent(child, "kid"),))
    async with killed(books, parent, child, till=till) as rt:
        await rt.start_agent(parent, id="a")
        await rt.agent("a/kid").call(do("pay"))
    async with office(books, parent, child, till=till) as rt:
        await settle()
        kid = rt.agent("a/kid")
        ref = await rt.start_agent(parent, id="a")
        await settle()
        assert ref.status().children == 1
        assert [child.id for child in rt.supervisor.children()] == ["a"]
        assert rt.agent("a/kid") is kid
        await trio.sleep(60)
        assert (till.lines, charged(books)) == ("<x !x <x !x <x x", ["1.0 Charge done"])
        assert (await kid.call(note("more"))).seen == ("pay", "more")
    assert books.timers("a/kid") == []


async def test_one_that_was_woken_is_taken_over_wherever_it_is_placed() -> None:
    books, till = Books(), Till()
    agent = keeper(does={"pay": [Charge("x", 5.0)]})
    async with killed(books, agent, till=till) as rt:
        await (await rt.start_agent(agent, id="a")).call(do("pay"))
    async with office(books, agent, till=till) as rt:
        await settle()
        ref = rt.agent("a")
        async with trido.open_supervisor(agent.spec(id="a", runtime=rt, durability="sync")):
            assert rt.agent("a") is ref
            await trio.sleep(10)
            assert books.standing() == ["1.0 Charge done"]
            with pytest.raises(trido.StartFailed):  # once is enough
                await rt.start_agent(agent, id="a")
        assert rt.agents() == ()


async def test_what_was_woken_once_its_parent_waits_to_start_it_is_its_parents() -> None:
    books, runs = Books(), 0

    async def flaky(*, task_status: trio.TaskStatus[None]) -> None:
        nonlocal runs
        runs += 1
        if runs == 3:  # it is restarted: its supervisor starts nobody else
            await trio.sleep(5)
        task_status.started()
        if runs == 2:
            raise Boom
        await trio.sleep_forever()

    child = keeper("child", does={"pay": [Charge("x", 500.0)]})
    flakes = (trido.ChildSpec(flaky, id="flaky"),)
    parent = keeper("parent", does={"spawn": [trido.SpawnAgent(child, "kid")]}, children=flakes)
    slow = keeper("slow", does={"pay": [Charge("y", 500.0)]})
    async with killed(books, parent, child, slow, till=Till()) as rt:
        await (await rt.start_agent(slow, id="b")).call(do("pay"))
        await (await rt.start_agent(parent, id="a")).call(do("spawn"))
        await settle()
        await rt.agent("a/kid").call(do("pay"))
    late(slow, 1.0)
    async with office(books, parent, child, slow, till=Till()) as rt:
        await trio.sleep(3)
        assert "a/kid" in [one.id for one in rt.supervisor.children()], "it was woken"
        await trio.sleep(10)
        assert rt.agent("a").status().children == 2
        assert sorted(one.id for one in rt.supervisor.children()) == ["a", "b"]


async def test_a_signal_to_one_that_is_taken_over_is_served_by_who_takes_over() -> None:
    books = Books()
    child = keeper("child", does={"pay": [Charge("x", 5.0)]})
    emits = [
        trido.Emit(trido.Signal("slow", 2.0), to="a/kid"),
        *(trido.Emit(note(text), to="a/kid") for text in ("hi", "ho")),
    ]
    sender = keeper("sender", does={"tell": emits})
    parent = keeper("parent", children=(trido.SpawnAgent(child, "kid"),))
    async with killed(books, parent, child, sender, till=Till()) as rt:
        await rt.start_agent(parent, id="a")
        await rt.agent("a/kid").call(do("pay"))
        await (await rt.start_agent(sender, id="s")).call(do("tell"))
    async with office(books, parent, child, sender, till=Till()) as rt:
        await trio.sleep(1)
        await rt.start_agent(parent, id="a")
        await trio.sleep(10)
        assert rt.agent("a/kid").state() == Log(("pay", "slow", "hi", "ho"))
        assert [line.split()[-1] for line in books.standing("s")] == ["done"] * 3
        assert list(rt.dead_letters) == []


async def test_one_that_was_woken_and_sleeps_is_taken_over() -> None:
    books = Books()
    agent = keeper(does={"set": [after(5, "tick", "k")]}, idle_timeout=1.0)
    async with killed(books, agent) as rt:
        await (await rt.start_agent(agent, id="a")).call(do("set"))
    async with office(books, agent) as rt:
        await trio.sleep(10)
        ref = rt.agent("a")
        assert ref.status().state == "hibernated"
        async with trido.open_supervisor(agent.spec(id="a", runtime=rt)):
            assert (await ref.call(note("x"))).seen == ("set", "tick", "x")
        assert rt.agents() == ()


async def test_one_that_was_woken_and_waits_to_be_restarted_is_taken_over() -> None:
    books = Books()
    agent = keeper(does={"pay": [Charge("x", 50.0)]})
    async with killed(books, agent, till=Till()) as rt:
        await (await rt.start_agent(agent, id="a")).call(do("pay"))
    async with office(books, agent, till=Till()) as rt:
        await settle()
        ref = rt.agent("a")
        for _ in range(2):
            with pytest.raises(trido.AgentCrashed):
                await ref.call(trido.Signal("boom"))
        assert ref.status().state == "restarting"
        async with trido.open_supervisor(agent.spec(id="a", runtime=rt)) as sup:
            assert sup["a"].value is ref
            await trio.sleep(1)
            assert (await ref.call(note("y"))).seen == ("pay", "y")
            assert rt.supervisor.children() == ()


async def test_one_that_is_being_woken_is_its_parents_once_that_has_started_it() -> None:
    books = Books()
    first = keeper("first", durability="none")
    child = keeper("child", does={"pay": [Charge("x", 50.0)]})
    kids = [trido.SpawnAgent(first, "one"), trido.SpawnAgent(child, "kid", detached=True)]
    parent = keeper("parent", does={"spawn": kids})
    async with killed(books, parent, child, first, till=Till()) as rt:
        await (await rt.start_agent(parent, id="a")).call(do("spawn"))
        await settle()
        await rt.agent("a/kid").call(do("pay"))
    late(first, 1.0)
    late(child, 5.0)
    async with office(books, parent, child, first, till=Till()) as rt:
        await trio.sleep(3)
        assert rt.agent("a/kid").status().state == "starting", "it is being woken"
        await trio.sleep(20)
        assert rt.agent("a").status().children == 2
        assert rt.agent("a/kid").status().state == "running"
        assert books.standing()[1] == "1.1 SpawnAgent pending"


def late(agent: trido.Agent[Log], seconds: float) -> None:
    """Have it take its time to be ready."""

    @agent.lifespan
    async def lives(_: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        await trio.sleep(seconds)
        yield


# Adopted children ---------------------------------------------------------------------------------


async def adopt(rt: trido.Runtime, parent: trido.Agent[Log], ref: trido.AgentRef[Log]) -> None:
    """Have one adopt another."""
    parent_ref = await rt.start_agent(parent, id="a")
    await parent_ref.call(trido.Signal("adopt", ref))
    await settle()


def family() -> tuple[trido.Agent[Log], trido.Agent[Log]]:
    """One that adopts and gives up; and one that tells its parent."""
    up = trido.Emit(note("up"), to="parent")
    child = keeper("child", does={"up": [up], "pay": [Charge("x", 50.0)], "end": [trido.Stop()]})
    parent = keeper("parent", does={"drop": [trido.StopChild("mine")]})

    @parent.on("adopt")
    def adopts(state: Log, data: trido.Address) -> trido.Decision[Log]:
        return state, [trido.AdoptChild(data, "mine")]

    return parent, child


async def adopted(books: Books) -> tuple[trido.Agent[Log], trido.Agent[Log]]:
    """A process that was killed after ``a`` had adopted ``c``."""
    parent, child = family()
    async with killed(books, parent, child) as rt:
        await adopt(rt, parent, await rt.start_agent(child, id="c"))
        assert rt.agent("a").status().children == 1
    return parent, child


@pytest.mark.parametrize("ids", ["ac", "ca"])
async def test_an_adopted_child_is_adopted_again_in_the_next_process(ids: str) -> None:
    books = Books()
    parent, child = await adopted(books)
    known = {"a": parent, "c": child}
    for _ in range(7):  # it is not tried, but so
        async with killed(books, parent, child) as rt:
            for id in ids:
                await rt.start_agent(known[id], id=id)
            await settle()
            assert rt.agent("a").status().children == 1
    async with office(books, parent, child) as rt:
        for id in ids:
            await rt.start_agent(known[id], id=id)
        await settle()
        await rt.agent("c").call(do("up"))
        await rt.agent("a").wait_for(lambda state: state.seen == ("up",))
        await rt.agent("a").call(do("drop"))
        await settle()
        assert rt.find("c") is None
    assert books.standing()[0] == "1.0 AdoptChild done"
    async with office(books, parent, child) as rt:
        for id in ids:
            await rt.start_agent(known[id], id=id)
        await settle()
        assert rt.agent("a").status().children == 0


async def test_an_adopted_child_is_awaited_and_holds_nothing_up() -> None:
    books = Books()
    parent, child = await adopted(books)
    async with office(books, parent, child) as rt:
        ref = await rt.start_agent(parent, id="a")
        await ref.call(do("drop"))  # there is none
        await rt.drain()
        assert ref.status().children == 0
        await rt.start_agent(child, id="c")
        await settle()
        assert ref.status().children == 1


async def test_an_adopted_child_that_ends_for_good_is_adopted_no_more() -> None:
    books = Books()
    parent, child = await adopted(books)
    async with office(books, parent, child) as rt:
        ref = await rt.start_agent(parent, id="a")
        c = await rt.start_agent(child, id="c")
        await settle()
        await c.call(do("end"))
        await settle()
        assert ref.status().children == 0
    assert books.standing() == ["1.0 AdoptChild done"]


async def test_who_has_ended_is_not_adopted() -> None:
    books = Books()
    parent, child = family()
    async with office(books, parent, child) as rt:
        ref = await rt.start_agent(child, id="c")
        await ref.stop()
        await adopt(rt, parent, ref)
        assert books.standing() == ["1.0 AdoptChild failed"]


async def test_an_adopted_child_that_was_woken_stays_one_when_it_is_taken_over() -> None:
    books = Books()
    parent, child = family()
    async with killed(books, parent, child, till=Till()) as rt:
        c = await rt.start_agent(child, id="c")
        await adopt(rt, parent, c)
        await c.call(do("pay"))
    async with office(books, parent, child, till=Till()) as rt:
        await settle()
        assert rt.agent("a").status().children == 1, "both are woken"
        async with trido.open_supervisor(child.spec(id="c", runtime=rt)):
            await settle()
            assert rt.agent("a").status().children == 1
            await rt.agent("c").call(do("up"))
            await rt.agent("a").wait_for(lambda state: state.seen == ("up",))
            await rt.agent("a").call(do("drop"))
            await trio.sleep(10)
            assert rt.find("c") is None
