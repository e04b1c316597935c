"""Agents whose handlers await, for the tests of effectful turns."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import trio
from attrs import evolve

import trido
from tests.runtime import desk
from tests.runtime.desk import Log


def agent(name: str = "slow", **settings: Any) -> trido.Agent[Log]:
    """The desk's, which also takes its time.

    ``sleep``: as long as the data says. ``finish``: the same, whatever becomes of the caller.
    ``swallow``: the same, and takes being cancelled for a reason to go on. ``awaits``: an async
    function of the turn, which returns the directives.
    """
    made = desk.agent(name, **settings)

    @made.on("sleep")
    async def sleep(state: Log, data: float) -> Log:
        await trio.sleep(data)
        return _noted(state, "slept")

    @made.on("finish", on_caller_gone="finish")
    async def finish(state: Log, data: float) -> Log:
        await trio.sleep(data)
        return _noted(state, "finished")

    @made.on("swallow")
    async def swallow(state: Log, data: float) -> trido.Decision[Log]:
        with suppress(trio.Cancelled):
            await trio.sleep(data)
        return _noted(state, "swallowed"), [trido.Schedule(0, desk.note("directive"))]

    @made.on("awaits")
    async def awaits(state: Log, data: Any, turn: trido.Turn) -> trido.Decision[Log]:
        directives = await data(turn)
        return _noted(state, "awaited"), directives or ()

    return made


def _noted(state: Log, what: str) -> Log:
    return evolve(state, seen=(*state.seen, what))


def sleep(seconds: float) -> trido.Signal:
    return trido.Signal("sleep", float(seconds))


def finish(seconds: float) -> trido.Signal:
    return trido.Signal("finish", float(seconds))


def swallow(seconds: float) -> trido.Signal:
    return trido.Signal("swallow", float(seconds))


def awaits(fn: Any) -> trido.Signal:
    """A turn that calls ``fn(turn)``."""
    return trido.Signal("awaits", fn)


async def a_cancelled() -> trio.Cancelled:
    """One that is nobody's any more: whoever raises it leaks it."""
    kept: list[trio.Cancelled] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as error:
            kept.append(error)
            raise
    return kept[0]
