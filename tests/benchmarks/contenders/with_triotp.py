"""TriOTP: gen_servers on Trio, found by name, each with a mailbox that holds nothing.

It wants a Trio of its own (0.19), so it is measured in an environment of its own.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from itertools import repeat
from math import inf
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import trio
import trio.testing
from triotp import application, dynamic_supervisor, gen_server, mailbox, node, supervisor

from tests.benchmarks.kit import (
    CALLERS,
    LAPS,
    PINGS,
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

PACKAGE = "triotp"
LIMITS = {"w5": 1_000, "w7": 20_000}
"""To end a server it searches all names."""

# The stage -----------------------------------------------------------------------------------


def run(main: Callable[[], Awaitable[Figures]]) -> Figures:
    """Run ``main`` as the application of a node, beside a dynamic supervisor."""
    results: list[Figures] = []

    async def begin(_: object) -> None:
        async with trio.open_nursery() as nursery:
            options = supervisor.options(max_restarts=inf)
            await nursery.start(dynamic_supervisor.start, options, "servers")
            results.append(await main())
            nursery.cancel_scope.cancel()

    app = SimpleNamespace(__name__="benchmark", start=begin)
    node.run([application.app_spec(module=app, start_arg=None, permanent=False)])
    return results[0]


async def start(server: Any, id: str, argument: object = None) -> str:
    spec = supervisor.child_spec(
        id=id,
        task=gen_server.start,
        args=[server, argument, id],
        restart=supervisor.restart_strategy.TRANSIENT,
    )
    await dynamic_supervisor.start_child("servers", spec)
    return id


async def start_all(server: Any, number: int) -> list[str]:
    names = [await start(server, f"agent-{index}") for index in range(number)]
    await trio.testing.wait_all_tasks_blocked()
    return names


async def quietly(reason: object, state: object) -> None:
    """Write no end down."""


def server(
    cast: Callable[[Any, Any], Any], call: Callable[[Any, Any], Any], state: object = Counter()
) -> Any:
    """A gen_server of two functions from a message and a state to a state."""

    async def init(argument: object) -> Any:
        return state if argument is None else argument

    async def handle_cast(message: object, state: object) -> Any:
        if message is STOP:
            return gen_server.Stop(), state
        return gen_server.NoReply(), cast(message, state)

    async def handle_call(message: object, caller: object, state: object) -> Any:
        state = call(message, state)
        return gen_server.Reply(state), state

    return SimpleNamespace(
        __name__="server",
        init=init,
        handle_cast=handle_cast,
        handle_call=handle_call,
        terminate=quietly,
    )


STOP = object()


def add(message: Add, state: Counter) -> Counter:
    return Counter(state.value + message.by)


counter = server(add, add)

# W1, W2: one server --------------------------------------------------------------------------


async def cast_all(name: str, messages: Iterable[Add]) -> object:
    for message in messages:
        await gen_server.cast(name, message)
    return await gen_server.call(name, Add(0))


async def casts(number: int, messages: Iterable[Add]) -> Figures:
    (name,) = await start_all(counter, 1)
    began = perf_counter()
    state = await cast_all(name, messages)
    figures = per_second(number, began)
    verify("the counter", state, Counter(number))
    return figures


def w1_fresh(number: int) -> Figures:
    return run(partial(casts, number, (Add(1) for _ in range(number))))


def w1_ready(number: int) -> Figures:
    return run(partial(casts, number, repeat(Add(1), number)))


async def call_often(name: str, times: int) -> None:
    for _ in range(times):
        await gen_server.call(name, Add(1))


async def calls(number: int, callers: int) -> Figures:
    (name,) = await start_all(counter, 1)
    began = perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(callers):
            nursery.start_soon(call_often, name, number // callers)
    figures = per_second(number, began)
    verify("the counter", await gen_server.call(name, Add(0)), Counter(number))
    return figures


def w2(number: int) -> Figures:
    return run(partial(calls, number, 1))


def w2b(number: int) -> Figures:
    return run(partial(calls, number, CALLERS))


# W3, W4: many servers ------------------------------------------------------------------------


async def fan_out(number: int) -> Figures:
    countdown = Countdown()

    def note(message: Add, state: Counter) -> Counter:
        countdown.hit()
        return add(message, state)

    names = await start_all(server(note, add), number)
    began = perf_counter()
    for _ in range(ROUNDS):
        handled = trio.Event()
        countdown.expect(number, handled.set)
        for name in names:
            await gen_server.cast(name, Add(1))
        await handled.wait()
    figures = per_second(number * ROUNDS, began)
    states = {await gen_server.call(name, Add(0)) for name in names}
    verify("the counters", states, {Counter(ROUNDS)})
    return figures


def w3(number: int) -> Figures:
    return run(partial(fan_out, number))


def ring_node(arrived: trio.Event) -> Any:
    """A server whose state is the name of the next, and how often the token came."""

    async def init(after: str) -> tuple[str, int]:
        return after, 0

    async def handle_cast(message: Token, state: tuple[str, int]) -> Any:
        after, seen = state
        if message.left:
            await gen_server.cast(after, Token(message.left - 1))
        else:
            arrived.set()
        return gen_server.NoReply(), (after, seen + 1)

    async def handle_call(message: object, caller: object, state: tuple[str, int]) -> Any:
        return gen_server.Reply(state[1]), state

    return SimpleNamespace(
        __name__="node",
        init=init,
        handle_cast=handle_cast,
        handle_call=handle_call,
        terminate=quietly,
    )


async def ring(number: int) -> Figures:
    arrived = trio.Event()
    node = ring_node(arrived)
    names = [
        await start(node, f"agent-{index}", f"agent-{(index + 1) % number}")
        for index in range(number)
    ]
    await trio.testing.wait_all_tasks_blocked()
    began = perf_counter()
    await gen_server.cast(names[0], Token(number * LAPS - 1))
    await arrived.wait()
    figures = per_second(number * LAPS, began)
    seen = {await gen_server.call(name, None) for name in names}
    verify("the nodes", seen, {LAPS})
    return figures


def w4(number: int) -> Figures:
    return run(partial(ring, number))


# W5, W6, W7: supervision ---------------------------------------------------------------------


async def start_and_stop(number: int) -> Figures:
    began = perf_counter()
    names = await start_all(counter, number)
    for name in names:
        await gen_server.cast(name, STOP)
    await trio.testing.wait_all_tasks_blocked()
    figures = per_second(number, began)
    verify("left", [name for name in names if mailbox._resolve(name)], [])
    return figures


def w5(number: int) -> Figures:
    return run(partial(start_and_stop, number))


async def call_again(name: str, message: object) -> object:
    """Call a server that may have no mailbox at the moment."""
    while True:
        try:
            return await gen_server.call(name, message)
        except (mailbox.MailboxDoesNotExist, trio.ClosedResourceError, trio.BrokenResourceError):
            await trio.lowlevel.checkpoint()


async def crash_and_call(name: str, storm: Storm) -> None:
    sent = perf_counter()
    await gen_server.cast(name, Crash())
    answer = await call_again(name, Probe())
    storm.restarted(sent, answer, Counter(1))


async def ticks(number: int, siblings: list[str], each: Callable[[], Awaitable[None]]) -> None:
    began = trio.current_time()
    for tick in range(number):
        await trio.sleep_until(began + tick * TICK)
        for index in range(PINGS):
            sibling = siblings[(tick * PINGS + index) % SIBLINGS]
            await gen_server.cast(sibling, Ping(perf_counter()))
        await each()
    await trio.testing.wait_all_tasks_blocked(TICK)


async def crash_often(number: int) -> Figures:
    storm = Storm()

    def ping_or_crash(message: object, state: Counter) -> Counter:
        if isinstance(message, Ping):
            storm.ping(message.sent)
            return Counter(state.value + 1)
        raise CrashError

    agent = server(ping_or_crash, lambda message, state: Counter(state.value + 1))
    siblings = await start_all(agent, SIBLINGS)
    fragile = await start(agent, "fragile")
    await ticks(number, siblings, trio.lowlevel.checkpoint)
    storm.begin()
    began = perf_counter()
    await ticks(number, siblings, partial(crash_and_call, fragile, storm))
    return storm.figures(number, perf_counter() - began)


def w6(number: int) -> Figures:
    return run(partial(crash_often, number))


async def idle(number: int) -> Figures:
    names: list[str] = []
    memory = Memory()
    names += await start_all(counter, number)
    figures = memory.each(number)
    verify("the last one", await gen_server.call(names[-1], Add(1)), Counter(1))
    return figures


def w7(number: int) -> Figures:
    return run(partial(idle, number))


# W8: fairness --------------------------------------------------------------------------------


def work_and_add(message: Add, state: Counter) -> Counter:
    work()
    return add(message, state)


async def keep_busy(name: str, number: int) -> tuple[float, object]:
    began = perf_counter()
    state = await cast_all(name, (Add(1) for _ in range(number)))
    return perf_counter() - began, state


async def call_every_tick(name: str, latencies: list[float], over: trio.Event) -> None:
    while not over.is_set():
        due = trio.current_time() + TICK
        await trio.sleep_until(due)
        await gen_server.call(name, Add(1))
        latencies.append(trio.current_time() - due)


async def hot_beside_cold(number: int) -> Figures:
    latencies: list[float] = []
    over = trio.Event()
    hot, cold = await start(server(work_and_add, work_and_add), "hot"), await start(counter, "cold")
    await trio.testing.wait_all_tasks_blocked()
    alone, _ = await keep_busy(hot, number)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call_every_tick, cold, latencies, over)
        beside, state = await keep_busy(hot, number)
        over.set()
    verify("the hot one", state, Counter(2 * number))
    return hot_and_cold(alone, beside, latencies)


def w8(number: int) -> Figures:
    return run(partial(hot_beside_cold, number))


def w11(number: int) -> Figures:
    return cold_import("import triotp.node", number)
