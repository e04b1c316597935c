"""Plans of faults are drawn, and the least one that breaks a scenario is found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from hypothesis import given, settings

import trido
from tests.testing.finding import find
from tests.testing.ledgers import summer
from trido.testing import (
    FaultPlan,
    InvariantFailed,
    NotReached,
    NotReproducible,
    Recorder,
    UnknownPoint,
    nothing_lost,
)
from trido.testing.strategies import fault_plans, find_plan


def adding(*amounts: int) -> Callable[[], Awaitable[Recorder]]:
    async def scenario() -> Recorder:
        with Recorder() as recorder:
            async with trido.open_runtime() as rt:
                ref = await rt.start_agent(summer(), id="a")
                for n in amounts:
                    await ref.cast(trido.Signal("add", n))
                await trio.sleep(60)
        return recorder

    return scenario


@settings(max_examples=25)
@given(fault_plans("a", "b c", faults=["crash", "cancel", "hang", "slow", "block", "drop"]))
def test_every_plan_reads_as_a_line(plan: FaultPlan) -> None:
    assert FaultPlan.parse(str(plan)) == plan
    assert 1 <= len(plan) <= 3


@pytest.mark.parametrize(
    ("wanted", "least"),
    [
        ("crash a", "crash a at turn 1"),
        ("crash b", "crash b at turn 1"),
        ("after commit", "crash a at turn 1 after commit"),
        ("turn 2", "crash a at turn 2"),
        ("drop 2nd", "drop 2nd signal to a"),
    ],
)
def test_they_shrink_to_one_plain_fault(wanted: str, least: str) -> None:
    plans = fault_plans("a", "b", faults=["crash", "drop"])
    assert str(find(plans, lambda plan: wanted in str(plan))) == least


def test_the_least_plan_that_breaks_a_scenario_is_found() -> None:
    plan = find_plan(adding(1, 2, 3), fault_plans("a"), invariant=nothing_lost)
    assert str(plan) == "drop 1st signal to a"
    crashes = fault_plans("a", faults=["crash"])
    assert str(find_plan(adding(1), crashes, invariant=nothing_lost)) == "crash a at turn 1"


def test_two_faults_that_only_break_it_together_are_found_together() -> None:
    def is_short(recorder: Recorder) -> bool:
        return len(recorder.states("a")) > 1

    plan = find_plan(adding(1, 2, 3), fault_plans("a", faults=["drop"]), invariant=is_short)
    assert plan is not None
    assert len(plan) == 2


def test_what_no_plan_breaks_is_none() -> None:
    plans = fault_plans("a", faults=["delay", "reorder", "duplicate"])
    assert find_plan(adding(1, 2), plans, invariant=nothing_lost, examples=20) is None
    assert find_plan(adding(1, 2), plans, examples=5) is None


def test_what_fails_without_a_fault_is_told_at_once() -> None:
    async def scenario() -> None:
        await trio.sleep(1)
        raise LookupError("anyway")

    with pytest.raises(LookupError):
        find_plan(scenario, fault_plans("a"))
    with pytest.raises(AssertionError, match="does not hold"):
        find_plan(adding(1), fault_plans("a"), invariant=lambda _: False)
    with pytest.raises(InvariantFailed):
        find_plan(adding(1), fault_plans("a"), invariant=_refuse)


def test_plans_for_who_is_not_there_are_told_with_who_is() -> None:
    plans = fault_plans("A", faults=["drop"])
    with pytest.raises(UnknownPoint, match="no agent or child 'A'; there is a, any sum, runtime/a"):
        find_plan(adding(1), plans, invariant=nothing_lost, examples=5)
    with pytest.raises(UnknownPoint, match="no agent or child 'A'"):
        find_plan(adding(1), fault_plans("a", "A"), invariant=nothing_lost, examples=20)


def test_a_seed_to_look_under_is_a_number() -> None:
    with pytest.raises(trido.SpecError, match="seed='one'"):
        find_plan(adding(1), fault_plans("a"), seed="one")  # type: ignore[arg-type]


def _refuse(recorder: Recorder) -> None:
    raise InvariantFailed("mine", "no")


def test_what_cannot_be_replayed_is_told() -> None:
    async def scenario() -> None:
        await trio.to_thread.run_sync(lambda: None)

    with pytest.raises(NotReproducible):
        find_plan(scenario, fault_plans("a"))


@pytest.mark.parametrize(
    ("who", "wrong"),
    [
        ((), {}),
        (("",), {}),
        (("a",), {"faults": ["explode"]}),
        (("a",), {"faults": []}),
        (("a",), {"faults": "crash"}),
        (("a",), {"most": 0}),
        (("a",), {"turns": 0}),
    ],
    ids=["nobody", "no name", "kind", "no kind", "not in a list", "most", "turns"],
)
def test_a_plan_that_cannot_be_is_refused(who: tuple[str, ...], wrong: dict[str, Any]) -> None:
    with pytest.raises(trido.SpecError, match="fault_plans"):
        fault_plans(*who, **wrong)


def test_plans_of_which_nothing_ever_happens_prove_nothing() -> None:
    """Its handler never awaits, so it is never slow."""
    with pytest.raises(NotReached, match="at turn 1', '9 plans more' did not happen"):
        find_plan(adding(1), fault_plans("a", faults=["slow"], turns=1), examples=10)


def test_a_scenario_that_does_not_begin_anew_is_told_that_it_fails_by_itself() -> None:
    runs: list[int] = []

    async def scenario() -> None:
        runs.append(1)
        assert not runs

    with pytest.raises(AssertionError) as caught:
        find_plan(scenario, fault_plans("a"))
    assert "this is without any fault" in caught.value.__notes__[-1]
