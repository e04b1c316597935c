"""What a decision may need from outside, as data."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypeVar, final

from attrs import field, frozen

from trido.agents.signal import Signal

T = TypeVar("T")


@final
@frozen(kw_only=True)
class Turn:
    """The turn that a decision is made in. A handler that takes a third argument is given it.

    The runtime fills it in. To try a handler out, say what it reads:
    ``agent.cmd(state, signal, Turn(now=...))``. Reading what was not said raises `RuntimeError`,
    so a decision cannot depend on what it was not given.
    """

    _signal: Signal | None = field(default=None, alias="signal")
    _now: datetime | None = field(default=None, alias="now")
    _agent_id: str | None = field(default=None, alias="agent_id")

    @property
    def signal(self) -> Signal:
        """The signal, with the attributes that came with it."""
        return _said("signal", self._signal)

    @property
    def now(self) -> datetime:
        """What time it is: the only clock that a decision has."""
        return _said("now", self._now)

    @property
    def agent_id(self) -> str:
        """The id of the agent that decides."""
        return _said("agent_id", self._agent_id)


def _said(name: str, value: T | None) -> T:
    if value is None:
        raise RuntimeError(f"turn.{name} is not known here: give cmd() a Turn({name}=...)")
    return value


NO_TURN: Final = Turn()
