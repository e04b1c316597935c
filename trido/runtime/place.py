"""The place of an agent in a supervisor: what outlives its runs.

The mailbox, the outbox, the last committed state and the ref belong to the place. A run borrows
them, and exists between a start and an end; a call that is queued when a run ends waits for the
next one, if there will be one.
"""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar, final

from trido.agents.errors import AgentError
from trido.runtime.agent import Agent
from trido.runtime.dead_letters import DeadLetters
from trido.runtime.errors import AgentParked, AgentStopped, NoSuchAgent, Overloaded
from trido.runtime.mailbox import Envelope, Mailbox
from trido.runtime.outbox import Outbox
from trido.runtime.ref import AgentRef
from trido.runtime.server import AgentRun
from trido.runtime.spec import AgentSpec
from trido.supervision import Child
from trido.supervision.place import Report, as_place
from trido.supervision.tables import State

S = TypeVar("S")

_WITHOUT_RUN: Final = frozenset[State]({"stopped", "parked", "removed"})


@final
class AgentPlace(Generic[S]):
    """An agent in a supervisor."""

    __slots__ = (
        "_child",
        "_ended",
        "_run",
        "agent",
        "dead_letters",
        "id",
        "in_turn",
        "mailbox",
        "outbox",
        "ref",
        "revision",
        "spec",
        "state",
    )

    def __init__(self, spec: AgentSpec[S]) -> None:
        self.spec: AgentSpec[S] = spec
        self.agent: Agent[S] = spec.agent
        self.id: str = spec.id
        self.state: S = spec.agent.state.initial
        """The last committed state."""
        self.revision: int = 0
        """How many turns it has committed in all its runs."""
        self.in_turn: bool = False
        """A handler is deciding."""
        self.mailbox: Mailbox = Mailbox(spec.agent.mailbox)
        self.outbox: Outbox = Outbox()
        self.dead_letters: DeadLetters = DeadLetters(spec.agent.mailbox)
        self.ref: AgentRef[S] = AgentRef(self)
        self._run: AgentRun[S] | None = None
        self._child: Child[Any] | None = None
        self._ended: type[AgentError] | None = None

    # The port -------------------------------------------------------------------------------

    def start(self, report: Report) -> AgentRun[S]:
        """Start a run: it is ready at once, and needs no task before there is a signal."""
        self._child = report.child
        self._ended = None
        if self.agent.recover == "fresh":
            self.state = self.agent.state.initial
        run = self._run = AgentRun(self, report)
        report.ready(self.ref)
        self.wake()
        return run

    def changed(self, state: State, *, comes_back: bool) -> None:
        """Once there will be no next run, nobody waits for one."""
        if state not in _WITHOUT_RUN:
            return
        if comes_back:
            self.crashed(AgentStopped)
        else:
            self._end(AgentParked if state == "parked" else NoSuchAgent)

    def commit(self, state: S) -> None:
        """A turn is done: this is the state."""
        self.state = state
        self.revision += 1

    # Signals --------------------------------------------------------------------------------

    def offer(self, envelope: Envelope) -> bool:
        """Take a signal in, whatever that takes; False if it must wait for room.

        Raises:
          NoSuchAgent, AgentParked: there is nobody to serve it.
          Overloaded: there is no room, and it is not to wait.
        """
        if self._ended is not None:
            raise self._ended(self.id)
        if not self.mailbox.put(envelope):
            if self.agent.overflow == "block":
                return False
            if self.agent.overflow != "drop_oldest":
                raise Overloaded(self.id)
            self.fail(self.mailbox.take(), Overloaded(self.id))
            self.mailbox.put(envelope)
        self.wake()
        return True

    def fail(self, envelope: Envelope, error: AgentError) -> None:
        """Tell whoever waits for the answer; if nobody does, it is a dead letter."""
        if not envelope.fail(error):
            self.dead_letters.add(self.id, envelope.signal, error)

    def wake(self) -> None:
        """See to it that what is in the mailbox gets served."""
        if self._run is not None and self.mailbox:
            self._run.wake()

    # Ends -----------------------------------------------------------------------------------

    def run_ended(self) -> None:
        """There is no run."""
        self._run = None

    def crashed(self, kind: type[AgentError], cause: BaseException | None = None) -> None:
        """Give up what is in the mailbox, if it is not to be kept for the next run."""
        if not self.agent.keep_mailbox:
            self._fail_all(self.mailbox.clear(), kind, cause)

    def _end(self, ended: type[AgentError]) -> None:
        """There will be no next run, unless somebody asks for one."""
        self._ended = ended
        kind = AgentStopped if ended is NoSuchAgent else ended
        self._fail_all(self.mailbox.close(), kind, None)
        for receiver, signal in self.outbox.withdraw_all():
            self.dead_letters.add(receiver, signal, AgentStopped(self.id))

    def _fail_all(
        self, envelopes: list[Envelope], kind: type[AgentError], cause: BaseException | None
    ) -> None:
        for envelope in envelopes:
            error = kind(self.id)
            error.__cause__ = cause
            self.fail(envelope, error)

    # Reading --------------------------------------------------------------------------------

    @property
    def incarnation(self) -> int:
        """The number of the latest run."""
        return 0 if self._child is None else self._child.incarnation

    @property
    def has_ended(self) -> bool:
        """Whether nobody will serve it, nor knows its state."""
        return self._ended is NoSuchAgent

    @property
    def life(self) -> State:
        """Where it is in its life."""
        return "stopped" if self._child is None else self._child.state


as_place.register(AgentSpec, AgentPlace)
