"""``python -m tests.benchmarks``: measure trido beside raw Trio, asyncio and its peers."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import track

from tests.benchmarks import compare, growth, table
from tests.benchmarks.results import Results, load, save
from tests.benchmarks.rounds import CONTENDERS, Contender, Job, in_rounds, jobs, measure
from tests.benchmarks.workloads import Workload, named

WIDE = 150
"""How many columns the table takes."""


def arguments(given: Sequence[str] | None = None) -> Namespace:
    parser = ArgumentParser("python -m tests.benchmarks", description=__doc__)
    add = parser.add_argument
    add("--only", type=_words, default=[], metavar="W1,W5", help="these workloads only")
    add("--contenders", type=_words, default=list(CONTENDERS), metavar="NAME,…")
    add("--rounds", type=int, default=5, help="how often everything is measured (5)")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="tiny sizes: only to see that it works")
    size.add_argument("--growth", action="store_true", help="at a hundredth, a tenth and all")
    size.add_argument("--scale", type=float, default=1.0, help="times the usual sizes (1)")
    add("--cpu", action="store_true", help="by processor time: where much else is running")
    add("--python", action="append", default=[], metavar="NAME=PATH", help="its interpreter")
    add("--out", type=Path, default=Path("build/benchmarks"), help="where the files go")
    add("--show", type=Path, metavar="FILE", help="measure nothing: show this result file")
    add("--rst", action="store_true", help="with --show: the table for the documentation")
    add("--compare", type=Path, nargs=2, metavar=("BEFORE", "AFTER"), help="fail if it is worse")
    options = parser.parse_args(given)
    try:
        options.workloads = named(options.only)
        options.pythons = _pythons(options.python)
    except ValueError as error:
        parser.error(str(error))
    if unknown := set(options.contenders) - set(CONTENDERS):
        parser.error(f"there is no contender {min(unknown)}: {', '.join(CONTENDERS)}")
    if options.rounds < 1 or options.scale <= 0:
        parser.error("--rounds and --scale must be positive")
    return options


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _pythons(given: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    for name, _, path in pairs:
        if name not in CONTENDERS or not path:
            raise ValueError(f"--python takes NAME=PATH, not {name!r}")
    return {name: path for name, _, path in pairs}


def sizes(workload: Workload, options: Namespace) -> list[int]:
    """The sizes to measure a workload at."""
    if options.quick:
        return [workload.quick]
    if options.growth:
        whole = workload.size
        return [whole // 100, whole // 10, whole] if workload.grows else []
    return [max(1, round(workload.size * options.scale))]


def grouped(contenders: Sequence[Contender], options: Namespace) -> list[list[Job]]:
    """What is to be measured in each round, by workload and size."""
    return [
        jobs(contenders, workload, size, "cpu" if options.cpu else "wall")
        for workload in options.workloads
        if not (options.cpu and workload.waits)
        for size in sizes(workload, options)
    ]


def run(options: Namespace, console: Console) -> Results:
    contenders = [
        Contender.described(name, options.pythons.get(name, sys.executable))
        for name in CONTENDERS
        if name in options.contenders
    ]
    groups = grouped(contenders, options)
    order = track(
        list(in_rounds(groups, options.rounds)), "measuring", console=console, transient=True
    )
    results = measure(contenders, groups, options.rounds, order)
    results.machine["clock"] = "processor time" if options.cpu else "wall"
    return results


def show(results: Results, console: Console) -> None:
    console.print(table.for_terminal(results))
    if growth.is_growth(results):
        console.print(growth.for_terminal(results))
    for name, version in results.contenders.items():
        console.print(f"{name}: {version}", highlight=False, markup=False)
    for one in results.failures():
        console.print(f"{one.contender} failed at {one.workload}: {one.failed}", markup=False)


def write(results: Results, out: Path, console: Console) -> None:
    """The files: JSON, and a picture if it can be drawn."""
    out.mkdir(parents=True, exist_ok=True)
    save(results, out / "results.json")
    if find_spec("matplotlib") is None:
        console.print("no picture: matplotlib is not installed")
        return
    from tests.benchmarks.plot import draw  # noqa: PLC0415  # it may be missing

    for name in ("results.svg", "results.png"):
        draw(results, out / name)


def judge(before: Path, after: Path, console: Console) -> int:
    """Print every change; 1 if one is for the worse."""
    old, new = load(before), load(after)
    found = list(compare.changes(old, new))
    for change in found:
        console.print(str(change), highlight=False, markup=False)
    failed = compare.lost(old, new)
    for one in failed:
        console.print(f"FAILED      {one.workload} at {one.asked:,}: {one.failed}", markup=False)
    return int(bool(failed) or any(change.is_regression for change in found))


def main(given: Sequence[str] | None = None) -> int:
    """What the process exits with: 1 if trido is worse, or something that must work does not."""
    options = arguments(given)
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    if options.compare:
        before, after = options.compare
        return judge(before, after, console)
    if options.show:
        results = load(options.show)
        if options.rst:
            page = growth if growth.is_growth(results) else table
            print(page.for_documentation(results))
        else:
            show(results, console)
        return 0
    results = run(options, console)
    show(results, console)
    write(results, options.out, console)
    return int(any(one.contender in {"trido", "trio", "asyncio"} for one in results.failures()))


if __name__ == "__main__":
    sys.exit(main())
