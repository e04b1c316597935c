"""What the agents of one runtime have in common. An agent without a runtime is alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, final

import trio
from attrs import Factory, define

from trido.runtime import clock
from trido.runtime.dead_letters import DeadLetters
from trido.runtime.meters import Meters

if TYPE_CHECKING:
    from trido.runtime.bus import Bus
    from trido.runtime.drain import Drain
    from trido.runtime.executors import Executor
    from trido.runtime.place import AgentPlace
    from trido.runtime.runtime import Runtime
    from trido.runtime.watchdog import Watchdog


@final
@define(eq=False)
class Environment:
    """Names, a bus, executors, a clock: what an agent finds where it lives."""

    runtime: Runtime | None = None
    places: dict[str, AgentPlace[Any]] = Factory(dict)
    """Who has which id."""
    bus: Bus | None = None
    executors: Mapping[type, Executor] = Factory(dict)
    """Who carries out directives of one's own."""
    dispatch: Mapping[str, Executor] = Factory(dict)
    """Who sends signals outside, by the name of a `Via`."""
    clock: Callable[[], datetime] | None = None
    """What tells the time of day, if the system does not."""
    meters: Meters = Factory(Meters)
    watchdog: Watchdog | None = None
    drain: Drain | None = None
    intake_open: bool = True
    letters: DeadLetters | None = None
    """The dead letters of all its agents. One that is alone keeps its own."""

    def now(self) -> datetime:
        """What time of day it is."""
        return clock.now() if self.clock is None else self.clock()

    @property
    def clock_may_be_set(self) -> bool:
        """Whether that clock may go otherwise than time does."""
        return self.clock is not None or not clock.is_virtual()


_ALONE: Final = trio.lowlevel.RunVar[Environment]("trido.alone")


def alone() -> Environment:
    """What an agent without a runtime finds: nobody, and nothing but what it brings along."""
    try:
        return _ALONE.get()
    except LookupError:
        environment = Environment()
        _ALONE.set(environment)
        return environment
