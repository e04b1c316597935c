"""When to start a child again, and who is started again with it.

Pure: see `trido.supervision.decision`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import takewhile
from typing import Final

from trido.supervision import events
from trido.supervision.deciding.stopping import Stopping
from trido.supervision.messages import Operations
from trido.supervision.policy import Strategy
from trido.supervision.records import Job, Record, Resume


class Restarting(Stopping):
    """When to start a child again, and who is started again with it."""

    __slots__ = ()

    def _attempt(self, record: Record, cause: BaseException | None, over: str) -> Operations:
        if over and record.policy.on_limit == "park":
            yield self._move(record, "park")
            yield self._tell(events.ChildParked, record, reason=cause)
            if record.policy.significant:
                yield from self._auto_shutdown()
        elif over:
            yield self._move(record, "remove" if self._leaves(record) else "end")
            yield from self._give_up(record, cause, over)
        else:
            record.attempt += 1
            backoff = record.policy.backoff
            delay = backoff.delay(record.attempt, self._u) if backoff is not None else 0.0
            record.due = self._now + delay
            if delay > 0:
                yield self._tell(events.RetryScheduled, record, attempt=record.attempt, delay=delay)
            self._job = self._restart_job(record)

    def _count(self, record: Record, cause: BaseException | None) -> str:
        """Count an automatic restart; say why that is one too many, if it is."""
        settings = self.settings
        how = "ended" if cause is None else "crashed"
        parks = record.policy.on_limit == "park"
        record.consecutive += 1
        if settings.max_restarts != math.inf:
            oldest = self._now - settings.max_seconds
            window = record.window if parks else self.window
            window = (self._now, *(t for t in window if t >= oldest))
            if parks:
                record.window = window
            else:
                self.window: tuple[float, ...] = window
            if len(window) > settings.max_restarts:
                times = f"{_times(len(window))} in {settings.max_seconds:g} s"
                return f"{how} {times}; limit is {settings.max_restarts:g}"
        limit = settings.max_consecutive
        if limit is not None and record.consecutive > limit:
            return f"{how} {_times(record.consecutive)} in a row; limit is {limit}"
        return ""

    def _restart_job(self, record: Record) -> Job:
        group = _GROUPS[self.settings.strategy](self.records, record.id)
        others = [id for id in reversed(group) if id != record.id]
        return Job("restart", record.id, to_stop=others, to_start=group)

    def _put_off(self, job: Job) -> bool:
        """Whether this restart has to wait: for a zombie of its group, or for its backoff."""
        record = self.records[job.subject]
        if any(self._is_zombie(id) for id in job.to_start):
            self._paused[record.id] = record.chain
            return True
        if record.due > self._now:
            self._alarms.set(record.id, "retry", record.due)
            return True
        return False

    def _is_zombie(self, id: str) -> bool:
        record = self.records.get(id)
        return record is not None and record.state == "zombie"

    def _resume_paused(self) -> None:
        self._queue.extend(Resume(id, number) for id, number in self._paused.items())
        self._paused.clear()

    def _auto_shutdown(self) -> Operations:
        mode = self.settings.auto_shutdown
        if mode == "any_significant" or (mode == "all_significant" and not self._significant_up):
            yield from self._begin_stop()


def _it_and_later(records: dict[str, Record], id: str) -> list[str]:
    later = list(takewhile(lambda other: other != id, reversed(records)))
    return [*later, id]


_GROUPS: Final[dict[Strategy, Callable[[dict[str, Record], str], list[str]]]] = {
    "one_for_one": lambda records, only: [only],
    "one_for_all": lambda records, _: list(reversed(records)),
    "rest_for_one": _it_and_later,
}
"""Who is started again when a child is, in reverse start order."""


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
