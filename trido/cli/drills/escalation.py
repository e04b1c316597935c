"""A child that its own supervisor cannot heal."""

from __future__ import annotations

import trio

from trido.cli.drills.judge import Figures, at_least, at_most
from trido.cli.drills.kit import Drill
from trido.cli.kinds import App, Tree
from trido.cli.stage import NotForThisApp, Stage, crash, is_back, staged
from trido.supervision import ChildSpec, SupervisorSpec
from trido.supervision.child import Child

MOST = 30
"""So often it crashes if nobody puts an end to it."""


def example() -> App:
    """Feeds under a supervisor of their own, beside a web server."""
    feeds = SupervisorSpec(
        ChildSpec(trio.sleep_forever, id="eu"),
        ChildSpec(trio.sleep_forever, id="asia"),
        id="feeds",
        max_restarts=1,
    )
    return Tree(SupervisorSpec(ChildSpec(trio.sleep_forever, id="web"), feeds, id="shop"))


async def run(app: App) -> Figures:
    """Crash one child until the supervisor above it is started anew."""
    crashes = healed = others = 0
    async with staged(app) as stage:
        child = _nested(stage)
        above = child.supervisor.as_child()
        if above is None:  # pragma: no cover - `_nested` says that there is one
            raise NotForThisApp("the supervisor stands alone")
        before, id = above.incarnation, child.id
        beside = _beside(above)
        while crashes < MOST and above.incarnation == before:
            run, crashes = child.incarnation, crashes + 1
            crash(child)
            if not await is_back(child, run):
                break
        healed = int(await is_back(above, before) and id in above.value)
        others = sum(_beside(above)[one] != run for one, run in beside.items())
    return {
        "crashes until it escalated": crashes,
        "supervisors that were started anew": healed,
        "others beside it that were restarted": others,
        "roots that gave up": int(stage.gave_up),
    }


def _nested(stage: Stage) -> Child[object]:
    """The first child of a supervisor in another."""
    for child in stage.restarted():
        if child.supervisor is not stage.supervisor:
            return child
    raise NotForThisApp("the app has no supervisor in another: nothing can escalate to it")


def _beside(above: Child[object]) -> dict[str, int]:
    """Who has to stay as it is: a wider strategy restarts others, too."""
    if above.supervisor.spec.strategy != "one_for_one":
        return {}
    children = above.supervisor.children()
    return {one.id: one.incarnation for one in children if one.id != above.id}


DRILL = Drill(
    name="escalation",
    does="a child crashes until its own supervisor is out of its depth",
    protection="the supervisor gives up, and the one above starts it anew, alone",
    limits=(
        at_most("crashes until it escalated", 20),
        at_least("supervisors that were started anew", 1),
        at_most("others beside it that were restarted", 0),
        at_most("roots that gave up", 0),
    ),
    run=run,
    example=example,
    takes_apps=True,
)
