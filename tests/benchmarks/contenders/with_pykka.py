"""Pykka: a thread for each actor, and an unbounded queue. It supervises nothing."""

# pyright: reportMissingImports=false

from __future__ import annotations

import threading
from collections.abc import Iterable
from itertools import repeat
from time import perf_counter, sleep
from typing import Any

import pykka

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

PACKAGE = "pykka"
LIMITS = {"w5": 2_000, "w7": 2_000}
"""So many threads at once are enough to see what one takes."""


class Counting(pykka.ThreadingActor):
    def __init__(self) -> None:
        super().__init__()
        self.state = Counter()

    def on_receive(self, message: Add) -> Counter:
        self.state = Counter(self.state.value + message.by)
        return self.state


def tell_all(ref: Any, messages: Iterable[Add]) -> object:
    for message in messages:
        ref.tell(message)
    return ref.ask(Add(0))


def casts(number: int, messages: Iterable[Add]) -> Figures:
    ref = Counting.start()
    began = perf_counter()
    state = tell_all(ref, messages)
    figures = per_second(number, began)
    ref.stop()
    verify("the counter", state, Counter(number))
    return figures


def w1_fresh(number: int) -> Figures:
    return casts(number, (Add(1) for _ in range(number)))


def w1_ready(number: int) -> Figures:
    return casts(number, repeat(Add(1), number))


def ask_often(ref: Any, times: int) -> None:
    for _ in range(times):
        ref.ask(Add(1))


def w2(number: int) -> Figures:
    ref = Counting.start()
    began = perf_counter()
    ask_often(ref, number)
    figures = per_second(number, began)
    verify("the counter", ref.ask(Add(0)), Counter(number))
    ref.stop()
    return figures


def w2b(number: int) -> Figures:
    ref = Counting.start()
    callers = [
        threading.Thread(target=ask_often, args=(ref, number // CALLERS)) for _ in range(CALLERS)
    ]
    began = perf_counter()
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    figures = per_second(number, began)
    verify("the counter", ref.ask(Add(0)), Counter(number))
    ref.stop()
    return figures


class Noting(Counting):
    def __init__(self, countdown: Countdown, lock: threading.Lock) -> None:
        super().__init__()
        self.countdown = countdown
        self.lock = lock

    def on_receive(self, message: Add) -> Counter:
        if message.by:
            with self.lock:
                self.countdown.hit()
        return super().on_receive(message)


def w3(number: int) -> Figures:
    countdown, lock = Countdown(), threading.Lock()
    refs = [Noting.start(countdown, lock) for _ in range(number)]
    began = perf_counter()
    for _ in range(ROUNDS):
        handled = threading.Event()
        countdown.expect(number, handled.set)
        for ref in refs:
            ref.tell(Add(1))
        handled.wait()
    figures = per_second(number * ROUNDS, began)
    verify("the counters", {ref.ask(Add(0)) for ref in refs}, {Counter(ROUNDS)})
    pykka.ActorRegistry.stop_all()
    return figures


class Node(pykka.ThreadingActor):
    def __init__(self, arrived: threading.Event) -> None:
        super().__init__()
        self.arrived = arrived
        self.next: Any = None
        self.seen = 0

    def on_receive(self, message: object) -> int:
        if not isinstance(message, Token):
            self.next = message or self.next
            return self.seen
        self.seen += 1
        if message.left:
            self.next.tell(Token(message.left - 1))
        else:
            self.arrived.set()
        return self.seen


def w4(number: int) -> Figures:
    arrived = threading.Event()
    refs = [Node.start(arrived) for _ in range(number)]
    for ref, after in zip(refs, [*refs[1:], refs[0]], strict=True):
        ref.ask(after)
    began = perf_counter()
    refs[0].tell(Token(number * LAPS - 1))
    arrived.wait()
    figures = per_second(number * LAPS, began)
    verify("the nodes", {ref.ask(None) for ref in refs}, {LAPS})
    pykka.ActorRegistry.stop_all()
    return figures


def w5(number: int) -> Figures:
    began = perf_counter()
    refs = [Counting.start() for _ in range(number)]
    started = len(pykka.ActorRegistry.get_all())
    for ref in refs:
        ref.stop()
    figures = per_second(number, began)
    verify("started", started, number)
    verify("left", len(pykka.ActorRegistry.get_all()), 0)
    return figures


def w7(number: int) -> Figures:
    refs: list[Any] = []
    memory = Memory()
    refs += [Counting.start() for _ in range(number)]
    figures = memory.each(number)
    verify("running", len(pykka.ActorRegistry.get_all()), number)
    verify("the last one", refs[-1].ask(Add(1)), Counter(1))
    pykka.ActorRegistry.stop_all()
    return figures


class Hot(Counting):
    def on_receive(self, message: Add) -> Counter:
        work()
        return super().on_receive(message)


def keep_busy(ref: Any, number: int) -> tuple[float, object]:
    began = perf_counter()
    state = tell_all(ref, (Add(1) for _ in range(number)))
    return perf_counter() - began, state


def call_every_tick(ref: Any, latencies: list[float], over: threading.Event) -> None:
    while not over.is_set():
        due = perf_counter() + TICK
        sleep(TICK)
        ref.ask(Add(1))
        latencies.append(perf_counter() - due)


def w8(number: int) -> Figures:
    latencies: list[float] = []
    over = threading.Event()
    hot, cold = Hot.start(), Counting.start()
    alone, _ = keep_busy(hot, number)
    caller = threading.Thread(target=call_every_tick, args=(cold, latencies, over))
    caller.start()
    beside, state = keep_busy(hot, number)
    over.set()
    caller.join()
    pykka.ActorRegistry.stop_all()
    verify("the hot one", state, Counter(2 * number))
    return hot_and_cold(alone, beside, latencies)


def w11(number: int) -> Figures:
    return cold_import("import pykka", number)
