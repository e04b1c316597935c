"""What was measured: as values, and as a file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import median, quantiles
from typing import Final, final

import cattrs
from attrs import frozen

from tests.benchmarks.workloads import RAW, Metric, Workload

FORMAT: Final = 1


@final
@frozen
class Measured:
    """A workload of one contender, at one size, in every round."""

    workload: str
    contender: str
    asked: int
    """The size that was asked for."""
    size: int
    """The size it was: the contender's limit may be smaller."""
    rounds: tuple[dict[str, float], ...] = ()
    failed: str | None = None
    """Why there are no figures."""

    def values(self, metric: Metric) -> list[float]:
        return [figures[metric.name] for figures in self.rounds if metric.name in figures]

    def median(self, metric: Metric) -> float | None:
        values = self.values(metric)
        return median(values) if values else None


@final
@frozen
class Results:
    """A whole run."""

    machine: dict[str, str]
    rounds: int
    contenders: dict[str, str]
    """Which release each was; of those that cannot be imported, why."""
    measured: tuple[Measured, ...]
    format: int = FORMAT

    def find(self, workload: Workload, contender: str, asked: int) -> Measured | None:
        wanted = (workload.id, contender, asked)
        return next(
            (one for one in self.measured if (one.workload, one.contender, one.asked) == wanted),
            None,
        )

    def sizes(self, workload: Workload) -> list[int]:
        """The sizes that were asked for, the smallest first."""
        return sorted({one.asked for one in self.measured if one.workload == workload.id})

    def failures(self) -> Iterable[Measured]:
        return (one for one in self.measured if one.failed is not None)

    def ratio(self, workload: Workload, contender: str, asked: int, metric: Metric) -> float | None:
        """The median, as a multiple of raw Trio's."""
        one = self.find(workload, contender, asked)
        raw = self.find(workload, RAW, asked)
        if one is None or raw is None:
            return None
        value, base = one.median(metric), raw.median(metric)
        return value / base if value is not None and base else None


def spread(values: list[float]) -> float:
    """How far apart the middle half of them lies, as a part of the median."""
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return (high - low) / abs(middle) if middle else 0.0


def save(results: Results, path: Path) -> None:
    text = json.dumps(cattrs.unstructure(results), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def load(path: Path) -> Results:
    """Raises ValueError if the file is of another format."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"{path} holds no results of format {FORMAT}")
    return cattrs.structure(data, Results)
