"""What seldom happens to durable agents as they are woken, carry things out, and end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any

import pytest
import trio
from attrs import evolve

import trido
from tests.runtime.books import Books, Charge, do, keeper, killed, note, office
from tests.runtime.desk import Boom, Log, settle
from tests.runtime.test_durable_directives import once
from tests.runtime.test_durable_timers import Days, after
from tests.runtime.test_durable_turns import Answers, answer
from tests.runtime.till import Jobs, Till
from trido.journal.operations import Claim
from trido.journal.rows import AgentKey
from trido.runtime.mailbox import Mailbox


def late(agent: trido.Agent[Log], seconds: float = 5.0) -> trido.Agent[Log]:
    """An agent that takes its time to be ready."""

    @agent.lifespan
    async def lives(_: trido.AgentRef[Any]) -> AsyncGenerator[None]:
        await trio.sleep(seconds)
        yield

    return agent


async def leave_a_charge(books: Books, agent: trido.Agent[Log], *ids: str) -> None:
    """A process that is killed with something to be done by each of these."""
    async with killed(books, agent, till=Till()) as rt:
        for id in ids:
            await (await rt.start_agent(agent, id=id)).call(do("pay"))


async def another_run(books: Books, *, puts_off: int = 0) -> None:
    """Another run has the agent, and commits a turn that puts its timers off by so much."""
    claimed = await books.session.write(Claim(AgentKey("a"), "log"))
    last = books.commits()[-1]
    timers = tuple(evolve(one, due=one.due + puts_off * 1_000_000) for one in last.timers)
    revision = last.revision + 1
    await books.session.write(
        evolve(last, epoch=claimed.epoch, revision=revision, directives=(), timers=timers)
    )


# Waking -------------------------------------------------------------------------------------------


async def test_who_asks_for_one_that_is_being_woken_waits_for_it() -> None:
    books = Books()
    agent = late(keeper(does={"pay": [Charge("x", 100.0)]}))
    await leave_a_charge(books, agent, "a")
    async with office(books, agent, till=Till()) as rt:
        await settle()
        began = trio.current_time()
        ref = await rt.start_agent(agent, id="a")
        assert trio.current_time() == began + 5
        assert (ref.incarnation, ref.state()) == (1, Log(("pay",)))


async def test_a_parent_waits_for_a_child_that_is_being_woken_and_has_it_then() -> None:
    books, clock = Books(), Days()
    child = late(keeper("child", does={"set": [after(100, "due")]}))
    parent = keeper("parent", does={"spawn": [trido.SpawnAgent(child, "kid", id="0")]})
    async with killed(books, parent, child, clock=clock) as rt:
        await (await rt.start_agent(child, id="0")).call(do("set"))
    async with office(books, parent, child, clock=clock) as rt:
        ref = await rt.start_agent(parent, id="a")
        await trio.sleep(101)
        assert rt.agent("0").status().state == "starting"
        await ref.call(do("spawn"))
        await trio.sleep(20)
        assert ref.status().children == 1
        assert rt.agent("0").state() == Log(("set", "due"))


async def test_a_child_that_its_parent_has_started_is_not_woken() -> None:
    books = Books()
    child = keeper("child", does={"pay": [Charge("x", 500.0)]})
    parent = keeper("parent", does={"spawn": [trido.SpawnAgent(child, "kid")]})
    async with killed(books, parent, child, till=Till()) as rt:
        for id in "ab":
            await (await rt.start_agent(parent, id=id)).call(do("spawn"))
            await settle()
            await rt.agent(f"{id}/kid").call(do("pay"))
    slow = late(keeper("parent", does={"spawn": []}), 1.0)
    async with office(books, slow, child, till=Till()) as rt:
        await trio.sleep(10)
        assert [rt.agent(id).status().children for id in "ab"] == [1, 1]
        assert rt.agent("a/kid").incarnation == 1


async def test_who_waits_to_be_woken_is_not_once_all_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("trido.runtime.waking.AT_ONCE", 1)
    books = Books()
    agent = late(keeper(does={"pay": [Charge("x", 100.0)]}))
    await leave_a_charge(books, agent, "a", "b")
    async with office(books, agent, till=Till()) as rt:
        await settle()
        rt.supervisor.stop()
        await trio.sleep(20)
        assert rt.agents() == ()
    assert "could not be woken" not in caplog.text


async def test_one_that_another_supervisor_starts_first_is_left_to_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("trido.runtime.waking.AT_ONCE", 1)
    books = Books()
    agent = late(keeper(does={"pay": [Charge("x", 100.0)]}))
    await leave_a_charge(books, agent, "a", "b")
    async with office(books, agent, till=Till()) as rt:
        await settle()
        (waits,) = {"a", "b"} - {one.id for one in rt.agents()}
        async with trido.open_supervisor(agent.spec(id=waits, runtime=rt)):
            await trio.sleep(20)
            assert sorted(one.id for one in rt.agents()) == ["a", "b"]
    assert "could not be woken" not in caplog.text


# Signals ------------------------------------------------------------------------------------------


async def test_what_was_to_be_sent_outside_is_sent_by_the_next_process() -> None:
    books = Books()
    sent: list[str] = []

    async def send(signal: trido.Signal) -> None:
        await trio.sleep(10)
        sent.append(signal.data)

    agent = keeper(does={"tell": [trido.Emit(note("out"), to=trido.Via("mail"))]})
    dispatch = {"mail": send}
    async with killed(books, agent, dispatch=dispatch) as rt:
        await (await rt.start_agent(agent, id="a")).call(do("tell"))
    assert sent == []
    async with office(books, agent, dispatch=dispatch):
        await trio.sleep(11)
        assert (sent, books.standing()) == (["out"], ["1.0 Emit done"])


async def test_a_signal_to_a_ref_is_done_when_it_was_served() -> None:
    books = Books()
    does: dict[str, list[trido.Directive]] = {}
    agent, other = keeper(does=does), keeper("other")
    async with office(books, agent, other) as rt:
        b = await rt.start_agent(other, id="b")
        does["tell"] = [trido.Emit(note("hi"), to=b)]
        await (await rt.start_agent(agent, id="a")).call(do("tell"))
        await rt.drain()
        await settle()
        assert (b.state(), books.standing()) == (Log(("hi",)), ["1.0 Emit done"])


# Letters ------------------------------------------------------------------------------------------


async def test_resolving_one_of_two_leaves_the_other() -> None:
    books = Books()
    wants = [trido.Emit(note("1"), to="b"), trido.Emit(note("2"), to="b")]
    agent, other = keeper(does={"tell": wants}), keeper("other")
    async with office(books, agent, other) as rt:
        await (await rt.start_agent(agent, id="a")).call(do("tell"))
        await settle()
        assert [one.id for one in rt.dead_letters] == ["a/1.0", "a/1.1"]
        b = await rt.start_agent(other, id="b")
        await rt.resolve("a/1.1", "retry")
        await settle()
        assert b.state() == Log(("2",))
        assert [one.id for one in rt.dead_letters] == ["a/1.0"]
        assert books.standing() == ["1.0 Emit dead", "1.1 Emit done"]


# Taking over --------------------------------------------------------------------------------------


async def test_what_is_resolved_while_its_agent_starts_is_tried_once_and_not_told_of() -> None:
    books, till = Books(), Till()
    agent = late(keeper(does={"pay": [Charge("x", 100.0)]}))
    async with killed(books, agent, executors=once(Till())) as rt:
        await (await rt.start_agent(agent, id="a")).call(do("pay"))
        await settle()
    async with office(books, agent, executors=once(till)) as rt, trio.open_nursery() as nursery:
        nursery.start_soon(partial(rt.start_agent, agent, id="a"))
        await settle()
        await rt.resolve("a/1.0", "retry")
        await trio.sleep(10)
        assert (rt.agent("a").status().state, till.log) == ("running", ["<x"])
        assert len(rt.dead_letters) == 0


async def test_what_is_still_being_carried_out_is_not_begun_again_by_a_run_that_takes_over() -> (
    None
):
    books, till = Books(), Till()
    agent = keeper(does={"pay": [Charge("x", 50.0)]})
    async with office(books, agent, till=till) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay"))
        await another_run(books)
        await ref.cast(note("x"))  # this run is told that it has the agent no more
        await trio.sleep(20)
        assert (ref.incarnation, ref.status().revision) == (2, 2)
        assert till.log == ["<x"]
        await trio.sleep(60)
        assert till.log == ["<x", "x"]


@pytest.mark.parametrize("ends", ["agent", "runtime"])
@pytest.mark.parametrize("delivery", ["keyed", "at_most_once"])
async def test_what_is_counted_after_its_agent_has_ended_is_not_begun(
    ends: str, delivery: Any
) -> None:
    books, till = Books(), Till()
    agent = keeper(does={"pay": [Charge("x")]})
    await leave_a_charge(books, keeper(does={"pay": [Charge("x", 100.0)]}), "a")
    releases: list[Callable[[], None]] = []

    @agent.lifespan
    async def lives(_: trido.AgentRef[Any]) -> AsyncGenerator[None]:
        releases.append(books.hold())
        yield

    executors = {Charge: trido.Executor(till.charge, delivery=delivery)}
    async with office(books, agent, executors=executors) as rt:
        await settle()
        if ends == "agent":
            with trio.move_on_after(20):
                await rt.agent("a").stop()
        else:
            rt.supervisor.stop()
            await trio.sleep(20)
        assert rt.find("a") is None
        releases[0]()
        await settle()
    assert till.log == []


# Runs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "status"), [("agent", "done"), ("runtime", "pending"), ("nothing", "done")]
)
async def test_a_result_that_is_not_served_is_a_dead_letter_or_is_made_again(
    ends: str, status: str
) -> None:
    books, jobs = Books(), Jobs()
    run = jobs.run("x", ok="note" if ends != "nothing" else "no")
    agent = keeper(does={"work": [run]})
    async with office(books, agent, actions=[jobs.work]) as rt:
        ref = await rt.start_agent(agent, id="a", shutdown=1.0)
        await ref.call(do("work"))
        if ends != "nothing":
            await ref.cast(trido.Signal("slow", 100.0))
        await trio.sleep(2)
        if ends == "agent":
            await ref.stop()
        elif ends == "runtime":
            rt.supervisor.stop()
            await trio.sleep(5)
        await settle()
        assert books.standing()[:1] == [f"1.0 Run {status}"]


# Children -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("durability", ["none", "sync"])
async def test_a_child_that_ends_as_soon_as_it_is_ready_is_gone(durability: Any) -> None:
    books = Books()
    child = keeper("child", durability="none")

    @child.on_start
    def start(state: Log) -> trido.Decision[Log]:
        return state, [trido.Stop()]

    spawn = trido.SpawnAgent(child, "kid", settings={"restart": "temporary"})
    parent = keeper("parent", does={"spawn": [spawn]}, durability=durability)
    async with office(books, parent, child) as rt:
        ref = await rt.start_agent(parent, id="a")
        await ref.call(do("spawn"))
        await rt.drain()
        await settle()
        assert ref.status().children == 0
        assert books.marks() == (["1.0 done"] if durability == "sync" else [])


@pytest.mark.parametrize(("ends", "status"), [("agent", "dead"), ("runtime", "pending")])
async def test_a_child_that_was_not_begun_when_its_parent_ends_is_dead_or_kept(
    ends: str, status: str
) -> None:
    books = Books()
    child = late(keeper("child", durability="none"), 100.0)
    spawns = [trido.SpawnAgent(child, "one"), trido.SpawnAgent(child, "two")]
    parent = keeper("parent", does={"spawn": spawns})
    async with office(books, parent, child) as rt:
        ref = await rt.start_agent(parent, id="a", shutdown=1.0)
        await ref.call(do("spawn"))
        await settle()
        if ends == "agent":
            await ref.stop()
        else:
            rt.supervisor.stop()
        await trio.sleep(20)
        assert books.standing()[1] == f"1.1 SpawnAgent {status}"


# Timers, and what waits ---------------------------------------------------------------------------


async def test_a_firing_that_is_served_again_leaves_the_row_to_the_run_that_had_the_agent() -> None:
    books = Books()
    timer = trido.Schedule(5, trido.Signal("late", "late"), key="k")
    agent = keeper(does={"set": [timer]}, redeliver=1)
    deaths: list[str] = []

    @agent.on("late")
    async def noted(state: Log, data: str) -> Log:
        deaths.append(data)
        if len(deaths) == 1:
            await another_run(books, puts_off=20)
            raise Boom(data)
        return evolve(state, seen=(*state.seen, data))

    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("set"))
        await trio.sleep(10)
        assert (ref.state().seen, books.timers()) == (("set", "late"), ["=k"])
        await trio.sleep(20)
        assert (ref.state().seen, books.timers()) == (("set", "late", "late"), [])


def test_an_empty_mailbox_has_no_oldest() -> None:
    assert Mailbox(1).oldest is None


async def test_calls_behind_one_that_was_known_learn_it_although_the_agent_has_ended() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a", restart="temporary", shutdown=0.0)
        await ref.call(note("x", id="1"))
        ref.place.durable._inbox._known.clear()  # type: ignore[union-attr]
        release = books.hold()
        answers: Answers = []
        nursery.start_soon(answer, ref, note("x", id="1"), answers)
        await settle()
        nursery.start_soon(answer, ref, note("y"), answers)
        await settle()
        await ref.stop()
        release()
        await settle()
        assert len(answers) == 2
        nursery.cancel_scope.cancel()
