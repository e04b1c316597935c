"""Tasks that wait until an agent has a certain state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar, final

import trio
from outcome import Error, Outcome, Value
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    Task,
    disable_ki_protection,
    enable_ki_protection,
)

from trido.runtime.errors import NoSuchAgent

S = TypeVar("S")


@final
class Waiting(Generic[S]):
    """Who waits for which state of one agent."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[Task, Callable[[S], object]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @enable_ki_protection
    async def wait(self, predicate: Callable[[S], object]) -> S:
        """Wait for a state of which ``predicate`` is true. Raises what it raises."""
        task = trio.lowlevel.current_task()
        self._waiting[task] = predicate

        def abort(_: RaiseCancelT) -> Abort:
            del self._waiting[task]
            return Abort.SUCCEEDED

        state: S = await trio.lowlevel.wait_task_rescheduled(abort)
        return state

    def tell(self, state: S) -> None:
        """This is the state now."""
        for task, predicate in list(self._waiting.items()):
            if task in self._waiting:  # else the predicate of another has cancelled it
                self._ask(task, predicate, state)

    def _ask(self, task: Task, predicate: Callable[[S], object], state: S) -> None:
        outcome: Outcome[S] | None
        try:
            outcome = Value(state) if holds(predicate, state) else None
        # An error in it is whoever's it is.
        except BaseException as error:  # noqa: ASYNC103
            outcome = Error(error)
        # It may have cancelled the task that waits.
        if outcome is not None and self._waiting.pop(task, None) is not None:
            trio.lowlevel.reschedule(task, outcome)

    def fail(self, id: str) -> None:
        """There will be no other state."""
        waiting, self._waiting = self._waiting, {}
        for task in waiting:
            trio.lowlevel.reschedule(task, Error(NoSuchAgent(id)))


@disable_ki_protection
def holds(predicate: Callable[[S], object], state: S) -> bool:
    """Whether ``predicate`` is true of ``state``."""
    return bool(predicate(state))
