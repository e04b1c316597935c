"""Who holds an open turn: so that agents that wait for each other in a circle are told at once.

An edge A → B stands while a task that holds A's open turn waits for an unanswered call to B. A call
that would close a circle could never be answered: every agent in it holds its mailbox while it
waits. Holding is a context variable, so tasks that a handler starts hold too, and is void once the
turn has ended.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from trido.supervision import DeadlockError

if TYPE_CHECKING:
    from trido.runtime.effectful import EffectfulTurn
    from trido.runtime.place import AgentPlace

HOLDING: ContextVar[EffectfulTurn[Any] | None] = ContextVar("trido.holding", default=None)


def held_turn() -> EffectfulTurn[Any] | None:
    """The open turn that the calling task holds, if it holds one."""
    turn = HOLDING.get()
    return turn if turn is not None and turn.is_open else None


def refuse_circle(turn: EffectfulTurn[Any], receiver: AgentPlace[Any]) -> None:
    """Raise `DeadlockError` if a call from ``turn`` to ``receiver`` could never be answered."""
    way = _way(receiver, turn.place, {receiver})
    if way is None:
        return
    if len(way) == 1:
        message = f"agent {receiver.id!r} calls itself while it serves a signal"
    else:
        circle = " → ".join(repr(place.id) for place in (turn.place, *way))
        message = f"these agents would wait for each other for ever: {circle}"
    raise DeadlockError(message)


def _way(
    start: AgentPlace[Any], goal: AgentPlace[Any], seen: set[AgentPlace[Any]]
) -> list[AgentPlace[Any]] | None:
    """How one waits for the other, if it does."""
    if start is goal:
        return [start]
    turn = start.open_turn
    for called in () if turn is None else turn.calls:
        if called not in seen:
            seen.add(called)
            rest = _way(called, goal, seen)
            if rest is not None:
                return [start, *rest]
    return None
