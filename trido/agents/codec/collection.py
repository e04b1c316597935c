"""Coders of collections, and of what has no declared type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, final

from trido.agents.codec.coder import SCALARS, Coder, Native, Types, made, misfit
from trido.agents.codec.errors import Misfit
from trido.agents.codec.text import write
from trido.agents.frozen import FrozenDict, FrozenList, freeze

_ARRAYS: Final = (list, tuple)
_TUPLES: Final[Types] = frozenset({tuple, FrozenList})
_TABLES: Final[Types] = frozenset({dict, FrozenDict, MappingProxyType})


def _dumped(item: Coder, values: Iterable[Any]) -> list[Any]:
    native, dump = item.native, item.dump
    found: list[Any] = []
    try:
        for one in values:
            found.append(one if type(one) in native else dump(one))  # noqa: PERF401  # counts
    except Misfit as error:
        raise error.under(f"[{len(found)}]") from None
    return found


def _loaded(item: Coder, data: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    try:
        for one in data:
            found.append(item.load(one))  # noqa: PERF401  # counts
    except Misfit as error:
        raise error.under(f"[{len(found)}]") from None
    return found


@final
class Array(Coder):
    """Any number of items of one type. What has no order is written in one."""

    __slots__ = ("_item", "_kind", "_kinds", "_make", "_sorted")

    def __init__(self, name: str, make: Callable[[list[Any]], Any], item: Coder) -> None:
        self._kind = type(make([]))
        self._kinds: Types = _TUPLES if self._kind is tuple else frozenset({self._kind})
        super().__init__(name, self._kinds)
        self._make = make
        self._item = item
        self._sorted = self._kind in (set, frozenset)

    def dump(self, value: Any) -> Any:
        """A list of the items."""
        if type(value) not in self._kinds:
            raise misfit(self._kind.__name__, value)
        found = _dumped(self._item, value)
        return sorted(found, key=write) if self._sorted else found

    def load(self, data: Any) -> Any:
        """The collection of the items."""
        if not isinstance(data, _ARRAYS):
            raise misfit(self.name, data)
        return made(self.name, self._make, _loaded(self._item, data))


@final
class Fixed(Coder):
    """A tuple of just these."""

    __slots__ = ("_items",)

    def __init__(self, name: str, items: tuple[Coder, ...]) -> None:
        super().__init__(name, _TUPLES)
        self._items = items

    def dump(self, value: Any) -> Any:
        """A list of the items."""
        if type(value) not in _TUPLES:
            raise misfit(self.name, value)
        return self._each(value, lambda item, one: item.dump(one))

    def load(self, data: Any) -> Any:
        """The tuple of the items."""
        if not isinstance(data, _ARRAYS):
            raise misfit(self.name, data)
        return tuple(self._each(data, lambda item, one: item.load(one)))

    def _each(self, items: Any, code: Callable[[Coder, Any], Any]) -> list[Any]:
        if len(items) != len(self._items):
            raise Misfit(f"expected {self.name}, got {len(items)} items")
        found: list[Any] = []
        try:
            for item, one in zip(self._items, items, strict=True):
                found.append(code(item, one))
        except Misfit as error:
            raise error.under(f"[{len(found)}]") from None
        return found


@final
class Table(Coder):
    """A mapping: an object if its keys are texts, or else an array of pairs."""

    __slots__ = ("_key", "_make", "_value")

    def __init__(
        self, name: str, make: Callable[[dict[Any, Any]], Any], key: Coder, value: Coder
    ) -> None:
        super().__init__(name, _TABLES)
        self._make = make
        self._key = key
        self._value = value

    def dump(self, value: Any) -> Any:
        """The object, or the pairs; in the order of the mapping."""
        if type(value) not in _TABLES:
            raise misfit(self.name, value)
        keys, values = _dumped(self._key, value), _dumped(self._value, value.values())
        pairs = zip(keys, values, strict=True)
        if not self._key.is_text:
            return list(map(list, pairs))
        found = dict(pairs)
        if len(found) != len(keys):
            raise Misfit("expected keys that differ as text")
        return found

    def load(self, data: Any) -> Any:
        """The mapping that they say."""
        if not isinstance(data, Mapping if self._key.is_text else _ARRAYS):
            raise misfit(self.name, data)
        given: Any = data
        pairs = given.items() if self._key.is_text else _loaded(_PAIR, given)
        keys = _loaded(self._key, (key for key, _ in pairs))
        values = _loaded(self._value, (value for _, value in pairs))
        found = made(self.name, dict, zip(keys, values, strict=True))
        if len(found) != len(keys):
            raise Misfit(f"expected {self.name}, got a key twice")
        return self._make(found)


@final
class Loose(Coder):
    """Of no declared type: plain data only, for nothing tells what else it was."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("anything", None, has_none=True)

    def dump(self, value: Any) -> Any:
        """Itself, with tuples as lists."""
        kind: Any = type(value)
        if kind in SCALARS:
            return value
        if kind in _TUPLES:
            return _dumped(self, value)
        if kind in (dict, FrozenDict):
            return dict(zip(_dumped(_KEY, value), _dumped(self, value.values()), strict=True))
        raise misfit("plain data, as no type is declared", value)

    def load(self, data: Any) -> Any:
        """Itself, frozen."""
        return freeze(data)


_KEY: Final = Native("str", frozenset({str}))
_PAIR: Final = Fixed("a pair", (Loose(), Loose()))
