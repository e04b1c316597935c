"""The place of an agent in a supervisor: what outlives its runs.

The mailbox, the outbox, the last committed state, timers and the ref belong to the place. A run
borrows them, and exists between a start and an end; a call that is queued when a run ends waits for
the next one, if there will be one. Most agents are idle most of the time and use few of these
parts, so each part is made when it is first used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, final

import trio
from trio.lowlevel import Abort, RaiseCancelT

from trido.agents import Address, Directive, Emit, Signal
from trido.agents.codec import Codec
from trido.agents.errors import AgentError
from trido.errors import SpecError
from trido.runtime import keep
from trido.runtime.agent import Agent
from trido.runtime.contained import failure_of
from trido.runtime.dead_letters import KEPT, Again, DeadLetter, DeadLetters
from trido.runtime.dispatcher import Dispatcher
from trido.runtime.durable import Durable
from trido.runtime.envelope import Call, Envelope, Own, Published, Told
from trido.runtime.environment import Environment, alone
from trido.runtime.errors import (
    AgentCrashed,
    AgentParked,
    AgentStopped,
    AlreadyRegistered,
    DirectiveFailed,
    NoSuchAgent,
    Overloaded,
)
from trido.runtime.failures import Failures
from trido.runtime.family import Family, FamilyErrand, Kin
from trido.runtime.mailbox import Mailbox
from trido.runtime.monitors import Monitors, Watching, down
from trido.runtime.outbox import Outbox
from trido.runtime.ref import AgentRef, AgentStatus
from trido.runtime.requests import Requests
from trido.runtime.runs import Runs
from trido.runtime.server import AgentRun
from trido.runtime.settings import Settings
from trido.runtime.spec import AgentSpec
from trido.runtime.standing import Standing
from trido.runtime.timers import Timers
from trido.runtime.waiting import Waiting
from trido.supervision import Child, Supervisor
from trido.supervision.current import CURRENT, CleanupTime, Current
from trido.supervision.incarnation import break_out
from trido.supervision.messages import Fail
from trido.supervision.place import End, Report, as_place
from trido.supervision.tables import State

if TYPE_CHECKING:
    from trido.runtime.effectful import EffectfulTurn
    from trido.runtime.host import Host
    from trido.runtime.runtime import Runtime

S = TypeVar("S")

_NOTHING: Final = frozenset[trio.Event]()
_WITHOUT_RUN: Final = frozenset[State]({"stopped", "parked", "removed"})


@final
class AgentPlace(Generic[S]):
    """An agent in a supervisor."""

    __slots__ = (
        "_child",
        "_dispatcher",
        "_ended",
        "_ended_run",
        "_ending",
        "_failures",
        "_family",
        "_former_runs",
        "_is_told",
        "_letters",
        "_lingering",
        "_monitors",
        "_nursery",
        "_outbox",
        "_requests",
        "_run",
        "_runs",
        "_timers",
        "_waiting",
        "_watching",
        "agent",
        "comes_back",
        "dead_lettered",
        "durable",
        "env",
        "id",
        "in_turn",
        "kin",
        "mailbox",
        "ref",
        "revision",
        "settings",
        "spec",
        "state",
    )

    def __init__(self, spec: AgentSpec[S]) -> None:
        self.spec: AgentSpec[S] = spec
        self.agent: Agent[S] = spec.agent
        self.settings: Settings = spec.settings
        self.id: str = spec.id
        self.env: Environment = alone() if spec.runtime is None else spec.runtime.env
        self.kin: Kin | None = spec.kin
        self.state: S = spec.agent.state.initial
        """The last committed state."""
        self.revision: int = 0
        """How many turns it has committed in all its runs."""
        self.in_turn: bool = False
        """A handler is deciding, on the spot."""
        self.comes_back: bool = False
        """It is being stopped only to be started again."""
        self.mailbox: Mailbox = Mailbox(spec.settings.mailbox)
        self.dead_lettered: int = 0
        self.ref: AgentRef[S] = AgentRef(self)
        session = None if self.settings.durability == "none" else self.env.session
        self.durable: Durable[S] | None = None if session is None else Durable(self, session)
        """What of it is in a journal, if that is to survive the process."""
        self._run: AgentRun[S] | None = None
        self._child: Child[Any] | None = None
        self._nursery: trio.Nursery | None = None
        self._dispatcher: Dispatcher | None = None
        self._ended: type[AgentError] | None = None
        self._ended_run: End | None = None
        """How its last run ended; None if there is a run, or was none."""
        self._is_told: bool = False
        """Its parent has been told of that."""
        self._former_runs: int = 0
        """How many runs it had in earlier runs of its parent."""
        self._outbox: Outbox | None = None
        self._ending: AbstractSet[trio.Event] = _NOTHING
        self._lingering: trio.CancelScope | None = None
        self._timers: Timers | None = None
        self._requests: Requests | None = None
        self._runs: Runs | None = None
        self._family: Family | None = None
        self._monitors: Monitors | None = None
        self._watching: Watching | None = None
        self._waiting: Waiting[S] | None = None
        self._failures: Failures | None = None
        self._letters: DeadLetters | None = None

    # The port -------------------------------------------------------------------------------

    def start(self, report: Report) -> AgentRun[S]:
        """Start a run. It is ready at once, unless something has to be awaited first."""
        self._child = report.child
        self._nursery = report.nursery
        self.comes_back = self._is_told = False
        self._ended_run = None
        self._register()
        if self._dispatcher is None:
            self._dispatcher = Dispatcher.of(report.nursery, report.name.rpartition("/")[0])
            self._dispatcher.enter()
        if self.durable is not None:
            self.durable.begin()
        self._ended = None
        self._stop_lingering()
        self._recover()
        run = self._run = AgentRun(self, report)
        run.open()
        return run

    def _register(self) -> None:
        if self.kin is not None:
            self._go_on_from(self.kin.parent.family.former(self.kin))
        if self.env.runtime is None:
            return
        known = self.env.places.get(self.id)
        if known is self:
            return
        if known is not None:
            raise AlreadyRegistered(self.id)
        self.env.places[self.id] = self
        self.env.arrived(self)
        self._take(self.env.former.pop(self.id, None))
        if self.env.bus is not None and self.settings.subscribe:
            self.env.bus.add(self, self.settings.subscribe)

    def _go_on_from(self, last: AgentPlace[Any] | None) -> None:
        """Count on from the place that this child had in the last run of its parent."""
        if last is not None and last is not self:
            self._former_runs = last.incarnation
            self.revision = last.revision
            self._take(last.ref)

    def _take(self, ref: AgentRef[Any] | None) -> None:
        """Go on under the ref of whoever had the id before."""
        if ref is not None:
            ref.place, self.ref = self, ref

    def _recover(self) -> None:
        if self.settings.recover == "fresh":
            self.state = self.agent.state.initial
            if self._family is not None:
                self._family.forget()
        if self.durable is None and (self._timers is not None or self.settings.schedules):
            self.timers.begin(self.settings.schedules)

    def changed(self, state: State, *, comes_back: bool) -> None:
        """Once there will be no next run, nobody waits for one."""
        self.comes_back = comes_back
        if state in _WITHOUT_RUN:
            if comes_back:
                self._drop_mailbox(AgentCrashed, None)
            else:
                self._end(AgentParked if state == "parked" else NoSuchAgent)
        if state in _WITHOUT_RUN or (state == "restarting" and comes_back):
            self._tell_of_its_end(comes_back=comes_back)
        self.went_idle()

    # The run --------------------------------------------------------------------------------

    @property
    def run(self) -> AgentRun[S]:
        """The run there is."""
        if self._run is None:
            raise NoSuchAgent(self.id)
        return self._run

    @property
    def has_run(self) -> bool:
        """Whether there is one that has not ended."""
        return self._run is not None

    @property
    def serving_run(self) -> AgentRun[S] | None:
        """The run there is, unless it is ending."""
        run = self._run
        return None if run is None or run.phase in ("closing", "over") else run

    @property
    def open_turn(self) -> EffectfulTurn[S] | None:
        """The turn in progress, if its handler awaits."""
        return None if self._run is None else self._run.open_turn

    @property
    def opens_with_a_host(self) -> bool:
        """Whether something has to be awaited before a run is ready."""
        agent = self.agent
        return (
            agent.lives is not None
            or self.durable is not None
            or (agent.starts is not None and agent.starts.is_async)
            or bool(self.settings.children)
            or bool(self._family)
        )

    async def open_children(self, host: Host) -> None:
        """Start the children that a run begins with."""
        if self.settings.children or self._family is not None:
            await self.family.open(host)

    @property
    def supervisor_below(self) -> Supervisor | None:
        """The supervisor of the children that live with it, if there are any."""
        return None if self._family is None else self._family.supervisor

    async def close_children(self) -> None:
        """Stop the children that end with a run."""
        if self._family is not None:
            await self._family.close()

    async def close_runs(self) -> None:
        """Cancel what is in flight, and wait until it is gone."""
        if self._runs is not None:
            await self._runs.close()

    def run_is_ready(self, run: AgentRun[S]) -> None:
        """It serves from now on; first of all, what was committed before."""
        if self._failures is not None:
            self._failures.resume()
        if self._runs is not None:
            self._runs.resume()
        if self._outbox is not None:
            self._outbox.resume(FamilyErrand.LANE)
        if self._waiting is not None:
            self._waiting.tell(self.shown_state)
        if self.durable is not None:
            self.durable.carry_on()
        if self.kin is not None:
            self.kin.parent.family.child_started(self, self.kin)
        self.wake()
        self.went_idle()

    def run_winds_up(self, end: End) -> None:
        """It serves no more."""
        if self.durable is not None and end.kind not in ("stopped", "normal"):
            self.durable.winds_up()
        self._drop_timers(end)
        if self.goes_on_after(end):
            kind = AgentStopped if end.kind == "normal" else AgentCrashed
            self._fail_requests(kind, end.reason)
            if end.kind not in ("stopped", "killed", "normal"):
                self._drop_mailbox(AgentCrashed, end.reason)
            return
        if end.kind in ("stopped", "killed"):
            self._close_mailbox(AgentStopped)
        if self._runs is not None:
            self._runs.give_up()
        if end.kind == "killed":
            self.give_up_errands()

    def close_requests(self) -> None:
        """There will be no turn any more that could answer them."""
        self._fail_requests(AgentStopped, None)

    def goes_on_after(self, end: End) -> bool:
        """Whether the agent may have another run after one that ends so."""
        if self.comes_back or (self._run is not None and self._run.was_asked):
            return self.comes_back
        if end.kind == "normal":
            return self.spec.policy.restart == "permanent"
        return end.kind in ("crashed", "escalated", "ignored")

    @property
    def ends_for_good(self) -> bool:
        """Whether nobody is to go on where it left off: neither a next run nor a next process.

        If its supervisor ends, it is not by a decision about this agent; but a child that lives
        with its parent ends for good with it.
        """
        if self._child is not None and self._child.supervisor.is_stopping:
            lives_with = self.kin is not None and self.kin.on_parent_death is None
            return lives_with and self.kin is not None and self.kin.parent.ends_for_good
        return self.has_ended or (self._run is not None and not self.goes_on_after(self._run.end))

    def run_ended(self, end: End) -> None:
        """There is no run."""
        self.close_requests()
        self._ended_run = end
        self._run = None
        self._drop_timers(end)  # `on_stop` may have set some
        if self._watching is not None:
            self._watching.run_ended()

    def _drop_timers(self, end: End) -> None:
        """Timers end with a run, unless the next one goes on from what it committed."""
        is_asked = end.kind in ("stopped", "killed") and not self.comes_back
        if self._timers is not None and (is_asked or self.settings.recover == "fresh"):
            self._timers.drop()

    def _tell_of_its_end(self, *, comes_back: bool) -> None:
        """Tell those who watch that a run has ended; what follows is in place by now."""
        end, kin = self._ended_run, self.kin
        if end is not None and self._monitors is not None:
            self._monitors.run_ended(self.incarnation, end)
        if kin is None:
            return
        told = None if end is None else down(self.id, self.incarnation, end)
        if told is not None and not (self._is_told and comes_back):
            self._is_told = True
            kin.parent.family.child_exit(self, kin, told, comes_back=comes_back)
        if self.has_ended:
            kin.parent.family.child_gone(kin, told)
            self.kin = None

    def crash(self, error: BaseException) -> None:
        """Something that is none of its turns ends its run."""
        if self._run is not None:
            self._run.crash(error)
        elif not isinstance(error, Exception) and self._child is not None:
            self._child.supervisor.post(Fail(now=trio.current_time(), error=error))

    # Turns ----------------------------------------------------------------------------------

    def commit(self, state: S) -> None:
        """A turn is done: this is the state."""
        self.state = state
        self.revision += 1
        if self._waiting is not None:
            self._waiting.tell(state)

    def tell_state(self, state: S) -> None:
        """This is the state, for all who look."""
        if self._waiting is not None:
            self._waiting.tell(state)

    def carry_out(self, directive: Directive, standing: Standing) -> None:
        """Begin to carry out a directive that is in the journal."""
        keep.carry_out(self, directive, standing)

    def take_back(self, envelope: Envelope) -> None:
        """Its turn did not happen: it is the next to be served."""
        if self._ended is None:
            self.mailbox.put_back(envelope)
        else:
            self._fail_one(envelope, self._ended, None)

    def died_on(self, envelope: Envelope, error: BaseException, end: End) -> None:
        """The run ended while it served this."""
        again = not isinstance(envelope, Call | Own) and end.kind in ("crashed", "ignored")
        if again and envelope.deaths < self.settings.redeliver:
            envelope.deaths += 1
            self.mailbox.put_back(envelope)
            return
        self._fail_one(envelope, AgentStopped if end.kind == "normal" else AgentCrashed, error)

    def interrupted(self, envelope: Envelope, cause: BaseException | None) -> None:
        """The turn that served this did not happen."""
        crashed = cause is not None or self.comes_back
        self._fail_one(envelope, AgentCrashed if crashed else AgentStopped, cause)

    # Signals --------------------------------------------------------------------------------

    def offer_envelope(self, envelope: Envelope) -> bool:
        """Take a signal in, whatever that takes; False if it must wait for room.

        Raises:
          NoSuchAgent, AgentParked, AgentStopped: there is nobody to serve it.
          Overloaded: there is no room, and it is not to wait.
        """
        if self._ended is not None:
            raise self._ended(self.id)
        if not self.mailbox.put(envelope):
            overflow = self.settings.overflow
            if overflow == "block" or envelope.is_patient:
                return False
            if overflow != "drop_oldest":
                raise Overloaded(self.id)
            self.fail(self.mailbox.displace(envelope), Overloaded(self.id))
        self.wake()
        return True

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

    def went_idle(self) -> None:
        """It may have nothing left to do."""
        if self.env.drain is not None:
            self.env.drain.look_at(self)

    @property
    def is_busy(self) -> bool:
        """Whether it has something left to do, and somebody does it."""
        if self._ended is not None and self._run is None:
            return self._outbox is not None and self._outbox.goes_on_without(FamilyErrand.LANE)
        return bool(
            self.mailbox
            or self.mailbox.waiting
            or self._outbox
            or (self._runs is not None and (self._runs or self._runs.flying))
            or (self.durable is not None and self.durable.is_busy)
            or self.open_turn is not None
        )

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

    # Subscriber -----------------------------------------------------------------------------

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

    # What is committed ----------------------------------------------------------------------

    @property
    def dispatcher(self) -> Dispatcher:
        """Who serves it."""
        if self._dispatcher is None:
            raise NoSuchAgent(self.id)
        return self._dispatcher

    @property
    def outbox(self) -> Outbox:
        """What is to be done, in lanes."""
        if self._outbox is None:
            self._outbox = Outbox(self.went_idle)
        return self._outbox

    @property
    def timers(self) -> Timers:
        """What it sends itself."""
        if self._timers is None:
            self._timers = Timers(self)
        return self._timers

    @property
    def requests(self) -> Requests:
        """Whom it owes an answer."""
        if self._requests is None:
            self._requests = Requests(self)
        return self._requests

    @property
    def runs(self) -> Runs:
        """The actions beside it."""
        if self._runs is None:
            self._runs = Runs(self)
        return self._runs

    @property
    def family(self) -> Family:
        """Its children."""
        if self._family is None:
            self._family = Family(self)
        return self._family

    @property
    def monitors(self) -> Monitors:
        """Who watches it."""
        if self._monitors is None:
            self._monitors = Monitors(self)
        return self._monitors

    @property
    def watching(self) -> Watching:
        """Whom it watches."""
        if self._watching is None:
            self._watching = Watching(self)
        return self._watching

    @property
    def waiting(self) -> Waiting[S]:
        """Who waits for a state."""
        if self._waiting is None:
            self._waiting = Waiting()
        return self._waiting

    @property
    def parent(self) -> AgentPlace[Any] | None:
        """Whose child it is."""
        return None if self.kin is None else self.kin.parent

    def has_room(self, more: int) -> bool:
        """Whether a turn with so many errands may be committed."""
        waiting = 0 if self._runs is None else len(self._runs)
        return self.outbox.has_room(more, waiting)

    def when_done(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` once all that is committed is done."""
        if self._outbox is None:
            tell()
        else:
            self._outbox.when_empty(tell)

    def give_up_errands(self) -> None:
        """Make dead letters of what is committed and not done."""
        if self._runs is not None:
            self._runs.give_up()
        if self._outbox is not None:
            self._outbox.give_up()

    def end_errand(self, scope: trio.CancelScope, gone: trio.Event) -> None:
        """Cancel an errand, and break its shields until it is ``gone``."""
        self._ending = {*self._ending, gone}
        scope.cancel(reason="its agent has ended")
        self.spawn(break_out, scope, gone, self.spec.kill_timeout, self._errand_is_stuck)

    def errand_gone(self, gone: trio.Event) -> None:
        """One that was to end has ended."""
        self._ending = {one for one in self._ending if one is not gone}
        if not self._ending and self._run is not None and self._run.is_done:
            self._run.finish()

    @property
    def is_ending_errands(self) -> bool:
        """Whether some that are to end have not ended."""
        return bool(self._ending)

    def _errand_is_stuck(self) -> None:
        _LOG.error("agent %r has ended, and one of its executors does not", self.id)
        if self._run is not None:
            self._run.report.unkillable()

    def spawn(self, fn: Callable[..., Any], *args: Any) -> None:
        """Run something that outlives a run, in the nursery that the place is in."""
        nursery, child = self._nursery, self._child
        if nursery is None or child is None:  # pragma: no cover - only who was started commits
            return
        # Not the context of whoever makes room for it, but its own: it is still the agent's.
        context = nursery.parent_task.context.copy()
        context.run(CURRENT.set, Current(child, CleanupTime(self.spec.policy.grace)))
        context.run(nursery.start_soon, fn, *args, name=f"{self.id} (errand)")

    def directive_failed(self, directive: Directive, cause: BaseException) -> None:
        """A directive could not be carried out: its policy says what that means."""
        cause = failure_of(cause)
        if not isinstance(cause, Exception):
            self.crash(cause)
            return
        error = DirectiveFailed(self.id, directive)
        error.__cause__ = cause
        if self._failures is None:
            self._failures = Failures(self)
        self._failures.handle(error)

    # Dead letters ---------------------------------------------------------------------------

    @property
    def letters(self) -> DeadLetters:
        """Where its dead letters are kept."""
        if self.env.letters is not None:
            return self.env.letters
        if self._letters is None:
            most = max(KEPT, self.settings.mailbox)
            self._letters = DeadLetters(most, lambda it: self if it == self.id else None)
        return self._letters

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
        self.dead_lettered += 1
        self.letters.add(letter)

    # Ends -----------------------------------------------------------------------------------

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

    def _end(self, ended: type[AgentError]) -> None:
        """There will be no next run, unless somebody asks for one."""
        if self._timers is not None and ended is NoSuchAgent:
            self._timers.drop()
        elif self._timers is not None:
            self._timers.pause()
        self._close_mailbox(AgentStopped if ended is NoSuchAgent else ended)
        self._ended = ended
        self._fail_requests(AgentStopped, None)
        if ended is NoSuchAgent:
            self._leave()

    def _leave(self) -> None:
        """It has ended for good: its name is free, and nobody waits for it."""
        if self.env.places.get(self.id) is self:
            del self.env.places[self.id]
            self.env.former[self.id] = self.ref
        if self.env.bus is not None:
            self.env.bus.remove(self)
        self._leave_behind()
        if self._waiting is not None:
            self._waiting.fail(self.id)
        if self._family is not None:
            self._family.parent_ended()
        if self._dispatcher is not None:
            self._dispatcher.leave()
            self._dispatcher = None

    def _leave_behind(self) -> None:
        """What it had committed still has its grace; unless its supervisor ends, too."""
        if self._runs is not None:
            self._runs.give_up()
        if not self._outbox or self._child is None:
            return
        winds_up = self._child.supervisor.winds_up
        if winds_up.is_set():
            self.give_up_errands()
        else:
            self.env.lingering.add(self)
            self._lingering = trio.CancelScope()
            self.spawn(self._linger, self._lingering, winds_up)

    async def _linger(self, scope: trio.CancelScope, winds_up: trio.Event) -> None:
        scope.deadline = trio.current_time() + self.spec.policy.grace
        with scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_then_cancel, winds_up, scope)
                self.when_done(scope.cancel)
                await trio.sleep_forever()
        if self._lingering is scope:
            self.give_up_errands()
            self._stop_lingering()

    def _stop_lingering(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel(reason="there is a run again")
            self._lingering = None
            self.env.lingering.discard(self)
            self.went_idle()

    # Reading --------------------------------------------------------------------------------

    @property
    def shown_state(self) -> S:
        """The last committed state; if it is in a journal, the last that is durable."""
        return self.state if self.durable is None else self.durable.state

    @property
    def incarnation(self) -> int:
        """The number of the latest run."""
        return self._former_runs + (0 if self._child is None else self._child.incarnation)

    @property
    def has_ended(self) -> bool:
        """Whether nobody will serve it, nor knows its state."""
        return self._ended is NoSuchAgent

    @property
    def life(self) -> State:
        """Where it is in its life."""
        return "stopped" if self._child is None else self._child.state

    def status(self) -> AgentStatus:
        """All of that, and more."""
        runs, requests, durable = self._runs, self._requests, self.durable
        recovers = durable is not None and durable.is_claiming and self.serving_run is not None
        return AgentStatus(
            id=self.id,
            agent=self.agent.name,
            state="recovering" if recovers else self.life,
            incarnation=self.incarnation,
            revision=self.revision if durable is None else durable.revision,
            queued=len(self.mailbox),
            waiting=self.mailbox.waiting,
            outbox=len(self._outbox or ()),
            runs=0 if runs is None else len(runs) + len(runs.flying),
            timers=len(self._timers or ()),
            children=len(self._family or ()),
            requests=len(requests or ()),
            late_replies=0 if requests is None else requests.ignored,
            dead_letters=self.dead_lettered,
        )

    # Asking the supervisor --------------------------------------------------------------------

    @property
    def codec(self) -> Codec:
        """What writes for the journal, and reads from it."""
        if self.env.codec is None:
            raise NoSuchAgent(self.id)
        return self.env.codec

    async def stop(self) -> None:
        """Have its supervisor stop it, in order."""
        child = self._child
        if child is not None and not self.has_ended:
            await child.supervisor.stop_child(child)

    async def revive(self) -> None:
        """Have its supervisor run it again."""
        if self._child is None:
            raise NoSuchAgent(self.id)
        await self._child.supervisor.restart_child(self._child)

    def stop_soon(self) -> None:
        """As `stop`, without waiting."""
        if self.env.runtime is not None:  # pragma: no branch - only agents of one have such parents
            self.env.runtime.stop_soon(self)

    def runtime_for(self, what: str) -> Runtime:
        """The runtime. Raises `SpecError` if the agent is alone."""
        if self.env.runtime is None:
            raise SpecError("runtime", None, f"given for an agent with {what}", of=self.agent.of)
        return self.env.runtime


async def _then_cancel(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel(reason="its supervisor ends")


def _bare(error: AgentError) -> AgentError:
    """``error`` without the frames it came through: they hold on to whatever is in them."""
    error.__context__ = None
    return error.with_traceback(None)


as_place.register(AgentSpec, AgentPlace)

_LOG: Final = logging.getLogger("trido")
