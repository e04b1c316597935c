"""A file that is only looked at: it stays as it is, whoever has it and however it was left."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest
import trio

from tests.journal.kit import AGENT, claim, do, turn
from tests.journal.test_journal_file import KEYS, damage_page, fill
from trido.journal import Corrupt, SqliteJournal, TooNew, Unavailable
from trido.journal.operations import Agents, History, Query, StateAt
from trido.journal.store import SqliteStore

A = TypeVar("A")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


def ask(file: Path, query: Query[A]) -> A:
    async def main() -> A:
        async with SqliteJournal(file).view() as view:
            return await view.read(query)

    return trio.run(main)


def test_what_a_killed_process_has_left_can_be_read(file: Path, tmp_path: Path) -> None:
    store = SqliteStore(str(file), verify=0)
    do(store, turn(do(store, claim())), sync=True)
    left = tmp_path / "left"
    left.mkdir()
    for part in (file, Path(f"{file}-wal")):
        shutil.copy(part, left)
    store.close()
    before = {part.name: part.read_bytes() for part in left.iterdir()}
    assert [one.revision for one in ask(left / file.name, History(AGENT))] == [1]
    for name, content in before.items():
        assert (left / name).read_bytes() == content


def test_what_is_no_journal_is_told_and_left(file: Path, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="it is not there; give the path of a journal"):
        ask(file, Agents())
    assert not list(tmp_path.iterdir())
    file.write_bytes(b"dear diary, " * 1000)
    with pytest.raises(Corrupt, match="it is no journal"):
        ask(file, Agents())
    assert file.read_bytes() == b"dear diary, " * 1000


def test_a_newer_format_is_told(file: Path) -> None:
    fill(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(TooNew, match="its format is 99"):
        ask(file, Agents())


def test_damaged_turns_are_told_and_other_agents_are_read(file: Path) -> None:
    fill(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE turns SET input = x'00' WHERE agent = 1")
        connection.commit()
    assert len(ask(file, Agents())) == len(KEYS)
    with pytest.raises(Corrupt, match="revision 8 of agent 'agent-0' is damaged"):
        ask(file, History(KEYS[0]))
    assert ask(file, StateAt(KEYS[1], 8))
    damage_page(file, "turns")
    with pytest.raises(Corrupt):
        ask(file, History(KEYS[0]))
