"""JSON of plain data: compact, the same for the same data, and with all that Python can say.

Other than the JSON that signals are sent as, it is read by nobody else: so it has infinite numbers,
and text with lone surrogates.
"""

from __future__ import annotations

import json
from typing import Any, Final

from trido.agents import jsontext
from trido.agents.codec.errors import Misfit
from trido.agents.errors import InvalidSignal

DEPTH: Final = 100
"""How deep it may be nested: whoever reads it may have less of the stack left than who wrote it."""

_write: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), check_circular=False
).encode
_read: Final = json.JSONDecoder().decode
DEEP: Final = "expected data nested less deeply, and not in itself"
_LONG: Final = "expected numbers of a sensible length"


def write(value: Any) -> bytes:
    """``value``, which is plain data, as JSON. Raises `Misfit` if it cannot be read again."""
    try:
        text = str(value) if type(value) is int else _write(value)
    except ValueError:  # Python writes no integers of more than some thousand digits
        raise Misfit(_LONG) from None
    except RecursionError:
        raise Misfit(DEEP) from None
    _check_depth(text)
    return text.encode("utf-8", "surrogatepass")


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= DEPTH:
        return
    try:
        jsontext._check_depth(text, DEPTH, "$")
    except InvalidSignal as error:
        raise Misfit(error.rule) from None


def read(data: bytes) -> Any:
    """The plain data that ``data`` says. Raises `Misfit` if it says none."""
    try:
        text = data.decode("utf-8", "surrogatepass")
        _check_depth(text)
        return _read(text)
    except (ValueError, RecursionError) as error:
        raise Misfit(f"expected JSON ({type(error).__name__})") from None


def members(data: Any, known: frozenset[str]) -> dict[str, Any]:
    """``data``, if it is an object with no other members than these. Raises `Misfit`."""
    if not isinstance(data, dict):
        raise Misfit(f"expected an object, got {type(data).__name__}")
    if not known.issuperset(data):
        raise Misfit(f"expected no other members than {', '.join(sorted(known))}")
    return data
