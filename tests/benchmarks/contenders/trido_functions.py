"""trido: plain async functions under a supervisor. They are those of raw Trio."""

from __future__ import annotations

from functools import partial
from math import inf
from time import perf_counter

import trio
import trio.testing

import trido
from tests.benchmarks.contenders.with_trio import (
    Behaviour,
    Outbox,
    Parked,
    crash_and_call,
    park,
    standing_by,
    ticks,
)
from tests.benchmarks.kit import MAILBOX, SIBLINGS, Figures, Memory, Storm, per_second, verify


async def start_parked(sup: trido.Supervisor, parked: Parked, number: int) -> None:
    for index in range(number):
        await sup.start_child(park, parked, id=f"function-{index}")
    await trio.testing.wait_all_tasks_blocked()


async def start_and_stop(number: int) -> Figures:
    parked = Parked()
    async with trido.open_supervisor(max_restarts=inf) as sup:
        began = perf_counter()
        await start_parked(sup, parked, number)
        started = parked.running
        for index in range(number):
            await sup.stop_child(f"function-{index}")
        figures = per_second(number, began)
        verify("started", started, number)
        verify("left", (parked.running, sup.counts().active), (0, 0))
    return figures


async def start(sup: trido.Supervisor, behave: Behaviour, id: str) -> Outbox:
    outbox, inbox = trio.open_memory_channel[object](MAILBOX)
    await sup.start_child(behave, inbox, id=id)
    return outbox


async def crash_often(number: int) -> Figures:
    storm = Storm()
    stand_by = standing_by(storm)
    async with trido.open_supervisor(max_restarts=inf) as sup:
        siblings = [await start(sup, stand_by, f"sibling-{index}") for index in range(SIBLINGS)]
        fragile = await start(sup, stand_by, "fragile")
        await ticks(number, siblings, trio.lowlevel.checkpoint)
        storm.begin()
        began = perf_counter()
        await ticks(number, siblings, partial(crash_and_call, fragile, storm))
        figures = storm.figures(number, perf_counter() - began)
        verify("the runs", storm.runs, SIBLINGS + 1 + number)
        verify("the fragile one's", sup["fragile"].incarnation, number + 1)
        verify(
            "its siblings'", {sup[f"sibling-{index}"].incarnation for index in range(SIBLINGS)}, {1}
        )
    return figures


async def idle(number: int) -> Figures:
    parked = Parked()
    async with trido.open_supervisor(max_restarts=inf) as sup:
        memory = Memory()
        await start_parked(sup, parked, number)
        figures = memory.each(number)
        verify("running", (parked.running, sup.counts().active), (number, number))
    return figures
