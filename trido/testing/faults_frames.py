"""Raising in a frame that awaits, once the await has had its effect.

Python has no word for it, so the frame is traced for as long as it takes: what is raised in a trace
function is raised in the frame. It is the first thing that the frame does after the await: whatever
``with`` or ``try`` the await stands in is left by it.
"""

from __future__ import annotations

import dis
import sys
from types import FrameType
from typing import Any, Final

LIBRARIES: Final = frozenset({"trio", "trido", "outcome", "contextlib"})
"""Whose frames are nobody's own."""
_WAITS: Final = frozenset(
    {"RESUME", "JUMP_BACKWARD_NO_INTERRUPT", "SEND", "SEND_GEN", "YIELD_VALUE", "END_SEND", "NOP"}
)
"""What a frame does while it still awaits."""


def is_own(frame: FrameType) -> bool:
    """Whether it is the user's."""
    module = str(frame.f_globals.get("__name__", ""))
    return module.partition(".")[0] not in LIBRARIES


def own_frame(coroutine: Any) -> FrameType | None:
    """The innermost frame of the user's that awaits in there."""
    found: FrameType | None = None
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            break
        if is_own(frame):
            found = frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return found


def send_into(coroutine: Any, frame: FrameType, error: BaseException, value: object) -> Any:
    """As ``coroutine.send(value)``, and raise ``error`` in ``frame`` once it does not await more.

    What it sends back is the next thing to wait for: if the await goes on, nothing was raised.
    """

    def look(traced: FrameType, event: str, arg: object) -> Any:  # pragma: no cover - not traced
        if event == "opcode" and _does(traced) not in _WAITS:
            raise error
        return look

    def enter(entered: FrameType, event: str, arg: object) -> Any:  # pragma: no cover - not traced
        return look if entered is frame else None

    before, lines = sys.gettrace(), frame.f_trace_lines
    frame.f_trace_lines, frame.f_trace_opcodes, frame.f_trace = False, True, look
    sys.settrace(enter)
    try:
        return coroutine.send(value)
    finally:  # pragma: no cover - not traced yet again
        sys.settrace(before)
        _leave(frame, lines=lines)


def _leave(frame: FrameType, *, lines: bool) -> None:  # pragma: no cover - as above
    frame.f_trace_lines, frame.f_trace_opcodes, frame.f_trace = lines, False, None


def _does(frame: FrameType) -> str:  # pragma: no cover - not traced
    return dis.opname[frame.f_code.co_code[frame.f_lasti]]
