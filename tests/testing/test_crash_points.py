"""Every crash point of a scenario: none is left out, and what fails there replays."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import trio
from attrs import evolve, frozen

import trido
from tests.testing.agents import Add, Count, counter, quiet, signal
from trido import testing
from trido.testing import FaultPlan, every_crash_point


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet():
        yield


@frozen
class Paid:
    total: int = 0


async def added(times: int = 2) -> int:
    """Adds until it is told that it did; what the agent has then."""
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(counter, id="a", recover="committed")
        for _ in range(times):
            while True:
                try:
                    await ref.call(signal("add"))
                    break
                except trido.AgentCrashed:
                    continue
        return ref.state().value


def test_every_point_is_tried_and_what_holds_passes() -> None:
    report = every_crash_point(added, 1, invariant=lambda total: total == 1)
    assert [str(one) for one in report.tried] == [
        "crash a at start 1",
        "crash a at signal 1",
        "crash a at turn 1",
        "crash a at turn 1 before commit",
        "crash a at turn 1 before directive 1",
        "crash a at turn 1 during directive 1",
        "crash a at turn 1 after directive 1",
        "crash a at turn 1 after commit",
        "crash a at stop 1",
    ]
    assert [str(one.plan) for one in report.failures] == ["crash a at start 1"]
    assert isinstance(report.failures[0].error, trido.StartFailed)


def test_what_passes_at_every_point_is_ok() -> None:
    async def child() -> None:
        await trio.sleep(1)
        await trio.sleep_forever()

    async def scenario() -> None:
        async with trido.open_supervisor(trido.ChildSpec(child)):
            await trio.sleep(5)

    report = every_crash_point(scenario)
    assert len(report.tried) == 4
    report.assert_ok()


def test_a_point_that_fails_replays() -> None:
    async def forgets() -> int:
        async with trido.open_runtime() as rt:
            ref = await rt.start_agent(counter, id="a")
            for _ in range(2):
                await ref.cast(signal("add"))
                await trio.sleep(1)
            return ref.state().value

    report = every_crash_point(forgets, invariant=lambda total: total == 2)
    assert len(report.failures) > 5
    failure = next(one for one in report.failures if "turn 2 after commit" in str(one.plan))
    assert str(failure).startswith("crash a at turn 2 after commit\n    InvariantFailed: <lambda>")
    assert testing.run(forgets, seed=report.seed, plan=failure.plan) == 0
    assert failure.error.__notes__ == [f"replay it with seed=0, plan='{failure.plan}'"]
    assert str(report).startswith(f"{len(report.failures)} of {len(report.tried)} crash points")
    with pytest.raises(AssertionError, match="crash a at turn 1") as caught:
        report.assert_ok()
    assert caught.value.__cause__ is report.failures[0].error


def test_a_scenario_without_points_proves_nothing() -> None:
    report = every_crash_point(trio.sleep, 1)
    with pytest.raises(AssertionError, match="there is no crash point"):
        report.assert_ok()
    assert str(report) == "all 0 crash points pass, with seed=0"


def test_writes_to_a_journal_are_crash_points() -> None:
    agent = trido.Agent("payer", state=Paid, durability="sync")

    @agent.on("pay")
    def pay(state: Paid, data: Add) -> trido.Decision[Paid]:
        return evolve(state, total=state.total + data.by)

    async def main() -> int:
        async with trido.open_runtime(journal=trido.MemoryJournal(), agents=[agent]) as rt:
            ref = await rt.start_agent(agent, id="a")
            one = trido.Signal("pay", Add(5), id="1", source="test")
            while True:
                try:
                    await ref.call(one)
                    return ref.state().total
                except (trido.AgentCrashed, trido.Unavailable):
                    await trio.sleep(1)

    def holds(total: int) -> bool:
        return total == 5

    report = every_crash_point(main, invariant=holds)
    lines = [str(one) for one in report.tried]
    assert "storage unavailable at write 2" in lines
    assert "storage lost at write 2" in lines
    assert [str(one.plan) for one in report.failures] == ["crash a at start 1"]


def test_a_scenario_that_fails_anyway_is_no_scenario() -> None:
    with pytest.raises(AssertionError, match="does not hold: 2") as caught:
        every_crash_point(added, invariant=lambda total: total == 3)
    assert caught.value.__notes__ == ["replay it with seed=0"]


def test_there_may_be_too_many() -> None:
    with pytest.raises(testing.TooManyPoints, match="limit=3") as caught:
        every_crash_point(added, limit=3)
    assert (caught.value.count, caught.value.limit) == (16, 3)


def test_a_scenario_that_is_another_the_next_time_is_told_so() -> None:
    numbers = itertools.count()

    async def main() -> int:
        return await added(next(numbers))

    with pytest.raises(testing.NotReproducible, match="begin anew each time") as caught:
        every_crash_point(main)
    assert caught.value.place.startswith(f"{__file__}:")


async def recorded_one() -> testing.Recorder:
    with testing.Recorder() as recorder:
        async with trido.open_runtime() as rt:
            ref = await rt.start_agent(counter, id="a")
            await ref.cast(signal("add"))
            await trio.sleep(1)
    return recorder


def is_one(recorder: testing.Recorder) -> bool:
    return [one.value for one in recorder.states("a")] == [1]


def must_be_one(recorder: testing.Recorder) -> None:
    assert is_one(recorder), "it is another"


def test_an_invariant_of_ones_own_fails_with_how_it_came_to_that() -> None:
    report = every_crash_point(recorded_one, invariant=is_one)
    failure = next(one for one in report.failures if str(one.plan) == "crash a at turn 1")
    head, how, *chain = str(failure.error).splitlines()
    assert head.startswith("is_one: does not hold: <trido.testing.Recorder of ")
    assert how == "How it came to that:"
    assert any("crashes by the plan: crash a at turn 1" in line for line in chain)
    report = every_crash_point(recorded_one, invariant=must_be_one)
    failure = next(one for one in report.failures if str(one.plan) == "crash a at turn 1")
    assert failure.error.__notes__[0].startswith("How it came to that:\n")
    report = every_crash_point(recorded_one, invariant=testing.nothing_lost)
    failure = next(one for one in report.failures if str(one.plan) == "crash a at turn 1")
    assert len(failure.error.__notes__) == 1


def test_without_a_record_nothing_tells_how_it_came_to_that() -> None:
    def is_three(total: int) -> None:
        assert total == 3, "it is another"

    with pytest.raises(AssertionError, match="it is another") as caught:
        every_crash_point(added, invariant=is_three)
    assert caught.value.__notes__ == ["replay it with seed=0"]


def test_a_crash_that_ends_nothing_is_told_so() -> None:
    async def waits() -> None:
        async with trido.open_runtime() as rt:
            ref = await rt.start_agent(counter, id="a")
            await ref.cast(signal("add"))
            await ref.wait_for(lambda state: state.value)

    report = every_crash_point(waits, lasts=1000)
    kinds = {type(one.error).__name__ for one in report.failures}
    assert kinds == {"NotOver", "StartFailed"}


def test_a_plan_of_a_report_is_a_plan() -> None:
    report = every_crash_point(added, 1, invariant=None)
    assert all(FaultPlan.parse(str(one)) == one for one in report.tried)
    assert Count().value == 0
