"""The demand tracker of the examples keeps its rules, whatever it is told."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import trio
from hypothesis import given
from hypothesis import strategies as st

import trido
from trido import testing

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "demand_tracker.py"))
tracker: trido.Agent[Any] = EXAMPLE["tracker"]
Demand, By, Changed = EXAMPLE["Demand"], EXAMPLE["By"], EXAMPLE["Changed"]

amounts = st.integers(-200, 200)
moves = st.one_of(
    st.builds(lambda by: trido.Signal("listing.demand.boost", By(by)), amounts),
    st.builds(lambda by: trido.Signal("listing.demand.cool", By(by)), amounts),
    st.just(trido.Signal("listing.demand.tick")),
)
toggles = st.builds(lambda on: trido.Signal("listing.auto_decay", on), st.booleans())
REASONS = {"boost": "boost", "cool": "cool", "tick": "decay"}


def test_it_begins_in_the_middle_and_with_its_two_schedules() -> None:
    assert Demand().demand == 50
    signal = trido.Signal
    assert tracker.settings.schedules == (
        trido.Cron("*/5 * * * *", signal("listing.heartbeat"), "heartbeat"),
        trido.Cron("0 0 * * *", signal("listing.cleanup"), "cleanup", "America/New_York"),
    )


@given(st.builds(Demand, demand=st.integers(0, 100), ticks=st.integers(0, 9)), moves)
def test_it_stays_within_bounds_and_tells_of_every_change_and_of_nothing_else(
    state: Any, signal: trido.Signal
) -> None:
    new, directives = tracker.cmd(state, signal)
    assert 0 <= new.demand <= 100
    kind = signal.type.rpartition(".")[2]
    by = {"boost": 1, "cool": -1}.get(kind, 0) * getattr(signal.data, "by", 0)
    assert new.demand == min(100, max(0, state.demand + (by if kind != "tick" else -2)))
    assert new.ticks == state.ticks + (kind == "tick")
    delta = new.demand - state.demand
    changed = Changed(state.demand, new.demand, delta, REASONS[kind])
    told = trido.Emit(trido.Signal("listing.demand.changed", changed))
    assert directives == ((told,) if delta else ())


pauses = st.sampled_from([0.0, 60.0, 600.0])


@given(st.lists(st.tuples(toggles | moves, pauses), max_size=20), st.integers(0))
def test_it_never_has_two_chains_of_ticks(
    steps: list[tuple[trido.Signal, float]], seed: int
) -> None:
    async def main() -> None:
        async with trido.open_runtime(clock=EXAMPLE["time_of_day"]) as rt:
            ref = await rt.start_agent(tracker, id="listing")
            for signal, pause in steps:
                state = await ref.call(signal)
                assert ref.status().timers == len(tracker.settings.schedules) + state.auto_decay
                await trio.sleep(pause)
            await trio.sleep(1.0)  # past whatever is due just now
            before = ref.state()
            await trio.sleep(10 * 600.0 + 30.0)
            assert ref.state().ticks - before.ticks == (10 if before.auto_decay else 0)

    testing.run(main, seed=seed)
