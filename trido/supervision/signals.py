"""`trio.run` for a process that somebody else stops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, TypeVarTuple

import outcome
import trio

from trido.supervision.block import ROOTS

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def run(async_fn: Callable[[*Ts], Awaitable[T]], *args: *Ts, **options: Any) -> T | None:
    """Like `trio.run`, with SIGTERM as an ordered stop and a second signal as a kill.

    The first SIGTERM cancels ``async_fn``, so that its supervisors stop their children in order;
    this then returns None. SIGINT does the same by raising `KeyboardInterrupt`, as under
    `trio.run`. A second signal of either kind sets the grace of every child to 0. Outside the main
    thread, where Python delivers no signals, it is `trio.run`.

    ``options`` are those of `trio.run`.
    """
    if not callable(async_fn):
        raise TypeError(f"trido.run() takes an async function and its arguments: {async_fn!r}")
    return trio.run(with_signals, async_fn, args, **options)


async def with_signals(async_fn: Callable[..., Awaitable[T]], args: tuple[Any, ...]) -> T | None:
    """What `run` runs."""
    if threading.current_thread() is not threading.main_thread():
        return await async_fn(*args)
    result: outcome.Outcome[T] | None = None
    scope = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        listening = await nursery.start(_listen, scope)
        try:
            with scope:
                result = outcome.Value(await async_fn(*args))
        # It leaves below, outside the nursery, which would wrap it.
        except BaseException as error:  # noqa: ASYNC103
            result = outcome.Error(error)
        listening.cancel(reason="the program has ended")
    return None if result is None else result.unwrap()


async def _listen(
    scope: trio.CancelScope, *, task_status: trio.TaskStatus[trio.CancelScope]
) -> None:
    with (
        trio.open_signal_receiver(signal.SIGTERM) as signals,
        trio.CancelScope(shield=True) as listening,
    ):
        task_status.started(listening)
        async for _ in signals:
            roots = ROOTS.get(set())
            if scope.cancel_called or any(root.is_stopping for root in roots):
                for root in roots:
                    root.kill_children()
            scope.cancel(reason="SIGTERM")
