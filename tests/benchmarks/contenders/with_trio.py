"""Raw Trio, by hand: a task and a memory channel for each actor, one message a receive.

What crashes is started again by a loop. Whoever calls sends a channel for the answer along.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import trio
import trio.testing
from attrs import define, frozen

from tests.benchmarks.group_commit import least
from tests.benchmarks.kit import (
    CALLERS,
    FEW,
    LAPS,
    MAILBOX,
    PINGS,
    QUEUED,
    ROUNDS,
    SIBLINGS,
    SIGNALS,
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

PACKAGE = "trio"

Inbox = trio.MemoryReceiveChannel[Any]
Outbox = trio.MemorySendChannel[Any]
Function = Callable[..., Awaitable[None]]
Behaviour = Callable[[Inbox], Awaitable[None]]


@frozen
class Ask:
    """A message whose sender waits for the answer."""

    data: Any
    answer: Outbox


# The stage -----------------------------------------------------------------------------------


@frozen
class Actor:
    scope: trio.CancelScope
    over: trio.Event


@frozen
class Stage:
    """Where actors run, and where they are found by their ids."""

    nursery: trio.Nursery
    registry: dict[str, Actor]


async def supervised(fn: Function, *args: Any, task_status: trio.TaskStatus[Any]) -> None:
    over = trio.Event()
    with trio.CancelScope() as scope:
        task_status.started((scope, over))
        while True:
            try:
                await fn(*args)
            except Exception:
                continue
    over.set()


@asynccontextmanager
async def stage() -> AsyncGenerator[Stage]:
    async with trio.open_nursery() as nursery:
        yield Stage(nursery, {})
        nursery.cancel_scope.cancel()


async def start(on: Stage, behave: Behaviour, id: str, size: int = MAILBOX) -> Outbox:
    outbox, inbox = trio.open_memory_channel[Any](size)
    await start_function(on, id, behave, inbox)
    return outbox


async def start_function(on: Stage, id: str, fn: Function, *args: Any) -> None:
    scope, over = await on.nursery.start(supervised, fn, *args)
    on.registry[id] = Actor(scope, over)


async def stop(on: Stage, id: str) -> None:
    actor = on.registry.pop(id)
    actor.scope.cancel()
    await actor.over.wait()


async def start_all(on: Stage, behave: Behaviour, number: int) -> list[Outbox]:
    return [await start(on, behave, f"agent-{index}") for index in range(number)]


async def call(outbox: Outbox, data: object) -> Any:
    answer, answered = trio.open_memory_channel[Any](1)
    await outbox.send(Ask(data, answer))
    return await answered.receive()


async def count(inbox: Inbox) -> None:
    """The actor of most workloads: a counter."""
    state = Counter()
    while True:
        message = await inbox.receive()
        if isinstance(message, Ask):
            state = Counter(state.value + message.data.by)
            message.answer.send_nowait(state)
        else:
            state = Counter(state.value + message.by)


# W1, W2: one actor ---------------------------------------------------------------------------


async def send_all(outbox: Outbox, messages: Iterable[Add]) -> Counter:
    """Send them, waiting only when the channel is full; the state once all are handled."""
    for message in messages:
        try:
            outbox.send_nowait(message)
        except trio.WouldBlock:
            await outbox.send(message)
    state: Counter = await call(outbox, Add(0))
    return state


async def casts(number: int, messages: Iterable[Add]) -> Figures:
    async with stage() as on:
        outbox = await start(on, count, "counter")
        began = perf_counter()
        state = await send_all(outbox, messages)
        figures = per_second(number, began)
        verify("the counter", state, Counter(number))
    return figures


def w1_fresh(number: int) -> Figures:
    return trio.run(casts, number, (Add(1) for _ in range(number)))


def w1_ready(number: int) -> Figures:
    return trio.run(casts, number, repeat(Add(1), number))


async def call_often(outbox: Outbox, times: int) -> None:
    for _ in range(times):
        await call(outbox, Add(1))


async def calls(number: int, callers: int) -> Figures:
    async with stage() as on:
        outbox = await start(on, count, "counter")
        began = perf_counter()
        async with trio.open_nursery() as nursery:
            for _ in range(callers):
                nursery.start_soon(call_often, outbox, number // callers)
        figures = per_second(number, began)
        verify("the counter", await call(outbox, Add(0)), Counter(number))
    return figures


def w2(number: int) -> Figures:
    return trio.run(calls, number, 1)


def w2b(number: int) -> Figures:
    return trio.run(calls, number, CALLERS)


# W3, W4: many actors -------------------------------------------------------------------------


async def fan_out(number: int) -> Figures:
    countdown = Countdown()

    async def note(inbox: Inbox) -> None:
        state = Counter()
        while True:
            message = await inbox.receive()
            if isinstance(message, Ask):
                message.answer.send_nowait(state)
            else:
                countdown.hit()
                state = Counter(state.value + message.by)

    async with stage() as on:
        outboxes = await start_all(on, note, number)
        began = perf_counter()
        for _ in range(ROUNDS):
            handled = trio.Event()
            countdown.expect(number, handled.set)
            for outbox in outboxes:
                outbox.send_nowait(Add(1))
            await handled.wait()
        figures = per_second(number * ROUNDS, began)
        states = {await call(outbox, None) for outbox in outboxes}
        verify("the counters", states, {Counter(ROUNDS)})
    return figures


def w3(number: int) -> Figures:
    return trio.run(fan_out, number)


@frozen
class Node:
    next: Outbox | None = None
    seen: int = 0


async def ring(number: int) -> Figures:
    arrived = trio.Event()

    async def pass_on(inbox: Inbox) -> None:
        state = Node()
        while True:
            message = await inbox.receive()
            if isinstance(message, Token):
                state = Node(state.next, state.seen + 1)
                if message.left and state.next is not None:
                    state.next.send_nowait(Token(message.left - 1))
                else:
                    arrived.set()
            else:
                state = Node(message.data or state.next, state.seen)
                message.answer.send_nowait(state.seen)

    async with stage() as on:
        outboxes = await start_all(on, pass_on, number)
        for outbox, after in zip(outboxes, [*outboxes[1:], outboxes[0]], strict=True):
            await call(outbox, after)
        began = perf_counter()
        outboxes[0].send_nowait(Token(number * LAPS - 1))
        await arrived.wait()
        figures = per_second(number * LAPS, began)
        verify("the nodes", {await call(outbox, None) for outbox in outboxes}, {LAPS})
    return figures


def w4(number: int) -> Figures:
    return trio.run(ring, number)


# W5, W6, W7: supervision ---------------------------------------------------------------------


async def start_and_stop(number: int) -> Figures:
    async with stage() as on:
        began = perf_counter()
        await start_all(on, count, number)
        started = len(on.nursery.child_tasks)
        for id in list(on.registry):
            await stop(on, id)
        figures = per_second(number, began)
        verify("started", started, number)
        verify("left", (len(on.registry), len(on.nursery.child_tasks)), (0, 0))
    return figures


def w5(number: int) -> Figures:
    return trio.run(start_and_stop, number)


async def crash_and_call(fragile: Outbox, storm: Storm) -> None:
    sent = perf_counter()
    fragile.send_nowait(Crash())
    answer = await call(fragile, Probe())
    storm.restarted(sent, answer, Counter(1))


async def ticks(number: int, siblings: list[Outbox], each: Callable[[], Awaitable[None]]) -> None:
    began = trio.current_time()
    for tick in range(number):
        await trio.sleep_until(began + tick * TICK)
        for index in range(PINGS):
            sibling = siblings[(tick * PINGS + index) % SIBLINGS]
            sibling.send_nowait(Ping(perf_counter()))
        await each()
    await trio.testing.wait_all_tasks_blocked(TICK)


def standing_by(storm: Storm) -> Behaviour:
    """What crashes, and what its siblings are."""

    async def stand_by(inbox: Inbox) -> None:
        storm.runs += 1
        state = Counter()
        while True:
            message = await inbox.receive()
            if isinstance(message, Ping):
                storm.ping(message.sent)
                state = Counter(state.value + 1)
            elif isinstance(message, Crash):
                raise CrashError
            else:
                state = Counter(state.value + 1)
                message.answer.send_nowait(state)

    return stand_by


async def crash_often(number: int) -> Figures:
    storm = Storm()
    stand_by = standing_by(storm)
    async with stage() as on:
        siblings = await start_all(on, stand_by, SIBLINGS)
        fragile = await start(on, stand_by, "fragile")
        await ticks(number, siblings, trio.lowlevel.checkpoint)
        storm.begin()
        began = perf_counter()
        await ticks(number, siblings, partial(crash_and_call, fragile, storm))
        figures = storm.figures(number, perf_counter() - began)
        verify("the runs", storm.runs, SIBLINGS + 1 + number)
        verify("the last run's state", await call(fragile, Probe()), Counter(2))
    return figures


def w6(number: int) -> Figures:
    return trio.run(crash_often, number)


async def idle(number: int) -> Figures:
    async with stage() as on:
        outboxes: list[Outbox] = []
        memory = Memory()
        outboxes += await start_all(on, count, number)
        await trio.testing.wait_all_tasks_blocked()
        figures = memory.each(number)
        verify("running", len(on.nursery.child_tasks), number)
        verify("the last one", await call(outboxes[-1], Add(1)), Counter(1))
    return figures


def w7(number: int) -> Figures:
    return trio.run(idle, number)


# W5f, W6f, W7f: functions --------------------------------------------------------------------


@define
class Parked:
    """How many runs of a function that waits there are."""

    running: int = 0


async def park(parked: Parked) -> None:
    parked.running += 1
    try:
        await trio.sleep_forever()
    finally:
        parked.running -= 1


async def start_and_stop_functions(number: int) -> Figures:
    parked = Parked()
    async with stage() as on:
        began = perf_counter()
        for index in range(number):
            await start_function(on, f"function-{index}", park, parked)
        await trio.testing.wait_all_tasks_blocked()
        started = parked.running
        for id in list(on.registry):
            await stop(on, id)
        figures = per_second(number, began)
        verify("started", started, number)
        verify("left", (parked.running, len(on.nursery.child_tasks)), (0, 0))
    return figures


def w5f(number: int) -> Figures:
    return trio.run(start_and_stop_functions, number)


def w6f(number: int) -> Figures:
    """By hand, an actor is a function."""
    return w6(number)


async def idle_functions(number: int) -> Figures:
    parked = Parked()
    async with stage() as on:
        memory = Memory()
        for index in range(number):
            await start_function(on, f"function-{index}", park, parked)
        await trio.testing.wait_all_tasks_blocked()
        figures = memory.each(number)
        verify("running", parked.running, number)
    return figures


def w7f(number: int) -> Figures:
    return trio.run(idle_functions, number)


# W8: fairness --------------------------------------------------------------------------------


async def work_and_count(inbox: Inbox) -> None:
    state = Counter()
    while True:
        message = await inbox.receive()
        work()
        if isinstance(message, Ask):
            state = Counter(state.value + message.data.by)
            message.answer.send_nowait(state)
        else:
            state = Counter(state.value + message.by)


async def keep_busy(outbox: Outbox, number: int) -> tuple[float, Counter]:
    """Have it handle so many messages; how many seconds that took."""
    began = perf_counter()
    state = await send_all(outbox, (Add(1) for _ in range(number)))
    return perf_counter() - began, state


async def call_every_tick(outbox: Outbox, latencies: list[float], over: trio.Event) -> None:
    while not over.is_set():
        due = trio.current_time() + TICK
        await trio.sleep_until(due)
        await call(outbox, Add(1))
        latencies.append(trio.current_time() - due)


async def hot_beside_cold(number: int) -> Figures:
    latencies: list[float] = []
    over = trio.Event()
    async with stage() as on:
        hot = await start(on, work_and_count, "hot", QUEUED)
        cold = await start(on, count, "cold")
        alone, _ = await keep_busy(hot, number)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call_every_tick, cold, latencies, over)
            beside, state = await keep_busy(hot, number)
            over.set()
        verify("the hot one", state, Counter(2 * number))
    return hot_and_cold(alone, beside, latencies)


def w8(number: int) -> Figures:
    return trio.run(hot_beside_cold, number)


# W9: durable turns ---------------------------------------------------------------------------


def w9(number: int) -> Figures:
    # Not where files are kept in memory: it is the disk that is waited for.
    with TemporaryDirectory(dir=Path.cwd()) as place:
        return least(Path(place), CALLERS, number, verify)


# W10, W11 ------------------------------------------------------------------------------------


@frozen
class Typed:
    """What a look-up by type needs: a message that says its type."""

    type: str
    data: Add


def match_ns(routes: int) -> float:
    """How many nanoseconds one look-up in a dictionary takes."""
    types = [f"counter.add-{index}" for index in range(routes)]
    table = {type: index for index, type in enumerate(types)}
    messages = [Typed(types[index % routes], Add(1)) for index in range(SIGNALS)]
    match = table.get
    began = perf_counter()
    for message in messages:
        match(message.type)
    seconds = perf_counter() - began
    verify("the look-ups", match(messages[-1].type), (SIGNALS - 1) % routes)
    return seconds / SIGNALS * 1e9


def w10(number: int) -> Figures:
    many, few = match_ns(number), match_ns(FEW)
    return {"match_ns": many, "of_few": many / few}


def w11(number: int) -> Figures:
    return cold_import("import trio, attrs, cattrs", number)
