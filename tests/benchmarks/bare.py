"""Bare SQLite: commits the rows of a journal again, in batches, as fast as it can."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

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
        columns[table] = ", ".join("?" * len(rows[table][0])) if rows[table] else ""
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
        if some:
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
