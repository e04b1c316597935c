"""Every example runs, as the script it is, and prints what its docstring says."""

import ast
import runpy
import sys
import textwrap
from pathlib import Path

import pytest

EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/*.py"))


def promised(path: Path) -> str | None:
    """What stands below "It prints::" in the docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    _, prints, text = docstring.partition("It prints::\n\n")
    return textwrap.dedent(text) if prints else None


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(path)])
    names = runpy.run_path(str(path), run_name="__main__")
    assert callable(names["main"])
    text = promised(path)
    assert text is None or capsys.readouterr().out.strip() == text.strip()
