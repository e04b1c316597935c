"""Undoing what actions did: each compensation once, to its end, even when cancelled."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, TypeAlias

import trio
from trio.lowlevel import enable_ki_protection

from trido.agents.action import Action
from trido.agents.action_errors import CompensationFailed
from trido.supervision import cleanup

Effect: TypeAlias = tuple[Action[Any, Any], Any]
"""An action that has a compensation and has begun, and its data."""


@enable_ki_protection
async def undo(effects: Sequence[Effect], error: BaseException) -> None:
    """Run the compensations of ``effects``, the latest first, because of ``error``.

    Each runs to its end. If the caller is cancelled, or was before, each has the time of a
    `trido.cleanup` and is then cut short. One that fails stops no other.

    Raises:
      BaseExceptionGroup: some failed: ``error``, and a `CompensationFailed` for each.
    """
    failures: list[BaseException] = []
    for action, data in reversed(effects):
        await _compensate(action, data, error, failures)
    if failures:
        message = "an action failed and could not be undone"
        raise BaseExceptionGroup(message, [error, *failures]) from None


async def _compensate(
    action: Action[Any, Any], data: object, error: BaseException, failures: list[BaseException]
) -> None:
    ended = trio.Event()
    shield = trio.CancelScope(shield=True)

    async def run() -> None:
        failure = await _failure(action, data, error, shield)
        if failure is not None:
            failures.append(failure)
        ended.set()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await _wait(ended, shield)
    # It is not lost: `error` leaves instead, or is one itself.
    except* trio.Cancelled:  # noqa: ASYNC103
        pass
    # What does get in here is a KeyboardInterrupt. It leaves in the group, with the rest undone.
    except* BaseException as others:  # noqa: ASYNC103
        failures.extend(others.exceptions)


async def _wait(ended: trio.Event, shield: trio.CancelScope) -> None:
    """Wait as long as nobody cancels, and then for the time that is left for cleanup."""
    try:
        await ended.wait()
    finally:
        with cleanup():
            await ended.wait()  # noqa: ASYNC102  # cleanup() is a shield with a deadline
        shield.cancel(reason="the time for cleanup is over")


async def _failure(
    action: Action[Any, Any], data: object, error: BaseException, shield: trio.CancelScope
) -> BaseException | None:
    failure: BaseException = trio.TooSlowError("it was cut short: the time for cleanup was over")
    assert action.compensate is not None  # noqa: S101  # only such actions are effects
    with shield:
        try:
            result = action.compensate(data, error)
            if inspect.isawaitable(result):
                await result
            return None
        except trio.Cancelled:
            raise
        except BaseException as raised:  # noqa: ASYNC103  # it leaves in a group
            failure = raised
    if not isinstance(failure, Exception):
        return failure
    failed = CompensationFailed(action.name)
    failed.__cause__ = failure
    return failed
