"""How runs are stopped, and how the whole supervisor is.

Pure: see `trido.supervision.decision`.
"""

from __future__ import annotations

import math
from collections import deque
from typing import cast

from trido.supervision import errors
from trido.supervision.deciding.memory import Memory
from trido.supervision.messages import (
    CancelRun,
    Fail,
    InterruptBody,
    Kill,
    KillRun,
    Moved,
    Operations,
    Reply,
    Request,
    RunFailing,
    RunStuck,
    Stop,
    TellUnkillable,
)
from trido.supervision.records import Job, Outcome, Phase, Record


class Stopping(Memory):
    """How runs are stopped, and how the whole supervisor is."""

    __slots__ = ()

    def _stop_run(self, record: Record) -> Operations:
        if record.asked:
            return ()  # joined, with what is left of its grace
        record.asked = True
        moved = (self._move(record, "stop"),) if record.state in ("starting", "running") else ()
        if record.fault is None:
            return (*moved, *self._cancel_run(record, "its supervisor stops it"))
        return moved  # it is being stopped already, by what became of it

    def _grace(self, record: Record) -> float:
        return 0.0 if self._killing else record.policy.grace

    def _cancel_run(self, record: Record, reason: str) -> Operations:
        deadline = self._now + self._grace(record)
        if deadline <= self._now:
            return self._kill_run(record)
        self._alarms.set(record.id, "grace", deadline)
        return (CancelRun(record.id, record.incarnation, deadline, reason),)

    def _kill_run(self, record: Record) -> Operations:
        if record.killed:
            return ()
        record.killed = True
        self._alarms.clear(record.id)
        return (KillRun(record.id, record.incarnation),)

    def _on_failing(self, event: RunFailing) -> Operations:
        record = self._run(event.id, event.run)
        if record is None or record.state == "zombie":
            return ()
        if record.fault is None and not record.asked:
            return self._stop_failing(record, event.error)
        return ()

    def _stop_failing(self, record: Record, error: Exception) -> Operations:
        record.fault = error
        moved = [] if record.state == "restarting" else [self._move(record, "stop")]
        return [*moved, *self._cancel_run(record, str(error))]

    def _on_stuck(self, event: RunStuck) -> Operations:
        record = self._run(event.id, event.run)
        if record is not None:
            yield from self._unkillable(record)

    def _unkillable(self, record: Record) -> Operations:
        if record.state == "zombie":
            return
        self._alarms.clear(record.id)
        self._zombies += 1
        yield self._move(record, "unkillable")
        yield TellUnkillable(record.id, record.incarnation)
        job = self._job
        if job is None or job.waiting != record.id:
            return
        job.waiting = None
        if record.asked:
            if job.request is not None:
                record.waiters += (job.request,)
                job.request = None
        elif job.purpose == "init":
            yield from self._start_failed_as_zombie(record)
        else:
            record.orphan, self._job = job, None
            self._orphaned[record.id] = None

    def _start_failed_as_zombie(self, record: Record) -> Operations:
        reason = cast("Exception", record.fault)
        record.asked, record.fault = True, None  # reported here, not again at its end
        yield self._report(record, "start_error", "crashed", reason)
        self.error: BaseException | None = errors.StartFailed(record.id, reason)
        yield from self._begin_stop()

    def _give_up(self, record: Record, cause: BaseException | None, why: str) -> Operations:
        error = errors.RestartLimitExceeded(self.settings.path[-1], record.id, why)
        error.__cause__ = cause
        self.outcome, self.error = "limit", error
        yield self._report(record, "shutdown", "limit", error)
        yield InterruptBody()
        yield from self._begin_stop()

    def _fail(self, error: BaseException) -> Operations:
        interrupted = isinstance(error, KeyboardInterrupt)
        again = interrupted and any(isinstance(one, KeyboardInterrupt) for one in self._fatal)
        if not again and not any(error is one for one in self._fatal):
            self._fatal.append(error)
        self.outcome: Outcome = "fatal"
        yield InterruptBody()
        if interrupted and self.phase == "stopping":
            yield from self._kill()
        yield from self._begin_stop()

    def _begin_stop(self) -> Operations:
        if self.phase in ("stopping", "ended"):
            return
        self.phase: Phase = "stopping"
        yield from self._give_up_returning()
        job, self._job = self._job, Job("stop", to_stop=list(self.records))
        queue, self._queue = self._queue, deque()
        for item in queue:
            if isinstance(item, Request) and item.number not in self._withdrawn:
                yield Reply(item.number, self._stopped())
        self._withdrawn.clear()
        self._waiting.clear()
        self._paused.clear()
        for orphan in self._orphans():
            if orphan.request is not None:
                yield Reply(orphan.request, self._stopped())
                orphan.request = None
        if job is not None:
            yield from self._leave(job, self._job)

    def _leave(self, job: Job, stop: Job) -> Operations:
        """Give up the job in hand for the stop: see its child's start or stop through first."""
        record = self.records.get(job.waiting) if job.waiting is not None else None
        if record is None or not record.live:
            if job.request is not None:
                yield Reply(job.request, None if job.purpose == "stop_child" else self._stopped())
            return
        if not self.settings.dynamic:
            stop.waiting = record.id
        if record.asked:
            if job.request is not None:
                record.waiters += (job.request,)
            return
        if job.request is not None:
            yield Reply(job.request, self._stopped())
        yield from self._stop_run(record)

    def _on_stop(self, event: Stop) -> Operations:
        if event.cancelled:
            self._stop_due = min(self._stop_due, self._now + self.settings.shutdown_timeout)
            if self.phase not in ("stopping", "ended"):
                self.outcome = "cancelled"
        yield from self._begin_stop()

    def _on_kill(self, event: Kill) -> Operations:
        yield from self._kill()

    def _kill(self) -> Operations:
        if self._killing or self.phase == "ended":
            return
        self._killing, self._stop_due = True, math.inf
        for record in list(self.records.values()):
            if record.live and (record.asked or record.fault is not None):
                yield from self._kill_run(record)
        yield from self._begin_stop()

    def _on_fail(self, event: Fail) -> Operations:
        if self.phase != "ended":
            yield from self._fail(event.error)

    def _give_up_retry(self, record: Record) -> Operations:
        record.chain += 1
        self._alarms.clear(record.id)
        return (self._move(record, "remove" if self._leaves(record) else "end"),)

    def _give_up_returning(self) -> Operations:
        returning, self._returning = self._returning, {}
        for id in returning:
            record = self.records[id]
            yield Moved(record, record.state, comes_back=False)
