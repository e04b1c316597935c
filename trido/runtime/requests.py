"""Calls that a turn has deferred the answer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from trido.agents import Reply
from trido.runtime.envelope import Call, Envelope

if TYPE_CHECKING:
    from trido.agents.errors import AgentError
    from trido.runtime.place import AgentPlace


@final
class Requests:
    """The open requests of one agent, by the name that its state may keep."""

    __slots__ = ("_number", "_open", "_place", "ignored")

    def __init__(self, place: AgentPlace[Any]) -> None:
        self._place = place
        self._open: dict[str, Call] = {}
        self._number = 0
        self.ignored: int = 0
        """How many replies came for a request that was not open."""

    def __len__(self) -> int:
        return len(self._open)

    def name(self, envelope: Envelope) -> str | None:
        """What a later turn can answer it by; None if nobody waits for an answer."""
        return self._name(envelope) if isinstance(envelope, Call) else None

    def _name(self, call: Call) -> str:
        self._number += 1
        durable = self._place.durable
        # The state may keep it for longer than this process lives: it is not to mean another then.
        number = self._number if durable is None else f"{durable.epoch}.{self._number}"
        call.request = f"{self._place.id}?{number}"
        return call.request

    def defer(self, envelope: Envelope) -> None:
        """Whoever sent it goes on waiting, if it is a call; else it was served."""
        if not isinstance(envelope, Call):
            envelope.answer(None)
        elif not envelope.is_settled:
            self._open[envelope.request or self._name(envelope)] = envelope

    def answer(self, reply: Reply) -> None:
        """Answer whoever waits; if nobody does, it is ignored and counted."""
        call = self._open.pop(reply.to or "", None)
        if call is None:
            self.ignored += 1
        else:
            call.answer(reply.value)

    def withdraw(self, call: Call) -> None:
        """Its caller waits no more."""
        self._open.pop(call.request or "", None)

    def fail_all(self, kind: type[AgentError], cause: BaseException | None) -> None:
        """Nobody will answer them."""
        waiting, self._open = self._open, {}
        for call in waiting.values():
            error = kind(self._place.id)
            error.__cause__ = cause
            call.fail(error)
