"""Sections E to H and what is derived from them: small children, and how errors leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import trio

import trido
from tests.conformance import kit
from trido import events


class Log(kit.Log):
    """The kit's, in fewer letters."""

    @property
    def lines(self) -> list[str]:
        return self.notation()

    @property
    def timed(self) -> list[str]:
        return self.notation(timed=True)

    @property
    def events(self) -> list[events.Event]:
        return self.told

    def clear(self) -> None:
        self.told.clear()


def errors_of(scenario: Callable[[], Awaitable[object]]) -> Iterator[BaseException]:
    """What leaves `trio.run`, in each schedule."""
    for seed in kit.SEEDS:
        try:
            kit.play(scenario, seed=seed)
        except BaseException as error:
            yield error
        else:
            raise AssertionError("nothing was raised")


def leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in leaves(one)]
    return [error]


@contextmanager
def raises(error: BaseException) -> Generator[None]:
    """This very object leaves the block, in no group."""
    with pytest.raises(type(error)) as caught:
        yield
    assert caught.value is error


# Children ---------------------------------------------------------------------------------------


async def forever() -> None:
    await trio.sleep_forever()


async def cleaning(seconds: float) -> None:
    """Needs so long to stop, if it is let."""
    try:
        await trio.sleep_forever()
    finally:
        with trido.cleanup():
            await trio.sleep(seconds)


async def stubborn() -> None:
    """Ends only when its shield is broken."""
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()


class Endless:
    """A child that nothing can kill: each run goes on until it is told to `end`.

    ``with rock:`` ends it for good when left, or a failing test would never be over.
    """

    def __init__(self) -> None:
        self._done = self._closed = False
        self._event = trio.Event()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self.end()

    async def run(self) -> None:
        self._done = self._closed
        self._event = trio.Event()
        while not self._done:
            with trio.CancelScope(shield=True), suppress(trio.Cancelled):
                await self._event.wait()

    def end(self) -> None:
        self._done = True
        self._event.set()


async def swallows() -> None:
    """Takes being cancelled for a reason to return."""
    try:
        await trio.sleep_forever()
    except trio.Cancelled:  # noqa: ASYNC103
        return


async def fails_when_stopped(error: BaseException) -> None:
    try:
        await trio.sleep_forever()
    finally:
        raise error  # noqa: ASYNC104


class Player:
    """A child that ends when the test says so, any number of times."""

    def __init__(self) -> None:
        self.runs = 0
        self._cue = trio.Event()
        self._error: BaseException | None = None

    async def run(self) -> None:
        self.runs += 1
        self._cue = cue = trio.Event()
        self._error = None
        await cue.wait()
        if self._error is not None:
            raise self._error

    def end(self, error: BaseException | None = None) -> None:
        self._error = error
        self._cue.set()


class Starter:
    """A child whose attempts to start go by ``plan``: an error, or None for one that works.

    After the plan, the last entry goes on. Each attempt takes ``seconds``.
    """

    def __init__(self, *plan: BaseException | None, seconds: float = 0.0) -> None:
        self.plan = plan
        self.seconds = seconds
        self.attempts = 0
        self.player = Player()

    async def run(self, *, task_status: trio.TaskStatus[int]) -> None:
        turn = self.plan[min(self.attempts, len(self.plan) - 1)]
        self.attempts += 1
        if self.seconds and self.attempts > 1:
            await trio.sleep(self.seconds)
        if turn is not None:
            raise turn
        task_status.started(self.attempts)
        await self.player.run()


def spec(id: str, fn: Callable[..., Awaitable[object]] = forever, *args: Any, **fields: Any) -> Any:
    """A `ChildSpec`, in fewer letters."""
    return trido.ChildSpec(fn, *args, id=id, **fields)
