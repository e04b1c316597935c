"""How much a scenario may take: so many steps, so much time."""

from __future__ import annotations

import math
import time
from typing import Final, cast, final

import trio
from attrs import define
from trio.testing import MockClock

from trido.supervision.shields import break_shields
from trido.testing.plan_errors import NotOver

PATIENCE: Final = 100
"""How often it may wait for nothing, once it is cancelled."""


@final
@define(eq=False)
class Budget(trio.abc.Instrument):
    """Cancels ``scope`` after so many task steps: a restart storm takes no virtual time.

    Or when nothing has happened for ``patience`` seconds, of real time: then no time will jump.
    """

    scope: trio.CancelScope
    steps: int
    patience: float = math.inf
    taken: int = 0
    idle: int = 0
    since: float = 0.0
    spent: str = ""
    """Why it cancelled, and the way out; empty if it did not."""

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count it."""
        self.taken += 1
        self.idle = 0
        if self.taken == self.steps:
            self._end(f"it has taken all of steps={self.steps}: have it end, or give it more")

    def before_io_wait(self, timeout: float) -> None:
        """If it was cancelled, and does nothing about it, break its shields: it is never over."""
        self.idle += 1
        if self.idle == 1:
            self.since = time.perf_counter()
        else:
            self.look()
        if self.idle > PATIENCE and self.scope.cancel_called:
            break_shields(self.scope)

    def after_io_wait(self, timeout: float) -> None:
        """It may have waited for long: for a clock that nobody moves."""
        self.look()

    def look(self) -> None:
        """Whether anything happens still."""
        if self.idle and time.perf_counter() - self.since > self.patience:
            self._end(
                f"for {self.patience:g} s of real time it has done nothing: see what it awaits"
            )
            clock = cast("MockClock", trio.lowlevel.current_clock())
            clock.autojump_threshold = 0.0  # nobody else will move it

    def _end(self, why: str) -> None:
        if not self.scope.cancel_called:
            self.spent = why
        self.scope.cancel(reason=why)

    def not_over(self) -> NotOver:
        """It is spent: which limit that is, and the way out."""
        lasts = f"it lasts longer than lasts={self.scope.deadline:g}: have it end, or give it more"
        return NotOver(self.taken, trio.current_time(), self.spent or lasts)
