"""The guard of a run that is to be replayed: it finds what no seed decides, and says where.

It sees every call that Python makes while a scenario runs, and stops those that start a thread or a
process, tell real time, or give chance of their own, if they come from the user's code.
"""

from __future__ import annotations

import _thread
import datetime as dt
import dis
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
from weakref import WeakSet

import trio
import uuid_utils

from trido.testing.plan_errors import NotReproducible

_TIME: Final = "use trio.current_time(), trio.sleep() or turn.now"
_CHANCE: Final = "use turn.random or turn.uuid, or a random.Random(...) with a seed of the test's"
_THREAD: Final = 'use a stand-in, or Run(where="thread"), which runs on the spot here'
_IO: Final = "use a stand-in, such as trio.testing.memory_stream_pair()"


def _of(module: Any, names: str, remedy: str) -> dict[Any, tuple[str, str]]:
    """These functions of a module, as far as it has them here."""
    return {
        getattr(module, name): (f"{module.__name__}.{name}()", remedy)
        for name in names.split()
        if hasattr(module, name)
    }


_BUILT_IN: Final[dict[Any, tuple[str, str]]] = {
    **_of(time, "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns", _TIME),
    **_of(time, "process_time process_time_ns thread_time thread_time_ns sleep", _TIME),
    **_of(time, "clock_gettime clock_gettime_ns", _TIME),
    **_of(dt.datetime, "now utcnow today", _TIME),
    **_of(dt.date, "today", _TIME),
    **dict.fromkeys([random.random, random.getrandbits], ("the global random", _CHANCE)),
    **_of(os, "urandom getrandom", _CHANCE),
    getattr(uuid, "_generate_time_safe", None): ("uuid.uuid1()", _CHANCE),
    **_of(uuid_utils, "uuid1 uuid4 uuid6 uuid7 _uuid4_int _uuid7_int", _CHANCE),
    **_of(os, "system fork forkpty posix_spawn posix_spawnp", _IO),
    **_of(_thread, "start_new_thread", _THREAD),
}
"""What is built in, if it is called from the user's code."""
_OF_NOW: Final = {
    **dict.fromkeys(_of(time, "ctime localtime gmtime asctime", _TIME), 0),
    time.strftime: 1,
}
"""What tells real time only if it has no more arguments than these."""
_CALL: Final = dis.opmap["CALL"]
_CODES: Final[dict[Any, tuple[str, str]]] = {
    trio.to_thread.run_sync.__code__: ("a thread", _THREAD),
    threading.Thread.start.__code__: ("a thread", _THREAD),
    subprocess.Popen.__init__.__code__: ("a process", _IO),
    socket.socket.__init__.__code__: ("a socket", _IO),
}
"""What is written in Python, whoever calls it."""
_SEEDS: Final = random.Random.seed.__code__
_BY_CHANCE: Final = ("a random.Random() without a seed", _CHANCE)
_FROM_BEFORE: Final = (
    "a random.Random that was there before",
    "make it in the scenario, with a seed, or use turn.random",
)
_THROUGH: Final = frozenset({"random", "uuid", "secrets", "uuid_utils"})
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
        self._known: WeakSet[random.Random] = WeakSet()
        """Those that were given a seed while it looked out."""

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
            found = _BUILT_IN.get(arg) or self._found_in(arg, frame)
            if found is not None and _is_users(_caller(frame)):
                self._stop(found, frame)
        elif event == "call":
            found = _CODES.get(frame.f_code)
            if found is not None and not _is_watchdog(frame.f_back):
                self._stop(found, frame)
            if frame.f_code is _SEEDS:
                self._seeded(frame)

    def _found_in(
        self, fn: Any, frame: FrameType
    ) -> tuple[str, str] | None:  # pragma: no cover - as above
        """What is wrong with such a call, but not with others of the same function."""
        if tells_now(fn, frame):
            return f"time.{fn.__name__}() of now", _TIME
        owner = getattr(fn, "__self__", None)
        if isinstance(owner, random.Random) and owner not in self._known:
            return _FROM_BEFORE
        return None

    def _seeded(self, frame: FrameType) -> None:  # pragma: no cover - as above
        if frame.f_locals["a"] is None and _is_users(_caller(frame)):
            self._stop(_BY_CHANCE, frame)
        self._known.add(frame.f_locals["self"])

    def _stop(
        self, found: tuple[str, str], frame: FrameType
    ) -> None:  # pragma: no cover - as above
        what, remedy = found
        error = NotReproducible(what, _place(frame), remedy)
        if self.found is None:
            self.found = error
        raise error


def may_tell_now(fn: Any) -> bool:  # pragma: no cover - as above
    """Whether this tells real time only if it is called with too few arguments."""
    return fn in _OF_NOW


def tells_now(fn: Any, frame: FrameType) -> bool:  # pragma: no cover - as above
    """Whether this call of it, in this frame, has too few."""
    return fn in _OF_NOW and _given(frame) <= _OF_NOW[fn]


def _given(frame: FrameType) -> int:  # pragma: no cover - as above
    """How many arguments the call has that is made there; many, if that does not stand there."""
    code, at = frame.f_code.co_code, frame.f_lasti
    return code[at + 1] if code[at] == _CALL else sys.maxsize


def _caller(frame: FrameType | None) -> FrameType | None:  # pragma: no cover - as above
    while frame is not None and _package(frame) in _THROUGH:
        frame = frame.f_back
    return frame


def _package(frame: FrameType) -> str:  # pragma: no cover - as above
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _is_users(frame: FrameType | None) -> bool:  # pragma: no cover - as above
    if frame is None:
        return False
    return _package(frame) != "trido" and not frame.f_code.co_filename.startswith(_LIBRARIES)


def _is_watchdog(frame: FrameType | None) -> bool:  # pragma: no cover - as above
    return frame is not None and frame.f_globals.get("__name__") == "trido.runtime.watchdog"


def place_in(error: BaseException) -> str | None:
    """The last place of the user's own that an error came from: ``file:line``; None if none."""
    found, trace = None, error.__traceback__
    while trace is not None:
        if _is_users(trace.tb_frame):
            found = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    for one in getattr(error, "exceptions", ()):
        found = place_in(one) or found
    return found


def _place(frame: FrameType | None) -> str:  # pragma: no cover - as above
    first = frame
    while frame is not None and not _is_users(frame):
        frame = frame.f_back
    where = frame or first
    return "somewhere" if where is None else f"{where.f_code.co_filename}:{where.f_lineno}"
