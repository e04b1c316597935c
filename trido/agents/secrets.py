"""Secrets: what is one, and how values are shown without them.

Secret is what stands in a field with ``repr=False`` or marked `secret`, and what has a usual name,
as a field or as a key: *password*, *token*, *api_key* and their like, also within longer names.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any, Final, cast, final

import attrs

HIDDEN: Final = "***"
_MORE: Final = "…"
_MARK: Final = "trido.secret"

# As they stand in a name of small letters, without what parts its words.
_NAMES: Final = (
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
    "credential",
    "cookie",
    "session",
)
_FIELD: Final = type(attrs.field())
_APART: Final = str.maketrans("", "", "_-. ")


def secret(**field_options: Any) -> Any:
    """Mark a field as secret: trido shows ``***`` in its place wherever it shows a value.

    As a field of an attrs class, ``password: str = trido.secret()``: this is `attrs.field` with
    ``repr=False``. Type checkers take such a field for one with a default, so make it
    ``kw_only=True``, or put it last. Or in an annotation, also of a dataclass and of the parameter
    of a handler: ``password: Annotated[str, trido.secret()]``.

    Args:
      field_options: as for `attrs.field`, other than ``repr``.
    """
    metadata = {**(field_options.pop("metadata", None) or {}), _MARK: True}
    return attrs.field(repr=False, metadata=metadata, **field_options)


def is_secret_name(name: object) -> bool:
    """Whether what is called so is taken for a secret."""
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    if not isinstance(name, str):
        return False
    plain = name.lower().translate(_APART)
    return any(one in plain for one in _NAMES)


def is_secret_field(field: Any, declared: Any) -> bool:
    """Whether a field of an attrs class or a dataclass, declared so, holds a secret."""
    return (
        field.repr is False
        or _MARK in field.metadata
        or is_secret_name(field.name)
        or is_marked(declared)
    )


def is_marked(declared: Any) -> bool:
    """Whether a declared type has a mark in it; of one that is only text, whether it says so."""
    if isinstance(declared, str):
        return is_secret_name(declared)
    if typing.get_origin(declared) is typing.Annotated and any(
        map(_is_mark, declared.__metadata__)
    ):
        return True
    return any(map(is_marked, typing.get_args(declared)))


def _is_mark(said: Any) -> bool:
    return type(said) is _FIELD and _MARK in said.metadata


def redacted(value: object, *, length: int = 2_000, depth: int = 8) -> str:
    """``repr(value)``, in which ``***`` stands for whatever is secret.

    Looks into attrs classes, dataclasses, mappings, lists, tuples, sets, signals and exceptions;
    an object of another kind is shown as it shows itself. It never raises, not even if a
    ``__repr__`` does.

    Args:
      value: anything.
      length: of more characters than this, the rest is left out: ``…``.
      depth: what is nested deeper is left out.
    """
    return _Shown(length).text(value, depth)


def redacted_field(value: object, name: str, *, length: int = 2_000) -> str:
    """As `redacted`, one field of an instance of a class with fields."""
    hidden = dict(_fields(cast("Hashable", type(value))) or ()).get(name, True)
    return HIDDEN if hidden else redacted(getattr(value, name), length=length)


def has_secret(value: object) -> bool:
    """Whether something secret is in ``value``, or could be where `redacted` does not look."""
    shown = _Shown(2_000)
    shown.text(value, 8)
    return shown.hides


_NUMBERS: Final = frozenset({int, float, bool, type(None)})


def _holds_numbers_only(value: object) -> bool:
    """Whether it may as well show itself, as can be seen quickly: the states of many agents may."""
    fields = _fields(cast("Hashable", type(value)))
    return fields is not None and all(
        not hidden and type(getattr(value, name, _MORE)) in _NUMBERS for name, hidden in fields
    )


@final
class _Shown:
    """One value being shown: how much room is left, and whether something was left out."""

    __slots__ = ("hides", "left")

    def __init__(self, length: int) -> None:
        self.left = length
        self.hides = False

    def text(self, value: Any, depth: int) -> str:
        """``value`` in the room that is left."""
        before, self.hides = self.hides, False
        room = self.left
        try:
            text = "" if _holds_numbers_only(value) else self._parts(value, depth)
            if not self.hides:
                self.left = room
                text = self._own(value)
        except Exception as error:
            self.hides = True
            text = f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
        self.hides = self.hides or before
        return self._clipped(text, room)

    def _parts(self, value: Any, depth: int) -> str:
        """What it is made of; nothing hidden in that, it may as well show itself."""
        cls = type(value)
        if isinstance(value, str | bytes) or getattr(cls, "_redacts_itself", False):
            return ""
        if depth <= 0 or self.left <= 0:
            self.hides = True
            return _MORE
        name = cls.__qualname__.rpartition(">.")[2]
        fields = _fields(cast("Hashable", cls))
        if fields is not None:
            said = ((one, hidden, getattr(value, one, _MORE)) for one, hidden in fields)
            return f"{name}({self._named(said, '=', depth)})"
        return self._collection(value, name, depth)

    def _collection(self, value: Any, name: str, depth: int) -> str:
        if isinstance(value, Mapping):
            return f"{{{self._table(value, depth)}}}"
        if isinstance(value, BaseException):
            return f"{name}({self._items(value.args, depth)})"
        if isinstance(value, list | deque):
            return f"[{self._items(value, depth)}]"
        if isinstance(value, tuple):
            return f"({self._items(value, depth)})"
        if isinstance(value, set | frozenset):
            return f"{{{self._items(value, depth)}}}"
        return ""

    def _named(self, said: Iterable[tuple[str, bool, Any]], sign: str, depth: int) -> str:
        def shown() -> Iterator[str]:
            for name, hidden, value in said:
                self.left -= len(name) + len(sign)
                yield f"{name}{sign}{self._value(value, depth, hidden=hidden)}"

        return self._joined(shown())

    def _table(self, table: Mapping[Any, Any], depth: int) -> str:
        said = ((self._key(key, depth), is_secret_name(key), one) for key, one in table.items())
        return self._named(said, ": ", depth)

    def _key(self, key: Any, depth: int) -> str:
        """The key; the room that it takes is counted with that of the names."""
        room = self.left
        text = self.text(key, depth - 1)
        self.left = room
        return text

    def _items(self, items: Iterable[Any], depth: int) -> str:
        return self._joined(self.text(one, depth - 1) for one in items)

    def _value(self, value: Any, depth: int, *, hidden: bool) -> str:
        if not hidden:
            return self.text(value, depth - 1)
        self.hides = True
        return HIDDEN

    def _joined(self, texts: Iterable[str]) -> str:
        found = []
        for text in texts:
            found.append(text)
            self.left -= 2
            if self.left < 0:
                self.hides = True
                found.append(_MORE)
                break
        return ", ".join(found)

    def _own(self, value: Any) -> str:
        if isinstance(value, str | bytes) and len(value) > self.left:
            value = value[: self.left]  # with its quotes it is still too long
        return repr(value)

    def _clipped(self, text: str, room: int) -> str:
        if len(text) > room:
            self.hides = True
            text = text[:room] + _MORE
        self.left = room - len(text)
        return text


@functools.lru_cache(maxsize=1_000)
def _fields(cls: Any) -> tuple[tuple[str, bool], ...] | None:
    """The fields of a class that has such, and whether each is secret."""
    if attrs.has(cls):
        fields: Iterable[Any] = attrs.fields(cls)
    elif dataclasses.is_dataclass(cls):
        fields = dataclasses.fields(cls)
    else:
        names = getattr(cls, "_fields", None) if issubclass(cls, tuple) else None
        return None if names is None else tuple((name, is_secret_name(name)) for name in names)
    declared = _hints(cls)
    return tuple(
        (one.name, is_secret_field(one, declared.get(one.name) or _looked_up(cls, one.type)))
        for one in fields
    )


def _hints(cls: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except Exception:  # names that are known only where the class was made
        return {}


def _looked_up(cls: Any, declared: Any) -> Any:
    """What one annotation says, or its text if that cannot be told."""
    if not isinstance(declared, str):
        return declared
    return _hints(
        type(cls.__name__, (), {"__annotations__": {"it": declared}, "__module__": cls.__module__})
    ).get("it", declared)
