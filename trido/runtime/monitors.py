"""Monitors and links: who is told of the end of an agent's run, and who ends with it.

Both are about one run of each side. A monitor tells once, and is spent. A link goes with either
end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, final

import trio
from outcome import Value
from trio.lowlevel import Abort, RaiseCancelT, Task, enable_ki_protection

from trido.agents import Signal
from trido.agents.family import Down
from trido.agents.secrets import redacted
from trido.runtime.envelope import Told
from trido.runtime.errors import LinkedExit
from trido.supervision.place import End

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace

_ABNORMAL: Final = frozenset({"crashed", "escalated", "fatal", "killed", "ignored"})


def down(id: str, incarnation: int, end: End | None) -> Down:
    """The end of a run, as others are told of it."""
    if end is None:
        return Down(id, incarnation, "noproc")
    if end.kind in ("normal", "stopped", "killed"):
        return Down(id, incarnation, end.kind)
    error = None if end.reason is None else redacted(end.reason)
    return Down(id, incarnation, "crashed", error=error)


class Watcher(Protocol):
    """Whoever monitors a run."""

    def tell(self, down: Down) -> None:
        """It has ended. Raises nothing."""
        ...


@final
class MonitorHandle:
    """What `Runtime.monitor` gives: it is told once the current run of an agent ends."""

    __slots__ = ("_down", "_place", "_sleeper")

    def __init__(self, place: AgentPlace[Any]) -> None:
        self._place = place
        self._down: Down | None = None
        self._sleeper: Task | None = None
        place.monitors.add(self)

    @property
    def down(self) -> Down | None:
        """The end of the run, once it has ended."""
        return self._down

    def tell(self, down: Down) -> None:
        """The run has ended."""
        self._down = down
        task, self._sleeper = self._sleeper, None
        if task is not None:
            trio.lowlevel.reschedule(task, Value(down))

    def demonitor(self, *, flush: bool = False) -> None:
        """Be told no more; with ``flush``, forget what was told already."""
        self._place.monitors.discard(self)
        if flush:
            self._down = None

    @enable_ki_protection
    async def wait(self) -> Down:
        """Wait until the run has ended. One task at a time.

        Checkpoints: always.

        Raises:
          RuntimeError: another task waits already.
        """
        if self._sleeper is not None:
            raise RuntimeError("another task waits for this monitor already")
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._down is not None:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return self._down

        def abort(_: RaiseCancelT) -> Abort:
            self._sleeper = None
            return Abort.SUCCEEDED

        self._sleeper = trio.lowlevel.current_task()
        told: Down = await trio.lowlevel.wait_task_rescheduled(abort)
        return told


@final
class AgentWatcher:
    """An agent that monitors another."""

    __slots__ = ("_place", "_sent")

    def __init__(self, place: AgentPlace[Any]) -> None:
        self._place = place
        self._sent: Told | None = None

    def tell(self, down: Down) -> None:
        """The run has ended: the agent is sent a signal."""
        self._sent = Told(Signal("agent.down", down))
        self._place.tell(self._sent)

    def flush(self) -> None:
        """Withdraw the signal, if its turn has not begun."""
        if self._sent is not None:
            self._place.mailbox.withdraw(self._sent)


@final
class Monitors:
    """Those who monitor the current run of one agent, and those it is linked with."""

    __slots__ = ("_links", "_place", "_watchers")

    def __init__(self, place: AgentPlace[Any]) -> None:
        self._place = place
        self._watchers: dict[Watcher, None] = {}
        self._links: dict[AgentPlace[Any], None] = {}

    def add(self, watcher: Watcher) -> None:
        """Tell ``watcher`` once the run ends; at once if there is none."""
        place = self._place
        if place.has_run:
            self._watchers[watcher] = None
        else:
            watcher.tell(down(place.id, place.incarnation, None))

    def discard(self, watcher: Watcher) -> None:
        """Do not tell."""
        self._watchers.pop(watcher, None)

    def link(self, other: AgentPlace[Any]) -> None:
        """Tie the two runs."""
        place = self._place
        if other is place:
            return
        if not other.has_run:
            exits(place, down(other.id, other.incarnation, None))
            return
        self._links[other] = None
        other.monitors._links[place] = None

    def run_ended(self, incarnation: int, end: End) -> None:
        """Tell everybody, each once."""
        told = down(self._place.id, incarnation, end)
        watchers, self._watchers = self._watchers, {}
        links, self._links = self._links, {}
        for watcher in watchers:
            watcher.tell(told)
        for other in links:
            other.monitors._links.pop(self._place, None)
            if end.kind in _ABNORMAL:
                exits(other, told)


def exits(place: AgentPlace[Any], told: Down) -> None:
    """A linked agent has ended: so does this one, or it is told."""
    if place.settings.trap_exits:
        place.tell(Told(Signal("agent.exit", told)))
    else:
        place.crash(LinkedExit(told.id, told.error or told.reason))
