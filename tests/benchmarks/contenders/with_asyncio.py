"""asyncio, by hand: a task and a queue for each actor, and a loop that starts what crashes again.

Whoever calls sends a future for the answer along.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import repeat
from time import perf_counter
from typing import Any

from attrs import define, frozen

from tests.benchmarks.kit import (
    CALLERS,
    LAPS,
    MAILBOX,
    PINGS,
    QUEUED,
    ROUNDS,
    SIBLINGS,
    TICK,
    Countdown,
    CrashError,
    Figures,
    Memory,
    Storm,
    cold_import,
    hot_and_cold,
    per_second,
    verify,
    work,
)
from tests.benchmarks.messages import Add, Counter, Crash, Ping, Probe, Token

PACKAGE = ""

Inbox = asyncio.Queue[Any]
Function = Callable[..., Awaitable[None]]
Behaviour = Callable[[Inbox], Awaitable[None]]


@frozen
class Ask:
    """A message whose sender waits for the answer."""

    data: Any
    answer: asyncio.Future[Any]


# The stage -----------------------------------------------------------------------------------


@frozen
class Stage:
    """Where actors run, and where they are found by their ids."""

    group: asyncio.TaskGroup
    registry: dict[str, asyncio.Task[None]]


async def supervised(fn: Function, args: Iterable[Any], ready: asyncio.Future[None]) -> None:
    ready.set_result(None)
    while True:
        try:
            await fn(*args)
        except Exception:
            continue


@asynccontextmanager
async def stage() -> AsyncGenerator[Stage]:
    async with asyncio.TaskGroup() as group:
        on = Stage(group, {})
        yield on
        for task in on.registry.values():
            task.cancel()


async def start(on: Stage, behave: Behaviour, id: str, size: int = MAILBOX) -> Inbox:
    inbox = Inbox(size)
    await start_function(on, id, behave, inbox)
    return inbox


async def start_function(on: Stage, id: str, fn: Function, *args: Any) -> None:
    ready = asyncio.get_running_loop().create_future()
    on.registry[id] = on.group.create_task(supervised(fn, args, ready))
    await ready


async def stop(on: Stage, id: str) -> None:
    task = on.registry.pop(id)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def start_all(on: Stage, behave: Behaviour, number: int) -> list[Inbox]:
    return [await start(on, behave, f"agent-{index}") for index in range(number)]


async def call(inbox: Inbox, data: object) -> Any:
    answer = asyncio.get_running_loop().create_future()
    await inbox.put(Ask(data, answer))
    return await answer


async def settle() -> None:
    """Let everything that was sent be handled."""
    await asyncio.sleep(10 * TICK)


async def count(inbox: Inbox) -> None:
    """The actor of most workloads: a counter."""
    state = Counter()
    while True:
        message = await inbox.get()
        if isinstance(message, Ask):
            state = Counter(state.value + message.data.by)
            message.answer.set_result(state)
        else:
            state = Counter(state.value + message.by)


# W1, W2: one actor ---------------------------------------------------------------------------


async def send_all(inbox: Inbox, messages: Iterable[Add]) -> Counter:
    """Send them, waiting only when the queue is full; the state once all are handled."""
    for message in messages:
        try:
            inbox.put_nowait(message)
        except asyncio.QueueFull:
            await inbox.put(message)
    state: Counter = await call(inbox, Add(0))
    return state


async def casts(number: int, messages: Iterable[Add]) -> Figures:
    async with stage() as on:
        inbox = await start(on, count, "counter")
        began = perf_counter()
        state = await send_all(inbox, messages)
        figures = per_second(number, began)
        verify("the counter", state, Counter(number))
    return figures


def w1_fresh(number: int) -> Figures:
    return asyncio.run(casts(number, (Add(1) for _ in range(number))))


def w1_ready(number: int) -> Figures:
    return asyncio.run(casts(number, repeat(Add(1), number)))


async def call_often(inbox: Inbox, times: int) -> None:
    for _ in range(times):
        await call(inbox, Add(1))


async def calls(number: int, callers: int) -> Figures:
    async with stage() as on:
        inbox = await start(on, count, "counter")
        began = perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(call_often(inbox, number // callers))
        figures = per_second(number, began)
        verify("the counter", await call(inbox, Add(0)), Counter(number))
    return figures


def w2(number: int) -> Figures:
    return asyncio.run(calls(number, 1))


def w2b(number: int) -> Figures:
    return asyncio.run(calls(number, CALLERS))


# W3, W4: many actors -------------------------------------------------------------------------


async def fan_out(number: int) -> Figures:
    countdown = Countdown()

    async def note(inbox: Inbox) -> None:
        state = Counter()
        while True:
            message = await inbox.get()
            if isinstance(message, Ask):
                message.answer.set_result(state)
            else:
                countdown.hit()
                state = Counter(state.value + message.by)

    async with stage() as on:
        inboxes = await start_all(on, note, number)
        began = perf_counter()
        for _ in range(ROUNDS):
            handled = asyncio.Event()
            countdown.expect(number, handled.set)
            for inbox in inboxes:
                inbox.put_nowait(Add(1))
            await handled.wait()
        figures = per_second(number * ROUNDS, began)
        states = {await call(inbox, None) for inbox in inboxes}
        verify("the counters", states, {Counter(ROUNDS)})
    return figures


def w3(number: int) -> Figures:
    return asyncio.run(fan_out(number))


@frozen
class Node:
    next: Inbox | None = None
    seen: int = 0


async def ring(number: int) -> Figures:
    arrived = asyncio.Event()

    async def pass_on(inbox: Inbox) -> None:
        state = Node()
        while True:
            message = await inbox.get()
            if isinstance(message, Token):
                state = Node(state.next, state.seen + 1)
                if message.left and state.next is not None:
                    state.next.put_nowait(Token(message.left - 1))
                else:
                    arrived.set()
            else:
                state = Node(message.data or state.next, state.seen)
                message.answer.set_result(state.seen)

    async with stage() as on:
        inboxes = await start_all(on, pass_on, number)
        for inbox, after in zip(inboxes, [*inboxes[1:], inboxes[0]], strict=True):
            await call(inbox, after)
        began = perf_counter()
        inboxes[0].put_nowait(Token(number * LAPS - 1))
        await arrived.wait()
        figures = per_second(number * LAPS, began)
        verify("the nodes", {await call(inbox, None) for inbox in inboxes}, {LAPS})
    return figures


def w4(number: int) -> Figures:
    return asyncio.run(ring(number))


# W5, W6, W7: supervision ---------------------------------------------------------------------


async def start_and_stop(number: int) -> Figures:
    async with stage() as on:
        began = perf_counter()
        await start_all(on, count, number)
        tasks = list(on.registry.values())
        running = sum(not task.done() for task in tasks)
        for id in list(on.registry):
            await stop(on, id)
        figures = per_second(number, began)
        verify("started", running, number)
        verify("left", (len(on.registry), sum(not task.done() for task in tasks)), (0, 0))
    return figures


def w5(number: int) -> Figures:
    return asyncio.run(start_and_stop(number))


async def crash_and_call(fragile: Inbox, storm: Storm) -> None:
    sent = perf_counter()
    fragile.put_nowait(Crash())
    answer = await call(fragile, Probe())
    storm.restarted(sent, answer, Counter(1))


async def ticks(number: int, siblings: list[Inbox], each: Callable[[], Awaitable[None]]) -> None:
    now = asyncio.get_running_loop().time
    began = now()
    for tick in range(number):
        await asyncio.sleep(began + tick * TICK - now())
        for index in range(PINGS):
            sibling = siblings[(tick * PINGS + index) % SIBLINGS]
            sibling.put_nowait(Ping(perf_counter()))
        await each()
    await asyncio.sleep(TICK)


async def crash_often(number: int) -> Figures:
    storm = Storm()

    async def stand_by(inbox: Inbox) -> None:
        storm.runs += 1
        state = Counter()
        while True:
            message = await inbox.get()
            if isinstance(message, Ping):
                storm.ping(message.sent)
                state = Counter(state.value + 1)
            elif isinstance(message, Crash):
                raise CrashError
            else:
                state = Counter(state.value + 1)
                message.answer.set_result(state)

    async with stage() as on:
        siblings = await start_all(on, stand_by, SIBLINGS)
        fragile = await start(on, stand_by, "fragile")
        await ticks(number, siblings, partial(asyncio.sleep, 0))
        await settle()
        storm.begin()
        began = perf_counter()
        await ticks(number, siblings, partial(crash_and_call, fragile, storm))
        seconds = perf_counter() - began
        await settle()
        figures = storm.figures(number, seconds)
        verify("the runs", storm.runs, SIBLINGS + 1 + number)
        verify("the last run's state", await call(fragile, Probe()), Counter(2))
    return figures


def w6(number: int) -> Figures:
    return asyncio.run(crash_often(number))


async def idle(number: int) -> Figures:
    async with stage() as on:
        inboxes: list[Inbox] = []
        memory = Memory()
        inboxes += await start_all(on, count, number)
        figures = memory.each(number)
        verify("running", sum(not task.done() for task in on.registry.values()), number)
        verify("the last one", await call(inboxes[-1], Add(1)), Counter(1))
    return figures


def w7(number: int) -> Figures:
    return asyncio.run(idle(number))


# W5f, W6f, W7f: functions --------------------------------------------------------------------


@define
class Parked:
    """How many runs of a function that waits there are."""

    running: int = 0


async def park(parked: Parked) -> None:
    parked.running += 1
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        parked.running -= 1


async def start_and_stop_functions(number: int) -> Figures:
    parked = Parked()
    async with stage() as on:
        began = perf_counter()
        for index in range(number):
            await start_function(on, f"function-{index}", park, parked)
        started = parked.running
        for id in list(on.registry):
            await stop(on, id)
        figures = per_second(number, began)
        verify("started", started, number)
        verify("left", (len(on.registry), parked.running), (0, 0))
    return figures


def w5f(number: int) -> Figures:
    return asyncio.run(start_and_stop_functions(number))


def w6f(number: int) -> Figures:
    """By hand, an actor is a function."""
    return w6(number)


async def idle_functions(number: int) -> Figures:
    parked = Parked()
    async with stage() as on:
        memory = Memory()
        for index in range(number):
            await start_function(on, f"function-{index}", park, parked)
        figures = memory.each(number)
        verify("running", parked.running, number)
    return figures


def w7f(number: int) -> Figures:
    return asyncio.run(idle_functions(number))


# W8: fairness --------------------------------------------------------------------------------


async def work_and_count(inbox: Inbox) -> None:
    state = Counter()
    while True:
        message = await inbox.get()
        work()
        if isinstance(message, Ask):
            state = Counter(state.value + message.data.by)
            message.answer.set_result(state)
        else:
            state = Counter(state.value + message.by)


async def keep_busy(inbox: Inbox, number: int) -> tuple[float, Counter]:
    """Have it handle so many messages; how many seconds that took."""
    began = perf_counter()
    state = await send_all(inbox, (Add(1) for _ in range(number)))
    return perf_counter() - began, state


async def call_every_tick(inbox: Inbox, latencies: list[float], over: asyncio.Event) -> None:
    now = asyncio.get_running_loop().time
    while not over.is_set():
        due = now() + TICK
        await asyncio.sleep(TICK)
        await call(inbox, Add(1))
        latencies.append(now() - due)


async def hot_beside_cold(number: int) -> Figures:
    latencies: list[float] = []
    over = asyncio.Event()
    async with stage() as on:
        hot = await start(on, work_and_count, "hot", QUEUED)
        cold = await start(on, count, "cold")
        alone, _ = await keep_busy(hot, number)
        caller = asyncio.create_task(call_every_tick(cold, latencies, over))
        beside, state = await keep_busy(hot, number)
        over.set()
        await caller
        verify("the hot one", state, Counter(2 * number))
    return hot_and_cold(alone, beside, latencies)


def w8(number: int) -> Figures:
    return asyncio.run(hot_beside_cold(number))


# W11 -----------------------------------------------------------------------------------------


def w11(number: int) -> Figures:
    return cold_import("import asyncio", number)
