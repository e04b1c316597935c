"""The keeper of a lifespan: enters it, holds it, and leaves it, all in one task of its own."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, final

import trio
from trio.lowlevel import disable_ki_protection

from trido.runtime.ends import without_cancelled


@final
class Keeper:
    """Holds the lifespan of a run."""

    __slots__ = (
        "_crash",
        "_entered",
        "_leaving",
        "_lifespan",
        "_over",
        "_resource",
        "_scope",
        "failure",
    )

    def __init__(self, lifespan: AbstractAsyncContextManager[Any]) -> None:
        self._lifespan = lifespan
        self._scope = trio.CancelScope()
        self._entered = trio.Event()
        self._leaving = trio.Event()
        self._over = trio.Event()
        self._resource: Any = None
        self._crash: BaseException | None = None
        self.failure: BaseException | None = None
        """What went wrong in it, if anything."""

    async def keep(self) -> None:
        """Enter it, wait until it is to be left, leave it. Raises nothing but Cancelled."""
        try:
            with self._scope:
                await self._hold()
        except BaseException as error:
            left = without_cancelled(error)
            if left is None:
                raise
            if not _is_only(left, self._crash):
                self.failure = left
        finally:
            self._entered.set()
            self._over.set()

    @disable_ki_protection
    async def _hold(self) -> None:
        async with self._lifespan as self._resource:
            self._entered.set()
            await self._leaving.wait()
            if self._crash is not None:
                raise self._crash

    async def entered(self) -> Any:
        """Wait until it is entered; what it yields. Raises what entering it raises."""
        await self._entered.wait()
        if self.failure is not None:
            raise self.failure
        return self._resource

    def cancel(self) -> None:
        """Do not enter it after all."""
        self._scope.cancel(reason="its agent is stopped")

    async def leave(self, crash: BaseException | None) -> None:
        """Leave it, by ``crash`` if there was one, and wait until it has been left.

        It sees the crash and cannot swallow it.
        """
        self._crash = crash
        self._leaving.set()
        await self._over.wait()


def _is_only(error: BaseException, crash: BaseException | None) -> bool:
    """Whether this is the crash that it was left by, at most in groups of a nursery."""
    while error is not crash and isinstance(error, BaseExceptionGroup):
        if len(error.exceptions) != 1:
            return False
        error = error.exceptions[0]
    return error is crash
