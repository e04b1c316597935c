"""What is said when there was no time to undo."""

from __future__ import annotations

import pytest
import trio
from attrs import frozen

import trido
from trido.runtime.undo import undo


@frozen
class Order:
    number: int = 0


@trido.action("never", compensate=lambda data, error: None)
async def never(data: Order) -> None: ...


async def test_a_compensation_that_is_cut_short_is_told_why() -> None:
    reasons: list[str | None] = []

    async def an_hour(data: Order, error: BaseException) -> None:
        try:
            await trio.sleep(3600)
        except trio.Cancelled as cancelled:
            reasons.append(cancelled.reason)
            raise

    @trido.action("slow", compensate=an_hour)
    async def slow(data: Order) -> None: ...

    error = ValueError("why")
    with trio.CancelScope() as scope, pytest.raises(BaseExceptionGroup) as caught:
        scope.cancel()
        await undo([(slow, Order())], error)
    assert reasons == ["the time for cleanup is over"]
    cause, failed = caught.value.exceptions
    assert cause is error
    assert caught.value.message == "an action failed and could not be undone"
    assert str(failed) == "the compensation of action 'slow' failed"
    assert str(failed.__cause__) == "it was cut short: the time for cleanup was over"


async def test_nothing_is_said_of_what_could_be_undone() -> None:
    await undo([(never, Order())], ValueError())
