"""A plan in force: a probe that counts the moments of everybody, and acts when one is named.

Of what it raises nothing shows but an `InjectedCrash`. Where raising would do what no bug of the
user's can (between a commit and what follows from it, in whoever sends a signal), the agent crashes
as if by something else of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Final, TypeVar, cast, final

import trio

from trido.agents import Directive
from trido.runtime import clock
from trido.runtime.envelope import Envelope, Own
from trido.runtime.environment import Environment
from trido.runtime.place import AgentPlace
from trido.runtime.probe import Hold, Probe
from trido.supervision.place import End, Report
from trido.testing.faults_code import AgentCode, ChildCode, driven
from trido.testing.faults_moments import Moments
from trido.testing.faults_signals import Mail
from trido.testing.faults_storage import FaultyJournal, StorageFaults
from trido.testing.faults_targets import Place, Target, block, names_of
from trido.testing.faults_turns import TurnLog, awaits
from trido.testing.plan import FaultPlan
from trido.testing.plan_errors import InjectedCrash, UnknownPoint
from trido.testing.plan_faults import (
    AWAITING,
    ClockFault,
    CodeFault,
    Fault,
    LoopFault,
    StorageFault,
)
from trido.testing.plan_points import Received, Start, Stop, Time, Turn
from trido.testing.plan_survey import Survey

T = TypeVar("T")


@final
class Faults(Moments, Probe):
    """A plan in force. What has a ``survey`` notes there what could fail.

    A ``strict`` one is over as soon as it is known that it cannot happen.
    """

    def __init__(
        self, plan: FaultPlan, survey: Survey | None = None, *, strict: bool = False
    ) -> None:
        super().__init__(plan, survey)
        self._strict: Final = strict
        self.storage: Final = StorageFaults(self)
        self._mail: Final = Mail(self)
        self._turns: Final = TurnLog()
        self._ready: dict[Place, list[CodeFault]] = {}
        """What is to happen to what of it awaits next."""
        self._held: set[Place] = set()
        """Whose stop was held up."""
        self._shift = timedelta()
        self._nursery: trio.Nursery

    def begin(self, nursery: trio.Nursery) -> None:
        """It is in force from now on."""
        self._nursery = nursery
        self._mail.begin(nursery)
        for fault in self.plan:
            time = _time_of(fault)
            if time is not None:
                due = trio.current_time() + time.seconds
                nursery.start_soon(self._strike, fault, due, name=str(fault))

    def refuse(self, error: UnknownPoint) -> None:
        """It cannot happen: if all of it is to, end the block in which it was to be."""
        if self._strict:
            super().refuse(error)
            self._nursery.cancel_scope.cancel(reason=f"{error}")

    async def _strike(self, fault: Fault, due: float) -> None:
        await trio.sleep_until(due)
        if self._struck(fault):
            self.happened.append(fault)

    def _struck(self, fault: Fault) -> bool:
        """Whether it happened: its time has come."""
        if isinstance(fault, ClockFault):
            self._shift += timedelta(seconds=fault.jump)
        elif isinstance(fault, LoopFault):
            block(fault.seconds)
        elif isinstance(fault, CodeFault) and fault.who in self.live:
            self.hit(self.live[fault.who], [fault])
        else:
            late = cast("CodeFault", fault)  # nothing else has a time
            self.absent[str(late)] = f"nobody {str(late.who)!r} was running at {late.at}"
            return False
        return True

    # Acting -----------------------------------------------------------------------------------

    def raise_in(self, target: Target, faults: Iterable[CodeFault]) -> None:
        """Let these happen where an exception is what a bug would be."""
        for fault in faults:
            if fault.act == "crash":
                raise InjectedCrash(str(fault))
            self.hit(target, [fault])

    def hit(self, target: Target, faults: Iterable[CodeFault]) -> None:
        """Let these happen where nothing must be raised."""
        for fault in faults:
            if fault.act == "block":
                block(fault.seconds)
            elif fault.act == "crash" and isinstance(target, AgentPlace):
                target.crash(InjectedCrash(str(fault)))
            elif fault.act in ("crash", "cancel"):
                self._stop(target, InjectedCrash(str(fault)))

    def _stop(self, target: Target, error: InjectedCrash) -> None:
        """In a moment: a supervisor never does it in the middle of what a child does."""
        report = target.run.report if isinstance(target, AgentPlace) and target.has_run else target
        if not isinstance(report, AgentPlace):
            self._nursery.start_soon(_fail, report, error, name=str(error))

    # Runtimes and children --------------------------------------------------------------------

    def opened(self, env: Environment) -> None:
        """Have it tell the time, and keep its agents, as the plan says."""
        if any(isinstance(fault, ClockFault) for fault in self.plan):
            usual = env.clock or clock.now
            env.clock = lambda: clock.checked(usual()) + self._shift
        if env.journal is not None and (
            self.survey is not None or any(isinstance(one, StorageFault) for one in self.plan)
        ):
            env.journal = FaultyJournal(env.journal, self.storage)

    def child(
        self, report: Report, fn: Callable[..., Awaitable[object]]
    ) -> Callable[..., Awaitable[object]]:
        """Look on its code."""
        if self.survey is not None:
            self.survey.children[report.name] = report.child.id
        self.there(report)
        return driven(fn, ChildCode(self, report))

    # Agents -----------------------------------------------------------------------------------

    def started(self, place: Place) -> None:
        """Its n-th start; what holds it up comes later."""
        names = self.there(place)
        if self.survey is not None:
            self.survey.agents[place.id] = place.agent.name
        self._hold(place, self.met(names, Start))

    def stopping(self, place: Place) -> None:
        """Its n-th stop, unless that has been held up."""
        if place in self._held:
            self._held.discard(place)
        else:
            self._hold(place, self.met(names_of(place), Stop))

    def _hold(self, place: Place, faults: list[CodeFault]) -> None:
        self._ready[place] = [fault for fault in faults if fault.act in AWAITING]
        self.raise_in(place, faults)

    def holds(self, place: Place, what: Hold) -> bool:
        """Whether a fault is to hold it up."""
        if what == "stop":
            coming = self.coming(names_of(place), Stop)
            return any(fault.act in AWAITING for fault in coming)
        return bool(self._ready.get(place))

    async def held(self, place: Place, what: Hold) -> None:
        """Hold it up."""
        if what == "stop":
            self._held.add(place)
            self._hold(place, self.met(names_of(place), Stop))
        faults = self._ready.pop(place)
        await AgentCode(self, place).act(faults, shield=what == "stop")

    def ended(self, place: Place, end: End) -> None:
        """It is not there to be hit."""
        self._ready.pop(place, None)

    def offered(self, place: Place, envelope: Envelope) -> bool:
        """Its n-th signal."""
        if self._mail.passes:
            return False
        moments = self.both(names_of(place), Received, envelope.signal.type)
        self.hit(place, self.meet(moments))
        return self._mail.tampers(place, envelope, moments)

    # Turns ------------------------------------------------------------------------------------

    def begun(self, place: Place, envelope: Envelope) -> None:
        """Its n-th turn."""
        if isinstance(envelope, Own):
            return
        moments = self.both(names_of(place), Turn, envelope.signal.type)
        self._turns.begin(place, envelope, moments)
        faults = self.meet(moments)
        self._ready[place] = [fault for fault in faults if fault.act in AWAITING]
        self.raise_in(place, faults)

    def decided(self, place: Place, envelope: Envelope, directives: tuple[Directive, ...]) -> None:
        """It has decided: on what is noted, to be counted as it is done."""
        step = self._turns.decided(place, envelope, directives)
        for fault in self._ready.pop(place, ()):  # its handler does not await
            self.happened.remove(fault)
        if step is not None:
            self.raise_in(place, self.meet(step.at("before commit")))

    def committed(self, place: Place, envelope: Envelope) -> None:
        """It is committed. What nobody carries out is done by that."""
        step = self._turns.committed(place, envelope)
        if step is not None:
            for index in step.rest():
                for moment in ("before", "during", "after"):
                    self.hit(place, self.meet(step.of(index, moment)))
            self.hit(place, self.meet(step.at("after commit")))

    def before(self, place: Place, directive: Directive) -> None:
        """One that is done at once is about to be."""
        if not awaits(directive):
            self._carry(place, directive, "before", "during")

    def after(self, place: Place, directive: Directive) -> None:
        """It is done."""
        if not awaits(directive):
            self._carry(place, directive, "after")

    def _carry(self, place: Place, directive: Directive, *moments: str) -> None:
        found = self._turns.find(place, directive, done="after" in moments)
        if found is not None:
            step, index = found
            for moment in moments:
                self.hit(place, self.meet(step.of(index, moment)))

    def wrap(
        self, place: Place, fn: Callable[..., Awaitable[T]], directive: Directive | None
    ) -> Callable[..., Awaitable[T]]:
        """Look on its code."""
        ready = () if directive is not None else self._ready.pop(place, ())
        found = None if directive is None else self._turns.find(place, directive, done=True)
        return driven(fn, AgentCode(self, place, ready, found))


async def _fail(report: Report, error: InjectedCrash) -> None:  # noqa: ASYNC124  # a task
    report.failing(error)


def _time_of(fault: Fault) -> Time | None:
    """When it happens, if that is a matter of time alone."""
    at = fault.at if isinstance(fault, ClockFault | LoopFault | CodeFault) else None
    return at if isinstance(at, Time) else None
