"""Typed values as plain data: what JSON can say, and what a `Schema` builds the values from again.

Not cattrs: it goes by the declared types, where a strict schema goes by what a value is, and its
errors do not tell where in the data they are.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import attrs

from trido.agents.errors import InvalidSignal
from trido.agents.shapes import member_text

_FOUND: Final = "expected data that JSON can say, got"


def plain(value: object, path: str = "$.data") -> Any:
    """``value`` as dicts, lists, strings, numbers, bools and None.

    Raises:
      InvalidSignal: something in it has no such form.
    """
    try:
        return _plain(value, path)
    except RecursionError:
        raise InvalidSignal(path, "expected data nested less deeply, and not in itself") from None


def _plain(value: Any, path: str) -> Any:
    text = _text(value, path)
    if text is not None:
        return text
    if value is None or isinstance(value, int | float):
        return _number(value, path)
    return _compound(value, path)


def _compound(value: Any, path: str) -> Any:
    if isinstance(value, Mapping):
        return _table(value, path)
    if isinstance(value, tuple | list):
        return [_plain(one, f"{path}[{at}]") for at, one in enumerate(value)]
    if isinstance(value, set | frozenset):
        return _sorted(_plain(one, f"{path}[]") for one in value)
    if not isinstance(value, type) and (attrs.has(type(value)) or dataclasses.is_dataclass(value)):
        return {name: _plain(one, f"{path}.{name}") for name, one in _arguments(value)}
    raise InvalidSignal(path, f"{_FOUND} {type(value).__name__}")


def _text(value: Any, path: str) -> str | None:
    """What stands for ``value``, if it is something that a text stands for."""
    if isinstance(value, enum.Enum):
        return _member(value, path)
    if isinstance(value, str):
        return str.__str__(value)
    for cls, write in _WRITERS:
        if isinstance(value, cls):
            return write(value)
    return None


def _member(value: enum.Enum, path: str) -> str:
    text = member_text(value)
    if text is None:
        raise InvalidSignal(path, f"{_FOUND} a nameless {type(value).__name__}")
    return text


def _number(value: float | None, path: str) -> float | None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidSignal(path, f"{_FOUND} {value}")
    return value


def _table(value: Mapping[Any, Any], path: str) -> dict[str, Any]:
    found = {}
    for key, one in value.items():
        text = _text(key, path)
        if text is None:
            raise InvalidSignal(path, f"expected keys that are text, got {type(key).__name__}")
        found[text] = _plain(one, f"{path}.{text}")
    if len(found) != len(value):
        raise InvalidSignal(path, "expected keys that differ as text")
    return found


def _sorted(items: Iterable[Any]) -> list[Any]:
    """A set has no order; give it one, so that equal sets are written alike."""
    return sorted(items, key=json.dumps)


def _arguments(value: Any) -> Iterator[tuple[str, Any]]:
    """What a class with fields is made of again: those that it derives itself are left out."""
    fields = attrs.fields(type(value)) if attrs.has(type(value)) else dataclasses.fields(value)
    for one in fields:
        if one.init:
            yield getattr(one, "alias", one.name), getattr(value, one.name)


_WRITERS: Final[tuple[tuple[type, Callable[[Any], str]], ...]] = (
    (datetime, datetime.isoformat),
    (UUID, str),
    (Decimal, str),
    (bytes, lambda value: base64.b64encode(value).decode()),
)
