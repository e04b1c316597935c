"""What each costs as there are more, and whether that is linear."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.benchmarks import __main__ as command
from tests.benchmarks import growth
from tests.benchmarks.results import Measured, Results, save
from tests.benchmarks.workloads import RAW, by_id

SIZES = (100, 1_000, 10_000)


def results(id: str, **figures: Sequence[float]) -> Results:
    """A figure at each size, of each contender."""
    metric = (by_id(id).metrics[0]).name
    measured = tuple(
        Measured(id, name, size, size, ({metric: figure},))
        for name, some in figures.items()
        for size, figure in zip(SIZES, some, strict=False)
    )
    return Results({}, 1, dict.fromkeys(figures, "1.0"), measured)


@pytest.mark.parametrize(
    ("rates", "power", "verdict"),
    [
        ([1_000, 1_000, 1_000], 1.0, "linear"),
        ([1_000, 1_100, 1_300], 0.94, "linear"),
        ([1_000, 800, 630], 1.1, "linear"),
        ([1_000, 900, 100], 1.5, "MORE"),
        ([1_000, 100, 10], 2.0, "MORE"),
    ],
)
def test_growth_is_linear_if_each_costs_the_same(
    rates: Sequence[float], power: float, verdict: str
) -> None:
    (one,) = growth.growths(results("W5", trido=rates))
    assert one.power == pytest.approx(power, abs=0.01)
    assert one.cells()[-1] == verdict


def test_of_a_rate_each_costs_time_and_other_figures_are_costs() -> None:
    (rate,) = growth.growths(results("W5f", trido=[1_000, 2_000, 4_000]))
    assert (rate.unit, rate.costs) == (
        "µs per function",
        ((100, 1000), (1_000, 500), (10_000, 250)),
    )
    (memory,) = growth.growths(results("W7f", trido=[1, 2, 3]))
    assert (memory.unit, memory.costs) == ("KiB each", ((100, 1), (1_000, 2), (10_000, 3)))


def test_what_lacks_a_size_has_no_growth() -> None:
    found = results("W5", trido=[1, 1, 1], trio=[1, 1])
    assert [one.contender for one in growth.growths(found)] == ["trido"]
    assert not list(growth.growths(results("W5", trido=[1])))


def test_only_several_sizes_are_growth() -> None:
    assert growth.is_growth(results("W5", trido=[1, 1]))
    assert not growth.is_growth(results("W5", trido=[1]))


def test_the_tables_show_what_each_costs_and_a_verdict() -> None:
    found = results("W5", **{"trido": [1_000, 100, 10], RAW: [500, 500, 500]})
    console = Console(width=150, record=True, file=StringIO())
    console.print(growth.for_terminal(found))
    for text in (console.export_text(), growth.for_documentation(found)):
        assert all(part in text for part in ("µs per agent", "1k of 100", "n^2.00", "MORE"))
        assert all(part in text for part in ("2k of 10,000", "n^1.00", "linear"))


def test_the_command_shows_growth_where_there_is_some(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(results("W5", trido=[1, 1, 1]), tmp_path / "grown.json")
    save(results("W5", trido=[1]), tmp_path / "one.json")
    for name, shown in (("grown.json", 2), ("one.json", 0)):
        assert command.main(["--show", str(tmp_path / name)]) == 0
        assert command.main(["--show", str(tmp_path / name), "--rst"]) == 0
        assert capsys.readouterr().out.count("n^1.00") == shown
