"""Who holds an open turn: so that agents that wait for each other in a circle are told at once.

An edge A → B stands while a task that holds A's open turn waits for an unanswered call to B, or for
room in B's full mailbox. What would close a circle would wait for ever: every agent in it holds its
mailbox while it waits. Holding is a context variable, so tasks that a handler starts hold too, and
is void once the turn has ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
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


@contextmanager
def waiting_for(turn: EffectfulTurn[Any] | None, receiver: AgentPlace[Any]) -> Generator[None]:
    """Inside, the calling task, which holds ``turn``, waits for ``receiver``."""
    if turn is None:
        yield
        return
    turn.calls[receiver] += 1
    try:
        yield
    finally:
        turn.calls[receiver] -= 1
        if not turn.calls[receiver]:
            del turn.calls[receiver]


def refuse_circle(turn: EffectfulTurn[Any], receiver: AgentPlace[Any]) -> None:
    """Raise `DeadlockError` if ``turn`` could only wait for ``receiver`` in vain."""
    way = _way(receiver, turn.place)
    if not way:
        return
    if len(way) == 1:
        message = f"agent {receiver.id!r} calls itself while it serves a signal"
    else:
        circle = " → ".join(repr(place.id) for place in (turn.place, *way))
        message = f"these agents would wait for each other for ever: {circle}"
    raise DeadlockError(message)


def _way(start: AgentPlace[Any], goal: AgentPlace[Any]) -> list[AgentPlace[Any]]:
    """By which agents one waits for the other; none if it does not."""
    found_from: dict[AgentPlace[Any], AgentPlace[Any] | None] = {start: None}
    todo = deque([start])
    while todo and goal not in found_from:
        place = todo.popleft()
        turn = place.open_turn
        for other in () if turn is None else turn.calls:
            if other not in found_from:
                found_from[other] = place
                todo.append(other)
    way: list[AgentPlace[Any]] = []
    at = goal if goal in found_from else None
    while at is not None:
        way.append(at)
        at = found_from[at]
    return way[::-1]
