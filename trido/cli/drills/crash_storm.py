"""One child crashes again and again."""

from __future__ import annotations

from typing import Final

import trio

from trido.cli.drills.judge import Figures, at_least, at_most
from trido.cli.drills.kit import Drill
from trido.cli.kinds import App, Tree
from trido.cli.stage import crash, is_back, staged
from trido.supervision import Backoff, ChildSpec, SupervisorSpec

STORM: Final = 100
"""So often it crashes if nobody puts an end to it."""


def example() -> App:
    """A printer that is parked, and a phone that rings on."""
    return Tree(
        SupervisorSpec(
            ChildSpec(trio.sleep_forever, id="printer", on_limit="park", backoff=Backoff(min=0.1)),
            ChildSpec(trio.sleep_forever, id="phone"),
            id="office",
            max_restarts=3,
            max_seconds=60.0,
        )
    )


async def run(app: App) -> Figures:
    """Crash the first child whenever it runs, until it is given up."""
    crashes = others = 0
    parked = False
    async with staged(app) as stage:
        for child in stage.restarted()[:1]:
            run, crashes = 0, 0
            while crashes < STORM and await is_back(child, run):
                run, crashes = child.incarnation, crashes + 1
                crash(child)
            parked = child.state == "parked"
            others = sum(one.incarnation != 1 for one in stage.workers()) if parked else 0
    return {
        "crashes": crashes,
        "ends of the storm": int(parked or stage.gave_up or 0 < crashes < STORM),
        "others that were restarted, if it was parked": others,
    }


DRILL = Drill(
    name="crash-storm",
    does="the first child crashes whenever it runs",
    protection="a restart limit, which parks the child or gives up",
    limits=(
        at_least("crashes", 1),
        at_most("crashes", 50),
        at_least("ends of the storm", 1),
        at_most("others that were restarted, if it was parked", 0),
    ),
    run=run,
    example=example,
    takes_apps=True,
)
