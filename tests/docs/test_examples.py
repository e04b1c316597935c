"""Every example runs, as the script it is."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path: Path) -> None:
    names = runpy.run_path(str(path), run_name="__main__")
    assert callable(names["main"])
