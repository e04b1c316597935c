"""Durable agents that sleep: what is in the journal wakes them, and so does who sends to them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Any

import pytest
import trio

import trido
from tests.runtime.books import Books, Charge, do, keeper, note, office
from tests.runtime.desk import Boom, Log, settle
from tests.runtime.till import Till
from trido.runtime.envelope import Cast


def state_of(ref: trido.AgentRef[Any]) -> str:
    return ref.status().state


async def test_it_sleeps_and_its_memory_is_given_back() -> None:
    books, log = Books(), keeper(idle_timeout=5)
    async with office(books, log) as rt:
        ref = await rt.activate(log, "k")
        await ref.call(note("a", id="1"))
        await trio.sleep(6)
        assert state_of(ref) == "hibernated"
        assert ref.place.durable is None
        assert (ref.state().seen, ref.status().revision) == (("a",), 1)
        assert (await ref.call(note("b"))).seen == ("a", "b")
        assert (await ref.call(note("a", id="1"))).seen == ("a",), "what was answered before"
        assert (ref.state().seen, ref.status().revision) == (("a", "b"), 2)


async def test_a_timer_in_the_journal_wakes_it_at_its_time() -> None:
    books = Books()
    log = keeper(does={"set": [trido.Schedule(100, note("tick"), key="t")]}, idle_timeout=5)
    async with office(books, log) as rt:
        ref = await rt.activate(log, "k")
        await ref.call(do("set"))
        await trio.sleep(99)
        assert (state_of(ref), ref.place._timers) == ("hibernated", None)
        assert ref.status().timers == 1, "it is set, though the journal has it"
        assert len(ref.place.dispatcher) == 1, "one alarm for all its timers"
        await trio.sleep(2)
        assert ref.state().seen == ("set", "tick")
        await trio.sleep(10)
        assert (state_of(ref), books.timers("log/k")) == ("hibernated", [])
        assert ref.status().timers == 0


async def test_it_looks_at_the_clock_again_before_its_timer_is_due() -> None:
    books = Books()
    began, fails = datetime.fromisoformat("2026-01-01T00:00:00Z"), [False]

    def clock() -> datetime:
        if fails[0]:
            raise OSError("no clock")
        return began + timedelta(seconds=trio.current_time())

    log = keeper(does={"set": [trido.Schedule(100_000, note("tick"), key="t")]}, idle_timeout=5)
    async with office(books, log, clock=clock) as rt:
        ref = await rt.activate(log, "k")
        await ref.call(do("set"))
        await trio.sleep(50_000)
        assert ref.incarnation == 1
        fails[0], asleep = True, ref.place.asleep
        assert asleep is not None
        asleep.ring()  # then it wakes, and sleeps again
        fails[0] = False
        await settle()
        assert ref.incarnation == 2
        await trio.sleep(50_100)
        assert ref.state().seen == ("set", "tick")


async def test_a_cron_wakes_it_each_time() -> None:
    books = Books()
    cron = trido.Cron("0 * * * *", note("hour"), "h", "UTC")
    log = keeper(idle_timeout=5, schedules=(cron,))
    async with office(books, log) as rt:
        ref = await rt.activate(log, "k")
        await trio.sleep(3 * 3600)
        assert (ref.state().seen, state_of(ref)) == (("hour",) * 3, "hibernated")


async def test_it_does_not_sleep_on_what_the_journal_does_not_have() -> None:
    books = Books()
    log = keeper(does={"pay": [Charge("x", 20.0)]}, idle_timeout=1)
    async with office(books, log, till=Till()) as rt:
        ref = await rt.activate(log, "k")
        await ref.call(do("pay"))
        await trio.sleep(19)
        assert state_of(ref) == "running"
        release = books.hold()
        await trio.sleep(10)
        assert state_of(ref) == "running", "that it is done is not written"
        release()
        await trio.sleep(3)
        assert (state_of(ref), books.standing("log/k")) == ("hibernated", ["1.0 Charge done"])


async def test_hibernate_is_a_decision_of_durable_agents_too() -> None:
    books = Books()
    log = keeper(does={"sleep": [Charge("x", 3.0), trido.Hibernate()]})
    async with office(books, log, till=Till()) as rt:
        ref = await rt.activate(log, "k")
        await ref.call(do("sleep"))
        await trio.sleep(2)
        assert state_of(ref) == "running"
        await trio.sleep(3)
        assert state_of(ref) == "hibernated"


async def test_a_directive_that_is_retried_wakes_it() -> None:
    books = Books()
    till = Till()
    log = keeper(does={"tell": [trido.Emit(note("x"), to="nobody")]}, idle_timeout=1)
    async with office(books, log, till=till) as rt:
        ref = await rt.activate(log, "k")
        await ref.call(do("tell"))
        await trio.sleep(3)
        assert state_of(ref) == "hibernated"
        (letter,) = rt.dead_letters
        assert letter.id is not None
        await rt.start_agent(keeper("nobody"), id="nobody")
        await rt.resolve(letter.id, "retry")
        await settle()
        assert rt.agent("nobody").state() == Log(("x",))
        assert books.standing("log/k") == ["1.0 Emit done"]


async def test_stopping_one_that_sleeps_drops_its_timers_for_good() -> None:
    books = Books()
    log = keeper(does={"set": [trido.Schedule(100, note("tick"), key="t")]}, idle_timeout=5)
    async with office(books, log) as rt:
        ref = await rt.activate(log, "k")
        await ref.call(do("set"))
        await trio.sleep(10)
        assert len(books.timers("log/k")) == 1
        await ref.stop()
        assert (books.timers("log/k"), rt.agents()) == ([], ())
        await trio.sleep(1_000)
        assert rt.agents() == ()


async def test_a_sleeper_that_cannot_be_read_is_told_to_whoever_sends_and_tried_again() -> None:
    books = Books()
    log = keeper(does={"set": [trido.Schedule(100, note("tick"), key="t")]}, idle_timeout=5)
    fails = [1]

    @log.lifespan
    async def lives(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        fails[0] -= 1
        if fails[0] in (2, 1):
            raise Boom("no start")
        yield

    async with office(books, log) as rt:
        ref = await rt.activate(log, "k")
        await ref.call(do("set"))
        await trio.sleep(50)
        fails[0] = 3
        with pytest.raises(trido.AgentCrashed):
            await ref.call(note("a"))
        assert state_of(ref) == "hibernated"
        await trio.sleep(52)  # its timer was due, and it could not get up
        assert state_of(ref) == "hibernated"
        await trio.sleep(40)
        assert ref.state().seen == ("set", "tick")


async def test_one_that_was_woken_and_sleeps_again_is_whose_it_was_started_for() -> None:
    books = Books()
    log = keeper(does={"set": [trido.Schedule(5, note("tick"), key="t")]}, idle_timeout=2)
    async with office(books, log) as rt:
        await (await rt.start_agent(log, id="a")).call(do("set"))
    await trio.sleep(10)
    async with office(books, log) as rt:
        await trio.sleep(10)
        assert state_of(rt.agent("a")) == "hibernated"
        ref = await rt.start_agent(log, id="a")
        assert ref.state().seen == ("set", "tick")
        with pytest.raises(trido.ChildAlreadyStarted):
            await rt.start_agent(log, id="a")


async def test_what_is_unknown_is_told_once_however_often_it_sleeps() -> None:
    books = Books()

    async def hang(what: Charge) -> None:
        await trio.sleep_forever()

    def shop(log: trido.Agent[Log]) -> Any:
        once = trido.Executor(hang, delivery="at_most_once")
        return trido.open_runtime(journal=books, agents=(log,), executors={Charge: once})

    log = keeper(does={"pay": [Charge("x")]}, idle_timeout=5)
    async with shop(log) as rt:
        await (await rt.activate(log, "k")).call(do("pay"))
        await settle()
        books.is_dead = True
    books.is_dead = False
    async with shop(log) as rt:
        ref = await rt.activate(log, "k")
        for _ in range(3):
            await trio.sleep(20)
            assert state_of(ref) == "hibernated"
            await ref.call(note("."))
        letters = [one for one in rt.dead_letters if one.id == "log/k/1.0"]
        assert len(letters) == 1


async def test_few_are_kept_at_hand_and_all_of_them_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trido.runtime.asleep.KEPT", 3)
    books = Books()
    log = keeper(does={"set": [trido.Schedule(100, note("tick"), key="t")]}, idle_timeout=5)
    async with office(books, log) as rt:
        held = await rt.activate(log, "held")
        await held.call(note("a"))
        await (await rt.activate(log, "timed")).call(do("set"))
        for n in range(8):
            await (await rt.activate(log, str(n))).call(note("a"))
        await trio.sleep(10)
        assert len(rt.agents()) == 3
        assert rt.find("log/held") is held
        assert (held.state().seen, state_of(held)) == (("a",), "hibernated")
        assert (await held.call(note("b"))).seen == ("a", "b"), "whoever has its ref can wake it"
        assert rt.agent("log/held") is held
        ref = await rt.activate(log, "0")
        assert ref.state().seen == ("a",)
        await trio.sleep(100)
        timed = await rt.activate(log, "timed")
        assert timed.state().seen == ("set", "tick"), "and so can a timer"
    with pytest.raises(trido.NoSuchAgent):
        await held.call(note("c"))


async def test_a_ref_of_one_that_was_forgotten_is_of_whoever_has_its_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trido.runtime.asleep.KEPT", 0)
    books, log = Books(), keeper(idle_timeout=5)
    async with office(books, log) as rt:
        ref = await rt.activate(log, "k")
        old = ref.place
        await trio.sleep(10)
        assert rt.agents() == ()
        again = await rt.activate(log, "k")
        assert again is ref
        assert ref.place is not old
        await ref.call(note("a"))
        old.deliver(Cast(note("b")))  # by whoever had looked it up before
        await settle()
        assert ref.state().seen == ("a", "b")


async def test_a_forgotten_one_is_sent_to_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trido.runtime.asleep.KEPT", 0)
    books, log = Books(), keeper(idle_timeout=5)
    async with office(books, log) as rt:
        ref = await rt.activate(log, "k")
        await trio.sleep(10)
        assert rt.agents() == ()
    with pytest.raises(trido.NoSuchAgent):
        await ref.call(note("a"))


async def test_sending_to_one_that_only_the_journal_knows_wakes_it() -> None:
    books = Books()
    log = keeper(does={"tell": [trido.Emit(note(text), to="log/b") for text in "xyz"]})
    async with office(books, log) as rt:
        await (await rt.activate(log, "b")).call(note("a"))
    async with office(books, log) as rt:
        await (await rt.activate(log, "a")).call(do("tell"))
        await rt.drain()
        assert rt.agent("log/b").state() == Log(("a", "x", "y", "z"))
        assert len(rt.dead_letters) == 0
    async with office(books, log) as rt:
        plain = keeper("plain", {"tell": [trido.Emit(note("w"), to="log/b")]}, durability="none")
        ref = await rt.start_agent(plain, id="plain")
        await ref.call(do("tell"))
        await rt.drain()
        assert rt.agent("log/b").state() == Log(("a", "x", "y", "z", "w"))


async def test_sending_to_somebody_whom_nobody_knows_is_a_dead_letter() -> None:
    books = Books()
    log = keeper(does={"tell": [trido.Emit(note("x"), to="log/b"), trido.Emit(note("y"), to="?")]})
    async with office(books, log) as rt:
        ref = await rt.activate(log, "a")
        await ref.call(do("tell"))
        await rt.drain()
        await settle()
        assert [type(one.reason) for one in rt.dead_letters] == [trido.NoSuchAgent] * 2
        assert books.standing("log/a") == ["1.0 Emit dead", "1.1 Emit dead"]


async def test_one_that_ended_for_good_is_not_woken_by_sending() -> None:
    books = Books()
    log = keeper(does={"tell": [trido.Emit(note("x"), to="log/b")]})
    async with office(books, log) as rt:
        b = await rt.activate(log, "b")
        await b.call(note("a"))
        await b.stop()
        await (await rt.activate(log, "a")).call(do("tell"))
        await rt.drain()
        assert rt.find("log/b") is None
        assert len(rt.dead_letters) == 1
        assert (await rt.activate(log, "b")).state().seen == ("a",)


async def test_of_those_that_ended_not_all_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trido.runtime.environment.GONE", 2)
    books, log = Books(), keeper()
    async with office(books, log) as rt:
        for key in "abc":
            await (await rt.activate(log, key)).stop()
        assert list(rt.env.gone) == ["log/b", "log/c"]


async def test_a_signal_waits_while_whom_it_is_for_is_looked_for() -> None:
    books = Books()
    log = keeper(does={"tell": [trido.Emit(note("x"), to="log/b")]})
    async with office(books, log) as rt:
        await (await rt.activate(log, "b")).call(note("a"))
    async with office(books, log) as rt:
        ref = await rt.activate(log, "a")
        await trio.sleep(1)
        books.reads_fail = 1
        await ref.call(do("tell"))
        await rt.drain()
        assert len(rt.dead_letters) == 1, "it cannot be looked for"


@pytest.mark.parametrize("durability", ["none", "sync"])
async def test_a_sender_that_ends_gives_up_what_waits(
    durability: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = Books()
    orders = {"tell": [*[trido.Emit(note("x"), to="log/b")] * 2, trido.Stop()]}
    sender = keeper("sender", orders, durability=durability)
    async with office(books, sender) as rt:
        ref = await rt.start_agent(sender, id="s", shutdown=1)
        await settle()
        monkeypatch.setattr(books.session, "read", never)
        await ref.call(do("tell"))
        await trio.sleep(5)
        assert [type(one.reason) for one in rt.dead_letters] == [trido.AgentStopped] * 2
        assert rt.env.knocking == {"log/b": []}


async def never(query: object) -> None:
    await trio.sleep(1_000)


async def test_two_who_knock_at_once_have_it_looked_for_once() -> None:
    books = Books()
    log = keeper(does={"tell": [trido.Emit(note("x"), to="log/b")]})
    async with office(books, log) as rt:
        await (await rt.activate(log, "b")).call(note("a"))
    async with office(books, log) as rt, trio.open_nursery() as nursery:
        for key in "12":
            nursery.start_soon((await rt.activate(log, key)).call, do("tell"))
        await settle()
        assert rt.agent("log/b").state() == Log(("a", "x", "x"))


async def test_whoever_is_looked_for_is_started_once_however_early_that_is() -> None:
    books, log = Books(), keeper()
    async with office(books, log) as rt:
        await (await rt.activate(log, "b")).call(note("a"))
    async with office(books, log) as rt:
        for _ in range(3):
            rt.look_for("log/b")  # the task that wakes has not begun
        await settle()
        assert rt.agent("log/b").incarnation == 1
        rt.look_for("log/b")
        await settle()
        assert rt.agent("log/b").incarnation == 1


async def test_what_is_for_one_that_ended_waits_for_it_and_does_not_wake_it() -> None:
    books = Books()
    log = keeper(does={"tell": [trido.Emit(note("x"), to="b")]})
    other = keeper("other")
    async with office(books, log, other) as rt:
        b = await rt.start_agent(other, id="b")
        await b.cast(trido.Signal("slow", 100.0))
        await (await rt.start_agent(log, id="a")).call(do("tell"))
    async with office(books, other) as rt:
        await (await rt.start_agent(other, id="b")).stop()
        await rt.start_agent(log, id="a")
        await settle()
        assert rt.find("b") is None
        assert books.standing() == ["1.0 Emit pending"]
        assert (await rt.start_agent(other, id="b")).id == "b"
        await settle()
        assert rt.agent("b").state() == Log(("x",))


async def test_nobody_is_looked_for_once_the_runtime_ends() -> None:
    books = Books()
    log = keeper("log", {"tell": [trido.Emit(note("x"), to="log/b")]}, durability="none")

    @log.on_stop
    def stop(state: Log) -> trido.Decision[Log]:
        return state, [trido.Emit(note("x"), to="log/b")]

    async with office(books, log) as rt:
        await rt.activate(log, "a")
    assert [type(one.reason) for one in rt.dead_letters] == [trido.NoSuchAgent]


async def test_dedupe_says_how_many_ids_are_known_again() -> None:
    books, log = Books(), keeper(dedupe=2)
    async with office(books, log) as rt:
        ref = await rt.start_agent(log, id="a")
        for n in range(5):
            await ref.call(note(str(n), id=str(n)))
    async with office(books, log) as rt:
        ref = await rt.start_agent(log, id="a")
        await ref.call(note("4", id="4"))
        assert ref.status().revision == 5
        await ref.call(note("0", id="0"))
        assert ref.status().revision == 6


async def test_history_says_how_many_turns_can_be_read() -> None:
    books, log = Books(), keeper(history=3, dedupe=(10, timedelta(hours=1)))
    async with office(books, log) as rt:
        ref = await rt.start_agent(log, id="a")
        for n in range(10):
            await ref.call(note(str(n)))
        await settle()
        assert 3 <= len(books.history()) < 10


@pytest.mark.parametrize(
    "value", [0, -1, 1.5, True, "7", timedelta(0), (1,), (1, 2), (timedelta(1), 1), None]
)
def test_dedupe_is_a_number_or_a_time_or_both(value: Any) -> None:
    with pytest.raises(trido.SpecError, match="dedupe"):
        keeper(dedupe=value)


def test_history_is_a_number_of_turns() -> None:
    with pytest.raises(trido.SpecError, match="history"):
        keeper(history=0)
