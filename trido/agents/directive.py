"""Directives: what an agent wants done, as immutable data. Deciding is not doing."""

from __future__ import annotations

import dataclasses
from typing import Any, Final, Literal, TypeAlias, final

import attrs
from attrs import field, frozen

from trido.agents.address import Address
from trido.agents.signal import Signal
from trido.agents.state import is_frozen
from trido.checks import text
from trido.errors import SpecError
from trido.values import ByFields


class Directive(ByFields):
    """Something for the runtime to do once the turn is committed. It does nothing itself.

    A directive of one's own is a frozen class that derives from this, with an executor that is
    given to the runtime: ``open_runtime(executors={Charge: charge})``.
    """

    __slots__ = ()


PARENT: Final = "parent"
"""``to="parent"`` reaches the agent that spawned or adopted the one that says it."""


@final
@frozen(eq=False, repr=False)
class Via(ByFields):
    """An address outside: the dispatch executor that the runtime knows by this name."""

    name: str

    def __attrs_post_init__(self) -> None:
        text("Via", "name", self.name)


# Not made anew for each `Emit`, as ``Address | Via | str`` would be.
_RECEIVERS: Final = (Address, Via, str)


@final
@frozen(eq=False, repr=False)
class Emit(Directive):
    """Send ``signal``: to an agent, or without ``to`` to whoever subscribed to such signals.

    What one agent emits to another arrives in the order in which it was emitted. A mailbox with
    no room is waited for, by the runtime and not by the agent; what cannot be delivered is a dead
    letter.
    """

    signal: Signal
    to: Address | Via | str | None = field(default=None, kw_only=True)
    """An agent's ref or its id, ``"parent"``, or a `Via`."""

    def __attrs_post_init__(self) -> None:
        a_signal("Emit", self.signal)
        to: Any = self.to
        if to is not None and (not isinstance(to, _RECEIVERS) or not to):
            raise SpecError("to", to, "an agent's ref, its id, a trido.Via, or None", of="Emit")


@final
@frozen(eq=False, repr=False)
class Reply(Directive):
    """Answer a caller with ``value``, instead of with the committed state.

    Without ``to`` it answers the call that this turn serves; the first one of a turn counts, and
    a signal that was cast has no caller: then it does nothing. With ``to`` it answers a call that
    an earlier turn deferred, by that turn's ``turn.request``; if nobody waits for it any more, it
    is ignored and counted.
    """

    value: Any
    to: str | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.to is not None:
            text("Reply", "to", self.to)


@final
@frozen(eq=False, repr=False)
class DeferReply(Directive):
    """Do not answer the call that this turn serves yet: a later turn will, with `Reply`.

    Keep ``turn.request`` in the state to answer it by. A call that nobody answers waits until its
    caller gives up, or the run ends.
    """


Where: TypeAlias = Literal["task", "thread", "process"]
DeliveryMode: TypeAlias = Literal["idempotent", "keyed", "at_most_once"]
DELIVERY_MODES: Final = ("idempotent", "keyed", "at_most_once")


@final
@frozen(eq=False, repr=False)
class Stop(Directive):
    """End the agent: a normal end, once this turn's other directives are done or the grace is over.

    Ordering: the caller is answered first. What still waits in the mailbox is not served, and its
    callers are told at once.
    """


@final
@frozen(eq=False, repr=False)
class Hibernate(Directive):
    """Let the agent sleep, as soon as it has nothing to do: as after its ``idle_timeout``.

    Its run ends, and with it what the run holds: its lifespan, its place in memory. Its state and
    its timers are kept. The next signal to it begins a new run, and so does a timer that falls due.
    """


def is_directive(one: object) -> bool:
    """Whether this can be one: a `Directive`, or any immutable class that may have an executor."""
    return isinstance(one, Directive) or is_directive_class(type(one))


def is_directive_class(kind: object) -> bool:
    """Whether this is a class whose instances can be directives."""
    if not isinstance(kind, type) or issubclass(kind, Signal):
        return False
    return (attrs.has(kind) or dataclasses.is_dataclass(kind)) and is_frozen(kind)


def a_signal(of: str, signal: object, field: str = "signal") -> None:
    """``signal`` is one."""
    if not isinstance(signal, Signal):
        raise SpecError(field, signal, "a trido.Signal", of=of)
