"""The invariant that a state is nothing but what its signals made of it."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from trido.agents import Definition
from trido.agents.secrets import redacted
from trido.checks import name
from trido.errors import SpecError
from trido.testing import arguments
from trido.testing.explain import explain
from trido.testing.invariants import whole
from trido.testing.judging import Invariant, InvariantFailed
from trido.testing.recorder import Recorder
from trido.testing.recorder_entries import TurnCommitted


def state_equals_fold(agent: Definition[Any], id: str | None = None) -> Invariant:
    """Every state that was committed is what ``agent`` decides upon the one before.

    Each recorded turn is decided again, from the state that the turn before it committed, or from
    the initial one where a run began afresh. A state that other agents, or something outside, had
    a say in does not come out again. What an ``async`` handler decided is taken as it is.

    Args:
      agent: the definition.
      id: of the agent; without it, the name of the definition.

    Raises:
      SpecError: at once, if ``agent`` is none; and later, if the record has no such agent.
    """
    arguments.definition("state_equals_fold", agent)
    if id is not None:
        name("state_equals_fold", id)
    who = agent.name if id is None else id

    def state_equals_fold(recorder: Recorder) -> None:
        whole("state_equals_fold", recorder)
        if who not in recorder.agents:
            allowed = f"one of those recorded: {', '.join(map(repr, recorder.agents))}"
            raise SpecError("id", who, allowed, of="state_equals_fold")
        before: TurnCommitted | None = None
        for turn in recorder.of(TurnCommitted, who):
            _check_base(recorder, before, turn)
            _check(agent, recorder, turn)
            before = turn

    return state_equals_fold


def _check_base(recorder: Recorder, before: TurnCommitted | None, turn: TurnCommitted) -> None:
    """Within a run, a turn begins with what the one before it committed."""
    if before is None or before.incarnation != turn.begun.incarnation:
        return
    if before.state != turn.begun.before:
        what = (
            f"{turn.agent!r} began revision {turn.revision} with {redacted(turn.begun.before)}, and"
            f" had committed {redacted(before.state)}"
        )
        raise InvariantFailed("state_equals_fold", what, explain(recorder, turn))


def _check(agent: Definition[Any], recorder: Recorder, turn: TurnCommitted) -> None:
    expected = _again(agent, turn)
    if expected != turn.state:
        what = (
            f"{turn.agent!r} committed {redacted(turn.state)} as revision {turn.revision}; decided"
            f" again, it is {redacted(expected)}"
        )
        raise InvariantFailed("state_equals_fold", what, explain(recorder, turn))


def _again(agent: Definition[Any], turn: TurnCommitted) -> Any:
    begun = turn.begun
    given = evolve(begun.turn, request=turn.request)
    hook = {"start": agent.starts, "restart": agent.starts, "stop": agent.stops}.get(given.why)
    if hook is not None:
        return turn.state if hook.is_async else agent.decide(hook, begun.before, None, given)[0]
    route, data = agent.route(begun.before, begun.signal)
    if route.is_async:
        return turn.state
    return agent.decide(route, begun.before, data, given)[0]
