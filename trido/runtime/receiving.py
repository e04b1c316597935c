"""How the place of an agent takes signals in, and what becomes of those that nobody serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from trio.lowlevel import Abort, RaiseCancelT

from trido.agents import Address, Directive, Emit, Signal
from trido.agents.errors import AgentError
from trido.runtime.dead_letters import Again, DeadLetter
from trido.runtime.envelope import Call, Envelope, Published, Told
from trido.runtime.errors import AgentStopped, Overloaded
from trido.runtime.parts import Parts
from trido.runtime.ref import AgentRef

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace

S = TypeVar("S")


class Receiving(Parts[S]):
    """An `AgentPlace`, as those who send to it see it."""

    __slots__ = ()

    def offer_envelope(self, envelope: Envelope) -> bool:
        """Take a signal in, whatever that takes; False if it must wait for room.

        Raises:
          NoSuchAgent, AgentParked, AgentStopped: there is nobody to serve it.
          Overloaded: there is no room, and it is not to wait.
        """
        if self._ended is not None:
            other = self._woken()
            if other is not None:
                return other.offer_envelope(envelope)
        if not self.mailbox.put(envelope):
            overflow = self.settings.overflow
            if overflow == "block" or envelope.is_patient:
                return False
            if overflow != "drop_oldest":
                raise Overloaded(self.id)
            self.fail(self.mailbox.displace(envelope), Overloaded(self.id))
        run = self._run
        if run is not None and not run.is_queued:
            run.wake()
        return True

    def _woken(self) -> AgentPlace[Any] | None:
        """Have it run again, if it sleeps. It may be known anew, in another place: then that."""
        other = self.env.places.get(self.id)
        if self.asleep is not None and other is not None and other is not self._whole:
            return other
        if self.asleep is not None:
            self._whole.rouse()
        if self._ended is not None and self.asleep is None:
            raise self._ended(self.id)
        return None

    def deliver(self, envelope: Envelope) -> bool:
        """Take in what nobody waits for; False if it waits for room now."""
        try:
            if self.offer_envelope(envelope):
                return True
        except AgentError as error:
            self.fail(envelope, error)
            return True
        self.mailbox.wait(envelope)
        return False

    def tell(self, told: Told) -> None:
        """Send the agent word of something."""
        self.deliver(told)

    def tell_if_wanted(self, signal: Signal) -> None:
        """Send it, if the agent has a route for such signals."""
        if not self.has_ended and self.agent.routes.match(signal.type):
            self.tell(Told(signal))

    def fail(self, envelope: Envelope, error: AgentError) -> None:
        """Tell whoever waits for the answer; if nobody does, it is a dead letter."""
        if not envelope.fail(error):
            self.bury(envelope.signal, error)

    def _fail_one(
        self, envelope: Envelope, kind: type[AgentError], cause: BaseException | None
    ) -> None:
        error = kind(self.id)
        error.__cause__ = cause
        self.fail(envelope, error)

    def wake(self) -> None:
        """See to it that what is in the mailbox gets served."""
        if self._run is not None and self.mailbox:
            self._run.wake()

    def withdraw(self, call: Call, cancelled: RaiseCancelT) -> Abort:
        """Its caller waits no more: forget it, wherever it is. What is being written it awaits."""
        if self.durable is not None and self.durable.holds(call, cancelled):
            return Abort.FAILED
        turn = call.turn
        call.drop()
        if turn is not None:
            turn.caller_gone()
        elif not self.mailbox.withdraw(call):
            self.requests.withdraw(call)
        self.went_idle()
        return Abort.SUCCEEDED

    # Subscriber -------------------------------------------------------------------------------

    def offer(self, signal: Signal) -> bool:
        """Take a signal from the bus; False if the publisher has to wait for room."""
        envelope = Published(signal)
        try:
            return self.offer_envelope(envelope)
        except AgentError as error:
            self.fail(envelope, error)
            return True

    def wait(self, signal: Signal, told: Callable[[], None]) -> Callable[[], None]:
        """Take a signal from the bus as soon as there is room, then call ``told``."""
        envelope = Published(signal, told)
        self.mailbox.wait(envelope)

        def withdraw() -> None:
            self.mailbox.withdraw(envelope)

        return withdraw

    # Dead letters -----------------------------------------------------------------------------

    def bury(self, signal: Signal, reason: AgentError, *, to: Address | str | None = None) -> None:
        """Nobody will serve this: keep it as a dead letter."""
        id = to.id if isinstance(to, Address) else to or self.id
        ref = to if isinstance(to, AgentRef) else None
        self._bury(DeadLetter(id, signal, _bare(reason), by=self.id, to=ref))

    def bury_directive(
        self, directive: Directive, reason: AgentError, again: Again, *, id: str | None = None
    ) -> None:
        """Nobody will carry this out: keep it as a dead letter."""
        signal = directive.signal if isinstance(directive, Emit) else None
        letter = DeadLetter(
            self.id, signal, reason, directive=directive, id=id, by=self.id, again=again
        )
        self._bury(letter)

    def _bury(self, letter: DeadLetter) -> None:
        self.dead_lettered: int = self.dead_lettered + 1
        self.letters.add(letter)

    # Ends -------------------------------------------------------------------------------------

    def close_requests(self) -> None:
        """There will be no turn any more that could answer them."""
        self._fail_requests(AgentStopped, None)

    def _fail_requests(self, kind: type[AgentError], cause: BaseException | None) -> None:
        if self._requests is not None:
            self._requests.fail_all(kind, cause)

    def _drop_mailbox(self, kind: type[AgentError], cause: BaseException | None) -> None:
        """Give up what is in the mailbox, if it is not to be kept for the next run."""
        if self.settings.keep_mailbox:
            return
        for envelope in self.mailbox.clear():
            if envelope.deaths:  # what the last run died on is to be tried again
                self.mailbox.put_back(envelope)
            else:
                self._fail_one(envelope, kind, cause)

    def _close_mailbox(self, kind: type[AgentError]) -> None:
        """Serve nothing more, unless somebody starts it again."""
        self._ended = kind
        for envelope in self.mailbox.close():
            self._fail_one(envelope, kind, None)
        self.went_idle()


def _bare(error: AgentError) -> AgentError:
    """``error`` without the frames it came through: they hold on to whatever is in them."""
    error.__context__ = None
    return error.with_traceback(None)
