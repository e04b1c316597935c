"""Directives: what an agent wants done, as immutable data. Deciding is not doing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, final

from attrs import field, frozen

from trido.agents.signal import Signal
from trido.errors import SpecError


class Address(ABC):
    """Where a signal can be sent. The runtime's is an ``AgentRef``."""

    __slots__ = ()

    @property
    @abstractmethod
    def id(self) -> str:
        """Whom it names."""


class Directive:
    """Something for the runtime to do once the turn is committed. It does nothing itself."""

    __slots__ = ()


@final
@frozen
class Emit(Directive):
    """Send ``signal``: to an agent, or without ``to`` to whoever subscribed to such signals.

    What one agent emits to another arrives in the order in which it was emitted. A mailbox with
    no room is waited for, by the runtime and not by the agent; what cannot be delivered is a dead
    letter.
    """

    signal: Signal
    to: Address | str | None = field(default=None, kw_only=True)
    """An agent's ref or its id."""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.signal, Signal):
            raise SpecError("signal", self.signal, "a trido.Signal", of="Emit")
        to: Any = self.to
        if to is not None and (not isinstance(to, Address | str) or not to):
            raise SpecError("to", to, "an agent's ref, its id, or None", of="Emit")


@final
@frozen
class Reply(Directive):
    """Answer the caller with ``value``, instead of with the committed state.

    The first one of a turn counts. A signal that was cast has no caller: then it does nothing.
    """

    value: Any


@final
@frozen
class Stop(Directive):
    """End the agent: a normal end, after this turn's other directives and answer."""
