"""Where committed directives stand: what the journal is told of each, and when.

A directive of a durable turn is in the journal from the commit on. Whoever carries it out says what
became of it; that is written with the next batch. So a crash repeats what was done and not yet
written, and loses nothing. What must not be repeated is *started* first: its executor is called
once that is durable, and if nothing more is heard of it, its outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

import trio
from attrs import evolve, frozen
from outcome import Error, Outcome

from trido.agents import Signal
from trido.agents.directive import Directive
from trido.agents.errors import AgentError
from trido.journal.errors import Unavailable
from trido.runtime.errors import GivenUp, OutcomeUnknown
from trido.values import ByFields

if TYPE_CHECKING:
    from trido.journal.operations import Mark, Resolve
    from trido.journal.rows import Recovery, Status
    from trido.runtime.durable import Durable
    from trido.runtime.place import AgentPlace

ATTEMPTS: Final = 5
"""How often a directive is tried whose outcome is not known."""

UNKNOWN: Final = "agent.directive.unknown"
_DOUBT: Final = "it may have been done, or not"
_ENDED: Final = "its agent has ended"
_LEFT_OFF: Final = f"its agent ended while it was carried out: {_DOUBT}"


@final
@frozen(eq=False, repr=False)
class DirectiveUnknown(ByFields):
    """The data of ``agent.directive.unknown``: something may have been done, or not."""

    id: str
    """For `Runtime.resolve`."""
    directive: str
    """What kind of directive it is."""


@final
class Standing:
    """Where one committed directive stands."""

    __slots__ = (
        "_ledger",
        "attempts",
        "cause",
        "go",
        "goes_by",
        "has_begun",
        "id",
        "is_counted",
        "is_instant",
        "is_unknown",
        "status",
        "why",
    )

    def __init__(self, ledger: Ledger, id: tuple[int, int], cause: Signal, attempts: int) -> None:
        self._ledger = ledger
        self.id: tuple[int, int] = id
        """The revision of its turn, and which directive of that turn it is."""
        self.cause: Signal = cause
        """The signal whose turn committed it."""
        self.is_instant: bool = False
        """That signal came from the agent itself, without a delay."""
        self.attempts: int = attempts
        """How many are counted."""
        self.is_counted: bool = True
        """Its next try is: the first is counted with the commit."""
        self.go: Callable[[], object] | None = None
        """What is to be done once an attempt is counted."""
        self.goes_by: Status = "pending"
        """How that attempt is counted."""
        self.has_begun: bool = False
        """It was started, and is being carried out."""
        self.status: Status | None = None
        """What became of it, once that is known."""
        self.why: str = ""
        self.is_unknown: bool = False
        """The journal takes it for one whose outcome is not known."""

    @property
    def name(self) -> str:
        """Its id, as others know it."""
        revision, index = self.id
        return f"{self._ledger.agent}/{revision}.{index}"

    def named(self, signal: Signal) -> Signal:
        """A signal that tells of it, with its own id: it is served once."""
        revision, index = self.id
        return evolve(signal, id=f"{revision}.{index}", source=self._ledger.agent)

    def settle(self, status: Status, why: str = "") -> None:
        """Say what became of it. The first to say so counts."""
        if self.status is None:
            self.status, self.why = status, why
            self._ledger.tell(self)

    def done(self) -> None:
        """It is done."""
        self.settle("done")

    def start(self, go: Callable[[], object]) -> None:
        """Call ``go`` once it is durable that this is about to be carried out, for once."""
        self._then("started", go)

    async def started(self) -> None:
        """Wait until that is durable."""
        begun = trio.Event()
        self.start(begun.set)
        await begun.wait()

    def try_then(self, go: Callable[[], object]) -> None:
        """Call ``go`` once this try is counted. What waits in a lane is not tried yet."""
        if self.is_counted:
            go()
        else:
            self.is_counted = True
            self._then("pending", go)

    async def tried(self) -> None:
        """Wait until this try is counted, if it is not."""
        if not self.is_counted:
            begun = trio.Event()
            self.try_then(begun.set)
            await begun.wait()

    def again(self) -> None:
        """It is tried once more; if the journal took it for settled, that is so no longer."""
        self.is_counted = False
        self._ledger.tell(self)

    def _then(self, by: Status, go: Callable[[], object]) -> None:
        self.attempts += 1
        self.goes_by, self.go = by, go
        self._ledger.tell(self)

    def count(self) -> bool:
        """Count another attempt, which the next run makes; False if there were enough."""
        if self.attempts >= ATTEMPTS:
            return False
        self._then("pending", _nothing)
        return True

    def is_first_told(self) -> bool:
        """Whether nobody was told yet that its outcome is not known."""
        is_first = self.id not in self._ledger.told
        self._ledger.told.add(self.id)
        return is_first

    def give_up(self, why: str = _ENDED) -> bool:
        """Nobody carries it out any more. True if a later run will; else it is over."""
        if self._ledger.is_kept:
            self._ledger.forget(self)
            return True
        self.settle("unknown" if self.has_begun else "dead", why)
        return False


@final
class Ledger:
    """The committed directives of one agent, until the journal knows what became of them."""

    __slots__ = ("_durable", "_open", "agent", "told")

    def __init__(self, durable: Durable[Any], agent: str) -> None:
        self._durable = durable
        self.agent: str = agent
        self._open: dict[tuple[int, int], Standing] = {}
        self.told: set[tuple[int, int]] = set()
        """Those whose outcome is not known, which has been said."""

    def __contains__(self, id: tuple[int, int]) -> bool:
        return id in self._open

    def __len__(self) -> int:
        return len(self._open)

    def open(self, id: tuple[int, int], cause: Signal, attempts: int) -> Standing:
        """One more that is to be carried out."""
        standing = self._open[id] = Standing(self, id, cause, attempts)
        return standing

    def open_unknown(self, id: tuple[int, int], cause: Signal) -> Standing:
        """One whose outcome is not known: somebody has to say what became of it."""
        return Standing(self, id, cause, 0)

    def forget(self, standing: Standing) -> None:
        """It is none of this run's any more."""
        standing.go = None
        self._open.pop(standing.id, None)

    @property
    def is_counting(self) -> bool:
        """Whether something begins as soon as the journal has counted it."""
        return any(one.go is not None for one in self._open.values())

    @property
    def is_kept(self) -> bool:
        """Whether what is given up now is for a later run to carry out."""
        return not self._durable.place.ends_for_good

    # What the journal is told -----------------------------------------------------------------

    def tell(self, standing: Standing) -> None:
        """Write what there is to say of it. While the agent is claimed, that waits."""
        if standing.id in self._open and not self._durable.is_claiming:
            self._tell(standing)

    def _tell(self, standing: Standing) -> None:
        if standing.is_unknown:
            from trido.journal.operations import Resolve  # noqa: PLC0415  # loaded by the journal

            standing.is_unknown = False
            self._send(Resolve(self._durable.key, *standing.id, "retry"), _nothing)
        if standing.status is not None:
            self._mark(standing, standing.status, standing.why, self.forget)
        elif standing.go is not None:
            self._mark(standing, standing.goes_by, "", self._go)

    def _mark(
        self, standing: Standing, status: Status, why: str, then: Callable[[Standing], object]
    ) -> None:
        from trido.journal.operations import Mark  # noqa: PLC0415  # loaded by the journal

        mark = Mark(self._durable.key, self._durable.epoch, *standing.id, status, why)
        self._send(mark, lambda: then(standing))

    def _send(self, write: Mark | Resolve, then: Callable[[], object]) -> None:
        try:
            self._durable.session.submit(
                write, partial(self._told, then), sync=self._durable.is_sync
            )
        except Unavailable as error:
            self._durable.not_known(error)

    def _told(self, then: Callable[[], object], outcome: Outcome[None]) -> None:
        if not isinstance(outcome, Error):
            then()
        elif isinstance(outcome.error, Unavailable):
            self._durable.not_known(outcome.error)
        # Else the agent is another run's by now, and so is this.

    def _go(self, standing: Standing) -> None:
        go, standing.go = standing.go, None
        if go is not None and standing.status is None:
            standing.has_begun = standing.goes_by == "started"
            go()
        self._durable.place.went_idle()

    # After a claim ----------------------------------------------------------------------------

    def sort_out(self, recovery: Recovery) -> None:
        """Compare with what the journal has, and say again what it does not know."""
        pending = {(one.revision, one.index) for one in recovery.directives}
        unknown = {(one.revision, one.index) for one in recovery.unknown}
        for standing in tuple(self._open.values()):
            if standing.id in unknown and standing.status == "unknown":
                self.forget(standing)
            elif standing.id in unknown or standing.id in pending:
                standing.is_unknown = standing.id in unknown
                self._tell_again(standing)
            else:
                self.forget(standing)

    def _tell_again(self, standing: Standing) -> None:
        if standing.status is not None or standing.go is not None:
            self._tell(standing)


def is_over(place: AgentPlace[Any], directive: Directive, standing: Standing) -> None:
    """It is not tried again: it was tried often enough, or must not be."""
    if standing.has_begun:
        standing.settle("unknown", "it was interrupted")
        tell_unknown(place, directive, standing)
    else:
        why = f"tried {standing.attempts} times, and not heard of again: {_DOUBT}"
        standing.settle("dead", why)
        bury(place, directive, standing, GivenUp(place.id, why))


def tell_unknown(place: AgentPlace[Any], directive: Directive, standing: Standing) -> None:
    """Nobody knows whether it was done: tell of it, once."""
    if not standing.is_first_told():
        return
    bury(place, directive, standing, OutcomeUnknown(place.id))
    data = DirectiveUnknown(standing.name, type(directive).__name__)
    signal = Signal(UNKNOWN, data, id=f"unknown/{standing.name}", source=place.id)
    place.tell_if_wanted(signal)


def give_up(
    place: AgentPlace[Any], directive: Directive, standing: Standing, reason: AgentError
) -> None:
    """Nobody carries it out any more: it is a dead letter, unless it is for a later run."""
    if not standing.give_up():
        bury(place, directive, standing, reason)


def left_off(place: AgentPlace[Any], directive: Directive, standing: Standing) -> None:
    """Its agent ended while it was carried out: the letter says what the journal says."""
    reason = OutcomeUnknown(place.id) if standing.has_begun else GivenUp(place.id, _LEFT_OFF)
    if not standing.give_up(_LEFT_OFF):
        bury(place, directive, standing, reason)


def bury(
    place: AgentPlace[Any], directive: Directive, standing: Standing, reason: AgentError
) -> None:
    """Nobody will carry this out, unless somebody says so."""
    again = _again_of(directive, standing)
    place.bury_directive(directive, reason, again, id=standing.name)


def _again_of(directive: Directive, standing: Standing) -> Callable[[AgentPlace[Any]], None]:
    """What has a directive carried out again that was given up."""
    id, cause = standing.id, standing.cause

    def again(place: AgentPlace[Any]) -> None:
        retry(place, directive, id, cause)

    return again


def retry(place: AgentPlace[Any], directive: Directive, id: tuple[int, int], cause: Signal) -> None:
    """Carry out what was given up, if its agent is durable still."""
    if place.durable is not None:
        place.durable.retry(directive, id, cause)


def _nothing(*_: object) -> None:
    """There is nothing to be done then."""
