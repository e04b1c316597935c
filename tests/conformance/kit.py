"""What the conformance tests are made of: schedules, an event log, and children to supervise."""

from __future__ import annotations

import functools
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, ParamSpec, Protocol, TypeVar

import pytest
import trio
from attrs import define, field
from trio.testing import wait_all_tasks_blocked

import trido
from trido import events, testing

P = ParamSpec("P")
T = TypeVar("T")

settle = wait_all_tasks_blocked

SEEDS: Final = range(6)
STEPS: Final = 50_000


# Schedules --------------------------------------------------------------------------------------


def play(scenario: Callable[[], Awaitable[T]], *, seed: int, steps: int = STEPS) -> T:
    """Run ``scenario`` once in virtual time, in the order that ``seed`` gives to each tick."""
    return testing.run(scenario, seed=seed, steps=steps, guarded=False)


def run(
    scenario: Callable[[], Awaitable[T]], *, seed: int | None = None, steps: int = STEPS
) -> list[T]:
    """Play ``scenario`` under several schedules, or only under that of ``seed``."""
    seeds = SEEDS if seed is None else [seed]
    return [play(scenario, seed=seed, steps=steps) for seed in seeds]


def played(scenario: Callable[P, Awaitable[object]]) -> Callable[P, None]:
    """Make a plain test of an async one: it is played under several schedules."""

    @functools.wraps(scenario)
    def test(*args: P.args, **kwargs: P.kwargs) -> None:
        run(functools.partial(scenario, *args, **kwargs))

    return test


def both_orders(
    scenario: Callable[[], Awaitable[T]], expected: Collection[T], *, schedules: int = 200
) -> None:
    """Play ``scenario`` until it has returned each of ``expected``, and nothing else."""
    missing = list(expected)
    for seed in range(schedules):
        came = play(scenario, seed=seed)
        assert came in expected, f"seed {seed}: {came}"
        if came in missing:
            missing.remove(came)
        if not missing and seed >= max(SEEDS):
            return
    raise AssertionError(f"never seen in {schedules} schedules: {missing}")


async def at(time: float, do: Callable[[], object]) -> None:
    """To be started in a nursery."""
    await trio.sleep_until(time)
    do()


# Events -----------------------------------------------------------------------------------------


def _name(reason: BaseException | None) -> str:
    if isinstance(reason, trido.StartFailed):
        return f"StartFailed({reason.id})"
    return type(reason).__name__


def _how(outcome: str, reason: BaseException | None) -> str:
    if outcome == "crashed":
        return _name(reason)
    if outcome == "limit":
        assert isinstance(reason, trido.RestartLimitExceeded)
        return outcome
    if outcome == "ignored" or reason is None:
        return outcome
    return f"{outcome} {_name(reason)}"


def notation(event: events.Event) -> str:
    """``event`` as the cases write it.

    ``S x``, ``S x restart``, ``S x api``; ``K x``, and how it ended if it was not just stopped;
    ``E x how`` for an end by itself; ``R context(x, how)``; ``SUP how`` (of the root) or
    ``SUP inner how``; ``RETRY x attempt delay``; ``PARKED x``; ``ZOMBIE x``; ``OBSERVER error``.
    How is the name of the exception for a crash, else ``normal``, ``normal Shutdown``, ``killed``.
    """
    match event:
        case events.SupervisorEnded(outcome=outcome):
            return f"SUP {outcome}" if len(event.path) == 1 else f"SUP {event.id} {outcome}"
        case events.SupervisorReport(context=context, outcome=outcome, reason=reason):
            return f"R {context}({event.id}, {_how(outcome, reason)})"
        case events.ObserverFailed(error=error):
            return f"OBSERVER {type(error).__name__}"
        case _:
            return " ".join(_words_of_child(event))


def _words_of_child(event: events.Event) -> tuple[str, ...]:
    match event:
        case events.ChildStarted(cause=cause):
            return ("S", event.id) if cause == "start" else ("S", event.id, cause)
        case events.ChildStopped(outcome="stopped", reason=None):
            return "K", event.id
        case events.ChildStopped(outcome=outcome, reason=reason):
            return "K", event.id, _how(outcome, reason)
        case events.ChildEnded(outcome=outcome, reason=reason):
            return "E", event.id, _how(outcome, reason)
        case events.RetryScheduled(attempt=attempt, delay=delay):
            return "RETRY", event.id, str(attempt), f"{delay:g}"
        case _:
            return _RARE[type(event)], event.id


_RARE = {events.ChildParked: "PARKED", events.ChildUnkillable: "ZOMBIE"}


@define(eq=False)
class Log:
    """An observer that keeps what it is told."""

    told: list[events.Event] = field(factory=list)

    def __call__(self, event: events.Event) -> None:
        assert event.time == trio.current_time()
        self.told.append(event)

    def notation(self, *, timed: bool = False) -> list[str]:
        """All events so far; with ``timed``, as ``"S x @0.5"``."""
        lines = (notation(event) for event in self.told)
        if not timed:
            return list(lines)
        return [f"{line} @{event.time:g}" for line, event in zip(lines, self.told, strict=True)]

    def take(self, *, timed: bool = False) -> list[str]:
        """The events since the last time."""
        lines = self.notation(timed=timed)
        self.told.clear()
        return lines

    def only(self, text: str) -> Any:
        """The one event that reads ``text``."""
        (event,) = (event for event in self.told if notation(event) == text)
        return event


def story(text: str) -> list[str]:
    """Events written in lines, or with commas between them."""
    parts = re.split(r", (?=[A-Z]+ )|\n", text)
    return [part.strip() for part in parts if part.strip()]


class _Supervisor(Protocol):
    def children(self) -> tuple[trido.ChildInfo, ...]: ...
    def counts(self) -> trido.Counts: ...


def states(sup: _Supervisor) -> str:
    """The children in start order: ``"a running 2, b stopped 1"`` (which run it is, or was)."""
    return ", ".join(f"{child.id} {child.state} {child.incarnation}" for child in sup.children())


def counts(sup: _Supervisor) -> tuple[int, int, int, int]:
    """Specs, active, supervisors, workers."""
    now = sup.counts()
    return now.specs, now.active, now.supervisors, now.workers


@asynccontextmanager
async def opened(
    *children: Any, **fields: Any
) -> AsyncGenerator[tuple[trido.Supervisor, Log], None]:
    log = Log()
    async with trido.open_supervisor(*children, observers=[log], **fields) as sup:
        yield sup, log


@asynccontextmanager
async def giving_up(
    *children: Any, **fields: Any
) -> AsyncGenerator[tuple[trido.Supervisor, Log], None]:
    """A supervisor that has to give up in the end: its block waits for that."""
    log = Log()
    with pytest.raises(trido.RestartLimitExceeded) as gave_up:
        async with trido.open_supervisor(*children, observers=[log], **fields) as sup:
            yield sup, log
            await trio.sleep_forever()
    assert log.only("SUP limit").reason is gave_up.value


# Children ---------------------------------------------------------------------------------------


@define(eq=False)
class Worker:
    """A child that does what it was made to do, and ends when the test says so.

    ``stops``: on being cancelled it "obeys", "returns" as if nothing were, "hangs" behind a
    shield, or raises that exception.
    """

    id: str
    starts: Sequence[BaseException | None] = (None,)
    """What each attempt to start raises; None is success. The last goes on for ever."""
    ready_after: float = 0.0
    value: object = None
    cleanup: float = 0.0
    stops: Literal["obeys", "returns", "hangs"] | BaseException = "obeys"
    attempts: int = 0
    """How often it was started."""
    _cue: trio.Event = field(factory=trio.Event)
    _error: BaseException | None = None

    def spec(self, **fields: Any) -> trido.ChildSpec[Any]:
        """It announces when it is ready."""
        return trido.ChildSpec(self.run, id=self.id, **fields)

    def plain(self, **fields: Any) -> trido.ChildSpec[Any]:
        """It does not: it is ready once its task exists."""
        return trido.ChildSpec(self.run_plain, id=self.id, **fields)

    def crash(self, error: BaseException | None = None) -> None:
        """Have the run raise, in the next tick."""
        self._error = ValueError(self.id) if error is None else error
        self._cue.set()

    def finish(self) -> None:
        """Have the run return, in the next tick."""
        self._error = None
        self._cue.set()

    async def run(self, *, task_status: trio.TaskStatus[object]) -> None:
        error = self.starts[min(self.attempts, len(self.starts) - 1)]
        self.attempts += 1
        self._cue = cue = trio.Event()
        if self.ready_after:
            await trio.sleep(self.ready_after)
        if error is not None:
            raise error
        task_status.started(self.value)
        await self._live(cue)

    async def run_plain(self) -> None:
        await self.run(task_status=trio.TASK_STATUS_IGNORED)

    async def _live(self, cue: trio.Event) -> None:
        try:
            with trio.CancelScope(shield=self.stops == "hangs"):
                await cue.wait()
        except trio.Cancelled:
            if self.stops == "returns":
                return
            if isinstance(self.stops, BaseException):
                raise self.stops from None
            await self._clean_up()
            raise
        if self._error is not None:
            raise self._error

    async def _clean_up(self) -> None:
        if self.cleanup:
            with trido.cleanup():
                await trio.sleep(self.cleanup)
