# ruff: noqa: S608  # statements are put together from constants of this room only
"""Reading a journal's file. Each row is compared with its seal before anything is made of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, cast, final

from attrs import define

from trido.journal import layout, rules
from trido.journal.faults import row_damaged
from trido.journal.operations import (
    Agents,
    Claim,
    Find,
    History,
    Letters,
    Query,
    StateAt,
    Waking,
)
from trido.journal.rows import (
    AgentKey,
    Entry,
    Keep,
    Kept,
    Past,
    Recovery,
    Stored,
    Timer,
    Wake,
)

AGENT: Final = (
    "agent, partition, id, name, epoch, revision, full, last, at, consumed, open, timers, due,"
    " history, dedupe, dedupe_for, seal"
)
TURN: Final = "turn, agent, revision, before, full, at, first, directives, input, state, seal"
INBOX: Final = "turn, agent, revision, nth, at, key, reply, seal"
OUTBOX: Final = "directive, agent, revision, idx, name, data, status, attempts, note, seal"
TIMER: Final = "agent, key, due, data, seal"


def columns_of(table: str, columns: str) -> str:
    """The columns, said to be of this table."""
    return ", ".join(f"{table}.{column}" for column in columns.split(", "))


KNOWN: Final = f"""
WITH RECURSIVE back (turn, n) AS (
    VALUES (?, 1)
    UNION ALL
    SELECT before, n + 1 FROM back JOIN turns USING (turn) WHERE n < ?
)
SELECT {columns_of("inbox", INBOX)}
FROM back CROSS JOIN inbox USING (turn)
"""

UNSETTLED: Final = "status NOT IN ('done', 'failed')"

WAY: Final = 64
"""Of every so many turns it is remembered where they are: a long history is read page by page."""


@final
@define
class Known:
    """An agent as a store knows it."""

    number: int
    head: rules.Head
    last: int = 0
    """The row of its newest turn."""
    base: int = 0
    """The seal of what a turn does not change in its row."""


class _Turn(NamedTuple):
    turn: int
    agent: int
    revision: int
    before: int
    full: int
    at: int
    first: int
    directives: int
    input: bytes
    state: bytes
    seal: int

    def past(self, entries: tuple[Entry, ...] = ()) -> Past:
        state = layout.unpack(self.state)
        return Past(self.revision, self.at, self.input, state, bool(self.full), entries)


@final
class Reader:
    """What can be read through one connection."""

    def __init__(self, file: str, connection: sqlite3.Connection) -> None:
        self._file = file
        self._connection = connection
        self._way: tuple[int, dict[int, int]] = (0, {})
        """Of the agent whose turns were read last: where some of them are, by revision."""

    def answer(self, query: Query[Any]) -> object:
        """Answer a query from one state of the file."""
        self._connection.execute("BEGIN")
        try:
            return _ANSWERS[type(query)](self, query)
        finally:
            self._connection.execute("ROLLBACK")

    # Agents ---------------------------------------------------------------------------------

    def known(self, agent: AgentKey) -> Known | None:
        """The agent with its open directives and timers; None if there is no such agent."""
        where = "WHERE partition = ? AND id = ?"
        row = self._one(f"SELECT {AGENT} FROM agents {where}", agent.partition, agent.id)
        if row is None:
            return None
        self._check(layout.seal_agent, row, f"agent {str(agent)!r}")
        keep = Keep(history=row[13], dedupe=row[14], dedupe_for=row[15])
        head = rules.Head(agent, row[3], row[4], row[5], row[6], row[8], row[9], keep)
        for entry in self._rows_of_entries(agent, row[0]):
            if entry[6] in rules.OPEN:
                place = entry[0], layout.seal_directive(*entry[:6])
                head.open[entry[2], entry[3]] = rules.Slot(entry[6], entry[7], place)
        head.timers = {timer.key: timer.due for timer in self.timers(agent, row[0])}
        if (len(head.open), len(head.timers), head.due) != row[10:13]:
            raise row_damaged(self._file, f"a directive or timer of agent {str(agent)!r}")
        return Known(row[0], head, row[7], layout.seal_name(*row[:4], *row[13:16]))

    def recovery(self, known: Known, claim: Claim) -> Recovery:
        """What a run begins with, but for what the claim itself changes."""
        head, key = known.head, known.head.agent
        entries = [self._entry(key, row) for row in self._rows_of_entries(key, known.number)]
        return Recovery(
            agent=key,
            name=head.name,
            epoch=head.epoch,
            revision=head.revision,
            state=rules.fold(self._from_full(known, head.revision)),
            directives=tuple(one for one in entries if one.status in rules.OPEN),
            unknown=tuple(one for one in entries if one.status == "unknown"),
            timers=tuple(self.timers(key, known.number)),
            known=dict(self._newest_inputs(known, min(claim.known, claim.keep.history))),
        )

    def timers(self, agent: AgentKey, number: int) -> list[Timer]:
        """Those of an agent, the earliest first."""
        rows = self._all(f"SELECT {TIMER} FROM timers WHERE agent = ? ORDER BY due, key", number)
        for row in rows:
            self._check(layout.seal_timer, row, f"a timer of agent {str(agent)!r}")
        return [Timer(key, due, data) for _, key, due, data, _ in rows]

    def trace(self, agent: AgentKey) -> None:
        """Read all that a recovery would. Raises `Corrupt` if it cannot be read."""
        known = self.known(agent)
        if known is None:
            raise row_damaged(self._file, f"the index that finds agent {str(agent)!r}")
        self.recovery(known, Claim(agent, known.head.name))

    # Directives -----------------------------------------------------------------------------

    def _rows_of_entries(self, agent: AgentKey, number: int) -> list[tuple[Any, ...]]:
        where = f"WHERE agent = ? AND {UNSETTLED} ORDER BY agent, revision, idx"
        rows = self._all(f"SELECT {OUTBOX} FROM outbox {where}", number)
        for row in rows:
            self._check(layout.seal_entry, row, f"a directive of agent {str(agent)!r}")
        return rows

    def letter(self, known: Known, revision: int, index: int) -> tuple[Any, ...] | None:
        """The row of a directive that is unknown or dead."""
        where = f"WHERE agent = ? AND revision = ? AND idx = ? AND {UNSETTLED}"
        row = self._one(f"SELECT {OUTBOX} FROM outbox {where}", known.number, revision, index)
        if row is None or row[6] in rules.OPEN:
            return None
        self._check(layout.seal_entry, row, f"a directive of agent {str(known.head.agent)!r}")
        return row

    def _entry(self, agent: AgentKey, row: tuple[Any, ...]) -> Entry:
        return Entry(agent, *row[2:9])

    def _letters(self, query: Letters) -> tuple[Entry, ...]:
        rows = self._all(
            f"SELECT partition, id, {columns_of('outbox', OUTBOX)}"
            " FROM outbox JOIN agents USING (agent)"
            f" WHERE {UNSETTLED} AND status NOT IN ('pending', 'started')"
            " AND (?1 IS NULL OR (partition = ?1 AND id = ?2))"
            " ORDER BY partition, id, outbox.revision, idx LIMIT ?3",
            *((query.agent.partition, query.agent.id) if query.agent else (None, None)),
            query.limit,
        )
        for row in rows:
            self._check(layout.seal_entry, row[2:], f"a directive of agent {row[1]!r}")
        return tuple(self._entry(AgentKey(row[1], row[0]), row[2:]) for row in rows)

    # Turns ----------------------------------------------------------------------------------

    def _back(self, known: Known, newest: int) -> Iterator[_Turn]:
        """The turns of an agent, from about the revision ``newest`` on, the newest first."""
        start, place = self._start(known, newest)
        for revision in range(start, 0, -1):
            if revision % WAY == 0:
                self._way[1][revision] = place
            what = f"revision {revision} of agent {str(known.head.agent)!r}"
            row = self._one(f"SELECT {TURN} FROM turns WHERE turn = ?", place)
            if row is None and revision < known.head.full:
                return  # when it was forgotten, fewer were to be kept than are now
            self._check(layout.seal_turn, row, what)
            turn = _Turn(*cast("tuple[Any, ...]", row))
            if (turn.agent, turn.revision) != (known.number, revision):
                raise row_damaged(self._file, what)
            yield turn
            place = turn.before

    def _start(self, known: Known, newest: int) -> tuple[int, int]:
        """Where to begin: no earlier than ``newest``, and its row."""
        if self._way[0] != known.number:
            self._way = (known.number, {})
        head, way = known.head.revision, self._way[1]
        near = min((one for one in way if newest <= one <= head), default=head)
        return near, way.get(near, known.last)

    def _from_full(self, known: Known, revision: int) -> list[Past]:
        """The turns up to a revision, from the last full one on."""
        found = []
        for turn in self._back(known, revision):
            if turn.revision <= revision:
                found.append(turn.past())
                if turn.full:
                    break
        return found[::-1]

    def _history(self, query: History) -> tuple[Past, ...]:
        known = self.known(query.agent)
        if known is None:
            return ()
        until = min(query.until, known.head.revision)
        since = max(query.since + 1, known.head.oldest, until - query.limit + 1)
        found = []
        for turn in self._back(known, until):
            if turn.revision < since:
                break
            if turn.revision <= until:
                found.append(turn.past(self._directives_of(query.agent, turn)))
        return tuple(found[::-1])

    def _directives_of(self, agent: AgentKey, turn: _Turn) -> tuple[Entry, ...]:
        rows = self._all(
            f"SELECT {OUTBOX} FROM outbox WHERE directive >= ? AND directive < ?",
            turn.first,
            turn.first + turn.directives,
        )
        for at in range(turn.directives):
            row = rows[at] if at < len(rows) else None
            self._check(layout.seal_entry, row, f"a directive of agent {str(agent)!r}")
        return tuple(self._entry(agent, row) for row in rows)

    def _state_at(self, query: StateAt) -> Mapping[str, bytes] | None:
        known = self.known(query.agent)
        if known is None or not known.head.oldest <= query.revision <= known.head.revision:
            return None
        turns = self._from_full(known, query.revision)
        return rules.fold(turns) if turns and turns[0].full else None

    # Inputs ---------------------------------------------------------------------------------

    def _find(self, query: Find) -> Kept | None:
        row = self._one(
            f"SELECT {columns_of('inbox', INBOX)} FROM inbox JOIN agents USING (agent)"
            " WHERE key = ? AND partition = ? AND id = ?",
            query.consumes,
            query.agent.partition,
            query.agent.id,
        )
        return None if row is None else self.kept(row)

    def kept(self, row: tuple[Any, ...]) -> Kept:
        """What a row of inbox says."""
        self._check(layout.seal_input, row, f"input {row[5]!r}")
        return Kept(row[2], row[6])

    def _newest_inputs(self, known: Known, turns: int) -> Iterator[tuple[str, Kept]]:
        if turns:
            for row in self._all(KNOWN, known.last, turns):
                yield row[5], self.kept(row)

    # All agents -----------------------------------------------------------------------------

    def _waking(self, query: Waking) -> tuple[Wake, ...]:
        after = (query.after.partition, query.after.id) if query.after else ("", "")
        rows = self._all(
            f"SELECT {AGENT} FROM agents WHERE (open > 0 OR due <= ?)"
            " AND (partition, id) > (?, ?) ORDER BY partition, id LIMIT ?",
            query.until,
            *after,
            query.limit,
        )
        # Not compared with their seals: these are hints, and one damaged agent is not to keep the
        # others asleep. Its claim will tell.
        return tuple(Wake(AgentKey(row[2], row[1]), row[3], row[10], row[12]) for row in rows)

    def _agents(self, query: Agents) -> tuple[Stored, ...]:
        if query.agent:
            known = self.known(query.agent)
            heads = [known.head] if known else []
            return tuple(Stored(one.agent, one.name, one.revision, one.oldest) for one in heads)
        after = (query.after.partition, query.after.id) if query.after else ("", "")
        rows = self._all(
            "SELECT partition, id, name, revision, max(revision - history + 1, 1) FROM agents"
            " WHERE (partition, id) > (?, ?) ORDER BY partition, id LIMIT ?",
            *after,
            query.limit,
        )
        # As above: one that is damaged is not to hide the others. Its turns will tell.
        return tuple(Stored(AgentKey(id, partition), *rest) for partition, id, *rest in rows)

    # Rows -----------------------------------------------------------------------------------

    def _all(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()

    def _one(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        return cast(
            "tuple[Any, ...] | None", self._connection.execute(statement, values).fetchone()
        )

    def _check(self, seal: Callable[..., int], row: tuple[Any, ...] | None, what: str) -> None:
        if row is None or not layout.is_sealed(seal, row):
            raise row_damaged(self._file, what)


_ANSWERS: Final[dict[type, Callable[[Reader, Any], object]]] = {
    Agents: Reader._agents,
    Find: Reader._find,
    History: Reader._history,
    Letters: Reader._letters,
    StateAt: Reader._state_at,
    Waking: Reader._waking,
}
