"""What a decision may need from outside, as data."""

from __future__ import annotations

import copy
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, final

from attrs import define, field

from trido.agents.signal import Signal
from trido.values import ByFields

if TYPE_CHECKING:
    from uuid import UUID

T = TypeVar("T")

Why: TypeAlias = Literal["call", "cast", "emit", "timer", "run", "told", "start", "restart", "stop"]
"""What a turn is there for: a signal that was called, cast or emitted, that a timer or a `Run`
sent, or that the runtime tells of; or the start, a restart or the stop of the agent."""


class _Unsaid:
    def __repr__(self) -> str:
        return "(not said)"


_UNSAID: Final[Any] = _Unsaid()
_NAMESPACE: Final = "6ba7b812-9dad-11d1-80b4-00c04fd430c8"


@final
@define(kw_only=True, on_setattr=None, eq=False, repr=False)
class Turn(ByFields):
    """The turn that a decision is made in. A handler that takes a third argument is given it.

    The runtime fills it in. To try a handler out, say what it reads:
    ``agent.cmd(state, signal, Turn(now=...))``. Reading what was not said raises `RuntimeError`,
    so a decision cannot depend on what it was not given.
    """

    _signal: Signal = field(default=_UNSAID, alias="signal")
    _now: datetime = field(default=_UNSAID, alias="now")
    _planned: datetime | None = field(default=_UNSAID, alias="planned")
    _agent_id: str = field(default=_UNSAID, alias="agent_id")
    _revision: int = field(default=_UNSAID, alias="revision")
    _request: str | None = field(default=_UNSAID, alias="request")
    _why: Why = field(default=_UNSAID, alias="why")
    _resource: Any = field(default=_UNSAID, alias="resource", eq=False)
    _random: Random | None = field(default=None, init=False, eq=False, repr=False)

    @property
    def signal(self) -> Signal:
        """The signal, with the attributes that came with it."""
        return _said("signal", self._signal)

    @property
    def now(self) -> datetime:
        """What time it is: the only clock that a decision has."""
        return _said("now", self._now)

    @property
    def planned(self) -> datetime | None:
        """When the timer that sent the signal was to fire; None if no timer sent it."""
        return _said("planned", self._planned)

    @property
    def agent_id(self) -> str:
        """The id of the agent that decides."""
        return _said("agent_id", self._agent_id)

    @property
    def revision(self) -> int:
        """How many turns the agent had committed before this one."""
        return _said("revision", self._revision)

    @property
    def request(self) -> str | None:
        """What a later turn can answer the caller by; None if nobody waits for an answer.

        A string, so that it can be kept in the state: see `DeferReply` and `Reply`.
        """
        return _said("request", self._request)

    @property
    def why(self) -> Why:
        """What the turn is there for, such as ``"call"``, ``"timer"`` or ``"restart"``."""
        return _said("why", self._why)

    @property
    def resource(self) -> Any:
        """What the agent's ``lifespan`` yielded. For effectful turns only (``async def``)."""
        if self._resource is _UNSAID:
            said = "turn.resource is for handlers that are async: a decision has nothing to hold"
            raise RuntimeError(said)
        return self._resource

    def uuid(self, n: int = 0) -> UUID:
        """The n-th id of this turn: the same whenever the same turn is decided again."""
        from uuid import UUID, uuid5  # noqa: PLC0415  # most agents need none

        return uuid5(UUID(_NAMESPACE), f"{self.agent_id}/{self.revision}/{n}")

    @property
    def random(self) -> Random:
        """Chance, derived from the agent and its revision: the same in the same turn."""
        if self._random is None:
            self._random = Random(f"{self.agent_id}/{self.revision}")
        return self._random

    def anew(self) -> Turn:
        """The same turn, with none of its chance drawn yet."""
        if self._random is None:
            return self
        twin = copy.copy(self)
        twin._random = None
        return twin


def _said(name: str, value: T) -> T:
    if value is _UNSAID:
        raise RuntimeError(f"turn.{name} is not known here: give cmd() a Turn({name}=...)")
    return value


NO_TURN: Final = Turn()
