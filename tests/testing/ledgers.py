"""Agents to be recorded: each does one kind of thing when it is told to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from attrs import evolve, frozen

import trido
from trido.testing import Recorder


@frozen
class Sum:
    total: int = 0


@frozen
class Charge(trido.Directive):
    order: int
    fails: bool = False


async def charge(directive: Charge) -> None:
    await trio.sleep(0.5)
    if directive.fails:
        raise OSError("the bank is closed")


@trido.action("double")
async def double(data: int) -> int:
    await trio.sleep(1)
    if data < 0:
        raise ValueError("negative")
    return 2 * data


def summer(name: str = "sum", **settings: Any) -> trido.Agent[Sum]:  # noqa: C901  # many routes
    agent = trido.Agent(name, state=Sum, **settings)

    @agent.on("add")
    def add(state: Sum, data: int, turn: trido.Turn) -> Sum:
        assert turn.now is not None
        return evolve(state, total=state.total + data)

    @agent.on("boom")
    def boom(state: Sum, data: object) -> Sum:
        raise ValueError("boom")

    @agent.on("no")
    def no(state: Sum, data: object) -> Sum:
        raise trido.Reject("no")

    @agent.on("ask")
    def ask(state: Sum, data: object, turn: trido.Turn) -> Sum:
        return evolve(state, total=len(turn.request or ""))

    @agent.on("pass")
    def pass_on(state: Sum, data: str) -> trido.Decision[Sum]:
        return state, [trido.Emit(trido.Signal("boom"), to=data)]

    @agent.on("charge")
    def pay(state: Sum, data: Charge) -> trido.Decision[Sum]:
        return state, [data]

    @agent.on("double")
    def run(state: Sum, data: int) -> trido.Decision[Sum]:
        return state, [trido.Run(double, data, ok="add", error="failed")]

    @agent.on("failed")
    def failed(state: Sum, data: object) -> Sum:
        return state

    @agent.on("later")
    def later(state: Sum, data: float) -> trido.Decision[Sum]:
        return state, [trido.Schedule(data, trido.Signal("add", 1), key="later")]

    @agent.on("slow")
    async def slow(state: Sum, data: float) -> Sum:
        await trio.sleep(data)
        return evolve(state, total=state.total + 1)

    return agent


async def recorded(
    body: Callable[[trido.Runtime], Awaitable[object]], *, most: int = 10_000, **options: Any
) -> Recorder:
    """What happens in a runtime in which ``body`` does something."""
    with Recorder(most=most) as recorder:
        async with trido.open_runtime(executors={Charge: charge}, **options) as rt:
            await body(rt)
    return recorder
