"""What the agents of one runtime have in common. An agent without a runtime is alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, final

import trio
from attrs import Factory, define

from trido.agents import Definition
from trido.runtime import clock
from trido.runtime.bus import Bus
from trido.runtime.clock import Trust
from trido.runtime.dead_letters import DeadLetters
from trido.runtime.former import FormerRefs
from trido.runtime.meters import Meters
from trido.runtime.partition import named_by
from trido.supervision.current import CURRENT
from trido.supervision.probe import PROBE
from trido.virtual import is_virtual

if TYPE_CHECKING:
    from trido.agents.codec.codec import Codec
    from trido.journal import Journal
    from trido.journal.session import Session
    from trido.runtime.drain import Drain
    from trido.runtime.executors import Executor
    from trido.runtime.knocking import Knock
    from trido.runtime.place import AgentPlace
    from trido.runtime.probe import Probe
    from trido.runtime.runtime import Runtime
    from trido.runtime.watchdog import Watchdog


GONE: Final = 10_000
"""Of how many durable agents that have ended the ids are kept."""


@final
@define(eq=False, repr=False)
class Environment:
    """Names, a bus, executors, a clock: what an agent finds where it lives."""

    runtime: Runtime | None = None
    places: dict[str, AgentPlace[Any]] = Factory(dict)
    """Who has which id."""
    former: FormerRefs = Factory(FormerRefs)
    """The refs of those who have ended: whoever gets the id next goes on under the ref."""
    lingering: set[AgentPlace[Any]] = Factory(set)
    """Who has ended, and has committed what is not done yet."""
    bus: Bus | None = None
    """Of those in no partition. One that is alone has none: nobody has subscribed."""
    buses: dict[str, Bus] = Factory(dict)
    """Those of the partitions in which somebody subscribes."""
    executors: Mapping[type, Executor] = Factory(dict)
    """Who carries out directives of one's own."""
    dispatch: Mapping[str, Executor] = Factory(dict)
    """Who sends signals outside, by the name of a `Via`."""
    clock: Callable[[], datetime] | None = None
    """What tells the time of day, if the system does not."""
    trust: Trust = Factory(Trust)
    meters: Meters = Factory(Meters)
    watchdog: Watchdog | None = None
    drain: Drain | None = None
    probe: Probe | None = None
    """Who looks on, in a test."""
    intake_open: bool = True
    definitions: Mapping[str, Definition[Any]] = Factory(dict)
    """The agents that are known by their names."""
    journal: Journal | None = None
    """Where its durable agents are kept."""
    codec: Codec | None = None
    """What writes for that journal, and reads from it."""
    session: Session | None = None
    """The journal, while it is open."""
    knocking: dict[str, list[Knock]] = Factory(dict)
    """What is to be sent to agents that may come, while they start or are looked for."""
    gone: dict[str, None] = Factory(dict)
    """The durable agents that ended for good last: nobody wakes them by sending to them."""
    starting: Counter[str] = Factory(Counter)
    """The ids of those whose start was committed, and is not over."""
    awaited: dict[str, list[Callable[[], object]]] = Factory(dict)
    """What is to be sent to agents that are not there yet, by their ids."""
    letters: DeadLetters | None = None
    """The dead letters of all its agents. One that is alone keeps its own."""

    def bus_of(self, partition: str) -> Bus | None:
        """The bus of a partition."""
        return self.buses.setdefault(partition, Bus()) if partition else self.bus

    def named_by(self, place: AgentPlace[Any], name: str) -> AgentPlace[Any] | None:
        """Whom an agent means by a name: who has this id in its own partition."""
        return self.places.get(named_by(place.id, name))

    def arrived(self, place: AgentPlace[Any]) -> None:
        """An agent is there: send it what was kept for it."""
        self.gone.pop(place.id, None)
        for send in self.awaited.pop(place.id, ()) if self.awaited else ():
            send()
        if self.knocking:
            self.found(place.id)

    def left(self, place: AgentPlace[Any]) -> None:
        """An agent has ended for good."""
        if place.settings.durability != "none":
            self.gone[place.id] = None
            if len(self.gone) > GONE:
                del self.gone[next(iter(self.gone))]

    # Those that may come ------------------------------------------------------------------------

    def starts(self, id: str) -> None:
        """Somebody is about to start an agent of this id."""
        self.starting[id] += 1

    def starts_no_more(self, id: str) -> None:
        """That is over: it is there, or is not to come."""
        self.starting[id] -= 1
        if not self.starting[id]:
            del self.starting[id]
            if not self.is_ending:  # else whoever sends to it ends too, and may go on later
                self.found(id)

    def may_come(self, id: str) -> bool:
        """Whether an agent that is not there is about to start, or may be in the journal."""
        return id in self.starting or (
            self.session is not None and bool(id) and id not in self.gone
        )

    def look_for(self, id: str) -> None:
        """Wake an agent, if the journal has it; then say so: see `found`."""
        if self.runtime is not None:  # pragma: no branch - nobody else has a journal
            self.runtime.look_for(id)

    def knock(self, id: str, one: Knock) -> None:
        """Somebody sends to an agent that is not there."""
        self.knocking.setdefault(id, []).append(one)
        if id not in self.starting:
            self.look_for(id)

    def knocks_no_more(self, id: str, one: Knock) -> None:
        """It has been given up."""
        knocking = self.knocking.get(id, [])
        if one in knocking:
            knocking.remove(one)

    def found(self, id: str) -> None:
        """Whoever was looked for is there, or is nowhere."""
        for one in self.knocking.pop(id, ()):
            one.answer(self.places.get(id))

    @property
    def is_ending(self) -> bool:
        """Whether its runtime ends, and with it all its agents."""
        return self.runtime is not None and self.runtime.is_ending

    @property
    def refuses(self) -> bool:
        """Whether it takes nothing from the calling task: the intake is closed, and it is outside.

        Inside is whatever descends from an agent of the runtime: turns, `Run` actions, lifespans.
        """
        return not self.intake_open and not self._is_inside()

    def _is_inside(self) -> bool:
        current = CURRENT.get()
        child = None if current is None else current.child
        while child is not None:
            if getattr(child.place, "env", None) is self:
                return True
            child = child.supervisor.as_child()
        return False

    def now(self) -> datetime:
        """What time of day it is, in UTC."""
        return clock.now() if self.clock is None else clock.checked(self.clock())

    def wait_for(self, planned: datetime) -> float:
        """How many seconds to wait until then, or until it is time to look at the clock again."""
        now = self.now()
        seconds = (planned - now).total_seconds()
        if self.clock is None and is_virtual():
            return seconds
        return min(seconds, self.trust.lasts(now))


_ALONE: Final = trio.lowlevel.RunVar[dict["Probe | None", Environment]]("trido.alone")


def alone() -> Environment:
    """What an agent without a runtime finds: nobody, and nothing but what it brings along."""
    try:
        environments = _ALONE.get()
    except LookupError:
        environments = {}
        _ALONE.set(environments)
    probe: Probe | None = PROBE.get()
    if probe not in environments:
        environments[probe] = Environment(probe=probe)
    return environments[probe]
