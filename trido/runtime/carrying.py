"""How each directive is carried out, once its turn is committed.

What can be done at once is done at once; the rest waits in the agent's outbox, each in its lane.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, final

import trio
from outcome import Error, Outcome
from trio.lowlevel import enable_ki_protection

from trido.agents import Address, Emit, Signal
from trido.agents.directive import PARENT, Directive, Via
from trido.agents.errors import AgentError
from trido.agents.family import AdoptChild, Demonitor, Link, Monitor, SpawnAgent, StopChild
from trido.agents.running import Run
from trido.agents.stamps import caused_by, stamped
from trido.agents.turn import Why
from trido.runtime.contained import contained
from trido.runtime.envelope import Envelope
from trido.runtime.errors import AgentStopped, OutcomeUnknown, nobody
from trido.runtime.executors import Delivery, Executor
from trido.runtime.family import FamilyDirective, FamilyErrand
from trido.runtime.ids import new_id
from trido.runtime.knocking import knock
from trido.runtime.monitors import down, exits
from trido.runtime.partition import named_by, partition_of
from trido.runtime.ref import AgentRef
from trido.runtime.standing import Standing, give_up, left_off
from trido.runtime.throttle import pace

if TYPE_CHECKING:
    from trido.runtime.bus import Bus
    from trido.runtime.bus import Delivery as Publication
    from trido.runtime.place import AgentPlace

Place: TypeAlias = "AgentPlace[Any]"


@final
class Origin:
    """The turn that committed a directive."""

    __slots__ = ("_cause", "_is_stamped", "_now", "is_instant")

    def __init__(
        self, cause: Signal, now: datetime | None = None, *, is_instant: bool = False
    ) -> None:
        self.is_instant: bool = is_instant
        """Whether the agent itself brought it about, without a delay."""
        self._cause = cause
        self._is_stamped = False
        self._now = now

    @property
    def can_be_traced(self) -> bool:
        """Whether the signal whose turn it was says where it came from."""
        return self._is_stamped or self._cause.id is not None or bool(self._cause.attributes)

    def cause(self, place: Place) -> Signal:
        """The signal whose turn it was: one id for all who look."""
        if not self._is_stamped:
            now = self.now(place)
            self._cause = stamped(self._cause, id=new_id(), source=place.id, time=now)
            self._is_stamped = True
        return self._cause

    def now(self, place: Place) -> datetime:
        """When it was: one time for all who look, and for its handler, if that was told."""
        if self._now is None:
            self._now = place.env.now()
        return self._now


def carry_out(place: Place, directive: Directive, origin: Origin) -> None:
    """Begin to carry out a directive of a committed turn. If that fails, its policy is asked."""
    how = _HOW.get(type(directive))
    try:
        if how is not None:
            how(place, directive, origin)
        else:
            executor = place.env.executors[type(directive)]
            send_out(place, executor, directive, directive, origin.cause(place))
    except Exception as error:  # somebody's clock, say
        place.directive_failed(directive, error)


# Signals ------------------------------------------------------------------------------------------


class Emitted(Envelope):
    """A signal that an agent emitted to another: in its outbox as long as there is no room."""

    __slots__ = ("_receiver", "_sender", "_waits")

    why: ClassVar[Why] = "emit"

    def __init__(self, signal: Signal, sender: Place, receiver: Place) -> None:
        # As in `Envelope`: there is one of these for each emitted signal.
        self.signal: Signal = signal
        self.deaths: int = 0
        self._sender = sender
        self._receiver = receiver
        self._waits = False

    def begin(self) -> bool:
        """Put it into the mailbox, if there is room."""
        self._waits = not self._receiver.deliver(self)
        return not self._waits

    def accepted(self) -> None:
        """It waits no more."""
        if self._waits:
            self._waits = False
            self._sender.outbox.done(self._receiver)

    def fail(self, error: AgentError) -> bool:
        """It waits no more; nobody is told."""
        self.accepted()
        return False

    def give_up(self) -> None:
        """Its sender has ended."""
        if self._waits:
            self._waits = False
            self._receiver.mailbox.withdraw(self)
        self._sender.bury(self.signal, AgentStopped(self._sender.id), to=self._receiver.ref)


@final
class Echo(Emitted):
    """A signal that an agent emitted to itself."""

    __slots__ = ()

    is_instant: bool = True


def _emit(place: Place, emit: Emit, origin: Origin) -> None:
    to = emit.to
    if isinstance(to, Via):
        outgoing = _stamped(place, emit.signal, origin)
        send_out(place, place.env.dispatch[to.name], emit, outgoing, origin.cause(place))
        return
    signal = emit.signal
    if origin.can_be_traced:  # who follows a trace sees where it leads; nobody else pays for it
        signal = _stamped(place, signal, origin)
    if isinstance(to, AgentRef):
        _send(place, to.place, signal, origin)
    elif to is None:
        _publish(place, signal, origin)
    else:
        receiver = receiver_of(place, to)
        if receiver is None:
            _not_there(place, to, signal)
        else:
            _send(place, receiver, signal, origin)


@final
class Sent:
    """A signal for an agent that is not there."""

    __slots__ = ("_id", "_sender", "_signal")

    def __init__(self, sender: Place, id: str, signal: Signal) -> None:
        self._sender = sender
        self._id = id
        self._signal = signal

    def send(self, receiver: Place) -> None:
        """It is there."""
        self._sender.outbox.put(receiver, Emitted(self._signal, self._sender, receiver))

    def bury(self, error: AgentError) -> None:
        """It will not be."""
        self._sender.bury(self._signal, error, to=self._id)


def _not_there(place: Place, to: Address | str, signal: Signal) -> None:
    id = id_of_receiver(place, to)
    if place.env.may_come(id):
        knock(place, id, Sent(place, id, signal))
    else:
        name = to.id if isinstance(to, Address) else to
        place.bury(signal, nobody(name, place.id), to=id or to)


def id_of_receiver(place: Place, to: Address | str) -> str:
    """The id of whom an agent means; none if there can be no such agent."""
    if isinstance(to, Address):
        return to.id
    return "" if to == PARENT else named_by(place.id, to)


def receiver_of(place: Place, to: Address | str) -> Place | None:
    """Whom an agent means: whose address it is, or who has this id in its own partition."""
    if isinstance(to, AgentRef):
        return to.place
    if isinstance(to, Address):
        return place.env.places.get(to.id)
    return place.parent if to == PARENT else place.env.named_by(place, to)


def _send(sender: Place, receiver: Place, signal: Signal, origin: Origin) -> None:
    if receiver is not sender:
        sender.outbox.put(receiver, Emitted(signal, sender, receiver))
        return
    if origin.is_instant:
        pace(sender, signal.type)
    sender.outbox.put(receiver, Echo(signal, sender, receiver))


def _stamped(place: Place, signal: Signal, origin: Origin) -> Signal:
    caused = caused_by(signal, origin.cause(place))
    return stamped(caused, id=new_id(), source=place.id, time=origin.now(place))


_BUS: Final = "bus"


@final
class Publishing:
    """A signal that some subscribers have no room for yet."""

    __slots__ = ("_begins", "_bus", "_is_over", "_place", "_publication", "_signal", "_standing")

    def __init__(self, place: Place, bus: Bus, signal: Signal, standing: Standing | None) -> None:
        self._standing = standing
        self._place = place
        self._bus = bus
        self._signal = signal
        self._publication: Publication | None = None
        self._begins = self._is_over = False

    def begin(self) -> bool:
        """Offer it to everybody."""
        self._begins = True
        if self._standing is None:
            self._offer()
        else:
            self._standing.try_then(self._offer)
        self._begins = False
        return self._is_over

    def _offer(self) -> None:
        self._publication = self._bus.offer(self._signal, self._done)
        if self._publication is None:
            self._done()

    def _done(self) -> None:
        self._is_over = True
        if self._standing is not None:
            self._standing.done()
        if not self._begins:
            self._place.outbox.done(_BUS)

    def give_up(self) -> None:
        """Its publisher has ended."""
        if self._publication is not None:
            self._publication.withdraw()
        if self._standing is not None and self._standing.give_up():
            return
        place, signal = self._place, self._signal

        def again(other: Place) -> None:
            publish(other, signal)

        place.bury_directive(Emit(signal), AgentStopped(place.id), again)


def _publish(place: Place, signal: Signal, origin: Origin) -> None:
    bus = place.env.bus_of(partition_of(place.id))
    if bus is not None and bus.wants_stamps(signal.type):
        signal = _stamped(place, signal, origin)
    publish(place, signal)


def publish(place: Place, signal: Signal, standing: Standing | None = None) -> None:
    """Bring a signal to all who have subscribed to such signals."""
    bus = place.env.bus_of(partition_of(place.id))
    if bus is not None:  # without a runtime nobody has subscribed
        place.outbox.put(_BUS, Publishing(place, bus, signal, standing))


# Executors ----------------------------------------------------------------------------------------


@final
class Errand:
    """A directive that an executor carries out, in a task of its own.

    The task belongs to the agent's place: a crash of the agent does not interrupt it.
    """

    __slots__ = (
        "_delivery",
        "_directive",
        "_executor",
        "_gone",
        "_place",
        "_scope",
        "_standing",
        "_what",
    )

    def __init__(
        self,
        place: Place,
        executor: Executor,
        directive: Directive,
        what: object,
        delivery: Delivery,
        *,
        standing: Standing | None = None,
    ) -> None:
        self._standing = standing
        self._place = place
        self._executor = executor
        self._directive = directive
        self._what = what
        self._delivery = delivery
        self._scope: trio.CancelScope | None = None
        self._gone: trio.Event | None = None

    def begin(self) -> bool:
        """Call the executor; if it must not be called twice, when that is durable."""
        standing = self._standing
        if standing is None:
            self._begin()
        elif self._executor.delivery == "at_most_once":
            standing.start(self._begin)
        else:
            standing.try_then(self._begin)
        return False

    def _begin(self) -> None:
        self._scope = trio.CancelScope()
        self._place.spawn(self._carry_out, self._scope)

    @enable_ki_protection
    async def _carry_out(self, scope: trio.CancelScope) -> None:
        try:
            outcome = await contained(scope, self._code(), self._what, self._delivery)
        finally:
            if self._gone is not None:
                self._gone.set()
        if isinstance(outcome, Error):
            self._place.directive_failed(self._directive, outcome.error)
        self._settle(outcome)
        if self._gone is None:
            self._place.outbox.done(self._executor)
            return
        if outcome is None:
            self._left_off()
        self._place.errand_gone(self._gone)

    def _code(self) -> Callable[[object, Delivery], Awaitable[None]]:
        probe = self._place.env.probe
        if probe is None:
            return self._executor.carry_out
        return probe.wrap(self._place, self._executor.carry_out, self._directive)

    def _settle(self, outcome: Outcome[object] | None) -> None:
        if self._standing is None or outcome is None:
            return
        if isinstance(outcome, Error):
            self._standing.settle("failed", type(outcome.error).__name__)
        else:
            self._standing.done()

    def give_up(self) -> None:
        """Its agent has ended."""
        if self._scope is None:
            self._bury(AgentStopped(self._place.id))
        else:
            self._gone = trio.Event()
            self._place.end_errand(self._scope, self._gone)

    def _left_off(self) -> None:
        if self._standing is None:
            self._bury(OutcomeUnknown(self._place.id))
        else:
            left_off(self._place, self._directive, self._standing)

    def _bury(self, reason: AgentError) -> None:
        if self._standing is not None:
            give_up(self._place, self._directive, self._standing, reason)
            return
        executor, directive = self._executor, self._directive
        what, delivery = self._what, self._delivery

        def again(place: Place) -> None:
            place.outbox.put(executor, Errand(place, executor, directive, what, delivery))

        self._place.bury_directive(directive, reason, again)


def send_out(
    place: Place,
    executor: Executor,
    directive: Directive,
    what: object,
    cause: Signal,
    *,
    standing: Standing | None = None,
) -> None:
    """Have an executor do ``what`` a directive wants done."""
    id = new_id() if standing is None else standing.name
    delivery = Delivery(id=id, agent=place.id, signal=cause)
    place.outbox.put(
        executor, Errand(place, executor, directive, what, delivery, standing=standing)
    )


# Everything else ----------------------------------------------------------------------------------


def _run(place: Place, run: Run, origin: Origin) -> None:
    place.runs.put(run)


def _family(place: Place, directive: FamilyDirective, origin: Origin) -> None:
    place.outbox.put(FamilyErrand.LANE, FamilyErrand(place, directive))


def _monitor(place: Place, directive: Monitor, origin: Origin) -> None:
    place.watching.monitor(directive.ref, _other(place, directive.ref))


def _demonitor(place: Place, directive: Demonitor, origin: Origin) -> None:
    place.watching.demonitor(directive.ref, flush=directive.flush)


def _link(place: Place, directive: Link, origin: Origin) -> None:
    other = _other(place, directive.ref)
    if other is None:
        exits(place, down(directive.ref.id, 0, None))
    else:
        place.monitors.link(other)


def _other(place: Place, ref: Address) -> Place | None:
    return ref.place if isinstance(ref, AgentRef) else place.env.places.get(ref.id)


_HOW: Final[dict[type, Callable[[Place, Any, Origin], None]]] = {
    Emit: _emit,
    Run: _run,
    SpawnAgent: _family,
    StopChild: _family,
    AdoptChild: _family,
    Monitor: _monitor,
    Demonitor: _demonitor,
    Link: _link,
}
