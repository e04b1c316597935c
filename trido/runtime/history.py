"""The history of durable agents: which turns made them what they are.

A journal knows rows. What they say is read here, by the definition of the agent: lazily, a page at
a time, so a long history is never in memory as a whole. Nothing is carried out, no handler is
called, and whoever writes to the journal goes on meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar, final

from trido.agents import Action, Definition
from trido.checks import count, text
from trido.errors import SpecError
from trido.runtime.environment import Environment
from trido.runtime.listing import Listed, Turns
from trido.runtime.partition import check_partition, id_in
from trido.runtime.past import Replayed

if TYPE_CHECKING:
    from trido.journal.inspection import Progress
    from trido.journal.view import Viewed
    from trido.runtime.archive import Archived
    from trido.runtime.pages import Reading

S = TypeVar("S")

LAST: Final = 2**63 - 1
"""No revision is later."""
_OF: Final = "History"


@final
class History:
    """What a journal has of its agents. Made by `open_history`, and by `Runtime.history`.

    Each method takes the definition that is to read: it must be of the name that the journal has
    for the agent, and may be newer than the one that wrote.
    """

    def __init__(
        self,
        reading: Reading,
        agents: Iterable[Definition[Any]] = (),
        actions: Iterable[Action[Any, Any]] = (),
        directives: Iterable[type] = (),
    ) -> None:
        self._reading = reading
        self._agents = {one.name: one for one in agents}
        self._actions = {one.name: one for one in actions}
        self._directives = {one.__name__: one for one in directives}

    def __repr__(self) -> str:
        return f"<trido.History of {self._reading.file}>"

    def agents(self) -> Listed:
        """Which agents there are: ``async for one in history.agents()``.

        Checkpoints: each step does.

        Raises:
          JournalError: the journal cannot be read.
        """
        return Listed(self._reading)

    def turns(
        self,
        agent: Definition[S],
        id: str,
        *,
        since: int = 0,
        until: float = math.inf,
        partition: str = "",
    ) -> Turns[S]:
        """The turns of an agent, the oldest first: ``async for turn in history.turns(...)``.

        As far back as the journal keeps them, and lazily: a page is read when it is needed.

        Args:
          agent: its definition.
          id: its id; in a partition, what it is called there, or ``//partition/id``.
          since: turns up to this revision are left out.
          until: so are those after this one.
          partition: where it is.

        Checkpoints: each step does.

        Raises:
          SpecError: at once, if an argument is not what it may be.
          NotKept: the journal has no such agent.
          CodecError: a turn cannot be read by this definition.
          JournalError: the agent is of another definition, or cannot be read.
        """
        return Turns(self._archived(agent, id, partition), *_span(since, until))

    async def state(
        self, agent: Definition[S], id: str, revision: int, *, partition: str = ""
    ) -> S:
        """The state of an agent as it was at a revision; before its first turn, at 0, the initial.

        Checkpoints: always.

        Raises:
          SpecError, NotKept, CodecError, JournalError: as `turns`; `NotKept` also if this revision
            is not kept.
        """
        count(_OF, "revision", revision, least=0, infinite=False)
        return await self._archived(agent, id, partition).state_at(revision)

    async def replay(
        self,
        agent: Definition[S],
        id: str,
        *,
        since: int = 0,
        until: float = math.inf,
        most: float = 1,
        partition: str = "",
        progress: Progress | None = None,
    ) -> Replayed[S]:
        """Decide an agent's turns again, and compare with what was committed.

        Each recorded input goes through ``agent.cmd``, with the `Turn` that was recorded and the
        state that was committed before it; so one difference does not lead to others. What was
        decided by a handler that awaits is taken as it was recorded. Nothing is written, and
        nothing is carried out.

        The definition may be the one that wrote, to check that its handlers are pure; or new code,
        to see where it would have decided differently.

        Args:
          agent: the definition that decides.
          id: whose turns.
          since: turns up to this revision are not decided again.
          until: nor are those after this one.
          most: after so many differences it ends.
          partition: where the agent is.
          progress: called with how many turns are dealt with, and of how many.

        Checkpoints: always, and at each turn.

        Raises:
          SpecError, NotKept, CodecError, JournalError: as `turns`.
        """
        from trido.runtime.replaying import replayed  # noqa: PLC0415  # as in `open_runtime`

        count(_OF, "most", most, least=1, infinite=True)
        archived, span = self._archived(agent, id, partition), _span(since, until)
        return await replayed(archived, *span, most, progress)

    def _archived(self, agent: Definition[S], id: str, partition: str) -> Archived[S]:
        check_partition(_OF, partition)
        text(_OF, "id", id)
        given: Any = agent
        if not isinstance(given, Definition):
            raise SpecError("agent", agent, "a trido.Agent", of=_OF)
        from trido.agents.codec.codec import Codec  # noqa: PLC0415  # as in `open_runtime`
        from trido.runtime.archive import Archived  # noqa: PLC0415
        from trido.runtime.naming import key_of  # noqa: PLC0415

        known = {**self._agents, agent.name: agent}
        codec = Codec(known, self._actions, self._directives, is_lenient=True)
        return Archived(self._reading, codec, agent, key_of(id_in(partition, id)))


def _span(since: int, until: float) -> tuple[int, int]:
    count(_OF, "since", since, least=0, infinite=False)
    count(_OF, "until", until, least=0, infinite=True)
    return min(since, LAST), int(min(until, LAST))


def open_history(
    journal: Viewed,
    *,
    agents: Iterable[Definition[Any]] = (),
    actions: Iterable[Action[Any, Any]] = (),
    directives: Iterable[type] = (),
) -> AbstractAsyncContextManager[History]:
    """Look at what a journal has: ``async with trido.open_history(journal) as history``.

    It may be in use, by this process or another, or left by one that was killed. It is only read.

    Checkpoints: entering and leaving do.

    Args:
      journal: the journal.
      agents: definitions that turns may name, by `SpawnAgent`.
      actions: actions that they may name, by `Run`.
      directives: classes of one's own directives. What is not given here is told as plain data.

    Raises:
      SpecError: at once, if this journal cannot be looked at.
      JournalError: when entering, if it is damaged, newer, not there, or cannot be opened.
    """
    from trido.journal.view import Viewed  # noqa: PLC0415  # as in `open_runtime`

    given: Any = journal
    if not isinstance(given, Viewed):
        allowed = "a journal with a view(), such as trido.SqliteJournal(path)"
        raise SpecError("journal", journal, allowed, of="open_history")
    return _opened(journal, agents, actions, directives)


def history_of(env: Environment) -> History:
    """Of the journal that a runtime has open. Raises `SpecError` if it has none."""
    if env.session is None or env.codec is None:
        allowed = "given: open_runtime(journal=...)"
        if env.journal is not None:
            allowed = "open: ask while the runtime is, or use trido.open_history(journal)"
        raise SpecError("journal", env.journal, allowed, of="Runtime.history")
    return History(env.session, env.definitions.values(), env.codec.actions, env.executors)


@asynccontextmanager
async def _opened(
    journal: Viewed,
    agents: Iterable[Definition[Any]],
    actions: Iterable[Action[Any, Any]],
    directives: Iterable[type],
) -> AsyncGenerator[History]:
    async with journal.view() as view:
        yield History(view, agents, actions, directives)
