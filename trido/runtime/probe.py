"""The seam for tests: who looks on as agents live, and may do harm.

A probe is found in the context in which a runtime is opened, and told of all its agents. Where
nobody looks on, a turn pays one comparison for it, and a cast none: an agent that is looked on is
not plain, and has a mailbox of another kind.

What a probe raises is raised in the agent, in that very place; methods that must not raise say so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, final

from trido.agents import Directive
from trido.runtime.envelope import Envelope
from trido.runtime.mailbox import Mailbox
from trido.supervision.place import End, Report

if TYPE_CHECKING:
    from trido.runtime.environment import Environment
    from trido.runtime.place import AgentPlace

T = TypeVar("T")
Place: TypeAlias = "AgentPlace[Any]"
Hold: TypeAlias = Literal["start", "stop"]
"""What may be held up."""


class Probe:
    """Looks on, and does nothing. Override what is of interest."""

    __slots__ = ()

    def opened(self, env: Environment) -> None:
        """A runtime is being made: what its agents find may still be changed."""

    def child(
        self, report: Report, fn: Callable[..., Awaitable[object]]
    ) -> Callable[..., Awaitable[object]]:
        """What is called in place of a child's function."""
        return fn

    def started(self, place: Place) -> None:
        """A run of an agent begins. What this raises, its start fails by."""

    def offered(self, place: Place, envelope: Envelope) -> bool:
        """A signal comes. True: it is taken care of, not put into the mailbox. Must not raise."""
        return False

    def begun(self, place: Place, envelope: Envelope) -> None:
        """A turn begins: the handler is about to be called."""

    def decided(self, place: Place, envelope: Envelope, directives: tuple[Directive, ...]) -> None:
        """A turn has decided, and is not committed."""

    def committed(self, place: Place, envelope: Envelope) -> None:
        """A turn is committed, and what it decided is begun. Must not raise."""

    def before(self, place: Place, directive: Directive) -> None:
        """A directive is about to be begun. Must not raise."""

    def after(self, place: Place, directive: Directive) -> None:
        """It has been begun, and may be done. Must not raise."""

    def wrap(
        self, place: Place, fn: Callable[..., Awaitable[T]], directive: Directive | None
    ) -> Callable[..., Awaitable[T]]:
        """What is called in place of code that awaits: a handler's, or a directive's."""
        return fn

    def holds(self, place: Place, what: Hold) -> bool:
        """Whether a start or a stop is to be held up: then `held` is called. Must not raise."""
        return False

    async def held(self, place: Place, what: Hold) -> None:
        """Hold it up, as long as this awaits."""

    def stopping(self, place: Place) -> None:
        """A run ends in order: ``on_stop`` is about to be asked."""

    def ended(self, place: Place, end: End) -> None:
        """A run has ended. Must not raise."""


@final
class Probes(Probe):
    """Several that look on, in this order. Each is told, even if one before it does harm."""

    __slots__ = ("all",)

    def __init__(self, all: Iterable[Probe]) -> None:
        self.all: Final = tuple(all)

    def _each(self, tell: Callable[[Probe], None]) -> None:
        errors: list[BaseException] = []
        for one in self.all:
            try:
                tell(one)
            except BaseException as error:  # noqa: ASYNC103  # the others are told first
                errors.append(error)
        if errors:
            raise errors[0]

    def opened(self, env: Environment) -> None:
        """Tell each."""
        self._each(lambda one: one.opened(env))

    def child(
        self, report: Report, fn: Callable[..., Awaitable[object]]
    ) -> Callable[..., Awaitable[object]]:
        """Have each wrap it, the first innermost."""
        for one in self.all:
            fn = one.child(report, fn)
        return fn

    def started(self, place: Place) -> None:
        """Tell each."""
        self._each(lambda one: one.started(place))

    def offered(self, place: Place, envelope: Envelope) -> bool:
        """Tell each; whether one takes care of it."""
        taken = [one.offered(place, envelope) for one in self.all]
        return any(taken)

    def begun(self, place: Place, envelope: Envelope) -> None:
        """Tell each."""
        self._each(lambda one: one.begun(place, envelope))

    def decided(self, place: Place, envelope: Envelope, directives: tuple[Directive, ...]) -> None:
        """Tell each."""
        self._each(lambda one: one.decided(place, envelope, directives))

    def committed(self, place: Place, envelope: Envelope) -> None:
        """Tell each."""
        self._each(lambda one: one.committed(place, envelope))

    def before(self, place: Place, directive: Directive) -> None:
        """Tell each."""
        self._each(lambda one: one.before(place, directive))

    def after(self, place: Place, directive: Directive) -> None:
        """Tell each."""
        self._each(lambda one: one.after(place, directive))

    def wrap(
        self, place: Place, fn: Callable[..., Awaitable[T]], directive: Directive | None
    ) -> Callable[..., Awaitable[T]]:
        """Have each wrap it, the first innermost."""
        for one in self.all:
            fn = one.wrap(place, fn, directive)
        return fn

    def holds(self, place: Place, what: Hold) -> bool:
        """Whether one does."""
        return any(one.holds(place, what) for one in self.all)

    async def held(self, place: Place, what: Hold) -> None:
        """Wait for each that does."""
        for one in self.all:
            if one.holds(place, what):
                await one.held(place, what)

    def stopping(self, place: Place) -> None:
        """Tell each."""
        self._each(lambda one: one.stopping(place))

    def ended(self, place: Place, end: End) -> None:
        """Tell each."""
        self._each(lambda one: one.ended(place, end))


@final
class ProbedMailbox(Mailbox):
    """A mailbox whose probe is asked about each signal that comes."""

    __slots__ = ("_place", "_probe")

    def __init__(self, capacity: int, place: Place, probe: Probe) -> None:
        super().__init__(capacity)
        self._place = place
        self._probe = probe

    def put(self, envelope: Envelope) -> bool:
        """Take one in; unless the probe takes care of it."""
        return self._probe.offered(self._place, envelope) or super().put(envelope)


def mailbox(place: Place, capacity: int) -> Mailbox:
    """The mailbox of an agent."""
    probe = place.env.probe
    return Mailbox(capacity) if probe is None else ProbedMailbox(capacity, place, probe)
