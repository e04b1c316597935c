"""Small agents, to be hit by faults."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import contextmanager
from typing import Any

import trio
from attrs import evolve, frozen

import trido


@frozen
class Count:
    value: int = 0


@frozen
class Add:
    by: int = 1


@frozen
class Note(trido.Directive):
    """To be written down by an executor."""

    text: str


counter = trido.Agent("counter", state=Count)


@counter.on("add")
def add(state: Count, data: Add) -> trido.Decision[Count]:
    return evolve(state, value=state.value + data.by), [trido.Emit(trido.Signal("added", data))]


@counter.on("rest")
async def rest(state: Count, data: Add) -> trido.Decision[Count]:
    await trio.sleep(1)
    return evolve(state, value=state.value + data.by)


@counter.on("note")
def note(state: Count, data: Add) -> trido.Decision[Count]:
    return state, [
        Note("one"),
        trido.Schedule(1, trido.Signal("add", Add(10)), key="ten"),
        trido.Run(work, data, ok="add"),
    ]


@trido.action
async def work(data: Add) -> Add:
    await trio.sleep(1)
    return data


def signal(type: str, by: int = 1) -> trido.Signal:
    return trido.Signal(type, Add(by))


async def told(ref: Any, types: Iterable[str]) -> list[Any]:
    """The counts that an agent answers with, or what its crashes were by."""
    answers: list[Any] = []
    for type in types:
        try:
            answers.append((await ref.call(signal(type))).value)
        except trido.AgentCrashed as error:
            answers.append(str(error.__cause__))
        except trido.AgentStopped:
            answers.append("stopped")
    return answers


@contextmanager
def quiet() -> Any:
    """What is injected is not news."""
    log = logging.getLogger("trido")
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(logging.NOTSET)
