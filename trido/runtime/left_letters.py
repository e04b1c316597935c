"""The dead letters that earlier processes have left: directives that are dead, or unknown.

They are there as soon as the runtime is, whether their agents run or not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from trido.agents import Emit
from trido.agents.codec.codec import Codec
from trido.agents.codec.errors import CodecError, in_file
from trido.agents.directive import Directive
from trido.agents.errors import AgentError
from trido.journal.errors import Corrupt, JournalError
from trido.journal.operations import Agents, Letters
from trido.journal.rows import AgentKey, Entry
from trido.runtime.dead_letters import Again, DeadLetter, DeadLetters
from trido.runtime.errors import GivenUp, OutcomeUnknown
from trido.runtime.naming import id_of
from trido.runtime.recovering import not_kept
from trido.runtime.standing import retry

if TYPE_CHECKING:
    from trido.journal.session import Session
    from trido.runtime.place import AgentPlace

MOST: Final = 5_000
"""So many are looked at: those of this process have room beside them."""
_PAGE: Final = 1_000


async def find(session: Session, codec: Codec, letters: DeadLetters) -> None:
    """Have those that the journal has among the dead letters. What cannot be read is logged."""
    try:
        left = await _left(session)
    except JournalError as error:
        _LOG.warning("the dead letters that are left cannot be read: %s", error)
        return
    for entry in left[:MOST]:
        letters.add(letter_of(codec, entry, session.file))
    if len(left) > MOST:
        said = "%s: more than %d dead letters are left: the rest is told once these are resolved"
        _LOG.warning(said, session.file, MOST)


async def _left(session: Session) -> list[Entry]:
    try:
        return [*await session.read(Letters(limit=MOST + 1))]
    except Corrupt:  # whose it is does not keep those of the others from being told
        return await _one_by_one(session)


async def _one_by_one(session: Session) -> list[Entry]:
    found: list[Entry] = []
    after: AgentKey | None = None
    while page := await session.read(Agents(after=after, limit=_PAGE)):
        for one in page:
            found += await _of(session, one.agent)
        after = page[-1].agent
    return found


async def _of(session: Session, agent: AgentKey) -> Iterable[Entry]:
    try:
        return await session.read(Letters(agent, limit=MOST + 1))
    except Corrupt as error:
        _LOG.warning("the dead letters of agent %r cannot be read: %s", id_of(agent), error)
        return ()


def letter_of(codec: Codec, entry: Entry, file: str) -> DeadLetter:
    """A directive that an earlier process has left, as a dead letter."""
    id, reason = id_of(entry.agent), _reason(entry)
    directive: Directive | None = None
    try:
        with in_file(file):
            directive = codec.decode(entry.name, entry.data)
    except CodecError as error:
        reason.__cause__ = error
    signal = directive.signal if isinstance(directive, Emit) else None
    name = f"{id}/{entry.revision}.{entry.index}"
    again = _again(id, entry, directive, reason)
    return DeadLetter(id, signal, reason, directive=directive, id=name, by=id, again=again)


def _reason(entry: Entry) -> AgentError:
    id = id_of(entry.agent)
    return OutcomeUnknown(id) if entry.status == "unknown" else GivenUp(id, entry.note)


def _again(id: str, entry: Entry, directive: Directive | None, reason: AgentError) -> Again:
    """What has its agent carry it out."""

    def again(place: AgentPlace[Any]) -> None:
        if directive is None:
            assert reason.__cause__ is not None  # noqa: S101  # for the type checker
            raise reason.__cause__
        retry(place, directive, (entry.revision, entry.index), not_kept(id, entry))

    return again


_LOG: Final = logging.getLogger("trido")
