"""What one item costs at a hundredth of a workload, at a tenth and at the whole, as a table.

Where one costs the same at every size, the whole grows as *n* to the power of 1: it is linear.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import Final, final

from attrs import frozen
from rich.table import Table

from tests.benchmarks.results import Results
from tests.benchmarks.table import head, human, list_table
from tests.benchmarks.workloads import RAW, WORKLOADS, Metric, Workload

LINEAR: Final = 1.15
"""The power up to which it is linear: of a hundred times as many, each costs at most the double.

Some of it the processor's caches explain, which even a dictionary feels.
"""
COLUMNS: Final = ("workload", "each", "who", "at 1x", "at 10x", "at 100x", "grows as", "")


@final
@frozen
class Growth:
    """What one item of a workload costs somebody, by the size of the whole."""

    workload: Workload
    contender: str
    unit: str
    costs: tuple[tuple[int, float], ...]

    @property
    def power(self) -> float:
        """The power of n as which the whole grows, from the smallest size to the largest."""
        (small, before), (large, after) = self.costs[0], self.costs[-1]
        return 1 + log(after / before) / log(large / small)

    @property
    def is_linear(self) -> bool:
        return self.power <= LINEAR

    def cells(self) -> tuple[str, ...]:
        costs = (f"{human(cost)} of {size:,}" for size, cost in self.costs)
        verdict = "linear" if self.is_linear else "MORE"
        return (self.workload.id, self.unit, self.contender, *costs, f"n^{self.power:.2f}", verdict)


def is_growth(results: Results) -> bool:
    """Whether something was measured at several sizes."""
    return any(len(results.sizes(workload)) > 1 for workload in WORKLOADS)


def growths(results: Results) -> Iterator[Growth]:
    """That of trido and of raw Trio, in each workload with figures at all of its sizes."""
    for workload in WORKLOADS:
        sizes = results.sizes(workload)
        for contender in ("trido", RAW):
            costs = tuple(_costs(results, workload, contender, sizes))
            if contender in head(results) and 1 < len(costs) == len(sizes):
                yield Growth(workload, contender, _unit(_metric(workload)), costs)


def _costs(
    results: Results, workload: Workload, contender: str, sizes: list[int]
) -> Iterator[tuple[int, float]]:
    metric = _metric(workload)
    for size in sizes:
        one = results.find(workload, contender, size)
        value = None if one is None else one.median(metric)
        if value is not None:
            yield size, 1e6 / value if metric.better == "more" else value


def _metric(workload: Workload) -> Metric:
    """Its rate, if it has one."""
    return next((one for one in workload.metrics if one.is_rate), workload.metrics[0])


def _unit(metric: Metric) -> str:
    """That of a cost: of a rate, the time of one."""
    return f"µs per {metric.unit[:-3]}" if metric.is_rate else metric.unit


def for_terminal(results: Results) -> Table:
    table = Table(title=f"What each costs, as there are more; medians of {results.rounds} rounds")
    for name in COLUMNS:
        table.add_column(name, no_wrap=True)
    for one in growths(results):
        *cells, verdict = one.cells()
        table.add_row(*cells, f"[{'green' if one.is_linear else 'red'}]{verdict}[/]")
    return table


def for_documentation(results: Results) -> str:
    return list_table(COLUMNS, (one.cells() for one in growths(results)))
