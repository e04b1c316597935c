"""Replay as a check: recorded inputs are decided again, and what comes of it is compared.

What is compared is what would be written: the fields of the state and the directives that are
carried out after the turn, byte for byte. Each turn is decided on the state that was recorded
before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Final, Generic, TypeVar, final

from attrs import define, field

from trido.agents import EffectfulRoute
from trido.agents.codec import Codec, CodecError
from trido.agents.codec.inputs import HOOKS
from trido.agents.codec.text import read
from trido.agents.directive import Directive
from trido.agents.secrets import redacted, redacted_field
from trido.journal.inspection import Progress
from trido.runtime.archive import Archived
from trido.runtime.naming import id_of
from trido.runtime.pages import Step
from trido.runtime.past import Changed, Difference, PastTurn, Replayed
from trido.runtime.plan import plan_of
from trido.runtime.writing import stamp_all, traced

S = TypeVar("S")

_NOTHING: Final = "nothing"
_SHOWN: Final = 400
"""How many characters of a value are shown."""


async def replayed(
    archived: Archived[S], since: int, until: int, most: float, progress: Progress | None
) -> Replayed[S]:
    """Replay an agent's turns. Raises what reading does."""
    stored = await archived.about()
    first = max(since + 1, stored.oldest)
    of = max(min(until, stored.revision) - first + 1, 0)
    pages, tally = await archived.pages(since, until), _Tally[S](archived)
    while len(tally.differences) < most and (step := await pages.next()) is not None:
        tally.add(step)
        if progress is not None:
            progress(tally.done, of)
    return tally.result()


@final
@define(eq=False)
class _Tally(Generic[S]):
    """Decides turns, one after the other, and counts."""

    archived: Archived[S]
    decided: int = 0
    taken: int = 0
    differences: list[Difference[S]] = field(factory=list)

    @property
    def done(self) -> int:
        """How many turns are dealt with."""
        return self.decided + self.taken

    def add(self, step: Step) -> None:
        """One more turn."""
        turn = self.archived.turn_of(step)
        if turn.is_effectful or step.before is None:
            self.taken += 1
            return
        before = self.archived.state_of(step.before)
        try:
            found = _compared(self.archived, turn, step, before)
        except EffectfulRoute:
            self.taken += 1
            return
        self.decided += 1
        if found is not None:
            self.differences.append(found)

    def result(self) -> Replayed[S]:
        """How many there were, and those that differ."""
        return Replayed(
            agent=id_of(self.archived.key),
            decided=self.decided,
            taken=self.taken,
            differences=tuple(self.differences),
        )


# One turn -----------------------------------------------------------------------------------------


def _compared(
    archived: Archived[S], turn: PastTurn[S], step: Step, before: S
) -> Difference[S] | None:
    """What is different; None if nothing is. Raises `EffectfulRoute` if it cannot be decided."""
    try:
        state, directives = _decided(archived, turn, before)
        written = _written(archived, turn, directives)
        changed = (
            *_fields(archived, turn.state, state),
            *_directives(archived.codec, step, written),
        )
    except EffectfulRoute:
        raise
    except Exception as error:  # whatever a handler raises, and what cannot be written
        return Difference(turn, None, (), (), error)
    return Difference(turn, state, directives, changed) if changed else None


def _decided(
    archived: Archived[S], turn: PastTurn[S], before: S
) -> tuple[S, tuple[Directive, ...]]:
    agent, why = archived.agent, turn.turn.why
    if why not in HOOKS:
        return agent.cmd(before, turn.signal, turn.turn)
    hook = agent.stops if why == "stop" else agent.starts
    if hook is None:  # that turn did no more than keep timers
        return before, ()
    if hook.is_async:
        raise EffectfulRoute(agent.name, turn.signal.type)
    return agent.decide(hook, before, None, turn.turn.anew())


def _written(
    archived: Archived[S], turn: PastTurn[S], directives: tuple[Directive, ...]
) -> list[tuple[str, bytes]]:
    """The directives as they would be committed."""
    plan, id = plan_of(directives, _ANYTHING, _ANYTHING), id_of(archived.key)
    cause = traced(turn.signal, id, turn.revision, turn.turn.now)
    stamp_all(plan, id, turn.revision, turn.turn, cause)
    for one in plan.errands:
        archived.codec.meet(one)
    return [archived.codec.encode(one) for one in plan.errands]


def _fields(archived: Archived[S], recorded: S, decided: S) -> Iterator[Changed]:
    codec = archived.codec.state(archived.agent)
    was, now = codec.encode(recorded), codec.encode(decided)
    for key, data in was.items():
        if data != now[key]:
            name = codec.attribute(key)
            yield Changed(
                f"state.{name}",
                redacted_field(recorded, name, length=_SHOWN),
                redacted_field(decided, name, length=_SHOWN),
            )


def _directives(codec: Codec, step: Step, now: list[tuple[str, bytes]]) -> Iterator[Changed]:
    entries = step.past.directives
    was = [(one.name, codec.rewritten(one.name, one.data)) for one in entries]
    for index, (one, other) in enumerate(zip_longest(was, now)):
        if one != other:
            yield Changed(f"directives[{index}]", _shown(codec, one), _shown(codec, other))


def _shown(codec: Codec, written: tuple[str, bytes] | None) -> str:
    if written is None:
        return _NOTHING
    name, data = written
    try:
        return redacted(codec.decode(name, data), length=_SHOWN)
    except CodecError:
        return f"{name} {redacted(read(data), length=_SHOWN)}"


@final
class _Anything:
    """Whoever carries directives out is not asked: nothing is."""

    def __contains__(self, _: object) -> bool:
        return True


_ANYTHING: Final = _Anything()
