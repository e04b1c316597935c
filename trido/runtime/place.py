"""The place of an agent in a supervisor: what outlives its runs.

The mailbox, the outbox, the last committed state, timers and the ref belong to the place. A run
borrows them, and exists between a start and an end; a call that is queued when a run ends waits for
the next one, if there will be one. Most agents are idle most of the time and use few of these
parts, so each part is made when it is first used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, final

import trio

from trido.agents import Directive, Signal
from trido.agents.errors import AgentError
from trido.errors import SpecError
from trido.runtime.agent import Agent
from trido.runtime.carrying import Origin, carry_out
from trido.runtime.dead_letters import KEPT, DeadLetter, DeadLetters
from trido.runtime.dispatcher import Dispatcher
from trido.runtime.envelope import Call, Cast, Envelope, Published, Told
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
from trido.runtime.family import Family, Kin
from trido.runtime.mailbox import Mailbox
from trido.runtime.monitors import AgentWatcher, Monitors, down
from trido.runtime.outbox import Outbox
from trido.runtime.ref import AgentRef, AgentStatus
from trido.runtime.requests import Requests
from trido.runtime.runs import Runs
from trido.runtime.server import AgentRun
from trido.runtime.settings import Settings
from trido.runtime.spec import AgentSpec
from trido.runtime.timers import Timers
from trido.runtime.waiting import Waiting
from trido.supervision import Child
from trido.supervision.place import End, Report, as_place
from trido.supervision.shields import break_shields
from trido.supervision.tables import State

if TYPE_CHECKING:
    from trido.runtime.effectful import EffectfulTurn
    from trido.runtime.host import Host
    from trido.runtime.runtime import Runtime

S = TypeVar("S")

_AGAIN: Final = Signal("agent.again")
_WITHOUT_RUN: Final = frozenset[State]({"stopped", "parked", "removed"})


@final
class AgentPlace(Generic[S]):
    """An agent in a supervisor."""

    __slots__ = (
        "_child",
        "_dispatcher",
        "_ended",
        "_ended_run",
        "_failures",
        "_family",
        "_letters",
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
        self._run: AgentRun[S] | None = None
        self._child: Child[Any] | None = None
        self._nursery: trio.Nursery | None = None
        self._dispatcher: Dispatcher | None = None
        self._ended: type[AgentError] | None = None
        self._ended_run: tuple[int, End] | None = None
        self._outbox: Outbox | None = None
        self._timers: Timers | None = None
        self._requests: Requests | None = None
        self._runs: Runs | None = None
        self._family: Family | None = None
        self._monitors: Monitors | None = None
        self._watching: dict[AgentPlace[Any], AgentWatcher] | None = None
        self._waiting: Waiting[S] | None = None
        self._failures: Failures | None = None
        self._letters: DeadLetters | None = None

    # The port -------------------------------------------------------------------------------

    def start(self, report: Report) -> AgentRun[S]:
        """Start a run. It is ready at once, unless something has to be awaited first."""
        self._child = report.child
        self._nursery = report.nursery
        self.comes_back = False
        self._register()
        if self._dispatcher is None:
            self._dispatcher = Dispatcher.of(report.nursery, report.name.rpartition("/")[0])
            self._dispatcher.enter()
        self._ended = None
        self._recover()
        run = self._run = AgentRun(self, report)
        run.open()
        return run

    def _register(self) -> None:
        if self.env.runtime is None:
            return
        known = self.env.places.get(self.id)
        if known is self:
            return
        if known is not None:
            raise AlreadyRegistered(self.id)
        self.env.places[self.id] = self
        if self.env.bus is not None and self.settings.subscribe:
            self.env.bus.add(self, self.settings.subscribe)

    def _recover(self) -> None:
        if self.settings.recover == "fresh":
            self.state = self.agent.state.initial
            if self._timers is not None:
                self._timers.clear()
            if self._family is not None:
                self._family.forget()
        for schedule in self.settings.schedules:
            if str(schedule.key) not in self.timers:
                self.timers.set(schedule)

    def changed(self, state: State, *, comes_back: bool) -> None:
        """Once there will be no next run, nobody waits for one."""
        self.comes_back = comes_back
        if state in _WITHOUT_RUN:
            if comes_back:
                self._drop_mailbox(AgentCrashed, None)
            else:
                self._end(AgentParked if state == "parked" else NoSuchAgent)
        if self._ended_run is not None:
            self._tell_of(*self._ended_run, comes_back=comes_back or state == "restarting")

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
            or (agent.starts is not None and agent.starts.is_async)
            or bool(self.settings.children)
            or bool(self._family)
        )

    async def open_children(self, host: Host) -> None:
        """Start the children that a run begins with."""
        if self.settings.children or self._family is not None:
            await self.family.open(host)

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
        if self._runs is not None:
            self._runs.resume()
        if self._outbox is not None:
            self._outbox.resume("children")
        if self._waiting is not None:
            self._waiting.tell(self.state)
        if self.kin is not None:
            self.kin.parent.family.child_started(self, self.kin)
        self.wake()

    def run_winds_up(self, end: End) -> None:
        """It serves no more."""
        if self.goes_on_after(end):
            self._fail_requests(AgentCrashed, end.reason)
            if end.kind not in ("stopped", "killed", "normal"):
                self._drop_mailbox(AgentCrashed, end.reason)
            return
        self._fail_requests(AgentStopped, None)
        if end.kind in ("stopped", "killed"):
            self._close_mailbox(AgentStopped)
        if self._runs is not None:
            self._runs.give_up()

    def goes_on_after(self, end: End) -> bool:
        """Whether the agent may have another run after one that ends so."""
        return self.comes_back or end.kind in ("crashed", "escalated", "ignored")

    def run_ended(self, end: End) -> None:
        """There is no run."""
        self._ended_run = (self.incarnation, end)
        self._run = None
        watching, self._watching = self._watching or {}, None
        for other, watcher in watching.items():
            other.monitors.discard(watcher)

    def _tell_of(self, incarnation: int, end: End, *, comes_back: bool) -> None:
        """Tell those who watch that a run has ended; what follows is in place by now."""
        self._ended_run = None
        if self._monitors is not None:
            self._monitors.run_ended(incarnation, end)
        kin = self.kin
        if kin is not None:
            told = down(self.id, incarnation, end)
            kin.parent.family.child_exit(kin, told, comes_back=comes_back)
            if self.has_ended:
                kin.parent.family.child_gone(kin)

    def crash(self, error: BaseException) -> None:
        """Something that is none of its turns ends its run."""
        if self._run is not None:
            self._run.crash(error)

    # Turns ----------------------------------------------------------------------------------

    def commit(self, state: S) -> None:
        """A turn is done: this is the state."""
        self.state = state
        self.revision += 1
        if self._waiting is not None:
            self._waiting.tell(state)

    def died_on(self, envelope: Envelope, error: BaseException, end: End) -> None:
        """The run ended while it served this."""
        again = not isinstance(envelope, Call) and end.kind == "crashed"
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
            if overflow == "block":
                return False
            if overflow != "drop_oldest":
                raise Overloaded(self.id)
            self.fail(self.mailbox.take(), Overloaded(self.id))
            self.mailbox.put(envelope)
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

    async def post(self, envelope: Cast) -> None:
        """Take in what a task of the agent itself brings; it waits for room."""
        await self.ref.send(envelope)

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
        """Whether it has something left to do."""
        return bool(
            self.mailbox
            or self.mailbox.waiting
            or self._outbox
            or (self._runs is not None and (self._runs or self._runs.flying))
            or self.open_turn is not None
        )

    def withdraw(self, call: Call) -> None:
        """Its caller waits no more: forget it, wherever it is."""
        turn = call.turn
        call.drop()
        if turn is not None:
            turn.caller_gone()
        elif not self.mailbox.withdraw(call):
            self.requests.withdraw(call)
        self.went_idle()

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
    def watching(self) -> dict[AgentPlace[Any], AgentWatcher]:
        """Whom it watches."""
        if self._watching is None:
            self._watching = {}
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

    def cancel_errand(self, scope: trio.CancelScope) -> None:
        """Cancel an errand, and break its shields until it is gone."""
        scope.cancel(reason="its agent has ended")
        break_shields(scope)

    def spawn(self, fn: Callable[..., Any], *args: Any) -> None:
        """Run something that outlives a run, in the nursery that the place is in."""
        if self._nursery is not None:  # pragma: no branch - only a place that was started commits
            self._nursery.start_soon(fn, *args, name=f"{self.id} (errand)")

    def directive_failed(self, directive: Directive, cause: BaseException) -> None:
        """A directive could not be carried out: its policy says what that means."""
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
            self._letters = DeadLetters(max(KEPT, self.settings.mailbox), lambda _: self)
        return self._letters

    def bury(self, signal: Signal, reason: AgentError, *, to: str | None = None) -> None:
        """Nobody will serve this: keep it as a dead letter."""
        self.dead_lettered += 1
        self.letters.add(self.id if to is None else to, signal, reason)

    def bury_directive(self, directive: Directive, reason: AgentError) -> None:
        """Nobody will carry this out: keep it as a dead letter."""
        self.dead_lettered += 1
        self.letters.add(self.id, getattr(directive, "signal", None), reason, directive)

    # Ends -----------------------------------------------------------------------------------

    def _fail_requests(self, kind: type[AgentError], cause: BaseException | None) -> None:
        if self._requests is not None:
            self._requests.fail_all(kind, cause)

    def _drop_mailbox(self, kind: type[AgentError], cause: BaseException | None) -> None:
        """Give up what is in the mailbox, if it is not to be kept for the next run."""
        if not self.settings.keep_mailbox:
            for envelope in self.mailbox.clear():
                self._fail_one(envelope, kind, cause)

    def _close_mailbox(self, kind: type[AgentError]) -> None:
        """Serve nothing more, unless somebody starts it again."""
        self._ended = kind
        for envelope in self.mailbox.close():
            self._fail_one(envelope, kind, None)
        self.went_idle()

    def _end(self, ended: type[AgentError]) -> None:
        """There will be no next run, unless somebody asks for one."""
        self._close_mailbox(AgentStopped if ended is NoSuchAgent else ended)
        self._ended = ended
        self._fail_requests(AgentStopped, None)
        if self._timers is not None:
            self._timers.clear()
        if ended is NoSuchAgent:
            self._leave()

    def _leave(self) -> None:
        """It has ended for good: its name is free, and nobody waits for it."""
        if self.env.places.get(self.id) is self:
            del self.env.places[self.id]
        if self.env.bus is not None:
            self.env.bus.remove(self)
        self.give_up_errands()
        if self._waiting is not None:
            self._waiting.fail(self.id)
        if self._family is not None:
            self._family.parent_ended()
        if self._dispatcher is not None:
            self._dispatcher.leave()
            self._dispatcher = None

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

    def status(self) -> AgentStatus:
        """All of that, and more."""
        runs, requests = self._runs, self._requests
        return AgentStatus(
            id=self.id,
            agent=self.agent.name,
            state=self.life,
            incarnation=self.incarnation,
            revision=self.revision,
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

    async def carry_out_again(self, letter: DeadLetter) -> None:
        """Carry out a directive that is a dead letter."""
        await trio.lowlevel.checkpoint()
        origin = Origin(letter.signal or _AGAIN, self.revision, 0)
        if letter.directive is not None:  # pragma: no branch - it has a signal or a directive
            carry_out(self, letter.directive, origin)


as_place.register(AgentSpec, AgentPlace)
