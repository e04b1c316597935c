"""Tests, run once for each change: in a fork of a process that has collected them."""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NoReturn

import pytest
from _pytest.main import pytest_runtestloop as run_tests

from tests.mutation.changing import ROOT
from tests.mutation.judging import Mutant, Outcome

MEMORY: Final = 3 * 2**30
"""What a run may take, in bytes."""

_LOOK: Final = 6
"""Every so many seconds it is looked whether a run still does something."""
_IDLE: Final = 0.01
"""It does not if it has used no more of the processor since, in seconds."""

_LATE: Final = (signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL)
_STOPPED: Final = (signal.SIGTERM, signal.SIGINT)
"""Whoever stops a whole run may stop a test of it: that says nothing about the change."""


class BrokenError(Exception):
    """The tests fail though nothing was changed."""


def run_all(
    copy: Path,
    mutants: Iterable[Mutant],
    tests: Sequence[str],
    processes: int,
    told: Callable[[Mutant, Outcome], None],
) -> None:
    """Run these tests for each mutant, so many at a time.

    Raises:
      BrokenError: they fail as things are.
    """
    pid = os.fork()
    if not pid:
        _collect(copy, _Rounds(mutants, processes, told), tests)
    if os.waitpid(pid, 0)[1] != 0:
        raise BrokenError(f"without any change: pytest {' '.join(tests)}")


def _collect(copy: Path, rounds: _Rounds, tests: Sequence[str]) -> NoReturn:
    # The extra need not be there.
    from mutmut.mutation import (  # noqa: PLC0415  # pyright: ignore[reportMissingImports]  # wrong on purpose
        trampoline,
    )

    os.chdir(copy)
    sys.path[:] = [str(copy), *(path for path in sys.path if path not in ("", str(ROOT)))]
    os.environ["HYPOTHESIS_PROFILE"] = "mutation"
    # What stands before each change is no caller of trido.
    trampoline.__name__ = "trido.mutmut"
    sys.setrecursionlimit(3 * sys.getrecursionlimit())  # and with it each call takes three
    options = [one for one in tests if one.startswith("-")]
    paths = [str(path) for name in tests for path in sorted(Path().glob(name))]
    pytest.main(["-x", "-q", "-s", "-pno:cacheprovider", "--rootdir=.", *options, *paths], [rounds])
    sys.stdout.flush()
    os._exit(not rounds.done)


class _Rounds:
    """A plugin of pytest: instead of once, the tests run once for each mutant, in a fork."""

    def __init__(
        self, mutants: Iterable[Mutant], processes: int, told: Callable[[Mutant, Outcome], None]
    ) -> None:
        self._mutants, self._processes, self._told = mutants, processes, told
        self._running: dict[int, Mutant] = {}
        self.done = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> object:
        gc.collect()
        gc.freeze()
        if os.waitpid(_start(session, "", 3600), 0)[1] != 0:
            return True
        # Ten times what they take as things are.
        seconds = 10 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime + 2
        for mutant in self._mutants:
            if len(self._running) == self._processes:
                self._wait()
            self._running[_start(session, mutant.name, seconds)] = mutant
        while self._running:
            self._wait()
        self.done = True
        return True

    def _wait(self) -> None:
        pid, status = os.wait()
        mutant = self._running.pop(pid)
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) in _STOPPED):
            self._told(mutant, _outcome(status))


def _outcome(status: int) -> Outcome:
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in _LATE:
        return "too long"
    return "unnoticed" if status == 0 else "noticed"


def _start(session: pytest.Session, name: str, seconds: float) -> int:
    sys.stdout.flush()
    pid = os.fork()
    return pid or _test(session, name, seconds)


def _test(session: pytest.Session, name: str, seconds: float) -> NoReturn:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 3))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    _watch(6 * int(seconds) + 60)  # there may be more to do than processors
    if name:
        _be_silent()
    os.environ["MUTANT_UNDER_TEST"] = name
    code = 1
    try:
        run_tests(session)
        code = int(session.testsfailed > 0 or not session.testscollected)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _watch(seconds: int) -> None:
    """End this process after so long, or once it only waits: nothing will come for it to do."""
    until, used = time.monotonic() + seconds, time.process_time()

    def look(*_: object) -> None:
        nonlocal used
        before, used = used, time.process_time()
        if used - before < _IDLE or time.monotonic() > until:
            os.kill(os.getpid(), signal.SIGKILL)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _LOOK, _LOOK)


def _be_silent() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
