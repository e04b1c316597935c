"""Directives about time: timers that fire once, and timers that fire by a calendar."""

from __future__ import annotations

import math
from typing import final

from attrs import field, frozen

from trido.agents.cron import CatchUp, CronTable
from trido.agents.directive import Directive, a_signal
from trido.agents.signal import Signal
from trido.checks import is_number, one_of, text
from trido.errors import SpecError


@final
@frozen
class Schedule(Directive):
    """Send ``signal`` to this agent itself in ``after`` seconds, once.

    A timer with the same ``key`` is replaced, and its firing withdrawn if that is queued and not
    begun. Without a key the timer stands for itself, and nothing can cancel it. It takes effect
    with the commit.
    """

    after: float
    signal: Signal
    key: str | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not (is_number(self.after) and 0 <= self.after < math.inf):
            raise SpecError("after", self.after, "a finite number of seconds >= 0", of="Schedule")
        a_signal("Schedule", self.signal)
        if self.key is not None:
            text("Schedule", "key", self.key)


@final
@frozen
class Cron(Directive):
    """Send ``signal`` to this agent itself whenever ``expr`` says so, in ``timezone``.

    What it missed, because the clock was set forward or nothing ran, is caught up with by
    ``catch_up``: not at all (``"skip"``), once (``"once"``) or all of it, oldest first
    (``"all"``). ``turn.planned`` tells for when a firing was planned. A timer with the same
    ``key`` is replaced. It takes effect with the commit.

    Raises:
      SpecError: the expression or the time zone is not one, or it would never fire.
    """

    expr: str
    signal: Signal
    key: str
    timezone: str = "UTC"
    catch_up: CatchUp = field(default="skip", kw_only=True)
    table: CronTable = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        of = f"Cron {self.expr!r}"
        a_signal(of, self.signal)
        text(of, "key", self.key)
        one_of(of, "catch_up", self.catch_up, ("skip", "once", "all"))
        object.__setattr__(self, "table", CronTable(self.expr, self.timezone))


@final
@frozen
class Cancel(Directive):
    """Forget the timer of this key, and withdraw its firing if that is queued and not begun.

    It takes effect with the commit. Without such a timer it does nothing.
    """

    key: str

    def __attrs_post_init__(self) -> None:
        text("Cancel", "key", self.key)
