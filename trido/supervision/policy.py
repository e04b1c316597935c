"""How to restart a child and how to stop it: the part of a spec that decides."""

from __future__ import annotations

import enum
import math
from typing import Final, Literal, TypeAlias, cast

from attrs import frozen

from trido.checks import flag, is_number, one_of, seconds
from trido.errors import SpecError
from trido.values import ByFields

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown: TypeAlias = Literal["never", "any_significant", "all_significant"]
Ready: TypeAlias = Literal["started", "scheduled"]
OnLimit: TypeAlias = Literal["escalate", "park"]
Kind: TypeAlias = Literal["worker", "supervisor"]
Exceptions: TypeAlias = type[Exception] | tuple[type[Exception], ...]


class _BrutalKill(enum.Enum):
    BRUTAL_KILL = "BRUTAL_KILL"

    def __repr__(self) -> str:
        return "trido.BRUTAL_KILL"


BRUTAL_KILL: Final = _BrutalKill.BRUTAL_KILL
"""``shutdown=BRUTAL_KILL``: kill at once when asked to stop, and think nothing of it."""

Grace: TypeAlias = float | Literal[_BrutalKill.BRUTAL_KILL]


@frozen(kw_only=True, repr=False, cache_hash=True)  # agents that have the same share a policy
class Backoff(ByFields):
    """How long to wait before the n-th automatic attempt to restart a child.

    The first attempt is made at once; attempt n waits ``min * factor**(n-2)`` seconds, at most
    ``max``, times ``1 + jitter * u`` with u drawn from [0, 1). Only ``reset_after`` seconds of
    uptime make the next attempt a first one again.
    """

    min: float = 0.1
    max: float = 30.0
    factor: float = 2.0
    jitter: float = 0.0
    reset_after: float = 60.0

    def __attrs_post_init__(self) -> None:
        seconds("Backoff", "min", self.min, finite=True)
        seconds("Backoff", "max", self.max, least=self.min, finite=True)
        seconds("Backoff", "reset_after", self.reset_after)
        if not (is_number(self.factor) and 1 <= self.factor < math.inf):
            raise SpecError("factor", self.factor, "a finite number >= 1", of="Backoff")
        if not (is_number(self.jitter) and 0 <= self.jitter < math.inf):
            raise SpecError("jitter", self.jitter, "a finite number >= 0", of="Backoff")

    def delay(self, attempt: int, u: float = 0.0) -> float:
        """Seconds to wait before automatic attempt number ``attempt`` (from 1)."""
        if attempt <= 1:
            return 0.0
        try:
            base = self.min * self.factor ** (attempt - 2)
        except OverflowError:
            base = self.max
        return min(self.max, base) * (1 + self.jitter * u)


@frozen(kw_only=True, eq=False, repr=False)
class ChildPolicy(ByFields):
    """The part of a child's spec that decides; the decision reads nothing else of it."""

    kind: Kind = "worker"
    restart: Restart = "permanent"
    shutdown: Grace = 5.0
    start_timeout: float = math.inf
    significant: bool = False
    backoff: Backoff | None = None
    on_limit: OnLimit = "escalate"
    restart_on: tuple[type[Exception], ...] = (Exception,)
    escalate_on: tuple[type[Exception], ...] = ()

    @property
    def grace(self) -> float:
        """Seconds between being asked to stop and being killed."""
        return 0.0 if isinstance(self.shutdown, _BrutalKill) else self.shutdown

    def check(self, of: str) -> None:
        """Raise `SpecError` unless every field is one that can be."""
        one_of(of, "restart", self.restart, ("permanent", "transient", "temporary"))
        _check_grace(of, self.shutdown)
        seconds(of, "start_timeout", self.start_timeout)
        flag(of, "significant", self.significant)
        if self.backoff is not None and type(self.backoff) is not Backoff:
            raise SpecError("backoff", self.backoff, "a trido.Backoff or None", of=of)
        one_of(of, "on_limit", self.on_limit, ("escalate", "park"))
        if self.significant and self.restart == "permanent":
            allowed = "False for a permanent child, which never ends for good"
            raise SpecError("significant", self.significant, allowed, of=of)


def _check_grace(of: str, shutdown: object) -> None:
    if shutdown is BRUTAL_KILL or (is_number(shutdown) and cast("float", shutdown) >= 0):
        return
    allowed = "a number of seconds >= 0, math.inf or trido.BRUTAL_KILL"
    raise SpecError("shutdown", shutdown, allowed, of=of)
