"""What is told about a journal's file, and while it is worked on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, final

from attrs import frozen

Progress: TypeAlias = Callable[[int, int], object]
"""Called with how much is done, and of how much."""


@final
@frozen(kw_only=True)
class Inspection:
    """What a journal's file holds."""

    file: str
    format: int
    bytes: int
    """With the log."""
    agents: int
    turns: int
    inputs: int
    """How many consumed inputs are known again."""
    directives: dict[str, int]
    """How many have each status."""
    timers: int
