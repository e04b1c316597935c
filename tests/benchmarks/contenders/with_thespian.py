"""Thespian, on its default base: everything in the thread of whoever sends.

``tell`` returns when all that follows from it has been handled. So there is nothing to be called
by many at once, and no agent that another could keep waiting.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from itertools import repeat
from time import perf_counter
from typing import Any

from attrs import frozen
from thespian.actors import Actor, ActorExitRequest, ActorSystem

from tests.benchmarks.kit import (
    LAPS,
    ROUNDS,
    Countdown,
    Figures,
    Memory,
    cold_import,
    per_second,
    verify,
)
from tests.benchmarks.messages import Add, Counter, Token

PACKAGE = "thespian"
LIMITS = {"w7": 20_000}
"""Its list of addresses is searched from end to end."""


@frozen
class Ask:
    data: Any


@contextmanager
def stage() -> Generator[Any]:
    system = ActorSystem(transientUnique=True)
    try:
        yield system
    finally:
        system.shutdown()


class Counting(Actor):
    def __init__(self) -> None:
        super().__init__()
        self.state = Counter()

    def receiveMessage(self, message: object, sender: Any) -> None:
        if isinstance(message, Ask):
            self.state = Counter(self.state.value + message.data.by)
            self.send(sender, self.state)
        elif isinstance(message, Add):
            self.state = Counter(self.state.value + message.by)


def casts(number: int, messages: Iterable[Add]) -> Figures:
    with stage() as system:
        address = system.createActor(Counting)
        began = perf_counter()
        for message in messages:
            system.tell(address, message)
        state = system.ask(address, Ask(Add(0)))
        figures = per_second(number, began)
        verify("the counter", state, Counter(number))
    return figures


def w1_fresh(number: int) -> Figures:
    return casts(number, (Add(1) for _ in range(number)))


def w1_ready(number: int) -> Figures:
    return casts(number, repeat(Add(1), number))


def w2(number: int) -> Figures:
    with stage() as system:
        address = system.createActor(Counting)
        began = perf_counter()
        for _ in range(number):
            system.ask(address, Ask(Add(1)))
        figures = per_second(number, began)
        verify("the counter", system.ask(address, Ask(Add(0))), Counter(number))
    return figures


COUNTDOWN = Countdown()


class Noting(Counting):
    def receiveMessage(self, message: object, sender: Any) -> None:
        if isinstance(message, Add):
            COUNTDOWN.hit()
        super().receiveMessage(message, sender)


def w3(number: int) -> Figures:
    rounds: list[None] = []
    with stage() as system:
        addresses = [system.createActor(Noting) for _ in range(number)]
        began = perf_counter()
        for _ in range(ROUNDS):
            COUNTDOWN.expect(number, lambda: rounds.append(None))
            for address in addresses:
                system.tell(address, Add(1))
        figures = per_second(number * ROUNDS, began)
        verify("the rounds", len(rounds), ROUNDS)
        states = {system.ask(address, Ask(Add(0))) for address in addresses}
        verify("the counters", states, {Counter(ROUNDS)})
    return figures


class Node(Actor):
    def __init__(self) -> None:
        super().__init__()
        self.next: Any = None
        self.seen = 0

    def receiveMessage(self, message: object, sender: Any) -> None:
        if isinstance(message, Ask):
            self.next = message.data or self.next
            self.send(sender, Counter(self.seen))
        elif isinstance(message, Token):
            self.seen += 1
            if message.left:
                self.send(self.next, Token(message.left - 1))


def w4(number: int) -> Figures:
    with stage() as system:
        nodes = [system.createActor(Node) for _ in range(number)]
        for node, after in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
            system.ask(node, Ask(after))
        began = perf_counter()
        system.tell(nodes[0], Token(number * LAPS - 1))
        figures = per_second(number * LAPS, began)
        verify("the nodes", {system.ask(node, Ask(None)) for node in nodes}, {Counter(LAPS)})
    return figures


def w7(number: int) -> Figures:
    with stage() as system:
        addresses: list[Any] = []
        memory = Memory()
        addresses += [system.createActor(Counting) for _ in range(number)]
        figures = memory.each(number)
        verify("the last one", system.ask(addresses[-1], Ask(Add(1))), Counter(1))
    return figures


def w5(number: int) -> Figures:
    with stage() as system:
        began = perf_counter()
        addresses = [
            system.createActor(Counting, globalName=f"agent-{index}") for index in range(number)
        ]
        for address in addresses:
            system.tell(address, ActorExitRequest())
        figures = per_second(number, began)
        verify("started", len(set(map(str, addresses))), number)
    return figures


def w11(number: int) -> Figures:
    return cold_import("import thespian.actors", number)
