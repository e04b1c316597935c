"""One run of an agent: its turns, from the first to how it ends.

A run holds no task while nothing of it awaits. Turns of plain functions are served by the nursery's
dispatcher, or on the spot in the task of a caller; nothing of such a turn is ever half done when a
stop comes. What awaits (a lifespan, an effectful turn, a `Run`, children) lives with the run's
`Host`. No exception leaves a run: it ends by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar, final

import trio
from outcome import Error, Outcome
from trio.lowlevel import disable_ki_protection

from trido.agents import Directive, Signal, Turn
from trido.agents.errors import AgentError, InvalidData, NoRoute, Reject
from trido.agents.handlers import Hook
from trido.agents.routing import Route
from trido.agents.turn import NO_TURN
from trido.runtime.carrying import Origin, carry_out
from trido.runtime.dispatcher import TURNS, Alarm
from trido.runtime.effectful import EffectfulTurn
from trido.runtime.ends import CrashNote, end_of, without_cancelled
from trido.runtime.envelope import Envelope, Own
from trido.runtime.errors import Overloaded, TurnExpired
from trido.runtime.host import Host
from trido.runtime.plan import Plan, plan_of
from trido.supervision.current import CURRENT, CleanupTime, Current
from trido.supervision.place import End, Report

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace
    from trido.supervision import Supervisor

S = TypeVar("S")
T = TypeVar("T")
Phase: TypeAlias = Literal["starting", "serving", "closing", "over"]

_ORDERLY: Final = frozenset({"stopped", "normal"})
_ASKED: Final = frozenset({"stopped", "killed"})
_START: Final = Signal("agent.start")
_STOP: Final = Signal("agent.stop")


@final
class AgentRun(Generic[S]):
    """One run of an agent."""

    __slots__ = (
        "_context",
        "_end",
        "_grace",
        "_has_stopped",
        "_is_entered",
        "_is_queued",
        "_stops_when_ready",
        "current",
        "host",
        "is_done",
        "open_turn",
        "phase",
        "place",
        "report",
        "resource",
        "was_asked",
    )

    def __init__(self, place: AgentPlace[S], report: Report) -> None:
        self.place: AgentPlace[S] = place
        self.report: Report = report
        self.phase: Phase = "starting"
        self.host: Host | None = None
        """What of it awaits, if anything does."""
        self.open_turn: EffectfulTurn[S] | None = None
        self.resource: Any = None
        """What the lifespan yielded."""
        self.current: Current = Current(report.child, CleanupTime(place.spec.policy.grace))
        # Not the context of whoever sends the first signal.
        self._context = copy_context()
        self._context.run(CURRENT.set, self.current)
        self.is_done: bool = False
        """Nothing of it is left, but maybe errands that are to end."""
        self.was_asked: bool = False
        """Its supervisor has asked it to end."""
        self._end: End | None = None
        self._grace: Alarm | None = None
        self._is_queued = self._is_entered = self._stops_when_ready = False
        self._has_stopped = False

    # The port -------------------------------------------------------------------------------

    def cancel(self, deadline: float, reason: str) -> None:
        """Serve no more, and end in order."""
        self.was_asked = True
        self.current.cleanup_time.end_by(deadline)
        self._stop_grace()  # from now on the supervisor sees to it
        self._wind_up(End("stopped"))

    def kill(self) -> None:
        """End now."""
        if self._end is None or self._end.kind in _ORDERLY:
            self._end = End("killed")
        self._wind_up(self._end)
        self.expire()

    def beat(self) -> None:
        """An agent has no heartbeat."""

    def stack(self) -> str:
        """Where its tasks are."""
        return "" if self.host is None else self.host.stack()

    def below(self) -> Supervisor | None:
        """The supervisor of its children."""
        return self.place.supervisor_below

    # Start ----------------------------------------------------------------------------------

    def open(self) -> None:
        """Become ready: on the spot, if nothing of it awaits."""
        if self.place.opens_with_a_host:
            self.need_host()
        else:
            self._in_context(self._open_here)

    def _open_here(self) -> None:
        self.start_turn()
        self.ready()

    def start_turn(self) -> EffectfulTurn[S] | None:
        """Commit what `on_start` decides; if that awaits, the turn that is not over yet."""
        return self._hook(self.place.agent.starts, _START) if self.phase == "starting" else None

    def ready(self) -> None:
        """Serve from now on; unless the start has failed, or was stopped."""
        if self.phase != "starting":
            return
        self.phase = "serving"
        self.report.ready(self.place.ref)
        self.place.run_is_ready(self)
        if self._stops_when_ready:
            self.stop()

    # Serving --------------------------------------------------------------------------------

    @property
    def is_free(self) -> bool:
        """Whether a signal could be served on the spot."""
        return (
            self.phase == "serving"
            and self.open_turn is None
            and not self.place.in_turn
            and not self.place.mailbox
        )

    def wake(self) -> None:
        """Have what is in the mailbox served."""
        if not self._is_queued and self.phase == "serving" and self.open_turn is None:
            self._is_queued = True
            self.place.dispatcher.ready(self)

    def serve(self, until: float) -> bool:
        """Serve what is in the mailbox, up to that time; whether something is left."""
        self._is_queued = left = self._guarded(self._slice, until)
        return left

    def serve_now(self, envelope: Envelope) -> None:
        """Serve this one on the spot; see `is_free`."""
        self._guarded(self._serve_one, envelope)

    def _guarded(self, fn: Callable[[T], bool], argument: T) -> bool:
        try:
            return self._in_context(fn, argument)
        # A mistake in here must not take anybody else down.
        except BaseException as error:  # noqa: ASYNC103
            self.crash(error)
            return False

    def _slice(self, until: float) -> bool:
        place = self.place
        mailbox = place.mailbox
        for _ in range(TURNS):
            if not mailbox or self.phase != "serving" or self.open_turn is not None:
                place.went_idle()
                return False
            self._turn(mailbox.take())
            if trio.current_time() >= until:
                break
        return True

    def _serve_one(self, envelope: Envelope) -> bool:
        self._turn(envelope)
        return False

    # A turn ---------------------------------------------------------------------------------

    def _turn(self, envelope: Envelope) -> None:
        """Validate, decide, check, commit, answer, act; in that order."""
        place = self.place
        envelope.begun()
        try:
            route, data = place.agent.route(place.state, envelope.signal)
            if route.is_async:
                self._begin_effectful(route, data, envelope)
                return
            state, directives = self._decide(route, data, envelope)
        except (NoRoute, InvalidData, Reject) as error:
            place.fail(envelope, error)
        except BaseException as error:  # noqa: ASYNC103  # the end of this run
            self.crash(error, envelope)
        else:
            self._commit_or_crash(envelope, state, directives)

    def _hook(self, hook: Hook | None, signal: Signal) -> EffectfulTurn[S] | None:
        """The turn of the start or the stop; if it awaits, it is not over yet."""
        if hook is None:
            return None
        envelope = Own(signal)
        try:
            if hook.is_async:
                return self._begin_effectful(hook, None, envelope)
            state, directives = self._decide(hook, None, envelope)
        except BaseException as error:  # noqa: ASYNC103  # the end of this run
            self.crash(error, envelope)
        else:
            self._commit_or_crash(envelope, state, directives)
        return None

    def _decide(
        self, route: Route | Hook, data: Any, envelope: Envelope
    ) -> tuple[S, tuple[Directive, ...]]:
        place = self.place
        turn = self._turn_of(envelope) if route.takes_turn else NO_TURN
        place.in_turn = True
        watchdog = place.env.watchdog
        if watchdog is not None:
            watchdog.enter(place.id, envelope.signal.type)
        try:
            return _unprotected(place.agent.decide, route, place.state, data, turn)
        finally:
            place.in_turn = False
            if watchdog is not None:
                watchdog.leave()

    def _turn_of(self, envelope: Envelope, **more: Any) -> Turn:
        place = self.place
        return Turn(
            signal=envelope.signal,
            now=place.env.now(),
            planned=envelope.planned,
            agent_id=place.id,
            revision=place.revision,
            request=place.requests.name(envelope),
            why=self._why(envelope),
            **more,
        )

    def _why(self, envelope: Envelope) -> Any:
        if envelope.signal is _START:
            return "start" if self.report.child.incarnation == 1 else "restart"
        return "stop" if envelope.signal is _STOP else envelope.why

    def _commit_or_crash(
        self, envelope: Envelope, state: S, directives: tuple[Directive, ...]
    ) -> None:
        try:
            plan = self._plan(directives)
        except Overloaded as error:
            self._refuse(envelope, error)
        except BaseException as error:  # noqa: ASYNC103  # the end of this run
            self.crash(error, envelope)
        else:
            self._commit_as_planned(envelope, state, plan)

    def _commit_as_planned(self, envelope: Envelope, state: S, plan: Plan | None) -> None:
        try:
            self._commit(envelope, state, plan)
        except BaseException as error:  # noqa: ASYNC103  # the end of this run
            envelope.answer(state)  # it is committed: the turn was served
            self.crash(error)

    def _refuse(self, envelope: Envelope, error: AgentError) -> None:
        """Nothing of this turn is committed. A start or a stop has failed by that."""
        if isinstance(envelope, Own):
            self.crash(error, envelope)
        else:
            self.place.fail(envelope, error)

    def _plan(self, directives: tuple[Directive, ...]) -> Plan | None:
        """What is to be done, if anything is.

        Raises:
          InvalidDecision: nobody knows how to do it.
          Overloaded: it does not fit in with what is still to be done.
        """
        if not directives:
            return None
        place = self.place
        plan = plan_of(directives, place.env.executors, place.env.dispatch)
        if plan.errands and not place.has_room(len(plan.errands)):
            raise Overloaded(place.id)
        return plan

    def _commit(self, envelope: Envelope, state: S, plan: Plan | None) -> None:
        """Commit a turn, answer, and begin what it wants done."""
        place = self.place
        if plan is None:
            place.commit(state)
            envelope.answer(state)
            return
        revision = place.revision
        place.commit(state)
        if plan.timing:
            place.timers.apply(plan.timing, revision, instant=envelope.is_instant)
        self._answer(envelope, plan, state)
        origin = Origin(envelope.signal)
        for directive in plan.errands:
            carry_out(place, directive, origin)
        if plan.stops:
            self.stop()

    def _answer(self, envelope: Envelope, plan: Plan, state: S) -> None:
        if plan.reply is not None:
            envelope.answer(plan.reply.value)
        elif plan.defers:
            self.place.requests.defer(envelope)
        else:
            envelope.answer(state)
        for reply in plan.replies:
            self.place.requests.answer(reply)

    # Effectful turns ------------------------------------------------------------------------

    def _begin_effectful(
        self, route: Route | Hook, data: Any, envelope: Envelope
    ) -> EffectfulTurn[S]:
        turn = self._turn_of(envelope, resource=self.resource)
        effectful = EffectfulTurn(self.place, envelope, route, data, turn)
        self.open_turn = effectful
        self.need_host().start_soon(self._serve_effectful, effectful)
        return effectful

    async def _serve_effectful(self, turn: EffectfulTurn[S]) -> None:
        outcome = await turn.decide()
        self.open_turn = None
        turn.over.set()
        self._judge(turn, outcome)
        self.place.wake()
        self.place.went_idle()

    def _judge(self, turn: EffectfulTurn[S], outcome: Outcome[object]) -> None:
        """What a turn that awaited comes to: the first of these that fits."""
        place, envelope = self.place, turn.envelope
        left = self._left(turn, outcome)
        if left is not None and not isinstance(left, Reject):
            self.crash(left, None if turn.is_void else envelope)
        elif turn.is_void:
            pass  # whoever sent the signal has been told
        elif turn.has_expired:
            self._refuse(envelope, TurnExpired(place.id, envelope.signal.type, turn.limit))
        elif left is not None:
            self._refuse(envelope, left)
        else:
            self._commit_effectful(turn, outcome.unwrap())

    def _left(self, turn: EffectfulTurn[S], outcome: Outcome[object]) -> BaseException | None:
        """The error of a turn, but for cancellations that were asked for."""
        if not isinstance(outcome, Error):
            return None
        asked = turn.scope.cancel_called
        return without_cancelled(outcome.error) if asked else outcome.error

    def _commit_effectful(self, turn: EffectfulTurn[S], decision: object) -> None:
        place = self.place
        try:
            state, directives = place.agent.checked(turn.route, place.state, decision)
        except BaseException as error:  # noqa: ASYNC103  # the end of this run
            self.crash(error, turn.envelope)
        else:
            self._commit_or_crash(turn.envelope, state, directives)

    # Ends -----------------------------------------------------------------------------------

    def stop(self) -> None:
        """End by itself, in order."""
        if self.phase == "starting":
            self._stops_when_ready = True
        else:
            self._wind_up(End("normal"))

    def crash(self, error: BaseException, envelope: Envelope | None = None) -> None:
        """End by ``error``; ``envelope`` is what it came of."""
        end = end_of(error)
        place = self.place
        if end.kind != "normal":
            type = None if envelope is None else envelope.signal.type
            CrashNote(place.id, place.revision, type, place.state).add_to(error)
        if envelope is not None:
            place.died_on(envelope, error, end)
        if self.phase == "closing":
            self.left_badly(error)
        else:
            self._wind_up(end)

    def _wind_up(self, end: End) -> None:
        """Serve no more, and end: at once, or when what is left to do is done."""
        if self.phase in ("closing", "over"):
            return
        started = self.phase == "serving"
        self.phase, self._end = "closing", end
        if self.open_turn is not None:
            self._interrupt(self.open_turn)
        self.place.run_winds_up(end)
        orderly = started and end.kind in _ORDERLY
        if self.host is not None or (orderly and self._awaits_its_stop):
            self.need_host().close(orderly=orderly)
        else:
            self._close_here(orderly=orderly)
        if end.kind not in _ASKED and not self.is_over:
            self._set_grace()

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left."""
        return self.phase == "over"

    @property
    def _awaits_its_stop(self) -> bool:
        hook = self.place.agent.stops
        return hook is not None and hook.is_async

    def _interrupt(self, turn: EffectfulTurn[S]) -> None:
        """The turn in progress did not happen; whoever sent the signal is told at once."""
        if turn.is_void:
            return  # that was said before
        turn.interrupt("its agent ends")
        end = self._end or End("stopped")
        cause = end.reason if end.kind not in _ORDERLY else None
        self.place.interrupted(turn.envelope, cause)

    def _close_here(self, *, orderly: bool) -> None:
        if orderly:
            self._in_context(self.stop_turn)
            self.place.close_requests()
        if self.host is not None:  # for what that has committed
            self.host.close(orderly=orderly)
        elif orderly and not self.place.comes_back:
            self.place.when_done(self.finish)
        else:
            self.finish()

    def stop_turn(self) -> EffectfulTurn[S] | None:
        """Commit what `on_stop` decides, once; if that awaits, the turn that is not over yet."""
        if self._has_stopped:
            return None
        self._has_stopped = True
        return self._hook(self.place.agent.stops, _STOP)

    @property
    def carries_out(self) -> bool:
        """Whether what is committed can be carried out by its tasks."""
        if self.phase == "closing":
            return self.end.kind in _ORDERLY and not self.place.comes_back
        return self.phase != "over"

    def _set_grace(self) -> None:
        """Nobody asked it to end, so it sees to its grace itself."""
        due = trio.current_time() + self.place.spec.policy.grace
        self.current.cleanup_time.end_by(due)
        if due < math.inf:
            self._grace = self.place.dispatcher.at(due, _Expiry(self))

    def _stop_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    def expire(self) -> None:
        """The grace is over: what is not done by now will not be."""
        self.current.kill()
        if self.open_turn is not None:
            self._interrupt(self.open_turn)
        if not self.place.goes_on_after(self.end):
            self.place.give_up_errands()
        if self.host is not None:
            self.host.kill()
        else:
            self.finish()

    def failed(self, error: BaseException) -> None:
        """Something of the run, beside its turns, failed: it cannot go on."""
        self.crash(error)

    def left_badly(self, error: BaseException) -> None:
        """Something failed as it was being closed."""
        end = self._end
        if end is None or end.reason is None or end.kind == "normal":
            self._end = end_of(error)
        elif error is not end.reason:
            message = "it crashed, and so did what it left behind"
            self._end = end_of(BaseExceptionGroup(message, [end.reason, error]))

    def host_is_over(self, error: BaseException | None) -> None:
        """Nothing of it awaits any more; if something went wrong, by ``error``."""
        self.host = None
        if error is not None:
            self.crash(error)
        self.finish()

    @property
    def end(self) -> End:
        """How it ends."""
        return self._end or End("normal")

    def finish(self) -> None:
        """Nothing of it is left."""
        self.is_done = True
        if self.phase == "over" or self.place.is_ending_errands:
            return
        self.phase = "over"
        self._stop_grace()
        self.place.run_ended(self.end)
        self.report.ended(self.end)

    # Its host -------------------------------------------------------------------------------

    def need_host(self) -> Host:
        """Its host; a new one if there is none."""
        host = self.host
        if host is None:
            host = self.host = Host(self)
            self.start_task(self.report.nursery.start_soon, host.live)
        return host

    def start_task(self, start_soon: Callable[..., None], fn: Any, *args: Any) -> None:
        """Start a task in the context of the run, whoever asks."""
        self._in_context(lambda: start_soon(fn, *args, name=self.report.name))

    def _in_context(self, fn: Callable[..., T], *args: Any) -> T:
        if self._is_entered:  # a context can be entered only once at a time
            return self._context.copy().run(fn, *args)
        self._is_entered = True
        try:
            return self._context.run(fn, *args)
        finally:
            self._is_entered = False


@final
class _Expiry:
    """Rings when the grace of a run is over."""

    __slots__ = ("_run",)

    def __init__(self, run: AgentRun[Any]) -> None:
        self._run = run

    def ring(self) -> None:
        """It is."""
        self._run.expire()


@disable_ki_protection
def _unprotected(decide: Callable[..., T], *args: Any) -> T:
    return decide(*args)
