"""Durable turns: nothing shows before it is durable, and ids are served once."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
from attrs import frozen

import trido
from tests.runtime.books import Books, do, keeper, killed, note, office
from tests.runtime.desk import Log, settle
from tests.runtime.till import Till
from trido.journal import MemoryJournal

Answers = list[Any]


class Handle:
    """Nothing that could be written."""


@frozen
class Odd:
    lock: Handle | None = None


@frozen
class Loose:
    value: object = None


async def answer(ref: trido.AgentRef[Any], signal: trido.Signal, into: Answers) -> None:
    try:
        into.append(await ref.call(signal))
    except trido.TridoError as error:
        into.append(error)


async def test_a_turn_is_one_commit_with_input_state_directives_timers_reply_and_revision() -> None:
    books, till = Books(), Till()
    tick = trido.Schedule(5, note("tick"), key="k")
    agent = keeper(does={"all": [trido.Reply("yes"), tick, trido.Emit(note("hi"))]})
    async with office(books, agent, till=till) as rt:
        ref = await rt.start_agent(agent, id="a")
        assert await ref.call(do("all", id="1")) == "yes"
        (commit,) = books.commits()
        assert commit.revision == 1
        assert commit.consumes == "0//1"
        assert commit.reply == b'{"value":"yes"}'
        assert [one.name for one in commit.directives] == ["Emit"]
        assert [timer.key for timer in commit.timers] == ["=k"]
        assert b'"now"' in commit.input
        assert b'["all"]' in commit.state["seen"]


async def test_nothing_shows_before_it_is_durable() -> None:
    books, till = Books(), Till()
    agent = keeper(does={"pay": [trido.Emit(note("paid"), to="b")]})
    other = keeper("other")
    async with office(books, agent, other, till=till) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        b = await rt.start_agent(other, id="b")
        release = books.hold()
        answers: Answers = []
        waited: Answers = []

        async def wait() -> None:
            waited.append(await ref.wait_for(lambda state: state.seen))

        nursery.start_soon(wait)
        nursery.start_soon(answer, ref, do("pay"), answers)
        await settle()
        assert answers == waited == []
        assert ref.state() == Log()
        assert (ref.status().revision, b.state()) == (0, Log())
        release()
        await rt.drain()
        assert answers == waited == [Log(("pay",))]
        assert ref.state() == Log(("pay",))
        assert (ref.status().revision, b.state()) == (1, Log(("paid",)))


async def test_pure_turns_run_up_to_64_ahead_and_share_a_transaction() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        release, before = books.hold(), books.session.statistics().batches
        for n in range(100):
            await ref.cast(note(str(n)))
        await settle()
        assert ref.status().queued == 36
        assert books.session.statistics().waiting == 64
        release()
        await rt.drain()
        assert len(ref.state().seen) == 100
        assert books.session.statistics().batches - before <= 3


async def test_an_effectful_turn_begins_on_a_durable_state_only() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        release = books.hold()
        answers: Answers = []
        nursery.start_soon(answer, ref, note("x"), answers)
        await settle()
        nursery.start_soon(answer, ref, trido.Signal("slow", 1.0), answers)
        await trio.sleep(10)
        assert ref.status().queued == 1
        release()
        await settle()
        assert ref.status().queued == 0
        await trio.sleep(2)
        assert answers == [Log(("x",)), Log(("x", "slow"))]


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_a_start_is_ready_once_on_start_is_durable(kind: str) -> None:
    books = Books()
    agent = trido.Agent("log", state=Log, durability="sync")

    def started(state: Log) -> Log:
        return Log((*state.seen, "start"))

    async def started_slowly(state: Log) -> Log:
        await trio.sleep(1)
        return started(state)

    if kind == "def":
        agent.on_start(started)
    else:
        agent.on_start(started_slowly)
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        refs: Answers = []

        async def start() -> None:
            refs.append(await rt.start_agent(agent, id="a"))

        await settle()
        books.fails = 0
        nursery.start_soon(start)
        await settle()
        if kind == "async def":
            release = books.hold()
            await trio.sleep(5)
            assert refs == []
            release()
        await settle()
        assert refs[0].state() == Log(("start",))
        assert refs[0].status().revision == 1


async def test_on_stop_is_durable_when_the_runtime_is_left() -> None:
    books = MemoryJournal()
    agent = keeper()

    @agent.on_stop
    def stopped(state: Log) -> Log:
        return Log((*state.seen, "stop"))

    for expected in [(), ("a", "stop"), ("a", "stop", "a", "stop")]:
        async with office(books, agent) as rt:
            ref = await rt.start_agent(agent, id="a")
            assert ref.state().seen == expected
            await ref.call(note("a"))


async def test_what_was_answered_is_there_after_a_kill() -> None:
    books = Books()
    agent = keeper()
    async with killed(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        for n in range(70):
            await ref.call(note(str(n)))
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        assert ref.state().seen == tuple(str(n) for n in range(70))
        assert ref.status().revision == 70
        await ref.call(note("on"))
        assert books.history()[-1].revision == 71


# Ids ----------------------------------------------------------------------------------------------


async def test_a_known_id_runs_no_turn_and_a_call_gets_the_kept_reply() -> None:
    books = Books()
    agent = keeper(does={"say": [trido.Reply({"a": [1]})]})
    async with killed(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        first = await ref.call(note("x", id="1"))
        await ref.call(note("y"))
        assert await ref.call(note("x", id="1")) == first == Log(("x",))
        assert await ref.call(do("say", id="2")) == {"a": [1]}
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        assert await ref.call(note("x", id="1")) == first
        assert (await ref.call(do("say", id="2"))) == {"a": (1,)}
        await ref.cast(note("x", id="1"))
        await rt.drain()
        assert ref.state() == Log(("x", "y", "say"))
        assert await ref.call(note("x", id="1", source="s")) == Log(("x", "y", "say", "x"))


async def test_of_two_calls_with_one_id_at_a_time_one_is_served() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        release = books.hold()
        answers: Answers = []
        for _ in range(2):
            nursery.start_soon(answer, ref, note("x", id="1"), answers)
        await settle()
        assert ref.status().queued == 1
        release()
        await rt.drain()
        await settle()
        assert answers == [Log(("x",)), Log(("x",))]
        assert len(books.commits()) == 1


async def test_an_id_that_was_cast_or_deferred_has_no_answer_to_keep() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        await ref.cast(note("x", id="1"))
        answers: Answers = []
        nursery.start_soon(answer, ref, trido.Signal("ask", id="2"), answers)
        await settle()
        for id in ("1", "2"):
            with pytest.raises(trido.AnswerNotKept, match="before"):
                await ref.call(note("x", id=id))
        await ref.call(trido.Signal("tell", ref.state().seen[-1]))
        await settle()
        assert answers == ["told"]


async def test_an_id_older_than_those_at_hand_is_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for room in ("durable", "inbox"):
        monkeypatch.setattr(f"trido.runtime.{room}.KNOWN", 3)
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        for n in range(6):
            await ref.call(note(str(n), id=str(n)))
        books.reads_fail = 1
        assert await ref.call(note("0", id="0")) == Log(("0",))
        assert await ref.call(note("7", id="7")) == ref.state()
        assert ref.status().revision == 7


async def test_an_answer_that_cannot_be_read_any_more_is_an_error() -> None:
    books = Books()
    agent = keeper()
    async with killed(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(note("x", id="1"))
    key = next(iter(books.memory._agents))
    inputs = books.memory._agents[key].inputs
    at, kept = inputs["0//1"]
    inputs["0//1"] = (at, type(kept)(kept.revision, b"{"))
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        with pytest.raises(trido.Undecodable):
            await ref.call(note("x", id="1"))


# Cancelled calls ----------------------------------------------------------------------------------


async def test_a_call_that_is_cancelled_while_its_turn_is_written_waits_for_the_outcome() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        release = books.hold()
        answers: Answers = []
        scope = trio.CancelScope()

        async def call() -> None:
            with scope:
                answers.append(await ref.call(note("x")))

        nursery.start_soon(call)
        await settle()
        scope.cancel()
        await settle()
        assert answers == []
        release()
        await settle()
        assert answers == [Log(("x",))]
        assert not scope.cancelled_caught


async def test_a_call_that_is_cancelled_before_its_turn_is_withdrawn() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        release = books.hold()
        for n in range(64):
            await ref.cast(note(str(n)))
        with trio.move_on_after(1) as scope:
            await ref.call(note("x"))
        assert scope.cancelled_caught
        release()
        await rt.drain()
        assert "x" not in ref.state().seen


async def test_a_cancelled_call_whose_answer_is_deferred_is_cancelled_once_that_is_durable() -> (
    None
):
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        release = books.hold()
        scope = trio.CancelScope()

        async def call() -> None:
            with scope:
                await ref.call(trido.Signal("ask"))

        nursery.start_soon(call)
        await settle()
        scope.cancel()
        await settle()
        release()
        await settle()
        assert scope.cancelled_caught
        assert ref.status().requests == 0
        assert ref.status().revision == 1


async def test_requests_of_another_process_are_not_taken_for_ours() -> None:
    books = Books()
    agent = keeper()
    async with killed(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        with trio.move_on_after(1):
            await ref.call(trido.Signal("ask"))
        former = ref.state().seen[-1]
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        answers: Answers = []
        nursery.start_soon(answer, ref, trido.Signal("ask"), answers)
        await settle()
        await ref.call(trido.Signal("tell", former))
        assert (answers, ref.status().late_replies) == ([], 1)
        await ref.call(trido.Signal("tell", ref.state().seen[-1]))
        await settle()
        assert answers == ["told"]


# What cannot be -----------------------------------------------------------------------------------


async def test_durability_needs_a_runtime_with_a_journal() -> None:
    agent = keeper()
    with pytest.raises(trido.SpecError, match="without a runtime"):
        agent.spec(id="a")
    async with trido.open_runtime() as rt:
        with pytest.raises(trido.SpecError, match="without a journal"):
            agent.spec(id="a", runtime=rt)
        with pytest.raises(trido.SpecError, match="without a journal"):
            await rt.start_agent(trido.Agent("b", state=Log), id="b", durability="buffered")


async def test_a_state_that_cannot_be_written_is_refused_at_spec() -> None:
    agent = trido.Agent("odd", state=Odd, durability="sync")
    async with office(Books(), agent) as rt:
        with pytest.raises(trido.SpecError, match="lock"):
            agent.spec(id="a", runtime=rt)


async def test_two_definitions_of_one_name_cannot_both_be_durable() -> None:
    agent = keeper()
    async with office(Books(), agent) as rt:
        with pytest.raises(trido.SpecError, match="name"):
            await rt.start_agent(keeper(), id="a")


@pytest.mark.parametrize(
    ("data", "path"),
    [(object(), "$"), ({"n": [object()]}, "$.n[0]"), (10**5_000, "$")],
    ids=["object", "inside", "digits"],
)
async def test_data_that_cannot_be_encoded_is_refused_and_changes_nothing(
    data: object, path: str
) -> None:
    agent = trido.Agent("loose", state=Loose, durability="sync")

    @agent.on("count", check=False)
    def count(state: Loose, data: object) -> Loose:
        return Loose(1)

    async with office(Books(), agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        signal = trido.Signal("count", data)
        with pytest.raises(trido.InvalidData, match="so that the journal can keep it") as caught:
            await ref.call(signal)
        assert caught.value.path == path
        await ref.cast(signal)
        await rt.drain()
        assert [letter.signal for letter in rt.dead_letters] == [signal]
        assert (ref.incarnation, ref.status().revision, ref.state()) == (1, 0, Loose())


async def test_a_state_that_cannot_be_encoded_ends_the_run_and_changes_nothing() -> None:
    books = Books()
    agent = trido.Agent("loose", state=Loose, durability="sync")

    @agent.on("set")
    def set_to(state: Loose, data: object) -> Loose:
        return Loose(object() if data == "bad" else data)

    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(trido.Signal("set", "good"))
        with pytest.raises(trido.AgentCrashed) as caught:
            await ref.call(trido.Signal("set", "bad"))
        assert isinstance(caught.value.__cause__, trido.Unencodable)
        assert (await ref.wait_for(lambda state: state.value == "good")).value == "good"
        assert len(books.commits()) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("journal", "app.db"),
        ("actions", ["x"]),
        ("agents", ["x"]),
        ("executors", "two of one name"),
    ],
)
def test_what_a_runtime_is_given_is_checked(field: str, value: Any) -> None:
    given = {"journal": MemoryJournal(), field: value}
    if field == "executors":
        given[field] = dict.fromkeys(map(one_called_charge, range(2)), Till().charge)
    with pytest.raises(trido.SpecError, match=field):
        trido.open_runtime(**given)


def one_called_charge(_: int) -> type:
    @frozen
    class Pay(trido.Directive):
        pass

    return Pay


async def test_refused_signals_leave_nothing_in_the_journal() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        for type, error in [
            ("no", trido.Reject),
            ("what", trido.NoRoute),
            ("slow", trido.InvalidData),
        ]:
            with pytest.raises(error):
                await ref.call(trido.Signal(type, "x", id="1"))
        assert books.commits() == []
        assert await ref.call(note("x", id="1")) == Log(("x",))


async def test_the_next_run_after_a_crash_goes_on_with_what_is_durable() -> None:
    books = Books()
    agent = keeper()
    async with office(books, agent) as rt, trio.open_nursery() as nursery:
        ref = await rt.start_agent(agent, id="a")
        release = books.hold()
        answers: Answers = []
        for signal in (note("a"), note("b"), trido.Signal("boom"), note("c")):
            nursery.start_soon(partial(answer, ref, signal, answers))
            await settle()
        assert [type(one) for one in answers] == [trido.AgentCrashed]
        release()
        await ref.wait_for(lambda state: len(state.seen) == 3)
        await settle()
        assert sorted(answers[1:], key=lambda state: len(state.seen)) == [
            Log(("a",)),
            Log(("a", "b")),
            Log(("a", "b", "c")),
        ]
        assert ref.incarnation == 2
