"""JSON in and out: strict both ways, and safe to give to strangers."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from trido.agents.errors import InvalidSignal

# A string, to its end or to that of the text, so that no bracket in it is counted; or a bracket.
# Nothing in it is tried twice: the time it takes grows with the length alone.
_TOKENS: Final = re.compile(r'"(?:[^"\\]++|\\.?)*+"?|([\[{])|[\]}]', re.DOTALL)
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def text_of(data: object, *, max_bytes: float) -> str:
    """The text that ``data`` is, if it is not too much.

    Raises:
      InvalidSignal: it is too much, or none.
    """
    if not isinstance(data, str | bytes | bytearray):
        raise InvalidSignal("$", f"expected bytes or str, got {type(data).__name__}")
    if len(data) > max_bytes:
        raise too_much(max_bytes)
    try:
        if not isinstance(data, str):
            return data.decode()
        too_long = len(data.encode()) > max_bytes
    except UnicodeError:
        raise InvalidSignal("$", "expected UTF-8") from None
    if too_long:
        raise too_much(max_bytes)
    return data


def too_much(max_bytes: float) -> InvalidSignal:
    """The error for what is larger than it may be."""
    return InvalidSignal("$", f"expected at most {max_bytes} bytes")


def read(text: str, *, depth: int, path: str = "$") -> Any:
    """The JSON value that ``text`` says.

    Raises:
      InvalidSignal: it says none, or one that is nested too deep, ambiguous, or not portable.
    """
    _check_depth(text, depth, path)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_float,
        )
    except json.JSONDecodeError as error:
        rule = f"expected JSON, but {error.msg} (line {error.lineno}, column {error.colno})"
        raise InvalidSignal(path, rule) from None
    except ValueError:
        raise InvalidSignal(path, "expected numbers of a sensible length") from None
    if _SURROGATE.search(text):
        write(value, path)  # which refuses those that are not in pairs
    return value


def _check_depth(text: str, depth: int, path: str) -> None:
    if text.count("[") + text.count("{") <= depth:
        return
    level = 0
    for token in _TOKENS.finditer(text):
        if token[1]:
            level += 1
        elif token[0] in "]}":
            level -= 1
        if level > depth:
            raise _too_deep(depth, path)


def _too_deep(depth: int, path: str) -> InvalidSignal:
    return InvalidSignal(path, f"expected at most {depth} levels of nesting")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidSignal("$", "expected each key once in an object")
    return found


def _refuse_constant(name: str) -> None:
    raise InvalidSignal("$", f"expected JSON, which has no {name}")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise InvalidSignal("$", "expected numbers that a float can hold")
    return number


def write(value: Any, path: str = "$") -> bytes:
    """``value``, which is plain data, as JSON.

    Raises:
      InvalidSignal: JSON cannot say it.
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise InvalidSignal(path, "expected text without lone surrogates") from None
    except ValueError:  # Python writes no integers of more than some thousand digits
        raise InvalidSignal(path, "expected numbers of a sensible length") from None
