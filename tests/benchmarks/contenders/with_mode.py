"""Mode: asyncio services under a supervisor. They have no mailboxes, so it is supervision only."""

# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter
from typing import Any

from attrs import frozen
from mode import OneForOneSupervisor, Service

from tests.benchmarks.kit import (
    MAILBOX,
    PINGS,
    SIBLINGS,
    TICK,
    CrashError,
    Figures,
    Memory,
    Storm,
    cold_import,
    per_second,
    verify,
)
from tests.benchmarks.messages import Add, Counter, Crash, Ping, Probe

PACKAGE = "mode-streaming"
LIMITS = {"w7": 20_000}
"""Its supervisor looks at all of them whenever it wakes."""


@frozen
class Ask:
    data: Any
    answer: asyncio.Future[Any]


class Server(Service):
    """What one writes to have an actor: a service with a queue."""

    def __init__(self) -> None:
        super().__init__()
        self.inbox: asyncio.Queue[Any] = asyncio.Queue(MAILBOX)

    @Service.task
    async def serve(self) -> None:
        state = Counter()
        while not self.should_stop:
            message = await self.inbox.get()
            state = self.handle(message, state)
            if isinstance(message, Ask):
                message.answer.set_result(state)

    def handle(self, message: Any, state: Counter) -> Counter:
        data = message.data if isinstance(message, Ask) else message
        return Counter(state.value + data.by)

    async def call(self, data: object) -> Any:
        answer = asyncio.get_running_loop().create_future()
        await self.inbox.put(Ask(data, answer))
        return await answer


@asynccontextmanager
async def stage() -> AsyncGenerator[Any]:
    async with OneForOneSupervisor(max_restarts=1e9, over=1.0) as supervisor:
        yield supervisor


async def start(supervisor: Any, service: Any) -> Any:
    supervisor.add(service)
    await supervisor.start_service(service)
    return service


async def start_and_stop(number: int) -> Figures:
    async with stage() as supervisor:
        registry: dict[str, Any] = {}
        began = perf_counter()
        for index in range(number):
            registry[f"agent-{index}"] = await start(supervisor, Server())
        running = sum(service.started for service in registry.values())
        for id in list(registry):
            service = registry.pop(id)
            await service.stop()
            supervisor.discard(service)
        figures = per_second(number, began)
        verify("started", running, number)
    return figures


def w5(number: int) -> Figures:
    return asyncio.run(start_and_stop(number))


class Fragile(Server):
    def __init__(self, storm: Storm) -> None:
        super().__init__()
        self.storm = storm

    def handle(self, message: Any, state: Counter) -> Counter:
        if isinstance(message, Ping):
            self.storm.ping(message.sent)
        elif isinstance(message, Crash):
            raise CrashError
        return Counter(state.value + 1)


async def crash_and_call(fragile: Any, storm: Storm) -> None:
    sent = perf_counter()
    fragile.inbox.put_nowait(Crash())
    answer = await fragile.call(Probe())
    storm.restarted(sent, answer, Counter(1))


async def ticks(number: int, siblings: list[Any], each: Callable[[], Awaitable[None]]) -> None:
    now = asyncio.get_running_loop().time
    began = now()
    for tick in range(number):
        await asyncio.sleep(began + tick * TICK - now())
        for index in range(PINGS):
            sibling = siblings[(tick * PINGS + index) % SIBLINGS]
            sibling.inbox.put_nowait(Ping(perf_counter()))
        await each()


async def crash_often(number: int) -> Figures:
    storm = Storm()
    async with stage() as supervisor:
        siblings = [await start(supervisor, Fragile(storm)) for _ in range(SIBLINGS)]
        fragile = await start(supervisor, Fragile(storm))
        await ticks(number, siblings, partial(asyncio.sleep, 0))
        await asyncio.sleep(10 * TICK)
        storm.begin()
        began = perf_counter()
        await ticks(number, siblings, partial(crash_and_call, fragile, storm))
        seconds = perf_counter() - began
        await asyncio.sleep(10 * TICK)
        figures = storm.figures(number, seconds)
        verify("the restarts", fragile.restart_count, number)
    return figures


def w6(number: int) -> Figures:
    logging.disable()
    try:
        return asyncio.run(crash_often(number))
    finally:
        logging.disable(logging.NOTSET)


async def idle(number: int) -> Figures:
    async with stage() as supervisor:
        services: list[Any] = []
        memory = Memory()
        services += [await start(supervisor, Server()) for _ in range(number)]
        await asyncio.sleep(0)
        figures = memory.each(number)
        verify("the last one", await services[-1].call(Add(1)), Counter(1))
    return figures


def w7(number: int) -> Figures:
    return asyncio.run(idle(number))


def w11(number: int) -> Figures:
    return cold_import("from mode import OneForOneSupervisor, Service", number)
