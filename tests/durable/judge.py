"""The judge: what it knows of all lives so far, and what it finds after each.

It looks at a copy of the journal, so the next life finds the file as the last one left it. What it
has seen once it holds the journal to: nothing that was committed may change. `Book` decides every
turn again; here that is compared with what others say: clients, receivers, other agents.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from math import inf
from pathlib import Path
from typing import final

import trido
from tests.durable.application import AGENTS, Charge, Notify
from tests.durable.books import OPEN, Book, Committed, Findings
from tests.durable.outside import CALLS, CHARGES, NOTICES, lines
from trido.journal.operations import Claim, History, Letters
from trido.journal.rows import AgentKey, Entry
from trido.journal.store import SqliteStore
from trido.journal.upkeep import check


@final
class Judge:
    def __init__(self, directory: Path) -> None:
        self.found = Findings()
        """Of the last look."""
        self.counts = Counter[str]()
        self._directory = directory
        self._books = {id: Book(id, self.found, agent.state.cls()) for id, agent in AGENTS.items()}

    def look(self, *, last: bool = False) -> Findings:
        """Compare everything; if it is the last time, nothing may be left to be done."""
        self.found.clear()
        self._read(self._copied())
        if not self.found:
            self._compare_answers()
            self._compare_emits()
            self._compare_runs()
            self._compare_charges()
            self._compare_notices()
        if last and not self.found:
            self._compare_end()
        return self.found

    # The journal ----------------------------------------------------------------------------

    def _copied(self) -> Path:
        to = self._directory / "copy"
        shutil.rmtree(to, ignore_errors=True)
        to.mkdir()
        for name in ("app.db", "app.db-wal"):
            if (self._directory / name).exists():
                shutil.copy(self._directory / name, to / name)
        return to / "app.db"

    def _read(self, file: Path) -> None:
        if not file.exists():  # some are killed before they have one
            is_new = not any(book.revision for book in self._books.values())
            self.found.unless(is_new, "the journal is gone")
        elif damage := check(str(file), lambda *_: None):
            self.found.append(f"damaged: {damage}")
        else:
            self._read_store(SqliteStore(str(file), verify=inf))

    def _read_store(self, store: SqliteStore) -> None:
        try:
            letters = store.read(Letters(limit=100_000))
            for book in self._books.values():
                book.read(store.read(History(AgentKey(book.id), book.since)))
                claim = Claim(AgentKey(book.id), book.agent.name)
                (outcome,) = store.write([claim], sync=False)  # of the copy: it ends here
                book.compare(outcome.unwrap())
            self._compare_letters(letters)
        finally:
            store.close()

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
        self.found.unless(found == expected, f"letters {found}, and given up were {expected}")

    def _calls(self) -> Iterator[list[list[str]]]:
        for path in sorted(self._directory.glob(CALLS.format("*"))):
            yield lines(path)

    def _compare_answers(self) -> None:
        """What was acknowledged is there, once, and is what was answered."""
        self.counts["answers"] = 0
        for words in self._calls():
            for what, agent, id, *more in words:
                if what == "got":
                    self.counts["answers"] += 1
                    self._compare_answer(self._books[agent], id, more[0])
                self.found.unless(what != "complaint", f"{agent}: {id}: {more}")

    def _compare_answer(self, book: Book, id: str, answer: str) -> None:
        right = book.answers.get(id)
        self.found.unless(right, f"{book.id}: {id} was acknowledged, and is not there")
        self.found.unless(
            right in {None, answer}, f"{book.id}: {id} was answered {answer}, and it is {right}"
        )

    def _compare_emits(self) -> None:
        """Who is told hears it once, in order; and it is done when that is written."""
        for one in self._committed(trido.Emit):
            to = self._books[one.directive.to]
            heard = f"{one.directive.signal.type} {one.turn}" in to.consumed
            self.found.unless(
                heard or not one.is_done, f"{one.turn}: {to.id} was told, and does not know it"
            )
        for id in ("clerk", "archive"):
            self._compare_heard(self._books[id])

    def _compare_heard(self, book: Book) -> None:
        said = {one.turn for one in self._committed(trido.Emit) if one.directive.to == book.id}
        newest = dict.fromkeys(AGENTS, 0)
        for turn in book.heard:
            self.found.unless(turn in said, f"{book.id} heard of {turn}, which did not say so")
            sender, _, revision = turn.rpartition("/")
            self.found.unless(
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
                self.found.unless(
                    word != "settled" or turn in wanted, f"{turn}: settled, and not run"
                )
        for turn, one in wanted.items():
            heard = f"settled {turn}" in self._books[one.entry.agent.id].consumed
            self.found.unless(
                heard or not one.is_done, f"{turn}: its action is done, and not heard of"
            )

    def _compare_charges(self) -> None:
        """Once; and not without a turn that wants it."""
        wanted = {one.turn: one for one in self._committed(Charge)}
        told = lines(self._directory / CHARGES)
        done = Counter(turn for what, _, turn in told if what == "new")
        self.counts["charged again"] = sum(what == "again" for what, _, _ in told)
        for turn, times in done.items():
            self.found.unless(turn in wanted, f"{turn}: was charged, and did not want it")
            self.found.unless(times == 1, f"{turn}: was charged {times} times")
        for turn, one in wanted.items():
            self.found.unless(
                done[turn] or not one.is_done, f"{turn}: its charge is done, and was never made"
            )
            self.found.unless(one.entry.status != "unknown", f"{turn}: a keyed charge is unknown")

    def _compare_notices(self) -> None:
        """At most once; and never before it was written that it is about to be."""
        wanted = {one.turn: one.entry.status for one in self._committed(Notify)}
        made = Counter(turn for _, turn in lines(self._directory / NOTICES))
        for turn, times in made.items():
            self.found.unless(turn in wanted, f"{turn}: was notified, and did not want it")
            self.found.unless(times == 1, f"{turn}: was notified {times} times")
            self.found.unless(
                wanted.get(turn) != "pending", f"{turn}: was notified, and not said to be started"
            )
        for turn, status in wanted.items():
            self.found.unless(
                made[turn] or status != "done", f"{turn}: its notice is done, and was never made"
            )

    def _compare_end(self) -> None:
        """Nothing is left to be done, and all that was asked for was answered."""
        for one in self._committed(object):
            status = one.entry.status
            self.counts[status] += 1
            self.found.unless(status not in OPEN, f"{one.turn}: {one.directive} is still {status}")
        for book in self._books.values():
            self.found.unless(not book.timers, f"{book.id}: {book.timers} are still set")
            self._compare_unknown(book)
        for words in self._calls():
            answered = {id for what, _, id, *_ in words if what == "got"}
            for what, _, id, *_ in words:
                self.found.unless(what != "ask" or id in answered, f"{id} was never answered")

    def _compare_unknown(self, book: Book) -> None:
        """The agent was told of each, once."""
        unknown = sum(one.entry.status == "unknown" for one in book.directives.values())
        told = getattr(book.state, "unknown", 0)
        self.found.unless(
            unknown == told, f"{book.id}: {unknown} are unknown, and it was told of {told}"
        )
