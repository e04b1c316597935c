"""Monitors and links: who is told of the end of an agent's run, and who ends with it.

Both are about one run of each side. A monitor tells once, and is spent. A link goes with either
end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, final

import trio
from outcome import Error, Outcome, Value
from trio.lowlevel import Abort, RaiseCancelT, Task, enable_ki_protection

from trido.agents import Address, AgentError, Signal
from trido.agents.family import Down
from trido.agents.secrets import redacted
from trido.agents.turn import Why
from trido.runtime.envelope import Envelope, Told
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

    __slots__ = ("_down", "_is_over", "_place", "_sleeper")

    @enable_ki_protection
    def __init__(self, place: AgentPlace[Any]) -> None:
        self._place = place
        self._down: Down | None = None
        self._is_over = False
        self._sleeper: Task | None = None
        place.monitors.add(self)

    @property
    def down(self) -> Down | None:
        """The end of the run, once it has ended."""
        return self._down

    def tell(self, down: Down) -> None:
        """The run has ended."""
        self._down = down
        self._wake(Value(down))

    @enable_ki_protection
    def demonitor(self, *, flush: bool = False) -> None:
        """Be told no more; with ``flush``, forget what was told already. Whoever waits is told."""
        self._place.monitors.discard(self)
        self._is_over = True
        if flush:
            self._down = None
        self._wake(Error(trio.ClosedResourceError("it does not monitor any more")))

    @enable_ki_protection
    async def wait(self) -> Down:
        """Wait until the run has ended. One task at a time.

        Checkpoints: always.

        Raises:
          RuntimeError: another task waits already.
          trio.ClosedResourceError: it was told not to monitor any more.
        """
        if self._sleeper is not None:
            raise RuntimeError("another task waits for this monitor already")
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._down is not None or self._is_over:
            await trio.lowlevel.cancel_shielded_checkpoint()
        if self._down is not None:
            return self._down
        if self._is_over:
            raise trio.ClosedResourceError("it does not monitor any more")

        def abort(_: RaiseCancelT) -> Abort:
            self._sleeper = None
            return Abort.SUCCEEDED

        self._sleeper = trio.lowlevel.current_task()
        told: Down = await trio.lowlevel.wait_task_rescheduled(abort)
        return told

    def _wake(self, outcome: Outcome[Down]) -> None:
        task, self._sleeper = self._sleeper, None
        if task is not None:
            trio.lowlevel.reschedule(task, outcome)


@final
class AgentDown(Envelope):
    """Word of the end of a run, on its way to the agent that monitored it."""

    __slots__ = ("_watcher",)

    why: ClassVar[Why] = "told"

    def __init__(self, watcher: AgentWatcher, down: Down) -> None:
        super().__init__(Signal("agent.down", down))
        self._watcher = watcher

    def begun(self) -> None:
        """It is seen."""
        self._watcher.seen(self)

    def fail(self, error: AgentError) -> bool:
        """It will not be seen."""
        self._watcher.seen(self)
        return False


@final
class AgentWatcher:
    """An agent that monitors another."""

    __slots__ = ("_ref", "_watching", "other", "unseen")

    def __init__(self, watching: Watching, ref: Address) -> None:
        self._watching = watching
        self._ref = ref
        self.other: AgentPlace[Any] | None = None
        """Whom it monitors; None if it has told, or was told not to."""
        self.unseen: dict[AgentDown, None] = {}
        """What it has told and nobody has seen yet."""

    def tell(self, down: Down) -> None:
        """The run has ended: the agent is sent a signal."""
        self.other = None
        told = AgentDown(self, down)
        self.unseen[told] = None
        self._watching.place.deliver(told)

    def seen(self, told: AgentDown) -> None:
        """The turn of that signal has begun."""
        self.unseen.pop(told, None)
        self.forget_if_spent()

    def leave(self) -> None:
        """Monitor nobody any more."""
        if self.other is not None:
            self.other.monitors.discard(self)
            self.other = None
        self.forget_if_spent()

    def flush(self) -> None:
        """Withdraw what nobody has seen yet."""
        for told in list(self.unseen):
            self._watching.place.mailbox.withdraw(told)
            self.seen(told)

    def forget_if_spent(self) -> None:
        """Nobody needs to know of it once it has nothing left to tell or to withdraw."""
        if self.other is None and not self.unseen:
            self._watching.watchers.pop(self._ref, None)


@final
class Watching:
    """Whom one agent monitors, by their addresses."""

    __slots__ = ("place", "watchers")

    def __init__(self, place: AgentPlace[Any]) -> None:
        self.place: AgentPlace[Any] = place
        self.watchers: dict[Address, AgentWatcher] = {}

    def monitor(self, ref: Address, other: AgentPlace[Any] | None) -> None:
        """Monitor the current run of ``other``; None if there is no such agent."""
        watcher = self.watchers.get(ref)
        if watcher is None:
            watcher = self.watchers[ref] = AgentWatcher(self, ref)
        if other is None:
            watcher.tell(down(ref.id, 0, None))
        elif watcher.other is None:
            watcher.other = other
            other.monitors.add(watcher)

    def demonitor(self, ref: Address, *, flush: bool) -> None:
        """Monitor it no more; with ``flush``, withdraw what nobody has seen yet."""
        watcher = self.watchers.get(ref)
        if watcher is not None:
            watcher.leave()
            if flush:
                watcher.flush()

    def run_ended(self) -> None:
        """The run that watched has ended: what it has been told stays in the mailbox."""
        for watcher in list(self.watchers.values()):
            watcher.leave()


@final
class Monitors:
    """Those who monitor the current run of one agent, and those it is linked with."""

    __slots__ = ("_links", "_place", "_watchers")

    def __init__(self, place: AgentPlace[Any]) -> None:
        self._place = place
        self._watchers: dict[Watcher, None] = {}
        self._links: dict[AgentPlace[Any], None] = {}

    def __len__(self) -> int:
        return len(self._watchers) + len(self._links)

    def add(self, watcher: Watcher) -> None:
        """Tell ``watcher`` once the run ends; at once if there is none. One that sleeps wakes."""
        place = self._place
        if place.has_run or place.is_woken():
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
        if not other.has_run and not other.is_woken():
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
