"""Flights: one start, for all who wait for it."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, final

import trio

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace


@final
class Flight:
    """A start that somebody has asked for. Whoever asks meanwhile waits for the same."""

    __slots__ = ("_error", "_over", "place")

    def __init__(self) -> None:
        self._over = trio.Event()
        self._error: BaseException | None = None
        self.place: AgentPlace[Any] | None = None
        """What is started, once there is one."""

    def land(self) -> None:
        """It is ready."""
        self._over.set()

    def fail(self, error: BaseException) -> None:
        """There was no start."""
        self._error = error
        self._over.set()

    async def wait(self) -> None:
        """Wait until it is ready. Raises why it is not; each who waits gets an error of its own."""
        await self._over.wait()
        if self._error is not None:
            error = copy(self._error)
            raise error from self._error.__cause__
