"""Every workload of trido, raw Trio and asyncio does what it says. Nothing is timed."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import pytest

from tests.benchmarks.kit import (
    Countdown,
    Storm,
    WrongEndStateError,
    hot_and_cold,
    percentile,
    verify,
)
from tests.benchmarks.workloads import WORKLOADS, Workload, by_id

ALWAYS = ("trido", "trio", "asyncio")
NOT_ITS = {
    ("asyncio", "W10"),  # raw Trio's look-up says it all
    ("asyncio", "W9-thread"),
    ("trio", "W9-thread"),
    ("asyncio", "W9"),  # raw Trio's group commit by hand, beside bare SQLite, says it all
}


def module(contender: str) -> Any:
    return import_module(f"tests.benchmarks.contenders.with_{contender}")


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.id)
@pytest.mark.parametrize("contender", ALWAYS)
def test_the_end_states_are_verified_and_every_metric_is_measured(
    contender: str, workload: Workload
) -> None:
    run = getattr(module(contender), workload.function, None)
    if run is None:
        assert (contender, workload.id) in NOT_ITS
        return
    figures = run(workload.quick)
    assert set(figures) == {metric.name for metric in workload.metrics}


@pytest.mark.parametrize("contender", ALWAYS)
@pytest.mark.parametrize("id", ["W1-fresh", "W2", "W2b"])
def test_a_wrong_end_state_is_an_error(
    contender: str, id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a handler forgets to count is found."""

    def counts_too_much(value: int = 0) -> object:
        return counter(value + 1)

    counter = module(contender).Counter
    monkeypatch.setattr(module(contender), "Counter", counts_too_much)
    workload = by_id(id)
    with pytest.raises(BaseException) as caught:  # noqa: PT011  # in groups of groups
        getattr(module(contender), workload.function)(workload.quick)
    assert WrongEndStateError in set(kinds(caught.value))


def kinds(error: BaseException) -> list[type]:
    if isinstance(error, BaseExceptionGroup):
        return [kind for one in error.exceptions for kind in kinds(one)]
    return [type(error)]


def test_a_percentile_is_one_of_the_samples() -> None:
    samples = [float(number) for number in range(1, 101)]
    assert [percentile(samples, percent) for percent in (1, 50, 99, 100)] == [1, 50, 99, 100]
    assert percentile([7.0], 50) == 7


def test_verify_names_what_is_wrong() -> None:
    verify("the sum", 3, 3)
    with pytest.raises(WrongEndStateError, match="the sum: 2, not 3"):
        verify("the sum", 2, 3)


def test_a_countdown_tells_once() -> None:
    told: list[int] = []
    countdown = Countdown()
    countdown.expect(2, lambda: told.append(1))
    for _ in range(3):
        countdown.hit()
    assert told == [1]


def test_a_storm_that_lost_a_restart_has_no_figures() -> None:
    storm = Storm()
    with pytest.raises(WrongEndStateError, match="restarts: 0, not 1"):
        storm.figures(1, 1.0)
    with pytest.raises(WrongEndStateError, match="the next run"):
        storm.restarted(0.0, "stale", "fresh")


def test_a_cold_agent_that_was_never_called_has_no_figures() -> None:
    with pytest.raises(WrongEndStateError, match="never called"):
        hot_and_cold(1.0, 1.0, [])


def test_the_child_needs_little_more_than_the_standard_library() -> None:
    """A contender is measured in a process that another's library does not slow down."""
    from tests.benchmarks import child, kit  # noqa: PLC0415

    own = {"tests", *sys.stdlib_module_names}
    for one in (child, kit):
        imported = {
            getattr(value, "__module__", None) or getattr(value, "__name__", "builtins")
            for value in vars(one).values()
        }
        assert {str(name).split(".")[0] for name in imported} <= own
