"""autogen-core's single-threaded runtime: one queue for all agents, topics instead of addresses.

A cast is a publication in the topic of one agent, a call a direct message. An agent begins with the
first message to it, and is never stopped.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter
from typing import Any

from autogen_core import (
    AgentId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    message_handler,
    try_get_known_serializers_for_type,
)

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

PACKAGE = "autogen-core"
LIMITS = {"w1_fresh": 50_000, "w1_ready": 50_000, "w3": 200, "w4": 200, "w7": 20_000}
"""It would take minutes."""


# It takes no attrs classes.
@dataclass(frozen=True, slots=False)
class Counter:
    value: int = 0


@dataclass(frozen=True, slots=False)
class Add:
    by: int = 1


@dataclass(frozen=True, slots=False)
class Token:
    left: int


def nothing() -> None:
    """What a counter does besides."""


class Counting(RoutedAgent):
    def __init__(self, also: Callable[[], None]) -> None:
        super().__init__("a counter")
        self.state = Counter()
        self.also = also

    @message_handler
    async def add(self, message: Add, ctx: MessageContext) -> Counter:
        if message.by:
            self.also()
        self.state = Counter(self.state.value + message.by)
        return self.state


@asynccontextmanager
async def stage(**kinds: Callable[[], RoutedAgent]) -> AsyncGenerator[Any]:
    """A runtime that makes agents of these kinds."""
    runtime = SingleThreadedAgentRuntime()
    for kind, make in kinds.items():
        await runtime.register_factory(kind, make, expected_class=None)
        await runtime.add_subscription(TypeSubscription(kind, kind))
    for message in (Add, Counter, Token):
        runtime.add_message_serializer(try_get_known_serializers_for_type(message))
    runtime.start()
    yield runtime
    await runtime.stop_when_idle()


async def publish_all(runtime: Any, kind: str, messages: Iterable[Add]) -> None:
    topic = TopicId(kind, "one")
    for message in messages:
        await runtime.publish_message(message, topic)


async def state_of(runtime: Any, kind: str, key: str = "one") -> Any:
    agent = await runtime.try_get_underlying_agent_instance(AgentId(kind, key), Counting)
    return agent.state


async def casts(number: int, messages: Iterable[Add]) -> Figures:
    handled, countdown = asyncio.Event(), Countdown()
    countdown.expect(number, handled.set)
    async with stage(counter=lambda: Counting(countdown.hit)) as runtime:
        began = perf_counter()
        await publish_all(runtime, "counter", messages)
        await handled.wait()
        figures = per_second(number, began)
        verify("the counter", await state_of(runtime, "counter"), Counter(number))
    return figures


def w1_fresh(number: int) -> Figures:
    return asyncio.run(casts(number, (Add(1) for _ in range(number))))


def w1_ready(number: int) -> Figures:
    return asyncio.run(casts(number, repeat(Add(1), number)))


async def call_often(runtime: Any, times: int) -> None:
    recipient = AgentId("counter", "one")
    for _ in range(times):
        await runtime.send_message(Add(1), recipient)


async def calls(number: int, callers: int) -> Figures:
    async with stage(counter=lambda: Counting(nothing)) as runtime:
        began = perf_counter()
        await asyncio.gather(*(call_often(runtime, number // callers) for _ in range(callers)))
        figures = per_second(number, began)
        verify("the counter", await state_of(runtime, "counter"), Counter(number))
    return figures


def w2(number: int) -> Figures:
    return asyncio.run(calls(number, 1))


def w2b(number: int) -> Figures:
    return asyncio.run(calls(number, CALLERS))


async def fan_out(number: int) -> Figures:
    countdown = Countdown()
    async with stage(counter=lambda: Counting(countdown.hit)) as runtime:
        keys = [f"agent-{index}" for index in range(number)]
        for key in keys:
            await runtime.send_message(Add(0), AgentId("counter", key))
        topics = [TopicId("counter", key) for key in keys]
        began = perf_counter()
        for _ in range(ROUNDS):
            handled = asyncio.Event()
            countdown.expect(number, handled.set)
            for topic in topics:
                await runtime.publish_message(Add(1), topic)
            await handled.wait()
        figures = per_second(number * ROUNDS, began)
        states = {await state_of(runtime, "counter", key) for key in keys}
        verify("the counters", states, {Counter(ROUNDS)})
    return figures


def w3(number: int) -> Figures:
    return asyncio.run(fan_out(number))


class Node(RoutedAgent):
    def __init__(self, number: int, arrived: asyncio.Event) -> None:
        super().__init__("a node")
        self.next = TopicId("node", str((int(self.id.key) + 1) % number))
        self.arrived = arrived
        self.state = 0

    @message_handler
    async def token(self, message: Token, ctx: MessageContext) -> None:
        self.state += 1
        if message.left:
            await self.publish_message(Token(message.left - 1), self.next)
        else:
            self.arrived.set()


async def ring(number: int) -> Figures:
    arrived = asyncio.Event()
    async with stage(node=lambda: Node(number, arrived)) as runtime:
        for key in range(number):
            await runtime.try_get_underlying_agent_instance(AgentId("node", str(key)), Node)
        began = perf_counter()
        await runtime.publish_message(Token(number * LAPS - 1), TopicId("node", "0"))
        await arrived.wait()
        figures = per_second(number * LAPS, began)
        seen = [
            await runtime.try_get_underlying_agent_instance(AgentId("node", str(key)), Node)
            for key in range(number)
        ]
        verify("the nodes", {node.state for node in seen}, {LAPS})
    return figures


def w4(number: int) -> Figures:
    return asyncio.run(ring(number))


async def idle(number: int) -> Figures:
    async with stage(counter=lambda: Counting(nothing)) as runtime:
        memory = Memory()
        for index in range(number):
            await state_of(runtime, "counter", f"agent-{index}")
        figures = memory.each(number)
        last = await runtime.send_message(Add(1), AgentId("counter", f"agent-{number - 1}"))
        verify("the last one", last, Counter(1))
    return figures


def w7(number: int) -> Figures:
    return asyncio.run(idle(number))


async def call_every_tick(runtime: Any, latencies: list[float], over: asyncio.Event) -> None:
    recipient = AgentId("counter", "one")
    while not over.is_set():
        due = perf_counter() + TICK
        await asyncio.sleep(TICK)
        await runtime.send_message(Add(1), recipient)
        latencies.append(perf_counter() - due)


async def hot_beside_cold(number: int) -> Figures:
    latencies: list[float] = []
    over = asyncio.Event()
    countdown = Countdown()

    def work_and_tell() -> None:
        work()
        countdown.hit()

    async def keep_busy(runtime: Any) -> float:
        handled = asyncio.Event()
        countdown.expect(number, handled.set)
        began = perf_counter()
        await publish_all(runtime, "hot", (Add(1) for _ in range(number)))
        await handled.wait()
        return perf_counter() - began

    kinds = {"hot": lambda: Counting(work_and_tell), "counter": lambda: Counting(nothing)}
    async with stage(**kinds) as runtime:
        alone = await keep_busy(runtime)
        caller = asyncio.create_task(call_every_tick(runtime, latencies, over))
        beside = await keep_busy(runtime)
        over.set()
        await caller
        verify("the hot one", await state_of(runtime, "hot"), Counter(2 * number))
    return hot_and_cold(alone, beside, latencies)


def w8(number: int) -> Figures:
    return asyncio.run(hot_beside_cold(number))


def w11(number: int) -> Figures:
    return cold_import("import autogen_core", number)
