"""Watches a decision, for what it asks of the world: the time, chance, files, Trio.

The interpreter tells of every call, also of those into C. So it does not matter by which name a
handler knows the clock, nor how deep in somebody's helpers it reads it.
"""

from __future__ import annotations

import functools
import io
import random
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date
from types import FrameType
from typing import Any, Final

from trido.testing.schedule_guard import may_tell_now, tells_now

_ANY: Final = frozenset({"time", "posix", "nt", "_socket", "_uuid", "uuid_utils._uuid_utils"})
"""Modules of C all of whose functions ask the world, or tell it, …"""
_NOT: Final = frozenset({"fspath", "struct_time"})
"""… but for these."""
_SOME: Final = frozenset(
    {("io", "open"), ("_io", "open"), ("builtins", "print"), ("builtins", "input")}
)
_DAYS: Final = frozenset({"now", "utcnow", "today"})
_FILES: Final = (io.TextIOWrapper, io.BufferedIOBase, io.RawIOBase)
_LOOKS_ON: Final = frozenset({"hypothesis", "coverage"})
"""What the interpreter calls in between, of its own accord."""
_IMPORTS: Final = "importlib._bootstrap"


@contextmanager
def watched(found: list[str]) -> Generator[None]:
    """Note in ``found`` what the block asks of the world, and where."""
    before = sys.getprofile()
    sys.setprofile(functools.partial(look, found))
    try:
        yield
    finally:
        sys.setprofile(before)


def look(found: list[str], frame: FrameType, event: str, arg: Any) -> None:
    """Note what this event of the interpreter asks of the world, if it does."""
    asked = _asked(frame, event, arg)
    if asked and _root(frame) not in _LOOKS_ON and not _is_of_python(frame):
        found.append(f"calls {asked} {_place(frame)}; {_way_out(arg, asked)}")


def _asked(frame: FrameType, event: str, arg: Any) -> str:
    """What is called there, if it is of the world."""
    if event == "call":
        module = frame.f_globals.get("__name__", "")
        return f"{module}.{frame.f_code.co_name}()" if _is_trio(module) else ""
    if event != "c_call":
        return ""
    if may_tell_now(arg) and not tells_now(arg, frame):
        return ""
    module, owner = arg.__module__, arg.__self__
    if _is_of_world(module, arg.__name__, owner):
        return f"{module or type(owner).__name__}.{arg.__name__}()"
    return ""


def _is_of_world(module: str | None, name: str, owner: Any) -> bool:
    if module in _ANY:
        return name not in _NOT
    if (module, name) in _SOME or owner is _CHANCE:
        return True
    if isinstance(owner, type):
        return name in _DAYS and issubclass(owner, date)
    return isinstance(owner, _FILES)


def _way_out(called: Any, asked: str) -> str:
    """What to do instead."""
    name = asked.rpartition(".")[2].removesuffix("()")
    if asked.startswith("time.") or name in _DAYS or name == "current_time":
        return "use turn.now"
    if asked.startswith(_IDS) or name in _BYTES or getattr(called, "__self__", None) is _CHANCE:
        return "use turn.random or turn.uuid"
    return "return a directive that does it"


_IDS: Final = ("_uuid.", "uuid_utils.")
_BYTES: Final = frozenset({"urandom", "getrandom"})
_CHANCE: Final = random.random.__self__  # type: ignore[attr-defined]
"""What the functions of `random` share. A `random.Random` of one's own is as it is seeded."""


def _is_trio(module: str) -> bool:
    return module == "trio" or module.startswith("trio.")


def _is_of_python(frame: FrameType | None) -> bool:
    """Whether Python does it: an import reads code, and what is collected is anybody's."""
    while frame is not None:
        if frame.f_globals.get("__name__") == _IMPORTS or frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def _place(frame: FrameType) -> str:
    """Where in somebody's own code that was."""
    own = frame
    while own.f_back is not None and _is_a_library(own):
        own = own.f_back
    return f"at {own.f_code.co_filename}:{own.f_lineno}"


def _is_a_library(frame: FrameType) -> bool:
    root = _root(frame)
    return root in sys.stdlib_module_names or root in {"trio", "uuid_utils"}


def _root(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
