"""The workloads, as a table: what each does, how large it is, and what it measures."""

from __future__ import annotations

from typing import Final, Literal, final

from attrs import frozen

RAW: Final = "trio"
"""The contender that ratios are to."""


@final
@frozen
class Metric:
    """A figure of a workload, and what trido's is to be."""

    name: str
    unit: str
    better: Literal["more", "less"]
    floor: float | None = None
    aim: float | None = None
    of_raw: bool = True
    """The floor and the aim are multiples of raw Trio's figure."""

    @property
    def is_rate(self) -> bool:
        """Whether it says how many there are in a second."""
        return self.name == "per_second"

    def reaches(self, value: float, goal: float) -> bool:
        return value >= goal if self.better == "more" else value <= goal


@final
@frozen
class Workload:
    """One workload. Its size is how many of what ``what`` begins with."""

    id: str
    what: str
    size: int
    quick: int
    metrics: tuple[Metric, ...]
    warm_up: int
    """The size of the run before the one that is measured."""
    grows: bool = True
    """Whether it is of interest at other sizes."""
    waits: bool = False
    """Whether waiting is part of what it measures, so that processor time says nothing."""

    @property
    def function(self) -> str:
        """The name of what runs it, in a contender's module."""
        return self.id.lower().replace("-", "_")

    def metric(self, name: str) -> Metric:
        return next(metric for metric in self.metrics if metric.name == name)


def _durable(floor: float | None = None, aim: float | None = None) -> tuple[Metric, ...]:
    return (
        Metric("of_sqlite", "of bare SQLite", "more", floor, aim, of_raw=False),
        Metric("per_second", "turns/s", "more", of_raw=False),
        Metric("batch", "turns a batch", "more", of_raw=False),
    )


def _rate(unit: str, floor: float, aim: float | None = None) -> tuple[Metric]:
    return (Metric("per_second", unit, "more", floor, aim),)


def _storm(restart: Metric, siblings: Metric) -> tuple[Metric, ...]:
    return (
        restart,
        siblings,
        Metric("siblings_before_p50_us", "µs before, p50", "less"),
        Metric("siblings_during_p50_us", "µs during, p50", "less"),
        Metric("tick_ms", "ms a tick", "less"),
    )


WORKLOADS: Final = (
    Workload(
        "W1-fresh",
        "casts of fresh messages to one agent, until all are handled",
        size=200_000,
        quick=3_000,
        warm_up=20_000,
        metrics=_rate("casts/s", 2.5, 3),
    ),
    Workload(
        "W1-ready",
        "casts of one ready-made message to one agent, until all are handled",
        size=200_000,
        quick=3_000,
        warm_up=20_000,
        metrics=_rate("casts/s", 5, 8),
    ),
    Workload(
        "W2",
        "calls of one agent, one after another",
        size=20_000,
        quick=300,
        warm_up=2_000,
        metrics=_rate("calls/s", 1.3, 4),
    ),
    Workload(
        "W2b",
        "calls of one agent by 100 callers at once",
        size=20_000,
        quick=300,
        warm_up=2_000,
        metrics=_rate("calls/s", 2, 4),
    ),
    Workload(
        "W3",
        "agents, each sent one fresh cast in each of 100 rounds",
        size=1_000,
        quick=10,
        warm_up=100,
        metrics=_rate("casts/s", 1, 3),
    ),
    Workload(
        "W4",
        "agents in a ring, round which a token goes 100 times",
        size=1_000,
        quick=10,
        warm_up=100,
        metrics=_rate("hops/s", 0.8, 2.5),
    ),
    Workload(
        "W5",
        "supervised agents, started, registered and stopped",
        size=10_000,
        quick=20,
        warm_up=1_000,
        metrics=_rate("agents/s", 2, 8),
    ),
    Workload(
        "W6",
        "crashes of one agent, 1 ms apart, beside 1,000 siblings that get 20 messages each ms",
        size=1_000,
        quick=20,
        warm_up=100,
        grows=False,
        waits=True,
        metrics=_storm(
            Metric("restart_p50_us", "µs to restart, p50", "less", 1.2, 0.8),
            Metric("siblings_ratio", "x before, siblings", "less", 1.5, 1.2, of_raw=False),
        ),
    ),
    Workload(
        "W7",
        "idle supervised agents",
        size=100_000,
        quick=50,
        warm_up=10,
        metrics=(Metric("kib_each", "KiB each", "less", 3.5, 1.0, of_raw=False),),
    ),
    Workload(
        "W5f",
        "supervised functions that wait, started and stopped",
        size=10_000,
        quick=20,
        warm_up=1_000,
        metrics=_rate("functions/s", 0.4),
    ),
    Workload(
        "W6f",
        "crashes of one function, 1 ms apart, beside 1,000 siblings as in W6",
        size=1_000,
        quick=20,
        warm_up=100,
        grows=False,
        waits=True,
        metrics=_storm(
            Metric("restart_p50_us", "µs to restart, p50", "less", 3.0),
            Metric("siblings_ratio", "x before, siblings", "less", of_raw=False),
        ),
    ),
    Workload(
        "W7f",
        "supervised functions that wait",
        size=10_000,
        quick=50,
        warm_up=10,
        metrics=(Metric("kib_each", "KiB each", "less", 8.0, of_raw=False),),
    ),
    Workload(
        "W8",
        "messages to a hot agent, 20 µs each and 500 queued, beside a cold one called every ms",
        size=50_000,
        quick=1_000,
        warm_up=5_000,
        grows=False,
        waits=True,
        metrics=(
            Metric("cold_p99_ms", "ms cold, p99", "less", 1.0, 0.5, of_raw=False),
            Metric("hot_kept", "of hot rate kept", "more", 0.9, of_raw=False),
            Metric("cold_p50_ms", "ms cold, p50", "less"),
        ),
    ),
    Workload(
        "W9",
        "durable turns, by 100 agents that are each called again and again, with sync",
        size=40_000,
        quick=200,
        warm_up=4_000,
        waits=True,
        metrics=_durable(0.6, 0.8),
    ),
    Workload(
        "W9-thread",
        "as W9, with a journal that a thread of the same process writes",
        size=40_000,
        quick=200,
        warm_up=4_000,
        waits=True,
        metrics=_durable(),
    ),
    Workload(
        "W10",
        "routes of exact types, by which 100,000 signals are matched",
        size=10_000,
        quick=100,
        warm_up=100,
        metrics=(
            Metric("match_ns", "ns/match", "less", 2.0),
            Metric("of_few", "x of 10 routes", "less", of_raw=False),
        ),
    ),
    Workload(
        "W11",
        "cold imports, each in a fresh interpreter",
        size=5,
        quick=1,
        warm_up=1,
        grows=False,
        metrics=(
            Metric("import_ms", "ms", "less", 1.6),
            Metric("whole_ms", "ms with all names", "less", 1.6),
        ),
    ),
)


def by_id(id: str) -> Workload:
    return next(workload for workload in WORKLOADS if workload.id == id)


def named(names: list[str]) -> list[Workload]:
    """Those with these names, in the table's order. W1 names both of its variants.

    Raises:
      ValueError: there is none of such a name.
    """
    wanted = {name.upper() for name in names}
    known = {part for one in WORKLOADS for part in (one.id.upper(), one.id.split("-")[0].upper())}
    if wanted - known:
        raise ValueError(f"there is no workload {min(wanted - known)}: {', '.join(sorted(known))}")
    return [
        one
        for one in WORKLOADS
        if not wanted or {one.id.upper(), one.id.split("-")[0].upper()} & wanted
    ]
