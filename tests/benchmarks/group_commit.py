"""Durable turns by hand: no agent, no handler, no rule. The least that they cost in Python.

A hundred tasks do what a durable agent's turn cannot do without: they write down their input and
their state as JSON, with a checksum, leave both in a queue, and sleep until a transaction has them.
One thread commits what is in the queue, in as few statements as it can, with ``synchronous=FULL``.
Then bare SQLite commits the same rows again, in batches of the same size.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from json import JSONEncoder
from pathlib import Path
from threading import Semaphore, Thread
from time import perf_counter, time_ns
from typing import Final, TypeAlias
from zlib import crc32

import trio
from trio.lowlevel import Abort, Task

SCHEMA: Final = """
CREATE TABLE turns (
    turn INTEGER PRIMARY KEY, agent INTEGER NOT NULL, revision INTEGER NOT NULL,
    at INTEGER NOT NULL, input BLOB NOT NULL, state BLOB NOT NULL, seal INTEGER NOT NULL
);
CREATE TABLE agents (agent INTEGER PRIMARY KEY, revision INTEGER NOT NULL, last INTEGER NOT NULL);
"""
UPDATE: Final = "UPDATE agents SET revision = ?, last = ? WHERE agent = ?"
BATCH: Final = 512
ROWS: Final = 128
"""How many rows one statement writes at most."""

Turn: TypeAlias = tuple[int, int, int, bytes, bytes]
"""Of which agent, revision, when, input, state."""
Row: TypeAlias = tuple[int, int, int, int, bytes, bytes, int]

dump: Final = JSONEncoder(separators=(",", ":"), check_circular=False).encode


@lru_cache
def insert(rows: int) -> str:
    return "INSERT INTO turns VALUES " + ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * rows)


@contextmanager
def opened(path: Path, agents: int) -> Generator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(SCHEMA)
    connection.executemany("INSERT INTO agents VALUES (?, 0, 0)", [(one,) for one in range(agents)])
    try:
        yield connection
    finally:
        connection.close()


class Writer:
    """A thread that commits what is in a queue, in groups."""

    def __init__(self, connection: sqlite3.Connection, token: trio.lowlevel.TrioToken) -> None:
        self.batches = 0
        self._connection = connection
        self._token = token
        self._queue: deque[tuple[Turn, Task]] = deque()
        self._more = Semaphore(0)
        self._turns = 0
        self._is_over = False

    async def commit(self, turn: Turn) -> None:
        """Leave it in the queue; return when it is committed."""
        was_empty = not self._queue
        self._queue.append((turn, trio.lowlevel.current_task()))
        if was_empty:
            self._more.release()
        await trio.lowlevel.wait_task_rescheduled(lambda _: Abort.FAILED)

    def stop(self) -> None:
        self._is_over = True
        self._more.release()

    def run(self) -> None:
        while not self._is_over:
            self._more.acquire()
            while self._queue:
                size = min(len(self._queue), BATCH)
                batch = [self._queue.popleft() for _ in range(size)]
                self._write([turn for turn, _ in batch])
                self._token.run_sync_soon(tell, [task for _, task in batch])

    def _write(self, turns: list[Turn]) -> None:
        rows = [self._row(turn) for turn in turns]
        self._connection.execute("BEGIN IMMEDIATE")
        at = 0
        while at < len(rows):
            some = min(1 << (len(rows) - at).bit_length() - 1, ROWS)
            values = tuple(chain.from_iterable(rows[at : at + some]))
            self._connection.execute(insert(some), values)
            at += some
        self._connection.executemany(UPDATE, [(row[2], row[0], row[1]) for row in rows])
        self._connection.execute("COMMIT")
        self.batches += 1

    def _row(self, turn: Turn) -> Row:
        self._turns += 1
        agent, revision, at, given, state = turn
        head = b"%d %d %d %d" % (self._turns, agent, revision, at)
        return (self._turns, *turn, crc32(state, crc32(given, crc32(head))))


def tell(tasks: list[Task]) -> None:
    for task in tasks:
        trio.lowlevel.reschedule(task)


async def agent(writer: Writer, id: int, turns: int) -> None:
    for revision in range(1, turns + 1):
        at = time_ns() // 1000
        given = {"type": "counter.add", "data": {"by": 1}, "why": "call", "now": at}
        turn = (id, revision, at, dump(given).encode(), dump({"value": revision}).encode())
        await writer.commit(turn)


async def by_hand(path: Path, agents: int, turns: int) -> tuple[float, float]:
    """Seconds for so many turns of each, and how many shared a transaction."""
    with opened(path, agents) as connection:
        writer = Writer(connection, trio.lowlevel.current_trio_token())
        thread = Thread(target=writer.run)
        thread.start()
        began = perf_counter()
        async with trio.open_nursery() as nursery:
            for id in range(agents):
                nursery.start_soon(agent, writer, id, turns)
        seconds = perf_counter() - began
        writer.stop()
        thread.join()
    return seconds, agents * turns / writer.batches


def again(path: Path, written: Path, agents: int, size: int) -> float:
    """Seconds for the same rows, by bare SQLite."""
    with sqlite3.connect(written) as model:
        rows = model.execute("SELECT * FROM turns ORDER BY turn").fetchall()
    model.close()
    with opened(path, agents) as connection:
        began = perf_counter()
        for at in range(0, len(rows), size):
            some = rows[at : at + size]
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(insert(1), some)
            connection.executemany(UPDATE, [(row[2], row[0], row[1]) for row in some])
            connection.execute("COMMIT")
        return perf_counter() - began


def least(place: Path, agents: int, number: int, verify: Callable[..., None]) -> dict[str, float]:
    """The figures of so many durable turns by hand."""
    written = place / "by-hand.db"
    seconds, batch = trio.run(by_hand, written, agents, number // agents)
    bare = again(place / "again.db", written, agents, round(batch))
    with sqlite3.connect(written) as connection:
        last = {row[0] for row in connection.execute("SELECT revision FROM agents")}
    connection.close()
    verify("the agents", last, {number // agents})
    return {"of_sqlite": bare / seconds, "per_second": number / seconds, "batch": batch}
