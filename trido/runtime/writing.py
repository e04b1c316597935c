"""What a turn is in a journal: its commit, from what was decided. It writes nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from time import time_ns
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, final

from attrs import evolve

from trido.agents import Emit, Signal, Turn
from trido.agents.codec.errors import Unencodable
from trido.agents.codec.times import micros
from trido.agents.directive import Directive, Via
from trido.agents.errors import InvalidData
from trido.agents.family import AdoptChild, SpawnAgent
from trido.agents.kept import KeptTimer, row_of
from trido.agents.running import Run
from trido.agents.stamps import caused_by, stamped
from trido.agents.timing import Cancel
from trido.journal.operations import Commit
from trido.journal.rows import FULL_EVERY, Directed, Timer
from trido.runtime.ahead import Ahead, key_of
from trido.runtime.envelope import Call, Envelope, Own
from trido.runtime.plan import Plan
from trido.runtime.timer import Fired
from trido.runtime.turns import STOP
from trido.virtual import is_virtual

if TYPE_CHECKING:
    from trido.runtime.durable import Durable
    from trido.runtime.place import AgentPlace

S = TypeVar("S")

_FULL: Final = FULL_EVERY // 2
_TIMED: Final = (Own, Fired)
"""What is sent by a timer, or may set those that an agent begins with."""


@final
class Writer(Generic[S]):
    """Makes the commits of one agent's turns."""

    __slots__ = ("_full", "_is_virtual", "_place", "_stale", "rows")

    def __init__(self, place: AgentPlace[S]) -> None:
        self._place = place
        self._is_virtual = is_virtual()
        self._full = 0
        """The revision at which the state was last written whole; 0 if this run has not."""
        self._stale: dict[str, KeptTimer | None] = {}
        """Rows whose firing was refused: the next turn brings them up to date."""
        self.rows: set[str] = set()
        """The timers that the journal has, once all that was decided is durable."""

    def begin(self, rows: Iterable[str]) -> None:
        """These are the timers that the journal has."""
        self.rows = set(rows)
        self._full = 0

    def undo(self) -> None:
        """Turns did not happen: the next one writes its state whole."""
        self._full = 0

    @property
    def is_behind(self) -> bool:
        """Whether rows are to be brought up to date by the next turn."""
        return bool(self._stale)

    def is_over(self, fired: Fired) -> None:
        """A firing was refused, or is a dead letter: no turn has done away with its row."""
        self._stale.update(self._place.timers.after(fired))

    def takes_plainly(self, envelope: Envelope) -> bool:
        """Whether a turn of this signal changes no timer by itself: see `plain`."""
        return not (self._stale or isinstance(envelope, _TIMED))

    # Most turns are such: so it is `ahead` with all left out that has nothing to do then.
    def plain(self, durable: Durable[S], envelope: Envelope, state: S) -> Ahead[S]:
        """As `ahead`, of a turn that only changes the state, and whose handler takes no turn.

        So nothing was given a name that its caller could be answered by later.
        """
        place, signal = self._place, envelope.signal
        codec, at, revision = place.codec, self._now(), place.revision + 1
        is_full = not self._full or revision - self._full >= _FULL
        key = None if signal.id is None else key_of(envelope)
        try:
            input = codec.encode_input(signal, why=envelope.why, now=at)
        except Unencodable as error:
            raise _invalid(error) from error
        write = Commit.plain(
            durable.key,
            durable.epoch or 1,
            revision,
            at=at,
            input=input,
            state=codec.state(place.agent).encode(state, None if is_full else place.state),
            full=is_full,
            consumes=key,
            reply=None if key is None else self._reply(envelope, state, None),
        )
        if is_full:
            self._full = revision
        return Ahead(envelope, None, state, write, signal, key)

    def _now(self) -> int:
        """What time it is, in microseconds: as the environment says, but sooner if it can be."""
        env = self._place.env
        if env.clock is None and not self._is_virtual:
            return time_ns() // 1_000
        return micros(env.now())

    def ahead(
        self,
        durable: Durable[S],
        envelope: Envelope,
        state: S,
        plan: Plan | None,
        turn: Turn,
        *,
        effectful: bool,
    ) -> Ahead[S]:
        """A turn, to be written.

        Raises:
          InvalidData: its input cannot be.
          CodecError: what was decided cannot be.
        """
        place, revision = self._place, self._place.revision + 1
        cause = envelope.signal
        if plan is not None:  # else nothing follows from it
            cause = traced(cause, place.id, revision, turn.now)
            stamp_all(plan, place.id, revision, turn, cause)
        is_full = not self._full or revision - self._full >= _FULL
        codec = place.codec
        key = key_of(envelope)
        write = Commit(
            agent=durable.key,
            epoch=max(durable.epoch, 1),
            revision=revision,
            at=micros(turn.now),
            input=_input(place, turn, effectful=effectful),
            state=codec.state(place.agent).encode(state, None if is_full else place.state),
            full=is_full,
            consumes=key,
            reply=None if key is None else self._reply(envelope, state, plan),
            directives=tuple(self._directed(one) for one in (plan.errands if plan else ())),
        )
        cancelled, timers = self._timers(envelope, plan, turn)
        if is_full:
            self._full = revision
        if cancelled or timers:
            write = evolve(write, cancelled=cancelled, timers=timers)
        return Ahead(envelope, plan, state, write, cause, key)

    def _reply(self, envelope: Envelope, state: S, plan: Plan | None) -> bytes | None:
        if not isinstance(envelope, Call):
            return None
        value: object = state
        if plan is not None and plan.reply is not None:
            value = plan.reply.value
        elif plan is not None and plan.defers:
            return None
        return self._place.codec.encode_reply(self._place.agent, value)

    def _directed(self, directive: Directive) -> Directed:
        name, data = self._place.codec.encode(directive)
        return Directed(name, data, attempts=0 if is_uncounted(self._place, directive) else 1)

    # Timers -----------------------------------------------------------------------------------

    def _timers(
        self, envelope: Envelope, plan: Plan | None, turn: Turn
    ) -> tuple[tuple[str, ...], tuple[Timer, ...]]:
        """Which timers are no more with this turn, and which are set. Sets them."""
        place = self._place
        changed, self._stale = self._stale, {}
        if isinstance(envelope, Fired):
            changed.update(place.timers.after(envelope))
        if plan is not None and plan.timing:
            place.timers.apply(plan.timing, turn.now, place.revision, instant=envelope.is_instant)
            changed.update(self._applied(plan, place.revision))
        if isinstance(envelope, Own) and place.revision == 0:
            changed.update((one.row, one) for one in place.timers.kept())
        if self._ends(envelope, plan):
            changed = dict.fromkeys({*self.rows, *changed})
        return self._as_rows(changed) if changed else ((), ())

    def _applied(self, plan: Plan, revision: int) -> Iterator[tuple[str, KeptTimer | None]]:
        for index, directive in plan.timing:
            if isinstance(directive, Cancel):
                yield row_of(directive.key), None
            else:
                slot = (revision, index) if directive.key is None else directive.key
                yield row_of(directive.key, f"{revision}.{index}"), self._place.timers.kept_at(slot)

    def _ends(self, envelope: Envelope, plan: Plan | None) -> bool:
        if envelope.signal is STOP:
            return self._place.ends_for_good
        return plan is not None and plan.stops and self._place.spec.policy.restart != "permanent"

    def _as_rows(
        self, changed: dict[str, KeptTimer | None]
    ) -> tuple[tuple[str, ...], tuple[Timer, ...]]:
        codec = self._place.codec
        gone = tuple(row for row, kept in changed.items() if kept is None and row in self.rows)
        kept = [one for one in changed.values() if one is not None]
        self.rows.difference_update(gone)
        self.rows.update(one.row for one in kept)
        return gone, tuple(Timer(*codec.encode_timer(one)) for one in kept)


def _input(place: AgentPlace[Any], turn: Turn, *, effectful: bool) -> bytes:
    try:
        return place.codec.encode_input(
            turn.signal,
            why=turn.why,
            now=turn.now,
            planned=turn.planned,
            request=turn.request,
            effectful=effectful,
        )
    except Unencodable as error:
        raise _invalid(error) from error


def _invalid(error: Unencodable) -> InvalidData:
    """Whoever sent what cannot be written is to blame, not the agent."""
    path = error.path.replace("$.data", "$", 1)
    return InvalidData(path, f"{error.rule}, so that the journal can keep it")


def traced(signal: Signal, id: str, revision: int, now: datetime) -> Signal:
    """The signal whose turn led to a revision, as what follows from it refers to it."""
    return stamped(signal, id=str(revision), source=id, time=now)


def stamp_all(plan: Plan, id: str, revision: int, turn: Turn, cause: Signal) -> None:
    """Give the signals that a turn emits their ids: what is written is what is sent."""
    for index, one in enumerate(plan.errands):
        if isinstance(one, Emit):
            signal = caused_by(one.signal, cause)
            signal = stamped(signal, id=f"{revision}.{index}", source=id, time=turn.now)
            plan.errands[index] = evolve(one, signal=signal)


def is_uncounted(place: AgentPlace[Any], directive: Directive) -> bool:
    """Whether the commit does not count as the first attempt."""
    return isinstance(directive, SpawnAgent | AdoptChild) or is_for_once(place, directive)


def is_for_once(place: AgentPlace[Any], directive: Directive) -> bool:
    """Whether it must not be carried out twice."""
    if isinstance(directive, Run):
        return directive.delivery == "at_most_once"
    if isinstance(directive, Emit) and isinstance(directive.to, Via):
        return place.env.dispatch[directive.to.name].delivery == "at_most_once"
    executor = place.env.executors.get(type(directive))
    return executor is not None and executor.delivery == "at_most_once"
