"""Timers that are set, as what keeps them sees them."""

from __future__ import annotations

from datetime import datetime
from typing import final

from attrs import field, frozen

from trido.agents.timing import Cron, Schedule
from trido.values import ByFields


@final
@frozen(eq=False, repr=False)
class KeptTimer(ByFields):
    """A timer that is set: what set it, for when, and what of it is dealt with."""

    directive: Schedule | Cron
    name: str
    """What it is called if its directive has no key: something that no other timer of the agent is
    called, such as the revision and the index of the directive."""
    due: datetime
    """When it fires next."""
    last: datetime | None = field(default=None, kw_only=True)
    """Of a `Cron`: the last time that is dealt with."""

    @property
    def row(self) -> str:
        """The key of its row."""
        return row_of(self.directive.key, self.name)


def row_of(key: str | None, name: str = "") -> str:
    """The key of the row of a timer. A key that somebody chose never meets a name."""
    return f"#{name}" if key is None else f"={key}"
