"""What the documentation draws of the tables is what is in them: every entry, and nothing else."""

import copy
import re
from typing import Any

import pytest

from docs._ext import directive_life, drawings
from trido.journal.rules import MOVES
from trido.supervision.tables import ENDS, LIFECYCLE, REFUSALS

Transition = tuple[str, str, str]


def drawn(svg: str) -> set[Transition]:
    """The transitions that a picture shows, those of its frame for each state in it."""
    found: set[Transition] = set()
    for source, trigger, target in re.findall(
        r'data-from="(.*?)" data-trigger="(.*?)" data-to="(.*?)"', svg
    ):
        sources = drawings.FRAMED if source == drawings.FRAME else [source]
        found |= {(one, trigger, target) for one in sources}
    return found


def in_table(table: drawings.Table) -> set[Transition]:
    return {(one, trigger, to) for one, ways in table.items() for trigger, to in ways.items()}


def cells(text: str) -> list[list[str]]:
    rows: list[list[str]] = []
    for line in text.splitlines()[3:]:
        if line.startswith("   * -"):
            rows.append([])
        rows[-1].append(line[6:].strip(' `*"'))
    return rows


def test_the_picture_shows_every_transition_and_no_other() -> None:
    svg = drawings.lifecycle_svg(LIFECYCLE)
    assert drawn(svg) == in_table(LIFECYCLE)
    assert set(re.findall(r'data-state="(.*?)"', svg)) == LIFECYCLE.keys()


@pytest.mark.parametrize("entry", sorted(in_table(LIFECYCLE)))
def test_the_picture_follows_the_table(entry: Transition) -> None:
    state, trigger, _ = entry
    changed: dict[Any, dict[Any, Any]] = copy.deepcopy({**LIFECYCLE})
    changed[state][trigger] = "parked" if state != "parked" else "zombie"
    assert drawn(drawings.lifecycle_svg(changed)) == in_table(changed)
    del changed[state][trigger]
    assert drawn(drawings.lifecycle_svg(changed)) == in_table(changed)


def test_a_state_without_a_spot_on_the_map_is_an_error() -> None:
    with pytest.raises(KeyError, match="asleep"):
        drawings.lifecycle_svg({**LIFECYCLE, "asleep": {}})


def test_the_table_of_the_lifecycle() -> None:
    head, *rows = cells(drawings.lifecycle_table(LIFECYCLE))
    found = {
        (row[0], trigger, target)
        for row in rows
        for trigger, target in zip(head[1:], row[1:], strict=True)
        if target
    }
    assert found == in_table(LIFECYCLE)


def test_the_table_of_ends() -> None:
    _, *rows = cells(drawings.ends_table(ENDS))
    answer = {True: "yes", False: "no"}
    assert rows == [
        [restart, how, answer[rule.reported], answer[rule.restarted]]
        for (restart, how), rule in ENDS.items()
    ]


def test_the_table_of_refusals() -> None:
    refusals: dict[Any, dict[Any, Any]] = {**REFUSALS}
    head, *rows = cells(drawings.refusals_table(refusals, LIFECYCLE))
    assert head[1:] == list(refusals)
    for state, *answers in rows:
        for refused, answer in zip(refusals.values(), answers, strict=True):
            error: Any = refused.get(state)
            assert answer == (error.__name__ if error else "served")


def test_the_picture_of_directives_shows_every_move_and_no_other() -> None:
    svg = directive_life.svg(MOVES)
    found = set(re.findall(r'data-from="(.*?)" data-to="(.*?)"', svg))
    expected = {(one, to) for one, targets in MOVES.items() for to in targets if to != one}
    assert found == expected
    assert set(re.findall(r'data-state="(.*?)"', svg)) == {one for move in found for one in move}
    fewer: dict[Any, Any] = {**MOVES, "started": MOVES["started"] - {"unknown"}}
    assert "unknown" not in directive_life.svg(fewer)
