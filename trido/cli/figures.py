"""What the events of a run amount to: crashes, restarts, times to recover, latencies. Pure."""

from __future__ import annotations

import math
import random
from typing import Final

from attrs import Factory, define, field

from trido.supervision import events

_KEPT: Final = 100_000


@define
class Sample:
    """Durations in seconds: all of them, or of very many a fair choice."""

    count: int = 0
    _kept: list[float] = Factory(list)
    _chance: random.Random = field(factory=lambda: random.Random(0))

    def add(self, seconds: float) -> None:
        """One more."""
        self.count += 1
        if len(self._kept) < _KEPT:
            self._kept.append(seconds)
        elif (place := self._chance.randrange(self.count)) < _KEPT:
            self._kept[place] = seconds

    def percentile_ms(self, percent: float) -> float | None:
        """The nearest-rank percentile in milliseconds; None of nothing."""
        if not self._kept:
            return None
        rank = max(1, math.ceil(len(self._kept) * percent / 100))
        return 1000 * sorted(self._kept)[rank - 1]


@define
class Figures:
    """Hears every event of the desk, and of every call to the agent that should not notice."""

    watched: str
    """The agent whose crashes matter to its siblings' latency."""
    crashes: int = 0
    restarts: int = 0
    recoveries: Sample = Factory(Sample)
    calm: Sample = Factory(Sample)
    """The sibling's calls that began and ended while the watched agent was well."""
    stormy: Sample = Factory(Sample)
    """Those that met a moment between a crash of it and its recovery."""
    _down_since: dict[str, float] = Factory(dict)
    _recovered_at: float = -math.inf

    def hear(self, event: events.Event) -> float | None:
        """An observer; tells how long a recovery took, if ``event`` is one."""
        match event:
            case events.ChildEnded(outcome="crashed") | events.ChildStopped(outcome="crashed"):
                # The latter when two crash at once: one was to be stopped for the other's sake.
                self.crashes += 1
                self._down_since.setdefault(event.id, event.time)
            case events.ChildStarted(cause="restart"):
                self.restarts += 1
                return self._recovered(event)
            case _:
                pass
        return None

    def _recovered(self, event: events.ChildStarted) -> float | None:
        since = self._down_since.pop(event.id, None)
        if since is None:
            return None  # it did not crash itself: a sibling took it along
        if event.id == self.watched:
            self._recovered_at = event.time
        self.recoveries.add(event.time - since)
        return event.time - since

    def called(self, began: float, ended: float) -> None:
        """A call to the sibling began and was answered at these times."""
        stormy = self.watched in self._down_since or self._recovered_at >= began
        (self.stormy if stormy else self.calm).add(ended - began)
