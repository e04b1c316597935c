"""An app is stopped in the middle of its work."""

from __future__ import annotations

from typing import Any, Final

import trio
from attrs import evolve, frozen

from trido.agents import Signal
from trido.cli.drills.judge import Figures, at_most
from trido.cli.drills.kit import Drill
from trido.cli.kinds import App, Tree
from trido.cli.stage import all_gone, staged
from trido.runtime import Agent, AgentSpec
from trido.supervision import ChildSpec, SupervisorSpec, cleanup, current_child, events

WORK: Final = 1.0
"""For so many seconds it works before it is stopped."""
PATIENCE: Final = 60.0
"""After so many seconds what still runs is killed."""


@frozen
class Served:
    """What the desk has served."""

    number: int = 0


desk: Final = Agent("desk", state=Served)


@desk.on("serve")
async def serve(state: Served, data: None) -> Served:
    """It takes a moment."""
    await trio.sleep(0.05)
    return evolve(state, number=state.number + 1)


async def customers() -> None:
    """Never leave the desk alone; say goodbye in the end."""
    child = current_child()
    ref = child.supervisor["desk"].value
    try:
        while True:
            await ref.call(Signal("serve"))
    finally:
        with cleanup():
            await trio.sleep(0.2)  # noqa: ASYNC102  # the linter does not know cleanup()


def shop(**options: Any) -> SupervisorSpec:
    """A desk, and customers stopped by these options."""
    agent: AgentSpec[Served] = desk.spec(id="desk")
    return SupervisorSpec(agent, ChildSpec(customers, **options), id="shop")


def example() -> App:
    """Customers who have the time they need to say goodbye."""
    return Tree(shop(shutdown=2.0))


async def run(app: App) -> Figures:
    """Let it work for a while, and stop it."""
    async with staged(app) as stage:
        await trio.sleep(WORK)
        order = [one.id for one in stage.supervisor.children()]
        began = trio.current_time()
        stage.supervisor.stop()
        if not await all_gone(stage, PATIENCE):
            stage.supervisor.kill_children()
        seconds = trio.current_time() - began
    mine = [one.id for one in stage.of(events.ChildStopped) if len(one.path) == 1]
    is_dynamic = stage.runtime is not None  # its children stop at the same time
    return {
        "seconds until it had stopped": seconds,
        "children that were killed": sum(
            one.outcome == "killed" for one in stage.of(events.ChildStopped)
        ),
        "children that failed while they stopped": sum(
            one.outcome == "crashed" for one in stage.of(events.ChildStopped)
        ),
        "children that could not be killed": len(stage.of(events.ChildUnkillable)),
        "children out of order": 0 if is_dynamic else _out_of_order(order, mine),
    }


def _out_of_order(started: list[str], stopped: list[str]) -> int:
    expected = [id for id in reversed(started) if id in stopped]
    return sum(one != other for one, other in zip(expected, stopped, strict=False))


DRILL = Drill(
    name="shutdown-under-load",
    does=f"the app is stopped when it has worked for {WORK:g} s",
    protection="a grace for each child that is long enough, and finite",
    limits=(
        at_most("seconds until it had stopped", 30.0),
        at_most("children that were killed", 0),
        at_most("children that failed while they stopped", 0),
        at_most("children that could not be killed", 0),
        at_most("children out of order", 0),
    ),
    run=run,
    example=example,
    takes_apps=True,
)
