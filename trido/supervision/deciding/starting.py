"""How runs are started, and what becomes of starts that fail.

Pure: see `trido.supervision.decision`.
"""

from __future__ import annotations

from trido.supervision import errors, events
from trido.supervision.deciding.restarting import Restarting
from trido.supervision.messages import Begin, End, Operations, Reply, RunReady, StartRun
from trido.supervision.records import Cause, Job, Phase, Record, Retry


class Starting(Restarting):
    """How runs are started, and what becomes of starts that fail."""

    __slots__ = ()

    def _on_begin(self, event: Begin) -> Operations:
        if self.phase == "new":
            self.phase: Phase = "starting"
            self._job = Job("init", to_start=list(reversed(self.records)))
        return ()

    def _start_run(self, record: Record, cause: Cause) -> Operations:
        self._returning.pop(record.id, None)
        record.incarnation += 1
        record.live, record.ready, record.asked, record.killed = True, False, False, False
        record.fault, record.value, record.cause = None, None, cause
        self._live += 1
        self._alarms.set(record.id, "start", self._now + record.policy.start_timeout)
        start = StartRun(record.id, record.incarnation)
        return (start,) if record.state == "restarting" else (self._move(record, "start"), start)

    def _on_ready(self, event: RunReady) -> Operations:
        record = self._run(event.id, event.run)
        if record is None or record.ready or record.asked or record.fault is not None:
            return ()
        if record.state == "zombie":
            return ()
        self._alarms.clear(record.id)
        record.ready, record.ready_at, record.value = True, self._now, event.value
        record.provisional = False
        record.restarts += record.cause == "restart"
        self._done_waiting()
        moved = self._move(record, "ready")
        if not self.tells_all:
            return (moved,)
        return moved, self._tell(events.ChildStarted, record, cause=record.cause)

    def _start_failed(self, record: Record, reason: BaseException, job: Job) -> Operations:
        record.last_crash = reason
        if job.purpose == "restart":
            if record.state != "restarting":
                yield self._move(record, "retry")
            record.chain += 1
            yield from self._give_up_subject(job, record)
            yield self._report(record, "start_error", "crashed", reason)
            self._queue.append(Retry(record.id, record.chain))
            self._drop(job)
        elif job.purpose == "init":
            yield self._move(record, "end")
            yield self._report(record, "start_error", "crashed", reason)
            self.error: BaseException | None = errors.StartFailed(record.id, reason)
            yield from self._begin_stop()
        else:
            yield self._move(record, "remove" if self._leaves(record) else "end")
            if job.request is None:  # nobody is left to be told
                yield self._report(record, "start_error", "crashed", reason)
            else:
                yield Reply(job.request, errors.StartFailed(record.id, reason))
            self._drop(job)

    def _give_up_subject(self, job: Job, failed: Record) -> Operations:
        """The retry is of the member that failed; the one the restart began with has no run."""
        subject = self.records.get(job.subject)
        if subject is not None and subject is not failed and subject.state == "restarting":
            yield from self._give_up_retry(subject)

    def _start_ignored(self, record: Record, end: End) -> Operations:
        record.provisional = False
        yield self._move(record, "remove" if self._leaves(record) else "end")
        yield self._tell(events.ChildEnded, record, outcome="ignored", reason=end.reason)
        if self._waits_for(record):  # pragma: no branch - a zombie's job may have gone on
            self._done_waiting()
