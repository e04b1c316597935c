"""One turn of an agent: validate, decide, check, commit, answer, act; in that order.

Anything that goes wrong before the commit leaves no change and does nothing. A handler that awaits
decides in a task of its own, and all the rest is as in any other turn. No exception leaves a turn:
it is an answer, or ends the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from outcome import Error, Outcome
from trio.lowlevel import disable_ki_protection

from trido.agents import Directive, Emit, Signal, Turn
from trido.agents.directive import Via
from trido.agents.errors import AgentError, InvalidData, NoRoute, Reject
from trido.agents.handlers import Hook
from trido.agents.routing import Route
from trido.agents.turn import NO_TURN
from trido.runtime.carrying import Origin, carry_out
from trido.runtime.effectful import EffectfulTurn
from trido.runtime.ends import without_cancelled
from trido.runtime.envelope import Envelope, Own
from trido.runtime.errors import Overloaded, TurnExpired
from trido.runtime.plan import Plan, plan_of

if TYPE_CHECKING:
    from trido.runtime.durable import Durable
    from trido.runtime.place import AgentPlace
    from trido.runtime.probe import Probe
    from trido.runtime.server import AgentRun

S = TypeVar("S")
T = TypeVar("T")

START: Final = Signal("agent.start")
STOP: Final = Signal("agent.stop")


# Every turn comes by here, and of a short one half would be calls of functions: so what is nearly
# always so is spelt out in one. It is `_decide` and `_commit`, of a turn that only decides.
def serve(run: AgentRun[Any], envelope: Envelope) -> None:  # noqa: C901, PLR0912
    """Serve a signal. If its handler awaits, the turn is open when this returns."""
    place = run.place
    agent, signal = place.agent, envelope.signal
    if envelope.heeds_begin:
        envelope.begun()
    try:
        # Spelt out, because it is nearly always so: the type says which route, and the data fits.
        route, data = agent.routes.exact(signal.type), signal.data
        if route is None or not route.fits(data):
            route, data = agent.route(place.state, signal)
    except (NoRoute, InvalidData, Reject) as error:
        place.fail(envelope, error)
        return
    except BaseException as error:  # noqa: ASYNC103  # the end of the run
        run.crash(error, envelope)
        return  # noqa: ASYNC104  # the run ends by it
    try:
        if not (route.is_plain and place.is_plain):
            _serve_otherwise(run, route, data, envelope)
            return
        place.in_turn = True
        try:
            decision = _ask_plainly(route.handler, place.state, data)
        finally:
            place.in_turn = False
        directives: tuple[Directive, ...] = ()
        if agent.state.follows(decision, place.state):
            state = decision
        else:
            state, directives = agent.checked(route, place.state, decision)
    except Reject as error:
        place.fail(envelope, error)
    except BaseException as error:  # noqa: ASYNC103  # the end of the run
        run.crash(error, envelope)
    else:
        if directives:
            if place.durable is not None or not _emits_one(run, envelope, state, directives):
                _plan_and_commit(run, envelope, state, directives)
        elif place.durable is not None:
            _write(run, place.durable, envelope, state, None)
        elif place._waiting is None:
            place.state = state
            place.revision += 1
            if envelope.heeds_answer:
                envelope.answer(state)
        else:
            _commit(run, envelope, state, None)


def _emits_one(
    run: AgentRun[S], envelope: Envelope, state: S, directives: tuple[Directive, ...]
) -> bool:
    """Commit, answer and send, if a signal to another agent is all that is to be done.

    That is the commonest decision with a directive, and needs no plan: nothing has to be sorted,
    and an outbox that is empty has room for it. False if it is something else.
    """
    place, emit = run.place, directives[0]
    if len(directives) > 1 or type(emit) is not Emit or type(emit.to) is Via:
        return False
    if place._outbox or place._runs is not None:
        return False
    _commit(run, envelope, state, None)
    carry_out(place, emit, Origin(envelope.signal, is_instant=envelope.is_instant))
    return True


def _serve_otherwise(run: AgentRun[Any], route: Route, data: Any, envelope: Envelope) -> None:
    if route.is_async:
        _begin(run, route, data, envelope)
    else:
        _serve_observed(run, route, data, envelope)


def _serve_observed(run: AgentRun[Any], route: Route | Hook, data: Any, envelope: Envelope) -> None:
    """As `serve`, if its handler takes the turn, or a probe or a watchdog looks on."""
    probe = run.place.env.probe
    if probe is not None:
        probe.begun(run.place, envelope)
    turn = turn_of(run, envelope) if route.takes_turn else NO_TURN
    state, directives = _decide(run, route, data, envelope, turn)
    if probe is not None:
        probe.decided(run.place, envelope, directives)
    _plan_and_commit(run, envelope, state, directives, turn)


def serve_hook(run: AgentRun[S], hook: Hook | None, signal: Signal) -> EffectfulTurn[S] | None:
    """The turn of a start or a stop; if it awaits, it is not over yet."""
    if hook is None:
        return None
    envelope = Own(signal)
    try:
        if hook.is_async:
            return _begin(run, hook, None, envelope)
        _serve_observed(run, hook, None, envelope)
    except BaseException as error:  # noqa: ASYNC103  # the end of the run
        run.crash(error, envelope)
    return None


# Decide -------------------------------------------------------------------------------------------


def _decide(
    run: AgentRun[S], route: Route | Hook, data: Any, envelope: Envelope, turn: Turn
) -> tuple[S, tuple[Directive, ...]]:
    place = run.place
    place.in_turn = True
    watchdog = place.env.watchdog
    if watchdog is not None:
        watchdog.enter(place.id, envelope.signal.type)
    try:
        decision = _ask(route, place.state, data, turn)
    finally:
        place.in_turn = False
        if watchdog is not None:
            watchdog.leave()
    return place.agent.checked(route, place.state, decision)


@disable_ki_protection
def _ask(route: Route | Hook, state: object, data: object, turn: Turn) -> object:
    return route.call(state, data, turn)


@disable_ki_protection
def _ask_plainly(handler: Callable[..., Any], state: object, data: object) -> Any:
    return handler(state, data)


def turn_of(run: AgentRun[Any], envelope: Envelope, **more: Any) -> Turn:
    """What a handler is given."""
    place = run.place
    turn = Turn(
        signal=envelope.signal,
        now=place.env.now(),
        planned=envelope.planned,
        agent_id=place.id,
        revision=place.revision,
        request=place.requests.name(envelope),
        why=_why(run, envelope),
        **more,
    )
    if place.durable is not None:
        place.durable.note(turn, effectful=bool(more))
    return turn


def _why(run: AgentRun[Any], envelope: Envelope) -> Any:
    if envelope.signal is START:
        return "start" if run.report.child.incarnation == 1 else "restart"
    return "stop" if envelope.signal is STOP else envelope.why


# Decide, if that awaits ---------------------------------------------------------------------------


def _begin(
    run: AgentRun[S], route: Route | Hook, data: Any, envelope: Envelope
) -> EffectfulTurn[S]:
    turn = turn_of(run, envelope, resource=run.resource)
    if run.place.env.probe is not None:
        run.place.env.probe.begun(run.place, envelope)
    run.open_turn = open_turn = EffectfulTurn(run.place, envelope, route, data, turn)
    run.need_host().start_soon(_serve_effectful, run, open_turn)
    return open_turn


async def _serve_effectful(run: AgentRun[S], turn: EffectfulTurn[S]) -> None:
    outcome = await turn.decide()
    run.open_turn = None
    turn.over.set()
    _judge(run, turn, outcome)
    run.place.wake()
    run.place.went_idle()


def _judge(run: AgentRun[S], turn: EffectfulTurn[S], outcome: Outcome[object]) -> None:
    """What a turn that awaited comes to: the first of these that fits."""
    place, envelope = run.place, turn.envelope
    error = _error_of(turn, outcome)
    if error is not None and not isinstance(error, Reject):
        run.crash(error, None if turn.is_void else envelope)
    elif turn.is_void:
        pass  # whoever sent the signal has been told
    elif turn.has_expired:
        _refuse(run, envelope, TurnExpired(place.id, envelope.signal.type, turn.limit))
    elif error is not None:
        _refuse(run, envelope, error)
    else:
        _check_and_commit(run, turn, outcome.unwrap())


def _error_of(turn: EffectfulTurn[Any], outcome: Outcome[object]) -> BaseException | None:
    """What the handler raised, but for cancellations that were asked for."""
    if not isinstance(outcome, Error):
        return None
    return without_cancelled(outcome.error) if turn.scope.cancel_called else outcome.error


def _check_and_commit(run: AgentRun[S], turn: EffectfulTurn[S], decision: object) -> None:
    place = run.place
    try:
        state, directives = place.agent.checked(turn.route, place.state, decision)
        if place.env.probe is not None:
            place.env.probe.decided(place, turn.envelope, directives)
    except BaseException as error:  # noqa: ASYNC103  # the end of the run
        run.crash(error, turn.envelope)
    else:
        _plan_and_commit(run, turn.envelope, state, directives, turn.turn)


# Commit -------------------------------------------------------------------------------------------


def _plan_and_commit(
    run: AgentRun[S],
    envelope: Envelope,
    state: S,
    directives: tuple[Directive, ...],
    turn: Turn = NO_TURN,
) -> None:
    try:
        plan = _plan(run.place, directives, turn) if directives else None
    except Overloaded as error:
        _refuse(run, envelope, error)
    except BaseException as error:  # noqa: ASYNC103  # the end of the run
        run.crash(error, envelope)
    else:
        place = run.place
        if place.durable is not None:
            _write(run, place.durable, envelope, state, plan)
            return
        _commit(run, envelope, state, plan)
        if place.env.probe is not None:
            place.env.probe.committed(place, envelope)


def _write(
    run: AgentRun[S], durable: Durable[S], envelope: Envelope, state: S, plan: Plan | None
) -> None:
    """Have a turn written: it is answered, and what it wants is begun, once it is durable."""
    try:
        durable.commit(envelope, state, plan)
    except InvalidData as error:
        _refuse(run, envelope, error)
    except BaseException as error:  # noqa: ASYNC103  # the end of the run
        run.crash(error, envelope)


def _refuse(run: AgentRun[Any], envelope: Envelope, error: AgentError) -> None:
    """Nothing of this turn is committed. A start or a stop has failed by that."""
    if isinstance(envelope, Own):
        run.crash(error, envelope)
    else:
        run.place.fail(envelope, error)


def _plan(place: AgentPlace[Any], directives: tuple[Directive, ...], turn: Turn) -> Plan:
    """What is to be done.

    Raises:
      InvalidDecision: nobody knows how to do it.
      Overloaded: it does not fit in with what is still to be done.
    """
    plan = plan_of(directives, place.env.executors, place.env.dispatch)
    if plan.errands and not place.has_room(len(plan.errands)):
        raise Overloaded(place.id)
    if plan.timing:
        plan.now = place.env.now()
    if turn is not NO_TURN:
        plan.turn_now = turn.now
    return plan


def _commit(run: AgentRun[S], envelope: Envelope, state: S, plan: Plan | None) -> None:
    """Commit, answer, and begin what is to be done."""
    place = run.place
    try:
        if plan is None:
            place.commit(state)
            envelope.answer(state)
        else:
            _commit_and_act(run, envelope, state, plan)
    except BaseException as error:  # noqa: ASYNC103  # the end of the run
        envelope.answer(state)  # it is committed: the turn was served
        run.crash(error)


def _commit_and_act(run: AgentRun[S], envelope: Envelope, state: S, plan: Plan) -> None:
    place = run.place
    revision = place.revision
    place.commit(state)
    if plan.now is not None:
        place.timers.apply(plan.timing, plan.now, revision, instant=envelope.is_instant)
    answer(place, envelope, plan, state)
    origin = Origin(envelope.signal, plan.turn_now, is_instant=envelope.is_instant)
    probe = place.env.probe
    for directive in plan.errands:
        if probe is None:
            carry_out(place, directive, origin)
        else:
            _carry_out_observed(probe, place, directive, origin)
    if plan.stops:
        run.stop()
    elif plan.hibernates:
        place.wants_sleep()


def _carry_out_observed(
    probe: Probe, place: AgentPlace[Any], directive: Directive, origin: Origin
) -> None:
    probe.before(place, directive)
    carry_out(place, directive, origin)
    probe.after(place, directive)


def answer(place: AgentPlace[S], envelope: Envelope, plan: Plan, state: S) -> None:
    """Tell whoever sent the signal, and those that earlier turns have kept waiting."""
    if plan.reply is not None:
        envelope.answer(plan.reply.value)
    elif plan.defers:
        place.requests.defer(envelope)
    else:
        envelope.answer(state)
    for reply in plan.replies:
        place.requests.answer(reply)
