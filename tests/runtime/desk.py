"""Small agents for the tests of the runtime."""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen
from trio.testing import wait_all_tasks_blocked

import trido

settle = wait_all_tasks_blocked


@frozen
class Log:
    """What an agent has seen, in order."""

    seen: tuple[str, ...] = ()


class Boom(Exception):
    """A crash that was ordered."""


def agent(name: str = "log", **settings: Any) -> trido.Agent[Log]:
    """An agent that notes the data of ``note``, and does what the other signals order."""
    made = trido.Agent(name, state=Log, **settings)

    @made.on("note")
    def note(state: Log, data: str) -> Log:
        return evolve(state, seen=(*state.seen, data))

    @made.on("boom")
    def boom(state: Log, data: Any) -> Log:
        raise data if isinstance(data, BaseException) else Boom(data)

    @made.on("no")
    def no(state: Log, data: Any) -> Log:
        raise trido.Reject(data)

    @made.on("do")
    def do(state: Log, data: tuple[Any, ...]) -> trido.Decision[Log]:
        return evolve(state, seen=(*state.seen, "do")), data

    return made


def note(text: str) -> trido.Signal:
    return trido.Signal("note", text)


def do(*directives: Any) -> trido.Signal:
    return trido.Signal("do", directives)


def boom(error: BaseException | None = None) -> trido.Signal:
    return trido.Signal("boom", error)


def reasons(ref: trido.AgentRef[Any]) -> list[tuple[Any, type]]:
    """The dead letters: what each said, and why it is one."""
    return [
        (getattr(letter.signal, "data", None), type(letter.reason)) for letter in ref.dead_letters
    ]
