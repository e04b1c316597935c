"""Turns that only change the state: what is left out for them leaves out nothing that counts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.journal.kit import AGENT, claim, do, running, turn
from trido.errors import SpecError
from trido.journal import Corrupt, MemoryJournal, checks, operations
from trido.journal.operations import Commit
from trido.journal.rows import Directed, Timer
from trido.journal.store import SqliteStore


def plain(*, at: int = 7, input: bytes = b"input", value: bytes = b"1") -> Commit:
    return Commit.plain(
        AGENT, 3, 2, at=at, input=input, state={"x": value}, full=True, consumes="key", reply=b"r"
    )


def test_a_plain_turn_is_the_commit_that_says_the_same() -> None:
    one = Commit(
        agent=AGENT,
        epoch=3,
        revision=2,
        at=7,
        input=b"input",
        state={"x": b"1"},
        full=True,
        consumes="key",
        reply=b"r",
    )
    assert plain() == one
    assert type(plain()) is Commit
    with pytest.raises(AttributeError):
        plain().at = 8  # type: ignore[misc]  # wrong on purpose


def test_a_plain_turn_that_is_too_large_or_too_early_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(SpecError, match="Commit: at=-1"):
        plain(at=-1)
    monkeypatch.setattr(checks, "LARGEST", 10)
    monkeypatch.setattr(operations, "LARGEST", 10)
    with pytest.raises(SpecError, match="Commit: input='11 bytes'"):
        plain(input=b"x" * 11)
    with pytest.raises(SpecError, match=r"Commit: state\['x'\]='11 bytes'"):
        plain(value=b"x" * 11)


def test_only_directives_and_timers_give_an_agent_work(tmp_path: Path) -> None:
    with closing(SqliteStore(str(tmp_path / "app.db"), verify=0)) as store:
        run = do(store, claim())
    assert not turn(run).gives_work
    assert not turn(run, cancelled=("t",)).gives_work
    assert turn(run, directives=(Directed("Emit", b""),)).gives_work
    assert turn(run, timers=(Timer("t", 1, b""),)).gives_work
    assert claim().gives_work


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"directives": (Directed("Emit", b""),)}, (AGENT, None)),
        ({"timers": (Timer("t", 7, b""),)}, (AGENT, 7)),
    ],
)
async def test_watchers_are_told_of_either(fields: dict[str, Any], hint: tuple[Any, Any]) -> None:
    hints: list[tuple[Any, Any]] = []
    async with running(MemoryJournal()) as session:
        run = await session.write(claim())
        with session.watch(lambda agent, due: hints.append((agent, due))):
            await session.write(turn(run))
            await session.write(turn(run, 2, **fields))
    assert hints == [hint]


def test_an_agent_whose_row_is_gone_is_damage(tmp_path: Path) -> None:
    file = str(tmp_path / "app.db")
    with closing(SqliteStore(file, verify=0)) as store:
        run = do(store, claim())
        do(store, turn(run))
        with closing(sqlite3.connect(file)) as other, other:
            other.execute("DELETE FROM agents")
        with pytest.raises(Corrupt, match="the rows of some agents are gone"):
            do(store, turn(run, 2))
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("SELECT count(*) FROM turns").fetchone() == (1,)
