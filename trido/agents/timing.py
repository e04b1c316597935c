"""Directives about time: timers that fire once, and timers that fire by a calendar."""

from __future__ import annotations

from typing import Final, final

from attrs import field, frozen

from trido.agents.cron import LIMIT, CatchUp, CronTable
from trido.agents.directive import Directive, a_signal
from trido.agents.signal import Signal
from trido.checks import count, is_number, one_of, text
from trido.errors import SpecError

LONGEST: Final = 100 * 365.25 * 86_400
"""In how many seconds, at most, a `Schedule` is due."""


@final
@frozen(eq=False, repr=False)
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
        if not (is_number(self.after) and 0 <= self.after <= LONGEST):
            allowed = f"a number of seconds from 0 to {LONGEST:.0f}, a hundred years"
            raise SpecError("after", self.after, allowed, of="Schedule")
        a_signal("Schedule", self.signal)
        if self.key is not None:
            text("Schedule", "key", self.key)


@final
@frozen(eq=False, repr=False)
class Cron(Directive):
    """Send ``signal`` to this agent itself whenever ``expr`` says so, in ``timezone``.

    What it missed, because the clock was set forward or nothing ran, is caught up with by
    ``catch_up``: not at all (``"skip"``), once, for the latest (``"once"``), or all of it, oldest
    first (``"all"``): at most ``catch_up_limit`` firings, each sent when the turn of the one before
    has begun and there is room for it. What is left out is counted in the log.

    ``turn.planned`` tells for when a firing was planned. A timer with the same ``key`` is replaced,
    and its firing withdrawn if that is queued and not begun. It takes effect with the commit.

    Raises:
      SpecError: the expression or the time zone is not one, or it would never fire.
    """

    expr: str
    signal: Signal
    key: str
    timezone: str = "UTC"
    catch_up: CatchUp = field(default="skip", kw_only=True)
    catch_up_limit: int = field(default=LIMIT, kw_only=True)
    table: CronTable = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        of = f"Cron {self.expr!r}"
        a_signal(of, self.signal)
        text(of, "key", self.key)
        one_of(of, "catch_up", self.catch_up, ("skip", "once", "all"))
        count(of, "catch_up_limit", self.catch_up_limit, least=1, infinite=False)
        object.__setattr__(self, "table", CronTable(self.expr, self.timezone))


@final
@frozen(eq=False, repr=False)
class Cancel(Directive):
    """Forget the timer of this key, and withdraw its firing if that is queued and not begun.

    It takes effect with the commit. Without such a timer it does nothing.
    """

    key: str

    def __attrs_post_init__(self) -> None:
        text("Cancel", "key", self.key)
