"""An agent computes, and lets nobody else run."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import trio
from attrs import evolve, frozen

from trido.agents import Signal
from trido.cli.drills.judge import Figures, at_least, at_most
from trido.cli.drills.kit import Drill
from trido.cli.kinds import App, Context
from trido.cli.stage import NotForThisApp, Stage, staged
from trido.runtime import Agent, Runtime, open_runtime
from trido.runtime.watchdog import Blocked, WatchdogSpec

LEAST: Final = 0.4
"""For so many seconds, at least, it computes."""
_BEGIN: Final = 0.1
"""For so many seconds it waits, so that the watchdog's thread has begun to look."""
ID: Final = "trido-drill"


@frozen
class Nothing:
    """It remembers nothing."""


hot: Final = Agent("trido-drill", state=Nothing)


@hot.on("compute")
def compute(state: Nothing, seconds: float) -> Nothing:
    """Compute for so long."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    return state


@asynccontextmanager
async def _guarded() -> AsyncGenerator[Runtime]:
    async with open_runtime(watchdog=WatchdogSpec(0.05, tell=lambda blocked: None)) as runtime:
        yield runtime


def example() -> App:
    """A runtime with a watchdog."""
    return Context(_guarded())


async def run(app: App) -> Figures:
    """Have an agent of the runtime compute, and see whether somebody is told."""
    async with staged(app) as stage:
        runtime = _runtime(stage)
        told = _listen(runtime)
        watchdog = runtime.env.watchdog
        limit = 0.0 if watchdog is None else watchdog._spec.limit
        seconds = max(LEAST, 4 * limit)
        ref = await runtime.start_agent(hot, id=ID)
        await trio.sleep(_BEGIN)
        await ref.call(Signal("compute", seconds))
        await ref.stop()
    about = [one for one in told if one.agent == ID]
    return {
        "seconds it let nobody run": seconds,
        "times it was told of": len(about),
        "seconds until it was told of": about[0].seconds if about else seconds,
        "limit of the watchdog in seconds": limit,
    }


def _runtime(stage: Stage) -> Runtime:
    if stage.runtime is None:
        raise NotForThisApp("the app is no runtime: name what opens one by async with")
    return stage.runtime


def _listen(runtime: Runtime) -> list[Blocked]:
    told: list[Blocked] = []
    watchdog = runtime.env.watchdog
    if watchdog is not None:
        tell = watchdog._spec.tell

        def both(blocked: Blocked) -> None:
            told.append(blocked)
            tell(blocked)

        watchdog._spec = evolve(watchdog._spec, tell=both)
    return told


DRILL = Drill(
    name="hot-loop",
    does="an agent computes, and lets nobody else run",
    protection="a watchdog, which names the agent while it does",
    limits=(
        at_least("times it was told of", 1),
        at_most("limit of the watchdog in seconds", 5.0),
    ),
    run=run,
    example=example,
    takes_apps=True,
    real_time=True,
)
