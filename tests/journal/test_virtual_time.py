"""Virtual time leaps over threads and processes: in it there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import trio

from tests.journal.kit import AGENT, claim, running, turn
from tests.journal.test_journal_file import fill
from trido.journal import SqliteJournal
from trido.journal.operations import History


@pytest.fixture(autouse=True)
def no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trio.to_thread, "run_sync", None)


@pytest.mark.parametrize("writer", ["thread", "process"])
async def test_all_is_written_and_read_on_the_spot(
    writer: Literal["thread", "process"], tmp_path: Path
) -> None:
    journal = SqliteJournal(tmp_path / "app.db", writer=writer)
    began = trio.current_time()
    async with running(journal) as session:
        await session.write(turn(await session.write(claim())), sync=True)
        async with journal.view() as view:
            assert [one.revision for one in await view.read(History(AGENT))] == [1]
    assert trio.current_time() == began


async def test_a_file_is_looked_after_on_the_spot(tmp_path: Path) -> None:
    fill(tmp_path / "app.db")
    journal, copy = SqliteJournal(tmp_path / "app.db"), tmp_path / "copy.db"
    told: list[tuple[int, int]] = []
    await journal.backup(copy, progress=lambda done, of: told.append((done, of)))
    assert told[-1][0] == told[-1][1]
    assert await SqliteJournal(copy).check() == ()
    assert (await journal.inspect()).agents == (await SqliteJournal(copy).inspect()).agents
    before, after = await journal.compact()
    assert after <= before
