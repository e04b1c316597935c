"""Each child crashes once."""

from __future__ import annotations

import trio

from trido.cli.drills.judge import Figures, at_least, at_most
from trido.cli.drills.kit import Drill
from trido.cli.kinds import App, Tree
from trido.cli.stage import crash, is_back, room_for_a_crash, runs_at, staged
from trido.supervision import Backoff, ChildSpec, SupervisorSpec, events


def example() -> App:
    """A feed and a clock: neither needs the other."""
    breath = Backoff(min=0.1)
    return Tree(
        SupervisorSpec(
            ChildSpec(trio.sleep_forever, id="feed", backoff=breath),
            ChildSpec(trio.sleep_forever, id="clock", backoff=breath),
            id="shop",
        )
    )


async def run(app: App) -> Figures:
    """Crash one after the other, and see that each comes back, alone."""
    wanted = crashed = back = others = 0
    slowest = 0.0
    async with staged(app) as stage:
        places = [(one.supervisor.path, one.id) for one in stage.restarted()]
        wanted = len(places)
        for above, id in places:
            # A crash before it may have had all above it started anew: it is another object then.
            child = await runs_at(stage, above, id)
            if child is None:
                continue
            parent, run = child.supervisor, child.incarnation
            await room_for_a_crash(parent)
            before = {one.id: one.incarnation for one in parent.children()}
            began = trio.current_time()
            crash(child)
            crashed += 1
            back += await is_back(child, run)
            slowest = max(slowest, trio.current_time() - began)
            if parent.spec.strategy == "one_for_one":
                after = {one.id: one.incarnation for one in parent.children()}
                others += sum(after[id] != n for id, n in before.items() if id != child.id)
    return {
        "children that crashed": crashed,
        "children that could not be crashed": wanted - crashed,
        "of them not back": crashed - back,
        "others that were restarted": others,
        "seconds until back, at worst": slowest,
        "supervisors that gave up": sum(
            one.outcome == "limit" for one in stage.of(events.SupervisorEnded)
        ),
    }


DRILL = Drill(
    name="crash",
    does="every child crashes once, one after the other",
    protection="each is restarted by its supervisor, and alone under one_for_one",
    limits=(
        at_least("children that crashed", 1),
        at_most("children that could not be crashed", 0),
        at_most("of them not back", 0),
        at_most("others that were restarted", 0),
        at_most("seconds until back, at worst", 30.0),
        at_most("supervisors that gave up", 0),
    ),
    run=run,
    example=example,
    takes_apps=True,
)
