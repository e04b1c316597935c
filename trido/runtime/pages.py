"""The turns of an agent as a journal has them, page by page, each with the state before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final, Protocol, TypeAlias, TypeVar, final

import trio
from attrs import frozen

from trido.journal.operations import Agents, History, Query, StateAt
from trido.journal.rows import AgentKey, Past

A = TypeVar("A")
Fields: TypeAlias = Mapping[str, bytes]

PAGE: Final = 100
"""How many turns are in memory at a time."""


class Reading(Protocol):
    """An open journal: a session, or a view."""

    @property
    def file(self) -> str:
        """What it is called in errors."""
        ...

    async def read(self, query: Query[A]) -> A:
        """Answer a query."""
        ...


@final
@frozen
class Step:
    """A turn, and the state on both sides of it."""

    past: Past
    before: Fields | None
    """None if it is not kept; no fields before the first turn."""
    after: Fields


@final
class Pages:
    """The turns of an agent after ``since``, up to ``until``, the oldest first.

    What the journal forgets meanwhile is left out.
    """

    def __init__(self, reading: Reading, key: AgentKey, since: int, until: int) -> None:
        self._reading = reading
        self._key = key
        self._at = since
        self._until = until
        self._page: deque[Past] = deque()
        self._fields: Fields | None = {} if since == 0 else None
        """The state at that revision; None as long as it is not looked up."""

    async def next(self) -> Step | None:
        """The next one; None if there is no other. Checkpoints: always."""
        await trio.lowlevel.checkpoint()
        while self._page or await self._turn_over():
            step = await self._step(self._page.popleft())
            if step is not None:
                return step
        return None

    async def _turn_over(self) -> bool:
        """Get the next page. False if there is none."""
        while True:
            if self._fields is None:
                self._fields = await self._state_at(self._at)
            end = min(self._at + PAGE, self._until)
            page = await self._reading.read(History(self._key, self._at, PAGE, until=end))
            self._page.extend(page)
            if page or not await self._jump(end):
                return bool(page)

    async def _jump(self, end: int) -> bool:
        """Nothing is kept up to there: go on after it. False if there is no more."""
        found = await self._reading.read(Agents(self._key))
        newest = max((one.revision for one in found), default=0)
        if end >= min(newest, self._until):
            return False
        oldest = max(one.oldest for one in found)
        self._at, self._fields = max(end, oldest - 1), None
        return True

    async def _step(self, past: Past) -> Step | None:
        before = self._fields if past.revision == self._at + 1 else None
        after = await self._after(past, before)
        self._at, self._fields = past.revision, after
        return None if after is None else Step(past, before, after)

    async def _after(self, past: Past, before: Fields | None) -> Fields | None:
        if past.full:
            return past.state
        if before is None:
            return await self._state_at(past.revision)
        return {**before, **past.state}

    async def _state_at(self, revision: int) -> Fields | None:
        return await self._reading.read(StateAt(self._key, revision))
