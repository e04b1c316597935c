"""A clock that tests set, and an agent that notes what its timers send."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import trio
from attrs import evolve, frozen

import trido

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
TICK: Final = trido.Signal("tick")


class Clock:
    """Goes along with Trio's; but it can be set."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start

    def __call__(self) -> datetime:
        return self.start + timedelta(seconds=trio.current_time())

    def set_by(self, **much: float) -> None:
        """Forward; or back, by less than nothing."""
        self.start += timedelta(**much)


@frozen
class Tick:
    """A turn that a timer brought about."""

    id: str | None
    planned: datetime | None
    now: datetime
    why: str


@frozen
class Ticks:
    seen: tuple[Tick | str, ...] = ()


def ticker(**settings: Any) -> trido.Agent[Ticks]:
    """An agent that notes each ``tick`` and each ``note``, and does what it is told to."""
    settings.setdefault("turn_limit", math.inf)
    made = trido.Agent("ticker", state=Ticks, **settings)

    @made.on("tick")
    def tick(state: Ticks, data: None, turn: trido.Turn) -> Ticks:
        seen = Tick(turn.signal.id, turn.planned, turn.now, turn.why)
        return evolve(state, seen=(*state.seen, seen))

    @made.on("note")
    def note(state: Ticks, data: str) -> Ticks:
        return evolve(state, seen=(*state.seen, data))

    @made.on("do")
    def do(state: Ticks, data: tuple[trido.Directive, ...]) -> trido.Decision[Ticks]:
        return state, data

    @made.on("hold")
    async def hold(
        state: Ticks, data: tuple[float, tuple[trido.Directive, ...]]
    ) -> trido.Decision[Ticks]:
        """Nothing else is served meanwhile."""
        await trio.sleep(data[0])
        return state, data[1]

    @made.on("boom")
    def boom(state: Ticks, data: None) -> Ticks:
        raise RuntimeError("ordered")

    return made


def do(*directives: trido.Directive) -> trido.Signal:
    return trido.Signal("do", directives)


def hold(seconds: float, *directives: trido.Directive) -> trido.Signal:
    return trido.Signal("hold", (seconds, directives))


def note(text: str) -> trido.Signal:
    return trido.Signal("note", text)


def boom() -> trido.Signal:
    return trido.Signal("boom")


def schedule(after: float, key: str | None = "k", type: str = "tick") -> trido.Schedule:
    return trido.Schedule(after, trido.Signal(type), key=key)


def cron(expr: str = "0 * * * *", key: str = "k", **more: Any) -> trido.Cron:
    return trido.Cron(expr, TICK, key, **more)


def planned(ref: trido.AgentRef[Ticks]) -> list[str]:
    """For when its timers' turns were planned, and its notes, in order."""
    return [
        one if isinstance(one, str) else f"{one.planned:%m-%d %H:%M}" for one in ref.state().seen
    ]


def fired(ref: trido.AgentRef[Ticks]) -> list[float]:
    """When its timers' turns were, in seconds."""
    ticks = [one for one in ref.state().seen if isinstance(one, Tick)]
    return [(one.now - START).total_seconds() for one in ticks]
