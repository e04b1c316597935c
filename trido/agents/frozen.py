"""Data that cannot change: what dicts and lists become when a signal is made of them."""

from __future__ import annotations

from typing import Any, Final, NoReturn, final


@final
class FrozenDict(dict[Any, Any]):
    """A dict that refuses to change. Equal to a dict with the same items, and hashable if they are.

    A dict, not a mapping of its own, so that all that reads dicts reads it: ``json``, ``match``.
    """

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("the data of a signal does not change")

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


def freeze(value: object) -> Any:
    """``value`` with every dict, list and set in it frozen; all else is the same object."""
    kind = type(value)
    if kind in _SCALARS or kind is FrozenDict:
        return value
    if isinstance(value, dict):
        return FrozenDict({key: freeze(item) for key, item in value.items()})
    if kind is list or kind is tuple:
        return tuple(map(freeze, value))  # type: ignore[call-overload]
    if kind is set:
        return frozenset(value)  # type: ignore[call-overload]
    if kind is bytearray:
        return bytes(value)  # type: ignore[call-overload]
    return value


_SCALARS: Final = frozenset({str, int, float, bool, bytes, type(None)})
