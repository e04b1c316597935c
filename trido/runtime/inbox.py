"""The inbox of a durable agent: which inputs it has consumed, and what it answered.

The newest are at hand; of the others the journal knows, and is asked before such a turn begins. A
known input runs no turn: whoever sent it gets what was answered then.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, final

import trio

from trido.agents.errors import AgentError
from trido.journal import Unavailable
from trido.journal.operations import Find
from trido.journal.rows import AgentKey, Recovery
from trido.runtime.envelope import Call, Envelope
from trido.runtime.errors import AnswerNotKept

if TYPE_CHECKING:
    from trido.journal.session import Session
    from trido.runtime.place import AgentPlace

KNOWN: Final = 1_000
"""Of how many inputs the reply is kept at hand; of the others the journal knows."""
_PAUSE: Final = 5.0


@final
class Inbox:
    """The inputs that one agent has consumed, by their keys."""

    __slots__ = (
        "_is_complete",
        "_key",
        "_known",
        "_looked_up",
        "_looking_up",
        "_place",
        "_session",
        "_values",
    )

    def __init__(self, place: AgentPlace[Any], session: Session, key: AgentKey) -> None:
        self._place = place
        self._session = session
        self._key = key
        self._known: OrderedDict[str, bytes | None] = OrderedDict()
        self._values: dict[str, object] = {}
        """What was answered in this process by a `Reply`: the journal has no class for that."""
        self._is_complete = False
        """Whether all inputs that were consumed are at hand."""
        self._looked_up: str | None = None
        self._looking_up: str | None = None

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def take_over(self, recovery: Recovery) -> None:
        """Have at hand what the journal tells of the newest."""
        self._is_complete = recovery.revision <= min(KNOWN, self._place.settings.history)
        for key, kept in reversed(tuple(recovery.known.items())):
            self.remember(key, kept.reply)

    def remember(self, key: str, reply: bytes | None) -> None:
        """One more was consumed."""
        self._known[key] = reply
        if len(self._known) > KNOWN:
            oldest, _ = self._known.popitem(last=False)
            self._values.pop(oldest, None)
            self._is_complete = False

    def remember_value(self, key: str, value: object) -> None:
        """It was answered by just this."""
        self._values[key] = value

    def knows(self, key: str) -> bool:
        """Whether it is known if this input was consumed; if not, find out."""
        if self._is_complete or key in self._known or key == self._looked_up:
            return True
        if self._looking_up != key:
            self._looking_up = key
            self._place.run.need_host().start_soon(self._look_up, key)
        return False

    async def _look_up(self, key: str) -> None:
        try:
            kept = await self._session.read(Find(self._key, key))
        except Unavailable:
            await trio.sleep(_PAUSE)
        else:
            self._looked_up = key
            if kept is not None:
                self.remember(key, kept.reply)
        self._looking_up = None
        self._place.wake()

    def answer(self, envelope: Envelope, key: str) -> None:
        """Answer a signal that was served before, as it was."""
        envelope.begun()
        if isinstance(envelope, Call) and key in self._values:
            envelope.answer(self._values[key])
        else:
            self.answer_with(envelope, self._known[key])

    def answer_with(self, envelope: Envelope, reply: bytes | None) -> None:
        """Answer a signal with what was kept of its reply."""
        place = self._place
        if not isinstance(envelope, Call):
            envelope.answer(None)
        elif reply is None:
            envelope.fail(AnswerNotKept(place.id))
        else:
            try:
                envelope.answer(place.codec.decode_reply(place.agent, reply))
            except AgentError as error:
                envelope.fail(error)
