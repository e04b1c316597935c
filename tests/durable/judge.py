"""The judge: what it knows of all lives so far, and what it finds after each.

It looks at a copy of the journal, so the next life finds the file as the last one left it. What it
has seen once it holds the journal to: nothing that was committed may change. It decides every turn
again, keeps the books of timers and directives itself, and compares.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any, Final, final

from attrs import Factory, define

import trido
from tests.durable.application import AGENTS, DEFINITIONS, DIRECTIVES, Charge, Notify, settle
from tests.durable.outside import CALLS, CHARGES, NOTICES, lines
from trido.agents.codec import Codec, Input
from trido.journal.operations import Claim, History, Letters
from trido.journal.rows import AgentKey, Entry, Past, Recovery
from trido.journal.store import SqliteStore
from trido.journal.upkeep import check

CODEC: Final = Codec({one.name: one for one in DEFINITIONS}, {"settle": settle}, DIRECTIVES)
AT_COMMIT: Final = (
    trido.Reply,
    trido.DeferReply,
    trido.Schedule,
    trido.Cron,
    trido.Cancel,
    trido.Stop,
)
"""Directives that take effect with the commit: there is nothing left to be carried out."""
OVER: Final = frozenset({"done", "failed", "dead", "unknown"})


@final
@define
class Committed:
    """A directive, as it was committed."""

    directive: Any
    entry: Entry

    @property
    def turn(self) -> str:
        return f"{self.entry.agent}/{self.entry.revision}"


@final
@define
class Book:
    """What is known of one agent."""

    id: str
    state: Any
    revision: int = 0
    newest: Past | None = None
    fields: Mapping[str, bytes] = Factory(dict)
    timers: dict[str, str] = Factory(dict)
    """Those that are set: what they say, by the key, or by what they say."""
    ticked: Any = None
    consumed: dict[str, int] = Factory(dict)
    """At which revision what was consumed."""
    heard: list[str] = Factory(list)
    """The turns of others that it was told of, in order."""
    directives: dict[tuple[int, int], Committed] = Factory(dict)


@final
class Judge:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._copy = directory / "copy"
        self._books = {id: Book(id, agent.state.cls()) for id, agent in AGENTS.items()}
        self.findings: list[str] = []
        self.counts = Counter[str]()

    def look(self, *, last: bool = False) -> list[str]:
        """Compare everything. Returns what is found, in words."""
        self.findings = []
        with self._file() as file:
            if file.exists():
                self._read_file(file)
            else:
                none = not any(book.revision for book in self._books.values())
                self._expect(none, "the journal is gone")
        if not self.findings:
            self._compare_answers()
            self._compare_emits()
            self._compare_runs()
            self._compare_charges()
            self._compare_notices()
        if last and not self.findings:
            self._compare_end()
        return self.findings

    def _expect(self, is_so: object, otherwise: str) -> None:
        if not is_so:
            self.findings.append(otherwise)

    @contextmanager
    def _file(self) -> Generator[Path]:
        shutil.rmtree(self._copy, ignore_errors=True)
        self._copy.mkdir()
        for name in ("app.db", "app.db-wal"):
            if (self._directory / name).exists():
                shutil.copy(self._directory / name, self._copy / name)
        yield self._copy / "app.db"

    # The journal ----------------------------------------------------------------------------

    def _read_file(self, file: Path) -> None:
        damage = check(str(file), lambda *_: None)
        self._expect(not damage, f"damaged: {damage}")
        if not damage:
            self._read(file)

    def _read(self, file: Path) -> None:
        store = SqliteStore(str(file), verify=inf)
        try:
            letters = store.read(Letters(limit=100_000))
            for book in self._books.values():
                self._read_agent(store, book)
            self._compare_letters(letters)
        finally:
            store.close()

    def _read_agent(self, store: SqliteStore, book: Book) -> None:
        key = AgentKey(book.id)
        self._read_turns(store.read(History(key, self._since(book))), book)
        # Of the copy: it ends here.
        (outcome,) = store.write([Claim(key, AGENTS[book.id].name)], sync=False)
        self._compare_state(book, outcome.unwrap())

    def _since(self, book: Book) -> int:
        """From where on there may be news: a turn, or what became of a directive."""
        open = [id[0] for id, one in book.directives.items() if one.entry.status not in OVER]
        return min([book.revision, *open]) - 1

    def _read_turns(self, turns: Iterable[Past], book: Book) -> None:
        newest = book.revision
        for turn in turns:
            self._know(turn, book)
            if turn.revision == newest:
                same = book.newest and (turn.input, turn.state) == (
                    book.newest.input,
                    book.newest.state,
                )
                self._expect(same, f"{book.id}: revision {newest} has changed")
                newest = -1
            if turn.revision <= book.revision:
                continue
            if turn.revision != book.revision + 1:
                self.findings.append(f"{book.id}: {turn.revision} follows {book.revision}")
                return
            self._decide(turn, book)
        self._expect(newest <= 0, f"{book.id}: revision {newest} is gone")

    def _know(self, turn: Past, book: Book) -> None:
        for entry in turn.directives:
            known = book.directives.get((turn.revision, entry.index))
            if known is None:
                directive = CODEC.decode(entry.name, entry.data)
                book.directives[turn.revision, entry.index] = Committed(directive, entry)
                continue
            moved = (
                known.entry.status in ("pending", "started") or known.entry.status == entry.status
            )
            self._expect(moved, f"{known.turn}: {known.entry.status}, then {entry.status}")
            known.entry = entry

    def _decide(self, turn: Past, book: Book) -> None:
        """Decide it again: it must come to the same."""
        agent, name = AGENTS[book.id], f"{book.id}/{turn.revision}"
        input = CODEC.decode_input(turn.input, agent_id=book.id, revision=turn.revision - 1)
        self._consume(input, book, name)
        book.fields = turn.state if turn.full else {**book.fields, **turn.state}
        entries = [book.directives[turn.revision, one.index].directive for one in turn.directives]
        book.revision, book.newest = turn.revision, turn
        recorded = CODEC.state(agent).decode(book.fields)
        if input.is_effectful:  # it cannot be decided again
            self._expect(entries == [Charge(name)], f"{name}: {entries}")
            book.state = recorded
            return
        decided, wanted = again(agent, book.state, input)
        self._expect(decided == recorded, f"{name}: decided {decided}, recorded {recorded}")
        lasting = [one for one in wanted if not isinstance(one, AT_COMMIT)]
        same = [brief(one) for one in lasting] == [brief(one) for one in entries]
        self._expect(same, f"{name}: wanted {lasting}, recorded {entries}")
        self._set_timers(wanted, book)
        book.state = decided

    def _consume(self, input: Input, book: Book, name: str) -> None:
        """No input twice; no timer that was not set."""
        signal, why = input.signal, input.turn.why
        id = signal.id
        if why == "emit":
            id = signal.data["turn"]
            book.heard.append(id)
        elif why == "run":
            id = labelled(signal)
        elif why == "timer":
            id = labelled(signal)
            self._fire(id, input, book, name)
            id += f" {input.turn.planned}" if signal.type == "tick" else ""
        if input.is_hook or id is None:
            return
        before = book.consumed.setdefault(id, book.revision + 1)
        self._expect(
            before == book.revision + 1, f"{name}: {id} was applied twice, before at {before}"
        )

    def _fire(self, label: str, input: Input, book: Book, name: str) -> None:
        planned = input.turn.planned
        if input.signal.type == "tick":
            apart = (planned - book.ticked).total_seconds() if planned and book.ticked else 60
            self._expect(apart == 60, f"{name}: ticks are {apart} s apart")
            self._expect("tick" in book.timers, f"{name}: the calendar was not set")
            book.ticked = planned
            return
        rows = [row for row, set_to in book.timers.items() if set_to == label]
        self._expect(rows, f"{name}: {label} was not set any more")
        for row in rows:
            del book.timers[row]

    def _set_timers(self, wanted: Iterable[Any], book: Book) -> None:
        for one in wanted:
            if isinstance(one, trido.Cancel):
                book.timers.pop(one.key, None)
            elif isinstance(one, trido.Schedule | trido.Cron):
                label = labelled(one.signal)
                book.timers[one.key or label] = label

    def _compare_state(self, book: Book, found: Recovery) -> None:
        """What a run would begin with is what the turns come to."""
        self._expect(
            found.revision == book.revision,
            f"{book.id}: at revision {found.revision}, and the turns end with {book.revision}",
        )
        if found.revision:
            state = CODEC.state(AGENTS[book.id]).decode(found.state)
            self._expect(state == book.state, f"{book.id}: {state}, and the turns say {book.state}")
        timers = [CODEC.decode_timer(one.key, one.due, one.data) for one in found.timers]
        rows = {
            one.directive.key or labelled(one.directive.signal): labelled(one.directive.signal)
            for one in timers
        }
        self._expect(
            rows == book.timers, f"{book.id}: timers {rows}, and the turns say {book.timers}"
        )

    # What the others say --------------------------------------------------------------------

    def _committed(self, kind: type) -> Iterator[Committed]:
        for book in self._books.values():
            for one in book.directives.values():
                if isinstance(one.directive, kind):
                    yield one

    def _compare_letters(self, letters: Iterable[Entry]) -> None:
        """What is given up is reported."""
        found = {(one.agent.id, one.revision, one.index): one.status for one in letters}
        expected = {
            (one.entry.agent.id, one.entry.revision, one.entry.index): one.entry.status
            for one in self._committed(object)
            if one.entry.status in ("dead", "unknown")
        }
        self._expect(found == expected, f"letters {found}, and given up were {expected}")

    def _compare_answers(self) -> None:
        """What was acknowledged is there, once, and is what was answered."""
        for path in sorted(self._directory.glob(CALLS.format("*"))):
            for what, agent, id, *more in lines(path):
                if what == "complaint":
                    self.findings.append(f"{agent}: {id}: {more}")
                if what != "got":
                    continue
                at = self._books[agent].consumed.get(id)
                self._expect(at, f"{agent}: {id} was acknowledged, and is not there")
                right = more[0].startswith("state:") or more[0] == f"{agent}/{at}"
                self._expect(right, f"{agent}: {id} was answered {more[0]}, and came {at}.")
                self.counts["answers"] += 1

    def _compare_emits(self) -> None:
        """Who is told hears it once, in order; and it is done when that is written."""
        for one in self._committed(trido.Emit):
            heard = one.turn in self._books[one.directive.to].consumed
            self._expect(
                heard or one.entry.status != "done",
                f"{one.turn}: {one.directive.to} was told, and does not know it",
            )
        for id in ("clerk", "archive"):
            self._compare_heard(self._books[id])

    def _compare_heard(self, book: Book) -> None:
        said = {one.turn for one in self._committed(trido.Emit) if one.directive.to == book.id}
        newest = dict.fromkeys(AGENTS, 0)
        for turn in book.heard:
            self._expect(turn in said, f"{book.id} heard of {turn}, which did not say so")
            sender, _, revision = turn.partition("/")
            self._expect(
                int(revision) > newest[sender],
                f"{book.id} heard of {turn} after {newest[sender]}",
            )
            newest[sender] = int(revision)

    def _compare_runs(self) -> None:
        """What comes of an action is heard once; and it is done when that is written."""
        wanted = {one.turn: one for one in self._committed(trido.Run)}
        for book in self._books.values():
            for id in book.consumed:
                word, _, turn = id.partition(" ")
                self._expect(word != "settled" or turn in wanted, f"{turn}: settled, and not run")
        for turn, one in wanted.items():
            heard = f"settled {turn}" in self._books[one.entry.agent.id].consumed
            self._expect(
                heard or one.entry.status != "done", f"{turn}: its action is done, and not heard of"
            )

    def _compare_charges(self) -> None:
        """Once; and not without a turn that wants it."""
        wanted = {one.turn: one for one in self._committed(Charge)}
        told = lines(self._directory / CHARGES)
        done = Counter(turn for what, _, turn in told if what == "new")
        self.counts["charged again"] = sum(what == "again" for what, _, _ in told)
        for turn, times in done.items():
            self._expect(turn in wanted, f"{turn}: was charged, and did not want it")
            self._expect(times == 1, f"{turn}: was charged {times} times")
        for turn, one in wanted.items():
            self._expect(
                done[turn] or one.entry.status != "done",
                f"{turn}: its charge is done, and was never made",
            )
            self._expect(one.entry.status != "unknown", f"{turn}: a keyed charge is unknown")

    def _compare_notices(self) -> None:
        """At most once; and never before it was written that it is about to be."""
        wanted = {one.turn: one.entry.status for one in self._committed(Notify)}
        made = Counter(turn for _, turn in lines(self._directory / NOTICES))
        for turn, times in made.items():
            self._expect(turn in wanted, f"{turn}: was notified, and did not want it")
            self._expect(times == 1, f"{turn}: was notified {times} times")
            self._expect(
                wanted.get(turn) != "pending", f"{turn}: was notified, and not said to be started"
            )
        for turn, status in wanted.items():
            self._expect(
                made[turn] or status != "done", f"{turn}: its notice is done, and was never made"
            )

    def _compare_end(self) -> None:
        """Nothing is left to be done, and all that was asked for was answered."""
        for one in self._committed(object):
            self.counts[one.entry.status] += 1
            self._expect(
                one.entry.status in OVER, f"{one.turn}: {one.directive} is still {one.entry.status}"
            )
        for book in self._books.values():
            self._expect(not book.timers, f"{book.id}: {book.timers} are still set")
            self._compare_unknown(book)
        for path in sorted(self._directory.glob(CALLS.format("*"))):
            words = lines(path)
            got = {id for what, _, id, *_ in words if what == "got"}
            for what, _, id, *_ in words:
                self._expect(what != "ask" or id in got, f"{id} was never answered")

    def _compare_unknown(self, book: Book) -> None:
        """The agent was told of each, once."""
        unknown = sum(one.entry.status == "unknown" for one in book.directives.values())
        told = getattr(book.state, "unknown", 0)
        self._expect(
            unknown == told, f"{book.id}: {unknown} are unknown, and it was told of {told}"
        )


def again(agent: trido.Agent[Any], state: Any, input: Input) -> tuple[Any, tuple[Any, ...]]:
    """What the agent decides upon that."""
    hook = {"start": agent.starts, "restart": agent.starts, "stop": agent.stops}
    if input.is_hook:
        decision = hook[input.turn.why]
        assert decision
        return agent.decide(decision, state, None, input.turn)
    return agent.cmd(state, input.signal, input.turn)


def brief(directive: Any) -> Any:
    """A directive without what is stamped on its signal when it is sent."""
    if isinstance(directive, trido.Emit):
        return directive.signal.type, directive.signal.data, address(directive.to)
    if isinstance(directive, trido.Run):
        return directive.action.name, turn_of(directive.params), directive.ok
    return directive


def address(to: Any) -> str:
    return to if isinstance(to, str) else to.id


def turn_of(data: Any) -> str:
    return str(data["turn"] if isinstance(data, Mapping) else data.turn)


def labelled(signal: trido.Signal) -> str:
    """A signal in two words."""
    return f"{signal.type} {turn_of(signal.data)}" if signal.data else signal.type
