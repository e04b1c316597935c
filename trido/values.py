"""Values of the small kind: frozen classes that have many siblings.

attrs writes and compiles methods for each class. Of messages there are dozens, and what compares or
shows them is tests and logs; so they share these, and importing trido takes less.
"""

from __future__ import annotations

from typing import Any

import attrs


class Shown:
    """Shown by its fields. For ``@define(eq=False, repr=False)``: equal to nothing but itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        cls: Any = self.__class__
        shown = (one.name for one in attrs.fields(cls) if one.repr)
        said = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{cls.__qualname__}({said})"


class ByFields(Shown):
    """Equal if of one class and equal in all fields. For ``@frozen(eq=False, repr=False)``."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return _key(self) == _key(other)

    def __hash__(self) -> int:
        return hash((self.__class__, _key(self)))


def _key(value: Any) -> tuple[object, ...]:
    return tuple(getattr(value, one.name) for one in attrs.fields(value.__class__) if one.eq)
