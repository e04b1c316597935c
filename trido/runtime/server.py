"""One run of an agent: from its start, through its turns, to how it ends.

A run holds no task while nothing of it awaits. Turns of plain functions are served by the nursery's
dispatcher, or on the spot in the task of a caller; nothing of such a turn is ever half done when a
stop comes. What awaits (a lifespan, an effectful turn, a `Run`, children) lives with the run's
`Host`. No exception leaves a run: it ends by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar, final

import trio

from trido.runtime import turns
from trido.runtime.dispatcher import TURNS, Alarm, Dispatcher
from trido.runtime.ends import end_of, note_crash
from trido.runtime.envelope import Envelope
from trido.runtime.host import Host
from trido.supervision.current import CURRENT, CleanupTime, Current
from trido.supervision.place import End, Report

if TYPE_CHECKING:
    from trido.runtime.effectful import EffectfulTurn
    from trido.runtime.place import AgentPlace
    from trido.runtime.probe import Probe
    from trido.supervision import Supervisor

S = TypeVar("S")
T = TypeVar("T")
Phase: TypeAlias = Literal["starting", "serving", "closing", "over"]

_ORDERLY: Final = frozenset({"stopped", "normal"})
_ASKED: Final = frozenset({"stopped", "killed"})
_STOPPED: Final = End("stopped")


@final
class AgentRun(Generic[S]):
    """One run of an agent."""

    __slots__ = (
        "_context",
        "_current",
        "_end",
        "_ends_by",
        "_grace",
        "_has_stopped",
        "_is_entered",
        "_stops_when_ready",
        "dispatcher",
        "host",
        "is_done",
        "is_leaving",
        "is_queued",
        "open_turn",
        "phase",
        "place",
        "report",
        "resource",
        "was_asked",
    )

    def __init__(self, place: AgentPlace[S], report: Report) -> None:
        self.place: AgentPlace[S] = place
        self.dispatcher: Dispatcher = place.dispatcher
        self.report: Report = report
        self.phase: Phase = "starting"
        self.host: Host | None = None
        """What of it awaits, if anything does."""
        self.open_turn: EffectfulTurn[S] | None = None
        self.resource: Any = None
        """What the lifespan yielded."""
        self._current: Current | None = None
        self._context: Context | None = None
        self.is_done: bool = False
        """Nothing of it is left, but maybe errands that are to end."""
        self.is_leaving: bool = False
        """It has carried out what it will, and leaves what it holds: it starts no more children."""
        self.was_asked: bool = False
        """Its supervisor has asked it to end."""
        self._end: End | None = None
        self._ends_by = math.inf
        self._grace: Alarm | None = None
        self.is_queued: bool = False
        """It is in the dispatcher's queue."""
        self._is_entered = self._stops_when_ready = False
        self._has_stopped = False

    # Made when first used: most of many agents only wait, or end -----------------------------

    @property
    def current(self) -> Current:
        """Itself, as seen from inside."""
        if self._current is None:
            time = CleanupTime(self.place.spec.policy.grace, self._ends_by)
            self._current = Current(self.report.child, time)
        return self._current

    @property
    def context(self) -> Context:
        """What its code runs in: its supervisor's, not that of whoever sends the first signal."""
        if self._context is None:
            self._context = self.report.nursery.parent_task.context.copy()
            self._context.run(CURRENT.set, self.current)
        return self._context

    # The port -------------------------------------------------------------------------------

    def cancel(self, deadline: float, reason: str) -> None:
        """Serve no more, and end in order."""
        self.was_asked = True
        self._end_by(deadline)
        self._stop_grace()  # from now on the supervisor sees to it
        self._wind_up(_STOPPED)

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
        if self.place.env.probe is not None:
            self._guarded(self._told, self.place.env.probe.started)
        if self.phase != "starting":
            return
        if self.place.opens_with_a_host:
            self.need_host()
        elif self.place.opens_quietly:
            self.ready()
        else:
            self._in_context(self._open_here)

    def _told(self, tell: Callable[[AgentPlace[S]], None]) -> bool:
        tell(self.place)
        return False

    def _open_here(self) -> None:
        self.start_turn()
        self.ready()

    def start_turn(self) -> EffectfulTurn[S] | None:
        """Commit what `on_start` decides; if that awaits, the turn that is not over yet."""
        if self.phase != "starting":
            return None
        hook, durable = self.place.agent.starts, self.place.durable
        if hook is None and durable is not None and durable.has_timers_to_keep:
            durable.commit_own(turns.START)
        return turns.serve_hook(self, hook, turns.START)

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

    def is_free_for(self, envelope: Envelope) -> bool:
        """Whether this signal can be served on the spot."""
        place = self.place
        return (
            self.phase == "serving"
            and self.open_turn is None
            and not place.in_turn
            and place.mailbox.oldest is None
            and place.on_the_spot
            and (place.durable is None or place.durable.admits(envelope))
        )

    def wake(self) -> None:
        """Have what is in the mailbox served."""
        if not self.is_queued and self.phase == "serving" and self.open_turn is None:
            self.is_queued = True
            self.dispatcher.ready(self)

    def serve(self, until: float) -> bool:
        """Serve what is in the mailbox, up to that time; whether something is left."""
        # As `_guarded`, spelt out: of many agents with one signal each it is a good part. Nobody
        # has entered the context: the dispatcher's task serves nobody within a turn.
        self._is_entered, left = True, False
        try:
            left = self.context.run(self._slice, until)
        except BaseException as error:  # noqa: ASYNC103  # as there
            self.crash(error)
        finally:
            self._is_entered = False
        self.is_queued = left
        return left

    def serve_now(self, envelope: Envelope) -> None:
        """Serve this one on the spot; see `is_free_for`."""
        # As `_guarded`, spelt out: it is a good part of a short turn. Nobody has entered the
        # context: whoever calls is a task of its own, and in no turn.
        self._is_entered = True
        try:
            durable = self.place.durable
            if durable is None or envelope.signal.id is None:
                self.context.run(turns.serve, self, envelope)
            else:
                self.context.run(durable.serve, self, envelope)
        except BaseException as error:  # noqa: ASYNC103  # as there
            self.crash(error)
        finally:
            self._is_entered = False

    def _guarded(self, fn: Callable[[T], bool], argument: T) -> bool:
        try:
            return self._in_context(fn, argument)
        # A mistake in here must not take anybody else down.
        except BaseException as error:  # noqa: ASYNC103
            self.crash(error)
            return False  # noqa: ASYNC104

    def _slice(self, until: float) -> bool:
        place = self.place
        mailbox, lap, durable = place.mailbox, self.dispatcher.lap, place.durable
        for _ in range(TURNS):
            envelope = mailbox.oldest
            if envelope is None or self.phase != "serving" or self.open_turn is not None:
                place.went_idle()
                return False
            if durable is None:
                turns.serve(self, mailbox.take())
            elif durable.admits(envelope):
                durable.serve(self, mailbox.take())
            else:
                return False  # until what is ahead of it is durable
            # Most have only this one: they need no clock.
            if mailbox.oldest is not None and lap() >= until:
                break
        return True

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
        # Before it has recovered, what it committed last is not known.
        if end.kind != "normal" and not (place.durable is not None and place.durable.is_claiming):
            type = None if envelope is None else envelope.signal.type
            note_crash(error, place.id, type, place.revision, place.state)
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
            self.place.takes_its_time(end)

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left."""
        return self.phase == "over"

    @property
    def _awaits_its_stop(self) -> bool:
        hook, probe = self.place.agent.stops, self.place.env.probe
        return (
            self.place.durable is not None
            or (hook is not None and hook.is_async)
            or (probe is not None and probe.holds(self.place, "stop"))
        )

    def _interrupt(self, turn: EffectfulTurn[S]) -> None:
        """The turn in progress did not happen; whoever sent the signal is told at once."""
        if turn.is_void:
            return  # that was said before
        turn.interrupt("its agent ends")
        end = self._end or End("stopped")
        cause = end.reason if end.kind not in _ORDERLY else None
        self.place.interrupted(turn.envelope, cause)

    def _close_here(self, *, orderly: bool) -> None:
        place = self.place
        if orderly:
            if place.agent.stops is not None or place.env.probe is not None:
                self._in_context(self.stop_turn)
            place.close_requests()
        if self.host is not None:  # for what that has committed
            self.host.close(orderly=orderly)
        elif orderly and not place.comes_back:
            place.when_done(self.finish)
        else:
            self.finish()

    def stop_turn(self) -> EffectfulTurn[S] | None:
        """Commit what `on_stop` decides, once; if that awaits, the turn that is not over yet."""
        if self._has_stopped:
            return None
        self._has_stopped = True
        if self.place.env.probe is not None and not self._may_stop(self.place.env.probe):
            return None
        hook, durable = self.place.agent.stops, self.place.durable
        if hook is None and durable is not None and durable.has_timers_to_drop:
            durable.commit_own(turns.STOP)
        return turns.serve_hook(self, hook, turns.STOP)

    def _may_stop(self, probe: Probe) -> bool:
        """Tell the probe; whether it let that pass."""
        before = self._end
        self._guarded(self._told, probe.stopping)
        return self._end is before

    def stop_turn_again(self) -> EffectfulTurn[S] | None:
        """As `stop_turn`: that turn was not written."""
        self._has_stopped = False
        return self.stop_turn()

    @property
    def may_await(self) -> bool:
        """Whether it is running, or ends in order."""
        if self.phase == "closing":
            return self.end.kind in _ORDERLY
        return self.phase != "over"

    @property
    def carries_out(self) -> bool:
        """Whether what is committed can be carried out by its tasks."""
        if self.phase == "closing":
            goes_on = self.end.kind in _ORDERLY and not self.place.comes_back
            return goes_on and not self.is_leaving
        return self.phase != "over"

    def _set_grace(self) -> None:
        """Nobody asked it to end, so it sees to its grace itself."""
        due = trio.current_time() + self.place.spec.policy.grace
        self._end_by(due)
        if due < math.inf:
            self._grace = self.place.dispatcher.at(due, _Expiry(self))

    def _end_by(self, deadline: float) -> None:
        self._ends_by = min(self._ends_by, deadline)
        if self._current is not None:
            self._current.cleanup_time.end_by(deadline)

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
        end = self.end
        self.place.run_ended(end)
        self.report.ended(end)

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
            return self.context.copy().run(fn, *args)
        self._is_entered = True
        try:
            return self.context.run(fn, *args)
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
