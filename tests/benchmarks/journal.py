"""How near a journal comes to bare SQLite: durable turns a second, and their ratio.

A hundred agents, each a task, make turns one after another and wait for each with ``sync``. Then
bare SQLite, in the same process and on the same disk, commits the same rows into the same tables,
in batches of the same sizes, as fast as it can: one transaction for each, ``executemany`` for each
table, ``synchronous=FULL``. The two take turns, several rounds each; the ratio is that of the sums.

Run it: ``python -m tests.benchmarks.journal [rounds]``.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import trio
from uuid_utils import uuid7

from trido.journal import SqliteJournal
from trido.journal.operations import Claim, Commit
from trido.journal.rows import FULL_EVERY, AgentKey, Directed
from trido.journal.session import Session

AGENTS: Final = 100
TURNS: Final = 100
"""Of each agent, in a round."""

INPUT: Final = os.urandom(200)
STATE: Final = {"value": os.urandom(100), "items": os.urandom(300)}
REPLY: Final = os.urandom(100)
DIRECTIVES: Final = (Directed("Emit", os.urandom(200)),)


async def agent(session: Session, id: str) -> None:
    key = AgentKey(id)
    run = await session.write(Claim(key, "agent"))
    for revision in range(run.revision + 1, run.revision + 1 + TURNS):
        full = revision % FULL_EVERY == 1
        await session.write(
            Commit(
                agent=key,
                epoch=run.epoch,
                revision=revision,
                at=revision,
                input=INPUT,
                state=STATE if full else {"value": STATE["value"]},
                full=full,
                consumes=str(uuid7()),
                reply=REPLY,
                directives=DIRECTIVES,
            )
        )


async def journal(path: Path) -> tuple[float, float]:
    """Seconds for all turns, and how many writes shared a transaction."""
    async with SqliteJournal(path).open() as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        start = time.perf_counter()
        async with trio.open_nursery() as agents:
            for number in range(AGENTS):
                agents.start_soon(agent, session, f"agent-{number}")
        took = time.perf_counter() - start
        session.close()
    done = session.statistics()
    return took, done.writes / done.batches


TABLES: Final = ("turns", "inbox", "outbox", "agents")


def rows_of(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with sqlite3.connect(path) as connection:
        rows = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}
    connection.close()
    return rows


def bare(path: Path, written: Path, size: int) -> float:
    """Seconds for the rows of ``written``, so many turns in a transaction."""
    rows, columns = rows_of(written), {}
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    with sqlite3.connect(written) as model:
        for (statement,) in model.execute("SELECT sql FROM sqlite_schema WHERE sql NOT NULL"):
            connection.execute(statement)
    model.close()
    for table in TABLES:
        columns[table] = ", ".join("?" * len(rows[table][0]))
    agents = rows.pop("agents")
    connection.executemany(f"INSERT INTO agents VALUES ({columns['agents']})", agents)
    start = time.perf_counter()
    for at in range(0, len(rows["turns"]), size):
        batch(connection, columns, {one: rows[one][at : at + size] for one in rows}, agents)
    took = time.perf_counter() - start
    connection.close()
    return took


def batch(
    connection: sqlite3.Connection,
    columns: dict[str, str],
    rows: dict[str, list[tuple[Any, ...]]],
    agents: Sequence[tuple[Any, ...]],
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for table, some in rows.items():
        connection.executemany(f"INSERT INTO {table} VALUES ({columns[table]})", some)
    connection.executemany(
        "UPDATE agents SET revision = ?, last = ?, at = ?, consumed = ?, open = ?, seal = ?"
        " WHERE agent = ?",
        [
            (turn[2], turn[0], turn[5], turn[2], turn[2], turn[-1], turn[1])
            for turn in rows["turns"]
        ],
    )
    connection.execute("COMMIT")


def main(rounds: int) -> None:
    ours = theirs = 0.0
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        for number in range(rounds):
            written, other = Path(place, f"{number}.db"), Path(place, f"{number}.bare.db")
            took, size = trio.run(journal, written)
            least = bare(other, written, round(size))
            ours, theirs = ours + took, theirs + least
            turns = AGENTS * TURNS
            print(
                f"{turns / took:9,.0f} turns/s in batches of {size:.0f};"
                f" SQLite {turns / least:9,.0f} turns/s; ratio {least / took:.2f}"
            )
    print(f"ratio of all: {theirs / ours:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 5)
