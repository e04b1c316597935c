"""A journal that is only read: whoever has it open goes on meanwhile.

It holds nothing between two questions, so it may stay open for as long as somebody looks; each is
answered from what is committed at that moment.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypeVar, final, runtime_checkable

import trio

from trido.journal.errors import Unavailable
from trido.journal.operations import Query
from trido.journal.ways import Way, by_the_clock

A = TypeVar("A")


@runtime_checkable
class Viewed(Protocol):
    """A journal that can be read beside whoever writes to it."""

    def view(self) -> AbstractAsyncContextManager[View]:
        """Open it to read only: ``async with journal.view() as view``."""
        ...


class Shelf(Protocol):
    """What a view needs of an adapter: the part of a `Store` that reads."""

    @property
    def file(self) -> str:
        """What it is called in errors."""
        ...

    def read(self, query: Query[A]) -> A:
        """Answer from what is committed."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


@final
class View:
    """A journal that is only read. Made by ``async with journal.view()``."""

    def __init__(self, shelf: Shelf, way: Way) -> None:
        self._shelf = shelf
        self._way = way
        self._ended = False

    @property
    def file(self) -> str:
        """What it is called in errors."""
        return self._shelf.file

    async def read(self, query: Query[A]) -> A:
        """Answer a query from what is committed.

        Checkpoints: always.

        Raises:
          Corrupt: what was asked for is damaged.
          Unavailable: it cannot be read, or the view is closed.
        """
        if self._ended:
            raise Unavailable(self.file, "the view is closed", "open the journal again")
        return await self._way.call(lambda: self._shelf.read(query))

    def __repr__(self) -> str:
        return f"<trido.journal.View of {self.file}>"


@asynccontextmanager
async def open_view(make: Callable[[], Shelf], way: Way) -> AsyncGenerator[View]:
    """A view of the shelf that is made, which is closed at the end."""
    way = by_the_clock(way)
    shelf = await way.call(make)
    view = View(shelf, way)
    try:
        yield view
    finally:
        view._ended = True
        with trio.CancelScope(shield=True):
            await way.call(shelf.close)  # noqa: ASYNC102  # it takes what the disk takes
