"""Cancelling at every point where something can be cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeAlias

import trio

from trido import testing

When: TypeAlias = Literal["before", "after"]
"""Before a task runs on: it comes to its next checkpoint cancelled. After: it is waiting there."""
MODES: Final[tuple[When, ...]] = ("before", "after")
CANCEL: Final = ("cancel", "")
"""What stands in the log where it was cancelled."""

Main: TypeAlias = Callable[[], Awaitable[None]]
Trial: TypeAlias = tuple[Main, list[Any], Callable[[], None]]
"""What to run, its log, and what checks afterwards that all is well."""


class CancelAt(trio.abc.Instrument):
    """Cancels a scope at the n-th step of the tasks that are in it, and notes it in their log."""

    def __init__(self, scope: trio.CancelScope, log: list[Any], step: int, when: When) -> None:
        self._scope = scope
        self._log = log
        self._left = step
        self._when = when
        self._tasks = {trio.lowlevel.current_task()}
        self.done = False

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        nursery = task.parent_nursery
        if nursery is not None and nursery.parent_task in self._tasks:
            self._tasks.add(task)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._step(task, "before")

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._step(task, "after")

    def _step(self, task: trio.lowlevel.Task, when: When) -> None:
        if task in self._tasks and when == self._when:
            self._left -= 1
            if self._left == 0:
                self.done = True
                self._log.append(CANCEL)
                self._scope.cancel()


def run_cancelled(main: Main, log: list[Any], step: int, when: When, *, seed: int = 0) -> bool:
    """Run ``main`` and cancel it there; whether it lasted that long."""

    async def cancelled() -> bool:
        scope = trio.CancelScope()
        instrument = CancelAt(scope, log, step, when)
        with scope:
            trio.lowlevel.add_instrument(instrument)
            try:
                await main()
            finally:
                trio.lowlevel.remove_instrument(instrument)
        return instrument.done

    return testing.run(cancelled, seed=seed, guarded=False)


def at_every_step(make: Callable[[], Trial]) -> int:
    """Run what ``make`` makes, cancelled at every step in turn, and check. How many those were."""
    places = 0
    for when in MODES:
        step, lasted = 0, True
        while lasted:
            step += 1
            main, log, check = make()
            lasted = run_cancelled(main, log, step, when)
            check()
            places += lasted
    return places
