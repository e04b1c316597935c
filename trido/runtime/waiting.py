"""Tasks that wait until an agent has a certain state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar, final

import trio
from outcome import Error, Value
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
            try:
                found = holds(predicate, state)
            # An error in it is whoever's it is.
            except BaseException as error:  # noqa: ASYNC103
                del self._waiting[task]
                trio.lowlevel.reschedule(task, Error(error))
            else:
                if found:
                    del self._waiting[task]
                    trio.lowlevel.reschedule(task, Value(state))

    def fail(self, id: str) -> None:
        """There will be no other state."""
        waiting, self._waiting = self._waiting, {}
        for task in waiting:
            trio.lowlevel.reschedule(task, Error(NoSuchAgent(id)))


@disable_ki_protection
def holds(predicate: Callable[[S], object], state: S) -> bool:
    """Whether ``predicate`` is true of ``state``."""
    return bool(predicate(state))
