"""A parent spawns workers, one for each part of a job; one of them crashes.

Watch for: the workers work at the same time. The one whose line breaks is started again, and the
others do not notice. There is no code for that: the parent gives each worker its part when a run of
it is ready, and the next run is ready soon. Whoever called gets the whole, once it is there.

It prints::

    the line to the south broke
    asking the south again
    the south has 230
    the east has 75
    the north has 120
    425 in all, after 4 s
    south: run 2
    north: run 1
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import trio
from attrs import evolve, frozen

import trido

# The workers --------------------------------------------------------------------------------------


@frozen
class Idle:
    """Between two jobs a worker has nothing to remember."""


@frozen
class Count:
    region: str
    people: int


worker = trido.Agent("worker", state=Idle)


@worker.on("region.count")
async def count(state: Idle, region: str) -> trido.Decision[Idle]:
    people = await ask(region)
    return state, [trido.Emit(counted.signal(Count(region, people)), to="parent")]


# Their parent -------------------------------------------------------------------------------------


@frozen
class Census:
    missing: frozenset[str] = frozenset()
    people: int = 0
    request: str | None = None


census = trido.Agent("census", state=Census)


@census.on("census.take")
def take(state: Census, regions: tuple[str, ...], turn: trido.Turn) -> trido.Decision[Census]:
    workers = [trido.SpawnAgent(worker, tag=region) for region in regions]
    new = Census(missing=frozenset(regions), request=turn.request)
    return new, [trido.DeferReply(), *workers]


@census.on("agent.child.started")
def ready(state: Census, child: trido.ChildStarted) -> trido.Decision[Census]:
    return state, [trido.Emit(count.signal(child.tag), to=child.ref)]


@census.on("region.counted")
def counted(state: Census, data: Count) -> trido.Decision[Census]:
    missing = state.missing - {data.region}
    new = evolve(state, missing=missing, people=state.people + data.people)
    return new, [] if missing else [trido.Reply(new.people, to=state.request)]


# The world outside --------------------------------------------------------------------------------

WORLD: Final[Mapping[str, tuple[float, int]]] = {
    "north": (4.0, 120),
    "south": (1.0, 230),
    "east": (3.0, 75),
}


async def ask(region: str) -> int:
    """How many people live there. At first the line to the south breaks."""
    if trido.current_child().incarnation > 1:
        print(f"asking the {region} again")
    seconds, people = WORLD[region]
    await trio.sleep(seconds)
    if region == "south" and trido.current_child().incarnation == 1:
        print("the line to the south broke")
        raise ConnectionError("the line broke")
    print(f"the {region} has {people}")
    return people


async def main() -> None:
    began = trio.current_time()
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(census, id="census")
        people = await ref.call(trido.Signal("census.take", tuple(WORLD)))
        print(f"{people} in all, after {trio.current_time() - began:.0f} s")
        for region in ("south", "north"):
            print(f"{region}: run {rt.agent(f'census/{region}').incarnation}")


if __name__ == "__main__":
    trido.run(main)
