"""Type checkers see the whole of the example, and refuse what would fail.

What they are to refuse is no ``.py`` file, so that whoever checks the repository does not see it.
"""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ACCEPTED, REFUSED = HERE / "example.py", HERE / "refused.py.txt"


def mypy(*paths: Path) -> set[tuple[str, int]]:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *map(str, paths)]
    env = {**os.environ, "MYPYPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=env)
    assert not ran.stderr, ran.stderr
    errors = [line.split(":") for line in ran.stdout.splitlines() if ": error:" in line]
    return {(Path(path).name, int(line)) for path, line, *_ in errors}


def pyright(*paths: Path) -> set[tuple[str, int]]:
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    command += map(str, paths)
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = json.loads(ran.stdout)["generalDiagnostics"]
    errors = [one for one in said if one["severity"] == "error"]
    return {(Path(one["file"]).name, one["range"]["start"]["line"] + 1) for one in errors}


def planted() -> set[tuple[str, int]]:
    lines = REFUSED.read_text().splitlines()
    return {(REFUSED.stem, n) for n, line in enumerate(lines, 1) if line.endswith("# refused")}


@pytest.mark.real_time
@pytest.mark.parametrize("checker", [mypy, pyright], ids=["mypy", "pyright"])
def test_the_example_is_accepted_and_every_planted_error_is_refused(
    checker: Callable[..., set[tuple[str, int]]], tmp_path: Path
) -> None:
    refused = tmp_path / REFUSED.stem
    shutil.copy(REFUSED, refused)
    assert checker(ACCEPTED, refused) == planted()


def test_the_example_runs() -> None:
    trio.run(runpy.run_path(str(ACCEPTED))["main"], clock=MockClock(autojump_threshold=0))
