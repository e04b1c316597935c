"""The journal of a runtime while it is open: its session, and the task that writes.

The runtime is the owner: the writer lives in a nursery that is opened before all agents, and ends
after them, so what they still commit as they end is written. It is shielded; only its owner ends
it.
"""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final, final

import trio
from trio.lowlevel import enable_ki_protection

from trido.journal import Journal
from trido.runtime.environment import Environment

if TYPE_CHECKING:
    from trido.journal.session import Session


@final
class Storage:
    """Opens a journal, and writes to it until it is closed."""

    def __init__(self, env: Environment, journal: Journal) -> None:
        self._env = env
        self._journal = journal
        self._opened: AbstractAsyncContextManager[Session]
        self._session: Session
        self._shield = trio.CancelScope()
        self._nursery = trio.open_nursery()

    async def open(self) -> None:
        """Open it. Raises what `Journal.open` does."""
        opened = self._journal.open()
        self._session = self._env.session = await opened.__aenter__()
        self._opened = opened
        self._shield.__enter__()
        nursery = await self._nursery.__aenter__()
        nursery.start_soon(_write, self._session, name="the writer of a journal")
        try:
            await self._find_letters()
        except BaseException:
            await self.close()  # noqa: ASYNC102  # it shields itself
            raise

    async def _find_letters(self) -> None:
        from trido.runtime import left_letters  # noqa: PLC0415  # as in `open_runtime`

        env = self._env
        if env.codec is not None and env.letters is not None:  # pragma: no branch - it has
            await left_letters.find(self._session, env.codec, env.letters)

    async def close(self) -> None:
        """Write what is left, and close it. It is not cut short by being cancelled."""
        self._shield.shield = True
        self._session.close()
        try:
            await self._nursery.__aexit__(None, None, None)
            self._env.session = None
            await self._opened.__aexit__(None, None, None)
        finally:
            self._shield.__exit__(None, None, None)


@enable_ki_protection
async def _write(session: Session) -> None:
    with trio.CancelScope(shield=True):
        try:
            await session.run()
        # All agents wait for it, or are about to: that is told, and ends nobody.
        except Exception:
            _LOG.exception("the journal's writer has failed")


_LOG: Final = logging.getLogger("trido")
