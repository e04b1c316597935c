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
    )

    def __init__(self, lifespan: AbstractAsyncContextManager[Any]) -> None:
        self._lifespan = lifespan
        self._scope = trio.CancelScope()
        self._entered = trio.Event()
        self._leaving = trio.Event()
        self._over = trio.Event()
        self._resource: Any = None
        self._crash: BaseException | None = None

    async def keep(self) -> None:
        """Enter it, wait until it is to be left, leave it.

        Raises:
          RuntimeError: it ended before it was to be left.
          BaseException: what went wrong in it; but not the crash that it was left by.
        """
        try:
            with self._scope:
                await self._hold()
        except BaseException as error:  # noqa: ASYNC103  # the run ends by that crash already
            if not _is_only(without_cancelled(error), self._crash):
                raise
        finally:
            self._entered.set()
            self._over.set()
        if not (self._leaving.is_set() or self._scope.cancel_called):
            raise RuntimeError("the lifespan ended while its agent still ran")

    @disable_ki_protection
    async def _hold(self) -> None:
        async with self._lifespan as self._resource:
            self._entered.set()
            await self._until_left()

    async def _until_left(self) -> None:
        await self._leaving.wait()
        if self._crash is not None:
            raise self._crash

    async def entered(self) -> Any:
        """Wait until it is entered, or has failed; what it yields."""
        await self._entered.wait()
        await trio.lowlevel.checkpoint_if_cancelled()
        return self._resource

    def cancel(self) -> None:
        """Do not enter it after all, if it is not entered yet."""
        if not self._entered.is_set():
            self._scope.cancel(reason="its agent is stopped")

    async def leave(self, crash: BaseException | None) -> None:
        """Leave it, by ``crash`` if there was one, and wait until it has been left.

        It sees the crash and cannot swallow it.
        """
        self._crash = crash
        self._leaving.set()
        await self._over.wait()


def _is_only(error: BaseException | None, crash: BaseException | None) -> bool:
    """Whether this is the crash that it was left by, at most in groups of a nursery."""
    if error is None or crash is None:
        return False
    while error is not crash and isinstance(error, BaseExceptionGroup):
        if len(error.exceptions) != 1:
            return False
        error = error.exceptions[0]
    return error is crash
