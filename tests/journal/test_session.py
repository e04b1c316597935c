"""The Trio shell: batches, cancellation, ends, hints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import islice
from pathlib import Path
from threading import Event, get_ident
from typing import Any

import pytest
import trio
from outcome import Error, Outcome, Value
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from tests.journal.kit import AGENT, claim, end_by_a_callback, running, turn
from trido.journal import (
    Fenced,
    JournalError,
    MemoryJournal,
    SqliteJournal,
    Unavailable,
)
from trido.journal.operations import Find, Mark, Query, Resolve, Write
from trido.journal.port import Store
from trido.journal.rows import AgentKey, Directed, Timer
from trido.journal.session import BATCH, Session, open_session
from trido.journal.ways import Here, InOneThread, Result, Way, Work


class Double:
    """A store that passes on, and does first whatever the test says."""

    def __init__(self, store: Store, before: Callable[[], object]) -> None:
        self.store = store
        self.before = before
        self.batches: list[int] = []
        self.syncs: list[bool] = []
        self.threads: set[int] = set()
        self.closed = False
        self.file = store.file

    def write(self, batch: Sequence[Write[Any]], *, sync: bool) -> list[Outcome[Any]]:
        self.threads.add(get_ident())
        self.before()
        self.batches.append(len(batch))
        self.syncs.append(sync)
        return self.store.write(batch, sync=sync)

    def read(self, query: Query[Any]) -> Any:
        return self.store.read(query)

    def close(self) -> None:
        self.closed = True
        self.store.close()


def double(before: Callable[[], object] = lambda: None) -> Double:
    return Double(MemoryJournal()._store(), before)


def session_of(
    store: Double, way: Callable[[], Way] = Here
) -> AbstractAsyncContextManager[Session]:
    return open_session(lambda: store, way(), way())


async def claimed(session: Session, ids: Sequence[str]) -> list[Any]:
    return [await session.write(claim(AgentKey(id))) for id in ids]


# Batches ----------------------------------------------------------------------------------------


async def test_writes_that_wait_together_share_a_transaction() -> None:
    store = double()
    async with session_of(store) as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        runs = await claimed(session, "abcdef")
        store.batches.clear()
        async with trio.open_nursery() as agents:
            for run in runs:
                agents.start_soon(session.write, turn(run))
        assert store.batches == [6]
        assert session.statistics().writes == 12
        assert session.statistics().batches == 7
        session.close()


async def test_a_batch_is_as_durable_as_the_strongest_of_it_asks_for() -> None:
    store = double()
    async with session_of(store) as session, trio.open_nursery() as nursery:
        for sync in (False, True, False):
            session.submit(claim(), lambda _: None, sync=sync)
        nursery.start_soon(session.run)
        await wait_all_tasks_blocked()
        await session.write(claim(), sync=False)
        assert store.syncs == [True, False]
        session.close()


async def test_a_batch_has_a_largest_size_and_order_is_kept() -> None:
    store, told = double(), []
    async with session_of(store) as session, trio.open_nursery() as nursery:
        for number in range(BATCH + 3):
            session.submit(claim(AgentKey(f"{number}")), lambda one: told.append(one.unwrap()))
        assert session.statistics().waiting == BATCH + 3
        session.close()
        nursery.start_soon(session.run)
    assert store.batches == [BATCH, 3]
    assert [run.agent.id for run in told] == [f"{number}" for number in range(BATCH + 3)]


@pytest.mark.real_time
async def test_the_store_is_called_in_a_thread_and_answers_come_in_trio_s() -> None:
    store, threads = double(), set()
    async with session_of(store, InOneThread) as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        session.submit(claim(), lambda _: threads.add(get_ident()))
        await session.write(claim())
        session.close()
    assert threads == {get_ident()}
    assert get_ident() not in store.threads


@pytest.mark.real_time
async def test_a_thread_waits_a_little_for_more() -> None:
    way, rounds = InOneThread(), iter(range(3))
    ready = [next(rounds)]
    threads: list[int] = []
    told: list[int] = []

    def take() -> list[Any]:
        threads.append(get_ident())
        return [ready.pop()] if ready else []

    def tell(batch: list[Any], result: Result) -> None:
        told.extend(batch)
        assert result == []
        ready.extend(islice(rounds, 1))
        way.nudge()
        way.nudge()  # as often as there is more

    way.nudge()  # nobody waits yet
    await way.repeat(Work(take, lambda _: [], tell))
    assert told == [0, 1, 2]
    assert len(set(threads)) == 1


@pytest.mark.real_time
async def test_the_loop_runs_on_while_the_disk_is_slow() -> None:
    disk, steps = Event(), 0
    store = double(disk.wait)
    async with session_of(store, InOneThread) as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        nursery.start_soon(session.write, claim())
        for _ in range(100):
            await trio.lowlevel.checkpoint()
            steps += 1
        assert not store.batches
        disk.set()
        session.close()
    assert (steps, store.batches) == (100, [1])


@pytest.mark.real_time
async def test_what_is_sent_while_a_batch_is_written_is_the_next() -> None:
    disk, begun = Event(), Event()

    def wait() -> None:
        begun.set()
        disk.wait()

    store = double(wait)
    async with session_of(store, InOneThread) as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        nursery.start_soon(session.write, claim())
        await trio.to_thread.run_sync(begun.wait)
        for id in "bcd":
            nursery.start_soon(session.write, claim(AgentKey(id)))
        await wait_all_tasks_blocked(0.01)
        disk.set()
        session.close()
    assert store.batches == [1, 3]


# Cancellation -----------------------------------------------------------------------------------


async def test_a_cancelled_write_that_waits_does_not_happen() -> None:
    journal = MemoryJournal()
    async with journal.open() as session, trio.open_nursery() as nursery:
        with trio.move_on_after(1) as scope:
            await session.write(claim())
        assert scope.cancelled_caught
        nursery.start_soon(session.run)
        assert (await session.write(claim())).epoch == 1
        session.close()


async def test_a_cancelled_caller_writes_nothing() -> None:
    async with running(MemoryJournal()) as session:
        with trio.CancelScope() as scope:
            scope.cancel()
            await session.write(claim())
        assert scope.cancelled_caught
        assert (await session.write(claim())).epoch == 1


@pytest.mark.real_time
async def test_a_cancelled_write_that_is_being_written_is_waited_for() -> None:
    disk, begun = Event(), Event()

    def wait() -> None:
        begun.set()
        disk.wait()

    epochs = []

    async def write(session: Session) -> None:
        run = await session.write(claim())
        epochs.append(run.epoch)
        await trio.lowlevel.checkpoint()
        pytest.fail("the cancellation was lost")

    store = double(wait)
    async with session_of(store, InOneThread) as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        async with trio.open_nursery() as callers:
            callers.start_soon(write, session)
            await trio.to_thread.run_sync(begun.wait)
            callers.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await wait_all_tasks_blocked(0.01)
            assert not epochs
            disk.set()
        assert epochs == [1]
        session.close()


async def test_a_ticket_is_withdrawn_before_it_is_taken_only() -> None:
    told: list[object] = []
    async with MemoryJournal().open() as session, trio.open_nursery() as nursery:
        kept, withdrawn = (session.submit(claim(), told.append) for _ in range(2))
        assert withdrawn.withdraw()
        nursery.start_soon(session.run)
        await wait_all_tasks_blocked()
        assert not kept.withdraw()
        last = session.submit(claim(), told.append)
        assert last.withdraw()  # and run() finds nothing to do
        session.close()
    assert len(told) == 1


# Ends -------------------------------------------------------------------------------------------


async def test_close_writes_what_waits_and_takes_no_more() -> None:
    told: list[object] = []
    async with MemoryJournal().open() as session, trio.open_nursery() as nursery:
        session.submit(claim(), told.append)
        session.close()
        with pytest.raises(Unavailable, match="the session is closed; open the journal again"):
            session.submit(claim(), told.append)
        with pytest.raises(Unavailable):
            await session.write(claim())
        nursery.start_soon(session.run)
    assert len(told) == 1


async def test_leaving_the_block_tells_who_waits_and_closes_the_store() -> None:
    store = double()
    told: list[Error] = []
    async with session_of(store) as session:
        session.submit(claim(), told.append)  # type: ignore[arg-type]
        withdrawn = session.submit(claim(), told.append)  # type: ignore[arg-type]
        withdrawn.withdraw()
    assert store.closed
    (one,) = told
    assert isinstance(one.error, Unavailable)
    with pytest.raises(Unavailable):
        await session.read(Find(AGENT, "k"))
    assert "MemoryJournal" in repr(session)


async def test_leaving_the_block_by_a_cancellation_closes_the_store() -> None:
    store = double()
    with trio.CancelScope() as scope:
        async with session_of(store):
            scope.cancel()
            await trio.sleep_forever()
    assert store.closed


@pytest.mark.real_time
async def test_a_cancelled_writer_answers_the_batch_in_hand_and_no_other() -> None:
    disk, begun = Event(), Event()

    def wait() -> None:
        begun.set()
        disk.wait()

    results: list[object] = []
    store = double(wait)
    async with session_of(store, InOneThread) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run)
            session.submit(claim(), results.append)
            await trio.to_thread.run_sync(begun.wait)
            session.submit(claim(), results.append)
            nursery.cancel_scope.cancel()
            disk.set()
        assert store.batches == [1]
    first, second = results
    assert isinstance(first, Value)
    assert isinstance(second, Error)
    assert isinstance(second.error, Unavailable)


async def test_a_session_has_one_writer() -> None:
    async with running(MemoryJournal()) as session:
        await wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="run\\(\\) runs already"):
            await session.run()
        await session.write(claim())


# Failures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [Here, InOneThread])
@pytest.mark.real_time
async def test_a_batch_that_fails_fails_for_all_of_it_each_with_an_error_of_its_own(
    way: Callable[[], Way],
) -> None:
    def fail() -> None:
        raise Unavailable("app.db", "the disk is full", "make room")

    store = double(fail)
    results: list[Error] = []
    async with session_of(store, way) as session, trio.open_nursery() as nursery:
        for _ in range(2):
            session.submit(claim(), results.append)  # type: ignore[arg-type]
        nursery.start_soon(session.run)
        with pytest.raises(Unavailable, match="make room"):
            await session.write(claim())
        store.before = lambda: None
        assert (await session.write(claim())).epoch == 1
        session.close()
    assert len({id(one.error) for one in results}) == 2


async def test_a_mistake_in_a_store_is_told_to_who_waits() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    async with session_of(double(fail)) as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        with pytest.raises(Unavailable, match="the store failed; see the cause") as caught:
            await session.write(claim())
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        session.close()


@pytest.mark.parametrize("way", [Here, InOneThread])
@pytest.mark.real_time
async def test_a_callback_that_raises_ends_the_writer_once_the_others_were_told(
    way: Callable[[], Way],
) -> None:
    async with session_of(double(), way) as session:
        await end_by_a_callback(session)


# Checkpoints, hints, two runs -------------------------------------------------------------------


async def test_writing_and_reading_are_checkpoints() -> None:
    async with running(MemoryJournal()) as session:
        with assert_checkpoints():
            await session.write(claim())
        with assert_checkpoints():
            assert await session.read(Find(AGENT, "k")) is None


async def test_watchers_are_told_who_has_something_to_do() -> None:
    hints: list[tuple[AgentKey, int | None]] = []
    async with running(MemoryJournal()) as session:
        with session.watch(lambda agent, due: hints.append((agent, due))):
            run = await session.write(claim())
            await session.write(turn(run))
            assert not hints
            await session.write(
                turn(run, 2, directives=(Directed("Emit", b""),), timers=(Timer("t", 7, b""),))
            )
            assert hints == [(AGENT, None), (AGENT, 7)]
            with pytest.raises(Fenced):
                await session.write(turn(run, 9, directives=(Directed("Emit", b""),)))
            await session.write(Mark(AGENT, run.epoch, 2, 0, "dead"))
            assert len(hints) == 2
            await session.write(Resolve(AGENT, 2, 0, "dead"))
            await session.write(Resolve(AGENT, 2, 0, "retry"))
            assert hints[2:] == [(AGENT, None)]
        await session.write(turn(run, 3, directives=(Directed("Emit", b""),)))
        assert len(hints) == 3


@pytest.mark.real_time
async def test_of_two_runs_of_an_agent_one_goes_on_and_one_is_fenced(tmp_path: Path) -> None:
    committed: list[tuple[int, int]] = []
    fenced: list[tuple[int, int]] = []

    async def run_agent(session: Session) -> None:
        run = await session.write(claim())
        for revision in range(1, 21):
            try:
                await session.write(turn(run, revision), sync=False)
            except Fenced as error:
                fenced.append((run.epoch, error.epoch))
                return
            committed.append((run.epoch, run.revision + revision))

    async with running(SqliteJournal(tmp_path / "app.db")) as session:
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(run_agent, session)
        last = await session.write(claim())
    assert sorted(mine for mine, _ in fenced) == list(range(1, 10))
    assert all(mine < now for mine, now in fenced)
    # Each revision once, and epochs only rise.
    assert [revision for _, revision in committed] == list(range(1, last.revision + 1))
    assert committed == sorted(committed)


async def test_a_refusal_is_raised_where_the_write_was_sent() -> None:
    async with running(MemoryJournal()) as session:
        with pytest.raises(JournalError, match="no directive"):
            await session.write(Resolve(AGENT, 1, 0, "done"))
