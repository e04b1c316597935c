"""What a run of an agent takes over from another process: all decoded before any of it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

from attrs import evolve, field, frozen

from trido.agents import Emit, Signal
from trido.agents.directive import Directive
from trido.agents.family import AdoptChild, SpawnAgent
from trido.journal.operations import History
from trido.journal.rows import Entry, Recovery
from trido.journal.session import Session
from trido.runtime.keep import carry_out_when_there, take_in
from trido.runtime.standing import ATTEMPTS, Ledger, Standing, is_over, tell_unknown
from trido.runtime.writing import traced

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace

S = TypeVar("S")


@final
@frozen(eq=False)
class Recovered(Generic[S]):
    """What a run takes over."""

    place: AgentPlace[S]
    state: S
    recovery: Recovery
    causes: Mapping[int, Signal]
    """The signals whose turns committed what is to be carried out, by revision."""
    directives: list[tuple[Entry, Directive]] = field(init=False)
    unknown: list[tuple[Entry, Directive]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        decode = self.place.codec.decode
        pending, unknown = self.recovery.directives, self.recovery.unknown
        object.__setattr__(
            self, "directives", [(one, decode(one.name, one.data)) for one in pending]
        )
        object.__setattr__(self, "unknown", [(one, decode(one.name, one.data)) for one in unknown])

    @classmethod
    async def of(cls, place: AgentPlace[S], session: Session, recovery: Recovery) -> Recovered[S]:
        """Decode it.

        Raises:
          CodecError: it cannot be. It is left as it is.
          JournalError: what belongs to it cannot be read.
        """
        state = place.agent.state.initial
        if recovery.revision:
            state = place.codec.state(place.agent).decode(recovery.state)
        return cls(place, state, recovery, await _causes(place, session, recovery))

    def carry_out(self, ledger: Ledger) -> None:
        """Try again what is to be carried out, and tell of what may have been."""
        for entry, directive in self.unknown:
            id = _id(entry)
            if id not in ledger:
                standing = ledger.open_unknown(id, self._cause(entry))
                tell_unknown(self.place, directive, standing)
        for entry, directive in self.directives:
            self._try(ledger, entry, directive)

    def _cause(self, entry: Entry) -> Signal:
        return self.causes.get(entry.revision) or not_kept(self.place.id, entry)

    def _try(self, ledger: Ledger, entry: Entry, directive: Directive) -> None:
        place, id = self.place, _id(entry)
        cause = self.causes.get(entry.revision) or Signal("agent.recovered", id=str(entry.revision))
        if id in ledger:
            return  # it is being carried out
        standing = ledger.open(id, cause, entry.attempts)
        if isinstance(directive, SpawnAgent | AdoptChild):  # it stands as long as the child
            take_in(place, directive, standing)
        elif entry.attempts >= ATTEMPTS:
            is_over(place, directive, standing)
        else:
            try_again(place, directive, standing)


def strangers(recovery: Recovery, ledger: Ledger) -> Recovery:
    """What a claim tells of directives that nobody here carries out, or was told of."""
    return evolve(
        recovery,
        directives=tuple(one for one in recovery.directives if _id(one) not in ledger),
        unknown=tuple(
            one
            for one in recovery.unknown
            if _id(one) not in ledger and _id(one) not in ledger.told
        ),
    )


def _id(entry: Entry) -> tuple[int, int]:
    return entry.revision, entry.index


def not_kept(id: str, entry: Entry) -> Signal:
    """In place of the signal whose turn committed a directive."""
    return Signal("agent.recovered", id=str(entry.revision), source=id)


def try_again(place: AgentPlace[Any], directive: Directive, standing: Standing) -> None:
    """Carry out a directive once more. What waits for others is counted when it is tried."""
    standing.again()
    if isinstance(directive, Emit):
        carry_out_when_there(place, directive, standing)
    else:
        place.carry_out(directive, standing)


async def _causes(
    place: AgentPlace[Any], session: Session, recovery: Recovery
) -> dict[int, Signal]:
    """Executors may ask for the signals whose turns committed their directives."""
    wanted = {one.revision for one in recovery.directives}
    if not wanted:
        return {}
    turns = await session.read(History(recovery.agent, since=min(wanted) - 1))
    found = {}
    for one in turns:
        if one.revision in wanted:
            given = place.codec.decode_input(
                one.input, agent_id=place.id, revision=one.revision - 1
            )
            found[one.revision] = traced(given.signal, place.id, one.revision, given.turn.now)
    return found
