"""Mutates a module of trido, one small change at a time, and looks for tests that notice.

``python -m tests.mutation trido/supervision/decision.py --sample 100``. It works on a copy of what
is in the repository, and takes hours for a large module: see docs/contributing.rst.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WANTED = 0.95

TESTS = {
    "trido/supervision/decision.py": [
        "tests/faults/test_decision_paths.py",
        "tests/supervision/test_internals.py",
        "tests/conformance/test_b_restart_types.py",
        "tests/conformance/test_c_intensity.py",
        "tests/conformance/test_d_strategies.py",
        "tests/conformance/test_e_shutdown.py",
        "tests/conformance/test_g_auto_shutdown.py",
        "tests/conformance/test_f_api.py",
        "tests/conformance/test_a_startup.py",
        "tests/faults/test_decision_machine.py",
    ],
    "trido/supervision/policy.py": ["tests/conformance/test_f_api.py", "tests/supervision"],
    "trido/agents/patterns.py": ["tests/agents/test_patterns.py", "tests/agents/test_routing.py"],
    "trido/agents/routing.py": ["tests/agents/test_routing.py", "tests/agents/test_definition.py"],
    "trido/agents/cron.py": ["tests/agents/test_cron.py"],
    "trido/agents/schema.py": ["tests/agents/test_schema.py", "tests/agents/test_shapes.py"],
    "trido/agents/shapes.py": ["tests/agents/test_schema.py", "tests/agents/test_shapes.py"],
}
"""Which tests are to notice, the quickest first: the first that fails ends it."""

CONFIG = """\
[cosmic-ray]
module-path = {module!r}
timeout = 120.0
excluded-modules = []
test-command = {command!r}

[cosmic-ray.distributor]
name = "local"
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("module", choices=TESTS)
    parser.add_argument("--sample", type=int, help="how many changes to try; without it, all")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trido-mutation-") as name:
        copy = Path(name)
        take_copy(copy)
        (copy / "mutation.toml").write_text(config(given.module), encoding="utf-8")
        cosmic_ray(copy, "init", "mutation.toml", "mutation.sqlite")
        session = copy / "mutation.sqlite"
        if given.sample is not None:
            keep(session, given.sample, given.seed)
        cosmic_ray(copy, "baseline", "mutation.toml")  # without a change they pass
        cosmic_ray(copy, "exec", "mutation.toml", "mutation.sqlite")
        return report(session)


def take_copy(to: Path) -> None:
    """What is in the repository, as it is in the working tree."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)


def config(module: str) -> str:
    python = os.environ.get("TRIDO_PYTHON", sys.executable)
    tests = " ".join(TESTS[module])
    command = f"{python} -m pytest -x -q --no-header -p no:cacheprovider {tests}"
    return CONFIG.format(module=module, command=command)


def cosmic_ray(at: Path, *arguments: str) -> None:
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "ci"}
    command = [sys.executable, "-m", "cosmic_ray.cli", *arguments]
    subprocess.run(command, cwd=at, env=environment, check=True)


def database(session: Path) -> Any:
    work_db = importlib.import_module("cosmic_ray.work_db")
    return work_db.use_db(str(session))


def keep(session: Path, number: int, seed: int) -> None:
    """Try only so many."""
    item = importlib.import_module("cosmic_ray.work_item")
    skipped = item.WorkResult(item.WorkerOutcome.SKIPPED)
    with database(session) as found:
        order = sorted(found.pending_work_items, key=lambda one: str(one.mutations))
        jobs = [one.job_id for one in order]
        kept = set(random.Random(seed).sample(jobs, min(number, len(jobs))))
        for job in jobs:
            if job not in kept:
                found.set_result(job, skipped)


def report(session: Path) -> int:
    """Show what no test has noticed; whether that is too much."""
    outcomes: Counter[str] = Counter()
    with database(session) as found:
        for work, result in found.completed_work_items:
            if result.test_outcome is None:
                continue
            outcome = result.test_outcome.value
            outcomes[outcome] += 1
            if outcome == "survived":
                show(work, result)
    tried = outcomes.total()
    killed = tried - outcomes["survived"]
    print(f"{killed} of {tried} changes were noticed: {killed / max(tried, 1):.1%}")
    return int(killed < WANTED * tried)


def show(work: Any, result: Any) -> None:
    (mutation,) = work.mutations
    line, _ = mutation.start_pos
    print(f"{mutation.module_path}:{line}: {mutation.operator_name}")
    changed = [one for one in (result.diff or "").splitlines() if one[:1] in "+-"]
    print("\n".join(f"    {one}" for one in changed if not one.startswith(("+++", "---"))))


if __name__ == "__main__":
    sys.exit(main())
