"""Versions of what is written and read again later: of a state class, or of a signal's data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, final

from attrs import frozen

from trido.agents.frozen import EMPTY, FrozenDict
from trido.checks import count
from trido.errors import SpecError
from trido.values import ByFields

Upgrade: TypeAlias = Callable[[Any], Any]
"""Makes of plain data of one version the plain data of the next. Pure, as decisions are."""


@final
@frozen(eq=False, repr=False)
class Version(ByFields):
    """Which version is written, and what makes it of the older ones."""

    number: int = 1
    upgrades: Mapping[int, Upgrade] = EMPTY
    """By the version that each takes."""

    @property
    def oldest(self) -> int:
        """The oldest version that can still be read."""
        return min(self.upgrades, default=self.number)

    def upgrade(self, data: Any, found: int) -> Any:
        """Plain data of the version ``found``, as this one. Raises what an upgrade raises."""
        for version in range(found, self.number):
            data = self.upgrades[version](data)
        return data


FIRST: Final = Version()


def version_of(of: str, number: object, upgrades: object) -> Version:
    """A version, from what a definition says.

    Raises:
      SpecError: it is none, or the upgrades do not lead to it one by one.
    """
    count(of, "version", number, least=1, infinite=False)
    if not isinstance(upgrades, Mapping) or not all(map(callable, upgrades.values())):
        raise SpecError("upgrades", upgrades, _ALLOWED, of=of)
    version = Version(number, FrozenDict(upgrades))  # type: ignore[arg-type]
    steps = range(version.number - len(upgrades), version.number)
    if set(upgrades) != set(steps) or steps.start < 1:
        allowed = f"{_ALLOWED}, each the next, up to version={version.number}"
        raise SpecError("upgrades", sorted(upgrades, key=str), allowed, of=of)
    return version


_ALLOWED: Final = "functions of plain data, by the version that each takes"
