"""One agent in a journal, read by its definition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar, final

from attrs import frozen

from trido.agents import Definition
from trido.agents.codec import HEAD, Codec, CodecError
from trido.agents.codec.errors import in_file
from trido.agents.codec.text import read
from trido.agents.directive import Directive
from trido.journal.errors import JournalError, NotKept
from trido.journal.operations import Agents, StateAt
from trido.journal.rows import AgentKey, Entry, Stored
from trido.runtime.naming import id_of
from trido.runtime.pages import Fields, Pages, Reading, Step
from trido.runtime.past import PastDirective, PastTurn

S = TypeVar("S")


@final
@frozen(eq=False)
class Archived(Generic[S]):
    """An agent in a journal."""

    reading: Reading
    codec: Codec
    agent: Definition[S]
    key: AgentKey

    async def about(self) -> Stored:
        """What the journal says of it.

        Raises:
          NotKept: there is no such agent.
          JournalError: it is of another definition; or it cannot be read.
        """
        found = await self.reading.read(Agents(self.key))
        if not found:
            raise self._not_kept("it has no", "ask which it has: History.agents()")
        (stored,) = found
        if stored.name != self.agent.name:
            reason = f"agent {str(self.key)!r} is of the definition {stored.name!r}"
            remedy = f"it cannot be read as {self.agent.name!r}: give that definition"
            raise JournalError(self.reading.file, reason, remedy)
        return stored

    async def pages(self, since: int, until: int) -> Pages:
        """Its turns. Raises as `about` does."""
        await self.about()
        return Pages(self.reading, self.key, since, until)

    async def state_at(self, revision: int) -> S:
        """Its state at a revision. Raises as `about` does, and `CodecError`."""
        stored = await self.about()
        if revision == 0:
            return self.agent.state.initial
        fields = await self.reading.read(StateAt(self.key, revision))
        if fields is None:
            remedy = f"revisions {stored.oldest} to {stored.revision} are kept"
            raise self._not_kept(f"it does not keep revision {revision} of", remedy)
        return self.state_of(fields)

    def _not_kept(self, reason: str, remedy: str) -> NotKept:
        return NotKept(self.reading.file, f"{reason} agent {str(self.key)!r}", remedy)

    # What rows say ----------------------------------------------------------------------------

    def state_of(self, fields: Fields) -> S:
        """A state. Raises `CodecError`."""
        if not fields:
            return self.agent.state.initial
        with in_file(self.reading.file):
            return self.codec.state(self.agent).decode(fields)

    def turn_of(self, step: Step) -> PastTurn[S]:
        """A turn. Raises `CodecError`."""
        past = step.past
        with in_file(self.reading.file):
            given = self.codec.decode_input(
                past.input, agent_id=id_of(self.key), revision=past.revision - 1
            )
        return PastTurn(
            past.revision,
            given.turn,
            self.state_of(step.after),
            self._changed(step),
            tuple(self._directive(one) for one in past.directives),
            given.is_effectful,
        )

    def _changed(self, step: Step) -> tuple[str, ...]:
        before: Mapping[str, bytes] = step.before or {}
        fields = ((name, one) for name, one in step.after.items() if name != HEAD)
        return tuple(name for name, one in fields if before.get(name) != one)

    def _directive(self, entry: Entry) -> PastDirective:
        try:
            directive: Directive | None = self.codec.decode(entry.name, entry.data)
        except CodecError:
            directive = None
        id = f"{id_of(entry.agent)}/{entry.revision}.{entry.index}"
        said, status = read(entry.data), entry.status
        return PastDirective(id, entry.name, directive, said, status, entry.attempts, entry.note)
