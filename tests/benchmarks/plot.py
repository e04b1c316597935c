"""Results as a picture. The format is the file's: ``.svg`` or ``.png``."""

# pyright: reportMissingImports=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

from tests.benchmarks.growth import is_growth
from tests.benchmarks.results import Results
from tests.benchmarks.table import head
from tests.benchmarks.workloads import WORKLOADS, Metric, Workload

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "trido"  # the same picture for the same figures


def draw(results: Results, path: Path) -> None:
    """Draw what there is: sizes side by side, or growth."""
    figure = _growth(results) if is_growth(results) else _side_by_side(results)
    # No date: the same picture for the same figures.
    figure.savefig(
        path, bbox_inches="tight", metadata={"Date": None} if path.suffix == ".svg" else {}
    )
    plt.close(figure)


def better(ratio: float, metric: Metric) -> float:
    """How many times as good as raw Trio."""
    return ratio if metric.better == "more" else 1 / ratio


def _compared(results: Results) -> list[tuple[Workload, Metric]]:
    return [(workload, workload.metrics[0]) for workload in WORKLOADS if results.sizes(workload)]


def _side_by_side(results: Results) -> Any:
    lines = _compared(results)
    figure, axes = plt.subplots(figsize=(9, 0.6 * len(lines) + 1.5))
    for name in head(results):
        points = [
            (better(ratio, metric), position)
            for position, (workload, metric) in enumerate(lines)
            if (ratio := results.ratio(workload, name, results.sizes(workload)[0], metric))
        ]
        if points:
            size, marker = (90, "D") if name == "trido" else (40, "o")
            axes.scatter(*zip(*points, strict=True), label=name, s=size, marker=marker, zorder=3)
    for position, (_, metric) in enumerate(lines):
        for goal, style in ((metric.floor, "solid"), (metric.aim, "dotted")):
            if goal is not None and metric.of_raw:
                where = better(goal, metric)
                axes.vlines(where, position - 0.35, position + 0.35, color="grey", linestyle=style)
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(lines)), [f"{one.id}, {metric.unit}" for one, metric in lines])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("times as good as raw Trio; grey: trido's floor, dotted: its aim")
    axes.legend(bbox_to_anchor=(1.01, 1), loc="upper left")
    return figure


def _growth(results: Results) -> Any:
    """Figures that do not change with the size are lines that lie flat."""
    lines = [(one, metric) for one, metric in _compared(results) if one.grows]
    figure, grid = plt.subplots(len(lines), figsize=(8, 2.6 * len(lines)), squeeze=False)
    for axes, (workload, metric) in zip(grid.flat, lines, strict=True):
        for name in head(results):
            points = [
                (one.size, value)
                for size in results.sizes(workload)
                if (one := results.find(workload, name, size)) is not None
                if (value := one.median(metric)) is not None
            ]
            if points:
                axes.plot(*zip(*points, strict=True), marker="o", label=name)
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_title(f"{workload.id}: {metric.unit}, by size", fontsize=9)
        axes.grid(alpha=0.3)
    grid.flat[0].legend(bbox_to_anchor=(1.01, 1), loc="upper left")
    return figure
