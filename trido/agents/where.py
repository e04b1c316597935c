"""Where an action can run: in a task, a thread or a process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trido.agents.action import Action, PlainAction
from trido.agents.directive import Where
from trido.checks import one_of
from trido.errors import SpecError


def check_where(action: Action[Any, Any], where: Where) -> None:
    """Raise `SpecError` unless the action can run there.

    In a task, each can. In a thread or a process, a plain ``def`` can. Nothing that has a
    compensation runs in a thread: one that was abandoned could do its work after it was undone.
    In a process, the function must be one that another process can import.
    """
    of = f"action {action.name!r}"
    one_of(of, "where", where, ("task", "thread", "process"))
    if where == "task":
        return
    if not isinstance(action, PlainAction):
        raise SpecError("where", where, "'task' for an async def or a sequence", of=of)
    if where == "thread" and action.compensate is not None:
        allowed = (
            "'task' or 'process' for what has a compensation: a thread cannot be stopped, and might"
            " do its work after it was undone; or an async def that awaits trio.to_thread.run_sync"
        )
        raise SpecError("where", where, allowed, of=of)
    if where == "process":
        importable(action)


def importable(action: Action[Any, Any]) -> Callable[[Any], Any]:
    """What stands under the function's name in its module: the function, or an action of it.

    Another process finds it there.

    Raises:
      SpecError: neither stands there: it was made in a function, say.
    """
    function: Any = action.function
    first, *rest = function.__qualname__.split(".")
    found: Any = function.__globals__.get(first)
    for name in rest:
        found = getattr(found, name, None)
    if (found.function if isinstance(found, PlainAction) else found) is not function:
        allowed = "'task' or 'thread' for a function that cannot be imported by its name"
        raise SpecError("where", "process", allowed, of=f"action {action.name!r}")
    there: Callable[[Any], Any] = found
    return there
