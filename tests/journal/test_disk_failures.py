"""Whatever the disk does, what was acknowledged is there, and what is there is whole."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.journal.disk import FLIP, FULL, IO, SHORT, Disk, Fault, can_fail, failing_disk
from tests.journal.kit import claim, do
from trido.journal import Corrupt, JournalError, Unavailable
from trido.journal.operations import Commit, Find, History, Mark
from trido.journal.rows import AgentKey, Directed, Recovery, Timer
from trido.journal.store import SqliteStore
from trido.journal.upkeep import check

pytestmark = pytest.mark.skipif(not can_fail(), reason="SQLite is linked into Python, and hidden")

KEYS = [AgentKey(f"agent-{number}") for number in range(4)]
ROUNDS = 6


@pytest.fixture
def disk() -> Iterator[Disk]:
    with failing_disk() as disk:
        yield disk


class Client:
    """Makes turns, one batch after another, and remembers what it was told had happened."""

    def __init__(self, file: Path) -> None:
        self.file = str(file)
        self.acknowledged: dict[AgentKey, int] = dict.fromkeys(KEYS, 0)
        self.refused = 0

    def run(self, *, sync: bool = True) -> None:
        """Whatever fails, go on: open again, or claim again."""
        for _ in range(ROUNDS):
            try:
                with opened(self.file) as store:
                    self.work(store, sync=sync)
            except JournalError:
                self.refused += 1
            else:
                return

    def work(self, store: SqliteStore, *, sync: bool) -> None:
        runs: dict[AgentKey, Recovery] = {}
        for _ in range(ROUNDS):
            try:
                for key in KEYS:
                    runs[key] = do(store, claim(key), sync=sync)
                    assert runs[key].revision >= self.acknowledged[key]
                self.turns(store, list(runs.values()), sync=sync)
            except Unavailable:
                self.refused += 1

    def turns(self, store: SqliteStore, runs: list[Recovery], *, sync: bool) -> None:
        for revision in (1, 2):
            batch: list[Any] = [self.turn(run, run.revision + revision) for run in runs]
            marks = [Mark(run.agent, run.epoch, run.revision + revision, 0, "done") for run in runs]
            for result in store.write([*batch, *marks], sync=sync):
                assert result.unwrap() is None
            for one in batch:
                self.acknowledge(one.agent, one.revision)

    def acknowledge(self, key: AgentKey, revision: int) -> None:
        self.acknowledged[key] = revision

    def turn(self, run: Recovery, revision: int) -> Commit:
        return Commit(
            agent=run.agent,
            epoch=run.epoch,
            revision=revision,
            at=revision,
            input=b"%d" % revision * 50,
            state={"value": b"%d" % revision},
            full=True,
            consumes=f"{revision}",
            reply=b"%d" % revision,
            directives=(Directed("Emit", b"x" * 100), Directed("Charge", b"y")),
            timers=(Timer("t", revision, b""),),
        )

    def judge(self, file: Path) -> None:
        """All that was acknowledged is there, and all that is there is whole."""
        with opened(str(file)) as store:
            for key in KEYS:
                self.judge_one(store, key)
        assert not check(str(file), lambda *_: None)

    def judge_one(self, store: SqliteStore, key: AgentKey) -> None:
        run = do(store, claim(key))
        assert run.revision >= self.acknowledged[key]
        past = store.read(History(key))
        assert [one.revision for one in past] == list(range(1, run.revision + 1))
        for one in past:
            assert one.state == {"value": b"%d" % one.revision}
            assert [entry.status for entry in one.directives] == ["done", "pending"]
            kept = store.read(Find(key, f"{one.revision}"))
            assert kept
            assert kept.reply == b"%d" % one.revision
        assert len(run.timers) == bool(run.revision)

    def notices(self, file: Path) -> bool:
        """Whether damage is noticed; of what is not damaged, all is there."""
        found = []
        try:
            with opened(str(file)) as store:
                for key in KEYS:
                    try:
                        self.judge_one(store, key)
                    except Corrupt as error:
                        found.append(error)
        except Corrupt:
            return True
        return bool(found or check(str(file), lambda *_: None))


@contextmanager
def opened(file: str) -> Generator[SqliteStore]:
    store = SqliteStore(file, verify=2**20)
    try:
        yield store
    finally:
        store.close()


def operations(disk: Disk, file: Path, operation: str) -> int:
    """How many of them a run without failures takes."""
    counted = 0

    def count(one: str, _: str) -> None:
        nonlocal counted
        counted += one == operation

    disk.fails = count
    client = Client(file)
    client.run()
    assert not client.refused
    client.judge(file)
    disk.mend()
    return counted


@pytest.mark.parametrize(
    ("operation", "fault", "times"),
    [
        ("write", FULL, 1),
        ("write", SHORT, 3),
        ("write", IO, 1),
        ("sync", IO, 1),
        ("sync", IO, 2),
        ("truncate", IO, 1),
        ("read", IO, 1),
        ("write", FULL, 10),
    ],
)
def test_nothing_acknowledged_is_lost_wherever_the_disk_fails(
    disk: Disk, tmp_path: Path, operation: str, fault: Fault, times: int
) -> None:
    """Every single operation in turn, and those after it; also while the file is made."""
    of = operations(disk, tmp_path / "whole.db", operation)
    assert of
    refused = 0
    for nth in range(1, of + 1, max(of // 40, 1)):
        file = tmp_path / f"{nth}.db"
        client = Client(file)
        disk.fail(operation, nth=nth, fault=fault, times=times)
        client.run()
        disk.mend()
        client.judge(file)
        refused += client.refused
    assert refused or operation == "truncate"  # a log that is not cut off is no failure


@pytest.mark.parametrize("path", [".db", "-wal"])
def test_a_bit_that_the_disk_flips_is_noticed_or_nothing_is_lost(
    disk: Disk, tmp_path: Path, path: str
) -> None:
    """In writes all over a run, as they are stored: to the file, or to its log."""
    of = operations(disk, tmp_path / "whole.db", "write")
    noticed = 0
    for nth in range(1, of + 1, max(of // 8, 1)):
        file = tmp_path / f"{nth}.db"
        client = Client(file)
        disk.fail("write", nth=nth, fault=FLIP, path=path)
        client.run()
        disk.mend()
        noticed += client.notices(file)
    assert noticed or path == "-wal"  # there a page is soon written again


@pytest.mark.real_time
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_process_can_be_killed_before_any_operation_on_a_file(disk: Disk, tmp_path: Path) -> None:
    """Each in turn; also while the file is made, opened and closed."""
    nth, alive = 1, False
    while not alive:
        file = tmp_path / f"{nth}.db"
        client = Client(file)
        alive = killed_at(disk, nth, client)
        client.judge(file)
        nth += 1 if nth < 60 else 7
    assert nth > 150


def killed_at(disk: Disk, nth: int, client: Client) -> bool:
    """Have a process do the client's work until an operation. Whether it came to its end."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        # Nothing of the tests is to run in here, however it ends.
        try:
            disk.kill_at(nth)
            Telling(client.file, writing).run()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        for line in told:
            id, revision = line.split()
            client.acknowledged[AgentKey(id)] = int(revision)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status)


class Telling(Client):
    """Tells another process what was acknowledged."""

    def __init__(self, file: str, pipe: int) -> None:
        super().__init__(Path(file))
        self.pipe = pipe

    def acknowledge(self, key: AgentKey, revision: int) -> None:
        super().acknowledge(key, revision)
        os.write(self.pipe, f"{key.id} {revision}\n".encode())


@pytest.mark.parametrize("sync", [True, False])
def test_what_was_acknowledged_with_sync_survives_a_crash_of_the_machine(
    disk: Disk, tmp_path: Path, *, sync: bool
) -> None:
    """At every sync in turn; without ``sync``, what is there is a whole beginning."""
    random = Random(4)
    crashes = 0
    file = tmp_path / "app.db"
    client = Client(file)

    def crash(operation: str, _: str) -> Fault | None:
        nonlocal crashes
        if operation in {"sync", "write"} and random.random() < 0.1 and file.exists():
            crashes += 1
            remains = tmp_path / f"{crashes}"
            remains.mkdir()
            disk.crash(remains, random)
            crashed.append((remains, dict(client.acknowledged)))
        return None

    crashed: list[tuple[Path, dict[AgentKey, int]]] = []
    disk.fails = crash
    client.run(sync=sync)
    client.run(sync=sync)
    disk.mend()
    assert crashes > 20
    for remains, acknowledged in crashed:
        after = Client(remains / "app.db")
        after.acknowledged = acknowledged if sync else after.acknowledged
        after.judge(remains / "app.db")


def test_a_failed_fsync_is_not_built_upon(disk: Disk, tmp_path: Path) -> None:
    """The kernel tells it once, and takes for written what is not. What comes later must hold."""
    client = Client(tmp_path / "app.db")
    with opened(client.file) as store:
        client.work(store, sync=False)
        disk.fail("sync", nth=1, fault=IO, path="-wal")
        client.work(store, sync=True)
        assert client.refused == 1
        for number in range(20):
            remains = tmp_path / f"{number}"
            remains.mkdir()
            disk.crash(remains, Random(number))
            client.judge(remains / "app.db")


def test_a_full_disk_is_told_and_left_behind_once_there_is_room(disk: Disk, tmp_path: Path) -> None:
    with opened(str(tmp_path / "app.db")) as store:
        run = do(store, claim())
        disk.fail("write", nth=1, fault=FULL, times=float("inf"))
        for _ in range(3):
            with pytest.raises(Unavailable, match="the disk is full") as caught:
                do(store, Client(tmp_path).turn(run, 1))
            assert caught.value.remedy == "make room"
            assert store.read(History(run.agent)) == ()
        disk.mend()
        do(store, Client(tmp_path).turn(run, 1))
        assert [one.revision for one in store.read(History(run.agent))] == [1]
    assert not check(str(tmp_path / "app.db"), lambda *_: None)
