"""A session's block is left while something is read or written, or cannot be."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any, cast

import pytest
import trio
from outcome import Error, Outcome, Value
from trio.testing import wait_all_tasks_blocked

from tests.journal.kit import AGENT, Served, claim, running
from trido.journal import SqliteJournal, Unavailable, wire
from trido.journal.apart import Apart
from trido.journal.line import Line
from trido.journal.operations import Agents, Commit, Query, Write
from trido.journal.remote import RemoteStore
from trido.journal.session import Session, open_session
from trido.journal.store import SqliteStore
from trido.journal.ways import InOneThread
from trido.journal.writer import receive

pytestmark = pytest.mark.real_time


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "app.db")


class Peer:
    """A process that answers when it may. Made as `trido.journal.line.spawn`."""

    answers: Sequence[bytes | None] = ()
    """To each write of a batch, batch after batch."""
    reads_at_once = True

    def __init__(self, end: socket.socket, file: str, verify: float) -> None:
        SqliteStore(file, verify=verify).close()
        self.read = Event()
        self.may_answer = Event()
        self.may_read = Event()
        if self.reads_at_once:
            self.may_read.set()
        self._thread = Thread(target=self._serve, args=(end.dup(),))
        self._thread.start()

    def _serve(self, end: socket.socket) -> None:
        with end, end.makefile("rb") as messages:
            end.sendall(wire.pack_result([]))
            for answer in self.answers:
                self.may_read.wait()
                batch, _ = wire.unpack_batch(receive(messages))
                self.read.set()
                self.may_answer.wait()
                self.say(end, wire.pack_result([Value(answer) for _ in batch]))
            assert not receive(messages)

    def say(self, end: socket.socket, message: bytes) -> None:
        end.sendall(message)

    def wait(self) -> None:
        self._thread.join()


def by(peer: type[Any], file: str) -> tuple[Any, list[Any]]:
    """A session that is not open yet, and the processes that are started for it."""
    made: list[Any] = []

    def spawn(*args: Any) -> Any:
        made.append(peer(*args))
        return made[-1]

    store = RemoteStore(file, verify=0, spawn=spawn)
    return open_session(store.open, Apart(store), InOneThread()), made


async def happened(event: Event) -> None:
    await trio.to_thread.run_sync(event.wait)


def commit(revision: int, input: bytes) -> Commit:
    return Commit(agent=AGENT, epoch=1, revision=revision, at=1, input=input, state={}, full=True)


def send(session: Session, write: Write[Any], told: list[Outcome[Any]]) -> None:
    session.submit(write, cast("Any", told.append))


async def test_neither_end_waits_for_the_other_to_read_first(file: str) -> None:
    """Both have more to say than the line can hold."""

    begun, may_go_on = Event(), Event()

    class Talkative(Peer):
        answers = (b"much" * 2**20, None)

        def say(self, end: socket.socket, message: bytes) -> None:
            end.sendall(message[:4])
            begun.set()
            may_go_on.wait()
            end.sendall(message[4:])

    opening, made = by(Talkative, file)
    told: list[Outcome[Any]] = []
    async with opening as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        send(session, claim(), told)
        (peer,) = made
        await happened(peer.read)
        for revision in range(1, 9):  # so it is looked whether they can be sent
            send(session, commit(revision, b"more" * 2**18), told)
        peer.may_answer.set()
        await happened(begun)
        await wait_all_tasks_blocked()
        may_go_on.set()
        session.close()  # so this is left once all is told
    assert told == [Value(b"much" * 2**20), *[Value(None)] * 8]


async def test_a_batch_that_the_line_does_not_hold_is_sent_before_the_next(file: str) -> None:
    class Slow(Peer):
        answers = (None, None)
        reads_at_once = False

    opening, made = by(Slow, file)
    told: list[Outcome[Any]] = []
    async with opening as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        made[0].may_answer.set()
        send(session, commit(1, b"more" * 2**21), told)
        await wait_all_tasks_blocked()
        for revision in range(2, 10):  # so it is looked whether they can be sent
            send(session, commit(revision, b"more"), told)
        await wait_all_tasks_blocked()
        made[0].may_read.set()
        session.close()
    assert told == [Value(None)] * 9


async def test_what_is_under_way_is_answered_before_the_process_is_let_go(file: str) -> None:
    class Slow(Peer):
        answers = (None,)

    opening, made = by(Slow, file)
    told: list[Outcome[Any]] = []
    async with trio.open_nursery() as nursery:

        async def answer() -> None:
            await wait_all_tasks_blocked()
            peer.may_answer.set()

        async with opening as session:
            nursery.start_soon(session.run)
            send(session, claim(), told)
            (peer,) = made
            await happened(peer.read)
            send(session, claim(), told)
            nursery.start_soon(answer)
    waits, under_way = told
    assert isinstance(waits, Error)
    assert isinstance(waits.error, Unavailable)
    assert under_way == Value(None)


async def test_what_is_read_is_read_before_the_store_is_closed() -> None:
    log: list[str] = []

    class Slow:
        file = "slow"

        def __init__(self) -> None:
            self.reads, self.may = Event(), Event()

        def read(self, query: Query[Any]) -> Any:
            self.reads.set()
            self.may.wait()
            log.append("read")

        def write(self, batch: Sequence[Write[Any]], *, sync: bool) -> list[Outcome[Any]]:
            raise NotImplementedError  # nobody writes here

        def close(self) -> None:
            log.append("closed")

    store = Slow()
    async with trio.open_nursery() as nursery:

        async def go_on() -> None:
            await wait_all_tasks_blocked()
            store.may.set()

        async with open_session(lambda: store, InOneThread(), InOneThread()) as session:
            nursery.start_soon(session.read, Agents())
            await happened(store.reads)
            nursery.start_soon(go_on)
    assert log == ["read", "closed"]


async def test_no_thread_to_write_is_told_and_the_next_time_there_may_be_one(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(SqliteJournal(file)) as session:
        with monkeypatch.context() as patch:
            patch.setattr(trio.to_thread, "run_sync", no_thread)
            with pytest.raises(Unavailable, match="the store failed") as caught:
                await session.write(claim())
            assert isinstance(caught.value.__cause__, RuntimeError)
        assert (await session.write(claim())).epoch == 1


async def no_thread(*_: object, **__: object) -> None:
    raise RuntimeError("can't start new thread")


async def test_no_thread_to_start_a_process_is_told_and_the_next_time_there_may_be_one(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RemoteStore(file, verify=0, spawn=Served)
    opening = open_session(store.open, Apart(store), InOneThread())
    async with opening as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        await session.write(claim())
        await wait_all_tasks_blocked()
        line = store.line
        line.end.shutdown(socket.SHUT_RDWR)
        with monkeypatch.context() as patch:
            patch.setattr(trio.to_thread, "run_sync", no_thread)
            with pytest.raises(Unavailable, match="the store failed"):
                await session.write(claim())
        assert (await session.write(claim())).epoch == 2
        session.close()


async def test_a_batch_that_cannot_be_sent_is_told_and_the_next_one_can(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, _ = by(Served, file)
    async with opening as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        with monkeypatch.context() as patch:
            patch.setattr(wire, "pack_batch", lambda *_, **__: 1 / 0)
            with pytest.raises(Unavailable, match="the store failed") as caught:
                await session.write(claim())
            assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert (await session.write(claim())).epoch == 1
        session.close()


# The line ---------------------------------------------------------------------------------------


async def test_no_room_for_a_line_is_told(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", none)
    with pytest.raises(Unavailable, match=r"no process can be started .*Too many open files"):
        async with SqliteJournal(file, writer="process").open():
            pytest.fail("opened without a process")


def test_a_process_ends_though_a_fork_of_this_one_holds_the_line(file: str) -> None:
    line = Line(file, verify=0, spawn=Served)
    assert line.ask() == []
    with line.end.dup():
        line.close()  # returns


@pytest.mark.parametrize("seconds", [10, 0.001])
async def test_what_an_applications_sockets_do_by_default_is_nothing_to_the_line(
    file: str, seconds: float
) -> None:
    socket.setdefaulttimeout(seconds)
    try:
        async with running(SqliteJournal(file, writer="process")) as session:
            assert (await session.write(claim())).epoch == 1
    finally:
        socket.setdefaulttimeout(None)


async def test_places_of_modules_that_are_none(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, None, 3, "a\0b", Path("/nowhere")])
    async with running(SqliteJournal(file, writer="process")) as session:
        assert (await session.write(claim())).epoch == 1
