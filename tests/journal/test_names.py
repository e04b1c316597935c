"""Names of files: those that a journal loses, has too many of, or that belong to somebody else."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trio.testing import wait_all_tasks_blocked

from tests.journal.kit import AGENT, Served, claim, do, running, turn
from trido.errors import SpecError
from trido.journal import JournalError, Locked, SqliteJournal, Unavailable, names, opening
from trido.journal.names import CALM, Names
from trido.journal.operations import Agents
from trido.journal.remote import RemoteStore
from trido.journal.store import SqliteStore

LOST = "was moved, deleted or replaced while it was open; put it back, and open the journal again"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


def opened(file: Path) -> SqliteStore:
    return SqliteStore(str(file), verify=0)


# One that is lost -------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "-wal", "-lock"])
@pytest.mark.parametrize("how", ["moved", "deleted", "replaced"])
def test_nothing_is_acknowledged_in_a_file_that_has_lost_its_name(
    file: Path, end: str, how: str
) -> None:
    store = opened(file)
    run = do(store, claim())
    part = Path(f"{file}{end}")
    aside = part.rename(f"{part}.aside")
    if how == "deleted":
        aside.unlink()
    elif how == "replaced":
        part.write_bytes(b"")
    for _ in range(2):
        with pytest.raises(Unavailable, match=f"{part} {LOST}"):
            do(store, turn(run), sync=True)
    store.close()


def calm(file: Path) -> Names:
    """Names in a directory in which nothing has changed for a while."""
    file.touch()
    found = Names(str(file))
    changed = time.time_ns() - 10 * CALM
    os.utime(file.parent, ns=(changed, changed - changed % 1_000_000_000 + 1))
    assert not found.lost()
    return found


def test_names_are_looked_at_again_only_if_their_directory_has_changed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, looked = calm(file), list[str]()
    identity = names._identity

    def look(name: str) -> tuple[int, int]:
        looked.append(name)
        return identity(name)

    monkeypatch.setattr(names, "_identity", look)
    assert not found.lost()
    assert not looked
    file.with_name("other").touch()
    assert not found.lost()
    assert looked == [str(file)]
    file.rename(f"{file}.aside")
    for _ in range(2):
        assert LOST in str(found.lost())


@pytest.mark.parametrize("changed", ["a moment ago", "in a whole second"])
def test_names_are_looked_at_each_time_while_a_change_could_go_unseen(
    file: Path, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.touch()
    found, now = Names(str(file)), time.time_ns()
    at = now if changed == "a moment ago" else (now // 1_000_000_000 - 9) * 1_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: now)
    os.utime(file.parent, ns=(at, at))
    assert not found.lost()
    file.unlink()
    os.utime(file.parent, ns=(at, at))
    assert LOST in str(found.lost())


def test_a_directory_that_is_moved_takes_the_names_away(file: Path, tmp_path: Path) -> None:
    inside = tmp_path / "inside" / file.name
    inside.parent.mkdir()
    found = calm(inside)
    inside.parent.rename(tmp_path / "moved")
    assert LOST in str(found.lost())


def test_it_goes_on_once_the_file_is_back(file: Path) -> None:
    store = opened(file)
    run = do(store, claim())
    file.rename(f"{file}.aside")
    with pytest.raises(Unavailable, match=LOST):
        do(store, turn(run))
    Path(f"{file}.aside").rename(file)
    assert do(store, turn(run)) is None
    store.close()


def test_one_that_is_lost_while_it_is_written_to_is_not_acknowledged(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(file)
    run, sweep = do(store, claim()), store._sweep

    def lose(turns: int) -> None:
        file.unlink()

    monkeypatch.setattr(type(sweep), "after", lambda _, turns: lose(turns))
    with pytest.raises(Unavailable, match=LOST):
        do(store, turn(run))
    store.close()


def test_who_writes_without_the_lock_is_not_taken_for_damage(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(file)
    run = do(first, claim())
    fails = sqlite3.IntegrityError("UNIQUE constraint failed")

    def fail(_: object, turns: int) -> None:
        Path(f"{file}-lock").unlink()
        raise fails

    with monkeypatch.context() as patch:
        patch.setattr(type(first._sweep), "after", fail)
        with pytest.raises(Unavailable, match=f"{file}-lock {LOST}"):
            do(first, turn(run))
    second = opened(file)
    assert do(second, claim()).epoch == 2
    second.close()
    first.close()


def test_another_process_makes_no_new_file_for_a_session(file: Path) -> None:
    made: list[Served] = []

    def spawn(*args: Any) -> Served:
        made.append(Served(*args))
        return made[-1]

    store = RemoteStore(str(file), verify=0, spawn=spawn)
    with pytest.raises(Unavailable, match=LOST):
        lose_while_nobody_writes(store, file.unlink)
    assert not file.exists()
    assert len(made) == 1


def test_another_process_does_not_go_on_with_another_file(file: Path) -> None:
    """It is replaced at the very moment in which that process opens it."""
    made: list[Served] = []

    def replaced(*args: Any) -> Served:
        if made:
            for part in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
                part.rename(f"{part}.aside")
            opened(file).close()
        made.append(Served(*args))
        return made[-1]

    with pytest.raises(Unavailable, match=LOST):
        lose_while_nobody_writes(RemoteStore(str(file), verify=0, spawn=replaced), lambda: None)
    assert len(made) == 2


def lose_while_nobody_writes(store: RemoteStore, lose: Callable[[], object]) -> None:
    do(store.open(), claim())
    store._hang_up()
    lose()
    try:
        do(store, claim())
    finally:
        store.close()


@pytest.mark.real_time
async def test_a_session_by_a_process_does_not_begin_anew(file: Path) -> None:
    async with running(SqliteJournal(file, writer="process")) as session:
        run = await session.write(claim())
        await session.write(turn(run))
        delete(file)
        kill_who_writes_for(session)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await session.write(claim())
        await wait_all_tasks_blocked()
        (agent,) = await session.read(Agents())
        assert agent.agent == AGENT
    assert is_gone(file)


def delete(file: Path) -> None:
    file.unlink()


def is_gone(file: Path) -> bool:
    return not file.exists()


def kill_who_writes_for(session: Any) -> None:
    session._writing._store.line._process.kill()


# More than one ----------------------------------------------------------------------------------


def test_a_file_with_two_names_has_two_logs_so_it_is_refused(file: Path) -> None:
    opened(file).close()
    other = file.with_name("other.db")
    other.hardlink_to(file)
    for name in (file, other):
        with pytest.raises(Unavailable, match=r"more names .* remove the others, or copy it"):
            opened(name)
    other.unlink()
    opened(file).close()


# Those of others --------------------------------------------------------------------------------


def test_a_journal_that_somebody_else_makes_meanwhile_is_not_replaced(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = opening.lock

    def late(name: str) -> sqlite3.Connection:
        monkeypatch.setattr(opening, "lock", lock)
        other = opened(file)
        do(other, claim(), sync=True)
        other.close()
        return lock(name)

    monkeypatch.setattr(opening, "lock", late)
    store = opened(file)
    assert do(store, claim()).epoch == 2
    store.close()


def test_no_journal_but_its_own_is_made_anew(file: Path) -> None:
    others = [file.with_name(f"app.db{end}") for end in ("-new", "-old", ".unfinished")]
    for other in others:
        store = opened(other)
        do(store, claim(), sync=True)
        opened(file).close()
        assert do(store, claim(), sync=True).epoch == 2
        store.close()
        file.unlink()


@pytest.mark.parametrize("end", ["-wal", "-shm", "-lock", "-journal", "-unfinished"])
def test_a_name_that_a_journal_has_beside_it(file: Path, end: str) -> None:
    with pytest.raises(SpecError, match="no name that ends in"):
        SqliteJournal(f"{file}{end}")


def test_something_else_that_has_the_name_of_the_lock(file: Path) -> None:
    opened(file).close()
    Path(f"{file}-lock").write_bytes(b"no lock" * 100)
    with pytest.raises(Unavailable, match="the -lock beside it is something else; move that away"):
        opened(file)


async def test_a_link_to_itself_is_not_replaced(file: Path) -> None:
    link_to_itself(file)
    with pytest.raises(Unavailable, match="a link that leads nowhere; give the path of a file"):
        async with SqliteJournal(file).open():
            pytest.fail("opened")
    assert is_link(file)


def link_to_itself(file: Path) -> None:
    file.symlink_to(file)


def is_link(file: Path) -> bool:
    return file.is_symlink()


def test_a_directory_that_is_gone(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os.path, "realpath", gone)
    with pytest.raises(SpecError, match="an absolute path: the directory that it starts from"):
        SqliteJournal("app.db")


# Copies -----------------------------------------------------------------------------------------


@pytest.fixture
def journal(file: Path) -> SqliteJournal:
    store = opened(file)
    do(store, claim())
    store.close()
    return SqliteJournal(file)


def leave_a_log(file: Path) -> None:
    Path(f"{file}-wal").write_bytes(b"log")


async def test_no_copy_is_put_beside_the_log_of_another(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    to = tmp_path / "copy.db"
    leave_a_log(to)
    with pytest.raises(JournalError, match=f"log of another journal .* move {to}-wal away"):
        await journal.backup(to)
    assert not to.exists()


async def test_what_appears_while_it_is_copied_is_not_replaced(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    to = tmp_path / "copy.db"
    with pytest.raises(JournalError, match="it is there already"):
        await journal.backup(to, progress=lambda *_: to.write_text("mine"))
    assert to.read_text() == "mine"


async def test_a_copy_on_a_disk_that_knows_no_second_names(
    journal: SqliteJournal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "hardlink_to", none)
    to = tmp_path / "copy.db"
    await journal.backup(to)
    async with running(SqliteJournal(to)) as session:
        assert (await session.write(claim())).epoch == 2


@pytest.mark.parametrize("to", [b"bytes", "a\0b", "", 3, "x-wal"])
async def test_a_path_of_a_copy_that_is_none(journal: SqliteJournal, to: Any) -> None:
    with pytest.raises(SpecError, match="backup: to="):
        await journal.backup(to)


async def test_a_copy_whose_name_is_too_long(journal: SqliteJournal, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await journal.backup(tmp_path / ("x" * 300))


def test_a_copy_that_was_left_unfinished_is_no_second_name(file: Path) -> None:
    """A process was killed after it had given the copy its name, and before it took the old one."""
    opened(file).close()
    Path(f"{file}-unfinished").hardlink_to(file)
    opened(file).close()
    with pytest.raises(Locked):
        with_two(file)


def with_two(file: Path) -> None:
    store = opened(file)
    try:
        opened(file)
    finally:
        store.close()
