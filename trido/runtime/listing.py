"""What a journal has, one after the other: agents, and the turns of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar, final

from trido.runtime.past import PastTurn

if TYPE_CHECKING:
    from trido.journal.rows import AgentKey, Stored
    from trido.runtime.archive import Archived
    from trido.runtime.pages import Pages, Reading

S = TypeVar("S")

PAGE: Final = 100


@final
class Turns(Generic[S]):
    """The turns of one agent, one after the other. Made by `History.turns`."""

    def __init__(self, archived: Archived[S], since: int, until: int) -> None:
        self._archived = archived
        self._span = since, until
        self._pages: Pages | None = None

    def __aiter__(self) -> Turns[S]:
        return self

    async def __anext__(self) -> PastTurn[S]:
        if self._pages is None:
            self._pages = await self._archived.pages(*self._span)
        step = await self._pages.next()
        if step is None:
            raise StopAsyncIteration
        return self._archived.turn_of(step)


@final
class Listed:
    """The agents of a journal, in the order of partition and id. Made by `History.agents`."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._after: AgentKey | None = None
        self._page: list[Stored] = []

    def __aiter__(self) -> Listed:
        return self

    async def __anext__(self) -> Stored:
        from trido.journal.operations import Agents  # noqa: PLC0415  # as in `open_runtime`

        if not self._page:
            page = await self._reading.read(Agents(after=self._after, limit=PAGE))
            self._page = [*page[::-1]]
        if not self._page:
            raise StopAsyncIteration
        found = self._page.pop()
        self._after = found.agent
        return found
