"""Many children lose the same upstream at the same moment."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

import trio
from attrs import define, field

from trido.cli.drills.judge import Figures, at_least, at_most
from trido.cli.drills.kit import Drill
from trido.supervision import Backoff, ChildSpec, SupervisorSpec, open_supervisor

HERD: Final = 100
OUTAGE: Final = 10.0
_BUCKET: Final = 0.1


@define(eq=False)
class Upstream:
    """Whom all of them need."""

    backoff: Backoff | None
    """Of its clients."""
    attempts: list[float] = field(factory=list, init=False)
    is_up: bool = field(default=True, init=False)
    lost: trio.Event = field(factory=trio.Event, init=False)
    connected: int = field(default=0, init=False)

    async def client(self) -> None:
        """Connect, and work until the connection is lost."""
        self.attempts.append(trio.current_time())
        if not self.is_up:
            await trio.sleep(0.01)
            raise ConnectionError("nobody there")
        self.connected += 1
        try:
            await self.lost.wait()
        finally:
            self.connected -= 1
        raise ConnectionError("connection lost")

    def clients(self) -> SupervisorSpec:
        """The herd."""
        each = [ChildSpec(self.client, id=f"client-{n}", backoff=self.backoff) for n in range(HERD)]
        return SupervisorSpec(*each, id="herd", max_restarts=math.inf)


def example() -> Upstream:
    """Clients that wait longer and longer, each a bit another time."""
    return Upstream(Backoff(min=1.0, max=8.0, jitter=1.0))


async def run(upstream: Upstream) -> Figures:
    """Take the upstream away for a while, and give it back."""
    async with open_supervisor(spec=upstream.clients()):
        await trio.sleep(1.0)
        upstream.attempts.clear()
        upstream.is_up = False
        lost, upstream.lost = upstream.lost, trio.Event()
        lost.set()
        began = trio.current_time()
        await trio.sleep(OUTAGE)
        # All try once at once, and are told no: it is what they do then that matters.
        later = [at - began for at in upstream.attempts if at - began > _BUCKET]
        upstream.is_up = True
        recovered = trio.current_time()
        with trio.move_on_after(60.0):
            while upstream.connected < HERD:  # noqa: ASYNC110  # looking is what an operator does
                await trio.sleep(_BUCKET)
        back = upstream.connected
    busiest = Counter(round(at / _BUCKET) for at in later).most_common(1)
    return {
        "clients": HERD,
        "attempts during the outage": len(upstream.attempts),
        "attempts in the busiest tenth of a second": busiest[0][1] if busiest else 0,
        "clients that are back": back,
        "seconds until all were back": trio.current_time() - recovered,
    }


DRILL = Drill(
    name="herd",
    does=f"{HERD} clients lose the same upstream at once, for {OUTAGE:g} s",
    protection="a backoff with jitter",
    limits=(
        at_most("attempts during the outage", 10 * HERD),
        at_most("attempts in the busiest tenth of a second", HERD / 2),
        at_least("clients that are back", HERD),
        at_most("seconds until all were back", 20.0),
    ),
    run=run,
    example=example,
)
