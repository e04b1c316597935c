"""What comes of durable turns when their journal fails, or another run has the agent."""

from __future__ import annotations

from typing import Any, cast

import pytest
import trio
from outcome import Error

import trido
from tests.runtime.books import Books, Charge, do, keeper, killed, note, office
from tests.runtime.desk import Log, settle
from tests.runtime.test_durable_turns import Answers, answer
from tests.runtime.till import Till
from trido.journal import Corrupt, Fenced, JournalError, Unavailable
from trido.journal.operations import Claim
from trido.journal.port import Store
from trido.journal.rows import AgentKey
from trido.journal.rules import Slot


async def test_a_batch_that_fails_did_not_happen_calls_are_told_and_casts_are_served_again() -> (
    None
):
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(note("0"))
        release = books.hold()
        answers: Answers = []
        await ref.cast(note("1"))
        nursery.start_soon(answer, ref, note("2"), answers)
        await settle()
        await ref.cast(note("3"))
        await settle()
        books.fails = 1
        release()
        assert await ref.wait_for(lambda state: len(state.seen) == 3) == Log(("0", "1", "3"))
        assert [type(one) for one in answers] == [Unavailable]
        assert (ref.incarnation, ref.status().revision) == (1, 3)


@pytest.mark.parametrize("tries", [1, 3, 20])
async def test_a_journal_that_is_away_is_waited_for_without_a_crash(tries: int) -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        books.fails = tries
        with pytest.raises(Unavailable):
            await ref.call(note("x", id="1"))
        assert ref.status().state == "recovering"
        assert await ref.call(note("x", id="1")) == Log(("x",))
        assert (ref.status().state, ref.incarnation) == ("running", 1)


async def test_an_answer_that_was_lost_is_found_by_sending_the_same_again() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        books.loses = 1
        with pytest.raises(Unavailable):
            await ref.call(note("x", id="1"))
        assert await ref.call(note("x", id="1")) == Log(("x",))
        assert ref.state() == Log(("x",))


async def test_what_did_happen_although_it_was_not_said_takes_effect() -> None:
    books = Books()
    agent = keeper(does={"tell": [trido.Emit(note("hi"), to="b")]})
    other = keeper("other")
    async with office(books, agent, other) as rt:
        ref = await rt.start_agent(agent, id="a")
        b = await rt.start_agent(other, id="b")
        books.loses = 1
        await ref.cast(do("tell"))
        await b.wait_for(lambda state: state.seen == ("hi",))
        await rt.drain()
        await settle()
        assert books.standing() == ["1.0 Emit done"]


async def test_the_waiting_can_be_cancelled_by_stopping_the_agent() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        books.fails = 10**6
        await ref.cast(note("x"))
        await trio.sleep(60)
        assert ref.status().state == "recovering"
        await ref.stop()
        assert rt.find("a") is None
        books.fails = 0
        ref = await rt.start_agent(agent, id="a")
        assert ref.state() == Log()


async def test_a_start_waits_for_the_journal_and_ends_with_its_runtime() -> None:
    books = Books()
    agent = keeper()
    async with trio.open_nursery() as nursery, office(books, agent) as rt:
        books.fails = 5
        assert (await rt.start_agent(agent, id="a")).state() == Log()
        books.fails = 10**6
        ends: list[BaseException] = []

        async def start() -> None:
            try:
                await rt.start_agent(agent, id="b")
            except trido.TridoError as error:
                ends.append(error)

        nursery.start_soon(start)
        await trio.sleep(30)
        assert rt.agent("b").status().state == "recovering"
    await settle()
    assert len(ends) == 1


async def test_on_start_is_decided_again_if_it_was_not_written() -> None:
    books = Books()
    agent = keeper()
    decided: list[str] = []

    @agent.on_start
    def started(state: Log, turn: trido.Turn) -> Log:
        decided.append(turn.why)
        if len(decided) == 1:
            books.fails = 2
        return Log((*state.seen, "start"))

    @agent.on_stop
    async def stopped(state: Log) -> Log:
        await trio.sleep(1)
        if len(decided) < 4:
            books.fails = 1
        decided.append("stop")
        return Log((*state.seen, "stop"))

    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        assert ref.state() == Log(("start",))
        assert decided == ["start", "start"]
        await ref.stop()
        assert decided == ["start", "start", "stop", "stop", "stop"]
    assert len(books.commits()) == 2


async def test_an_effectful_turn_that_is_over_while_the_agent_is_claimed_is_written_after() -> None:
    books = Books()
    agent = keeper(does={"tell": [trido.Emit(note("hi"), to="b")]})
    other = keeper("other", durability="none")
    async with office(books, agent, other) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        await rt.start_agent(other, id="b")
        answers: Answers = []
        release = books.hold()
        await ref.cast(do("tell"))
        await settle()
        nursery.start_soon(answer, ref, trido.Signal("slow", 1.0), answers)
        release()
        await settle()  # the mark of the signal that was emitted is written meanwhile
        books.fails = 0
        await trio.sleep(2)
        assert answers == [Log(("tell", "slow"))]


async def test_a_mark_that_fails_has_the_agent_claimed_and_is_written_again() -> None:
    books = Books()
    agent = keeper(does={"tell": [trido.Emit(note("hi"), to="b")]})
    other = keeper("other", durability="none")

    @other.on("fail")
    def fail(state: Log, data: object) -> Log:
        books.fails = 1
        return state

    wants = {"tell": [trido.Emit(trido.Signal("fail"), to="b")]}
    agent = keeper(does=wants)
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        await rt.start_agent(other, id="b")
        await ref.cast(do("tell"))
        answers: Answers = []
        nursery.start_soon(answer, ref, trido.Signal("slow", 1.0), answers)
        await rt.drain()
        await settle()
        assert books.standing() == ["1.0 Emit done"]
        assert answers == [Log(("tell", "slow"))]
        assert ref.incarnation == 1


async def test_a_claim_that_fails_for_good_ends_the_run() -> None:
    books = Books()
    agent = keeper(does={})
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a", restart="temporary")
        await ref.call(note("x"))
        # Another process wrote in between.
        head = books.memory._agents[AgentKey("a")].head
        head.revision += 5
        books.fails = 1
        await ref.cast(note("y"))
        await trio.sleep(10)
        assert rt.find("a") is None
        head.revision -= 5


async def test_a_fenced_write_ends_the_run_and_its_callers_are_told() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a", restart="temporary")
        await ref.call(note("x"))
        await books.session.write(Claim(AgentKey("a"), "log"))
        answers: Answers = []
        for text in "yz":
            nursery.start_soon(answer, ref, note(text), answers)
        await settle()
        assert [type(one) for one in answers] == [trido.AgentCrashed] * 2
        assert isinstance(answers[0].__cause__, Fenced)
        assert rt.find("a") is None
        assert [one.revision for one in books.history()] == [1]


async def test_a_run_that_was_fenced_off_does_no_more_marks() -> None:
    books = Books()
    agent = keeper(does={"tell": [trido.Emit(trido.Signal("slow", 5.0), to="b")]})
    other = keeper("other", durability="none")
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await rt.start_agent(other, id="b")
        await ref.call(do("tell"))
        await books.session.write(Claim(AgentKey("a"), "log"))
        await trio.sleep(10)
        assert books.standing() == ["1.0 Emit pending"]


async def test_an_input_that_another_run_consumed_is_answered_as_there() -> None:
    """It can only be so if the journal is shared: what was looked up before is not so any more."""
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(note("x", id="1"))
        ref.place.durable._inbox._known.clear()  # type: ignore[union-attr]
        release = books.hold()
        answers: Answers = []
        nursery.start_soon(answer, ref, note("x", id="1"), answers)
        await settle()
        nursery.start_soon(answer, ref, note("y"), answers)
        await settle()
        release()
        await rt.drain()
        await settle()
        assert answers == [Log(("x",)), Log(("x", "y"))]


async def test_a_cancelled_call_behind_a_turn_that_did_not_happen_is_cancelled() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(note("x", id="1"))
        ref.place.durable._inbox._known.clear()  # type: ignore[union-attr]
        release = books.hold()
        nursery.start_soon(answer, ref, note("x", id="1"), [])
        await settle()
        scope = trio.CancelScope()

        async def call() -> None:
            with scope:
                await ref.call(note("y"))

        nursery.start_soon(call)
        await settle()
        scope.cancel()
        release()
        await rt.drain()
        await settle()
        assert scope.cancelled_caught
        assert ref.state() == Log(("x",))


async def test_a_crash_while_the_agent_is_claimed_leaves_that_to_the_next_run() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        books.fails = 4
        await ref.cast(note("x"))
        await settle()
        ref.place.crash(ValueError("a bug"))
        await ref.wait_for(lambda state: state.seen == ("x",))
        assert ref.incarnation == 2


async def test_turns_in_flight_when_the_agent_stops_land_within_its_grace() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        release = books.hold()
        answers: Answers = []
        nursery.start_soon(answer, ref, note("x"), answers)
        await settle()
        nursery.start_soon(ref.stop)
        await trio.sleep(1)
        assert answers == []
        release()
        await settle()
        assert answers == [Log(("x",))]
        assert rt.find("a") is None


async def test_a_writer_that_is_gone_is_as_a_journal_that_is_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")

        def fails(_: object) -> None:
            raise ValueError("a bug in somebody's callback")

        books.session.submit(Claim(AgentKey("b"), "log"), fails)
        await settle()
        assert "the journal's writer has failed" in caplog.text
        with pytest.raises(Unavailable):
            await ref.call(note("x"))
        await trio.sleep(20)
        assert (ref.status().state, ref.incarnation) == ("recovering", 1)


# What cannot be gone on with ----------------------------------------------------------------------


def damage(books: Books, what: str) -> None:
    agent = books.memory._agents[AgentKey("a")]
    if what == "state":
        agent.turns[-1].state["seen"] = b"{"  # type: ignore[index]
    elif what == "version":
        agent.turns[-1].state["$"] = b'{"version":2,"fields":["seen"]}'  # type: ignore[index]
    elif what == "name":
        agent.head.name = "other"
    else:
        entry = agent.entries[1, 0]
        agent.entries[1, 0] = type(entry)(
            entry.agent, 1, 0, "Nothing" if what == "unregistered" else entry.name, b"{"
        )
        agent.head.open[1, 0] = Slot("pending", 1)


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("state", trido.Undecodable),
        ("version", trido.NewerVersion),
        ("name", JournalError),
        ("directive", trido.Undecodable),
        ("unregistered", trido.Unregistered),
    ],
)
async def test_recovery_fails_closed_and_others_start(
    what: str, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    books = Books()
    agent = keeper(does={"tell": [trido.Emit(note("hi"), to="b")]})
    async with killed(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await rt.start_agent(agent, id="b")
        await ref.call(do("tell"))
    damage(books, what)
    before = len(books.commits())
    async with office(books, agent) as rt:
        await settle()
        with pytest.raises(trido.StartFailed) as caught:
            await rt.start_agent(agent, id="a")
        assert isinstance(caught.value.__cause__, error)
        assert not hasattr(caught.value.__cause__, "__notes__")  # its state is not known
        assert (await rt.start_agent(agent, id="b")).status().state == "running"
        assert len(books.commits()) == before
        assert rt.find("a") is None


async def test_a_crash_after_the_recovery_is_told_with_the_state_that_was_recovered() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt:
        await (await rt.start_agent(agent, id="a")).call(note("x"))
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        with pytest.raises(trido.AgentCrashed) as caught:
            await ref.call(trido.Signal("boom", None))
    assert getattr(caught.value.__cause__, "__notes__", None) == [
        "agent 'a' crashed on 'boom'; its last committed state, of revision 1: Log(seen=('x',))"
    ]


async def test_corruption_is_a_failed_start_of_that_agent_only() -> None:
    books = Books()
    agent = keeper()

    class Damaged:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def write(self, batch: Any, *, sync: bool) -> Any:
            outcomes = self._inner.write(batch, sync=sync)
            for n, one in enumerate(batch):
                if isinstance(one, Claim) and one.agent.id == "a":
                    outcomes[n] = Error(Corrupt("books", "a row is damaged", "restore a backup"))
            return outcomes

    async with office(books, agent) as rt:
        books.session._store = cast("Store", Damaged(books.session._store))
        with pytest.raises(trido.StartFailed) as caught:
            await rt.start_agent(agent, id="a")
        assert isinstance(caught.value.__cause__, Corrupt)
        await rt.start_agent(agent, id="b")


async def test_recovery_runs_no_handler() -> None:
    books = Books()
    agent = keeper()
    async with killed(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(note("x"))
    served: list[str] = []
    later = trido.Agent("log", state=Log, durability="sync")

    @later.on("**", check=False)
    def anything(state: Log, data: object, turn: trido.Turn) -> Log:
        served.append(turn.signal.type)
        return state

    async with office(books, later) as rt:
        ref = await rt.start_agent(later, id="a")
        assert (ref.state(), served) == (Log(("x",)), [])


async def test_turns_whose_outcome_nobody_will_learn_are_told_and_given_up() -> None:
    books = Books()
    agent = keeper(does={"tell": [trido.Emit(note("hi"), to="a")]})
    other = keeper("other", does={"tell": [trido.Emit(note("hi"), to="a")]})
    async with office(books, agent, other) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a", restart="temporary")
        await rt.start_agent(other, id="b")
        answers: Answers = []
        release = books.hold()
        nursery.start_soon(answer, ref, note("x"), answers)
        await ref.cast(note("y"))
        await settle()
        ref.place.crash(ValueError("a bug"))
        await trio.sleep(1)
        assert (rt.find("a"), answers) == (None, [])
        books.fails = 1
        release()
        await settle()
        assert [type(one) for one in answers] == [Unavailable]


async def test_a_directive_that_does_not_fit_in_with_those_that_are_ahead_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trido.runtime.outbox.CAPACITY", 3)
    books = Books()
    agent = keeper(does={"tell": [trido.Emit(note("hi"), to="b")]})
    other = keeper("other", durability="none")
    async with office(books, agent, other) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        await rt.start_agent(other, id="b")
        release = books.hold()
        answers: Answers = []
        for _ in range(5):
            nursery.start_soon(answer, ref, do("tell"), answers)
        await settle()
        assert [type(one) for one in answers] == [trido.Overloaded] * 2
        release()
        await settle()
        assert len(answers) == 5


async def test_directives_of_a_turn_that_lands_after_the_end_wake_the_agent() -> None:
    books = Books()
    agent = keeper(does={"tell": [trido.Emit(note("hi"), to="b")]})
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a", restart="temporary")
        b = await rt.start_agent(agent, id="b")
        release = books.hold()
        await ref.cast(do("tell"))
        await settle()
        ref.place.crash(ValueError("a bug"))
        await trio.sleep(1)
        assert rt.find("a") is None
        release()
        await settle()
        assert rt.find("a") is not None
        assert b.state() == Log(("hi",))
        assert books.standing() == ["1.0 Emit done"]


async def test_what_was_begun_for_once_is_settled_although_the_agent_was_claimed_meanwhile() -> (
    None
):
    books, till = Books(), Till()
    agent = keeper(does={"pay": [Charge("x", 5.0)]})
    once = {Charge: trido.Executor(till.charge, delivery="at_most_once")}
    async with office(books, agent, executors=once) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("pay"))
        await settle()
        books.fails = 1
        await ref.cast(note("y"))
        await settle()
        assert books.standing()[0] == "1.0 Charge unknown"
        await trio.sleep(10)
        assert books.standing()[0] == "1.0 Charge done"
        assert till.lines == "<x x"


@pytest.mark.parametrize("way", ["fails", "loses"])
async def test_the_mark_of_a_start_that_failed_is_written_again_before_the_executor_is_called(
    way: str,
) -> None:
    books, till = Books(), Till()
    agent = keeper(does={"pay": [Charge("x", 1.0)]})
    once = {Charge: trido.Executor(till.charge, delivery="at_most_once")}
    async with office(books, agent, executors=once) as rt:
        ref = await rt.start_agent(agent, id="a")
        release = books.hold()
        await ref.cast(do("pay"))
        await settle()
        release()
        await ref.wait_for(lambda state: state.seen)
        setattr(books, way, 1)
        await trio.sleep(5)
        assert till.lines == "<x x"
        assert books.standing() == ["1.0 Charge done"]
