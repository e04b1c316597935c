"""The demo's books, kept by an agent: what became of each line, over all lives of the demo.

It is durable, as the agents of the desk are. A line is settled once it is written here that it is.
Whatever was under way when the process was killed was not settled, and is sent again, with the same
id; an agent that had served it already knows that, and answers as it did.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen

from trido.agents import Decision, Reject
from trido.cli.ledger import FATES, Fate, Ledger, Reason
from trido.runtime import Agent

REASONS: Final = 50
"""How many reasons of each fate are told apart."""
_OTHER: Final = "other reasons"
_EXAMPLES: Final = 3


@frozen
class Told:
    """Why lines met a fate, and which: the first few."""

    fate: str
    reason: str
    count: int
    lines: tuple[int, ...]


@frozen
class Book:
    """What the clerk knows."""

    input: str = ""
    """Tells one input from another."""
    lives: int = 0
    """How often the demo was begun."""
    upto: int = 0
    """All lines up to this one are settled, …"""
    beyond: tuple[int, ...] = ()
    """… and these after it."""
    handled: int = 0
    refused: int = 0
    dead_lettered: int = 0
    told: tuple[Told, ...] = ()

    @property
    def settled(self) -> int:
        """How many lines are."""
        return self.upto + len(self.beyond)

    def has(self, line: int) -> bool:
        """Whether it is settled what became of a line."""
        return line <= self.upto or line in self.beyond


@frozen
class Begun:
    """The demo begins, or goes on."""

    input: str


@frozen
class Settled:
    """It is known what became of a line."""

    line: int
    fate: str
    reason: str = ""


clerk: Final = Agent("clerk", state=Book, durability="sync")


@clerk.on("demo.begun")
def begun(book: Book, data: Begun) -> Decision[Book]:
    """One more life; of another input it has no books."""
    if book.input not in ("", data.input):
        raise Reject("it has the books of another input")
    return evolve(book, input=data.input, lives=book.lives + 1)


@clerk.on("demo.settled")
def settle(book: Book, data: Settled) -> Decision[Book]:
    """A line is settled, once."""
    if book.has(data.line) or data.fate not in FATES:
        return book
    upto, beyond = book.upto, {*book.beyond, data.line}
    while upto + 1 in beyond:
        upto += 1
        beyond.remove(upto)
    return evolve(
        book,
        upto=upto,
        beyond=tuple(sorted(beyond)),
        told=_told(book.told, data) if data.reason else book.told,
        **{data.fate: getattr(book, data.fate) + 1},
    )


def _told(told: tuple[Told, ...], data: Settled) -> tuple[Told, ...]:
    known = {(one.fate, one.reason): one for one in told}
    key = data.fate, data.reason
    if key not in known and sum(fate == data.fate for fate, _ in known) >= REASONS:
        key = data.fate, _OTHER
    before = known.get(key, Told(*key, 0, ()))
    lines = (*before.lines, data.line)[:_EXAMPLES]
    known[key] = evolve(before, count=before.count + 1, lines=lines)
    return tuple(known.values())


def take_over(book: Book, ledger: Ledger) -> None:
    """Begin a ledger with what is settled already."""
    fates: dict[Fate, int] = {
        "handled": book.handled,
        "refused": book.refused,
        "dead_lettered": book.dead_lettered,
    }
    ledger.lines = book.settled
    ledger.settled.update(fates)
    for fate in FATES:
        told = [one for one in book.told if one.fate == fate]
        ledger.reasons[fate] = {one.reason: Reason(one.count, [*one.lines]) for one in told}
