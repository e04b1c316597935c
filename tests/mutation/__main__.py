"""Changes what decides, one small thing at a time, and looks for tests that notice.

``python -m tests.mutation supervision`` needs the extra ``mutation``, works on a copy, and takes
from minutes to hours: see docs/contributing.rst.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
WANTED = 0.95
"""Which part of the changes is to be noticed."""

PARTS: dict[str, tuple[list[str], list[str]]] = {
    "supervision": (
        [
            "trido/supervision/decision.py",
            "trido/supervision/deciding",
            "trido/supervision/policy.py",
        ],
        [
            "tests/faults/test_decision_paths.py",
            "tests/conformance/test_explain.py",
            "tests/conformance/test_a_startup.py",
            "tests/conformance/test_b_restart_types.py",
            "tests/conformance/test_c_intensity.py",
            "tests/conformance/test_d_strategies.py",
            "tests/conformance/test_e_shutdown.py",
            "tests/conformance/test_f_api.py",
            "tests/conformance/test_g_auto_shutdown.py",
        ],
    ),
    "cron": (["trido/agents/cron.py"], ["tests/agents/test_cron.py"]),
}
"""What is changed, and which tests are to notice: such as can run twice in one process."""

CONFIG = """
[tool.mutmut]
source_paths = {sources}
pytest_add_cli_args_test_selection = {tests}
also_copy = ["trido", "tests", "docs", "examples", "README.md"]
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--tests", nargs="*", default=[], help="further tests that are to notice")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    given = parser.parse_args()
    sources, tests = PARTS[given.part]
    with tempfile.TemporaryDirectory(prefix="trido-mutation-") as name:
        copy = Path(name)
        take_copy(copy)
        said = CONFIG.format(sources=json.dumps(sources), tests=json.dumps([*tests, *given.tests]))
        with (copy / "pyproject.toml").open("a", encoding="utf-8") as file:
            file.write(said)
        mutmut(copy, "run", "--max-children", str(given.processes))
        return report(mutmut(copy, "results", "--all", "true", quiet=True))


def take_copy(to: Path) -> None:
    """What is in the repository, as it is in the working tree."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)


def mutmut(at: Path, *arguments: str, quiet: bool = False) -> str:
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "ci"}
    command = [sys.executable, "-m", "mutmut", *arguments]
    output = subprocess.PIPE if quiet else None
    done = subprocess.run(command, cwd=at, env=environment, check=True, stdout=output, text=True)
    return done.stdout or ""


def report(results: str) -> int:
    """Show what no test has noticed; whether that is too much."""
    found = [line.strip().rsplit(": ", 1) for line in results.splitlines() if ": " in line]
    noticed = {"killed", "timeout", "suspicious", "segfault"}
    unnoticed = [name for name, outcome in found if outcome not in noticed]
    for name in unnoticed:
        print(f"not noticed: {name}")
    rate = 1 - len(unnoticed) / max(len(found), 1)
    print(f"{len(found) - len(unnoticed)} of {len(found)} changes were noticed: {rate:.1%}")
    return int(rate < WANTED)


if __name__ == "__main__":
    sys.exit(main())
