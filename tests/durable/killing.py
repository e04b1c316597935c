"""Lives, one after another over the same files, and the judge after each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final, final

from attrs import Factory, define

from tests.durable.judge import Judge
from tests.durable.life import Life
from tests.durable.points import POINTS

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 30.0
"""How long one that is to come to an end by itself may take."""


@final
class Children:
    """What makes processes: see `tests.durable.child`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def live(self, life: Life) -> tuple[int, str]:
        """Its status, and what it said."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{life}\n")
        self._process.stdin.flush()
        status, said = json.loads(self._process.stdout.readline())
        return status, said


@contextmanager
def children() -> Generator[Children]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.durable.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        yield Children(process)
        assert process.stdin
        process.stdin.close()


@final
@define
class Report:
    """What came of many lives."""

    kills: int = 0
    at: Counter[str] = Factory(Counter)
    """How many died at which crash point."""
    counts: Counter[str] = Factory(Counter)
    findings: list[str] = Factory(list)


def lives(directory: Path, kills: int, random: Random, report: Report) -> Iterator[Life]:
    """Half of them die anywhere, half at a crash point, until so many were killed."""
    for number in range(3 * kills):
        if report.kills >= kills and report.at.keys() >= POINTS.keys():
            break
        how = at_a_point(random, report) if number % 2 else anywhere(random)
        yield Life(directory=str(directory), number=number, **how)
    yield Life(directory=str(directory), number=3 * kills, last=True, seconds=PATIENCE)


def anywhere(random: Random) -> dict[str, Any]:
    """Some are killed when they stop in order, or have stopped."""
    return {"seconds": random.uniform(0.0, 0.7), "leaves": random.choice((0.3, 9.0, 9.0))}


def at_a_point(random: Random, report: Report) -> dict[str, Any]:
    """One of those where the fewest have died so far."""
    at = min(random.sample([*POINTS], len(POINTS)), key=report.at.__getitem__)
    return {"at": at, "nth": random.randint(1, POINTS[at]), "leaves": 0.7, "seconds": 15.0}


def judged(directory: Path, lives: Iterable[Life], report: Report) -> None:
    """Live them, one after another, until the judge finds something."""
    judge = Judge(directory)
    with children() as process:
        for life in lives:
            live(process, life, report)
            report.findings += judge.look(last=life.last)
            if report.findings:
                report.findings = [*report.findings[:20], f"after {life}"]
                break
    report.counts = judge.counts


def live(process: Children, life: Life, report: Report) -> None:
    """One process. It is killed, or ends in order; nothing else may happen to it."""
    status, said = process.live(life)
    stuck = life.last or (life.at and not said)
    if status == -signal.SIGKILL and not stuck:
        report.kills += 1
        report.at[said or "any moment"] += 1
    elif status != 0:
        report.findings.append(f"it ended with {status}: {said}")
