"""A demand tracker: an agent that is told things, tells of changes, and keeps its own time.

How much is a listing in demand? Boosts raise it, ticks let it decay, and it stays between 0 and
100. Every five minutes the tracker gives a sign of life, and each night, by the clocks of New York,
it begins to count its ticks anew. If asked to, it ticks by itself.

Watch for: what changes nothing is told to nobody. Auto-decay is a timer with a key, and there is
never more than one timer of a key, so turning it on, off, on and on again makes no second chain of
ticks. Midnight in New York is five in the morning here. All that takes a moment, for the clock is
virtual: whenever nobody has anything to do, it jumps to what is due next.

It prints::

    12:02 boost: 50 -> 80 (+30)
    12:02 boost: 80 -> 100 (+20)
    12:02 cool: 100 -> 4 (-96)
    12:02 decay: 4 -> 2 (-2)
    12:02 decay: 2 -> 0 (-2)
    12:02 boost: 0 -> 6 (+6)
    12:12 decay: 6 -> 4 (-2)
    12:22 decay: 4 -> 2 (-2)
    12:32 decay: 2 -> 0 (-2)
    05:00 a new day, after 106 ticks
    listing-7: 288 signs of life
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import trio
from attrs import evolve, frozen
from trio.testing import MockClock

import trido

# What it remembers, what it is told, and what it tells --------------------------------------------


@frozen
class Demand:
    listing_id: str = ""
    demand: int = 50
    ticks: int = 0
    auto_decay: bool = False


@frozen
class By:
    by: int = 10


@frozen
class Changed:
    previous: int
    current: int
    delta: int
    reason: str


@frozen
class NewDay:
    ticks: int


# The agent ----------------------------------------------------------------------------------------

HEARTBEAT: Final = trido.Cron("*/5 * * * *", trido.Signal("listing.heartbeat"), "heartbeat")
CLEANUP: Final = trido.Cron(
    "0 0 * * *", trido.Signal("listing.cleanup"), "cleanup", timezone="America/New_York"
)
NEXT_TICK: Final = trido.Schedule(600.0, trido.Signal("listing.demand.tick"), key="auto-decay")
DECAY: Final = 2

tracker = trido.Agent("demand_tracker", state=Demand, schedules=(HEARTBEAT, CLEANUP))


@tracker.on_start
def begin(state: Demand, turn: trido.Turn) -> Demand:
    return evolve(state, listing_id=turn.agent_id)


@tracker.on("listing.demand.boost")
def boost(state: Demand, data: By) -> trido.Decision[Demand]:
    return moved(state, data.by, "boost")


@tracker.on("listing.demand.cool")
def cool(state: Demand, data: By) -> trido.Decision[Demand]:
    return moved(state, -data.by, "cool")


@tracker.on("listing.demand.tick")
def tick(state: Demand, data: None) -> trido.Decision[Demand]:
    new, told = moved(evolve(state, ticks=state.ticks + 1), -DECAY, "decay")
    return new, [*told, NEXT_TICK] if new.auto_decay else told


@tracker.on("listing.auto_decay")
def auto_decay(state: Demand, on: bool) -> trido.Decision[Demand]:  # noqa: FBT001  # it is all there is to say
    return evolve(state, auto_decay=on), [NEXT_TICK if on else trido.Cancel("auto-decay")]


@tracker.on("listing.heartbeat")
def heartbeat(state: Demand, data: None) -> trido.Decision[Demand]:
    return state, [trido.Emit(trido.Signal("listing.alive", state.demand))]


@tracker.on("listing.cleanup")
def cleanup(state: Demand, data: None) -> trido.Decision[Demand]:
    return evolve(state, ticks=0), [
        trido.Emit(trido.Signal("listing.new_day", NewDay(state.ticks)))
    ]


def moved(state: Demand, by: int, reason: str) -> tuple[Demand, list[trido.Emit]]:
    """The demand moves within its bounds; whoever subscribed is told if it did."""
    current = min(100, max(0, state.demand + by))
    if current == state.demand:
        return state, []
    changed = Changed(state.demand, current, current - state.demand, reason)
    return evolve(state, demand=current), [
        trido.Emit(trido.Signal("listing.demand.changed", changed))
    ]


# A day of it --------------------------------------------------------------------------------------

NOON: Final = datetime(2026, 3, 2, 12, 2, tzinfo=UTC)
A_DAY: Final = 86_400.0


def time_of_day() -> datetime:
    return NOON + timedelta(seconds=trio.current_time())


def words(told: Changed | NewDay) -> str:
    match told:
        case Changed(previous, current, delta, reason):
            return f"{reason}: {previous} -> {current} ({delta:+})"
        case NewDay(ticks):
            return f"a new day, after {ticks} ticks"


async def main() -> None:
    async with trido.open_runtime(clock=time_of_day) as rt:
        with (
            rt.subscribe("listing.demand.changed", "listing.new_day") as news,
            rt.subscribe("listing.alive") as signs,
        ):
            listing = await rt.start_agent(tracker, id="listing-7")
            for by in (30, 30, 30):
                await listing.cast(boost.signal(By(by)))
            await listing.cast(cool.signal(By(96)))
            for _ in range(5):
                await listing.cast(tick.signal(None))
            await listing.cast(boost.signal(By(6)))
            for on in (True, False, True, True):
                await listing.cast(auto_decay.signal(on))

            with trio.move_on_after(A_DAY):
                async for signal in news:
                    print(f"{time_of_day():%H:%M} {words(signal.data)}")
            print(f"{listing.id}: {signs.statistics().taken} signs of life")


if __name__ == "__main__":
    trido.run(main, clock=MockClock(autojump_threshold=0))
