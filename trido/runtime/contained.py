"""User code in a task of its own, so that nothing of it reaches the nursery it is called in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, TypeVar

import trio
from outcome import Error, Outcome, acapture
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from trido.runtime.ends import end_of, without_cancelled

T = TypeVar("T")


@enable_ki_protection
async def contained(
    scope: trio.CancelScope, fn: Callable[..., Awaitable[T]], *args: Any
) -> Outcome[T] | None:
    """Run ``fn(*args)`` in ``scope``: what it returned or raised; None if that was cancelled.

    What it returned counts, though it was cancelled. Raises nothing but Cancelled, if that comes
    from further out.
    """
    found: list[Outcome[T]] = []
    try:
        with scope:
            # A task of its own, in case it leaves a nursery or a scope open.
            async with trio.open_nursery() as nursery:  # noqa: ASYNC112
                nursery.start_soon(_call, found, fn, args)
    # What it left behind, for the caller to judge too: nothing is swallowed but what was asked for.
    except BaseExceptionGroup as group:
        found.extend(map(Error, group.exceptions))
    outside = trio.current_effective_deadline() < trio.current_time()
    errors = list(_errors(found, asked=scope.cancel_called or outside))
    if errors:
        return Error(_joined(errors))
    first = found[0]
    if isinstance(first, Error) and not scope.cancel_called:
        raise first.error
    return None if isinstance(first, Error) else first


def failure_of(error: BaseException) -> BaseException:
    """What user code failed by: a Cancelled that nobody asked for is a `LeakedCancelled`.

    If it is no `Exception` then, it is the end of everything.
    """
    if isinstance(error, Exception):
        return error
    return end_of(error).reason or error


def _errors(found: Iterable[Outcome[object]], *, asked: bool) -> Iterator[BaseException]:
    """What was raised, but for cancellations if they were ``asked`` for."""
    for one in found:
        if isinstance(one, Error):
            left = without_cancelled(one.error) if asked else one.error
            if left is not None:
                yield left


def _joined(errors: list[BaseException]) -> BaseException:
    if len(errors) > 1:
        return BaseExceptionGroup("the function and what it left behind", errors)
    return errors[0]


@disable_ki_protection
async def _call(
    found: list[Outcome[T]], fn: Callable[..., Awaitable[T]], args: tuple[Any, ...]
) -> None:
    found.append(await acapture(_unless_cancelled, fn, args))


async def _unless_cancelled(fn: Callable[..., Awaitable[T]], args: tuple[Any, ...]) -> T:
    """What is cancelled before it begins never does."""
    await trio.lowlevel.checkpoint_if_cancelled()
    return await fn(*args)
