"""Signals to an agent that is not there and may come: it starts, or a journal has it and is woken.

Whoever emits to such an id *knocks*: the signal waits in the sender's outbox, in a lane of that id,
until the agent is there, or it is certain that nobody will come. Then it is a dead letter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, final

from trido.agents.errors import AgentError
from trido.runtime.errors import AgentStopped, nobody

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace

Place: TypeAlias = "AgentPlace[Any]"


class Errand(Protocol):
    """What is done with the signal."""

    def send(self, receiver: Place) -> None:
        """The agent is there."""
        ...

    def bury(self, error: AgentError) -> None:
        """It will not be, or the sender waits no more."""
        ...


@final
class Knock:
    """An item of an outbox: a signal for an agent that is not there."""

    __slots__ = ("_begins", "_errand", "_id", "_is_over", "_sender")

    def __init__(self, sender: Place, id: str, errand: Errand) -> None:
        self._sender = sender
        self._id = id
        self._errand = errand
        self._begins = self._is_over = False

    @property
    def lane(self) -> tuple[str, str]:
        """Where it waits in the outbox."""
        return "knock", self._id

    def begin(self) -> bool:
        """Send it, if somebody has come; else have whoever it is for looked for."""
        env = self._sender.env
        receiver = env.places.get(self._id)
        if receiver is not None:
            self._errand.send(receiver)
            return True
        self._begins = True
        env.knock(self._id, self)
        self._begins = False
        return self._is_over

    def answer(self, receiver: Place | None) -> None:
        """Somebody has come, or nobody will."""
        self._is_over = True
        if receiver is None:
            self._errand.bury(nobody(self._id, self._sender.id))
        else:
            self._errand.send(receiver)
        if not self._begins:
            self._sender.outbox.done(self.lane)

    def give_up(self) -> None:
        """Its sender has ended."""
        if self._is_over:
            return
        self._sender.env.knocks_no_more(self._id, self)
        self._errand.bury(AgentStopped(self._sender.id))


def knock(sender: Place, id: str, errand: Errand) -> None:
    """Send a signal to an agent that is not there, if it comes."""
    one = Knock(sender, id, errand)
    sender.outbox.put(one.lane, one)
