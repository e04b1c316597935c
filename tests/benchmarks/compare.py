"""Whether one result file is worse than another, by more than chance.

What is compared is trido, as a multiple of raw Trio in the same round: that a machine is faster or
slower that day cancels out. Figures whose goals are absolute are compared as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Final, final

from attrs import frozen

from tests.benchmarks.results import Measured, Results, spread
from tests.benchmarks.workloads import RAW, WORKLOADS, Metric, Workload

LEAST: Final = 0.05
"""Smaller changes are none."""
ROUNDS: Final = 3
"""With fewer rounds nobody knows what is noise."""


@final
@frozen
class Change:
    """How a figure of trido's changed."""

    workload: str
    metric: str
    size: int
    before: float
    after: float
    noise: float
    """The change, as a part, that may be chance."""
    worse: float
    """The change for the worse, as a part; negative for the better."""

    @property
    def is_regression(self) -> bool:
        return self.worse > self.noise

    def __str__(self) -> str:
        verdict = "REGRESSION" if self.is_regression else "ok"
        return (
            f"{verdict:10}  {self.workload} at {self.size:,}, {self.metric}:"
            f" {self.before:.4g} → {self.after:.4g},"
            f" {abs(self.worse):.1%} {'worse' if self.worse > 0 else 'better'};"
            f" noise {self.noise:.1%}"
        )


def changes(old: Results, new: Results) -> Iterator[Change]:
    """Every figure with a goal that both have.

    Raises:
      ValueError: there were too few rounds to tell what is noise.
    """
    for results in (old, new):
        if results.rounds < ROUNDS:
            raise ValueError(f"results of {results.rounds} rounds; {ROUNDS} are needed to compare")
    for workload in WORKLOADS:
        for size in set(old.sizes(workload)) & set(new.sizes(workload)):
            for metric in workload.metrics:
                if metric.floor is not None:
                    yield from _change(old, new, workload, size, metric)


def lost(old: Results, new: Results) -> list[Measured]:
    """What trido could do, and now fails at."""
    could = {(one.workload, one.asked) for one in old.measured if _is_trido(one) and one.rounds}
    return [one for one in new.failures() if _is_trido(one) and (one.workload, one.asked) in could]


def _is_trido(one: Measured) -> bool:
    return one.contender == "trido"


def _change(
    old: Results, new: Results, workload: Workload, size: int, metric: Metric
) -> Iterator[Change]:
    before = _series(old, workload, size, metric)
    after = _series(new, workload, size, metric)
    if len(before) < ROUNDS or len(after) < ROUNDS:
        return
    was, now = median(before), median(after)
    worse = was / now - 1 if metric.better == "more" else now / was - 1
    noise = max(LEAST, spread(before) + spread(after))
    yield Change(workload.id, metric.name, size, was, now, noise, worse)


def _series(results: Results, workload: Workload, size: int, metric: Metric) -> list[float]:
    one, raw = results.find(workload, "trido", size), results.find(workload, RAW, size)
    if one is None or not metric.of_raw:
        return [] if one is None else one.values(metric)
    if raw is None:
        return []
    return [a / b for a, b in zip(one.values(metric), raw.values(metric), strict=False)]
