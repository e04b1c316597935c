"""The watchdog: notices code of an agent that holds up the event loop, and says whose it is.

Trio does not interrupt a task between two awaits, and nothing else runs meanwhile. So somebody
outside looks: a thread, which asks again and again what the event loop has been at since when. It
costs the loop two assignments a turn and two a task step; without a watchdog, nothing.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Final, final

import trio
from attrs import define, field, frozen
from trio.lowlevel import Task

from trido.checks import seconds
from trido.errors import SpecError
from trido.runtime.holding import HOLDING
from trido.values import ByFields


@final
@frozen(kw_only=True, eq=False, repr=False)
class Blocked(ByFields):
    """What held up the event loop, caught in the act."""

    agent: str | None
    """The id of the agent whose code it was; None if it was nobody's turn."""
    type: str | None
    """The type of the signal that it served."""
    task: str
    """The name of the task."""
    seconds: float
    """How long it had lasted by then."""
    stack: str
    """Where it was."""


def log(blocked: Blocked) -> None:
    """Say so in the log."""
    if blocked.agent is None:
        who = f"task {blocked.task!r}"
    else:
        who = f"agent {blocked.agent!r} serves {blocked.type!r}"
    _LOG.warning(
        "%s: nothing else has run for %.3g s; blocking work belongs into a thread or a process:"
        " Run(..., where=...)\n%s",
        who,
        blocked.seconds,
        blocked.stack,
    )


_LOG: Final = logging.getLogger("trido")


@final
@frozen(eq=False, repr=False)
class WatchdogSpec(ByFields):
    """Tell of code that runs for ``limit`` seconds without letting anything else run.

    ``tell`` is called with a `Blocked`, once for each time, and at once: from the watchdog's own
    thread, since the event loop may never run again. What it raises is logged.
    """

    limit: float
    tell: Callable[[Blocked], object] = log

    def __attrs_post_init__(self) -> None:
        seconds("Watchdog", "limit", self.limit, finite=True)
        if self.limit == 0:
            raise SpecError("limit", self.limit, "a number of seconds > 0", of="Watchdog")
        if not callable(self.tell):
            raise SpecError("tell", self.tell, "a function of a trido.Blocked", of="Watchdog")


@define(eq=False, repr=False)
class _Now:
    """What the event loop is at. Replaced and never changed: another thread reads it."""

    since: float
    task: Task
    told: bool = False


@final
@define(eq=False, repr=False)
class Watchdog(trio.abc.Instrument):
    """Looks after one event loop."""

    _spec: WatchdogSpec
    _step: _Now | None = None
    _turn: tuple[str, str] | None = None
    _stopped: threading.Event = field(factory=threading.Event)

    # In the event loop --------------------------------------------------------------------------

    def before_task_step(self, task: Task) -> None:
        """A task goes on."""
        self._step = _Now(time.perf_counter(), task)

    def after_task_step(self, task: Task) -> None:
        """It lets others."""
        self._step = None

    def enter(self, agent: str, type: str) -> None:
        """A turn begins that awaits nothing."""
        self._turn = (agent, type)

    def leave(self) -> None:
        """It has ended."""
        self._turn = None

    async def watch(self) -> None:
        """Look after the loop that this is called in, until `stop`."""
        trio.lowlevel.add_instrument(self)
        thread = threading.get_ident()
        try:
            # Not one of the threads that others wait for: it takes its as long as it lives.
            limiter = trio.CapacityLimiter(1)
            await trio.to_thread.run_sync(self._look_on, thread, limiter=limiter)
        finally:
            self._stopped.set()
            trio.lowlevel.remove_instrument(self)

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    # In the thread ------------------------------------------------------------------------------

    def _look_on(self, thread: int) -> None:
        while not self._stopped.wait(self._spec.limit / 4):
            blocked = self._look(thread)
            if blocked is not None:
                self._tell(blocked)

    def _tell(self, blocked: Blocked) -> None:
        try:
            self._spec.tell(blocked)
        except Exception:
            _LOG.exception("what a watchdog tells of failed; it goes on")

    def _look(self, thread: int) -> Blocked | None:
        step, turn = self._step, self._turn
        if step is None or step.told:
            return None
        lasted = time.perf_counter() - step.since
        if lasted < self._spec.limit:
            return None
        step.told = True
        frame: Any = sys._current_frames().get(thread)
        stack = "".join(traceback.format_stack(frame))
        if self._step is not step:
            return None  # it went on while we looked: the stack may be another's
        agent, type = turn or _holder(step.task)
        name = step.task.name
        return Blocked(agent=agent, type=type, task=name, seconds=lasted, stack=stack)


def _holder(task: Task) -> tuple[str, str] | tuple[None, None]:
    """Whose effectful turn a task is part of."""
    turn = task.context.get(HOLDING)
    if turn is None:
        return None, None
    return turn.place.id, turn.envelope.signal.type
