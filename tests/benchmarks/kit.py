"""What every contender uses: clocks, checks and figures. Standard library only.

Every contender is measured in a process that has little more than its own library.
"""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

Figures = dict[str, float]
"""What one run of a workload measured: the names are those of its metrics."""

MAILBOX: Final = 1024
"""How many messages wait at most, where that can be said."""
CALLERS: Final = 100
"""How many call at once in W2b."""
ROUNDS: Final = 100
"""How often W3 sends to every agent."""
LAPS: Final = 100
"""How often the token of W4 goes round."""
SIBLINGS: Final = 1000
"""How many agents stand beside the one that crashes in W6."""
PINGS: Final = 20
"""How many messages those get in each millisecond."""
TICK: Final = 1e-3
"""A millisecond, in seconds."""
WORK: Final = 20e-6
"""How long the hot agent of W8 works on each message."""
QUEUED: Final = 500
"""How many messages wait for it."""
SIGNALS: Final = 100_000
"""How many signals W10 matches."""
FEW: Final = 10
"""The small table of W10."""


class WrongEndStateError(Exception):
    """A contender did something else than the workload says: its figures would mean nothing."""


class CrashError(Exception):
    """The crash that W6 orders."""


def verify(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise WrongEndStateError(f"{what}: {found!r}, not {expected!r}")


def per_second(number: int, began: float) -> Figures:
    """The rate since ``began``; call it at once."""
    return {"per_second": number / (perf_counter() - began)}


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that so many percent do not exceed."""
    ranked = sorted(samples)
    return ranked[max(0, ceil(len(ranked) * percent / 100) - 1)]


class Countdown:
    """Tells when so many messages have been handled: each handler says so, in every contender."""

    __slots__ = ("_left", "_reached")

    def __init__(self) -> None:
        self._left = 0
        self._reached: Callable[[], object] = int

    def expect(self, number: int, reached: Callable[[], object]) -> None:
        """Call ``reached`` after so many more."""
        self._left, self._reached = number, reached

    def hit(self) -> None:
        self._left -= 1
        if not self._left:
            self._reached()


class Storm:
    """What W6 measures."""

    def __init__(self) -> None:
        self.before: list[float] = []
        self.during: list[float] = []
        self.restarts: list[float] = []
        self.runs = 0
        """How many began, the siblings' too, where they are counted."""
        self._pings = self.before

    def begin(self) -> None:
        """From now on there are crashes."""
        self._pings = self.during

    def ping(self, sent: float) -> None:
        """A sibling handles a message."""
        self._pings.append(perf_counter() - sent)

    def restarted(self, sent: float, answer: object, expected: object) -> None:
        """The next run has answered the call that followed the crash that was then sent."""
        self.restarts.append(perf_counter() - sent)
        verify("the answer of the next run", answer, expected)

    def figures(self, ticks: int, seconds: float) -> Figures:
        """What it was, if everything happened in ``seconds`` that should have."""
        verify("restarts", len(self.restarts), ticks)
        verify("messages before", len(self.before), ticks * PINGS)
        verify("messages during", len(self.during), ticks * PINGS)
        before, during = percentile(self.before, 50), percentile(self.during, 50)
        return {
            "restart_p50_us": percentile(self.restarts, 50) * 1e6,
            "siblings_before_p50_us": before * 1e6,
            "siblings_during_p50_us": during * 1e6,
            "siblings_ratio": during / before,
            "tick_ms": seconds / ticks * 1e3,
        }


def work() -> None:
    """What the hot agent does with a message."""
    until = perf_counter() + WORK
    while perf_counter() < until:
        pass


def hot_and_cold(alone: float, beside: float, latencies: Sequence[float]) -> Figures:
    """What W8 measured: the hot agent's seconds, and the cold one's."""
    if not latencies:
        raise WrongEndStateError("the cold agent was never called")
    return {
        "cold_p99_ms": percentile(latencies, 99) * 1e3,
        "cold_p50_ms": percentile(latencies, 50) * 1e3,
        "hot_kept": alone / beside,
    }


def resident() -> int:
    """How many bytes of memory this process holds."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


class Memory:
    """How much more memory this process holds than when this was made."""

    def __init__(self) -> None:
        gc.collect()
        self._before = resident()

    def each(self, number: int) -> Figures:
        gc.collect()
        return {"kib_each": (resident() - self._before) / number / 1024}


def cold_import(statement: str, times: int, *, whole: str | None = None) -> Figures:
    """What ``statement`` takes in a fresh interpreter, of the processor's time.

    And what ``whole`` does, with which nothing is left to be imported later.
    """
    each = cold_ms(statement, times)
    return {"import_ms": each, "whole_ms": cold_ms(whole, times) if whole else each}


def cold_ms(statement: str, times: int) -> float:
    """All is compiled before, as installed, and the files are in the system's cache."""
    code = (
        "from time import process_time\n"
        f"began = process_time()\n{statement}\nprint(process_time() - began)"
    )
    with TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        run = partial(subprocess.run, check=True, capture_output=True, text=True, env=environment)
        command = [sys.executable, "-c", code]
        _, *took = [float(run(command).stdout) for _ in range(times + 1)]
    return median(took) * 1e3
