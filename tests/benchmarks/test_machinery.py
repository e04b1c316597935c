"""The machinery around the workloads: rounds, files, tables, comparison, the command."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.benchmarks import __main__ as command
from tests.benchmarks import compare, rounds
from tests.benchmarks.results import Measured, Results, load, save, spread
from tests.benchmarks.rounds import ChildError, Contender, in_rounds, jobs
from tests.benchmarks.table import for_documentation, for_terminal, human, verdict
from tests.benchmarks.workloads import WORKLOADS, by_id, named

W1, W7 = by_id("W1-fresh"), by_id("W7")


def measured(workload: str, contender: str, *values: float, size: int = 10) -> Measured:
    metric = by_id(workload).metrics[0].name
    return Measured(workload, contender, size, size, tuple({metric: value} for value in values))


def results(*measured: Measured, rounds: int = 3) -> Results:
    names = dict.fromkeys((one.contender for one in measured), "1.0")
    return Results({"cpus": "2"}, rounds, names, measured)


def beside_raw(*values: float) -> Results:
    """trido beside a raw Trio that does 100 in every round."""
    raw = measured("W1-fresh", "trio", *([100.0] * len(values)))
    return results(measured("W1-fresh", "trido", *values), raw)


# Workloads -----------------------------------------------------------------------------------


def test_workloads_are_found_by_name() -> None:
    assert [one.id for one in named(["w1"])] == ["W1-fresh", "W1-ready"]
    assert [one.id for one in named(["W2b", "W1-ready"])] == ["W1-ready", "W2b"]
    assert named([]) == list(WORKLOADS)
    with pytest.raises(ValueError, match="no workload W99"):
        named(["W99"])


def test_processor_time_is_taken_of_what_does_not_wait() -> None:
    one = Contender("a", functions=("w1_fresh", "w8"))
    options = command.arguments(["--cpu", "--only", "W1-fresh,W8"])
    ((job,),) = command.grouped([one], options)
    assert (job.workload, job.clock) == (W1, "cpu")
    options = command.arguments(["--only", "W1-fresh,W8"])
    assert [job.clock for (job,) in command.grouped([one], options)] == ["wall", "wall"]


def test_a_goal_is_reached_from_the_better_side() -> None:
    more, less = W1.metrics[0], W7.metrics[0]
    assert more.reaches(3, 3)
    assert not more.reaches(2.9, 3)
    assert less.reaches(1, 1)
    assert not less.reaches(1.1, 1)


# Rounds --------------------------------------------------------------------------------------


def contender(name: str, **limits: int) -> Contender:
    return Contender(name, "python", "1.0", ("w1_fresh", "w7"), limits)


def test_each_round_does_everything_and_begins_with_another() -> None:
    both = [contender("a"), contender("b")]
    groups = [jobs(both, W1, 5), jobs(both, W7, 5)]
    order = [(job.workload.id, job.contender.name) for job in in_rounds(groups, 2)]
    assert order == [
        *[("W1-fresh", "a"), ("W1-fresh", "b"), ("W7", "a"), ("W7", "b")],
        *[("W1-fresh", "b"), ("W1-fresh", "a"), ("W7", "b"), ("W7", "a")],
    ]


def test_nobody_is_given_what_they_cannot_do_nor_more_than_their_limit() -> None:
    assert jobs([contender("a")], by_id("W6"), 5) == []
    (job,) = jobs([contender("a", w7=3)], W7, 100)
    assert (job.asked, job.size) == (100, 3)


def test_a_job_that_fails_has_no_figures_and_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def ask_child(python: str, *arguments: str) -> dict[str, float]:
        asked.append(arguments[0])
        if arguments[0] == "bad" and asked.count("bad") > 1:
            raise ChildError("it broke")
        return {"per_second": 1.0}

    monkeypatch.setattr(rounds, "ask_child", ask_child)
    both = [contender("good"), contender("bad")]
    groups = [jobs(both, W1, 5)]
    found = rounds.measure(both, groups, 3, in_rounds(groups, 3))
    good, bad = found.measured
    assert (len(good.rounds), good.failed) == (3, None)
    assert (bad.rounds, bad.failed) == ((), "it broke")
    assert asked.count("bad") == 2


def test_a_child_that_fails_says_why() -> None:
    with pytest.raises(ChildError, match=r"AttributeError: .*w0"):
        rounds.ask_child(sys.executable, "trio", "w0", "1", "1", "wall")


def test_a_library_that_is_missing_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "ask_child", lambda *_: {"missing": "No module named 'x'"})
    found = Contender.described("pykka", "python")
    assert found.version == "not measured: No module named 'x'"
    assert not jobs([found], W1, 5)


# Files and tables ----------------------------------------------------------------------------


def test_results_survive_the_file(tmp_path: Path) -> None:
    before = results(measured("W1-fresh", "trido", 1, 2), Measured("W7", "trio", 1, 1, (), "no"))
    save(before, tmp_path / "a.json")
    assert load(tmp_path / "a.json") == before


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"format": 0}))
    with pytest.raises(ValueError, match="no results of format"):
        load(path)


@pytest.mark.parametrize(("value", "text"), [(1_234_567, "1.23M"), (9_876, "9.88k"), (0.5, "0.5")])
def test_figures_are_short(value: float, text: str) -> None:
    assert human(value) == text


@pytest.mark.parametrize(("ratio", "reached"), [(3, "aim"), (2.5, "floor"), (2.4, "below")])
def test_a_verdict_is_about_the_ratio_of_the_medians(ratio: float, reached: str) -> None:
    found = beside_raw(1, ratio * 100, 1e6)
    assert verdict(found, W1, 10, W1.metrics[0]) == reached


def test_an_absolute_goal_needs_no_raw_trio() -> None:
    assert verdict(results(measured("W7", "trido", 2.0)), W7, 10, W7.metrics[0]) == "floor"


def test_the_tables_show_medians_ratios_failures_and_smaller_sizes() -> None:
    found = results(
        measured("W1-fresh", "trido", 100, 300, 200),
        measured("W1-fresh", "trio", 100, 100, 100),
        Measured("W1-fresh", "pykka", 10, 10, (), "it broke"),
        Measured("W1-fresh", "mode", 10, 5, ({"per_second": 50.0},)),
    )
    console = Console(width=150, record=True, file=StringIO())
    console.print(for_terminal(found))
    for text in (console.export_text(), for_documentation(found)):
        assert all(part in text for part in ("200", "2x", "failed", "50", "≥ 2.5, 3 x trio"))
    assert "mode W1-fresh at 5" in " ".join(str(for_terminal(found).caption).split())


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    plot = pytest.importorskip("tests.benchmarks.plot", exc_type=ImportError)
    for name, found in (
        ("side.svg", beside_raw(100, 200, 300)),
        ("growth.png", results(*(measured("W7", "trido", 1.0, size=size) for size in (1, 10)))),
    ):
        plot.draw(found, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000


# Comparison ----------------------------------------------------------------------------------


def regressions(old: Sequence[float], new: Sequence[float]) -> list[bool]:
    changes = compare.changes(beside_raw(*old), beside_raw(*new))
    return [change.is_regression for change in changes]


def test_a_regression_is_worse_than_the_noise() -> None:
    assert regressions([100, 101, 102], [80, 81, 82]) == [True]
    assert regressions([100, 101, 102], [120, 121, 122]) == [False]


def test_a_small_or_noisy_change_is_none() -> None:
    assert regressions([100, 101, 102], [97, 98, 99]) == [False]
    assert regressions([80, 100, 130], [60, 85, 110]) == [False]


def test_less_is_better_for_some() -> None:
    old, new = results(measured("W7", "trido", 1, 1, 1)), results(measured("W7", "trido", 2, 2, 2))
    assert [change.is_regression for change in compare.changes(old, new)] == [True]
    assert [change.is_regression for change in compare.changes(new, old)] == [False]


def test_a_slower_machine_is_no_regression() -> None:
    slow = results(
        measured("W1-fresh", "trido", 50, 50, 50), measured("W1-fresh", "trio", 50, 50, 50)
    )
    assert not any(change.is_regression for change in compare.changes(beside_raw(*[100] * 3), slow))


def test_other_sizes_are_not_compared() -> None:
    other = results(measured("W7", "trido", 9, 9, 9, size=20))
    assert not list(compare.changes(results(measured("W7", "trido", 1, 1, 1)), other))


def test_too_few_rounds_are_refused() -> None:
    few = results(measured("W7", "trido", 1, 1), rounds=2)
    with pytest.raises(ValueError, match="2 rounds"):
        list(compare.changes(few, few))


def test_what_fails_now_and_did_not_is_lost() -> None:
    old = beside_raw(1, 1, 1)
    new = results(Measured("W1-fresh", "trido", 10, 10, (), "it broke"))
    assert [one.failed for one in compare.lost(old, new)] == ["it broke"]
    assert not compare.lost(new, new)


def test_the_spread_is_that_of_the_middle_half() -> None:
    assert spread([99, 100, 101, 1000, 1]) == pytest.approx(0.02)


# The command ---------------------------------------------------------------------------------


def test_the_command_measures_shows_writes_and_compares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For real, in children: a small run of one workload."""
    options = f"--quick --only W2 --contenders trido,trio,asyncio --rounds 1 --out {tmp_path}"
    assert command.main(options.split()) == 0
    found = load(tmp_path / "results.json")
    assert {one.contender for one in found.measured} == {"trido", "trio", "asyncio"}
    assert all(len(one.rounds) == 1 and one.failed is None for one in found.measured)
    assert command.main(["--show", str(tmp_path / "results.json")]) == 0
    assert command.main(["--show", str(tmp_path / "results.json"), "--rst"]) == 0
    assert capsys.readouterr().out.count("calls/s") == 3


@pytest.mark.parametrize(("after", "status"), [(100.0, 0), (50.0, 1)])
def test_a_regression_fails(tmp_path: Path, after: float, status: int) -> None:
    before, now = tmp_path / "a.json", tmp_path / "b.json"
    save(beside_raw(100, 100, 100), before)
    save(beside_raw(after, after, after), now)
    assert command.main(["--compare", str(before), str(now)]) == status


def test_growth_is_measured_at_a_hundredth_a_tenth_and_all() -> None:
    options = command.arguments(["--growth"])
    assert command.sizes(W1, options) == [2_000, 20_000, 200_000]
    assert command.sizes(by_id("W11"), options) == []
    assert command.sizes(W7, command.arguments(["--scale", "10"])) == [1_000_000]


@pytest.mark.parametrize(
    "wrong",
    ["--only W99", "--contenders nobody", "--rounds 0", "--python trio", "--quick --growth"],
)
def test_wrong_arguments_are_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.arguments(wrong.split())
    assert "error" in capsys.readouterr().err


# The page ------------------------------------------------------------------------------------


def test_the_page_tells_of_every_workload_and_contender() -> None:
    page = (rounds.ROOT / "docs" / "explanation" / "performance.rst").read_text(encoding="utf-8")
    about, _, _ = page.partition("\nWhy it is fast\n")
    rows = set(re.findall(r"^   \* - (\S+)$", about, re.MULTILINE))
    assert rows == {one.id for one in WORKLOADS} | set(rounds.CONTENDERS) | {
        "Workload",
        "Contender",
    }
