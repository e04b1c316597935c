"""What is said of changes, and what is kept of a run. The run itself is no test: it takes long."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.mutation.book import Book
from tests.mutation.judging import (
    Change,
    Mutant,
    Outcome,
    judged,
    lines_of,
    numbered,
    runs_the_same,
    verdict,
)
from tests.mutation.parts import PARTS

ROOT = Path(__file__).parents[2]
SURVIVORS = Path(__file__).with_name("survivors.toml").read_text(encoding="utf-8")

ADD = Change("room.thing.Thing.add", "a + b", "a - b")
SUM = Change("room.thing.sum_of", "return 0", "return 1")


def test_a_change_is_known_by_its_lines_and_not_by_where_they_are() -> None:
    before = "def f(a, b):\n    c = a\n    return c + b\n"
    after = "def f(a, b):\n    c = a\n    return c - b\n"
    assert lines_of(before, after) == ("return c + b", "return c - b")


def test_an_argument_that_is_taken_out_leaves_nothing_behind() -> None:
    assert lines_of("f(\n    a,\n    b,\n)", "f(\n    a,\n)") == ("b,", "")


def test_changes_that_read_alike_are_numbered() -> None:
    assert [one.nth for one in numbered([("f", "a", "b"), ("f", "a", "c"), ("f", "a", "b")])] == [
        *(1, 1, 2)
    ]


def test_the_module_of_a_change_is_what_comes_before_its_class() -> None:
    assert {ADD.module, SUM.module, Change("room.thing._Thing.add", "", "").module} == {
        "room.thing"
    }


@pytest.mark.parametrize(
    ("was", "now", "same"),
    [
        ('job = cast("Job", self.job)', 'job = cast("XXJobXX", self.job)', True),
        ('job = cast("Job", self.job)', "job = cast(None, self.job)", True),
        ('job = cast("Of[[A, B], C]", job)', "job = cast(None, job)", True),
        ('job = cast("Of[[A, B], C]", job)', 'job = cast("Of[[A, B], C]", None)', False),
        ('job = cast("Job", self.job)', 'job = cast("Job", None)', False),
        ('job = cast("Job", self.job)', 'job = cast("Job", )', False),
    ],
)
def test_what_only_type_checkers_read_is_no_change(was: str, now: str, *, same: bool) -> None:
    assert runs_the_same(Change("f", was, now)) is same


def test_the_list_of_survivors_is_read_with_its_reasons() -> None:
    text = """
    [[because]]
    why = "Nobody sees it."
    changes = [["room.thing.Thing.add", "a + b", "a - b"], ["f", "1", "2", 2]]
    """
    assert judged(text) == {ADD: "Nobody sees it.", Change("f", "1", "2", 2): "Nobody sees it."}
    assert judged("") == {}


@pytest.mark.parametrize(
    "text",
    [
        '[[because]]\nwhy = " "\nchanges = [["f", "1", "2"]]',
        '[[because]]\nwhy = "so"\nchanges = [["f", "1", "2"], ["f", "1", "2"]]',
    ],
)
def test_a_survivor_has_one_reason(text: str) -> None:
    with pytest.raises(ValueError, match="no reason, or two: f"):
        judged(text)


def test_a_change_that_was_judged_still_counts_as_unnoticed() -> None:
    outcomes: dict[Change, Outcome] = {Change("m.f", str(n), "x"): "noticed" for n in range(18)}
    outcomes[SUM] = "too long"
    outcomes[ADD] = "unnoticed"
    said = verdict(outcomes, {ADD: "so"}, {"m", "room.thing"})
    assert said.good
    assert said.text.splitlines()[1:] == [
        "m                                             18       18         0       0           0",
        "room.thing                                     2        1         1       1           0",
        "19 of 20 changes were noticed: 95.0%",
    ]
    del outcomes[SUM]
    assert not verdict(outcomes, {ADD: "so"}, {"m", "room.thing"}).good


def test_a_change_that_nobody_has_judged_is_shown() -> None:
    outcomes: dict[Change, Outcome] = {Change("m.f", str(n), "x"): "noticed" for n in range(50)}
    outcomes[Change("room.f", "1", "2", 2)] = "unnoticed"
    said = verdict(outcomes, {}, {"m", "room"})
    assert not said.good
    assert said.text.splitlines()[:3] == [
        "not noticed, and not judged: room.f (no. 2)",
        "  - 1",
        "  + 2",
    ]


def test_an_entry_that_is_stale_is_told_if_its_module_was_looked_at() -> None:
    reasons = {ADD: "so", SUM: "so", Change("elsewhere.f", "1", "2"): "so"}
    said = verdict({ADD: "noticed"}, reasons, {"room.thing"})
    assert not said.good
    assert [line for line in said.text.splitlines() if line.startswith("judged")] == [
        "judged, but noticed by now: room.thing.Thing.add",
        "judged, but there is no such change: room.thing.sum_of",
    ]


def test_a_run_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    add, other = Mutant(ADD, "add_1", "digest"), Mutant(SUM, "sum_1", "digest")
    book = Book(path, "copy")
    assert book.is_open(add, 0)
    book.write(0, add, "noticed")
    book.write(0, other, "unnoticed")
    again = Book(path, "copy")
    assert not again.is_open(add, 1)
    assert [again.is_open(other, number) for number in (0, 1)] == [False, True]
    assert again.outcomes([add, other]) == {ADD: "noticed", SUM: "unnoticed"}


def test_what_was_noticed_holds_until_its_function_changes_and_the_rest_until_anything_does(
    tmp_path: Path,
) -> None:
    path = tmp_path / "found.jsonl"
    book = Book(path, "copy")
    book.write(0, Mutant(ADD, "add_1", "digest"), "too long")
    book.write(0, Mutant(SUM, "sum_1", "digest"), "unnoticed")
    later = Book(path, "another copy")
    assert not later.is_open(Mutant(ADD, "add_7", "digest"), 0)
    assert later.is_open(Mutant(ADD, "add_1", "another digest"), 0)
    assert later.is_open(Mutant(SUM, "sum_1", "digest"), 0)


def test_every_survivor_in_the_list_is_in_a_file_that_is_changed() -> None:
    modules = {
        source.removesuffix(".py").replace("/", ".")
        for part in PARTS.values()
        for source in part.sources
    }
    assert {change.module for change in judged(SURVIVORS)} <= modules
    assert set(tomllib.loads(SURVIVORS)) <= {"because"}


@pytest.mark.parametrize("part", PARTS)
def test_every_file_and_every_test_that_a_part_names_is_there(part: str) -> None:
    names = [*PARTS[part].sources, *(name for tests in PARTS[part].rounds for name in tests)]
    assert [one for one in names if one[0] != "-" and not list(ROOT.glob(one))] == []
