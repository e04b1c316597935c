"""How the directives of a durable turn are carried out, once it is durable.

As those of any other turn; but each says what becomes of it, and a signal to an agent is done only
when the receiver's turn is committed, or the receiver has refused it or made a dead letter of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast, final

from trido.agents import Address, Emit
from trido.agents.directive import PARENT, Directive, Via
from trido.agents.errors import AgentError
from trido.agents.family import AdoptChild, Demonitor, Link, Monitor, SpawnAgent, StopChild
from trido.agents.running import Run
from trido.agents.turn import Why
from trido.runtime import carrying
from trido.runtime.envelope import Envelope
from trido.runtime.errors import AgentStopped, NoSuchAgent, nobody
from trido.runtime.family import FamilyErrand
from trido.runtime.knocking import knock
from trido.runtime.partition import named_by
from trido.runtime.standing import Standing, bury, give_up
from trido.runtime.throttle import pace

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace

Place: TypeAlias = "AgentPlace[Any]"
_FAMILY = (SpawnAgent, StopChild, AdoptChild)
_AT_ONCE = (Monitor, Demonitor, Link)


def carry_out(place: Place, directive: Directive, standing: Standing) -> None:
    """Begin to carry out a directive that is in the journal."""
    if isinstance(directive, Emit):
        _emit(place, directive, standing)
    elif isinstance(directive, Run):
        place.runs.put(directive, standing)
    elif isinstance(directive, _FAMILY):
        place.outbox.put(FamilyErrand.LANE, FamilyErrand(place, directive, standing))
    elif isinstance(directive, _AT_ONCE):
        standing.try_then(lambda: _at_once(place, directive, standing))
    else:
        executor = place.env.executors[type(directive)]
        carrying.send_out(place, executor, directive, directive, standing.cause, standing=standing)


def _at_once(place: Place, directive: Directive, standing: Standing) -> None:
    carrying.carry_out(place, directive, carrying.Origin(standing.cause))
    standing.done()


def carry_out_when_there(place: Place, emit: Emit, standing: Standing) -> None:
    """As `carry_out`, after a new start: who is to have the signal may not be there yet."""
    id = _receiver_of(place, emit)
    if id is None or id in place.env.places:
        carry_out(place, emit, standing)
    else:
        _await(place, id, emit, standing)
        if place.env.may_come(id):
            place.env.look_for(id)


def take_in(place: Place, directive: SpawnAgent | AdoptChild, standing: Standing) -> None:
    """Spawn or adopt a child once more; who was adopted may not be there yet."""
    if isinstance(directive, SpawnAgent) or directive.ref.id in place.env.places:
        carry_out(place, directive, standing)
    else:
        _await(place, directive.ref.id, directive, standing)


def _await(place: Place, id: str, directive: Directive, standing: Standing) -> None:
    """Carry it out once there is an agent of this id."""
    waiting = place.env.awaited.setdefault(id, [])
    waiting.append(lambda: None if place.has_ended else carry_out(place, directive, standing))


def _receiver_of(place: Place, emit: Emit) -> str | None:
    to = emit.to
    if to is None or isinstance(to, Via) or to == PARENT:
        return None
    return to.id if isinstance(to, Address) else named_by(place.id, to)


def _emit(place: Place, emit: Emit, standing: Standing) -> None:
    to = emit.to
    if isinstance(to, Via):
        executor = place.env.dispatch[to.name]
        carrying.send_out(place, executor, emit, emit.signal, standing.cause, standing=standing)
    elif to is None:
        carrying.publish(place, emit.signal, standing)
    else:
        _send(place, emit, standing)


def _send(place: Place, emit: Emit, standing: Standing) -> None:
    to = cast("Address | str", emit.to)
    receiver, id = carrying.receiver_of(place, to), carrying.id_of_receiver(place, to)
    sent = Sent(place, emit, standing)
    if receiver is not None:
        sent.send(receiver)
    elif place.env.may_come(id):
        knock(place, id, sent)
    else:
        sent.bury(nobody(id or PARENT, place.id))


@final
class Sent:
    """A signal that a durable agent emitted to another, before that is known to be there."""

    __slots__ = ("_emit", "_sender", "_standing")

    def __init__(self, sender: Place, emit: Emit, standing: Standing) -> None:
        self._sender = sender
        self._emit = emit
        self._standing = standing

    def send(self, receiver: Place) -> None:
        """It is there."""
        sender, signal = self._sender, self._emit.signal
        if receiver is not sender:
            posted = Posted(self._emit, sender, receiver, self._standing)
        else:
            if self._standing.is_instant:
                pace(sender, signal.type)
            posted = PostedToItself(self._emit, sender, receiver, self._standing)
        sender.outbox.put(receiver, posted)

    def bury(self, error: AgentError) -> None:
        """It is not, or its sender waits no more."""
        if isinstance(error, AgentStopped):
            give_up(self._sender, self._emit, self._standing, error)
        else:
            bury(self._sender, self._emit, self._standing, error)
            self._standing.settle("dead", "there is no such agent")


class Posted(Envelope):
    """A signal that a durable agent emitted to another: in its outbox until it was served."""

    __slots__ = ("_begins", "_emit", "_is_over", "_receiver", "_sender", "_standing")

    why: ClassVar[Why] = "emit"

    def __init__(self, emit: Emit, sender: Place, receiver: Place, standing: Standing) -> None:
        super().__init__(emit.signal)
        self._emit = emit
        self._sender = sender
        self._receiver = receiver
        self._standing = standing
        self._begins = self._is_over = False

    def begin(self) -> bool:
        """Put it into the mailbox, or have it wait for room."""
        self._begins = True
        self._standing.try_then(self._deliver)
        self._begins = False
        return self._is_over

    def _deliver(self) -> None:
        self._receiver.deliver(self)

    def answer(self, value: object) -> None:
        """The turn of it is committed."""
        self._over()
        self._standing.done()

    def fail(self, error: AgentError) -> bool:
        """It is refused, or a dead letter; unless all agents end, and a later run sends it."""
        self._over()
        if isinstance(error, AgentStopped | NoSuchAgent) and self._is_kept:
            return self._standing.give_up()
        if self._receiver.yields:  # it goes on elsewhere
            carry_out_when_there(self._sender, self._emit, self._standing)
            return True
        self._standing.done()
        return False

    @property
    def _is_kept(self) -> bool:
        return self._sender.env.is_ending and not self._sender.ends_for_good

    def _over(self) -> None:
        if not self._is_over:
            self._is_over = True
            if not self._begins:
                self._sender.outbox.done(self._receiver)

    def give_up(self) -> None:
        """Its sender has ended."""
        self._is_over = True
        self._receiver.mailbox.withdraw(self)
        give_up(self._sender, self._emit, self._standing, AgentStopped(self._sender.id))


@final
class PostedToItself(Posted):
    """A signal that a durable agent emitted to itself."""

    __slots__ = ()

    is_instant: bool = True
