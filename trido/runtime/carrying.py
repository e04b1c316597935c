"""How each directive is carried out, once its turn is committed.

What can be done at once is done at once; the rest waits in the agent's outbox, each in its lane.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, final

import trio
from attrs import frozen

from trido.agents import Address, Emit, Signal
from trido.agents.directive import PARENT, Directive, Via
from trido.agents.errors import AgentError
from trido.agents.family import AdoptChild, Demonitor, Link, Monitor, SpawnAgent, StopChild
from trido.agents.running import Run
from trido.agents.stamps import caused_by, stamped
from trido.agents.turn import Why
from trido.runtime.contained import contained
from trido.runtime.envelope import Envelope
from trido.runtime.errors import AgentStopped, NoSuchAgent, OutcomeUnknown
from trido.runtime.executors import Delivery, Executor
from trido.runtime.family import FamilyDirective, FamilyErrand
from trido.runtime.ids import new_id
from trido.runtime.monitors import AgentWatcher, down, exits
from trido.runtime.ref import AgentRef

if TYPE_CHECKING:
    from trido.runtime.bus import Delivery as Publication
    from trido.runtime.place import AgentPlace

Place: TypeAlias = "AgentPlace[Any]"


@final
@frozen
class Origin:
    """Which directive of which turn it is."""

    cause: Signal
    """The signal whose turn committed it."""
    revision: int
    index: int


def carry_out(place: Place, directive: Directive, origin: Origin) -> None:
    """Begin to carry out a directive of a committed turn."""
    how = _HOW.get(type(directive))
    if how is not None:
        how(place, directive, origin)
    else:
        executor = place.env.executors[type(directive)]
        place.outbox.put(executor, Errand(place, executor, directive, directive, origin))


# Signals ------------------------------------------------------------------------------------------


@final
class Emitted(Envelope):
    """A signal that an agent emitted to another: in its outbox as long as there is no room."""

    __slots__ = ("_receiver", "_sender", "_waits")

    why: ClassVar[Why] = "emit"

    def __init__(self, signal: Signal, sender: Place, receiver: Place) -> None:
        super().__init__(signal)
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
        self._sender.bury(self.signal, AgentStopped(self._sender.id), to=self._receiver.id)


def _emit(place: Place, emit: Emit, origin: Origin) -> None:
    signal = _inheriting(place, emit.signal, origin)
    to = emit.to
    if isinstance(to, AgentRef):
        _send(place, to.place, signal)
    elif to is None:
        _publish(place, signal, origin)
    elif isinstance(to, Via):
        executor = place.env.dispatch[to.name]
        outgoing = _stamped(place, signal, origin)
        place.outbox.put(executor, Errand(place, executor, emit, outgoing, origin))
    else:
        id = to.id if isinstance(to, Address) else to
        receiver = place.parent if id == PARENT else place.env.places.get(id)
        if receiver is None:
            place.bury(signal, NoSuchAgent(id), to=id)
        else:
            _send(place, receiver, signal)


def _send(sender: Place, receiver: Place, signal: Signal) -> None:
    sender.outbox.put(receiver, Emitted(signal, sender, receiver))


def _inheriting(place: Place, signal: Signal, origin: Origin) -> Signal:
    """Who follows a trace sees where it leads; nobody else pays for it."""
    cause = origin.cause
    if cause.id is None and not cause.attributes:
        return signal
    return _stamped(place, signal, origin)


def _stamped(place: Place, signal: Signal, origin: Origin) -> Signal:
    now = place.env.now()
    cause = stamped(origin.cause, id=new_id(), source=place.id, time=now)
    return stamped(caused_by(signal, cause), id=new_id(), source=place.id, time=now)


_BUS: Final = "bus"


@final
class Publishing:
    """A signal that some subscribers have no room for yet."""

    __slots__ = ("_place", "_publication", "_signal")

    def __init__(self, place: Place, signal: Signal) -> None:
        self._place = place
        self._signal = signal
        self._publication: Publication | None = None

    def begin(self) -> bool:
        """Offer it to everybody."""
        bus = self._place.env.bus
        if bus is not None:
            self._publication = bus.offer(self._signal, self._done)
        return self._publication is None

    def _done(self) -> None:
        self._place.outbox.done(_BUS)

    def give_up(self) -> None:
        """Its publisher has ended."""
        if self._publication is not None:
            self._publication.withdraw()
        place = self._place
        place.bury(self._signal, AgentStopped(place.id), to=place.id)


def _publish(place: Place, signal: Signal, origin: Origin) -> None:
    if place.env.bus is not None:  # without a runtime nobody has subscribed
        place.outbox.put(_BUS, Publishing(place, signal))


# Executors ----------------------------------------------------------------------------------------


@final
class Errand:
    """A directive that an executor carries out, in a task of its own.

    The task belongs to the agent's place: a crash of the agent does not interrupt it.
    """

    __slots__ = ("_delivery", "_directive", "_executor", "_place", "_scope", "_what")

    def __init__(
        self, place: Place, executor: Executor, directive: Directive, what: object, origin: Origin
    ) -> None:
        self._place = place
        self._executor = executor
        self._directive = directive
        self._what = what
        self._delivery = Delivery(
            id=f"{place.id}/{origin.revision}.{origin.index}", agent=place.id, signal=origin.cause
        )
        self._scope: trio.CancelScope | None = None

    def begin(self) -> bool:
        """Call the executor."""
        self._scope = trio.CancelScope(shield=True)
        self._place.spawn(self._carry_out, self._scope)
        return False

    async def _carry_out(self, scope: trio.CancelScope) -> None:
        error = await contained(scope, self._executor.carry_out, self._what, self._delivery)
        if scope.cancel_called:
            return  # it was given up
        if error is not None:
            self._place.directive_failed(self._directive, error)
        self._place.outbox.done(self._executor)

    def give_up(self) -> None:
        """Its agent has ended."""
        place = self._place
        if self._scope is None:
            place.bury_directive(self._directive, AgentStopped(place.id))
        else:
            place.cancel_errand(self._scope)
            place.bury_directive(self._directive, OutcomeUnknown(place.id))


# Everything else ----------------------------------------------------------------------------------


def _run(place: Place, run: Run, origin: Origin) -> None:
    place.runs.put(run)


def _family(place: Place, directive: FamilyDirective, origin: Origin) -> None:
    place.outbox.put(FamilyErrand.LANE, FamilyErrand(place, directive))


def _monitor(place: Place, directive: Monitor, origin: Origin) -> None:
    watcher = AgentWatcher(place)
    other = _other(place, directive.ref)
    if other is None:
        watcher.tell(down(directive.ref.id, 0, None))
    else:
        place.watching[other] = watcher
        other.monitors.add(watcher)


def _demonitor(place: Place, directive: Demonitor, origin: Origin) -> None:
    other = _other(place, directive.ref)
    watcher = None if other is None else place.watching.pop(other, None)
    if other is not None and watcher is not None:
        other.monitors.discard(watcher)
        if directive.flush:
            watcher.flush()


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
