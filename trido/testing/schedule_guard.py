"""The guard of a run that is to be replayed: it finds what no seed decides, and says where.

It sees every call that Python makes while a scenario runs, and stops those that start a thread or a
process, tell real time, or give chance of their own, if they come from the user's code.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import socket
import subprocess
import sys
import sysconfig
import threading
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Final, final

import trio

from trido.testing.plan_errors import NotReproducible

_TIME: Final = "use trio.current_time(), trio.sleep() or turn.now"
_CHANCE: Final = "use turn.random or turn.uuid, or a random.Random(...) with a seed of the test's"
_THREAD: Final = 'use a stand-in, or Run(where="thread"), which runs on the spot here'
_IO: Final = "use a stand-in, such as trio.testing.memory_stream_pair()"

_BUILT_IN: Final[dict[Any, tuple[str, str]]] = {
    time.time: ("time.time()", _TIME),
    time.time_ns: ("time.time_ns()", _TIME),
    time.monotonic: ("time.monotonic()", _TIME),
    time.monotonic_ns: ("time.monotonic_ns()", _TIME),
    time.perf_counter: ("time.perf_counter()", _TIME),
    time.perf_counter_ns: ("time.perf_counter_ns()", _TIME),
    time.process_time: ("time.process_time()", _TIME),
    time.process_time_ns: ("time.process_time_ns()", _TIME),
    time.sleep: ("time.sleep()", _TIME),
    dt.datetime.now: ("datetime.now()", _TIME),
    getattr(dt.datetime, "utcnow"): ("datetime.utcnow()", _TIME),  # noqa: B009  # deprecated
    dt.date.today: ("date.today()", _TIME),
    dt.datetime.today: ("datetime.today()", _TIME),
    random.random: ("the global random", _CHANCE),
    random.getrandbits: ("the global random", _CHANCE),
    getattr(os, "getrandom", None): ("os.getrandom()", _CHANCE),
    getattr(uuid, "_generate_time_safe", None): ("uuid.uuid1()", _CHANCE),
    os.urandom: ("os.urandom()", _CHANCE),
}
"""What is built in, if it is called from the user's code."""
_CODES: Final[dict[Any, tuple[str, str]]] = {
    trio.to_thread.run_sync.__code__: ("a thread", _THREAD),
    threading.Thread.start.__code__: ("a thread", _THREAD),
    subprocess.Popen.__init__.__code__: ("a process", _IO),
    socket.socket.__init__.__code__: ("a socket", _IO),
}
"""What is written in Python, whoever calls it."""
_SEEDS: Final = random.Random.seed.__code__
_BY_CHANCE: Final = ("a random.Random() without a seed", _CHANCE)
_THROUGH: Final = frozenset({"random", "uuid", "secrets"})
"""Modules that hand on what they are asked for."""
_LIBRARIES: Final = tuple(
    f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "purelib", "platlib")
)


@final
class Guard:
    """Looks out from ``with guard:`` on, in that thread; `told` raises what it found."""

    def __init__(self, *, on: bool) -> None:
        self._on = on
        self.found: NotReproducible | None = None
        """What it found first."""
        self._before: Any = None

    @contextmanager
    def told(self) -> Generator[None]:
        """Leaving this block raises what was found within: it may have ended in something else."""
        try:
            yield
        except BaseException as error:
            if self.found is not None:
                raise self.found from error  # noqa: ASYNC104  # it is what ended it
            raise
        if self.found is not None:
            raise self.found

    def __enter__(self) -> None:
        if self._on:
            self._before = sys.getprofile()
            sys.setprofile(self._look)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._on:
            sys.setprofile(self._before)

    def _look(self, frame: FrameType, event: str, arg: Any) -> None:  # pragma: no cover - see below
        # A profile function is not traced itself.
        if event == "c_call":
            found = _BUILT_IN.get(arg)
            if found is not None and _is_users(_caller(frame)):
                self._stop(found, frame)
        elif event == "call":
            found = _CODES.get(frame.f_code)
            if frame.f_code is _SEEDS and frame.f_locals["a"] is None and _is_users(_caller(frame)):
                self._stop(_BY_CHANCE, frame)
            if found is not None and not _is_watchdog(frame.f_back):
                self._stop(found, frame)

    def _stop(
        self, found: tuple[str, str], frame: FrameType
    ) -> None:  # pragma: no cover - as above
        what, remedy = found
        error = NotReproducible(what, _place(frame), remedy)
        if self.found is None:
            self.found = error
        raise error


def _caller(frame: FrameType | None) -> FrameType | None:  # pragma: no cover - as above
    while frame is not None and frame.f_globals.get("__name__") in _THROUGH:
        frame = frame.f_back
    return frame


def _is_users(frame: FrameType | None) -> bool:  # pragma: no cover - as above
    if frame is None:
        return False
    module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return module != "trido" and not frame.f_code.co_filename.startswith(_LIBRARIES)


def _is_watchdog(frame: FrameType | None) -> bool:  # pragma: no cover - as above
    return frame is not None and frame.f_globals.get("__name__") == "trido.runtime.watchdog"


def _place(frame: FrameType | None) -> str:  # pragma: no cover - as above
    first = frame
    while frame is not None and not _is_users(frame):
        frame = frame.f_back
    where = frame or first
    return "somewhere" if where is None else f"{where.f_code.co_filename}:{where.f_lineno}"
