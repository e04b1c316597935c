"""The format of a journal's file: its tables, and the seals by which damage is noticed.

Everything is appended. A turn is a row at the end of ``turns``, which names the row of the agent's
turn before it; the agent's own row names its newest. So a batch of turns of a hundred agents
touches the last pages of a few tables, and the pages where the agents' rows are. An index over
(agent, revision) would touch a page for each agent instead, and be several times as slow.

SQLite guards its log with checksums, but not what has left the log. So each row has a seal, a CRC
of all that is in it, which is looked at whenever the row is read; and an agent's row counts what
belongs to the agent, so a row that cannot be found any more is missed. Indexes repeat what stands
in tables; ``PRAGMA integrity_check`` compares them when the journal is opened.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final
from zlib import crc32

APPLICATION: Final = 0x74726964
"""Tells a journal from other SQLite files: "trid"."""

VERSION: Final = 1

SCHEMA: Final = """
CREATE TABLE agents (
    agent INTEGER PRIMARY KEY,
    partition TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    full INTEGER NOT NULL,      -- the revision at which the whole state was last written
    last INTEGER NOT NULL,      -- the newest row in turns
    at INTEGER NOT NULL,        -- when that was
    consumed INTEGER NOT NULL,  -- how many inputs it consumed
    open INTEGER NOT NULL,      -- how many directives are pending or started
    timers INTEGER NOT NULL,    -- how many timers it has
    due INTEGER,                -- when the earliest is due
    history INTEGER NOT NULL,
    dedupe INTEGER NOT NULL,
    dedupe_for INTEGER NOT NULL,
    seal INTEGER NOT NULL
);
CREATE UNIQUE INDEX agents_id ON agents (partition, id);
CREATE INDEX agents_open ON agents (agent) WHERE open > 0;
CREATE INDEX agents_due ON agents (due) WHERE due IS NOT NULL;

CREATE TABLE turns (
    turn INTEGER PRIMARY KEY,
    agent INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    before INTEGER NOT NULL,    -- the row of the agent's turn before
    full INTEGER NOT NULL,      -- whether the whole state is in it
    at INTEGER NOT NULL,
    first INTEGER NOT NULL,     -- its directives: the first row in outbox,
    directives INTEGER NOT NULL,-- and how many follow one another
    input BLOB NOT NULL,
    state BLOB NOT NULL,        -- netstrings: name, value, name, value ...
    seal INTEGER NOT NULL
);

CREATE TABLE inbox (
    turn INTEGER PRIMARY KEY,   -- the turn that consumed it
    agent INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    nth INTEGER NOT NULL,       -- of the agent's consumed inputs
    at INTEGER NOT NULL,
    key TEXT NOT NULL,
    reply BLOB,
    seal INTEGER NOT NULL
);
-- The key first: keys that grow with time then stand together, whosever they are.
CREATE UNIQUE INDEX inbox_key ON inbox (key, agent);

CREATE TABLE outbox (
    directive INTEGER PRIMARY KEY,
    agent INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    name TEXT NOT NULL,
    data BLOB NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    note TEXT NOT NULL,
    seal INTEGER NOT NULL
);
CREATE INDEX outbox_unsettled ON outbox (agent, revision, idx)
    WHERE status NOT IN ('done', 'failed');

CREATE TABLE timers (
    agent INTEGER NOT NULL,
    key TEXT NOT NULL,
    due INTEGER NOT NULL,
    data BLOB NOT NULL,
    seal INTEGER NOT NULL,
    PRIMARY KEY (agent, key)
) WITHOUT ROWID;
"""

# Seals ------------------------------------------------------------------------------------------


# Each is given the columns of a row, in the order of the table, up to the seal.

_four, _five, _seven, _nine = (struct.Struct(f"<{numbers}q").pack for numbers in (4, 5, 7, 9))


def seal_agent(*row: Any) -> int:
    """Of a row of agents."""
    return seal_head(seal_name(*row[:4], *row[13:]), row[4:12], row[12])


def seal_name(number: int, partition: str, id: str, name: str, *keep: int) -> int:
    """Of what a turn does not change in a row of agents."""
    text = "\0".join((partition, id, name))  # noqa: FLY002  # which refuses what is no text
    return crc32(text.encode(), crc32(_four(number, *keep)))


def seal_head(base: int, numbers: tuple[int, ...], due: int | None) -> int:
    """Of a row of agents: ``base`` is what `seal_name` gave, the rest what a turn may change."""
    return crc32(_nine(*numbers, -1 if due is None else due), base)


def seal_turn(*row: Any) -> int:
    """Of a row of turns."""
    return seal_data(row[:8], *row[8:])


def seal_data(numbers: tuple[int, ...], input: bytes, state: bytes) -> int:
    """Of a row of turns, whose numbers are in hand."""
    return crc32(state, crc32(input, crc32(_nine(*numbers, len(input)))))


def seal_input(*row: Any) -> int:
    """Of a row of inbox."""
    text, reply = row[5].encode(), row[6]
    size = -1 if reply is None else len(reply)
    return crc32(reply or b"", crc32(text, crc32(_seven(*row[:5], len(text), size))))


def seal_directive(*row: Any) -> int:
    """Of what does not change in a row of outbox: up to its data."""
    text = row[4].encode()
    return crc32(row[5], crc32(text, crc32(_five(*row[:4], len(text)))))


def seal_status(base: int, status: str, attempts: int, note: str) -> int:
    """Of a row of outbox; ``base`` is what `seal_directive` gave."""
    return crc32(f"{status} {attempts} {note}".encode(), base)


def seal_entry(*row: Any) -> int:
    """Of a row of outbox."""
    return seal_status(seal_directive(*row[:6]), *row[6:])


def seal_timer(agent: int, key: str, due: int, data: bytes) -> int:
    """Of a row of timers."""
    text = key.encode()
    return crc32(data, crc32(text, crc32(b"%d %d %d" % (agent, due, len(text)))))


def is_sealed(seal: Callable[..., int], row: tuple[Any, ...]) -> bool:
    """Whether a row is what was written: the last column is the seal of the others."""
    try:
        return bool(seal(*row[:-1]) == row[-1])
    except (TypeError, AttributeError, struct.error):  # a column is not even of its type
        return False


# States -----------------------------------------------------------------------------------------


def pack(state: Mapping[str, bytes]) -> bytes:
    """Fields as netstrings."""
    return b"".join(
        [b"%b%d:%b," % (_named(name), len(value), value) for name, value in state.items()]
    )


@lru_cache(maxsize=10_000)
def _named(name: str) -> bytes:
    text = name.encode()
    return b"%d:%b," % (len(text), text)


def unpack(packed: bytes) -> dict[str, bytes]:
    """The fields again."""
    parts, at = [], 0
    while at < len(packed):
        colon = packed.index(b":", at)
        end = colon + 1 + int(packed[at:colon])
        parts.append(packed[colon + 1 : end])
        at = end + 1
    return {name.decode(): value for name, value in zip(parts[::2], parts[1::2], strict=True)}


# Statements for many rows -----------------------------------------------------------------------


@lru_cache(maxsize=512)
def many(before: str, columns: int, rows: int, after: str) -> str:
    """A statement about so many rows of values."""
    row = f"({', '.join('?' * columns)})"
    return f"{before} VALUES {', '.join([row] * rows)} {after}"
