"""What the tutorial has readers do at their own terminal, done as it says."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "durability.rst"


def blocks(language: str) -> list[str]:
    found = re.findall(
        rf"^\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)", PAGE.read_text(), re.MULTILINE
    )
    return [textwrap.dedent(block) for block in found]


def until_killed(lines: int) -> list[str]:
    """What it prints until it is killed."""
    program = subprocess.Popen([sys.executable, "station.py"], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    with program, program.stdout as said:
        seen = [next(said).rstrip("\n") for _ in range(lines)]
        program.kill()
    return seen


@pytest.mark.real_time
def test_the_station_that_is_killed_and_started_again() -> None:
    (program,) = blocks("python3")
    Path("station.py").write_text(program)
    for shown in blocks("console"):
        command, *lines = shown.split("\n")
        assert command == "$ python station.py"
        expected = [line for line in lines if line not in {"", "Killed"}]
        assert until_killed(len(expected)) == expected
