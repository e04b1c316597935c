"""trido: an agent for each, under one supervisor."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from itertools import repeat
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Literal

import trio
import trio.testing
from attrs import frozen

import trido
from tests.benchmarks.bare import bare
from tests.benchmarks.contenders import trido_functions
from tests.benchmarks.kit import (
    CALLERS,
    FEW,
    LAPS,
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

PACKAGE = "trido"

Ref = trido.AgentRef[Any]

# The stage -----------------------------------------------------------------------------------


@asynccontextmanager
async def stage() -> AsyncGenerator[trido.Supervisor]:
    async with trido.open_supervisor(max_restarts=inf) as sup:
        yield sup


async def start(sup: trido.Supervisor, agent: trido.Agent[Any], id: str) -> Ref:
    """Start and register an agent."""
    child = await sup.start_child(agent.spec(id=id))
    return child.value


async def start_all(sup: trido.Supervisor, agent: trido.Agent[Any], number: int) -> list[Ref]:
    return [await start(sup, agent, f"agent-{index}") for index in range(number)]


@contextmanager
def without_log() -> Generator[None]:
    """No contender writes its crashes down."""
    logger = logging.getLogger("trido")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


counter = trido.Agent("counter", state=Counter)


@counter.on("counter.add")
def add(state: Counter, data: Add) -> Counter:
    return Counter(state.value + data.by)


# W1, W2: one agent ---------------------------------------------------------------------------


async def cast_all(ref: Ref, signals: Iterable[trido.Signal]) -> Counter:
    """Cast them, waiting only when the mailbox is full; the state once all are handled."""
    for signal in signals:
        try:
            ref.cast_nowait(signal)
        except trio.WouldBlock:
            await ref.cast(signal)
    return await ref.call(add.signal(Add(0)))


async def casts(number: int, signals: Iterable[trido.Signal]) -> Figures:
    async with stage() as sup:
        ref = await start(sup, counter, "counter")
        began = perf_counter()
        state = await cast_all(ref, signals)
        figures = per_second(number, began)
        verify("the counter", state, Counter(number))
    return figures


def w1_fresh(number: int) -> Figures:
    signals = (trido.Signal("counter.add", Add(1)) for _ in range(number))
    return trio.run(casts, number, signals)


def w1_ready(number: int) -> Figures:
    return trio.run(casts, number, repeat(trido.Signal("counter.add", Add(1)), number))


async def call_often(ref: Ref, times: int) -> None:
    for _ in range(times):
        await ref.call(trido.Signal("counter.add", Add(1)))


async def calls(number: int, callers: int) -> Figures:
    async with stage() as sup:
        ref = await start(sup, counter, "counter")
        began = perf_counter()
        async with trio.open_nursery() as nursery:
            for _ in range(callers):
                nursery.start_soon(call_often, ref, number // callers)
        figures = per_second(number, began)
        verify("the counter", ref.state(), Counter(number))
    return figures


def w2(number: int) -> Figures:
    return trio.run(calls, number, 1)


def w2b(number: int) -> Figures:
    return trio.run(calls, number, CALLERS)


# W3, W4: many agents -------------------------------------------------------------------------


def noting(hit: Callable[[], None]) -> trido.Agent[Counter]:
    """A counter that says so when it has counted."""
    agent = trido.Agent("noting", state=Counter)

    @agent.on("counter.add")
    def add(state: Counter, data: Add) -> Counter:
        hit()
        return Counter(state.value + data.by)

    return agent


async def fan_out(number: int) -> Figures:
    countdown = Countdown()
    async with stage() as sup:
        refs = await start_all(sup, noting(countdown.hit), number)
        began = perf_counter()
        for _ in range(ROUNDS):
            handled = trio.Event()
            countdown.expect(number, handled.set)
            for ref in refs:
                ref.cast_nowait(trido.Signal("counter.add", Add(1)))
            await handled.wait()
        figures = per_second(number * ROUNDS, began)
        verify("the counters", {ref.state() for ref in refs}, {Counter(ROUNDS)})
    return figures


def w3(number: int) -> Figures:
    return trio.run(fan_out, number)


@frozen
class Node:
    next: trido.AgentRef[Any] | None = None
    seen: int = 0


def ring_of(arrived: Callable[[], None]) -> trido.Agent[Node]:
    agent = trido.Agent("node", state=Node)

    @agent.on("ring.join")
    def join(state: Node, data: trido.AgentRef[Any]) -> Node:
        return Node(data, state.seen)

    @agent.on("ring.token")
    def token(state: Node, data: Token) -> trido.Decision[Node]:
        state = Node(state.next, state.seen + 1)
        if not data.left:
            arrived()
            return state
        return state, [trido.Emit(trido.Signal("ring.token", Token(data.left - 1)), to=state.next)]

    return agent


async def ring(number: int) -> Figures:
    arrived = trio.Event()
    async with stage() as sup:
        refs = await start_all(sup, ring_of(arrived.set), number)
        for ref, after in zip(refs, [*refs[1:], refs[0]], strict=True):
            await ref.call(trido.Signal("ring.join", after))
        began = perf_counter()
        refs[0].cast_nowait(trido.Signal("ring.token", Token(number * LAPS - 1)))
        await arrived.wait()
        figures = per_second(number * LAPS, began)
        await trio.testing.wait_all_tasks_blocked()
        verify("the nodes", {ref.state().seen for ref in refs}, {LAPS})
    return figures


def w4(number: int) -> Figures:
    return trio.run(ring, number)


# W5, W6, W7: supervision ---------------------------------------------------------------------


async def start_and_stop(number: int) -> Figures:
    async with trido.open_runtime() as rt:
        began = perf_counter()
        refs = [await rt.start_agent(counter, id=f"agent-{index}") for index in range(number)]
        started = rt.supervisor.counts().active
        for ref in refs:
            await ref.stop()
        figures = per_second(number, began)
        verify("started", started, number)
        verify("left", (rt.agents(), rt.supervisor.counts().specs), ((), 0))
    return figures


def w5(number: int) -> Figures:
    return trio.run(start_and_stop, number)


def fragile_by(storm: Storm) -> trido.Agent[Counter]:
    agent = trido.Agent("fragile", state=Counter)

    @agent.on("ping")
    def ping(state: Counter, data: Ping) -> Counter:
        storm.ping(data.sent)
        return Counter(state.value + 1)

    @agent.on("crash")
    def crash(state: Counter, data: Crash) -> Counter:
        raise CrashError

    @agent.on("probe")
    def probe(state: Counter, data: Probe) -> Counter:
        return Counter(state.value + 1)

    return agent


async def crash_and_call(fragile: Ref, storm: Storm) -> None:
    sent = perf_counter()
    fragile.cast_nowait(trido.Signal("crash", Crash()))
    answer = await fragile.call(trido.Signal("probe", Probe()))
    storm.restarted(sent, answer, Counter(1))


async def ticks(number: int, siblings: list[Ref], each: Callable[[], Awaitable[None]]) -> None:
    began = trio.current_time()
    for tick in range(number):
        await trio.sleep_until(began + tick * TICK)
        for index in range(PINGS):
            sibling = siblings[(tick * PINGS + index) % SIBLINGS]
            sibling.cast_nowait(trido.Signal("ping", Ping(perf_counter())))
        await each()
    await trio.testing.wait_all_tasks_blocked(TICK)


async def crash_often(number: int) -> Figures:
    storm = Storm()
    async with stage() as sup:
        agent = fragile_by(storm)
        siblings = await start_all(sup, agent, SIBLINGS)
        fragile = await start(sup, agent, "fragile")
        await ticks(number, siblings, trio.lowlevel.checkpoint)
        storm.begin()
        began = perf_counter()
        await ticks(number, siblings, partial(crash_and_call, fragile, storm))
        figures = storm.figures(number, perf_counter() - began)
        verify("the runs", fragile.incarnation, number + 1)
        verify("the fresh state", fragile.state(), Counter(1))
        verify("the siblings' runs", {ref.incarnation for ref in siblings}, {1})
    return figures


def w6(number: int) -> Figures:
    with without_log():
        return trio.run(crash_often, number)


async def idle(number: int) -> Figures:
    async with stage() as sup:
        refs: list[Ref] = []
        memory = Memory()
        refs += await start_all(sup, counter, number)
        figures = memory.each(number)
        verify("running", sup.counts().active, number)
        verify("the last one", await refs[-1].call(add.signal(Add(1))), Counter(1))
    return figures


def w7(number: int) -> Figures:
    return trio.run(idle, number)


# W5f, W6f, W7f: functions --------------------------------------------------------------------


def w5f(number: int) -> Figures:
    return trio.run(trido_functions.start_and_stop, number)


def w6f(number: int) -> Figures:
    with without_log():
        return trio.run(trido_functions.crash_often, number)


def w7f(number: int) -> Figures:
    return trio.run(trido_functions.idle, number)


# W8: fairness --------------------------------------------------------------------------------

hot = trido.Agent("hot", state=Counter, mailbox=QUEUED)


@hot.on("counter.add")
def work_and_add(state: Counter, data: Add) -> Counter:
    work()
    return Counter(state.value + data.by)


async def keep_busy(ref: Ref, number: int) -> float:
    """Have it handle so many messages; how many seconds that took."""
    began = perf_counter()
    await cast_all(ref, (trido.Signal("counter.add", Add(1)) for _ in range(number)))
    return perf_counter() - began


async def call_every_tick(ref: Ref, latencies: list[float], over: trio.Event) -> None:
    while not over.is_set():
        due = trio.current_time() + TICK
        await trio.sleep_until(due)
        await ref.call(trido.Signal("counter.add", Add(1)))
        latencies.append(trio.current_time() - due)


async def hot_beside_cold(number: int) -> Figures:
    latencies: list[float] = []
    over = trio.Event()
    async with stage() as sup:
        busy, cold = await start(sup, hot, "hot"), await start(sup, counter, "cold")
        alone = await keep_busy(busy, number)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call_every_tick, cold, latencies, over)
            beside = await keep_busy(busy, number)
            over.set()
        verify("the hot one", busy.state(), Counter(2 * number))
    return hot_and_cold(alone, beside, latencies)


def w8(number: int) -> Figures:
    return trio.run(hot_beside_cold, number)


# W9: durable turns ---------------------------------------------------------------------------

kept = trido.Agent("kept", state=Counter, durability="sync")


@kept.on("counter.add")
def keep_and_add(state: Counter, data: Add) -> Counter:
    return Counter(state.value + data.by)


async def durable_turns(journal: trido.SqliteJournal, number: int) -> tuple[float, float]:
    """Seconds for so many turns, and how many shared a transaction."""
    async with trido.open_runtime(journal=journal, agents=(kept,)) as rt:
        refs = [await rt.start_agent(kept, id=f"agent-{index}") for index in range(CALLERS)]
        session = rt.env.session
        assert session is not None
        before, began = session.statistics(), perf_counter()
        async with trio.open_nursery() as nursery:
            for ref in refs:
                nursery.start_soon(call_often, ref, number // CALLERS)
        seconds, after = perf_counter() - began, session.statistics()
        verify("the counters", {ref.state() for ref in refs}, {Counter(number // CALLERS)})
    return seconds, (after.writes - before.writes) / (after.batches - before.batches)


def w9(number: int) -> Figures:
    return beside_bare("process", number)


def w9_thread(number: int) -> Figures:
    return beside_bare("thread", number)


def beside_bare(writer: Literal["process", "thread"], number: int) -> Figures:
    # Not where files are kept in memory: it is the disk that is waited for.
    with TemporaryDirectory(dir=Path.cwd()) as place:
        written, other = Path(place, "trido.db"), Path(place, "bare.db")
        journal = trido.SqliteJournal(written, writer=writer)
        seconds, batch = trio.run(durable_turns, journal, number)
        least = bare(other, written, max(1, round(batch)))
    return {"of_sqlite": least / seconds, "per_second": number / seconds, "batch": batch}


# W10, W11 ------------------------------------------------------------------------------------


def match_ns(routes: int) -> float:
    """How many nanoseconds it takes to find a signal's route among so many."""
    agent = trido.Agent("router", state=Counter)
    types = [f"counter.add-{index}" for index in range(routes)]
    for type in types:
        agent.on(type, data=Add)(lambda state, data: state)
    signals = [trido.Signal(types[index % routes], Add(1)) for index in range(SIGNALS)]
    match = agent.routes.exact
    began = perf_counter()
    for signal in signals:
        match(signal.type)
    seconds = perf_counter() - began
    found = [route.pattern for signal in signals if (route := match(signal.type))]
    verify("the routes", found, [signal.type for signal in signals])
    return seconds / SIGNALS * 1e9


def w10(number: int) -> Figures:
    many, few = match_ns(number), match_ns(FEW)
    return {"match_ns": many, "of_few": many / few}


def w11(number: int) -> Figures:
    return cold_import("import trido", number, whole="from trido import *")
