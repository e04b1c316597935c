"""Agents as values know no Trio, no clock, no chance, no I/O."""

import ast
from pathlib import Path

import pytest

import trido.agents

MODULES = sorted(Path(trido.agents.__file__).parent.glob("*.py"))
IMPURE = {
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "sys",
    "time",
    "trio",
    "uuid_utils",
}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_pure(module: Path) -> None:
    tree = ast.parse(module.read_text())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
        )
    }
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    # A turn's chance is derived from the turn.
    assert not imported & IMPURE - ({"random"} if module.stem == "turn" else set())
    assert not used & {"now", "utcnow", "uuid4", "open"} - {"now"}
