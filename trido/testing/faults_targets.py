"""Whom faults are for, and what they do to everybody."""

from __future__ import annotations

import time
from typing import Any, TypeAlias

import trio
from trio.testing import MockClock

from trido.runtime.place import AgentPlace
from trido.supervision.place import Report
from trido.testing.plan_points import AnyOf, Who

Place: TypeAlias = AgentPlace[Any]
Target: TypeAlias = Place | Report
"""An agent, or the run of a child."""


def names_of(target: Target) -> tuple[Who, ...]:
    """What it is called in plans, its id first."""
    if not isinstance(target, AgentPlace):
        return target.child.id, target.name
    names = (target.id, AnyOf(target.agent.name))
    return (*names, target.run.report.name) if target.has_run else names


def block(seconds: float) -> None:
    """Let nothing run for so long."""
    clock = trio.lowlevel.current_clock()
    if isinstance(clock, MockClock):
        clock.jump(seconds)
    else:
        time.sleep(seconds)
