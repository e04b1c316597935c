"""Refs: the stable address of an agent, and all that can be asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, final, overload

import trio
from attrs import frozen
from trio.lowlevel import Abort, RaiseCancelT, enable_ki_protection

from trido.agents import Address, AgentError, Request, Signal
from trido.runtime.dead_letters import DeadLetters
from trido.runtime.errors import NoSuchAgent, Overloaded
from trido.runtime.mailbox import Call, Cast
from trido.supervision import DeadlockError

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace

S_co = TypeVar("S_co", covariant=True)
R = TypeVar("R")


@frozen(kw_only=True)
class AgentStatus:
    """What `AgentRef.status` says, as of that moment."""

    id: str
    """Its id."""
    agent: str
    """The name of its definition."""
    state: str
    """Where it is in its life: ``"running"``, ``"restarting"`` …, as `Child.state` has it."""
    incarnation: int
    """The number of its latest run."""
    revision: int
    """How many turns it has committed in all its runs. It never goes back."""
    queued: int
    """How many signals are in its mailbox."""
    waiting: int
    """How many signals wait for room in its mailbox."""
    outbox: int
    """How many signals it emitted wait for room in the mailboxes of others."""
    dead_letters: int
    """How many dead letters there were."""


@final
class AgentRef(Address, Generic[S_co]):
    """The address of an agent. It stays valid through restarts, and ends with the agent's place.

    Made by the runtime only: the `Child.value` of an agent's child is its ref.
    """

    __slots__ = ("place",)

    def __init__(self, place: AgentPlace[Any]) -> None:
        self.place: AgentPlace[Any] = place

    def __repr__(self) -> str:
        return f"<trido.AgentRef {self.id!r}>"

    @property
    def id(self) -> str:
        """The agent's id."""
        return self.place.id

    @property
    def incarnation(self) -> int:
        """The number of its latest run."""
        return self.place.incarnation

    @property
    def dead_letters(self) -> DeadLetters:
        """The signals sent to it that it did not serve; and what it emitted to nobody."""
        return self.place.dead_letters

    def state(self) -> S_co:
        """The last committed state. It does not wait for anything.

        Raises:
          NoSuchAgent: the agent has ended.
        """
        if self.place.has_ended:
            raise NoSuchAgent(self.id)
        return cast("S_co", self.place.state)

    def status(self) -> AgentStatus:
        """How it is, whatever has become of it. It does not wait for anything."""
        place = self.place
        return AgentStatus(
            id=place.id,
            agent=place.agent.name,
            state=place.life,
            incarnation=place.incarnation,
            revision=place.revision,
            queued=len(place.mailbox),
            waiting=place.mailbox.waiting,
            outbox=len(place.outbox),
            dead_letters=place.dead_letters.total,
        )

    @overload
    async def call(self, signal: Request[Any, R], /) -> R: ...
    @overload
    async def call(self, signal: Signal, /) -> Any: ...
    @enable_ki_protection
    async def call(self, signal: Signal, /) -> Any:
        """Send ``signal`` and wait for the answer: what a `Reply` says, or else the new state.

        The answer comes once the turn is committed, and before anything that follows from it. If
        the caller is cancelled, the signal is withdrawn: Cancelled means that its turn did not
        happen, and never will. There is no ``timeout``; use a cancel scope.

        Checkpoints: always. Ordering: signals of one sender are served in the order in which they
        were sent, calls and casts alike.

        Raises:
          NoRoute, InvalidData, Reject: the agent says no. Its state is as before, and it lives.
          Overloaded: there is no room for the signal, or for what would have followed from it.
          AgentCrashed: it crashed while it served the signal; the cause is attached.
          AgentStopped: it ended before it served the signal, and nobody restarts it.
          AgentParked: it is parked.
          NoSuchAgent: it had ended already.
          DeadlockError: a handler of the agent itself calls: it could never be answered.
        """
        place = self.place
        if place.in_turn:
            raise DeadlockError(f"agent {self.id!r} calls itself while it serves a signal")
        call = Call(_signal(signal), trio.lowlevel.current_task())
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            if not place.offer(call):
                place.mailbox.wait(call)
        except AgentError:
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise

        def withdraw(_: RaiseCancelT) -> Abort:
            place.mailbox.withdraw(call)
            return Abort.SUCCEEDED

        return await trio.lowlevel.wait_task_rescheduled(withdraw)

    @enable_ki_protection
    async def cast(self, signal: Signal, /) -> None:
        """Send ``signal``, and wait for no answer; only for room, if there is none.

        When this returns the signal is in the mailbox, or a dead letter: nobody is told what
        becomes of it. If the caller is cancelled while it waits for room, nothing was sent.

        Checkpoints: always. Ordering: as `call`.

        Raises:
          Overloaded: the mailbox is full, and the agent was made with ``overflow="reject"``.
        """
        place, cast = self.place, Cast(_signal(signal))
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            arrived = place.offer(cast)
        except AgentError as error:
            await trio.lowlevel.cancel_shielded_checkpoint()
            if isinstance(error, Overloaded) and place.agent.overflow == "reject":
                raise
            place.fail(cast, error)
            return
        if arrived:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        cast.waiting = trio.lowlevel.current_task()
        place.mailbox.wait(cast)

        def withdraw(_: RaiseCancelT) -> Abort:
            place.mailbox.withdraw(cast)
            return Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(withdraw)

    @enable_ki_protection
    def cast_nowait(self, signal: Signal, /) -> None:
        """Send ``signal``, if there is room at once. As `cast` otherwise.

        Raises:
          trio.WouldBlock: the mailbox is full, and the agent was made with ``overflow="block"``
            or ``"reject"``.
        """
        place, cast = self.place, Cast(_signal(signal))
        try:
            if not place.offer(cast):
                raise trio.WouldBlock
        except AgentError as error:
            if isinstance(error, Overloaded) and place.agent.overflow == "reject":
                raise trio.WouldBlock from None
            place.fail(cast, error)


def _signal(signal: object) -> Signal:
    if isinstance(signal, Signal):
        return signal
    raise TypeError(f"agents are sent a trido.Signal, not {signal!r}")
