"""Data that is only just wrong: all of it is right but for one thing, in one place.

Where that is can be told, as `InvalidData` tells it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, TypeAlias, final

from attrs import define, field
from hypothesis import strategies as st

from trido.agents.errors import InvalidData
from trido.agents.schema import Record
from trido.agents.shapes import Array, Either, Fixed, Shape, Table
from trido.testing.strategies.limits import Limits
from trido.testing.strategies.values import Values, limits_of

Wrong: TypeAlias = st.SearchStrategy[tuple[Any, str]]
"""Data, and the path of what is wrong with it."""

_TRIED: Final[tuple[Any, ...]] = (None, True, "1", 1.5, 0, "", (), {})
"""What is mistaken for something else: one of these is wrong for nearly every type."""
_UNKNOWN: Final = "unknown_"
_SELF: Final = "$"


def refuses(shape: Shape, value: Any) -> bool:
    """Whether ``value`` itself is wrong, and not something in it."""
    try:
        shape.build(value, _SELF)
    except InvalidData as error:
        return error.path == _SELF
    return False


@final
@define
class Wrongs:
    """Makes the strategies of what shapes refuse; of a class inside itself it looks no deeper."""

    _values: Values = field(alias="values")
    _inside: list[int] = field(factory=list, init=False)

    def of(self, shape: Shape, path: str = _SELF) -> Wrong:
        """What ``shape`` refuses; nothing, if it takes anything."""
        outright = [one for one in _TRIED if refuses(shape, one)]
        mistaken = [st.sampled_from(outright).map(lambda one: (one, path))] if outright else []
        return st.one_of(*mistaken, *self._within(shape, path))

    def _within(self, shape: Shape, path: str) -> list[Wrong]:
        match shape:
            case Record():
                return self._record(shape, path)
            case Either():
                return self._either(shape, path)
            case Array():
                return [self.of(shape.item, f"{path}[0]").map(lambda one: ([one[0]], one[1]))]
            case Fixed():
                return self._fixed(shape, path)
            case Table():
                return [self._table(shape, path)]
            case _:
                return []

    def _either(self, shape: Either, path: str) -> list[Wrong]:
        """If only one can have been meant, it is what is wrong in that one."""
        meant = [one for one in shape.shapes if type(None) not in one.exact]
        return self._within(meant[0], path) if len(meant) == 1 else []

    def _fixed(self, shape: Fixed, path: str) -> list[Wrong]:
        right = [self._values.of(one) for one in shape.items]
        too_many = st.tuples(*right, st.none()).map(lambda items: (items, path))
        return [too_many, *(self._item(shape, path, at) for at in range(len(right)))]

    def _item(self, shape: Fixed, path: str, at: int) -> Wrong:
        right = st.tuples(*map(self._values.of, shape.items))
        wrong = self.of(shape.items[at], f"{path}[{at}]")
        return st.builds(
            lambda items, one: ((*items[:at], one[0], *items[at + 1 :]), one[1]), right, wrong
        )

    def _table(self, shape: Table, path: str) -> Wrong:
        keys = self._values.of(shape.key)
        return keys.flatmap(
            lambda key: self.of(shape.value, f"{path}.{key}").map(
                lambda one: ({key: one[0]}, one[1])
            )
        )

    # Classes with fields ----------------------------------------------------------------------

    def _record(self, record: Record, path: str) -> list[Wrong]:
        if id(record) in self._inside:
            return []
        self._inside.append(id(record))
        right = self._values.arguments(record)
        found = [
            *(self._missing(right, name, path) for name in record.required),
            right.map(lambda given: ({**given, _UNKNOWN: None}, f"{path}.{_UNKNOWN}")),
            *(self._field(record, right, name, path) for name in record.arguments),
            *(self._beyond(record, right, name, path) for name in record.arguments),
        ]
        self._inside.pop()
        return found

    def _missing(self, right: Any, name: str, path: str) -> Wrong:
        return right.map(  # type: ignore[no-any-return]
            lambda given: (
                {key: one for key, one in given.items() if key != name},
                f"{path}.{name}",
            )
        )

    def _field(self, record: Record, right: Any, name: str, path: str) -> Wrong:
        where = f"{path}.{name}"
        wrong = self.of(record.arguments[name], where)
        if name in record.secrets:  # of what is in a secret nothing is told
            wrong = wrong.map(lambda one: (one[0], where))
        return st.builds(lambda given, one: ({**given, name: one[0]}, one[1]), right, wrong)

    def _beyond(self, record: Record, right: Any, name: str, path: str) -> Wrong:
        """Of the right type, and not what its validator allows: the class itself says no."""
        beyond = list(_beyond(limits_of(record)[name]))
        if not beyond:
            return st.nothing()
        return st.builds(
            lambda given, one: ({**given, name: one}, path), right, st.sampled_from(beyond)
        )


def _beyond(within: Limits) -> list[Any]:
    """The nearest values that limits rule out, of numbers and of texts."""
    found: list[Any] = []
    if isinstance(within.least, _NUMBERS):
        found.append(within.least if "least" in within.open else within.least - 1)
    if isinstance(within.most, _NUMBERS):
        found.append(within.most if "most" in within.open else within.most + 1)
    return found


_NUMBERS: Final = (int, float, Decimal)
