"""Effectful turns: those whose handler awaits.

Such a turn runs in a task and a nursery of its own, and holds the mailbox meanwhile. It has one
cancel scope, which ends it in four ways: its limit, its caller's leaving, a stop, and a
crash of something else in the run. Whatever the handler does about that, nothing of an interrupted
turn is committed.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, final

import trio
from outcome import Outcome, Value
from trio.lowlevel import enable_ki_protection

from trido.agents import Turn
from trido.agents.handlers import Hook
from trido.agents.routing import Route
from trido.runtime.contained import contained
from trido.runtime.envelope import Call, Envelope
from trido.runtime.holding import HOLDING

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace

S = TypeVar("S")
_NOTHING: Final = object()


@final
class EffectfulTurn(Generic[S]):
    """One turn whose handler awaits."""

    __slots__ = (
        "calls",
        "data",
        "envelope",
        "is_open",
        "is_void",
        "over",
        "place",
        "route",
        "scope",
        "turn",
    )

    def __init__(
        self,
        place: AgentPlace[S],
        envelope: Envelope,
        route: Route | Hook,
        data: object,
        turn: Turn,
    ) -> None:
        self.place: AgentPlace[S] = place
        self.envelope: Envelope = envelope
        self.route: Route | Hook = route
        self.data: object = data
        self.turn: Turn = turn
        self.scope: trio.CancelScope = trio.CancelScope()
        self.is_open: bool = True
        self.is_void: bool = False
        """Nothing of it is to be committed, and whoever sent the signal has been told."""
        self.over: trio.Event = trio.Event()
        self.calls: Counter[AgentPlace[Any]] = Counter()
        """Whom tasks that hold this turn wait for: called, and not heard from yet."""
        if isinstance(envelope, Call):
            envelope.turn = self

    @property
    def limit(self) -> float:
        """How many seconds it may take."""
        limit = self.route.turn_limit
        return self.place.settings.turn_limit if limit is None else limit

    def interrupt(self, reason: str) -> None:
        """Cancel the handler; nothing of it will be committed."""
        self.is_void = True
        self.scope.cancel(reason=reason)

    def caller_gone(self) -> None:
        """Whoever called is cancelled."""
        if isinstance(self.route, Hook) or self.route.on_caller_gone == "cancel":
            self.interrupt("its caller was cancelled")

    @enable_ki_protection
    async def decide(self) -> Outcome[object]:
        """Have the handler decide: what it returned or raised."""
        try:
            if not self.is_void:  # else it was interrupted before it began
                return await self._decide()
            return Value(_NOTHING)
        finally:
            self.is_open = False
            if isinstance(self.envelope, Call):
                self.envelope.turn = None

    async def _decide(self) -> Outcome[object]:
        HOLDING.set(self)
        if self.limit < math.inf:
            self.scope.deadline = trio.current_time() + self.limit
        call, probe = self.route.call, self.place.env.probe
        if probe is not None:
            call = probe.wrap(self.place, call, None)
        outcome = await contained(self.scope, call, self.place.state, self.data, self.turn)
        return Value(_NOTHING) if outcome is None else outcome

    @property
    def has_expired(self) -> bool:
        """Whether it took longer than it may."""
        return self.scope.cancel_called and not self.is_void
