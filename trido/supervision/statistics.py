"""What a supervisor says of itself, as of a moment."""

from __future__ import annotations

from attrs import frozen

from trido.supervision.tables import State
from trido.values import ByFields


@frozen(kw_only=True, eq=False, repr=False)
class Counts(ByFields):
    """What `Supervisor.counts` says: OTP's ``count_children``."""

    specs: int
    """Places, with or without a run."""
    active: int
    """Children that have a run which became ready."""
    supervisors: int
    """Places of supervisors, dead or alive."""
    workers: int
    """All other places, dead or alive."""


@frozen(kw_only=True, eq=False, repr=False)
class SupervisorStatistics(ByFields):
    """What `Supervisor.statistics` says, for debugging and monitoring."""

    states: dict[State, int]
    """How many children are in each state; states with none are left out."""
    restarts_in_window: int
    """How many automatic restarts count towards the limit, as of the last one."""
    queued: int
    """How many ends, requests and retries wait until what is in hand is done."""
    callers: int
    """How many tasks wait for an answer."""
