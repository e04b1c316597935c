"""Agents that a runtime has woken, since nobody else had started them.

A woken agent runs under the runtime for what it has to do. Whoever has another place for it, as its
parent, or a supervisor that it is to live under, does not have to know: the agent is ended where it
is, and goes on there.
"""

from __future__ import annotations

from typing import final

import trio


@final
class Woken:
    """How an agent stands that was woken."""

    __slots__ = ("is_free", "over", "yields")

    def __init__(self) -> None:
        self.is_free: bool = True
        """Nobody has asked for it."""
        self.yields: bool = False
        """It ends, for somebody else has a place for it."""
        self.over: trio.Event | None = None
        """That its run has ended, if somebody waits for that."""

    def give_way(self) -> None:
        """Somebody else has a place for it."""
        self.is_free = False
        self.yields = True
