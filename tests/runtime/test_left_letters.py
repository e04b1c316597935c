"""The dead letters of earlier processes are there as soon as the runtime is."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

import trido
from tests.runtime.books import Books, Charge, do, keeper, killed, note, office
from tests.runtime.till import Till
from trido.runtime import left_letters

WANTS: dict[str, list[trido.Directive]] = {
    "tell": [trido.Emit(note("hi"), to="post")],
    "pay": [Charge("kettle", 5.0)],
}


def ids(rt: trido.Runtime) -> list[str | None]:
    return [one.id for one in rt.dead_letters]


async def left(books: Any, *agents: str) -> trido.Agent[Any]:
    """A process that ends with one dead directive and one unknown one of each of these."""
    agent = keeper(does=WANTS)
    till = trido.Executor(Till().charge, delivery="at_most_once")
    async with killed(books, agent, executors={Charge: till}) as rt:
        for id in agents:
            ref = await rt.start_agent(agent, id=id)
            await ref.call(do("tell"))  # to nobody
            await ref.call(do("pay"))
        await trio.sleep(1)
    # Whether that was done is not known from the next claim on.
    async with office(books, agent, executors={Charge: till}) as rt:
        for id in agents:
            await rt.start_agent(agent, id=id)
    return agent


async def test_they_are_told_before_their_agents_run() -> None:
    books = Books()
    await left(books, "a")
    stranger = keeper("stranger")
    async with office(books, stranger, till=Till()) as rt:
        dead, unknown = rt.dead_letters
        assert rt.dead_letters.total == 2
        assert not rt.agents()
    assert (dead.agent, dead.id, dead.by) == ("a", "a/1.0", "a")
    assert isinstance(dead.reason, trido.GivenUp)
    assert dead.reason.why == "there is no such agent"
    assert str(dead.reason).endswith("that was given up: there is no such agent")
    assert isinstance(dead.directive, trido.Emit)
    assert dead.signal == dead.directive.signal
    assert (unknown.id, unknown.directive, unknown.signal) == (
        "a/2.0",
        Charge("kettle", 5.0),
        None,
    )
    assert isinstance(unknown.reason, trido.OutcomeUnknown)
    assert str(trido.GivenUp("a", "")) == "agent 'a' had a directive that was given up"


async def test_each_is_told_once_although_its_agent_is_told_of_it_again() -> None:
    books = Books()
    agent = await left(books, "a")
    async with office(books, agent, till=Till()) as rt:
        assert ids(rt) == ["a/1.0", "a/2.0"]
        ref = await rt.start_agent(agent, id="a")
        await rt.drain()
        assert ids(rt) == ["a/1.0", "a/2.0"]
        assert rt.dead_letters.total == 2
        assert [one.id for one in ref.dead_letters] == ["a/1.0", "a/2.0"]


async def test_one_is_sent_again_once_its_agent_runs() -> None:
    books, till = Books(), Till()
    agent, other = await left(books, "a"), keeper("other")
    async with office(books, agent, other, till=till) as rt:
        emit, charge = rt.dead_letters
        woken = r"'a' does not run: it sleeps.*; rt.resolve\('a/2.0', 'retry'\) wakes it to"
        with pytest.raises(trido.NoSuchAgent, match=woken):
            await rt.dead_letters.resend(charge)
        await rt.start_agent(agent, id="a")
        post = await rt.start_agent(other, id="post")
        await rt.dead_letters.resend(emit)
        await post.wait_for(lambda state: state.seen == ("hi",))
        (charge,) = rt.dead_letters
        await rt.dead_letters.resend(charge)
        await trio.sleep(30)
        assert not ids(rt)
        assert till.log == ["<kettle", "kettle"]
    assert books.standing() == ["1.0 Emit done", "2.0 Charge done"]
    async with office(books, agent, other, till=till) as rt:
        assert not ids(rt)


@pytest.mark.parametrize("runs", ["runs", "does not run"])
@pytest.mark.parametrize("to", ["done", "retry", "dead"])
async def test_one_is_resolved_whether_its_agent_runs_or_not(to: Any, runs: str) -> None:
    books, till = Books(), Till()
    agent = await left(books, "a")
    async with office(books, agent, till=till) as rt:
        if runs == "runs":
            await rt.start_agent(agent, id="a")
        await rt.resolve("a/2.0", to)
        assert ids(rt) == ["a/1.0"]
        await trio.sleep(30)
    standing = {"done": "done", "retry": "done", "dead": "dead"}[to]
    assert books.standing() == ["1.0 Emit dead", f"2.0 Charge {standing}"]
    async with office(books, agent, till=till) as rt:
        assert ids(rt) == (["a/1.0", "a/2.0"] if to == "dead" else ["a/1.0"])


async def test_one_that_nobody_knows_here_is_told_and_can_be_settled() -> None:
    books = Books()
    agent = await left(books, "a")
    async with office(books, agent) as rt:  # which was given no executor of charges
        emit, charge = rt.dead_letters
        assert emit.directive is not None
        assert (charge.directive, charge.id) == (None, "a/2.0")
        assert isinstance(charge.reason.__cause__, trido.Unregistered)
        await rt.resolve("a/2.0", "dead")
        ref = await rt.start_agent(agent, id="a")
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        _, charge = rt.dead_letters
        with pytest.raises(trido.Unregistered, match="the directive 'Charge' is not known: regis"):
            await rt.dead_letters.resend(charge)
        with pytest.raises(trido.Unregistered):
            await rt.resolve("a/2.0", "retry")
        assert ref.status().state == "running"
        assert ids(rt) == ["a/1.0", "a/2.0"]
        await rt.resolve("a/2.0", "done")
    assert books.standing() == ["1.0 Emit dead", "2.0 Charge done"]


async def test_of_very_many_the_rest_is_told_of_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    books = Books()
    agent = await left(books, "a", "b")
    monkeypatch.setattr(left_letters, "MOST", 3)
    async with office(books, agent, till=Till()) as rt:
        assert ids(rt) == ["a/1.0", "a/2.0", "b/1.0"]
    assert "more than 3 dead letters are left" in caplog.text


async def test_a_journal_that_cannot_be_read_just_now_keeps_nobody_from_starting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    books = Books()
    agent = await left(books, "a")
    books.reads_fail = 1
    async with office(books, agent, till=Till()) as rt:
        assert not ids(rt)
        assert (await rt.start_agent(agent, id="c")).status().state == "running"
    assert "the dead letters that are left cannot be read" in caplog.text


async def test_a_runtime_that_is_cancelled_as_it_opens_leaves_its_journal_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    books = Books()
    agent = await left(books, "a")

    async def find(*_: object) -> None:
        await trio.sleep_forever()

    with monkeypatch.context() as patch, trio.move_on_after(1) as scope:
        patch.setattr(left_letters, "find", find)
        async with office(books, agent, till=Till()):
            pytest.fail("it opened")
    assert scope.cancelled_caught
    async with office(books, agent, till=Till()) as rt:
        assert ids(rt) == ["a/1.0", "a/2.0"]


@pytest.mark.real_time
async def test_one_damaged_agent_hides_only_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_letters, "_PAGE", 2)
    file = tmp_path / "app.db"
    agent = keeper(does=WANTS)
    journal = trido.SqliteJournal(file)
    async with office(journal, agent) as rt:
        for id in "abc":
            await (await rt.start_agent(agent, id=id)).call(do("tell"))
        await rt.drain()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE outbox SET note = 'x' WHERE agent = 2")
        connection.commit()
    with caplog.at_level(logging.WARNING, logger="trido"):
        async with office(journal, agent) as rt:
            assert ids(rt) == ["a/1.0", "c/1.0"]
            await rt.start_agent(agent, id="a")
    assert "the dead letters of agent 'b' cannot be read" in caplog.text
