"""Measuring: every contender in turn, round after round, each in a process of its own.

Rounds are interleaved, so that a disturbance of the machine hits all contenders alike, and each
round begins with another of them.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, final

from attrs import field, frozen

from tests.benchmarks.results import Measured, Results
from tests.benchmarks.workloads import Workload

ROOT: Final = Path(__file__).parents[2]
CONTENDERS: Final = tuple(
    "trido trio asyncio pykka thespian xoscar autogen triotp mode".split(),
)
PATIENCE: Final = 600
"""How many seconds a child may take."""


class ChildError(Exception):
    """A child said nothing that can be used."""


def ask_child(python: str, *arguments: str) -> dict[str, Any]:
    """Run a child; what it says.

    Raises:
      ChildError: it failed, or took too long.
    """
    command = [python, "-m", "tests.benchmarks.child", *arguments]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise ChildError(f"not done after {PATIENCE} s") from None
    if done.returncode:
        raise ChildError((done.stderr.strip() or f"exit {done.returncode}").splitlines()[-1])
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@final
@frozen
class Contender:
    """Whoever is measured, and with which interpreter."""

    name: str
    python: str = sys.executable
    version: str = ""
    functions: tuple[str, ...] = ()
    limits: Mapping[str, int] = field(factory=dict, eq=False)

    @classmethod
    def described(cls, name: str, python: str) -> Contender:
        """As it says itself; one that cannot be imported has no functions."""
        said = ask_child(python, name)
        if "missing" in said:
            return cls(name, python, f"not measured: {said['missing']}")
        return cls(name, python, said["version"], tuple(said["functions"]), said["limits"])


@final
@frozen
class Job:
    """A workload for a contender, at a size."""

    contender: Contender
    workload: Workload
    asked: int
    warm_up: int
    clock: Literal["wall", "cpu"] = "wall"

    @property
    def size(self) -> int:
        return min(self.asked, self.contender.limits.get(self.workload.function, self.asked))

    def run(self) -> dict[str, float]:
        function, warm_up = self.workload.function, min(self.warm_up, self.size)
        return ask_child(
            self.contender.python,
            self.contender.name,
            function,
            str(self.size),
            str(warm_up),
            self.clock,
        )


def jobs(
    contenders: Iterable[Contender],
    workload: Workload,
    asked: int,
    clock: Literal["wall", "cpu"] = "wall",
) -> list[Job]:
    """What is to be done in each round, by those that can."""
    return [
        Job(contender, workload, asked, min(workload.warm_up, asked), clock)
        for contender in contenders
        if workload.function in contender.functions
    ]


def in_rounds(groups: Sequence[Sequence[Job]], rounds: int) -> Iterator[Job]:
    """Group by group, round after round; each round begins with the next contender."""
    for number in range(rounds):
        for group in groups:
            first = number % len(group) if group else 0
            yield from (*group[first:], *group[:first])


def measure(
    contenders: Sequence[Contender],
    groups: Sequence[Sequence[Job]],
    rounds: int,
    order: Iterable[Job],
) -> Results:
    """Do the jobs of ``order``. A job that fails is not tried again, and has no figures."""
    machine = describe_machine()
    figures: dict[Job, list[dict[str, float]]] = {job: [] for group in groups for job in group}
    failed: dict[Job, str] = {}
    for job in order:
        if job in failed:
            continue
        try:
            figures[job].append(job.run())
        except ChildError as error:
            failed[job] = str(error)
    return Results(
        machine=machine,
        rounds=rounds,
        contenders={contender.name: contender.version for contender in contenders},
        measured=tuple(_measured(job, figures[job], failed.get(job)) for job in figures),
    )


def _measured(job: Job, rounds: list[dict[str, float]], failed: str | None) -> Measured:
    done = () if failed else tuple(rounds)
    return Measured(job.workload.id, job.contender.name, job.asked, job.size, done, failed)


def describe_machine() -> dict[str, str]:
    git = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "trido": commit.stdout.strip() or "of no commit",
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "cpus": str(os.cpu_count()),
        "load at the start": f"{os.getloadavg()[0]:.2f}",
    }
