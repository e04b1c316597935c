"""Files that are no journals, or no sound ones: a typed error each, and nothing is overwritten."""

from __future__ import annotations

import errno
import math
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from random import Random
from typing import Any

import pytest
from attrs import evolve
from outcome import Error, Outcome, Value

import trido
from tests.journal.disk import IO, can_fail, failing_disk
from tests.journal.kit import AGENT, claim, do, refusal, running, turn
from trido.errors import SpecError
from trido.journal import (
    Corrupt,
    JournalError,
    Locked,
    SqliteJournal,
    TooNew,
    Unavailable,
    layout,
    opening,
)
from trido.journal.faults import failure
from trido.journal.operations import Find, History, Letters, Mark, Resolve, Waking
from trido.journal.reading import AGENT as COLUMNS
from trido.journal.rows import AgentKey, Directed, Keep, Timer
from trido.journal.store import SqliteStore
from trido.journal.sweep import EVERY
from trido.journal.upkeep import check, inspect

needs_a_disk = pytest.mark.skipif(not can_fail(), reason="SQLite is linked in, and hidden")

PAGE = 4096
KEYS = [AgentKey(f"agent-{number}") for number in range(6)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


@contextmanager
def opened(file: Path, *, verify: float = 2**20) -> Generator[SqliteStore]:
    store = SqliteStore(str(file), verify=verify)
    try:
        yield store
    finally:
        store.close()


def fill(file: Path, *, input: bytes = b"input") -> None:
    with opened(file) as store:
        for key in KEYS:
            run = do(store, claim(key))
            for revision in range(1, 9):
                do(
                    store,
                    turn(
                        run,
                        revision,
                        full=revision == 1,
                        input=input,
                        state={"value": b"%d" % revision * 40},
                        consumes=f"input-{revision}",
                        reply=b"reply",
                        directives=(Directed("Emit", b"data" * 20),),
                        timers=(Timer("t", revision, b"timer"),),
                    ),
                )
                do(
                    store,
                    Mark(key, run.epoch, revision, 0, ("done", "dead", "started")[revision % 3]),
                )


def content(store: SqliteStore) -> dict[str, Any]:
    """All that can be asked; for what is damaged, nothing. A refusal must be `Corrupt`."""
    found: dict[str, Any] = {"waking": [one.agent for one in store.read(Waking(99))]}
    for query in (
        Letters(),
        *(History(key) for key in KEYS),
        *(Find(key, f"input-{one}") for key in KEYS for one in (1, 8)),
    ):
        try:
            found[str(query)] = store.read(query)
        except Corrupt:
            found[str(query)] = None
    for key in KEYS:
        (result,) = store.write([claim(key)], sync=False)
        found[str(key)] = recovered(result)
    return found


def damage_page(file: Path, of: str) -> bytes:
    """The first page of a table or an index."""
    connection = sqlite3.connect(file)
    where = "WHERE name = ?"
    (root,) = connection.execute(f"SELECT rootpage FROM sqlite_schema {where}", (of,)).fetchone()
    connection.close()
    content = bytearray(file.read_bytes())
    content[(root - 1) * PAGE : root * PAGE] = b"\xff" * PAGE
    file.write_bytes(content)
    return bytes(content)


def recovered(result: Outcome[Any]) -> object:
    try:
        return result.unwrap()
    except Corrupt:
        return None


def check_open(file: Path, kind: type[JournalError], reason: str, remedy: str = "") -> None:
    """It is refused, and left as it is."""
    before = bytes_of(file)
    with pytest.raises(kind) as caught, opened(file):
        pytest.fail("opened")
    assert caught.value.file == str(file)
    assert reason in caught.value.reason
    assert remedy in caught.value.remedy
    assert bytes_of(file) == before


def bytes_of(file: Path) -> bytes | None:
    return file.read_bytes() if os.path.isfile(file) else None  # noqa: PTH113  # of any name


# What is no journal -----------------------------------------------------------------------------


def test_a_directory(tmp_path: Path) -> None:
    check_open(tmp_path, Unavailable, "it is a directory", "give the path of a file")


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    check_open(tmp_path / "no" / "app.db", Unavailable, "cannot be opened", "must be there")


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    check_open(tmp_path / ("x" * 300), Unavailable, "its name is too long", "a shorter one")


def test_a_text_file(file: Path) -> None:
    file.write_text("# To do\n" * 1000)
    check_open(file, Corrupt, "no journal", "restore a backup")


def test_an_empty_file(file: Path) -> None:
    file.touch()
    check_open(file, Corrupt, "it is empty", "move it away, with its -wal")


def test_another_sqlite_file(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    check_open(file, Corrupt, "no journal", "a file that is not there yet")


def test_a_newer_format(file: Path) -> None:
    fill(file)
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    check_open(file, TooNew, "its format is 2, and this trido knows 1", "the trido that wrote it")


def test_a_log_without_its_file(file: Path) -> None:
    Path(f"{file}-wal").write_bytes(b"log")
    check_open(file, Corrupt, "its log is there, and the file is not", "put the file back")
    Path(f"{file}-wal").write_bytes(b"")  # is none
    fill(file)


def test_an_unfinished_new_one_is_made_anew(file: Path) -> None:
    Path(f"{file}-unfinished").write_text("half")
    fill(file)
    assert not Path(f"{file}-unfinished").exists()


@pytest.mark.parametrize("path", ["", ":memory:", "a\0b", 3, None])
def test_a_path_that_is_none(path: Any) -> None:
    with pytest.raises(SpecError, match=r"SqliteJournal: path=.* is not allowed"):
        SqliteJournal(path)


@pytest.mark.parametrize("verify", [-1, float("nan"), True, "all"])
def test_a_size_that_is_none(file: Path, verify: Any) -> None:
    with pytest.raises(SpecError, match=r"verify=.* must be a number of bytes"):
        SqliteJournal(file, verify=verify)


def test_names_that_are_awkward_in_addresses(tmp_path: Path) -> None:
    file = tmp_path / "a b?mode=memory&x#1%41é.db"
    fill(file)
    assert file.exists()


# Rights -----------------------------------------------------------------------------------------


@needs_a_disk
def test_a_file_that_may_not_be_written(file: Path) -> None:
    fill(file)
    with failing_disk() as disk:
        disk.read_only = file.name
        check_open(file, Unavailable, "it cannot be written", "let the process write the file")


@needs_a_disk
def test_a_directory_that_may_not_be_written(file: Path) -> None:
    fill(file)
    Path(f"{file}-lock").unlink()
    with failing_disk() as disk:
        disk.fail("open", nth=1, fault=(sqlite3.SQLITE_CANTOPEN, False), path="-lock")
        check_open(file, Unavailable, "it cannot be opened", "must be able to write there")


@needs_a_disk
def test_a_lock_that_may_not_be_written(file: Path) -> None:
    fill(file)
    with failing_disk() as disk:
        disk.fail("lock", nth=2, fault=IO, path="-lock")
        check_open(file, Unavailable, "the disk failed")


# Who else has it --------------------------------------------------------------------------------

HOLD = """
import sys, trio
from trido.journal import SqliteJournal
async def main():
    async with SqliteJournal(sys.argv[1]).open():
        print("opened", flush=True)
        sys.stdin.read()
trio.run(main)
"""


@contextmanager
def holding(file: Path) -> Generator[subprocess.Popen[str]]:
    """Another process that has the journal open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(trido.__file__).parents[1],
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "opened\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.real_time
async def test_a_second_process_is_locked_out_until_the_first_is_gone(file: Path) -> None:
    with holding(file) as process:
        check_open(file, Locked, "it is open already", "close the session that has it")
        assert not await SqliteJournal(file).check()  # looking is allowed
        process.kill()
        process.wait()
    async with running(SqliteJournal(file)) as session:
        assert (await session.write(claim())).epoch == 1


def test_two_names_of_a_file_are_one_journal(file: Path) -> None:
    other = file.with_name("link.db")
    with opened(file):
        other.symlink_to(file)
        path = Path(SqliteJournal(other).path)
        assert path == file.resolve()
        check_open(path, Locked, "it is open already")


VISIT = (
    "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM agents').fetchall()"
)
"""Who comes last, and can write, takes the log away."""


@pytest.mark.real_time
@pytest.mark.parametrize("looking", ["check", "inspect", "opening it again"])
def test_who_looks_does_not_take_the_locks_of_who_writes_away(file: Path, looking: str) -> None:
    fill(file)
    with opened(file) as store:  # with nothing in the log
        if looking == "check":
            assert not check(str(file), lambda *_: None)
        elif looking == "inspect":
            inspect(str(file), lambda *_: None)
        else:
            with pytest.raises(Locked):
                SqliteStore(str(file), verify=0)
        subprocess.run([sys.executable, "-c", VISIT, str(file)], check=True)
        do(store, claim(), sync=True)
        assert inspect(str(file), lambda *_: None).agents == len(KEYS) + 1


@pytest.mark.parametrize("way", [opening.writer, partial(opening.reader, whole_up_to=0)])
def test_nobody_else_opens_a_file_while_its_first_bytes_are_looked_at(
    file: Path, monkeypatch: pytest.MonkeyPatch, way: Callable[[str], sqlite3.Connection]
) -> None:
    fill(file)
    events = SimpleQueue[str]()
    began, open_bytes = threading.Event(), Path.open

    def slow(path: Path, *args: Any) -> Any:
        bytes = open_bytes(path, *args)
        began.set()
        other.join(0.1)  # it waits for us, or else is through by then
        events.put("looked")
        return bytes

    def open_too() -> None:
        assert began.wait(10)
        way(str(file)).close()
        events.put("opened")

    monkeypatch.setattr(Path, "open", slow)
    other = threading.Thread(target=open_too)
    other.start()
    assert opening.exists(str(file))
    other.join()
    assert [events.get(), events.get()] == ["looked", "opened"]


def test_a_failed_opening_leaves_the_lock_free(file: Path) -> None:
    file.write_bytes(b"no journal" * 1000)
    check_open(file, Corrupt, "no journal")
    file.unlink()
    fill(file)


def test_another_program_that_writes_is_waited_for_and_then_told(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "BUSY", 0.01)
    with opened(file) as store:
        run = do(store, claim())
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="another program is writing to it"):
            do(store, turn(run))
        other.execute("ROLLBACK")
        other.execute("BEGIN")
        other.execute("SELECT * FROM agents").fetchall()
        with pytest.raises(Unavailable, match="it is being read; try again when that is over"):
            do(store, turn(run))
        other.close()
        do(store, turn(run))


# Damage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verify", [math.inf, 0])
def test_whatever_bit_is_flipped_it_is_noticed_or_nothing_is_lost(
    file: Path, verify: float
) -> None:
    fill(file)
    good = file.read_bytes()
    with opened(file) as store:
        whole = content(store)
    random, noticed, refused = Random(2), 0, 0
    for _ in range(250):
        at = random.randrange(len(good))
        damaged = bytearray(good)
        damaged[at] ^= 1 << random.randrange(8)
        file.write_bytes(damaged)
        try:
            with opened(file, verify=verify) as store:
                found = content(store)
        except (Corrupt, TooNew):
            refused += 1
            # What could not be read was not written to, if it was looked at whole.
            assert not verify or file.read_bytes() == damaged
            continue
        noticed += None in found.values()
        if verify:
            # An epoch grows with every claim, also with those before the damage.
            assert all(found[one] in (None, whole[one]) for one in whole)
    assert noticed > 20
    assert refused > 5


def test_a_damaged_agent_is_refused_and_the_others_go_on(file: Path) -> None:
    fill(file)
    good = file.read_bytes()
    at = good.rindex(b"8" * 40)
    file.write_bytes(good[:at] + b"9" + good[at + 1 :])
    with opened(file) as store:
        results = store.write([claim(key) for key in KEYS], sync=True)
        refused = [one for one in results if isinstance(one, Error)]
        (error,) = [one.error for one in refused]
        assert isinstance(error, Corrupt)
        assert "revision 8 of agent 'agent-0' is damaged" in str(error)
        assert "restore a backup" in error.remedy
        sound = results[1].unwrap()
        do(store, turn(sound))
        assert store.read(History(sound.agent))[-1].revision == 9
    assert any("'agent-0'" in said for said in check(str(file), lambda *_: None))


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_off(file: Path, part: float) -> None:
    fill(file)
    good = file.read_bytes()
    file.write_bytes(good[: int(len(good) * part)])
    check_open(file, Corrupt, "it is")


def test_damage_that_is_met_later_ends_all_writing(file: Path) -> None:
    """A page of a table that is written to, and was not looked at when it was opened."""
    fill(file)
    damaged = damage_page(file, "inbox_key")
    with opened(file, verify=0) as store:
        run = do(store, claim(known=0))
        for _ in range(2):
            with pytest.raises(Corrupt, match="it is damaged"):
                do(store, turn(run, consumes="k"))
            with pytest.raises(Corrupt):
                store.read(Find(KEYS[0], "input-1"))
    assert file.read_bytes() == damaged
    check_open(file, Corrupt, "it is damaged")


def test_a_damaged_page_of_an_agent_refuses_its_claim_only(file: Path) -> None:
    fill(file)
    damage_page(file, "timers")
    with opened(file, verify=0) as store:
        results = store.write([claim(KEYS[0])], sync=True)
        assert isinstance(refusal(results[0]), Corrupt)


def test_a_damaged_row_refuses_the_write_that_needs_it(file: Path) -> None:
    fill(file)
    connection = sqlite3.connect(file)
    connection.execute("UPDATE inbox SET reply = x'00' WHERE agent = 1 AND revision = 8")
    connection.execute("UPDATE agents SET revision = 7 WHERE agent = 2")
    connection.execute("UPDATE outbox SET note = 'x' WHERE agent = 3 AND status = 'dead'")
    connection.commit()
    connection.close()
    with opened(file) as store:
        run = do(store, claim(KEYS[0], known=0))
        other = do(store, claim(KEYS[4]))
        batch: list[Any] = [
            turn(run, consumes="input-8"),
            turn(other, consumes="new"),
            turn(evolve(run, agent=KEYS[1]), consumes="new"),
            Resolve(KEYS[2], 4, 0, "done"),
        ]
        first, second, third, fourth = store.write(batch, sync=True)
        assert "input 'input-8' is damaged" in str(refusal(first))
        assert second.unwrap() is None
        assert "agent 'agent-1' is damaged" in str(refusal(third))
        assert "a directive of agent 'agent-2' is damaged" in str(refusal(fourth))


def test_a_damaged_page_refuses_whoever_needs_it_and_nobody_else(file: Path) -> None:
    """SQLite gives up the whole transaction; the others are written by another one."""
    fill(file, input=b"x" * 1500)  # so that agents do not share all pages
    content = bytearray(file.read_bytes())
    content[content.index(b"8" * 40) // PAGE * PAGE] = 0xFF  # no kind of page that there is
    file.write_bytes(content)
    with opened(file, verify=0) as store:
        results = store.write([claim(key) for key in KEYS], sync=True)
        refused = [one for one in results if isinstance(one, Error)]
        runs = [one.unwrap() for one in results if isinstance(one, Value)]
        assert all(isinstance(one.error, Corrupt) for one in refused)
        assert refused
        assert runs
        written = store.write([turn(run, consumes="new") for run in runs], sync=True)
        assert [one.unwrap() for one in written] == [None] * len(runs)


def test_a_mistake_of_the_store_s_own_is_rolled_back(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with opened(file) as store:
        run = do(store, claim())
        with monkeypatch.context() as patch:
            patch.setattr(store._sweep, "after", fail)
            with pytest.raises(ZeroDivisionError):
                do(store, turn(run))
        assert store.read(History(AGENT)) == ()
        do(store, turn(run))


def test_a_chain_of_turns_that_leads_elsewhere_is_damage(file: Path) -> None:
    fill(file)
    connection = sqlite3.connect(file)
    row = list(connection.execute(f"SELECT {COLUMNS} FROM agents WHERE agent = 1").fetchone())
    row[7] = 9  # the first turn of the second agent
    row[-1] = layout.seal_agent(*row[:-1])
    connection.execute("UPDATE agents SET last = 9, seal = ? WHERE agent = 1", (row[-1],))
    connection.commit()
    connection.close()
    with opened(file) as store:
        (result,) = store.write([claim(KEYS[0])], sync=True)
        assert "revision 8 of agent 'agent-0' is damaged" in str(refusal(result))


def test_an_error_of_sqlite_that_has_no_name_is_told_as_it_is() -> None:
    error = failure("app.db", sqlite3.ProgrammingError("closed"))
    assert str(error) == "app.db: SQLite failed (closed); see what it says"
    assert failure("app.db", sqlite3.Error("in\n  two lines")).reason.endswith("(in two lines)")
    assert isinstance(failure("", OSError("no")), Unavailable)
    assert isinstance(failure("", UnicodeDecodeError("utf-8", b"", 0, 1, "")), Corrupt)


@pytest.mark.parametrize(
    ("number", "reason", "remedy"),
    [
        (errno.EMFILE, "too many files are open", "close some, or raise the limit"),
        (errno.ENFILE, "too many files are open", "close some, or raise the limit"),
        (errno.ENOSPC, "the disk is full", "make room"),
        (errno.EDQUOT, "the disk is full", "make room"),
        (errno.EIO, "the disk failed", "see to the disk"),
        (errno.ENAMETOOLONG, "its name is too long", "give it a shorter one"),
    ],
)
def test_what_the_system_says(number: int, reason: str, remedy: str) -> None:
    error = failure("app.db", OSError(number, "no"))
    assert isinstance(error, Unavailable)
    assert str(error) == f"app.db: {reason} ([Errno {number}] no); {remedy}"


def test_a_torn_tail_is_cut_back_to_the_last_whole_transaction(tmp_path: Path, file: Path) -> None:
    ends, log = [], Path(f"{file}-wal")
    with opened(file) as store:
        run = do(store, claim())
        for revision in range(1, 9):
            do(store, turn(run, revision, directives=(Directed("Emit", b"x" * 999),)))
            ends.append(log.stat().st_size)
        whole, database = log.read_bytes(), file.read_bytes()
    for number, cut in enumerate(range(0, len(whole) + 1, len(whole) // 50)):
        torn = tmp_path / f"{number}.db"
        torn.write_bytes(database)
        Path(f"{torn}-wal").write_bytes(whole[:cut])
        with opened(torn) as store:
            found = do(store, claim())
            assert found.revision == sum(end <= cut for end in ends)
            assert len(found.directives) == found.revision
        assert not check(str(torn), lambda *_: None)


# What is remembered, and forgotten --------------------------------------------------------------


def test_agents_that_are_not_remembered_are_read_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trido.journal.store.REMEMBERED", 2)
    with opened(file) as store:
        runs = [do(store, claim(key)) for key in KEYS]
        for revision in range(1, 4):
            for run in runs:
                one = turn(run, revision, directives=(Directed("Emit", b""),), consumes="k")
                assert bool(do(store, one)) == (revision > 1)
                do(store, Mark(run.agent, run.epoch, revision, 0, "done"))
        assert len(store._known) == 2


def test_the_file_stays_small(file: Path) -> None:
    sizes = []
    keep = Keep(history=10, dedupe=10)
    with opened(file) as store:
        run = do(store, claim(keep=keep))
        for revision in range(1, 8001, 50):
            batch: list[Any] = []
            for one in range(revision, revision + 50):
                batch.extend(
                    [
                        turn(run, one, consumes=f"{one}", directives=(Directed("Emit", b""),)),
                        Mark(AGENT, run.epoch, one, 0, "done"),
                    ]
                )
            for result in store.write(batch, sync=False):
                result.unwrap()
            sizes.append(sum(upkeep_counts(file)))
    assert max(sizes) < 3 * 4 * EVERY  # of 24,000 rows


def upkeep_counts(file: Path) -> list[int]:
    found = inspect(str(file), lambda *_: None)
    return [found.turns, found.inputs, sum(found.directives.values())]
