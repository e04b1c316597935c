"""Durable turns and their directives where two things meet: a claim, an end, a second word."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from outcome import Outcome

import trido
from tests.runtime.books import Books, Charge, do, keeper, killed, note, office
from tests.runtime.desk import Log, settle
from tests.runtime.test_durable_turns import Answers, answer
from tests.runtime.till import Till
from trido.journal.operations import Claim, Mark, Resolve
from trido.journal.rows import AgentKey
from trido.runtime.standing import Ledger, Standing


def payer(seconds: float = 0.0) -> trido.Agent[Log]:
    return keeper(does={"pay": [Charge("x", seconds)]})


def teller() -> trido.Agent[Log]:
    return keeper(does={"tell": [trido.Emit(note("hi"), to="b")]})


def once(till: Till) -> dict[type, Any]:
    return {Charge: trido.Executor(till.charge, delivery="at_most_once")}


def ledger_of(ref: trido.AgentRef[Any]) -> Ledger:
    durable = ref.place.durable
    assert durable is not None
    return durable.ledger


def standing_of(ref: trido.AgentRef[Any]) -> Standing:
    """That of its first directive, which is being carried out."""
    return ledger_of(ref)._open[1, 0]


def fails(_: Outcome[Any]) -> None:
    raise ValueError("a bug in somebody's callback")


# While the agent is claimed -----------------------------------------------------------------------


async def test_a_turn_that_is_decided_while_the_agent_is_claimed_is_written_after_that() -> None:
    books = Books()
    agent = payer(1.0)
    async with office(books, agent, till=Till()) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay"))
        await ref.cast(trido.Signal("slow", 2.0))
        books.fails = 10**6
        await trio.sleep(3)  # by now, the mark has failed and the turn is decided
        assert (ref.status().state, ref.state()) == ("recovering", Log(("pay",)))
        books.fails = 0
        assert await ref.wait_for(lambda state: len(state.seen) == 2) == Log(("pay", "slow"))
        assert ref.incarnation == 1
        assert books.standing() == ["1.0 Charge done"]


async def test_a_turn_waits_on_if_the_writer_is_gone_as_soon_as_the_agent_is_claimed() -> None:
    books = Books()
    agent = payer(1.0)
    async with office(books, agent, till=Till()) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay"))
        await ref.cast(trido.Signal("slow", 2.0))
        books.fails = 10**6
        await trio.sleep(3)
        release = books.hold()
        await trio.sleep(10)  # the claim is what is held
        books.fails = 0
        books.session.submit(Claim(AgentKey("b"), "log"), fails)
        release()
        await trio.sleep(10)
        assert (ref.status().state, ref.state()) == ("recovering", Log(("pay",)))
        assert len(books.commits()) == 1


async def test_a_directive_that_is_done_when_the_writer_is_gone_is_waited_with() -> None:
    books = Books()
    agent = payer(5.0)
    async with office(books, agent, till=Till()) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay"))
        books.session.submit(Claim(AgentKey("b"), "log"), fails)
        await trio.sleep(1)
        assert ref.status().state == "running"
        await trio.sleep(10)
        assert (ref.status().state, ref.incarnation) == ("recovering", 1)
        assert books.standing() == ["1.0 Charge pending"]


@pytest.mark.parametrize("way", ["the run goes on", "the next run"])
async def test_what_somebody_else_has_resolved_is_carried_out_after_the_next_claim(
    way: str,
) -> None:
    books = Books()
    agent = teller()
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("tell"))
        await settle()
        b = await rt.start_agent(agent, id="b")
        assert books.standing() == ["1.0 Emit dead"]
        await books.session.write(Resolve(AgentKey("a"), 1, 0, "retry"))
        await settle()
        assert b.state() == Log()
        if way == "the next run":
            ref.place.crash(ValueError("a bug"))
        else:
            books.fails = 1
            await ref.cast(note("x"))
        await b.wait_for(lambda state: state.seen == ("hi",))
        await settle()
        assert books.standing()[0] == "1.0 Emit done"


async def test_what_is_done_while_the_agent_is_claimed_is_said_after_that() -> None:
    books, till = Books(), Till()
    agent = payer(5.0)
    async with office(books, agent, till=till) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay"))
        books.fails = 10**6
        await ref.cast(note("x"))
        await trio.sleep(10)
        assert (ref.status().state, till.lines) == ("recovering", "<x x")
        books.fails = 0
        await ref.wait_for(lambda state: "x" in state.seen)
        await settle()
        assert books.standing() == ["1.0 Charge done"]
        assert till.lines == "<x x"


async def test_marks_that_fail_together_have_the_agent_claimed_once() -> None:
    books = Books()
    agent = keeper(does={"both": [Charge("x", 1.0), trido.Emit(note("hi"), to="b")]})
    other = keeper("other", durability="none")
    async with office(books, agent, other, till=Till()) as rt:
        ref = await rt.start_agent(agent, id="a")
        await rt.start_agent(other, id="b")
        await ref.call(do("both"))
        release, before = books.hold(), len(books.writes)
        await trio.sleep(5)
        books.fails = 1
        release()
        await settle()
        assert [type(one) for one in books.writes[before:]] == [Claim, Mark, Mark]
        assert books.standing() == ["1.0 Charge done", "1.1 Emit done"]


async def test_an_outcome_that_was_written_although_it_was_not_said_is_not_said_again() -> None:
    books, till = Books(), Till()
    agent = payer(5.0)
    async with office(books, agent, till=till) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay"))
        await settle()
        books.loses = 1
        await trio.sleep(10)
        assert (1, 0) not in ledger_of(ref)
        assert (books.marks(), till.lines) == (["1.0 done"], "<x x")


async def test_an_outcome_that_a_claim_has_made_unknown_is_not_said_again() -> None:
    books, till = Books(), Till()
    agent = payer(100.0)
    async with office(books, agent, executors=once(till)) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay"))
        await settle()
        books.fails = 1
        standing_of(ref).settle("unknown", "nobody heard of it")
        await settle()
        assert (1, 0) not in ledger_of(ref)
        assert books.marks() == ["1.0 started"]
        assert books.standing() == ["1.0 Charge unknown"]


# Inputs and turns ---------------------------------------------------------------------------------


async def test_an_id_that_is_being_looked_up_is_not_looked_up_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for room in ("durable", "inbox"):
        monkeypatch.setattr(f"trido.runtime.{room}.KNOWN", 3)
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        for n in range(6):
            await ref.call(note(str(n), id=str(n)))
        books.reads_fail = 1
        answers: Answers = []
        nursery.start_soon(answer, ref, note("0", id="0"), answers)
        await trio.sleep(1)
        await ref.cast(note("behind"))
        await trio.sleep(1)
        assert (books.reads_fail, answers, ref.status().queued) == (0, [], 2)
        await ref.wait_for(lambda state: "behind" in state.seen)
        assert answers == [Log(("0",))]


async def test_a_mistake_as_a_turn_lands_is_a_crash_of_that_agent_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt:
        ref, other = [await rt.start_agent(agent, id=id) for id in "ab"]
        with monkeypatch.context() as patch:
            patch.delattr("trido.runtime.durable.Durable._take_effect")
            await ref.cast(note("x"))
            await settle()
        await trio.sleep(5)
        assert (ref.incarnation, ref.state()) == (2, Log(("x",)))
        assert await other.call(note("y")) == Log(("y",))
        assert other.incarnation == 1


# Directives ---------------------------------------------------------------------------------------


async def test_the_first_to_say_what_became_of_a_directive_counts() -> None:
    books, till = Books(), Till()
    agent = payer(5.0)
    async with office(books, agent, till=till) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay"))
        await settle()
        standing_of(ref).settle("failed", "somebody said so")
        await trio.sleep(10)
        assert till.lines == "<x x"
        assert books.standing() == ["1.0 Charge failed"]


async def test_what_is_over_before_its_attempt_is_counted_is_not_attempted() -> None:
    books = Books()
    agent = payer(100.0)
    async with office(books, agent, till=Till()) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay"))
        await settle()
        release, went = books.hold(), trio.Event()
        standing_of(ref).again()
        standing_of(ref).try_then(went.set)
        standing_of(ref).settle("dead", "its time is over")
        release()
        await settle()
        assert not went.is_set()
        assert books.standing() == ["1.0 Charge dead"]


async def test_a_directive_that_is_resent_and_resolved_at_once_is_carried_out_once() -> None:
    books = Books()
    agent = teller()
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("tell"))
        await settle()
        b = await rt.start_agent(keeper("other", durability="none"), id="b")
        (letter,) = rt.dead_letters
        release = books.hold()
        resolved = rt.resolve("a/1.0", "retry")
        await settle()
        await rt.dead_letters.resend(letter)
        release()
        await resolved
        await settle()
        assert b.state() == Log(("hi",))
        assert books.standing() == ["1.0 Emit done"]


async def test_a_dead_letter_of_one_that_is_durable_no_more_is_left_to_the_journal() -> None:
    books = Books()
    agent = teller()
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("tell"))
        await ref.stop()
        await rt.start_agent(agent, id="a", durability="none")
        b = await rt.start_agent(agent, id="b")
        (letter,) = rt.dead_letters
        await rt.dead_letters.resend(letter)
        await settle()
        assert b.state() == Log()
        assert books.standing() == ["1.0 Emit dead"]


async def test_an_unknown_outcome_is_told_once_although_its_agent_is_stopped_and_revived() -> None:
    books = Books()
    agent = payer(5.0)
    async with killed(books, agent, executors=once(Till())) as rt:
        await (await rt.start_agent(agent, id="a")).call(do("pay"))
        await settle()
    async with (
        office(books, agent, executors=once(Till())) as rt,
        trido.open_supervisor(agent.spec(id="a", runtime=rt)) as sup,
    ):
        ref = sup["a"].value
        await settle()
        assert [one.id for one in rt.dead_letters] == ["a/1.0"]
        await sup.stop_child("a")
        await sup.restart_child("a")
        await settle()
        assert (ref.incarnation, ref.state()) == (2, Log(("pay",)))
        assert [one.id for one in rt.dead_letters] == ["a/1.0"]
