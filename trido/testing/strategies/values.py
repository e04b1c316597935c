"""Values of a declared type, as trido's strict schemas take it: True is no number, nan is none.

They come from the compiled shape of the type, which is what judges signals at run time. So what is
drawn here is what is accepted there, and nothing has to be declared twice.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Final, TypeAlias, cast, final
from uuid import UUID

from attrs import define, field
from hypothesis import reject
from hypothesis import strategies as st

from trido.agents import Address
from trido.agents.address import AgentId
from trido.agents.handlers import callers_names
from trido.agents.schema import Record, Schema, fields
from trido.agents.shapes import (
    Array,
    Either,
    Fixed,
    Float,
    Instance,
    OneOf,
    Parsed,
    Shape,
    Table,
)
from trido.runtime.ref import AgentRef
from trido.testing.strategies.limits import Limits, limits

Strategy: TypeAlias = st.SearchStrategy[Any]
Types: TypeAlias = Mapping[Any, Strategy]
"""Strategies of one's own for classes that say nothing about their values."""

LENGTH: Final = 10
"""How many characters texts have, at most, that are not asked to be longer."""
ITEMS: Final = 3
"""Same, for the items of collections."""


def values(declared: Any, *, types: Types | None = None) -> Strategy:
    """Values of ``declared``, any type that a route may take or a state may hold.

    An attrs class or a dataclass is built of values of its fields, within what its validators
    allow; a field with a default is left to that at first. They shrink to the defaults.

    Args:
      declared: the type.
      types: a strategy for each class that cannot be told how to build. Without one it is what
        ``hypothesis.strategies.from_type`` knows.

    Raises:
      SpecError: it says nothing that could be checked.
    """
    return Values(types or {}).of(Schema("values", declared, callers_names()).shape)


@final
@define
class Values:
    """Makes the strategies of shapes, of each class once: it may lead back to itself."""

    _types: Types = field(alias="types")
    _records: dict[int, Strategy] = field(factory=dict, init=False)

    def of(self, shape: Shape, within: Limits | None = None) -> Strategy:
        """What ``shape`` accepts, all the way down."""
        within = within or Limits()
        if within.options is not None:
            return st.sampled_from([one for one in within.options if shape.accepts(one)])
        if isinstance(shape, Record):
            return self._record(shape)
        if isinstance(shape, Either):
            return st.one_of(*(self.of(one, within) for one in _by_simplicity(shape)))
        return self._simple(shape, within)

    def _simple(self, shape: Shape, within: Limits) -> Strategy:  # noqa: PLR0911  # one each
        match shape:
            case OneOf():
                return st.sampled_from(shape.values)
            case Array():
                items = st.lists(self.of(shape.item), **within.length(ITEMS))
                return items.map(shape.make).filter(lambda made: len(made) >= within.shortest)
            case Fixed():
                return st.tuples(*map(self.of, shape.items))
            case Table():
                pairs = st.dictionaries(
                    self.of(shape.key), self.of(shape.value), **within.length(ITEMS)
                )
                return pairs.map(shape.make)
            case Instance() | Parsed():
                return self._class(shape.cls, within)
            case Float():
                return self._class(float, within)
            case _:
                return ANYTHING

    def _class(self, cls: type, within: Limits) -> Strategy:
        if cls in self._types:
            return self._types[cls]
        if issubclass(cls, enum.Enum):
            return st.sampled_from(cls)
        known = _CLASSES.get(cls)
        return st.from_type(cls) if known is None else known(within)

    def _record(self, record: Record) -> Strategy:
        if record.cls in self._types:
            return self._types[record.cls]
        if id(record) not in self._records:
            made = st.deferred(lambda: self._instances(record))
            self._records[id(record)] = made
        return self._records[id(record)]

    def _instances(self, record: Record) -> Strategy:
        return self.arguments(record).map(lambda given: _made(record, given))

    def arguments(self, record: Record) -> st.SearchStrategy[dict[str, Any]]:
        """What an instance of a class is made of."""
        bounds = limits_of(record)
        all_of_them = {
            name: self.of(shape, bounds[name]) for name, shape in record.arguments.items()
        }
        required = {name: all_of_them.pop(name) for name in record.required}
        return st.fixed_dictionaries(required, optional=all_of_them)


def limits_of(record: Record) -> dict[str, Limits]:
    """The limits of each argument of a class."""
    return {
        str(getattr(one, "alias", one.name)): limits(one) for one in fields(record.cls) if one.init
    }


def _by_simplicity(shape: Either) -> list[Shape]:
    """None first: what is drawn shrinks to it."""
    return sorted(shape.shapes, key=lambda one: type(None) not in one.exact)


def _made(record: Record, arguments: dict[str, Any]) -> Any:
    """An instance, unless the class refuses its fields."""
    try:
        return record.cls(**arguments)
    except Exception:
        reject()


def _ints(within: Limits) -> Strategy:
    return st.integers(**within.bounds()).filter(within.within)


def _floats(within: Limits) -> Strategy:
    return st.floats(allow_nan=False, **within.bounds()).filter(within.within)


def _decimals(within: Limits) -> Strategy:
    return st.decimals(allow_nan=False, places=2, **within.bounds()).filter(within.within)


def _texts(within: Limits) -> Strategy:
    if within.pattern is None:
        return st.text(**within.length(LENGTH))
    return st.from_regex(within.pattern, fullmatch=True)


def _ref(id: str) -> AgentRef[Any]:
    """The ref of nobody: for decisions, which only name whom they mean."""
    return AgentRef(cast("Any", SimpleNamespace(id=id)))


ANYTHING: Final = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
MOMENTS: Final = st.datetimes(timezones=st.just(UTC))
REFS: Final = tuple(map(_ref, ("one", "two")))
_CLASSES: Final[dict[type, Callable[[Limits], Strategy]]] = {
    bool: lambda _: st.booleans(),
    int: _ints,
    float: _floats,
    str: _texts,
    bytes: lambda within: st.binary(**within.length(LENGTH)),
    type(None): lambda _: st.none(),
    datetime: lambda _: MOMENTS,
    Decimal: _decimals,
    UUID: lambda _: st.uuids(),
    Address: lambda _: st.sampled_from([*map(AgentId, ("one", "two"))]),
    AgentRef: lambda _: st.sampled_from(REFS),
}
