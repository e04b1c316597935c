"""Data that cannot change: what dicts and lists become when a signal is made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn, final

from trido.errors import SpecError

TOO_DEEP: Final = "data nested less deeply, and not in itself"


@final
class FrozenDict(dict[Any, Any]):
    """A dict that refuses to change. Equal to a dict with the same items, and hashable if they are.

    A dict, not a mapping of its own, so that all that reads dicts reads it: ``json``, ``match``.
    """

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("the data of a signal or a state does not change")

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __copy__(self) -> FrozenDict:
        return self

    def __deepcopy__(self, _memo: object) -> FrozenDict:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)


_CHANGES: Final = "__setitem__ __delitem__ __ior__ clear pop popitem setdefault update"

for _name in _CHANGES.split():
    setattr(FrozenDict, _name, FrozenDict._refuse)

EMPTY: Final = FrozenDict()


@final
class FrozenList(tuple[Any, ...]):
    """What a list becomes: a tuple, of the same hash, that also equals a list of the same items.

    So what was sent equals what came, as it does for a `FrozenDict`; and all that reads tuples
    reads it.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return tuple.__eq__(self, tuple(other) if isinstance(other, list) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return tuple.__hash__(self)

    def __copy__(self) -> FrozenList:
        return self

    def __deepcopy__(self, _memo: object) -> FrozenList:
        return self


def freeze(value: object) -> Any:
    """``value`` with every dict, list and set in it frozen; all else is the same object.

    Raises:
      RecursionError: it is nested too deeply, or in itself.
    """
    freezer = _FREEZERS.get(type(value))
    if freezer is not None:
        return freezer(value)
    return _frozen_dict(value) if isinstance(value, dict) else value


def too_deep(of: str, field: str, value: object) -> SpecError:
    """What to raise then. It does not show the value, which could not be shown either."""
    return SpecError(field, type(value), TOO_DEEP, of=of)


def _frozen_dict(value: dict[Any, Any]) -> FrozenDict:
    return FrozenDict({key: freeze(item) for key, item in value.items()})


def _frozen_list(value: Iterable[Any]) -> FrozenList:
    return FrozenList(map(freeze, value))


def _frozen_items(value: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(map(freeze, value))


def _itself(value: Any) -> Any:
    return value


_FREEZERS: Final[dict[type, Callable[[Any], Any]]] = {
    FrozenDict: _itself,
    FrozenList: _itself,
    list: _frozen_list,
    tuple: _frozen_items,
    set: frozenset,
    bytearray: bytes,
}
