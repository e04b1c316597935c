"""The dispatcher: one task that serves all the agents of a nursery, and rings their timers.

A wake-up of a task costs several times what a turn does, so agents share one. Whoever has signals
waiting queues up here; each is served for a slice, then the next is, and after each slice other
tasks run. The same task sleeps until the next timer is due: there is one heap for all. It begins
with the first signal or timer, and ends with the last agent of its nursery; no exception leaves it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from time import perf_counter
from typing import Final, Protocol, final

import trio
from trio.lowlevel import Abort, RaiseCancelT, RunVar, Task, enable_ki_protection

from trido.supervision.spot import Spot
from trido.virtual import is_virtual

SLICE: Final = 200e-6
"""How many seconds of turns are served before other tasks get their turn."""
TURNS: Final = 256
"""How many turns, agents or alarms, at most: in virtual time none of them takes any time."""

_FEW: Final = 64


class Serving(Protocol):
    """Whoever has signals to serve."""

    def serve(self, until: float) -> bool:
        """Serve up to that time; whether something is left. Raises nothing."""
        ...


class Ringing(Protocol):
    """Whoever wants to be told when a time has come."""

    def ring(self) -> None:
        """It has. Raises nothing."""
        ...


@final
class Alarm:
    """A time at which somebody wants to be told. `cancel` it to be told no more."""

    __slots__ = ("who",)

    def __init__(self, who: Ringing) -> None:
        self.who: Ringing | None = who

    def cancel(self) -> None:
        """Do not tell."""
        self.who = None


_DISPATCHERS: Final = RunVar[dict[trio.Nursery, "Dispatcher"]]("trido.dispatchers")


@final
class Dispatcher:
    """Serves the agents of one nursery."""

    __slots__ = (
        "_heap",
        "_name",
        "_number",
        "_nursery",
        "_ready",
        "_runs",
        "_sleeper",
        "_spot",
        "_tidy_at",
        "_users",
        "lap",
        "now",
    )

    def __init__(self, nursery: trio.Nursery, name: str) -> None:
        self._nursery = nursery
        self._name = name
        self.now: Callable[[], float] = trio.lowlevel.current_clock().current_time
        """What time it is. As `trio.current_time`, which looks for the clock each time."""
        self.lap: Callable[[], float] = self.now if is_virtual() else perf_counter
        """By what slices are measured: the same, or what Trio's own clock goes by."""
        self._ready: deque[Serving] = deque()
        self._heap: list[tuple[float, int, Alarm]] = []
        self._number = 0
        self._tidy_at = _FEW
        self._users = 0
        self._runs = False
        self._sleeper: Task | None = None
        self._spot = Spot.here()

    @classmethod
    def of(cls, nursery: trio.Nursery, *path: str) -> Dispatcher:
        """The one of this nursery, called so; `enter` it."""
        try:
            dispatchers = _DISPATCHERS.get()
        except LookupError:
            dispatchers = {}
            _DISPATCHERS.set(dispatchers)
        dispatcher = dispatchers.get(nursery)
        if dispatcher is None:
            dispatcher = dispatchers[nursery] = cls(nursery, "/".join(path))
        return dispatcher

    def __len__(self) -> int:
        """How many alarms it holds, those that were cancelled and are still there included."""
        return len(self._heap)

    def enter(self) -> None:
        """There is one more agent."""
        self._users += 1

    def leave(self) -> None:
        """There is one less. With the last one it ends."""
        self._users -= 1
        if not self._users:
            _DISPATCHERS.get().pop(self._nursery, None)
            self._wake()

    def ready(self, who: Serving) -> None:
        """Serve ``who``, once those before it have been."""
        self._ready.append(who)
        if self._sleeper is not None or not self._runs:
            self._wake_up()

    def at(self, due: float, who: Ringing) -> Alarm:
        """Tell ``who`` once it is ``due``, by Trio's clock."""
        alarm = Alarm(who)
        self._number += 1
        if len(self._heap) >= self._tidy_at:
            self._tidy()
        heappush(self._heap, (due, self._number, alarm))
        if self._heap[0][2] is alarm:
            self._wake_up()
        return alarm

    def _wake_up(self) -> None:
        if self._runs:
            self._wake()
        else:
            self._runs = True
            # Not in the context of whoever sends the first signal.
            context = self._nursery.parent_task.context.copy()
            context.run(lambda: self._nursery.start_soon(self._run, name=self._name))

    def _wake(self) -> None:
        if self._sleeper is not None:
            trio.lowlevel.reschedule(self._sleeper)
            self._sleeper = None

    # The task -------------------------------------------------------------------------------

    @enable_ki_protection
    async def _run(self) -> None:
        try:
            self._ring_all()
            while self._users or self._ready:
                if self._ready:
                    self._serve()
                    self._spot.others_ran(self.now())
                    await trio.lowlevel.cancel_shielded_checkpoint()
                else:
                    await self._sleep_until(self._next())
                self._ring_all()  # by that the last agent may end
        finally:
            self._runs = False

    def _serve(self) -> None:
        ready, lap = self._ready, self.lap
        until = lap() + SLICE
        for _ in range(TURNS):
            if not ready:
                return
            who = ready.popleft()
            if who.serve(until):
                ready.append(who)
                return
            if lap() >= until:
                return

    def _next(self) -> float:
        heap = self._heap
        while heap and heap[0][2].who is None:
            heappop(heap)
        return heap[0][0] if heap else math.inf

    def _tidy(self) -> None:
        """Drop what was cancelled, or timers that are set again and again would fill the heap."""
        self._heap = [one for one in self._heap if one[2].who is not None]
        heapify(self._heap)
        self._tidy_at = max(_FEW, 2 * len(self._heap))

    def _ring_all(self) -> None:
        now = self.now()
        for _ in range(TURNS):
            if self._next() > now:
                return
            who = heappop(self._heap)[2].who
            if who is not None:  # pragma: no branch - `_next` has dropped the others
                who.ring()

    async def _sleep_until(self, deadline: float) -> None:
        if deadline == math.inf:
            await self._sleep()
            return
        with trio.CancelScope(deadline=deadline):
            await self._sleep()

    async def _sleep(self) -> None:
        def abort(_: RaiseCancelT) -> Abort:
            self._sleeper = None
            return Abort.SUCCEEDED

        self._sleeper = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(abort)
