"""Letters that are not what the routes take."""

from __future__ import annotations

from typing import Final

import trio

from trido.agents import InvalidData, Signal
from trido.agents.patterns import is_exact
from trido.cli import application
from trido.cli.drills.judge import Figures, at_least, at_most
from trido.cli.drills.kit import Drill
from trido.cli.kinds import App, Tree
from trido.cli.stage import NotForThisApp, staged
from trido.runtime import AgentCrashed, AgentRef
from trido.supervision import events

EACH: Final = 100
"""So many letters for each route."""
MALFORMED: Final = {"no such field, says trido drill": None}


def example() -> App:
    """The support desk of the demo."""
    return Tree(application.load().desk())


async def run(app: App) -> Figures:
    """Send to each route of each agent what it cannot take."""
    sent = refused = accepted = 0
    slowest = 0.0
    async with staged(app) as stage:
        agents = stage.agents()
        if not agents:
            raise NotForThisApp("the app has no agents: nobody to send anything to")
        for ref in agents:
            for type in routes(ref):
                for _ in range(EACH):
                    began = trio.current_time()
                    sent += 1
                    outcome = await _send(ref, type)
                    refused += outcome == "refused"
                    accepted += outcome == "accepted"
                    slowest = max(slowest, trio.current_time() - began)
        running = sum(one.status().state == "running" for one in agents)
        crashes = sum(one.outcome == "crashed" for one in stage.of(events.ChildEnded))
    return {
        "malformed letters": sent,
        "of them refused": refused,
        "of them accepted": accepted,
        "crashes": crashes,
        "agents that do not run": len(agents) - running,
        "seconds until refused, at worst": slowest,
    }


async def _send(ref: AgentRef[object], type: str) -> str:
    try:
        await ref.call(Signal(type, MALFORMED))
    except InvalidData:
        return "refused"
    except AgentCrashed:
        return "crashed"
    return "accepted"


def routes(ref: AgentRef[object]) -> list[str]:
    """The types that an agent has routes for, and no patterns."""
    patterns = {route.pattern for route in ref.place.agent.routes}
    return sorted(pattern for pattern in patterns if is_exact(pattern))


DRILL = Drill(
    name="malformed-flood",
    does=f"each route of each agent is sent {EACH} letters that it cannot take",
    protection="data is checked before a handler sees it",
    limits=(
        at_least("malformed letters", 1),
        at_most("of them accepted", 0),
        at_most("crashes", 0),
        at_most("agents that do not run", 0),
        at_most("seconds until refused, at worst", 1.0),
    ),
    run=run,
    example=example,
    takes_apps=True,
)
