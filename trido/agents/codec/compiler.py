"""Compiles the shape of a declared type into the coder of its values."""

from __future__ import annotations

import enum
from typing import Any, Final, final

from trido.agents import shapes
from trido.agents.address import Address
from trido.agents.codec import collection, record, union
from trido.agents.codec.coder import NONE, TAG, Coder, Flags, Named, Native, Text
from trido.agents.codec.signals import SignalCoder
from trido.agents.codec.texts import ADDRESS, TEXTS
from trido.agents.schema import Record, fields
from trido.agents.shapes import Shape, member_text
from trido.agents.signal import Signal
from trido.errors import SpecError


@final
class Compiler:
    """Compiles what one class leads to, each class once.

    Raises:
      SpecError: a type has values that could not be read again, once they are written.
    """

    def __init__(self, of: str) -> None:
        self._of = of
        self._field = ""
        self._records: dict[type, Coder] = {}

    def coder(self, shape: Shape) -> Coder:  # noqa: PLR0911  # one for each kind
        """The coder of values of this shape."""
        match shape:
            case Record():
                return self.record(shape)
            case shapes.Anything():
                return collection.Loose()
            case shapes.Float():
                return Native("float", frozenset({float, int}))
            case shapes.OneOf():
                return _literal(shape)
            case shapes.Either():
                return self._union(shape)
            case shapes.Array():
                return collection.Array(shape.name, shape.make, self.coder(shape.item))
            case shapes.Fixed():
                return collection.Fixed(shape.name, tuple(map(self.coder, shape.items)))
            case shapes.Table():
                key, value = self.coder(shape.key), self.coder(shape.value)
                return collection.Table(shape.name, shape.make, key, value)
            case shapes.Instance() | shapes.Parsed():
                return self._single(shape.cls)
            case _:  # pragma: no cover - there are no other shapes
                raise TypeError(shape)

    def record(self, shape: Record) -> Coder:
        """The coder of a class with fields."""
        cls = shape.cls
        if cls in self._records:
            return self._records[cls]
        if issubclass(cls, Signal):
            return SignalCoder(cls)
        found = self._records[cls] = record.Record(cls, shape.required)
        outer = self._field
        for one in fields(cls):
            if one.init:
                name = getattr(one, "alias", one.name)
                self._field = f"{cls.__name__}.{one.name}"
                found.fields[name] = one.name, self.coder(shape.arguments[name])
        self._field = outer
        return found

    def _single(self, cls: Any) -> Coder:
        if cls in _NATIVES:
            return Native("None" if cls is NONE else cls.__name__, frozenset({cls}))
        if cls in TEXTS:
            return Text(cls, frozenset({cls}), *TEXTS[cls])
        if cls is Address:
            return Text(cls, None, *ADDRESS)
        if issubclass(cls, enum.Flag):
            return Flags(cls)
        if issubclass(cls, enum.Enum):
            return self._enum(cls)
        raise SpecError(self._field, cls, _ALLOWED, of=self._of)

    def _enum(self, cls: type[enum.Enum]) -> Coder:
        members = {member_text(one): one for one in cls}
        if len(members) != len(cls):
            allowed = "an enum whose members are said by different texts: their values, or names"
            raise SpecError(self._field, cls, allowed, of=self._of)
        return Named(cls.__name__, members.items())

    def _union(self, shape: shapes.Either) -> Coder:
        members = tuple(map(self.coder, shape.shapes))
        some = [one for one in members if one.types != _ONLY_NONE]
        if len(some) == 1 and not some[0].has_none:
            return union.Optional(shape.name, some[0])
        tags = [one.name for one in some if not one.plain]
        if len(set(tags)) != len(tags):
            allowed = "a union of types that have different names"
            raise SpecError(self._field, shape.name, allowed, of=self._of)
        return union.Union(shape.name, members)


def _literal(shape: shapes.OneOf) -> Coder:
    return Named(shape.name, [(_said(one), one) for one in shape.values])


def _said(value: Any) -> Any:
    if type(value) in _NATIVES:
        return value
    said = value.name if isinstance(value, enum.Enum) else repr(value)
    return f"{TAG}{type(value).__name__}:{said}"


_ONLY_NONE: Final[frozenset[type]] = frozenset({NONE})
_NATIVES: Final = frozenset({NONE, bool, int, str})
_ALLOWED: Final = (
    "of what can be written and read again: None, bool, int, float, str, bytes, Decimal, UUID,"
    " datetime, date, time, timedelta, enums, frozen classes of such, tuples, frozensets and"
    " mappings of such, trido.Signal, and trido.Address for the ref of an agent"
)
