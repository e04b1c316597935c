"""The demo over several lives: what is settled is kept in a journal, and so are the agents.

Kill it at any moment and begin it again with the same file: it goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from attrs import define, evolve, field, frozen

from trido.agents import Reject, Signal
from trido.cli.clerk import Begun, Book, clerk
from trido.cli.source import BadInput
from trido.journal import Journal, JournalError, SqliteJournal
from trido.journal.operations import Claim
from trido.journal.rows import AgentKey
from trido.runtime import Agent, AgentRef, Runtime, open_runtime

_OTHER: Final = "it has the books of another input: give --durable another file"


@frozen
class Life:
    """One life of several, as it was found and as it ended."""

    number: int
    settled: int
    """How many lines were when it began."""
    remembered: int
    """How many letters the agents had served when it began, …"""
    unwritten: int
    """… and of how many of these that was not written down yet."""
    agrees: bool | None = None
    """Whether, in the end, the agents had served as many letters as are booked; None: not yet."""

    def __str__(self) -> str:
        if self.number == 1:
            return "life 1: there is nothing yet"
        said = f"life {self.number}: {self.settled:,} lines are settled"
        more = f", the agents have served {self.remembered:,} letters"
        rest = f", {self.unwritten:,} of them not booked yet" if self.unwritten else ""
        return said + more + rest


@define(eq=False, kw_only=True)
class Lives:
    """A journal in which the desk and the books are kept."""

    journal: Journal
    input: str
    """Tells the input from others: see `digest`."""
    life: Life | None = field(default=None, init=False)
    """This one, once it has begun."""
    _clerk: AgentRef[Book] | None = field(default=None, init=False)

    @classmethod
    def of(cls, file: Path, input: Path) -> Lives:
        """Those that are kept in a file. Raises `BadInput` as `digest` does."""
        return cls(journal=SqliteJournal(file.absolute()), input=digest(input))

    @property
    def clerk(self) -> AgentRef[Book]:
        """Who keeps the books, once they are open."""
        assert self._clerk is not None  # noqa: S101  # for the type checker
        return self._clerk

    @asynccontextmanager
    async def opened(self, agents: Collection[Agent[Any]]) -> AsyncGenerator[Runtime]:
        """A runtime with these agents and the clerk, who has one more life to book.

        Raises:
          JournalError: the journal cannot be opened, or nothing can be written.
          BadInput: it is of another input.
        """
        async with open_runtime(journal=self.journal, agents=(*agents, clerk)) as runtime:
            await _try_to_write(runtime)
            self._clerk = await runtime.start_agent(clerk, id="clerk")
            try:
                await self._clerk.call(Signal("demo.begun", Begun(self.input)))
            except Reject as error:
                raise BadInput(_OTHER) from error
            try:
                yield runtime
            except JournalError:
                runtime.supervisor.kill_children()  # as those of the desk
                raise

    def begin(self, refs: Mapping[str, AgentRef[Any]]) -> Life:
        """Look at what is found again."""
        book, remembered = self.clerk.state(), _served(refs)
        unwritten = remembered - book.handled
        self.life = Life(book.lives, book.settled, remembered, unwritten)
        return self.life

    def end(self, refs: Mapping[str, AgentRef[Any]]) -> None:
        """All is served: compare what the agents have with what is booked."""
        if self.life is not None:  # pragma: no branch - it has begun
            agrees = _served(refs) == self.clerk.state().handled
            self.life = evolve(self.life, agrees=agrees)


async def _try_to_write(runtime: Runtime) -> None:
    """An agent would wait until its journal can be written; whoever looks on is to be told."""
    if runtime.env.session is not None:  # pragma: no branch - it is open
        await runtime.env.session.write(Claim(AgentKey("clerk"), clerk.name))


def _served(refs: Mapping[str, AgentRef[Any]]) -> int:
    """How many letters they have served: each is a turn, and there are no others."""
    return sum(ref.status().revision for ref in refs.values())


def digest(path: Path) -> str:
    """Tells one input from another.

    Raises:
      BadInput: it cannot be read twice.
    """
    try:
        if path.exists() and not path.is_file():
            raise BadInput(f"--durable reads its input again, and {path} is no file")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
