"""Limits: what the validators of an attrs class leave of the values of a field's type.

What is understood here is drawn straight away; of any other validator the class itself has the
last word, and what it refuses is drawn again.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, final

from attrs import Factory, define


@final
@define
class Limits:
    """What a field may be, besides its type."""

    least: Any = None
    most: Any = None
    open: set[str] = Factory(set)
    """Which of these two are themselves too far: ``"least"``, ``"most"``."""
    shortest: int = 0
    longest: int | None = None
    pattern: re.Pattern[str] | None = None
    options: tuple[Any, ...] | None = None

    def length(self, usual: int) -> dict[str, Any]:
        """The sizes of a text or a collection, as Hypothesis is told them."""
        longest = self.shortest + usual if self.longest is None else self.longest
        return {"min_size": self.shortest, "max_size": longest}

    def bounds(self) -> dict[str, Any]:
        """The least and the greatest of numbers, as Hypothesis is told them."""
        return {"min_value": self.least, "max_value": self.most}

    def within(self, value: Any) -> bool:
        """Whether a number is neither of the bounds that are themselves too far."""
        too_low = "least" in self.open and value == self.least
        return not too_low and not ("most" in self.open and value == self.most)


def limits(field: Any) -> Limits:
    """Those of a field of a class; a dataclass has none."""
    found = Limits()
    for one in _single(getattr(field, "validator", None)):
        _note(found, one)
    return found


def _single(validator: Any) -> Iterator[Any]:
    """The validators that one is made of; ``optional`` says of None what its type says, too."""
    match type(validator).__name__:
        case "_AndValidator":
            for one in validator._validators:
                yield from _single(one)
        case "_OptionalValidator":
            yield from _single(validator.validator)
        case _:
            yield validator


def _note(found: Limits, validator: Any) -> None:
    match type(validator).__name__:
        case "_NumberValidator":
            _note_bound(found, validator)
        case "_MinLengthValidator":
            found.shortest = validator.min_length
        case "_MaxLengthValidator":
            found.longest = validator.max_length
        case "_MatchesReValidator":
            found.pattern = validator.pattern
        case "_InValidator":
            found.options = tuple(_options(validator))


def _note_bound(found: Limits, validator: Any) -> None:
    end, is_open = _COMPARISONS[validator.compare_func]
    setattr(found, end, validator.bound)
    if is_open:
        found.open.add(end)


def _options(validator: Any) -> Iterable[Any]:
    """In an order of their own: a set has none that stays."""
    options = getattr(validator, "_original_options", validator.options)
    return sorted(options, key=repr) if isinstance(options, set | frozenset) else options


_COMPARISONS: Final = {
    operator.ge: ("least", False),
    operator.gt: ("least", True),
    operator.le: ("most", False),
    operator.lt: ("most", True),
}
