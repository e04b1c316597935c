# ruff: noqa: S608  # statements are put together from constants of this room only
"""Writing a journal's file: the rows of one transaction, gathered and then written table by table.

One statement writes many rows. Each statement that SQLite carries out lets go of Python's lock and
has to get it back from an event loop that is busy; with one for each row, a batch would wait for
the loop hundreds of times.
"""

from __future__ import annotations

import sqlite3
from itertools import chain
from typing import Any, Final, TypeAlias, final

from trido.journal import layout, rules
from trido.journal.operations import Commit, Mark, PlainTurn
from trido.journal.reading import AGENT, INBOX, OUTBOX, TIMER, TURN, Known
from trido.journal.rows import AgentKey, Directed, Keep, Status

Row: TypeAlias = tuple[Any, ...]

ROWS: Final = 128
"""How many rows one statement writes at most."""


def _insert(table: str, columns: str) -> tuple[str, int]:
    return f"INSERT INTO {table} ({columns})", columns.count(",") + 1


TURNS: Final = _insert("turns", TURN)
INPUTS: Final = _insert("inbox", INBOX)
DIRECTIVES: Final = _insert("outbox", OUTBOX)
TIMERS: Final = _insert("timers", TIMER)
AGENTS: Final = _insert("agents", AGENT)

_CHANGING: Final = [one for one in AGENT.split(", ") if one not in {"agent", "partition", "id"}]
RENEW_AGENT: Final = "ON CONFLICT (agent) DO UPDATE SET " + ", ".join(
    f"{column} = excluded.{column}" for column in _CHANGING
)
MOVE: Final = (
    "UPDATE agents SET (epoch, revision, full, last, at, consumed, open, timers, due, seal)"
    f" = ({', '.join(f'column{number}' for number in range(2, 12))}) FROM ("
)
ADVANCE: Final = (
    "UPDATE agents SET (revision, full, last, at, seal)"
    " = (column2, column3, column4, column5, column6) FROM ("
)
"""As `MOVE`, of those that made turns and nothing else: it takes two thirds of the time."""
MOVED: Final = ") WHERE agent = column1"
RENEW_TIMER: Final = (
    "ON CONFLICT (agent, key) DO UPDATE"
    " SET due = excluded.due, data = excluded.data, seal = excluded.seal"
)
MARK: Final = (
    "UPDATE outbox SET (status, attempts, note, seal) = (column2, column3, column4, column5) FROM ("
)
MARKED: Final = ") WHERE directive = column1"
CANCEL: Final = "DELETE FROM timers WHERE (agent, key) IN ("


def execute_many(
    connection: sqlite3.Connection, before: str, columns: int, rows: list[Row], after: str = ""
) -> int:
    """Carry a statement out for all rows, so many at once. Returns how many were changed."""
    return _execute_flat(connection, before, columns, [*chain.from_iterable(rows)], after)


def _execute_flat(
    connection: sqlite3.Connection, before: str, columns: int, values: list[Any], after: str = ""
) -> int:
    """The same, of values that stand one after the other."""
    changed, most = 0, ROWS * columns
    for at in range(0, len(values), most):
        some = values if len(values) <= most else values[at : at + most]
        statement = layout.many(before, columns, len(some) // columns, after)
        changed += connection.execute(statement, some).rowcount
    return changed


@final
class Sheet:
    """The rows of one transaction, and the numbers of those to come."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._agent = self._next("agents", "agent")
        self._turn = self._next("turns", "turn")
        self._directive = self._next("outbox", "directive")
        self._advanced: dict[int, Known] = {}
        self._agents: dict[int, Known] = {}
        self._claimed: dict[int, Known] = {}
        self._turns: list[Any] = []  # one row after the other
        self._inputs: list[Row] = []
        self._directives: list[Row] = []
        self._marks: dict[int, Row] = {}
        self._timers: dict[tuple[int, str], Row | None] = {}

    def _next(self, table: str, column: str) -> int:
        found = self._connection.execute(f"SELECT max({column}) FROM {table}").fetchone()[0]
        return (found or 0) + 1

    @property
    def newest(self) -> int:
        """The row of the newest turn."""
        return self._turn - 1

    def new_agent(self, agent: AgentKey, name: str) -> Known:
        """An agent that was not known."""
        known = Known(self._agent, rules.Head(agent, name))
        self._agent += 1
        return known

    def claim(self, known: Known, keep: Keep) -> None:
        """The agent has a new run."""
        head = known.head
        head.keep = keep
        for _, slot in rules.claimed(head):
            self._status(slot, "")
        named = head.agent.partition, head.agent.id, head.name
        known.base = layout.seal_name(known.number, *named, *_kept(keep))
        self._claimed[known.number] = known

    def plain_turn(self, known: Known, turn: PlainTurn) -> None:
        """The agent has made a turn that changes its state and nothing else."""
        _, _, _, revision, at, _, _, full = turn
        rules.moved_on(known.head, revision, at, full=full)
        self._turned(known, turn, 0)
        self._advanced[known.number] = known

    def turn(self, known: Known, commit: Commit) -> None:
        """The agent has made a turn."""
        rules.committed(known.head, commit)
        place, number, directives = self._turn, known.number, commit.directives
        self._turned(known, commit.as_plain_turn(), len(directives))
        if commit.consumes is None and not (directives or commit.cancelled or commit.timers):
            self._advanced[number] = known
            return
        if commit.consumes is not None:
            self._input(place, known, commit, commit.consumes)
        for at, directed in enumerate(directives):
            self._committed(known, commit.revision, at, directed)
        if commit.cancelled or commit.timers:
            self._set_timers(number, commit)
        self._agents[number] = known

    def _turned(self, known: Known, turn: PlainTurn, directives: int) -> None:
        _, _, _, revision, at, input, fields, full = turn
        place, before, state = self._turn, known.last, layout.pack(fields)
        self._turn, known.last = place + 1, place
        whole, first = 1 if full else 0, self._directive
        numbers = (place, known.number, revision, before, whole, at, first, directives)
        self._turns += (*numbers, input, state, layout.seal_data(numbers, input, state))

    def _input(self, place: int, known: Known, commit: Commit, key: str) -> None:
        nth = known.head.consumed
        row = (place, known.number, commit.revision, nth, commit.at, key, commit.reply)
        self._inputs.append((*row, layout.seal_input(*row)))

    def _committed(self, known: Known, revision: int, index: int, directed: Directed) -> None:
        place = self._directive
        self._directive += 1
        row = (place, known.number, revision, index, directed.name, directed.data)
        base = layout.seal_directive(*row)
        rest = ("pending", directed.attempts, "")
        self._directives.append((*row, *rest, layout.seal_status(base, *rest)))
        slot = rules.Slot("pending", directed.attempts, (place, base))
        known.head.open[revision, index] = slot

    def _set_timers(self, agent: int, commit: Commit) -> None:
        for key in commit.cancelled:
            self._timers[agent, key] = None
        for one in commit.timers:
            row = (agent, one.key, one.due, one.data)
            self._timers[agent, one.key] = (*row, layout.seal_timer(*row))

    def mark(self, known: Known, slot: rules.Slot, mark: Mark) -> None:
        """Something became of a directive."""
        rules.move(known.head, (mark.revision, mark.index), slot, mark.status)
        self._status(slot, mark.note)
        self._agents[known.number] = known

    def resolve(self, known: Known, row: Row, status: Status) -> None:
        """A directive that was unknown or dead was settled."""
        slot = rules.Slot(status, row[7], (row[0], layout.seal_directive(*row[:6])))
        if status in rules.OPEN:
            slot.attempts = 0
            known.head.open[row[2], row[3]] = slot
        self._status(slot, row[8])
        self._agents[known.number] = known

    def _status(self, slot: rules.Slot, note: str) -> None:
        place, base = slot.row
        rest = slot.status, slot.attempts, note
        self._marks[place] = (place, *rest, layout.seal_status(base, *rest))

    # Writing --------------------------------------------------------------------------------

    def write(self) -> None:
        """Write all rows, and begin a new sheet."""
        if self._agents or self._claimed:
            self._write_what_is_rare()
        advanced = [_advanced(one) for one in self._advanced.values()]
        self._update((ADVANCE, 6), advanced)
        _execute_flat(self._connection, *TURNS, self._turns)
        self._advanced.clear()
        self._turns.clear()

    def _write_what_is_rare(self) -> None:
        """All but the turns that change a state and nothing else, and their agents."""
        for number in (*self._agents, *self._claimed):
            self._advanced.pop(number, None)
        self._put(AGENTS, [_row_of(one) for one in self._claimed.values()], RENEW_AGENT)
        moved = [_moved(one) for at, one in self._agents.items() if at not in self._claimed]
        self._update((MOVE, 11), moved)
        self._put(INPUTS, self._inputs)
        self._put(DIRECTIVES, self._directives)
        self._put((MARK, 5), list(self._marks.values()), MARKED)
        self._put(TIMERS, [row for row in self._timers.values() if row], RENEW_TIMER)
        cancelled = [key for key, row in self._timers.items() if not row]
        execute_many(self._connection, CANCEL, 2, list(cancelled), ")")
        for known in (self._agents, self._claimed):
            known.clear()
        for rows in (self._inputs, self._directives):
            rows.clear()
        self._marks.clear()
        self._timers.clear()

    def _update(self, statement: tuple[str, int], agents: list[Row]) -> None:
        if self._put(statement, agents, MOVED) != len(agents):
            error = sqlite3.DatabaseError("the rows of some agents are gone")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error

    def _put(self, statement: tuple[str, int], rows: list[Row], after: str = "") -> int:
        return execute_many(self._connection, *statement, rows, after)


def _row_of(known: Known) -> Row:
    """All of an agent's row."""
    agent, name = known.head.agent, known.head.name
    number, *rest, seal = _moved(known)
    return (number, agent.partition, agent.id, name, *rest, *_kept(known.head.keep), seal)


def _moved(known: Known) -> Row:
    """What a turn may change in it."""
    head = known.head
    numbers, due = _numbers(known), head.due
    return (known.number, *numbers, due, layout.seal_head(known.base, numbers, due))


def _advanced(known: Known) -> Row:
    """What a turn changes in it that neither consumes an input nor leaves something to do."""
    head = known.head
    seal = layout.seal_head(known.base, _numbers(known), head.due)
    return (known.number, head.revision, head.full, known.last, head.at, seal)


def _numbers(known: Known) -> tuple[int, ...]:
    head = known.head
    return (
        head.epoch,
        head.revision,
        head.full,
        known.last,
        head.at,
        head.consumed,
        len(head.open),
        len(head.timers),
    )


def _kept(keep: Keep) -> tuple[int, int, int]:
    return keep.history, keep.dedupe, keep.dedupe_for
