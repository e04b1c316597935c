"""One run of an agent: the loop that serves its signals, one turn after another.

A run holds no task while nothing waits. The first signal that comes starts one, in the
supervisor's nursery; it serves until the mailbox is empty, and lets other tasks run after every
slice. A handler is a plain function, so nothing of a turn is ever half done when a stop comes: the
run ends at once, without a cancel scope or a nursery of its own. No exception leaves the task.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, final

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from trido.agents import Address, Directive, Emit, Reply, Signal, Stop, Turn
from trido.agents.errors import AgentError, InvalidData, NoRoute, Reject
from trido.agents.routing import Route
from trido.agents.turn import NO_TURN
from trido.runtime import clock
from trido.runtime.ends import end_of
from trido.runtime.errors import AgentCrashed, AgentStopped, NoSuchAgent, Overloaded
from trido.runtime.mailbox import Envelope
from trido.runtime.outbox import Emitted
from trido.runtime.ref import AgentRef
from trido.supervision.current import CURRENT, CleanupTime, Current
from trido.supervision.place import End, Report

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace

S = TypeVar("S")
T = TypeVar("T")

SLICE: Final = 200e-6
"""How many seconds of turns are served before other tasks get their turn."""
TURNS: Final = 64
"""How many turns, at most: in virtual time no turn takes any time."""


@final
class AgentRun(Generic[S]):
    """One run of an agent."""

    __slots__ = ("_awake", "_context", "_end", "_grace", "_over", "_place", "_report")

    def __init__(self, place: AgentPlace[S], report: Report) -> None:
        self._place = place
        self._report = report
        self._awake = False
        self._over = False
        self._end: End | None = None
        """How it is to end; it serves no more."""
        self._grace = trio.CancelScope()
        # Not the context of whoever sends the first signal.
        self._context = copy_context()
        cleanup_time = CleanupTime(place.spec.policy.grace)
        self._context.run(CURRENT.set, Current(report.child, cleanup_time))

    # The port -------------------------------------------------------------------------------

    def cancel(self, deadline: float, reason: str) -> None:
        """Serve no more, and end once the outbox is empty."""
        self._wind_up(End("stopped"))

    def kill(self) -> None:
        """End now."""
        self._end = End("killed")
        self._finish()

    def beat(self) -> None:
        """An agent has no heartbeat."""

    def stack(self) -> str:
        """It is never found in the middle of anything."""
        return ""

    # The task -------------------------------------------------------------------------------

    def wake(self) -> None:
        """Have a task serve what is in the mailbox, if none does."""
        if not self._awake and self._end is None:
            self._awake = True
            self._start(self._serve, self._report.name)

    def _start(self, fn: Callable[[], Any], name: str) -> None:
        start_soon: Callable[..., None] = self._report.nursery.start_soon
        self._context.run(start_soon, fn, name=name)

    @enable_ki_protection
    async def _serve(self) -> None:
        try:
            while self._slice():
                await trio.lowlevel.cancel_shielded_checkpoint()
        # A mistake in here must not take the supervisor down.
        except BaseException as error:  # noqa: ASYNC103
            self._end = end_of(error)
            self._finish()

    def _slice(self) -> bool:
        """Serve for a while; whether something is left."""
        mailbox = self._place.mailbox
        until = trio.current_time() + SLICE
        for _ in range(TURNS):
            if not mailbox or self._end is not None:
                self._awake = False
                return False
            self._turn(mailbox.take())
            if trio.current_time() >= until:
                break
        return True

    # A turn ---------------------------------------------------------------------------------

    def _turn(self, envelope: Envelope) -> None:
        """Validate, decide, check, commit, answer, act; in that order."""
        place = self._place
        signal = envelope.signal
        try:
            route = place.agent.route(signal)
            data = route.data_of(signal)
        except (NoRoute, InvalidData) as error:
            place.fail(envelope, error)
            return
        try:
            state, directives = self._decide(route, data, signal)
        except Reject as error:
            place.fail(envelope, error)
        except BaseException as error:  # noqa: ASYNC103  # the end of this run
            self._crash(envelope, error)
        else:
            self._commit(envelope, state, directives)

    def _commit(self, envelope: Envelope, state: S, directives: tuple[Directive, ...]) -> None:
        place = self._place
        if not directives:
            place.commit(state)
            envelope.answer(state)
        elif place.outbox.has_room(sum(isinstance(one, Emit) for one in directives)):
            place.commit(state)
            envelope.answer(_reply(directives, state))
            self._act(directives)
        else:
            place.fail(envelope, Overloaded(place.id))

    def _decide(self, route: Route, data: Any, signal: Signal) -> tuple[S, tuple[Directive, ...]]:
        place = self._place
        turn = NO_TURN
        if route.takes_turn:
            turn = Turn(signal=signal, now=clock.now(), agent_id=place.id)
        place.in_turn = True
        try:
            return _unprotected(place.agent.decide, route, place.state, data, turn)
        finally:
            place.in_turn = False

    def _act(self, directives: tuple[Directive, ...]) -> None:
        for directive in directives:
            if isinstance(directive, Emit):
                self._emit(directive.signal, directive.to)
        if any(isinstance(directive, Stop) for directive in directives):
            self._stop()

    def _emit(self, signal: Signal, to: Address | str | None) -> None:
        place = self._place
        if to is None:
            return  # to all who subscribed: nobody can, without a runtime
        if not isinstance(to, AgentRef):
            id = to if isinstance(to, str) else to.id
            place.dead_letters.add(id, signal, NoSuchAgent(id))
            return
        receiver, emitted = to.place, Emitted(signal, place.outbox)
        try:
            if not receiver.offer(emitted):
                place.outbox.wait(emitted, receiver.id, receiver.mailbox)
        except AgentError as error:
            receiver.fail(emitted, error)

    # Ends -----------------------------------------------------------------------------------

    def _crash(self, envelope: Envelope, error: BaseException) -> None:
        place = self._place
        self._end = end = end_of(error)
        kind = AgentStopped if end.kind == "normal" else AgentCrashed
        failure = kind(place.id)
        failure.__cause__ = error
        place.fail(envelope, failure)
        if end.kind != "normal":
            place.crashed(AgentCrashed, error)
        self._finish()

    def _stop(self) -> None:
        """End by itself: once the outbox is empty, or after the grace."""
        self._wind_up(End("normal"))
        if not self._over:
            self._start(self._end_after_grace, f"{self._report.name} (grace)")

    async def _end_after_grace(self) -> None:
        with self._grace:
            await trio.sleep(self._place.spec.policy.grace)
        self._finish()

    def _wind_up(self, end: End) -> None:
        self._end = end
        self._place.outbox.when_empty(self._finish)

    def _finish(self) -> None:
        if self._over:
            return
        self._over = True
        self._grace.cancel()
        self._place.run_ended()
        self._report.ended(self._end or End("normal"))


def _reply(directives: tuple[Directive, ...], state: object) -> object:
    """What the caller is told: the first reply, or else the state."""
    for directive in directives:
        if isinstance(directive, Reply):
            return directive.value
    return state


@disable_ki_protection
def _unprotected(
    decide: Callable[[Route, S, Any, Turn], T], route: Route, state: S, data: Any, turn: Turn
) -> T:
    return decide(route, state, data, turn)
