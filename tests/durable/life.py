"""What one process is to do until it is killed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Final, Self, final

from attrs import asdict, frozen

DOWNTIME: Final = timedelta(seconds=90)
"""How much later each life begins by its clock: no test waits for a calendar."""


@final
@frozen(kw_only=True)
class Life:
    directory: str
    number: int = 0
    """Its how manieth it is. It decides what the clients do, and what time it is."""
    at: str = ""
    """The crash point at which it is killed, …"""
    nth: int = 1
    """… and at which time it comes there."""
    seconds: float = 60.0
    """When it is killed, wherever it is."""
    leaves: float = inf
    """When it closes the runtime."""
    fault: str = ""
    """What is planted in it."""
    last: bool = False
    """Whether it brings all to its end, and starts nothing new."""

    @property
    def path(self) -> Path:
        return Path(self.directory)

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.number * DOWNTIME

    def __str__(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> Self:
        return cls(**json.loads(text))
