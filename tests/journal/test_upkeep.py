"""What an operator does: check, inspect, back up, compact; also beside a session that writes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio

from tests.journal.kit import AGENT, claim, running, turn
from tests.journal.test_journal_file import KEYS, damage_page, fill
from trido.journal import Corrupt, JournalError, Locked, SqliteJournal, Unavailable, upkeep
from trido.journal.opening import size
from trido.journal.operations import Agents, Mark
from trido.journal.reading import Reader
from trido.journal.rows import AgentKey, Directed, Keep
from trido.journal.upkeep import STEP

pytestmark = pytest.mark.real_time


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


@pytest.fixture
def journal(file: Path) -> SqliteJournal:
    return SqliteJournal(file)


async def test_a_sound_journal_is_sound(file: Path, journal: SqliteJournal) -> None:
    fill(file)
    told: list[tuple[int, int]] = []
    assert await journal.check(progress=lambda done, of: told.append((done, of))) == ()
    rows = len(KEYS) * (1 + 8 + 8 + 8 + 1)
    assert told[-1] == (rows, rows)


async def test_long_work_tells_how_far_it_is(journal: SqliteJournal, tmp_path: Path) -> None:
    async with running(journal) as session:
        run = await session.write(claim())
        for revision in range(1, STEP + 2):
            session.submit(turn(run, revision, input=b"x" * 4096), lambda _: None, sync=False)
    told: list[tuple[int, int]] = []
    await journal.check(progress=lambda done, of: told.append((done, of)))
    assert told == [(STEP, STEP + 2), (STEP + 2, STEP + 2)]
    told.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upkeep, "OPERATIONS", 1_000)  # so that it is told in between, too
        await journal.backup(
            tmp_path / "copy.db", progress=lambda done, of: told.append((done, of))
        )
    assert len(told) > 10
    assert told[-1][0] == told[-1][1]
    assert told == sorted(told)


async def test_damage_is_told_in_words(file: Path, journal: SqliteJournal) -> None:
    fill(file)
    connection = sqlite3.connect(file)
    connection.execute("UPDATE turns SET input = x'00' WHERE agent = 1 AND revision = 8")
    connection.execute("UPDATE timers SET data = NULL WHERE 0")
    connection.execute("DELETE FROM timers WHERE agent = 2")
    connection.execute("UPDATE inbox SET reply = 'text' WHERE agent = 3")
    connection.commit()
    connection.close()
    damage = "\n".join(await journal.check())
    assert "a row of turns is damaged: turn 8" in damage
    assert "revision 8 of agent 'agent-0' is damaged" in damage
    assert "a directive or timer of agent 'agent-1' is damaged" in damage
    assert "a row of inbox is damaged" in damage
    assert "'agent-4'" not in damage


@pytest.mark.parametrize("work", ["check", "backup"])
def test_a_damaged_page_of_a_table_is_told(file: Path, journal: SqliteJournal, work: str) -> None:
    fill(file)
    damage_page(file, "timers")
    arguments = [file.with_name("copy.db")] if work == "backup" else []
    with pytest.raises(Corrupt, match=r"app.db: it is damaged"):
        trio.run(getattr(journal, work), *arguments)
    assert names(file.parent, "*.db") == ["app.db"]


async def test_a_damaged_index_is_told(file: Path, journal: SqliteJournal) -> None:
    fill(file)
    connection = sqlite3.connect(file)
    (root,) = connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'agents_due'"
    ).fetchone()
    connection.close()
    flip(file, root * 4096 - 3)
    assert any("agents_due" in said for said in await journal.check())
    with pytest.raises(Corrupt, match="agents_due"):
        async with journal.open():
            pytest.fail("opened")


async def test_inspecting_counts_what_is_there(file: Path, journal: SqliteJournal) -> None:
    fill(file)
    found = await journal.inspect()
    agents = len(KEYS)
    assert (found.file, found.format) == (str(file), 1)
    assert (found.agents, found.turns, found.inputs) == (agents, 8 * agents, 8 * agents)
    assert found.directives == {"dead": 3 * agents, "done": 2 * agents, "started": 3 * agents}
    assert found.timers == agents
    assert found.bytes == size(str(file))


async def test_all_but_compacting_works_beside_a_session(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    async with running(journal) as session:
        run = await session.write(claim())
        await session.write(turn(run))
        assert await journal.check() == ()
        assert (await journal.inspect()).turns == 1
        await journal.backup(tmp_path / "copy.db")
        with pytest.raises(Locked):
            await journal.compact()
        await session.write(turn(run, 2))
    async with running(SqliteJournal(tmp_path / "copy.db")) as session:
        copied = await session.write(claim())
        assert (copied.revision, copied.state) == (1, {"value": b"1"})


async def test_a_backup_never_replaces_anything(
    file: Path, journal: SqliteJournal, tmp_path: Path
) -> None:
    fill(file)
    there = tmp_path / "there"
    there.write_text("good")
    with pytest.raises(JournalError, match="it is there already; give a path where nothing is yet"):
        await journal.backup(there)
    assert there.read_text() == "good"


async def test_no_backup_is_made_of_what_is_damaged(
    file: Path, journal: SqliteJournal, tmp_path: Path
) -> None:
    fill(file)
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_schema SET rootpage = 3 WHERE name = 'inbox_key'")
    connection.commit()
    connection.close()
    with pytest.raises(Corrupt):
        await journal.backup(tmp_path / "copy.db")
    assert not names(tmp_path, "copy*")


async def test_a_cancelled_backup_leaves_nothing(
    file: Path, journal: SqliteJournal, tmp_path: Path
) -> None:
    fill(file)
    with trio.CancelScope() as scope:
        await journal.backup(tmp_path / "copy.db", progress=lambda *_: scope.cancel())
        await journal.check(progress=lambda *_: None)
    assert scope.cancelled_caught
    assert names(tmp_path, "copy*") in ([], ["copy.db"])


@pytest.mark.parametrize("work", [upkeep.check, upkeep.inspect, upkeep.compact])
def test_work_stops_within_a_statement(
    file: Path, work: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``progress`` raises comes out, and the journal is as it was."""

    def stop(done: int, of: int) -> None:
        told.append((done, of))
        raise KeyboardInterrupt

    fill(file)
    before, told = upkeep.inspect(str(file), lambda *_: None), list[tuple[int, int]]()
    monkeypatch.setattr(upkeep, "OPERATIONS", 20)
    with pytest.raises(KeyboardInterrupt):
        work(str(file), stop, **{"verify": 0} if work is upkeep.compact else {})
    assert told == [(0, 1)]
    assert not upkeep.check(str(file), lambda *_: None)
    assert upkeep.inspect(str(file), lambda *_: None) == before


async def test_compacting_forgets_what_is_kept_no_longer(journal: SqliteJournal) -> None:
    async with running(journal) as session:
        run = await session.write(claim(keep=Keep(history=1, dedupe=1)))
        for revision in range(1, 301):
            one = turn(
                run,
                revision,
                input=b"x" * 1000,
                consumes=f"{revision}",
                directives=(Directed("Emit", b""),),
            )
            session.submit(one, lambda _: None, sync=False)
            await session.write(Mark(AGENT, run.epoch, revision, 0, "done"), sync=False)
    told: list[tuple[int, int]] = []
    before, after = await journal.compact(progress=lambda done, of: told.append((done, of)))
    assert after < before / 2
    assert told == [(1, 3), (2, 3), (3, 3)]
    found = await journal.inspect()
    assert (found.turns, found.inputs) == (64, 1)
    async with running(journal) as session:
        run = await session.write(claim())
        assert (run.revision, run.state) == (300, {"value": b"300"})


@pytest.mark.parametrize(
    "work",
    ["check", "inspect", "compact", "backup"],
)
async def test_what_is_not_there_is_not_made(
    tmp_path: Path, journal: SqliteJournal, work: str
) -> None:
    arguments = [tmp_path / "copy.db"] if work == "backup" else []
    with pytest.raises(Unavailable, match="it is not there; give the path of a journal"):
        await getattr(journal, work)(*arguments)
    assert not names(tmp_path, "*")


def test_what_is_no_journal_is_not_touched(file: Path, journal: SqliteJournal) -> None:
    file.write_bytes(b"no journal" * 1000)
    for work in (journal.check, journal.inspect, journal.compact):
        with pytest.raises(Corrupt, match="no journal"):
            trio.run(work)
    assert file.read_bytes() == b"no journal" * 1000


def test_an_agent_that_is_not_found_any_more_is_told(file: Path) -> None:
    fill(file)
    connection = sqlite3.connect(file)
    with pytest.raises(Corrupt, match="the index that finds agent 'nobody' is damaged"):
        Reader(str(file), connection).trace(AgentKey("nobody"))
    connection.close()


def flip(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def names(directory: Path, pattern: str) -> list[str]:
    return sorted(one.name for one in directory.glob(pattern))


# Where nothing can be written ---------------------------------------------------------------------


@contextmanager
def away() -> Generator[Path]:
    """A directory that other users may look into."""
    with TemporaryDirectory() as made:
        directory = Path(made)
        directory.chmod(0o755)
        yield directory


@contextmanager
def nobody_writes_in(directory: Path) -> Generator[None]:
    """Have this process write nothing there; as root it may, so it is somebody else meanwhile."""
    user = os.geteuid()
    directory.chmod(0o555)
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        directory.chmod(0o755)


async def test_where_nothing_can_be_written_it_is_looked_at_all_the_same() -> None:
    with away() as directory:
        file = directory / "app.db"
        fill(file)
        (directory / "app.db-lock").unlink()
        journal = SqliteJournal(file)
        # What all of this needs is imported as who may do that.
        assert await journal.check() == ()
        found = await journal.inspect()
        async with journal.view() as view:
            assert len(await view.read(Agents())) == len(KEYS)
        for rest in ("app.db-wal", "app.db-shm"):
            (directory / rest).unlink(missing_ok=True)
        with nobody_writes_in(directory):
            assert await journal.check() == ()
            assert await journal.inspect() == found
            async with journal.view() as view:
                assert len(await view.read(Agents())) == len(KEYS)
        assert [one.name for one in directory.iterdir()] == ["app.db"]


async def test_with_a_log_beside_it_there_it_says_what_can_be_done() -> None:
    with away() as directory:
        file = directory / "app.db"
        fill(file)
        (directory / "app.db-wal").write_bytes(b"x" * 100)  # as it is after a kill
        journal = SqliteJournal(file)
        with nobody_writes_in(directory), pytest.raises(Unavailable) as caught:
            await journal.check()
        assert "must be able to write there" in caught.value.remedy
        assert "or be given a copy of it with its -wal" in caught.value.remedy


def newer(file: Path) -> None:
    fill(file)
    (file.parent / f"{file.name}-lock").unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")


def other(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE other (x)")


@pytest.mark.parametrize(
    "make",
    [newer, other, Path.mkdir, Path.touch, lambda file: file.write_text("a letter")],
    ids=["newer", "other", "directory", "empty", "text"],
)
async def test_what_is_refused_has_nothing_put_beside_it(
    file: Path, journal: SqliteJournal, make: Callable[[Path], object]
) -> None:
    make(file)
    for looks in (journal.check, journal.inspect, journal.compact):
        with pytest.raises(JournalError):
            await looks()
    with pytest.raises(JournalError):
        async with journal.open():
            raise AssertionError
    assert [one.name for one in file.parent.iterdir()] == ["app.db"]
