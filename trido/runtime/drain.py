"""Waiting until nobody has anything left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import trio

from trido.runtime.holding import held_turn
from trido.supervision import DeadlockError

if TYPE_CHECKING:
    from trido.runtime.environment import Environment
    from trido.runtime.place import AgentPlace
    from trido.runtime.waking import Waker


@final
class Drain:
    """Who is still busy. There is one only while somebody waits, so that nobody else pays."""

    __slots__ = ("_busy", "_env", "_over", "_waiting")

    def __init__(self, env: Environment, busy: set[AgentPlace[Any]]) -> None:
        self._env = env
        self._busy = busy
        self._over = trio.Event()
        self._waiting = 0

    def look_at(self, place: AgentPlace[Any]) -> None:
        """It may have become idle."""
        if not place.is_busy:
            self._busy.discard(place)
            if not self._busy:
                self._env.drain = None
                self._over.set()

    async def wait(self) -> None:
        """Wait until each of them was idle once."""
        self._waiting += 1
        try:
            await self._over.wait()
        finally:
            self._waiting -= 1
            if not self._waiting and self._env.drain is self:
                self._env.drain = None


async def drained(env: Environment, waker: Waker | None) -> None:
    """Wait until, at one moment, every mailbox, outbox and `Run` is empty.

    Those that had something to do when the runtime was opened are waited for as well, though they
    may not have been woken yet.
    """
    turn = held_turn()
    if turn is not None and turn.place.env is env:
        raise DeadlockError(f"agent {turn.place.id!r} would wait for its own turn to be over")
    await trio.lowlevel.checkpoint()
    if waker is not None:
        await waker.has_looked()
    while busy := {place for place in (*env.places.values(), *env.lingering) if place.is_busy}:
        if env.drain is None:
            env.drain = Drain(env, busy)
        await env.drain.wait()
