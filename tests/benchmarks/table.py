"""Results as tables: for a terminal, and for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, final

from attrs import frozen
from rich.table import Table

from tests.benchmarks.results import Measured, Results
from tests.benchmarks.workloads import RAW, WORKLOADS, Metric, Workload

Verdict = Literal["aim", "floor", "below", "none"]

_COLOURS: Final[dict[Verdict, str]] = {
    "aim": "green",
    "floor": "yellow",
    "below": "red",
    "none": "",
}


@final
@frozen
class Row:
    """One figure of one workload, of every contender."""

    workload: Workload
    size: int
    metric: Metric
    cells: tuple[str, ...]
    verdict: Verdict


def human(value: float) -> str:
    """Three digits, and a unit for the rest."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def rows(results: Results) -> Iterator[Row]:
    for workload in WORKLOADS:
        for size in results.sizes(workload):
            for metric in workload.metrics:
                cells = tuple(
                    _cell(results, workload, name, size, metric) for name in head(results)
                )
                yield Row(workload, size, metric, cells, verdict(results, workload, size, metric))


def head(results: Results) -> list[str]:
    """Those that were measured."""
    measured = {one.contender for one in results.measured}
    return [name for name in results.contenders if name in measured]


def verdict(results: Results, workload: Workload, size: int, metric: Metric) -> Verdict:
    """Which of its goals trido reaches."""
    one = results.find(workload, "trido", size)
    value = None if one is None else one.median(metric)
    if metric.of_raw:
        value = results.ratio(workload, "trido", size, metric)
    if value is None or metric.floor is None:
        return "none"
    if metric.aim is not None and metric.reaches(value, metric.aim):
        return "aim"
    return "floor" if metric.reaches(value, metric.floor) else "below"


def goals(metric: Metric) -> str:
    """The floor and the aim."""
    if metric.floor is None:
        return ""
    sign = "≥" if metric.better == "more" else "≤"
    unit = " x trio" if metric.of_raw else ""
    aim = "" if metric.aim is None else f", {metric.aim:g}"
    return f"{sign} {metric.floor:g}{aim}{unit}"


def _cell(results: Results, workload: Workload, name: str, size: int, metric: Metric) -> str:
    one = results.find(workload, name, size)
    if one is None:
        return ""
    if one.failed is not None:
        return "failed"
    value, ratio = one.median(metric), results.ratio(workload, name, size, metric)
    if value is None:
        return ""
    text = human(value) + _star(one)
    if ratio is None or name == RAW or not metric.of_raw:
        return text
    return f"{text}\n{human(ratio)}x"


def _star(one: Measured) -> str:
    return "" if one.size == one.asked else "*"


def for_terminal(results: Results) -> Table:
    caption = ", ".join(f"{what} {said}" for what, said in results.machine.items())
    if smaller := limited(results):
        caption = f"{caption}\n* {smaller}"
    title = f"Medians of {results.rounds} rounds; below each, how many times raw Trio's"
    table = Table(title=title, caption=caption, show_lines=True)
    for name in ("workload", "figure", "floor, aim", *head(results)):
        table.add_column(name, no_wrap=True)
    for row in rows(results):
        first, *rest = row.cells
        colour = _COLOURS[row.verdict]
        trido = f"[{colour}]{first}[/]" if colour else first
        table.add_row(
            f"{row.workload.id}\n{row.size:,}", row.metric.unit, goals(row.metric), trido, *rest
        )
    return table


def limited(results: Results) -> str:
    """Which contenders were measured at a smaller size."""
    return ", ".join(
        f"{one.contender} {one.workload} at {one.size:,}"
        for one in results.measured
        if one.size != one.asked
    )


def for_documentation(results: Results) -> str:
    """A list-table of reStructuredText."""
    words: dict[Verdict, str] = {"aim": "aim", "floor": "floor", "below": "below", "none": ""}
    columns = ["Workload", "Size", "Figure", "Floor, aim", "Reached", *head(results)]
    table: list[list[str]] = []
    for row in rows(results):
        reached = words[row.verdict]
        start = [row.workload.id, f"{row.size:,}", row.metric.unit, goals(row.metric), reached]
        table.append(
            [*start, *(cell.replace("*", r"\*").replace("\n", " · ") for cell in row.cells)]
        )
    return list_table(columns, table)


def list_table(columns: Sequence[str], table: Iterable[Sequence[str]]) -> str:
    """These rows, in reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for cells in (columns, *table):
        for index, cell in enumerate(cells):
            lines.append(f"   {'*' if index == 0 else ' '} - {cell}".rstrip())
    return "\n".join([*lines, ""])
