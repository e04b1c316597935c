"""Writing in a process of its own: what a session sends to it, and what becomes of that."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from select import select
from threading import Thread
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import pytest
import trio
from attrs import frozen
from outcome import Error, Outcome, Value
from trio.testing import wait_all_tasks_blocked

import trido
from tests.journal.kit import AGENT, Served, claim, do, end_by_a_callback, turn
from trido.journal import Corrupt, Fenced, Locked, SqliteJournal, Unavailable, apart, wire
from trido.journal.apart import Apart
from trido.journal.line import Line, Process, spawn
from trido.journal.operations import Agents, Commit, Find, History, Mark, PlainTurn, Write
from trido.journal.remote import RemoteStore
from trido.journal.rows import FULL_EVERY, AgentKey, Directed, Recovery, Timer
from trido.journal.session import Session, open_session
from trido.journal.store import SqliteStore
from trido.journal.ways import InOneThread
from trido.journal.writer import receive, serve

pytestmark = pytest.mark.real_time


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "app.db")


class Played:
    """A process that does what the test says. Made as `trido.journal.line.spawn`."""

    made: list[Played]

    def __init__(self, end: socket.socket, file: str, verify: float) -> None:
        SqliteStore(file, verify=verify).close()
        self.end = end.dup()
        self.end.settimeout(0)
        self.end.sendall(wire.pack_result([]))
        self.read = bytearray()
        self.made.append(self)

    def batches(self) -> list[int]:
        """The sizes of the batches that have come since this was last asked."""
        sizes = []
        try:
            while some := self.end.recv(1 << 20):
                self.read += some
        except BlockingIOError:
            pass
        while self.read:
            end = 8 + wire.LENGTH.unpack_from(self.read)[0]
            if len(self.read) < end:
                break
            sizes.append(len(wire.unpack_batch(bytes(self.read[8:end]))[0]))
            del self.read[:end]
        return sizes

    def answer(self, size: int) -> None:
        """Say that a batch is written."""
        self.end.sendall(wire.pack_result([Value(None) for _ in range(size)]))

    def die(self) -> None:
        self.end.close()

    def wait(self) -> None:
        self.end.close()


@asynccontextmanager
async def session_of(file: str, spawn: Callable[..., Process]) -> AsyncGenerator[Session]:
    """A session by a process, whose writer runs."""
    store = RemoteStore(file, verify=0, spawn=spawn)
    opened = open_session(store.open, Apart(store), InOneThread())
    async with opened as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        yield session
        session.close()


@asynccontextmanager
async def played(file: str) -> AsyncGenerator[tuple[Session, Played]]:
    Played.made = []
    async with session_of(file, Played) as session:
        try:
            yield session, Played.made[0]
        except BaseException:
            Played.made[0].die()  # or it would be waited for
            raise


def send(session: Session, number: int, told: list[Any] | None = None) -> None:
    for _ in range(number):
        session.submit(claim(), cast("Any", (told if told is not None else []).append))


async def arrived(process: Played) -> list[int]:
    """The sizes of the next batches that come."""
    sizes = process.batches()
    while not sizes:
        await wait_all_tasks_blocked()
        sizes = process.batches()
    return sizes


async def the_second() -> Played:
    """The process that is started after the first."""
    while len(Played.made) < 2:
        await wait_all_tasks_blocked()
    return Played.made[1]


# Batches ----------------------------------------------------------------------------------------


async def test_what_was_sent_is_written_in_order_and_told(file: str) -> None:
    told: list[Outcome[Any]] = []
    async with session_of(file, Served) as session:
        run = await session.write(claim())
        for revision in range(1, 701):
            session.submit(turn(run, revision), told.append)
        fenced = await session.read(Find(AGENT, "k"))
        assert fenced is None
        with pytest.raises(Fenced) as caught:
            await session.write(turn(run, 5))
        assert (caught.value.epoch, caught.value.revision) == (1, 700)
        assert len(told) == 700
        assert {type(one) for one in told} == {Value}
        assert len(await session.read(History(AGENT))) == 700
        statistics = session.statistics()
        assert (statistics.waiting, statistics.writes) == (0, 702)
        assert 3 <= statistics.batches < 100


async def test_the_next_batch_is_there_when_one_is_written(file: str) -> None:
    async with played(file) as (session, process):
        send(session, 1)
        await wait_all_tasks_blocked()
        assert process.batches() == [1]
        send(session, apart.LOOK_EVERY)
        assert process.batches() == [apart.LOOK_EVERY]
        send(session, 2 * apart.LOOK_EVERY)
        assert process.batches() == []
        process.answer(1)
        await wait_all_tasks_blocked()
        assert process.batches() == [2 * apart.LOOK_EVERY]
        process.answer(apart.LOOK_EVERY)
        process.answer(2 * apart.LOOK_EVERY)


async def test_a_slow_disk_is_given_larger_batches(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "QUICK", -1)
    async with played(file) as (session, process):
        send(session, 1)
        await wait_all_tasks_blocked()
        process.answer(1)
        await wait_all_tasks_blocked()
        send(session, 1)
        await wait_all_tasks_blocked()
        send(session, 3 * apart.LOOK_EVERY)
        assert process.batches() == [1, 1]
        process.answer(1)
        await wait_all_tasks_blocked()
        assert process.batches() == [3 * apart.LOOK_EVERY]
        process.answer(3 * apart.LOOK_EVERY)


async def test_an_answer_is_seen_while_others_are_at_work(file: str) -> None:
    told: list[Outcome[Any]] = []
    async with played(file) as (session, process):
        send(session, 1, told)
        await wait_all_tasks_blocked()
        process.answer(1)
        send(session, apart.LOOK_EVERY)  # and no task has run meanwhile
        assert process.batches() == [1, apart.LOOK_EVERY]
        assert not told  # but by the task that tells
        await trio.testing.wait_all_tasks_blocked()
        assert len(told) == 1
        process.answer(apart.LOOK_EVERY)


async def test_those_who_are_told_send_the_next(file: str) -> None:
    sent: list[object] = []

    def again(_: object) -> None:
        sent.append(session.submit(claim(), sent.append))

    async with played(file) as (session, process):
        session.submit(claim(), again)
        await wait_all_tasks_blocked()
        process.answer(1)
        await wait_all_tasks_blocked()
        assert process.batches() == [1, 1]
        process.answer(1)
    assert len(sent) == 2


async def test_more_than_a_socket_holds_is_sent_and_received(file: str) -> None:
    value = os.urandom(3_000_000)
    async with session_of(file, Served) as session:
        run = await session.write(claim())
        await session.write(turn(run, state={"value": value}))
        assert (await session.write(claim())).state == {"value": value}


async def test_what_a_socket_does_not_hold_is_sent_once_there_is_room(file: str) -> None:
    run: Any = SimpleNamespace(agent=AGENT, epoch=1, revision=0)
    async with played(file) as (session, process):
        session.submit(turn(run, state={"value": os.urandom(3_000_000)}), lambda _: None)
        await wait_all_tasks_blocked()
        assert process.batches() == []  # not all of it
        assert await arrived(process) == [1]
        process.answer(1)


async def test_who_is_cancelled_before_it_is_sent_has_written_nothing(file: str) -> None:
    async with played(file) as (session, process):
        ticket = session.submit(claim(), lambda _: pytest.fail("it was told"))
        assert ticket.withdraw()
        await wait_all_tasks_blocked()
        assert process.batches() == []


# Ends -------------------------------------------------------------------------------------------


async def test_what_was_sent_is_answered_though_the_writer_is_cancelled(file: str) -> None:
    sent: list[Any] = []
    kept: list[Any] = []
    Played.made = []
    store = RemoteStore(file, verify=0, spawn=Played)
    opened = open_session(store.open, Apart(store), InOneThread())
    async with opened as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        send(session, 1, sent)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        send(session, 3, kept)
        with trio.CancelScope(shield=True):
            await wait_all_tasks_blocked(0.01)
        assert not sent
        assert Played.made[0].batches() == [1]
        Played.made[0].answer(1)
    assert [type(one) for one in sent] == [Value]
    assert [type(one.error) for one in kept] == [Unavailable] * 3


async def test_a_callback_that_raises_ends_the_writer_once_the_others_were_told(file: str) -> None:
    store = RemoteStore(file, verify=0, spawn=Served)
    async with open_session(store.open, Apart(store), InOneThread()) as session:
        await end_by_a_callback(session)


# A process that is not there --------------------------------------------------------------------


ENDED = "the process that writes to it has ended; try again: another one is started"


async def test_of_what_a_process_had_when_it_ended_nothing_is_known(file: str) -> None:
    told: list[Any] = []
    async with played(file) as (session, process):
        send(session, 1, told)
        await wait_all_tasks_blocked()
        send(session, apart.LOOK_EVERY, told)
        process.die()
        await wait_all_tasks_blocked()
        assert {str(one.error) for one in told} == {f"{file}: {ENDED}"}
        assert len(told) == 1 + apart.LOOK_EVERY
        send(session, 2, told)
        another = await the_second()
        assert await arrived(another) == [2]
        another.answer(2)
    assert [type(one) for one in told[-2:]] == [Value, Value]


async def test_another_process_is_started_once_one_is_missed(file: str) -> None:
    async with played(file) as (session, process):
        process.die()
        told: list[Any] = []
        send(session, 1, told)
        another = await the_second()
        assert await arrived(another) == [1]
        another.answer(1)
        await wait_all_tasks_blocked()
        assert [type(one) for one in told] == [Value]


async def test_who_waits_is_told_that_no_other_can_be_started(file: str) -> None:
    lives = iter([Served])

    def once(end: socket.socket, file: str, verify: float) -> Process:
        made = next(lives, None)
        if made is None:
            raise OSError(12, "no memory")
        ends.append(end.dup())
        return made(end, file, verify)

    ends: list[socket.socket] = []
    reason = r"no process can be started to write to it \(.*no memory\); see to that, or write in a"
    async with session_of(file, once) as session:
        await session.write(claim())
        await wait_all_tasks_blocked()
        ends[0].shutdown(socket.SHUT_RDWR)
        with pytest.raises(Unavailable, match=reason):
            await session.write(claim())
        assert len(await session.read(Agents())) == 1
    ends[0].close()
    with pytest.raises(Unavailable, match=reason):
        async with session_of(file, once):
            pytest.fail("opened without a process")


@pytest.mark.parametrize("where", ["/nowhere/python", "", None])
async def test_an_interpreter_that_is_not_there(
    file: str, where: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", where)
    with pytest.raises(Unavailable, match="no process can be started"):
        async with SqliteJournal(file, writer="process").open():
            pytest.fail("opened without a process")


@pytest.mark.parametrize("some", [b"", wire.pack_result([])[:3], wire.pack_result([])[:-1]])
def test_a_process_that_ends_in_the_middle_of_a_word(file: str, some: bytes) -> None:
    class Breaks(Played):
        def __init__(self, end: socket.socket, file: str, verify: float) -> None:
            self.end = end.dup()
            self.end.sendall(some)
            self.end.close()

    with pytest.raises(Unavailable, match="has ended"):
        RemoteStore(file, verify=0, spawn=Breaks).open()


def test_a_store_that_is_asked_finds_out_that_its_process_has_ended(file: str) -> None:
    Played.made = []
    store = RemoteStore(file, verify=0, spawn=Played).open()
    line, batch = store.line, wire.pack_batch([claim()], sync=True)
    assert line.is_open()
    line.send(batch)
    assert line.receive() is None
    Played.made[0].die()  # with something that it has not read
    assert not line.is_open()
    assert isinstance(line.receive(), Unavailable)
    line.send(batch)
    assert line.flush()
    assert isinstance(line.receive(), Unavailable)
    assert isinstance(line.ask(batch), Unavailable)
    store.close()


def test_the_writer_of_a_process_that_was_killed_is_given_time_to_end(file: str) -> None:
    here, there = socket.socketpair()
    orphan = SqliteStore(file, verify=0)
    with here, there:
        thread = Thread(target=serve, args=(there, file, 0))
        thread.start()
        assert not select([here], [], [], 0.05)[0]
        orphan.close()
        assert wire.unpack_result(receive(cast("Any", here.makefile("rb")))) == []
        here.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_nothing_is_written_for_whoever_has_gone(file: str) -> None:
    """As when a process is killed while its writer opens the file."""
    here, there = socket.socketpair()
    here.sendall(wire.pack_batch([claim()], sync=True))
    here.close()
    with there:
        serve(there, file, 0)
    store = SqliteStore(file, verify=0)
    assert do(store, claim()).epoch == 1
    store.close()


# Errors -----------------------------------------------------------------------------------------


def test_what_opening_says_is_told(file: str) -> None:
    Path(file).write_bytes(b"no journal" * 1000)
    with pytest.raises(Corrupt, match="it is no journal, or is damaged"):
        RemoteStore(file, verify=0, spawn=Served).open()


def test_a_file_that_somebody_has_open(file: str) -> None:
    store = SqliteStore(file, verify=0)
    with pytest.raises(Locked, match="it is open already"):
        RemoteStore(file, verify=0, spawn=Served).open()
    store.close()


def test_a_file_that_cannot_be_read_here_is_given_back(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> None:
        raise Unavailable(file, "no", "no")

    monkeypatch.setattr("trido.journal.remote.SqliteShelf", refuse)
    with pytest.raises(Unavailable):
        RemoteStore(file, verify=0, spawn=Served).open()
    SqliteStore(file, verify=0).close()


def test_a_mistake_in_the_store_is_told(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RemoteStore(file, verify=0, spawn=Served).open()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by zero")

    with monkeypatch.context() as patched:
        patched.setattr(SqliteStore, "carry_out", fail)
        with pytest.raises(Unavailable, match=r"the store failed \(ZeroDivisionError\('by zero'\)"):
            do(store, claim())
    assert do(store, claim()).epoch == 1
    store.close()


def test_a_mistake_when_it_is_opened_is_told(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("trido.journal.writer.SqliteStore", fail)
    with pytest.raises(Unavailable, match="the store failed"):
        RemoteStore(file, verify=0, spawn=Served).open()


@frozen
class Count:
    value: int = 0


class Name(StrEnum):
    A = "a"


SENT: list[dict[str, Any]] = [
    {},
    {"state": MappingProxyType({"value": b"1"})},
    {"consumes": "id", "reply": b"r"},
    {"consumes": Name.A, "state": {Name.A: b"1"}},
    {"directives": (Directed("Emit", b"x"),), "state": MappingProxyType({Name.A: b"1"})},
    {"timers": (Timer(Name.A, 1, b""),), "cancelled": ("t",)},
]


@pytest.mark.parametrize("fields", SENT)
@pytest.mark.parametrize("sync", [True, False])
def test_a_batch_arrives_as_it_was_sent(fields: dict[str, Any], *, sync: bool) -> None:
    run = Recovery(
        agent=AgentKey("a", Name.A),
        name="counter",
        epoch=1,
        revision=0,
        state={},
        directives=(),
        unknown=(),
        timers=(),
        known={},
    )
    batch: list[Write[Any]] = [claim(), turn(run, **fields), Mark(AGENT, 1, 1, 0, "done")]
    back, is_synced = wire.unpack_batch(wire.pack_batch(batch, sync=sync)[8:])
    assert (back, is_synced) == (batch, sync)
    arrived: Any = back[1]
    timers = [one.key for one in arrived.timers]
    texts = [arrived.agent.id, arrived.agent.partition, *arrived.state, *timers]
    assert {type(one) for one in texts} == {str}
    assert type(arrived.state) is dict


@pytest.mark.parametrize("state", [{"value": b"1"}, MappingProxyType({"value": b"1"})])
@pytest.mark.parametrize("full", [True, False])
def test_of_a_turn_that_only_changes_the_state_its_fields_arrive(
    state: Mapping[str, bytes], *, full: bool
) -> None:
    agent = AgentKey("a", "acme")
    commit = Commit(agent=agent, epoch=2, revision=3, at=4, input=b"5", state=state, full=full)
    back, _ = wire.unpack_batch(wire.pack_batch([commit], sync=True)[8:])
    assert back == [("a", "acme", 2, 3, 4, b"5", {"value": b"1"}, full)]
    assert back == [commit.as_plain_turn()]


@pytest.mark.parametrize("more", [{"consumes": "id"}, {"reply": b"r"}])
def test_of_a_turn_that_consumes_an_input_all_fields_arrive(more: dict[str, Any]) -> None:
    state = {"value": b"1"}
    commit = Commit(agent=AGENT, epoch=2, revision=3, at=4, input=b"5", state=state, **more)
    back, _ = wire.unpack_batch(wire.pack_batch([commit], sync=True)[8:])
    assert back == [commit]


def test_plain_turns_are_judged_as_others(file: str) -> None:
    def plain(revision: int, *, of: str = AGENT.id, full: bool = False) -> PlainTurn:
        return (of, "", 1, revision, 0, b"", {"value": b"%d" % revision}, full)

    store = SqliteStore(file, verify=0)
    do(store, claim())
    batch = [plain(1, full=True), plain(1, of="nobody"), plain(1), plain(3), plain(2)]
    results = store.carry_out(batch, sync=True)
    assert [one and type(cast("Error", one).error) for one in results] == [
        None,
        Fenced,
        Fenced,
        Fenced,
        None,
    ]
    *accepted, refused = store.carry_out(
        [plain(revision) for revision in range(3, FULL_EVERY + 2)], sync=True
    )
    assert accepted == [None] * (FULL_EVERY - 2)
    assert isinstance(cast("Error", refused).error, trido.SpecError)
    turns = store.read(History(AGENT))
    assert [one.revision for one in turns] == [*range(1, FULL_EVERY + 1)]
    assert turns[-1].state == {"value": b"%d" % FULL_EVERY}
    store.close()


@pytest.mark.parametrize("writer", ["pigeon", None, True])
def test_who_writes_is_one_of_two(file: str, writer: Any) -> None:
    allowed = r"writer=.* is not allowed; it must be one of 'thread', 'process'"
    with pytest.raises(trido.SpecError, match=allowed):
        SqliteJournal(file, writer=writer)


# Real processes ---------------------------------------------------------------------------------


def open_line(file: str) -> tuple[Line, subprocess.Popen[bytes]]:
    made: list[subprocess.Popen[bytes]] = []

    def start(end: socket.socket, file: str, verify: float) -> Process:
        made.append(cast("subprocess.Popen[bytes]", spawn(end, file, verify)))
        return made[0]

    line = Line(file, verify=0, spawn=start)
    assert line.ask() == []
    return line, made[0]


def test_a_process_ignores_what_is_said_to_all_and_ends_with_the_line(file: str) -> None:
    line, process = open_line(file)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process.send_signal(number)
    (result,) = cast("Any", line.ask(wire.pack_batch([claim()], sync=True)))
    assert result.unwrap().epoch == 1
    with pytest.raises(Locked):
        SqliteStore(file, verify=0)
    line.close()
    assert process.returncode == 0
    store = SqliteStore(file, verify=0)
    assert do(store, claim()).epoch == 2
    store.close()


async def test_agents_live_on_when_the_process_that_writes_is_killed(file: str) -> None:
    counter = trido.Agent("counter", state=Count, durability="sync")
    pids: list[int] = []

    @counter.on("add")
    def add(state: Count, data: int) -> Count:
        return Count(state.value + data)

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **settings)
            pids.append(self.pid)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(subprocess, "Popen", Noted)
        journal = SqliteJournal(file, writer="process")
        async with trido.open_runtime(journal=journal, agents=(counter,)) as rt:
            ref = await rt.start_agent(counter, id="c")
            acknowledged = 0
            for round in range(3):
                acknowledged = (await ref.call(trido.Signal("add", 1))).value
                os.kill(pids[round], signal.SIGKILL)
                with trio.fail_after(30):
                    while True:  # it may be that it is not known whether it was written
                        try:
                            acknowledged = (await ref.call(trido.Signal("add", 1))).value
                        except trido.TridoError:
                            await trio.sleep(0.01)
                        else:
                            break
        assert len(pids) == 4
    async with trido.open_runtime(journal=SqliteJournal(file), agents=(counter,)) as rt:
        assert (await rt.start_agent(counter, id="c")).state() == Count(acknowledged)
    assert acknowledged >= 6


FORKS: str = """
import os, signal, socket, sys, time
from trido.journal import wire
from trido.journal.line import Line, spawn
line = Line(sys.argv[1], verify=0, spawn=spawn)
assert line.ask() == []
if os.fork() == 0:
    os.close(1)
    time.sleep(20)
    os._exit(0)
print("there", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_ends_with_its_parent_though_a_fork_of_that_is_left(file: str) -> None:
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", FORKS, file],
        env=path,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout
        assert process.stdout.read() == b"there\n"
    assert process.returncode == -signal.SIGKILL
    line, _ = open_line(file)  # which waits for a moment
    line.close()
    os.killpg(process.pid, signal.SIGKILL)
