"""Xoscar: asyncio actors in the main process of a pool. It restarts processes, not actors."""

# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import repeat
from time import perf_counter
from typing import Any

import xoscar

from tests.benchmarks.kit import (
    CALLERS,
    LAPS,
    ROUNDS,
    TICK,
    Countdown,
    Figures,
    Memory,
    cold_import,
    hot_and_cold,
    per_second,
    verify,
    work,
)
from tests.benchmarks.messages import Add, Counter, Token

PACKAGE = "xoscar"

Start = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def stage() -> AsyncGenerator[Start]:
    """How to start and register an actor."""
    pool = await xoscar.create_actor_pool("127.0.0.1", n_process=0)
    async with pool:

        async def start(actor: type, id: str, *args: object) -> Any:
            return await xoscar.create_actor(actor, *args, uid=id, address=pool.external_address)

        yield start


class Counting(xoscar.Actor):
    def __init__(self) -> None:
        self.state = Counter()

    def add(self, data: Add) -> Counter:
        self.state = Counter(self.state.value + data.by)
        return self.state


async def tell_all(ref: Any, messages: Iterable[Add]) -> object:
    for message in messages:
        await ref.add.tell(message)
    return await ref.add(Add(0))


async def casts(number: int, messages: Iterable[Add]) -> Figures:
    async with stage() as start:
        ref = await start(Counting, "counter")
        began = perf_counter()
        state = await tell_all(ref, messages)
        figures = per_second(number, began)
        verify("the counter", state, Counter(number))
    return figures


def w1_fresh(number: int) -> Figures:
    return asyncio.run(casts(number, (Add(1) for _ in range(number))))


def w1_ready(number: int) -> Figures:
    return asyncio.run(casts(number, repeat(Add(1), number)))


async def call_often(ref: Any, times: int) -> None:
    for _ in range(times):
        await ref.add(Add(1))


async def calls(number: int, callers: int) -> Figures:
    async with stage() as start:
        ref = await start(Counting, "counter")
        began = perf_counter()
        await asyncio.gather(*(call_often(ref, number // callers) for _ in range(callers)))
        figures = per_second(number, began)
        verify("the counter", await ref.add(Add(0)), Counter(number))
    return figures


def w2(number: int) -> Figures:
    return asyncio.run(calls(number, 1))


def w2b(number: int) -> Figures:
    return asyncio.run(calls(number, CALLERS))


class Noting(Counting):
    def __init__(self, countdown: Countdown) -> None:
        super().__init__()
        self.countdown = countdown

    def note(self, data: Add) -> None:
        self.countdown.hit()
        self.add(data)


async def fan_out(number: int) -> Figures:
    countdown = Countdown()
    async with stage() as start:
        refs = [await start(Noting, f"agent-{index}", countdown) for index in range(number)]
        began = perf_counter()
        for _ in range(ROUNDS):
            handled = asyncio.Event()
            countdown.expect(number, handled.set)
            for ref in refs:
                await ref.note.tell(Add(1))
            await handled.wait()
        figures = per_second(number * ROUNDS, began)
        verify("the counters", {await ref.add(Add(0)) for ref in refs}, {Counter(ROUNDS)})
    return figures


def w3(number: int) -> Figures:
    return asyncio.run(fan_out(number))


class Node(xoscar.Actor):
    def __init__(self, arrived: asyncio.Event) -> None:
        self.arrived = arrived
        self.next: Any = None
        self.seen = 0

    def join(self, after: Any) -> None:
        self.next = after

    def read(self) -> int:
        return self.seen

    async def token(self, data: Token) -> None:
        self.seen += 1
        if data.left:
            await self.next.token.tell(Token(data.left - 1))
        else:
            self.arrived.set()


async def ring(number: int) -> Figures:
    arrived = asyncio.Event()
    async with stage() as start:
        refs = [await start(Node, f"agent-{index}", arrived) for index in range(number)]
        for ref, after in zip(refs, [*refs[1:], refs[0]], strict=True):
            await ref.join(after)
        began = perf_counter()
        await refs[0].token.tell(Token(number * LAPS - 1))
        await arrived.wait()
        figures = per_second(number * LAPS, began)
        verify("the nodes", {await ref.read() for ref in refs}, {LAPS})
    return figures


def w4(number: int) -> Figures:
    return asyncio.run(ring(number))


async def start_and_stop(number: int) -> Figures:
    async with stage() as start:
        began = perf_counter()
        refs = [await start(Counting, f"agent-{index}") for index in range(number)]
        for ref in refs:
            await xoscar.destroy_actor(ref)
        figures = per_second(number, began)
        verify("the last one", await xoscar.has_actor(refs[-1]), expected=False)
    return figures


def w5(number: int) -> Figures:
    return asyncio.run(start_and_stop(number))


async def idle(number: int) -> Figures:
    async with stage() as start:
        refs: list[Any] = []
        memory = Memory()
        refs += [await start(Counting, f"agent-{index}") for index in range(number)]
        figures = memory.each(number)
        verify("the last one", await refs[-1].add(Add(1)), Counter(1))
    return figures


def w7(number: int) -> Figures:
    return asyncio.run(idle(number))


class Hot(Counting):
    def add(self, data: Add) -> Counter:
        work()
        return super().add(data)


async def keep_busy(ref: Any, number: int) -> tuple[float, object]:
    began = perf_counter()
    state = await tell_all(ref, (Add(1) for _ in range(number)))
    return perf_counter() - began, state


async def call_every_tick(ref: Any, latencies: list[float], over: asyncio.Event) -> None:
    while not over.is_set():
        due = perf_counter() + TICK
        await asyncio.sleep(TICK)
        await ref.add(Add(1))
        latencies.append(perf_counter() - due)


async def hot_beside_cold(number: int) -> Figures:
    latencies: list[float] = []
    over = asyncio.Event()
    async with stage() as start:
        hot, cold = await start(Hot, "hot"), await start(Counting, "cold")
        alone, _ = await keep_busy(hot, number)
        caller = asyncio.create_task(call_every_tick(cold, latencies, over))
        beside, state = await keep_busy(hot, number)
        over.set()
        await caller
        verify("the hot one", state, Counter(2 * number))
    return hot_and_cold(alone, beside, latencies)


def w8(number: int) -> Figures:
    return asyncio.run(hot_beside_cold(number))


def w11(number: int) -> Figures:
    return cold_import("import xoscar", number)
