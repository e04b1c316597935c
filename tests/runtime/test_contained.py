"""User code in a task of its own: what came of it, whoever cancelled what."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio
from outcome import Error, Value

from tests.conformance.stage import leaves
from tests.runtime import slow
from tests.runtime.desk import Boom
from trido.runtime.contained import contained
from trido.supervision import LeakedCancelled


async def test_what_it_returned_or_raised() -> None:
    async def returns(value: int) -> int:
        return value

    error = Boom()
    assert await contained(trio.CancelScope(), returns, 1) == Value(1)
    assert await contained(trio.CancelScope(), _raises, error) == Error(error)


async def _raises(error: BaseException) -> None:
    await trio.lowlevel.checkpoint()
    raise error


async def _leaves_a_nursery_open() -> None:
    nursery = await trio.open_nursery().__aenter__()
    nursery.start_soon(trio.sleep_forever)


async def _swallows() -> str:
    with suppress(trio.Cancelled):
        await trio.sleep_forever()
    return "returned"


async def _fails_when_cancelled() -> None:
    try:
        await trio.sleep_forever()
    finally:
        raise Boom  # noqa: ASYNC104


async def test_what_was_cancelled_is_none_and_what_it_did_about_that_is_not() -> None:
    async def so_much_of(fn: object) -> object:
        scope = trio.CancelScope(deadline=trio.current_time() + 1)
        return await contained(scope, fn)  # type: ignore[arg-type]

    assert await so_much_of(trio.sleep_forever) is None
    assert await so_much_of(_swallows) == Value("returned")
    failed = await so_much_of(_fails_when_cancelled)
    assert isinstance(failed, Error)
    assert [type(error) for error in leaves(failed.error)] == [Boom]


async def test_a_cancellation_from_further_out_is_raised() -> None:
    with trio.move_on_after(1) as outer:
        await contained(trio.CancelScope(), trio.sleep_forever)
        raise AssertionError
    assert outer.cancelled_caught
    with trio.move_on_after(1) as outer:
        assert await contained(trio.CancelScope(), _swallows) == Value("returned")


async def test_a_cancelled_that_nobody_asked_for_is_an_error() -> None:
    leaked = await slow.a_cancelled()
    assert await contained(trio.CancelScope(), _raises, leaked) == Error(leaked)
    assert issubclass(LeakedCancelled, Exception)


async def test_a_nursery_left_open_is_an_error_beside_any_other() -> None:
    one = await contained(trio.CancelScope(), _leaves_a_nursery_open)
    assert isinstance(one, Error)
    assert "stack corrupted" in str(one.error)

    async def both() -> None:
        await _leaves_a_nursery_open()
        raise Boom

    two = await contained(trio.CancelScope(), both)
    assert isinstance(two, Error)
    assert [type(error) for error in leaves(two.error)] == [Boom, RuntimeError]


@pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
async def test_a_fatal_error_is_handed_over_too(fatal: type[BaseException]) -> None:
    error = fatal()
    assert await contained(trio.CancelScope(), _raises, error) == Error(error)
