"""Breakers as a state machine.

All that affects it lives here, as pure functions: what happened and the time go in, the new state
comes out. This file knows no Trio and no clock.

========= ======================= ====================== ====================
state     an attempt wants to run an attempt failed      an attempt succeeded
========= ======================= ====================== ====================
closed    it may                  one too many: open     -
open      before its time: no;    -                      -
          after: half-open, and
          this one is the probe
half-open no                      the probe: open        the probe: closed
========= ======================= ====================== ====================

A probe that ends without saying anything, because it was cancelled, makes room for another. Each
change of state begins a new *era*; what an attempt of an earlier era has to say is not listened
to: it is about a time that is over.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, final

from attrs import evolve, frozen

from trido.agents.action_errors import BreakerOpen
from trido.agents.errors import Reject
from trido.agents.policies import Breaker, leaves
from trido.values import ByFields

Standing: TypeAlias = Literal["closed", "open", "half-open"]
Verdict: TypeAlias = Literal["succeeded", "failed", "nothing"]


@final
@frozen(eq=False, repr=False)
class BreakerState(ByFields):
    """What a breaker remembers."""

    standing: Standing = "closed"
    era: int = 0
    failed: tuple[float, ...] = ()
    """When attempts failed, while it is closed: fewer than open it."""
    until: float = 0.0
    """When it may be tried again, while it is open."""


CLOSED: Final = BreakerState()


def refusal(state: BreakerState, now: float) -> float | None:
    """None if an attempt may be made; else in how many seconds, or 0 if a probe is under way."""
    if state.standing == "open" and now < state.until:
        return state.until - now
    return 0.0 if state.standing == "half-open" else None


def admit(state: BreakerState) -> BreakerState:
    """An attempt that is not refused begins. Its era is that of the new state."""
    if state.standing == "open":
        return evolve(state, standing="half-open", era=state.era + 1)
    return state


def tell(
    breaker: Breaker, state: BreakerState, era: int, verdict: Verdict, now: float
) -> BreakerState:
    """An attempt that was admitted in ``era`` has ended."""
    if era != state.era:
        return state
    if state.standing == "half-open":
        return _probed(breaker, state, verdict, now)
    if verdict != "failed":
        return state
    failed = (*(at for at in state.failed if now - at < breaker.within), now)
    if len(failed) < breaker.failures:
        return evolve(state, failed=failed)
    return BreakerState("open", era + 1, until=now + breaker.open_for)


def _probed(breaker: Breaker, state: BreakerState, verdict: Verdict, now: float) -> BreakerState:
    if verdict == "succeeded":
        return BreakerState("closed", state.era + 1)
    until = now + breaker.open_for if verdict == "failed" else state.until
    return BreakerState("open", state.era + 1, until=until)


def verdict_on(error: BaseException | None) -> Verdict:
    """What an attempt that ended so says about the thing that was tried."""
    if error is None:
        return "succeeded"
    if not isinstance(error, Exception):
        return "nothing"
    no_failures = Reject, BreakerOpen
    return "nothing" if all(isinstance(one, no_failures) for one in leaves(error)) else "failed"
