"""Waiting until nobody has anything left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import trio

if TYPE_CHECKING:
    from trido.runtime.environment import Environment
    from trido.runtime.place import AgentPlace


@final
class Drain:
    """Who is still busy. There is one only while somebody waits, so that nobody else pays."""

    __slots__ = ("_busy", "_over")

    def __init__(self, busy: set[AgentPlace[Any]]) -> None:
        self._busy = busy
        self._over = trio.Event()

    def look_at(self, place: AgentPlace[Any]) -> None:
        """It may have become idle."""
        if not place.is_busy:
            self._busy.discard(place)
            if not self._busy:
                self._over.set()

    async def wait(self) -> None:
        """Wait until each of them was idle once."""
        await self._over.wait()


async def drained(env: Environment) -> None:
    """Wait until, at one moment, every mailbox, outbox and `Run` is empty."""
    await trio.lowlevel.checkpoint()
    while busy := {place for place in env.places.values() if place.is_busy}:
        if env.drain is None:
            env.drain = Drain(busy)
        drain = env.drain
        try:
            await drain.wait()
        finally:
            if env.drain is drain:
                env.drain = None
