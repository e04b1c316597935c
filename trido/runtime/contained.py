"""User code in a task of its own, so that nothing of it reaches the nursery it is called in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from trido.runtime.ends import without_cancelled


@enable_ki_protection
async def contained(
    scope: trio.CancelScope, fn: Callable[..., Awaitable[object]], *args: Any
) -> BaseException | None:
    """Run ``fn(*args)`` in ``scope``; what it raised, but for the cancellation of that scope."""
    try:
        with scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_unprotected, fn, *args)
    # The outcome, for the caller to judge: nothing is swallowed but our own cancellation.
    except BaseException as error:  # noqa: ASYNC103
        left = without_cancelled(error) if scope.cancel_called else error
        if isinstance(left, BaseExceptionGroup) and len(left.exceptions) == 1:
            return left.exceptions[0]
        return left
    return None


@disable_ki_protection
async def _unprotected(fn: Callable[..., Awaitable[object]], *args: Any) -> None:
    await fn(*args)
