"""Directives of durable turns: in the journal until it is known what became of them."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from attrs import evolve

import trido
from tests.runtime.books import Books, Charge, do, keeper, killed, note, office
from tests.runtime.desk import Boom, Log, settle
from tests.runtime.till import Jobs, Till
from trido.journal import JournalError
from trido.journal.rows import AgentKey

UNKNOWN = "agent.directive.unknown"


def payer(*charges: Charge, **settings: Any) -> trido.Agent[Log]:
    agent = keeper(does={"pay": charges}, **settings)

    @agent.on(UNKNOWN)
    def unknown(state: Log, data: trido.DirectiveUnknown) -> Log:
        return evolve(state, seen=(*state.seen, f"{data.id} {data.directive}"))

    return agent


def once(till: Till) -> dict[type, Any]:
    return {Charge: trido.Executor(till.charge, delivery="at_most_once")}


# What becomes of them -------------------------------------------------------------------------


async def test_a_directive_is_done_or_failed_and_its_executor_is_given_its_id() -> None:
    books, till = Books(), Till()
    agent = payer(Charge("x"), Charge("y"))
    async with office(books, agent, executors={Charge: fails_on_y(till)}) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay", id="7"))
        await rt.drain()
        await settle()
        assert books.standing() == ["1.0 Charge done", "1.1 Charge failed"]
        assert [one.id for one in till.deliveries] == ["a/1.0"]
        assert till.deliveries[0].signal.id == "7"


def fails_on_y(till: Till) -> Any:
    async def charge(directive: Any, delivery: trido.Delivery) -> None:
        if directive.what == "y":
            raise Boom
        await till.charge(directive, delivery)

    return charge


async def test_what_was_not_done_when_the_process_was_killed_is_carried_out_first() -> None:
    books, till = Books(), Till()
    agent = payer(Charge("x", 10.0), Charge("y"))
    async with killed(books, agent, till=till) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay", source="outside", id="7"))
    assert books.marks() == []
    again = Till()
    async with office(books, agent, till=again) as rt:
        await rt.drain()
        await trio.sleep(11)
        assert again.lines == "<x x <y y"
        assert [one.id for one in again.deliveries] == ["a/1.0", "a/1.1"]
        cause = again.deliveries[0].signal
        assert (cause.type, cause.data, cause.source, cause.id) == ("do", "pay", "outside", "7")
        assert books.standing() == ["1.0 Charge done", "1.1 Charge done"]


async def kill(times: int, books: Books, *agents: trido.Agent[Log], **options: Any) -> None:
    """Have the first agent commit what it is to, and kill its process so many times."""
    for n in range(times):
        async with killed(books, *agents, **options) as rt:
            for agent in agents[1:]:
                await rt.start_agent(agent, id=agent.name)
            ref = await rt.start_agent(agents[0], id="a")
            if n == 0:
                await ref.call(do("pay"))
            await settle()


async def test_attempts_are_counted_before_each_try_and_after_five_it_is_dead() -> None:
    books, till = Books(), Till()
    agent = payer(Charge("x", 10**6))
    await kill(5, books, agent, till=till)
    assert till.log.count("<x") == 5
    till = Till()
    async with office(books, agent, till=till) as rt:
        await rt.start_agent(agent, id="a")
        await settle()
        assert till.lines == ""
        assert books.standing() == ["1.0 Charge dead"]
        (letter,) = rt.dead_letters
        assert (letter.id, letter.directive) == ("a/1.0", Charge("x", 10**6))
        await rt.dead_letters.resend(letter)
        await settle()
        assert till.lines == "<x"
        assert books.standing() == ["1.0 Charge pending"]


async def test_a_directive_that_was_tried_often_enough_says_that_nothing_is_known_of_it() -> None:
    books, till = Books(), Till()
    agent = payer(Charge("x", 10**6))
    await kill(5, books, agent, till=till)
    for _ in range(2):  # in the process that gives it up, and in the next
        async with office(books, agent, till=till) as rt:
            await rt.start_agent(agent, id="a")
            await settle()
            (letter,) = rt.dead_letters
            assert isinstance(letter.reason, trido.GivenUp)
            assert letter.reason.why == (
                "tried 5 times, and not heard of again: it may have been done, or not"
            )
    again = Till()
    async with office(books, agent, till=again) as rt:
        await rt.resolve("a/1.0", "retry")
        await settle()
        assert again.lines == "<x"
        assert [one.id for one in again.deliveries] == ["a/1.0"], "a receiver knows it again"
        assert list(rt.dead_letters) == []


async def test_only_what_is_tried_is_counted_and_not_what_waits_behind_it() -> None:
    books, till = Books(), Till()
    agent = payer(Charge("x", 10**6), Charge("y"))
    await kill(7, books, agent, till=till)
    assert (till.log.count("<x"), till.log.count("<y")) == (5, 1)
    assert books.standing() == ["1.0 Charge dead", "1.1 Charge done"]


async def test_a_signal_that_waits_for_another_to_be_served_is_not_counted() -> None:
    books = Books()
    emits = [trido.Emit(trido.Signal("slow", 10**6), to="b"), trido.Emit(note("hi"), to="b")]
    agent, other = keeper(does={"pay": emits}), keeper("b")
    await kill(7, books, agent, other)
    assert books.standing() == ["1.0 Emit dead", "1.1 Emit done"]
    assert len(books.history("b")) == 1


async def test_a_run_that_waits_for_room_is_not_counted() -> None:
    books, jobs = Books(), Jobs()
    agent = keeper(does={"pay": [jobs.run("x", 1e6), jobs.run("y", 1.0)]}, runs=1)
    await kill(6, books, agent, actions=(jobs.work,))
    async with office(books, agent, actions=(jobs.work,)) as rt:
        await rt.drain()
        await settle()
    assert (jobs.log.count("<x"), jobs.log.count("<y")) == (5, 2)
    assert books.standing()[:2] == ["1.0 Run dead", "1.1 Run done"]


async def test_at_most_once_is_started_before_the_executor_is_called() -> None:
    books, till = Books(), Till()
    agent = payer(Charge("x", 5.0))
    async with office(books, agent, executors=once(till)) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay"))
        release = books.hold()
        await trio.sleep(1)
        started = till.lines
        release()
        await settle()
        assert books.marks() == ["1.0 started"]
        assert (started, till.lines) in {("", "<x"), ("<x", "<x")}
        await rt.drain()
        await settle()
        assert books.standing() == ["1.0 Charge done"]


@pytest.mark.parametrize("to", ["done", "retry", "dead"])
async def test_what_was_started_and_not_heard_of_is_unknown_until_it_is_resolved(to: Any) -> None:
    books, till = Books(), Till()
    agent = payer(Charge("x", 5.0))
    async with killed(books, agent, executors=once(till)) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay"))
        await settle()
        assert till.lines == "<x"
    again = Till()
    for _ in range(2):
        async with office(books, agent, executors=once(again)) as rt:
            ref = await rt.start_agent(agent, id="a")
            await settle()
            assert again.lines == ""
            assert ref.state().seen == ("pay", "a/1.0 Charge")  # told once
            (letter,) = rt.dead_letters
            assert (letter.id, type(letter.reason)) == ("a/1.0", trido.OutcomeUnknown)
    async with office(books, agent, executors=once(again)) as rt:
        ref = await rt.start_agent(agent, id="a")
        await settle()
        await rt.resolve("a/1.0", to)
        await trio.sleep(6)
        assert list(rt.dead_letters) == []
        assert again.lines == ("<x x" if to == "retry" else "")
        status = "dead" if to == "dead" else "done"
        assert books.standing()[:1] == [f"1.0 Charge {status}"]
        with pytest.raises(JournalError):
            await rt.resolve("a/1.1", "done")


async def unpaid(books: Books) -> trido.Agent[Log]:
    """Leave a directive behind of which nobody knows whether it was carried out."""
    agent = payer(Charge("x", 5.0))
    async with killed(books, agent, executors=once(Till())) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay"))
        await settle()
    return agent


async def test_what_is_resolved_is_so_whether_it_is_awaited_or_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    books = Books()
    agent = await unpaid(books)
    async with office(books, agent, executors=once(Till())) as rt:
        await rt.start_agent(agent, id="a")
        await settle()
        _ = rt.resolve("a/1.0", "done")
        await trio.sleep(1)
        assert books.standing()[:1] == ["1.0 Charge done"]
        assert list(rt.dead_letters) == []
        _ = rt.resolve("a/1.0", "done")
        await trio.sleep(1)
    assert "directive 'a/1.0' is not resolved as 'done': " in caplog.text
    with pytest.raises(trido.SupervisorStopped):
        _ = rt.resolve("a/1.0", "done")


async def test_what_is_being_resolved_when_the_runtime_ends_is_carried_through() -> None:
    books = Books()
    agent = await unpaid(books)
    async with office(books, agent, executors=once(Till())) as rt:
        await rt.start_agent(agent, id="a")
        resolving = rt.resolve("a/1.0", "done")
    await resolving
    assert books.standing()[:1] == ["1.0 Charge done"]


async def test_what_is_resolved_to_be_tried_again_wakes_its_agent() -> None:
    books, till = Books(), Till()
    agent = payer(Charge("x", 5.0))
    async with killed(books, agent, executors=once(till)) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay"))
        await settle()
    again = Till()
    async with office(books, agent, executors=once(again)) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.stop()
        await rt.resolve("a/1.0", "retry")
        await trio.sleep(6)
        assert again.lines == "<x x"


@pytest.mark.parametrize("delivery", ["keyed", "at_most_once"])
async def test_what_its_agent_left_off_has_one_reason_in_this_process_and_the_next(
    delivery: Any,
) -> None:
    books = Books()
    agent = payer(Charge("x", 60.0))
    executors = {Charge: trido.Executor(Till().charge, delivery=delivery)}
    told = []
    async with office(books, agent, executors=executors) as rt:
        ref = await rt.start_agent(agent, id="a", shutdown=1.0)
        await ref.call(do("pay"))
        await ref.stop()
        told += [repr(one.reason) for one in rt.dead_letters]
    (left,) = books.letters()
    async with office(books, agent, executors=executors) as rt:
        told += [repr(one.reason) for one in rt.dead_letters]
    assert left.note == "its agent ended while it was carried out: it may have been done, or not"
    reason = {"keyed": f"GivenUp('a', {left.note!r})", "at_most_once": "OutcomeUnknown('a')"}
    assert told == [reason[delivery]] * 2


async def test_resolving_says_what_is_wrong_with_what_it_is_given() -> None:
    async with trido.open_runtime() as rt:
        with pytest.raises(trido.SpecError, match="journal"):
            await rt.resolve("a/1.0", "done")
        for id, to in [("a", "done"), ("1.0", "done"), (None, "done"), ("a/1.0", "perhaps")]:
            with pytest.raises(trido.SpecError):
                await rt.resolve(id, to)  # type: ignore[arg-type]


@pytest.mark.parametrize("numbers", [f"{2**63}.0", f"1.{2**63}", f"{'9' * 5_000}.0", "01.0"])
async def test_numbers_that_name_no_directive_harm_nobody_else(numbers: str) -> None:
    agent = keeper()
    async with office(Books(), agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.call, note("x"))
            with pytest.raises(trido.SpecError, match="numbers of at most 18 digits"):
                await rt.resolve(f"a/{numbers}", "done")


# Signals ------------------------------------------------------------------------------------------


async def test_emitted_signals_are_stamped_before_they_are_written() -> None:
    books = Books()
    got: list[trido.Signal] = []
    agent = keeper(does={"tell": [trido.Reply(1), trido.Emit(note("hi"), to="b")]})
    other = keeper("other")

    @other.on("note", priority=1, guard=lambda state, data: True)
    def noted(state: Log, data: str, turn: trido.Turn) -> Log:
        got.append(turn.signal)
        return state

    async with office(books, agent, other) as rt:
        ref = await rt.start_agent(agent, id="a")
        await rt.start_agent(other, id="b")
        await ref.call(note("x"))
        await ref.call(do("tell", id="7", source="s", attributes={"traceparent": TRACE}))
        await rt.drain()
        (signal,) = got
        assert (signal.source, signal.id) == ("a", "2.0")
        assert signal.time is not None
        assert dict(signal.attributes) == {
            "causationid": "7",
            "correlationid": "7",
            "traceparent": TRACE,
        }
        assert b'"2.0"' in books.commits()[1].directives[0].data


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_an_emit_is_done_when_the_turn_of_its_receiver_is_durable() -> None:
    books = Books()
    agent = keeper(does={"tell": [trido.Emit(trido.Signal("slow", 5.0), to="b")]})
    other = keeper("other")
    async with office(books, agent, other) as rt:
        ref = await rt.start_agent(agent, id="a")
        b = await rt.start_agent(other, id="b")
        await ref.call(do("tell"))
        await trio.sleep(1)
        assert (ref.status().outbox, books.standing()) == (1, ["1.0 Emit pending"])
        await trio.sleep(5)
        assert (ref.status().outbox, books.standing()) == (0, ["1.0 Emit done"])
        assert b.state() == Log(("slow",))


@pytest.mark.parametrize("type", ["no", "boom", "nothing", "ask"])
async def test_an_emit_is_done_when_its_receiver_refuses_dead_letters_or_defers_it(
    type: str,
) -> None:
    books = Books()
    agent = keeper(does={"tell": [trido.Emit(trido.Signal(type), to="b")]})
    other = keeper("other", durability="none")
    async with office(books, agent, other) as rt:
        ref = await rt.start_agent(agent, id="a")
        await rt.start_agent(other, id="b")
        await ref.call(do("tell"))
        await rt.drain()
        await settle()
        assert books.standing() == ["1.0 Emit done"]


async def test_an_emit_to_nobody_is_a_dead_letter_that_can_be_sent_again() -> None:
    books = Books()
    agent = keeper(does={"tell": [trido.Emit(note("hi"), to="b")]})
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("tell"))
        await settle()
        assert books.standing() == ["1.0 Emit dead"]
        (letter,) = rt.dead_letters
        b = await rt.start_agent(agent, id="b")
        await rt.dead_letters.resend(letter)
        await settle()
        assert b.state() == Log(("hi",))
        assert books.standing() == ["1.0 Emit done"]


async def test_a_signal_that_was_served_and_not_marked_is_sent_again_and_served_once() -> None:
    books = Books()
    agent = keeper(does={"tell": [trido.Emit(note("hi"), to="b")]})
    other = keeper("other")
    async with killed(books, agent, other) as rt:
        ref = await rt.start_agent(agent, id="a")
        b = await rt.start_agent(other, id="b")
        release = books.hold()
        await ref.cast(do("tell"))
        await settle()
        release()
        await b.wait_for(lambda state: state.seen)
        books.is_dead = True
        await settle()
    assert [mark for mark in books.marks() if "done" in mark] == []
    async with office(books, agent, other) as rt:
        await settle()  # a is woken, and its signal wakes b
        assert rt.agent("b").state() == Log(("hi",))
        assert books.standing() == ["1.0 Emit done"]


async def test_what_its_receiver_has_not_served_when_all_end_is_sent_by_the_next_process() -> None:
    books = Books()
    agent = keeper(does={"tell": [trido.Emit(note("hi"), to="b"), trido.Emit(note("ho"), to="b")]})
    other = keeper("other", durability="none")
    async with office(books, agent, other) as rt:
        ref = await rt.start_agent(agent, id="a")
        b = await rt.start_agent(other, id="b")
        await b.cast(trido.Signal("slow", 100.0))
        await ref.call(do("tell"))
        await settle()
        assert ref.status().outbox == 2
    async with office(books, agent, other) as rt:
        b = await rt.start_agent(other, id="b")
        await settle()
        assert b.state() == Log(("hi", "ho"))


async def test_what_is_not_done_when_its_agent_is_stopped_for_good_is_dead() -> None:
    books, till = Books(), Till()
    wants = [Charge("x", 100.0), Charge("y"), trido.Emit(trido.Signal("slow", 100.0), to="b")]
    agent = keeper(does={"all": wants})
    other = keeper("other", durability="none")
    async with office(books, agent, other, till=till) as rt:
        ref = await rt.start_agent(agent, id="a")
        await rt.start_agent(other, id="b")
        await ref.call(do("all"))
        await ref.stop()
        await settle()
        assert till.lines == "<x !x"
        assert books.standing() == ["1.0 Charge dead", "1.1 Charge dead", "1.2 Emit dead"]
        assert sorted(one.id or "" for one in rt.dead_letters)[:2] == ["a/1.0", "a/1.1"]


async def test_what_is_not_done_when_the_runtime_ends_is_for_the_next_process() -> None:
    books, till = Books(), Till()
    agent = payer(Charge("x", 100.0), Charge("y"))
    async with office(books, agent, till=till) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay"))
    assert books.marks() == []
    async with office(books, agent, till=till) as rt:
        await trio.sleep(101)
        await settle()
        assert books.standing() == ["1.0 Charge done", "1.1 Charge done"]


async def test_publishing_and_sending_outside_are_marked_as_well() -> None:
    books = Books()
    sent: list[trido.Signal] = []

    async def send(signal: trido.Signal) -> None:
        sent.append(signal)

    wants = [trido.Emit(note("all")), trido.Emit(note("out"), to=trido.Via("mail"))]
    agent = keeper(does={"tell": wants})
    dispatch = {"mail": trido.Executor(send, delivery="at_most_once")}
    async with office(books, agent, dispatch=dispatch) as rt:
        ref = await rt.start_agent(agent, id="a")
        with rt.subscribe("note", buffer=1, overflow="block") as signals:
            await rt.publish(note("first"))
            await ref.call(do("tell"))
            await settle()
            assert books.standing() == ["1.0 Emit pending", "1.1 Emit done"]
            assert [(await anext(signals)).data for _ in range(2)] == ["first", "all"]
        await settle()
        assert books.standing() == ["1.0 Emit done", "1.1 Emit done"]
        assert [one.id for one in sent] == ["1.1"]


async def test_publishing_that_waits_when_its_agent_ends_is_dead_or_kept() -> None:
    for ends, status in [("agent", "dead"), ("runtime", "pending")]:
        books = Books()
        agent = keeper(does={"tell": [trido.Emit(note("all"))]})
        async with office(books, agent) as rt:
            ref = await rt.start_agent(agent, id="a", shutdown=1.0)
            with rt.subscribe("note", buffer=1, overflow="block"):
                await rt.publish(note("first"))
                await ref.call(do("tell"))
                if ends == "agent":
                    await ref.stop()
                    await settle()
                else:
                    rt.supervisor.stop()
                    await trio.sleep(5)
            assert books.standing() == [f"1.0 Emit {status}"]


# Runs ---------------------------------------------------------------------------------------------


def worker(*runs: trido.Run, **settings: Any) -> trido.Agent[Log]:
    return keeper(does={"work": runs}, **settings)


async def test_a_run_is_done_when_what_came_of_it_was_served_and_its_result_is_served_once() -> (
    None
):
    books, jobs = Books(), Jobs()
    agent = worker(jobs.run("x"), jobs.run("y", ok=None), jobs.run("z"))
    async with killed(books, agent, actions=[jobs.work]) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("work"))
        await trio.sleep(0.5)
    assert sorted(jobs.log) == ["!x", "!y", "!z", "<x", "<y", "<z"]
    async with office(books, agent, actions=[jobs.work]) as rt:
        ref = await rt.start_agent(agent, id="a")
        await rt.drain()
        await settle()
        assert sorted(ref.state().seen) == ["work", "x", "z"]
        assert books.standing()[:3] == ["1.0 Run done", "1.1 Run done", "1.2 Run done"]


async def test_a_run_that_fails_is_failed() -> None:
    books, jobs = Books(), Jobs()

    @trido.action("bad")
    async def bad(data: str) -> str:
        raise Boom(data)

    agent = worker(trido.Run(bad, "x"), trido.Run(bad, "x", error="failed"))

    @agent.on("failed", check=False)
    def failed(state: Log, data: object) -> Log:
        return evolve(state, seen=(*state.seen, "failed"))

    async with office(books, agent, actions=[bad, jobs.work]) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("work"))
        await rt.drain()
        await settle()
        assert books.standing()[:2] == ["1.0 Run failed", "1.1 Run done"]
        assert ref.state().seen == ("work", "failed")


async def test_a_run_that_must_not_be_repeated_is_started_first_and_then_unknown() -> None:
    books, jobs = Books(), Jobs()
    agent = worker(jobs.run("x", delivery="at_most_once"))
    async with killed(books, agent, actions=[jobs.work]) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("work"))
        await trio.sleep(0.5)
        assert books.marks() == ["1.0 started"]
    async with office(books, agent, actions=[jobs.work]) as rt:
        await rt.start_agent(agent, id="a")
        await trio.sleep(5)
        assert books.standing() == ["1.0 Run unknown"]
        await rt.resolve("a/1.0", "retry")
        await trio.sleep(5)
        assert books.standing() == ["1.0 Run done"]


async def test_runs_in_flight_when_the_agent_crashes_are_run_again_and_counted() -> None:
    books, jobs = Books(), Jobs()
    agent = worker(jobs.run("x", 10.0), jobs.run("y", 10.0, delivery="at_most_once"))
    async with office(books, agent, actions=[jobs.work]) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("work"))
        for n in range(5):
            await trio.sleep(1)
            await ref.cast(trido.Signal("boom"))
            await trio.sleep(60 if n == 4 else 1)
            if ref.status().state == "parked":
                await ref.revive()
        assert books.standing() == ["1.0 Run dead", "1.1 Run unknown"]
        assert jobs.log.count("<x") == 5
        assert jobs.log.count("<y") == 1


async def test_runs_of_an_agent_that_is_stopped_for_good_are_dead() -> None:
    books, jobs = Books(), Jobs()
    agent = worker(
        jobs.run("x", 100.0), jobs.run("y", 100.0, delivery="at_most_once"), jobs.run("z"), runs=2
    )
    async with office(books, agent, actions=[jobs.work]) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("work"))
        await trio.sleep(1)
        await ref.stop()
        await settle()
        assert books.standing() == ["1.0 Run dead", "1.1 Run unknown", "1.2 Run dead"]


async def test_an_unknown_action_is_refused_when_it_is_written() -> None:
    books, jobs = Books(), Jobs()
    agent = worker(jobs.run("x"))
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        with pytest.raises(trido.AgentCrashed) as caught:
            await ref.call(do("work"))
        assert isinstance(caught.value.__cause__, trido.Unregistered)


# Children -----------------------------------------------------------------------------------------


async def test_children_come_back_after_a_kill_in_order_and_uncounted() -> None:
    books = Books()
    child = keeper("child")
    spawns = [trido.SpawnAgent(child, tag) for tag in ("one", "two", "three")]
    parent = keeper("parent", does={"spawn": spawns, "stop": [trido.StopChild("two")]})
    started: list[str] = []

    @parent.on("agent.child.started", check=False)
    def child_started(state: Log, data: Any) -> Log:
        started.append(data.tag)
        return state

    async with killed(books, parent, child) as rt:
        ref = await rt.start_agent(parent, id="a")
        await ref.call(do("spawn"))
        await settle()
        await rt.agent("a/one").call(note("kept"))
        await ref.call(do("stop"))
        await settle()
    for _ in range(7):
        started.clear()
        async with killed(books, parent, child) as rt:
            await settle()
            assert [one.id for one in rt.agents()] == ["a", "a/one", "a/three"]
            assert rt.agent("a/one").state() == Log(("kept",))
            assert started == ["one", "three"]


async def test_a_child_that_ends_by_itself_or_with_its_parent_for_good_is_gone() -> None:
    books = Books()
    child = keeper("child", does={"end": [trido.Stop()]})
    spawns = [trido.SpawnAgent(child, tag) for tag in ("one", "two")]
    parent = keeper("parent", does={"spawn": spawns, "bad": [trido.StopChild("none")]})
    async with office(books, parent, child) as rt:
        ref = await rt.start_agent(parent, id="a")
        await ref.call(do("spawn"))
        await settle()
        await rt.agent("a/one").call(do("end"))
        await settle()
        assert books.standing() == ["1.0 SpawnAgent done", "1.1 SpawnAgent pending"]
        await ref.call(do("bad"))
        await settle()
        assert books.standing()[-1] == "2.0 StopChild failed"
        await ref.stop()
        await settle()
        assert books.standing()[1] == "1.1 SpawnAgent done"
    async with office(books, parent, child) as rt:
        await settle()
        assert rt.agents() == ()


async def test_an_agent_adopts_again_what_it_was_to_adopt() -> None:
    books = Books()
    other = keeper("other")
    wants: list[trido.Directive] = []
    parent = keeper("parent", does={"adopt": wants})
    async with killed(books, parent, other) as rt:
        ref = await rt.start_agent(parent, id="a")
        b = await rt.start_agent(other, id="b")
        wants[:] = [trido.AdoptChild(b, "kid"), trido.Monitor(b), trido.Demonitor(b)]
        await ref.call(do("adopt"))
        await settle()
        assert books.standing() == [  # the first for as long as there is the child
            "1.0 AdoptChild pending",
            "1.1 Monitor done",
            "1.2 Demonitor done",
        ]
        assert ref.status().children == 1


# Ends ---------------------------------------------------------------------------------------------


async def test_stop_ends_the_agent_once_that_is_durable_and_nothing_is_decided_after() -> None:
    books = Books()
    agent = keeper(does={"end": [trido.Stop()]})
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        release = books.hold()
        await ref.cast(do("end"))
        await ref.cast(note("x"))
        await settle()
        assert ref.status().state == "running"
        release()
        await settle()
        assert rt.find("a") is None
        assert books.history()[-1].revision == 1
        ref = await rt.start_agent(agent, id="a")  # it goes on where it left off
        assert ref.state() == Log(("end",))
        assert ref.status().revision == 1


async def test_a_stop_that_was_decided_before_a_crash_happens_after_it() -> None:
    books = Books()
    agent = keeper(does={"end": [trido.Stop()]})
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        release = books.hold()
        await ref.cast(do("end"))
        await settle()
        ref.place.crash(ValueError("a bug"))
        release()
        await trio.sleep(10)
        assert rt.find("a") is None
        assert AgentKey("a") in books.memory._agents
