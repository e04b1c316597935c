"""JSON of plain data: compact, the same for the same data, and with all that Python can say.

Other than the JSON that signals are sent as, it is read by nobody else: so it has infinite numbers,
and text with lone surrogates.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from json import encoder
from typing import Any, Final, cast

from trido.agents import jsontext
from trido.agents.codec.errors import Misfit
from trido.agents.errors import InvalidSignal

DEPTH: Final = 100
"""How deep it may be nested: whoever reads it may have less of the stack left than who wrote it."""


def _encoder() -> Callable[[Any, int], Iterable[str]]:
    """Python's own encoder, made once: a `json.JSONEncoder` makes one for each value.

    It is given a value and 0, the level that it begins at, and gives the parts of the text.
    """
    plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
    make = getattr(encoder, "c_make_encoder", None)
    if make is None:  # pragma: no cover - a Python that has it in Python only
        return lambda value, _: plain.iterencode(value)
    quoted = encoder.encode_basestring
    # Nothing is indented, no key sorted or left out, and nan allowed: it takes all this in order.
    encode = make(None, plain.default, quoted, None, ":", ",", False, False, True)  # noqa: FBT003
    return cast("Callable[[Any, int], Iterable[str]]", encode)


_parts: Final = _encoder()
_read: Final = json.JSONDecoder().decode
DEEP: Final = "expected data nested less deeply, and not in itself"
_LONG: Final = "expected numbers of a sensible length"


def write(value: Any) -> bytes:
    """``value``, which is plain data, as JSON. Raises `Misfit` if it cannot be read again."""
    return as_bytes(said(value))


def said(value: Any) -> str:
    """``value``, which is plain data, as JSON, for `as_bytes`. Raises `Misfit`."""
    try:
        return str(value) if type(value) is int else "".join(_parts(value, 0))
    except ValueError:  # Python writes no integers of more than some thousand digits
        raise Misfit(_LONG) from None
    except RecursionError:
        raise Misfit(DEEP) from None


def as_bytes(text: str) -> bytes:
    """JSON, as it is kept. Raises `Misfit` if it is nested too deep to be read again."""
    if len(text) > DEPTH:  # a shorter one has no room for as many brackets
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
