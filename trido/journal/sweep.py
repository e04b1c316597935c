# ruff: noqa: S608  # statements are put together from constants of this room only
"""Forgetting: what is kept no longer is taken out of the file, a little at a time.

A hand goes round each table, in the order of its rows, about as fast as rows are added to it
twice over. So no index by age is needed, and a table holds at most a few times what is to be kept.
"""

from __future__ import annotations

import sqlite3
from typing import Final, final

from trido.journal.rows import FULL_EVERY

EVERY: Final = 512
"""How many turns are written between two sweeps."""

_FORGOTTEN: Final = (
    f"revision <= (SELECT a.revision - a.history + 1 - {FULL_EVERY}"
    " FROM agents AS a WHERE a.agent = {table}.agent)"
)

TABLES: Final = {
    "turns": ("turn", _FORGOTTEN.format(table="turns")),
    "outbox": (
        "directive",
        f"status IN ('done', 'failed') AND {_FORGOTTEN.format(table='outbox')}",
    ),
    "inbox": (
        "turn",
        (
            "EXISTS (SELECT 1 FROM agents AS a WHERE a.agent = inbox.agent AND"
            " (inbox.nth <= a.consumed - a.dedupe OR inbox.at < a.at - a.dedupe_for * 1000000))"
        ),
    ),
}


@final
class Sweep:
    """The hands."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._hands = dict.fromkeys(TABLES, 0)
        self._turns = 0

    def after(self, turns: int) -> None:
        """Go on, as is due after so many more turns, within the transaction that wrote them."""
        self._turns += turns
        if self._turns >= EVERY:
            for table, (row, forgotten) in TABLES.items():
                self._sweep(table, row, forgotten, 2 * self._turns)
            self._turns = 0

    def all(self) -> None:
        """Go round all tables, within a transaction."""
        for table, (_, forgotten) in TABLES.items():
            self._connection.execute(f"DELETE FROM {table} WHERE {forgotten}")

    def _sweep(self, table: str, row: str, forgotten: str, rows: int) -> None:
        hand = self._hands[table]
        ahead = f"SELECT {row} FROM {table} WHERE {row} > ? ORDER BY {row} LIMIT ?"
        found = self._connection.execute(f"SELECT max({row}) FROM ({ahead})", (hand, rows))
        self._hands[table] = end = found.fetchone()[0] or 0
        between = f"{row} > ? AND {row} <= ?"
        self._connection.execute(
            f"DELETE FROM {table} WHERE {between} AND {forgotten}", (hand, end)
        )
