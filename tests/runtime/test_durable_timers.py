"""Timers and calendars are rows: they go on after a kill, and fire once for each turn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio
from attrs import evolve

import trido
from tests.runtime.books import Books, do, keeper, killed, note, office
from tests.runtime.desk import Log, settle

START = datetime(2026, 1, 1, tzinfo=UTC)


class Days:
    """A clock that goes by Trio's, and can be put on while nobody runs."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self.began: float | None = None

    def __call__(self) -> datetime:
        now = trio.current_time()
        if self.began is None:
            self.began = now
        return START + self.ahead + timedelta(seconds=now - self.began)


def after(seconds: float, text: str = "tick", key: str | None = None) -> trido.Schedule:
    return trido.Schedule(seconds, note(text), key=key)


async def test_a_firing_removes_its_row_in_the_commit_of_its_turn() -> None:
    books = Books()
    agent = keeper(does={"set": [after(5, "a", "k"), after(6, "b")]})
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("set"))
        assert books.timers() == ["#0.1", "=k"]
        await trio.sleep(7)
        assert books.timers() == []
        assert [one.cancelled for one in books.commits()[1:]] == [("=k",), ("#0.1",)]
        assert ref.state() == Log(("set", "a", "b"))


async def test_timers_go_on_after_a_kill_and_what_was_missed_fires_once() -> None:
    books, clock = Books(), Days()
    agent = keeper(does={"set": [after(5, "a"), after(20, "b", "k"), after(1000, "c")]})
    async with killed(books, agent, clock=clock) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("set"))
        await trio.sleep(1)
    clock.ahead += timedelta(seconds=10)
    async with office(books, agent, clock=clock) as rt:
        await settle()  # woken, for one timer is due
        ref = rt.agent("a")
        assert ref.state() == Log(("set", "a"))
        assert ref.status().timers == 2
        await trio.sleep(8)
        assert ref.state() == Log(("set", "a"))
        await trio.sleep(2)
        assert ref.state() == Log(("set", "a", "b"))
        await trio.sleep(1000)
        assert ref.state() == Log(("set", "a", "b", "c"))
        assert books.timers() == []


async def test_cancelling_and_replacing_change_the_rows() -> None:
    books = Books()
    wants: dict[str, list[trido.Directive]] = {
        "set": [after(5, "a", "k"), after(5, "b", "l")],
        "replace": [after(50, "c", "k"), trido.Cancel("l"), trido.Cancel("none")],
        "both": [after(1, "d", "m"), trido.Cancel("m")],
    }
    agent = keeper(does=wants)
    async with killed(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        for what in ("set", "replace", "both"):
            await ref.call(do(what))
        assert books.timers() == ["=k"]
        await trio.sleep(10)
        assert ref.state().seen == ("set", "replace", "both")
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        assert ref.status().timers == 1


async def test_a_firing_that_is_replaced_while_it_waits_leaves_the_new_row_alone() -> None:
    books = Books()
    agent = keeper(does={"set": [after(5, "old", "k")], "again": [after(5, "new", "k")]})
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("set"))
        await ref.cast(trido.Signal("slow", 10.0))
        await trio.sleep(6)
        await ref.cast(do("again"))  # behind the firing, which comes first
        await trio.sleep(20)
        assert ref.state().seen == ("set", "slow", "old", "again", "new")
        assert books.timers() == []


@pytest.mark.parametrize(("catch_up", "expected"), [("all", 4), ("once", 2), ("skip", 1)])
async def test_a_calendar_goes_on_after_downtime_by_its_policy(
    catch_up: Any, expected: int
) -> None:
    books, clock = Books(), Days()
    cron = trido.Cron("*/10 * * * *", note("tick"), "c", catch_up=catch_up)
    agent = keeper(does={"set": [cron]})
    async with killed(books, agent, clock=clock) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("set"))
        await trio.sleep(601)
        assert ref.state().seen == ("set", "tick")
        assert books.timers() == ["=c"]
    clock.ahead += timedelta(seconds=1800 + 120)
    async with office(books, agent, clock=clock) as rt:
        ref = await rt.start_agent(agent, id="a")
        await settle()
        assert ref.state().seen.count("tick") == expected
        assert ref.status().timers == 1
        await trio.sleep(600)
        assert ref.state().seen.count("tick") == expected + 1


async def test_a_firing_that_is_refused_is_not_repeated_once_there_was_another_turn() -> None:
    books, clock = Books(), Days()
    agent = keeper(does={"set": [trido.Schedule(5, trido.Signal("no"), key="k")]})
    async with killed(books, agent, clock=clock) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("set"))
        await trio.sleep(6)
        assert books.timers() == ["=k"]
        await ref.call(note("x"))
        assert books.timers() == []


async def test_a_stop_for_good_cancels_the_timers_and_the_end_of_the_runtime_does_not() -> None:
    for how in ("Stop()", "stop", "on_stop"):
        books = Books()
        agent = keeper(does={"set": [after(50, key="k")], "end": [trido.Stop()]})
        if how == "on_stop":
            agent.on_stop(lambda state: (evolve(state, seen=("bye",)), [after(9, key="l")]))
        async with office(books, agent) as rt:
            ref = await rt.start_agent(agent, id="a")
            await ref.call(do("set"))
        assert "=k" in books.timers()
        async with office(books, agent) as rt:
            ref = await rt.start_agent(agent, id="a")
            if how == "Stop()":
                await ref.call(do("end"))
                await settle()
            else:
                await ref.stop()
            assert rt.find("a") is None
            assert books.timers() == []
            await trio.sleep(100)


async def test_a_permanent_agent_that_stops_keeps_its_timers() -> None:
    books = Books()
    agent = keeper(does={"set": [after(5, key="k")], "end": [trido.Stop()]})
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a", restart="permanent")
        await ref.call(do("set"))
        await ref.call(do("end"))
        await trio.sleep(10)
        assert ref.state().seen == ("set", "end", "tick")
        assert ref.incarnation == 2


async def test_schedules_are_rows_from_the_first_run_on() -> None:
    for has_hook in (False, True):
        books, clock = Books(), Days()
        agent = keeper(schedules=[after(100, "once", "k")])
        if has_hook:
            agent.on_start(lambda state: state)
        async with killed(books, agent, clock=clock) as rt:
            ref = await rt.start_agent(agent, id="a")
            assert (books.timers(), ref.status().revision) == (["=k"], 1)
        clock.ahead += timedelta(seconds=200)
        async with office(books, agent, clock=clock) as rt:
            await settle()
            assert rt.agent("a").state().seen == ("once",)
        async with office(books, agent, clock=clock) as rt:
            ref = await rt.start_agent(agent, id="a")
            await trio.sleep(500)
            assert ref.state().seen == ("once",)


async def test_timers_of_turns_that_did_not_happen_are_set_by_the_turn_that_does() -> None:
    books = Books()
    agent = keeper(
        does={"set": [after(5, "a", "k")], "more": [after(0, "b"), trido.Cancel("k")]},
        schedules=[after(7, "first", "f")],
    )
    async with office(books, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("set"))
        release = books.hold()
        await ref.cast(do("more"))
        await settle()
        books.fails = 1
        release()
        await trio.sleep(20)
        assert ref.state().seen == ("set", "more", "b", "first")
        assert books.timers() == []


async def test_the_first_turn_is_written_again_with_the_schedules_if_it_was_lost() -> None:
    books = Books()
    agent = keeper(schedules=[after(7, "first", "f")])
    async with office(books, agent) as rt:
        release = books.hold()

        async def fail() -> None:
            await settle()
            release()
            await trio.lowlevel.checkpoint()
            books.fails = 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            ref = await rt.start_agent(agent, id="a")
        assert books.timers() == ["=f"]
        await trio.sleep(10)
        assert ref.state().seen == ("first",)


async def test_a_child_that_ends_with_its_parent_for_good_keeps_no_timers() -> None:
    books = Books()
    child = keeper("child", does={"set": [after(50, key="k")]})
    parent = keeper("parent", does={"spawn": [trido.SpawnAgent(child, "kid")]})
    async with office(books, parent, child) as rt:
        ref = await rt.start_agent(parent, id="a")
        await ref.call(do("spawn"))
        await settle()
        await rt.agent("a/kid").call(do("set"))
    assert books.timers("a/kid") == ["=k"]
    async with office(books, parent, child) as rt:
        ref = await rt.start_agent(parent, id="a")
        await settle()
        assert rt.agent("a/kid").status().timers == 1
        await ref.stop()
        assert books.timers("a/kid") == []
