"""Typed values as plain data: what JSON can say, and what a `Schema` builds the values from again.

Not cattrs: it goes by the declared types, where a strict schema goes by what a value is, and its
errors do not tell where in the data they are.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import functools
import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

import attrs

from trido.agents.address import Address
from trido.agents.errors import InvalidSignal
from trido.agents.shapes import member_text

_FOUND: Final = "expected data that JSON can say, got"

Way: TypeAlias = Callable[[Any, str, bool], Any]
"""How values of one class are said: of the value, its path, and whether numbers must be finite."""


def plain(value: object, path: str = "$.data", *, finite: bool = True) -> Any:
    """``value`` as dicts, lists, strings, numbers, bools and None.

    Args:
      value: anything.
      path: where it is, for errors.
      finite: False lets infinite numbers and nan pass, which JSON does not have.

    Raises:
      InvalidSignal: something in it has no such form.
    """
    try:
        return _plain(value, path, finite)
    except RecursionError:
        raise InvalidSignal(path, "expected data nested less deeply, and not in itself") from None


def _plain(value: Any, path: str, finite: bool) -> Any:  # noqa: FBT001  # on the way down
    kind: Any = type(value)
    return value if kind in _AS_IT_IS else _way(kind)(value, path, finite)


@functools.lru_cache(maxsize=1_000)
def _way(cls: Any) -> Way:
    """How instances of a class are said: by the first of these that fits."""
    text = _text_of(cls)
    if text is not None:
        return text
    for kind, way in _WAYS:
        if issubclass(cls, kind):
            return way
    arguments = _arguments(cls)
    return _refuse if arguments is None else _record(arguments)


@functools.lru_cache(maxsize=1_000)
def _text_of(cls: Any) -> Way | None:
    """How instances of a class are said, if by a text: then they can be keys, too."""
    if issubclass(cls, enum.Enum):
        return _member
    for kind, write in _WRITERS:
        if issubclass(cls, kind):
            return lambda value, path, finite: write(value)
    return None


def _member(value: enum.Enum, path: str, _: object) -> str:
    text = member_text(value)
    if text is None:
        raise InvalidSignal(path, f"{_FOUND} a nameless {type(value).__name__}")
    return text


def _number(value: Any, path: str, finite: bool) -> Any:  # noqa: FBT001  # same
    if finite and isinstance(value, float) and not math.isfinite(value):
        raise InvalidSignal(path, f"{_FOUND} {value}")
    return value


def _table(value: Mapping[Any, Any], path: str, finite: bool) -> dict[str, Any]:  # noqa: FBT001  # same
    found = {}
    for key, one in value.items():
        text = key if type(key) is str else _key(key, path)
        found[text] = _plain(one, f"{path}.{text}", finite)
    if len(found) != len(value):
        raise InvalidSignal(path, "expected keys that differ as text")
    return found


def _key(key: Any, path: str) -> str:
    kind: Any = type(key)
    way = _text_of(kind)
    if way is None:
        raise InvalidSignal(path, f"expected keys that are text, got {kind.__name__}")
    text: str = way(key, path, True)  # noqa: FBT003  # as all ways are called
    return text


def _array(value: tuple[Any, ...], path: str, finite: bool) -> list[Any]:  # noqa: FBT001  # same
    return [_plain(one, f"{path}[{at}]", finite) for at, one in enumerate(value)]


def _set(value: frozenset[Any], path: str, finite: bool) -> list[Any]:  # noqa: FBT001  # same
    """A set has no order; give it one, so that equal sets are written alike."""
    return sorted((_plain(one, f"{path}[]", finite) for one in value), key=json.dumps)


def _record(arguments: tuple[tuple[str, str], ...]) -> Way:
    """How instances of a class with fields are said: compiled, for each durable turn does it."""
    items = [
        f"{name!r}: value.{at} if type(value.{at}) in plain"
        f" else say(value.{at}, f'{{path}}.{name}', finite)"
        for name, at in arguments
    ]
    # Nothing but the names of fields is in there, and attrs makes code of those itself.
    source = f"lambda value, path, finite: {{{', '.join(items)}}}"
    compiled: Way = eval(source, {"plain": _AS_IT_IS, "say": _plain})  # noqa: S307
    return compiled


def _arguments(cls: Any) -> tuple[tuple[str, str], ...] | None:
    """What a class with fields is made of again: those that it derives itself are left out."""
    if attrs.has(cls):
        return tuple((one.alias, one.name) for one in attrs.fields(cls) if one.init)
    if dataclasses.is_dataclass(cls):
        return tuple((one.name, one.name) for one in dataclasses.fields(cls) if one.init)
    return None


def _refuse(value: object, path: str, _: object) -> Any:
    raise InvalidSignal(path, f"{_FOUND} {type(value).__name__}")


_AS_IT_IS: Final = frozenset({str, int, bool, type(None)})
_WRITERS: Final[tuple[tuple[type, Callable[[Any], str]], ...]] = (
    (str, str.__str__),
    (datetime, datetime.isoformat),
    (UUID, str),
    (Decimal, str),
    (bytes, lambda value: base64.b64encode(value).decode()),
    (Address, lambda value: value.id),
)
_WAYS: Final[tuple[tuple[Any, Way], ...]] = (
    ((int, float), _number),
    (Mapping, _table),
    ((tuple, list), _array),
    ((set, frozenset), _set),
)
