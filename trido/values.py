"""Values of the small kind: frozen classes that have many siblings.

attrs writes and compiles methods for each class. Of messages there are dozens, and what compares or
shows them is tests and logs; so they share these, and importing trido takes less.
"""

from __future__ import annotations

from typing import Any

import attrs


class ByFields:
    """Equal if of one class and equal in all fields. For ``@frozen(eq=False, repr=False)``."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return _named(self) == _named(other)

    def __hash__(self) -> int:
        return hash((self.__class__, _named(self)))

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in _named(self))
        return f"{self.__class__.__qualname__}({said})"


def _named(value: Any) -> tuple[tuple[str, object], ...]:
    names = (one.name for one in attrs.fields(value.__class__))
    return tuple((name, getattr(value, name)) for name in names)
