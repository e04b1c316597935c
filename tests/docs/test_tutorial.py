"""What the tutorial has readers do at their own terminal, done as it says."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"


def blocks(page: str, language: str) -> list[str]:
    text = (TUTORIAL / page).read_text()
    found = re.findall(rf"^\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)", text, re.MULTILINE)
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
    (program,) = blocks("durability.rst", "python3")
    Path("station.py").write_text(program)
    for shown in blocks("durability.rst", "console"):
        command, *lines = shown.split("\n")
        assert command == "$ python station.py"
        expected = [line for line in lines if line not in {"", "Killed"}]
        assert until_killed(len(expected)) == expected


def test_the_station_is_found_to_be_killed_whatever_started_it() -> None:
    text = (TUTORIAL / "durability.rst").read_text()
    (pattern,) = re.findall(r'``pkill -9 -f "(.+?)"``', text)
    for python in ("python", "python3", "/usr/bin/python3.13 -u"):
        assert re.search(pattern, f"{python} station.py")
    assert not re.search(pattern, "vi station.py")


@pytest.mark.real_time
def test_a_second_station_ends_by_a_traceback_that_says_why() -> None:
    (program,) = blocks("durability.rst", "python3")
    Path("station.py").write_text(program)
    first = subprocess.Popen([sys.executable, "station.py"], stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    with first, first.stdout as said:
        assert next(said).startswith("begins with")
        second = subprocess.run(
            [sys.executable, "station.py"], capture_output=True, text=True, check=False, timeout=60
        )
        first.kill()
    assert second.stderr.startswith(("Traceback", "  + Exception Group Traceback"))
    assert "Locked: " in second.stderr.splitlines()[-1]


def trido(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trido", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.real_time
def test_the_weather_under_the_command() -> None:
    (program,) = blocks("testing.rst", "python3")
    (shown,) = blocks("testing.rst", "console")
    Path("weather.py").write_text(program)
    command, _, expected = shown.strip().partition("\n")
    drilled = trido(*command.split()[2:])
    assert drilled.returncode == 0
    assert doctest.OutputChecker().check_output(
        expected + "\n", drilled.stdout, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    Path("bare.py").write_text(program.replace('if __name__ == "__main__":', "if True:"))
    assert 'under `if __name__ == "__main__":`' in trido("run", "bare:app").stderr
    found = re.findall(r"^fail +(\S+):", trido("doctor", "weather:app").stdout, re.MULTILINE)
    assert found == ["observers", "watchdog"]
