"""When a run is asked to stop, and how its supervisor takes its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from attrs import Factory, define

from trido.supervision.current import CleanupTime, Current
from trido.supervision.records import Record


@final
@define(eq=False, repr=False)
class WatchedTime(CleanupTime):
    """The time a run has to clean up: it tells as soon as that has an end."""

    heard: list[Callable[[], None]] = Factory(list)

    def end_by(self, deadline: float) -> None:
        """It ends then."""
        CleanupTime.end_by(self, deadline)
        for tell in self.heard:
            tell()


def on_asked(current: Current, tell: Callable[[], None]) -> None:
    """Tell whenever the time that a run has left gets shorter: it is asked to stop, or killed.

    Its own code may notice much later, or never.
    """
    time = current.cleanup_time
    if not isinstance(time, WatchedTime):
        time = current.cleanup_time = WatchedTime(time.grace)
    time.heard.append(tell)


def taken(record: Record, error: BaseException | None) -> tuple[str, BaseException | None]:
    """How a function's supervisor takes it that it ended so, and what for."""
    if record.fault is not None:
        return "crashed", record.fault
    if error is None:
        return "normal", None
    if isinstance(error, Exception) or not record.asked:
        return "crashed", error
    return ("killed" if record.killed else "stopped"), None
