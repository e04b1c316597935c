"""Whether an agent leads to the same state again, if it is sent the same again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar, cast

from attrs import frozen

from trido.agents import Definition, EffectfulRoute, Signal, Turn
from trido.agents.codec import Codec
from trido.agents.secrets import redacted
from trido.checks import flag
from trido.errors import SpecError
from trido.testing import arguments

S = TypeVar("S")

_BEGIN: Final = datetime(2000, 1, 1, tzinfo=UTC)
_ID: Final = "agent"


@frozen
class Decided:
    """One turn of a replay."""

    signal: Signal
    turn: Turn
    before: Any
    outcome: Any
    """The state and the directives; or the error, and nothing changes."""

    @property
    def after(self) -> Any:
        """The state it leads to."""
        return self.outcome[0] if isinstance(self.outcome, tuple) else self.before


def assert_replays(
    agent: Definition[S], signals: Iterable[Signal], *, durable: bool | None = None
) -> S:
    """Fail unless ``signals``, decided again from the start, lead to the same states.

    Each turn is given a time, an id and a revision, as the runtime gives them. A signal that is
    refused, or that the agent crashes on, leaves the state as it was, both times. A ``durable``
    agent is also decided from what a journal keeps: every signal and every changed field of a
    state is written and read.

    Gives back the state in the end.

    Args:
      agent: any agent, or definition.
      signals: what it is sent, in order.
      durable: whether its journal is tried too; if it is not said, as the agent's settings say.

    Raises:
      AssertionError: one turn differs; the message says which.
      EffectfulRoute: a handler is async: what it decides cannot be decided again.
      SpecError: something among them is no signal, or the agent cannot be kept in a journal.
      Unencodable: a signal or a state cannot be.
    """
    arguments.definition("assert_replays", agent)
    if durable is not None:
        flag("assert_replays", "durable", durable)
    given = _given(signals)
    first = _decided(agent, given)
    for one, again in zip(first, _decided(agent, given), strict=True):
        _same(agent, one, again.outcome, "decided again")
    settings = getattr(agent, "settings", None)
    if (settings is not None and settings.durability != "none") if durable is None else durable:
        _replay_written(agent, first)
    return cast("S", first[-1].after if first else agent.state.initial)


def _given(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    allowed = "trido.Signals, in a list"
    found = arguments.several("assert_replays", "signals", signals, allowed)
    if not all(isinstance(one, Signal) for one in found):
        raise SpecError("signals", signals, allowed, of="assert_replays")
    return found


def _decided(agent: Definition[Any], signals: Sequence[Signal]) -> list[Decided]:
    state, revision = agent.state.initial, 0
    found = []
    for number, signal in enumerate(signals):
        turn = Turn(
            signal=signal,
            now=_BEGIN + timedelta(seconds=number),
            planned=None,
            agent_id=_ID,
            revision=revision,
            request=None,
            why="cast",
        )
        found.append(Decided(signal, turn, state, _outcome(agent, state, signal, turn)))
        state, revision = found[-1].after, revision + isinstance(found[-1].outcome, tuple)
    return found


def _outcome(agent: Definition[Any], state: Any, signal: Signal, turn: Turn) -> Any:
    try:
        return agent.cmd(state, signal, turn)
    except EffectfulRoute:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _replay_written(agent: Definition[Any], first: Sequence[Decided]) -> None:
    """Decide each turn from what was read of what was written."""
    codec = Codec({agent.name: agent})
    states = codec.state(agent)
    fields = states.encode(agent.state.initial)
    for one in first:
        state = states.decode(fields)
        if state != one.before:
            raise AssertionError(
                f"{agent.of} does not replay: its state comes back from a journal as another\n"
                f"  written: {redacted(one.before)}\n  read:    {redacted(state)}"
            )
        read = _read(codec, one)
        _same(agent, one, _outcome(agent, state, read.signal, read), "from what was written")
        fields.update(states.encode(one.after, one.before))


def _read(codec: Codec, one: Decided) -> Turn:
    """The turn, as a journal gives it back."""
    turn = one.turn
    written = codec.encode_input(one.signal, why=turn.why, now=turn.now, planned=turn.planned)
    read = codec.decode_input(written, agent_id=turn.agent_id, revision=turn.revision)
    return read.turn


def _same(agent: Definition[Any], one: Decided, got: Any, how: str) -> None:
    if got == one.outcome:
        return
    raise AssertionError(
        f"{agent.of} does not replay: {how}, turn {one.turn.revision + 1} differs\n"
        f"  signal: {one.signal!r}\n  state:  {redacted(one.before)}\n"
        f"  first:  {redacted(one.outcome)}\n  then:   {redacted(got)}"
    )
