"""What a line of the input says: a letter for one of the agents, or why it is none. Pure.

Only the envelope is read here. What is in it, the agents check themselves: each has said what it
takes, and trido refuses the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from attrs import frozen

MAX_BYTES: Final = 64 * 1024
"""The longest line that is read; of a longer one only the beginning is kept."""

_SHOWN: Final = 40


@frozen
class Letter:
    """A line that is for an agent."""

    line: int
    """Its number in the file, from 1."""
    kind: str
    """What it says it is: which agent it is for."""
    data: Mapping[str, Any]
    """The rest of it."""


@frozen
class Refusal:
    """A line that is for nobody."""

    line: int
    """Its number in the file, from 1."""
    why: str
    """What is wrong with it, for a person to read."""
    details: str = ""
    """More on that, which differs from line to line."""

    @property
    def text(self) -> str:
        """Both."""
        return f"{self.why} {self.details}".rstrip()


class _BadLineError(Exception):
    """Why a line is for nobody: the ``why`` and the ``details`` of its `Refusal`."""


def read(line: int, raw: bytes, kinds: frozenset[str]) -> Letter | Refusal:
    """Read line number ``line``; ``kinds`` are those that somebody takes."""
    try:
        record = _record(raw)
        return Letter(line, _take_kind(record, kinds), record)
    except _BadLineError as error:
        return Refusal(line, *error.args)


def _record(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_BYTES:
        raise _BadLineError(f"longer than {MAX_BYTES:,} bytes")
    if not raw.strip():
        raise _BadLineError("empty line")
    try:
        record = json.loads(raw.decode(), parse_constant=_no_number, object_pairs_hook=_no_twins)
    except UnicodeDecodeError as error:
        byte, column = raw[error.start], error.start + 1
        raise _BadLineError("not UTF-8 text", f"(byte 0x{byte:02x} at column {column})") from None
    except json.JSONDecodeError as error:
        raise _BadLineError("not JSON", f"({_said(error)} at column {error.colno})") from None
    except RecursionError:
        raise _BadLineError("not JSON", "(nested too deeply)") from None
    except ValueError:
        raise _BadLineError("not JSON", "(a number of too many digits)") from None
    if not isinstance(record, dict):
        raise _BadLineError(f"not a letter, but JSON's {_JSON_TYPES[type(record)]}")
    return record


def _take_kind(record: dict[str, Any], kinds: frozenset[str]) -> str:
    kind = record.pop("kind", None)
    known = " or ".join(sorted(map(repr, kinds), reverse=True))
    if kind is None:
        raise _BadLineError(f"no field 'kind': it should be {known}")
    if not isinstance(kind, str) or kind not in kinds:
        raise _BadLineError(f"nobody takes the kind {_short(kind)}: it should be {known}")
    return kind


def _said(error: json.JSONDecodeError) -> str:
    return error.msg.removesuffix(" at").removesuffix(" starting")


def _no_number(name: str) -> NoReturn:
    raise _BadLineError("not JSON", f"({name} is no number there)")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise _BadLineError("not JSON", f"(the field {_short(twin)} is there twice)")
    return record


_JSON_TYPES: Final = {
    list: "array",
    str: "string",
    int: "number",
    float: "number",
    bool: "true or false",
    type(None): "null",
}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
