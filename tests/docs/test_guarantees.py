"""Each test that the documentation names as a proof exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROVEN = {
    "README.md": ROOT / "README.md",
    "guarantees": ROOT / "docs" / "explanation" / "guarantees.rst",
}


@cache
def written() -> set[str]:
    return {
        node.name
        for path in ROOT.glob("tests/**/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


def named(page: str) -> list[str]:
    return re.findall(r"`(test_\w+)`", PROVEN[page].read_text())


@pytest.mark.parametrize("page", PROVEN)
def test_every_test_that_is_named_exists(page: str) -> None:
    names = named(page)
    assert names
    assert not set(names) - written()


def test_every_guarantee_names_a_test() -> None:
    rows = re.split(r"^   \* - ", PROVEN["guarantees"].read_text(), flags=re.MULTILINE)[1:]
    assert not [row for row in rows if row[:9] != "guarantee" and "``test_" not in row]
