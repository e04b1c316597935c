"""The single steps of a job: stop the next, start the next, be done.

Pure: see `trido.supervision.decision`.
"""

from __future__ import annotations

from typing import Final

from trido.supervision import errors, events
from trido.supervision.deciding.ending import Ending
from trido.supervision.messages import Finished, Operations, Reply
from trido.supervision.records import Cause, Job, Phase, Purpose


class Steps(Ending):
    """The single steps of a job: stop the next, start the next, be done."""

    __slots__ = ()

    def _stop_next(self, job: Job) -> Operations:
        record = self.records.get(job.to_stop.pop())
        if record is None:
            return ()
        if job.purpose == "restart" and not self._leaves(record):
            self._returning[record.id] = None
        if record.found is not None:
            return self._found_dead(record, record.found)
        if record.live:
            one_at_a_time = job.purpose != "stop" or not self.settings.dynamic
            if record.state != "zombie" and one_at_a_time:
                job.waiting = record.id
            return self._stop_run(record)
        if record.state == "restarting" and record.id != job.subject:
            return self._give_up_retry(record)
        return ()

    def _start_next(self, job: Job) -> Operations:
        record = self.records.get(job.to_start.pop())
        if record is None:
            return ()
        job.waiting = record.id
        return self._start_run(record, _CAUSES[job.purpose])

    def _complete(self, job: Job) -> Operations:
        if job.purpose == "init":
            self.phase = "running"
        elif job.purpose == "stop":
            return self._finish()
        return () if job.request is None else (Reply(job.request, None),)

    def _finish(self) -> Operations:
        self.phase: Phase = "ended"
        if len(self._fatal) > 1:
            self.error: BaseException | None = BaseExceptionGroup(
                "children ended fatally", self._fatal
            )
        elif self._fatal:
            self.error = self._fatal[0]
        if not isinstance(self.error, errors.StartFailed):
            yield self._tell(events.SupervisorEnded, None, outcome=self.outcome, reason=self.error)
        yield Finished(self.error)


_CAUSES: Final[dict[Purpose, Cause]] = {
    "init": "start",
    "restart": "restart",
    "start_child": "api",
    "restart_child": "api",
}
