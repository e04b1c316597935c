"""Refs: the stable address of an agent, and all that can be asked of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast, final, overload

import trio
from attrs import frozen
from trio.lowlevel import Abort, RaiseCancelT, enable_ki_protection

from trido.agents import Address, AgentError, Request, Signal
from trido.agents.secrets import redacted
from trido.runtime.dead_letters import DeadLetters
from trido.runtime.envelope import Call, Cast
from trido.runtime.errors import IntakeClosed, NoSuchAgent, Overloaded
from trido.runtime.holding import held_turn, refuse_circle, waiting_for
from trido.runtime.waiting import holds
from trido.supervision import ChildNotFound, DeadlockError
from trido.supervision.spot import Spot
from trido.values import ByFields

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace

S_co = TypeVar("S_co", covariant=True)
R = TypeVar("R")


@frozen(kw_only=True, eq=False, repr=False)
class AgentStatus(ByFields):
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
    """How many directives that it has committed are not done yet."""
    runs: int
    """How many of its `Run` actions are in flight or wait."""
    timers: int
    """How many timers are set."""
    children: int
    """How many children it has."""
    requests: int
    """How many callers wait for an answer that it has deferred."""
    late_replies: int
    """How many replies it gave to requests that were not open any more."""
    dead_letters: int
    """How many dead letters there were: signals sent to it, and directives of its own."""


@final
class AgentRef(Address, Generic[S_co]):
    """The address of an agent. It stays valid through restarts, those of a parent included.

    Under a plain supervisor it ends with the agent's place. In a runtime it names whoever has the
    id: once the agent has ended, it is of use again when there is another of that id.

    Made by the runtime only: the `Child.value` of an agent's child is its ref.
    """

    __slots__ = ("__weakref__", "place")

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
        """What it gave up: signals that it did not serve, and directives of its own."""
        place = self.place
        return place.letters if place.env.letters is None else place.letters.of(place)

    def state(self) -> S_co:
        """The last committed state. It does not wait for anything.

        Raises:
          NoSuchAgent: the agent has ended.
        """
        if self.place.has_ended:
            raise NoSuchAgent(self.id)
        return cast("S_co", self.place.shown_state)

    def status(self) -> AgentStatus:
        """How it is, whatever has become of it. It does not wait for anything."""
        return self.place.status()

    async def wait_for(self, predicate: Callable[[S_co], object]) -> S_co:
        """Wait until the agent has a state of which ``predicate`` is true, and return that.

        It is asked of the state there is, then of every committed one, in order: none is missed. It
        is asked in between the agent's turns, so it must be quick. It outlives restarts.

        Checkpoints: always.

        Raises:
          NoSuchAgent: the agent has ended, or ends before that.
          Exception: whatever ``predicate`` raises.
        """
        await trio.lowlevel.checkpoint()
        state = self.state()
        if holds(predicate, state):
            return state
        self.place.is_woken()  # for as long as somebody waits, it is awake
        return cast("S_co", await self.place.waiting.wait(predicate))

    async def stop(self) -> None:
        """Stop the agent, in order, and wait until it has ended.

        Its turn in progress did not happen, what is queued is not served; what it has committed is
        carried out within its grace. Stopping one that has ended does nothing.

        Checkpoints: always a cancellation point; other tasks run at least once in half a
        millisecond of what is done on the spot.

        Raises:
          SupervisorStopped: its supervisor is stopping or has ended.
          DeadlockError: the caller descends from a child that is being started or stopped.
        """
        try:
            has_waited = await self.place.stop()
        except ChildNotFound:
            has_waited = True
        # It has left only to sleep, before that was its turn.
        if self.place.asleep is not None:  # pragma: no cover - only some moments come to this
            await self.stop()
        elif not has_waited:
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def revive(self) -> None:
        """Run an agent again that is parked, with an empty window; wait until it is ready.

        Checkpoints: always.

        Raises:
          ChildRunning, ChildRestarting: it has a run, or is about to have one.
          StartFailed: it failed before it was ready.
          ChildNotFound, NoSuchAgent: it has ended for good.
          SupervisorStopped: its supervisor is stopping or has ended.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        await self.place.revive()

    @overload
    async def call(self, signal: Request[Any, R], /) -> R: ...
    @overload
    async def call(self, signal: Signal, /) -> Any: ...
    @enable_ki_protection
    async def call(self, signal: Signal, /) -> Any:
        """Send ``signal`` and wait for the answer: what a `Reply` says, or else the new state.

        The answer comes once the turn is committed, and before anything that follows from it. If
        the caller is cancelled, the signal is withdrawn: Cancelled means that its turn did not
        happen, and never will; unless its route says ``on_caller_gone="finish"``, or the answer was
        deferred. There is no ``timeout``; use a cancel scope.

        Checkpoints: always a cancellation point; other tasks run at least once in half a
        millisecond of turns that are served on the spot. Ordering: signals of one sender are served
        in the order in which they were sent, calls and casts alike.

        Raises:
          NoRoute, InvalidData, Reject: the agent says no. Its state is as before, and it lives.
          Overloaded: there is no room for the signal, or for what would have followed from it.
          TurnExpired: its turn took too long. Nothing of it was committed.
          AgentCrashed: it crashed while it served the signal; the cause is attached.
          AgentStopped: it ended before it served the signal, and nobody restarts it.
          AgentParked: it is parked.
          NoSuchAgent: it had ended already.
          IntakeClosed: its runtime takes nothing more from outside.
          DeadlockError: the agents would wait for each other for ever.
        """
        if not isinstance(signal, Signal):
            raise _no_signal(signal)
        place, call = self.place, Call(signal)
        await trio.lowlevel.checkpoint_if_cancelled()
        run = place._run
        if run is not None and place.env.intake_open and run.is_free_for(call):
            run.serve_now(call)
        else:
            await self._queue(call)
        outcome = call.outcome
        if outcome is not None:
            spot = Spot.here()
            if spot.is_spent(trio.current_time()):
                await spot.breathe()
            return outcome.unwrap()
        call.task = trio.lowlevel.current_task()
        turn = held_turn()
        if turn is None:
            return await trio.lowlevel.wait_task_rescheduled(partial(place.withdraw, call))
        with waiting_for(turn, place):
            return await trio.lowlevel.wait_task_rescheduled(partial(place.withdraw, call))

    async def _queue(self, call: Call) -> None:
        place = self.place
        turn = held_turn()
        if place.in_turn:
            raise DeadlockError(f"agent {self.id!r} calls itself while it serves a signal")
        if place.env.refuses:
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise IntakeClosed(self.id)
        if turn is not None:
            refuse_circle(turn, place)
        try:
            if not place.offer_envelope(call):
                place.mailbox.wait(call)
        except AgentError:
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise

    @enable_ki_protection
    async def cast(self, signal: Signal, /) -> None:
        """Send ``signal``, and wait for no answer; only for room, if there is none.

        When this returns the signal is in the mailbox, or a dead letter: nobody is told what
        becomes of it. If the caller is cancelled while it waits for room, nothing was sent.

        Checkpoints: always. Ordering: as `call`.

        Raises:
          Overloaded: the mailbox is full, and the agent was made with ``overflow="reject"``.
          DeadlockError: there is no room, and the agents would wait for each other for ever.
        """
        if not isinstance(signal, Signal):
            raise _no_signal(signal)
        place, cast = self.place, Cast(signal)
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self._check_intake()
            arrived = place.offer_envelope(cast)
        except AgentError as error:
            await trio.lowlevel.cancel_shielded_checkpoint()
            if isinstance(error, Overloaded) and place.settings.overflow == "reject":
                raise
            place.fail(cast, error)
            return
        if arrived:
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            await self._wait_for_room(cast)

    async def _wait_for_room(self, cast: Cast) -> None:
        place = self.place
        turn = held_turn()
        if turn is not None:
            refuse_circle(turn, place)
        cast.waiting = trio.lowlevel.current_task()
        place.mailbox.wait(cast)

        def withdraw(_: RaiseCancelT) -> Abort:
            place.mailbox.withdraw(cast)
            return Abort.SUCCEEDED

        with waiting_for(turn, place):
            await trio.lowlevel.wait_task_rescheduled(withdraw)

    @enable_ki_protection
    def cast_nowait(self, signal: Signal, /) -> None:
        """Send ``signal``, if there is room at once. As `cast` otherwise.

        Raises:
          trio.WouldBlock: the mailbox is full, and the agent was made with ``overflow="block"``
            or ``"reject"``.
          RuntimeError: it is called outside Trio, or from a thread. Nothing was sent; a thread of
            Trio's can say ``trio.from_thread.run_sync(ref.cast_nowait, signal)``.
        """
        if not isinstance(signal, Signal):
            raise _no_signal(signal)
        place, cast = self.place, Cast(signal)
        if not trio.lowlevel.in_trio_run():
            raise RuntimeError(_OUTSIDE.format(self.id))
        try:
            if not place.env.intake_open:
                self._check_intake()
            # As `offer_envelope`, which does the rest: it is nearly always so.
            if place.is_plain and place._ended is None and place.mailbox.put(cast):
                run = place._run
                if run is not None and not run.is_queued:
                    run.wake()
            elif not place.offer_envelope(cast):
                raise trio.WouldBlock
        except AgentError as error:
            if isinstance(error, Overloaded) and place.settings.overflow == "reject":
                raise trio.WouldBlock from None
            place.fail(cast, error)

    def _check_intake(self) -> None:
        if self.place.env.refuses:
            raise IntakeClosed(self.id)


_OUTSIDE: Final = (
    "agent {!r} is sent signals from within trio.run() only; a thread can say"
    " trio.from_thread.run_sync(ref.cast_nowait, signal)"
)


def _no_signal(signal: object) -> TypeError:
    return TypeError(f"agents are sent a trido.Signal, not {redacted(signal)}")
