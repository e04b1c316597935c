"""What the end of a run does.

Pure: see `trido.supervision.decision`.
"""

from __future__ import annotations

from itertools import chain
from typing import Literal, cast

from trido.supervision import errors, events
from trido.supervision.blame import all_are, any_is
from trido.supervision.deciding.starting import Starting
from trido.supervision.messages import End, Operation, Operations, Reply, RunEnded, Tell
from trido.supervision.policy import BRUTAL_KILL
from trido.supervision.records import Handle, Job, Record
from trido.supervision.tables import ENDS


class Ending(Starting):
    """What the end of a run does."""

    __slots__ = ()

    def _on_ended(self, event: RunEnded) -> Operations:
        record = self._run(event.id, event.run)
        if record is None:
            return ()
        end = self._reading(record, event.end)
        if end.kind == "stopped" and end is not event.end:
            record.asked = True
        was_zombie = record.state == "zombie"
        self._run_is_over(record)
        follows = self._what_follows(record, end)
        return chain(follows, self._zombie_is_gone()) if was_zombie else follows

    def _what_follows(self, record: Record, end: End) -> Operations:
        if end.kind == "fatal":
            return self._ended_fatally(record, end)
        if record.asked:
            return self._ended_when_asked(record, end)
        if not record.ready:
            return self._ended_before_ready(record, end)
        if self._escalates(record, end) and self.phase != "stopping":
            return self._escalated(record, end)
        record.found = end
        if self._job is None and not self._queue:
            return self._ended_by_itself(record, end)
        self._queue.append(Handle(record.id, record.incarnation))
        return ()

    def _zombie_is_gone(self) -> Operations:
        self._zombies -= 1
        self._resume_paused()
        yield from ()

    def _reading(self, record: Record, end: End) -> End:
        """What an end means here and now."""
        if record.fault is not None and end.kind != "fatal":
            if end.kind == "escalated" and record.ready:
                return end
            record.fault.__context__ = end.reason
            return End("crashed", record.fault)
        if isinstance(end.reason, errors.LeakedCancelled) and self.phase == "stopping":
            beside = end.reason.beside
            return End("stopped") if beside is None else End("crashed", beside)
        return end

    def _run_is_over(self, record: Record) -> None:
        record.live = False
        self._live -= 1
        self._alarms.clear(record.id)
        if record.ready:
            uptime = self._now - record.ready_at
            if record.policy.backoff is not None and uptime >= record.policy.backoff.reset_after:
                record.attempt = 0
            if uptime >= self.settings.max_seconds:
                record.consecutive = 0

    def _ended_before_ready(self, record: Record, end: End) -> Operations:
        job = cast("Job", self._job) if record.orphan is None else record.orphan
        record.orphan = None
        self._orphaned.pop(record.id, None)
        if end.kind == "ignored":
            yield from self._start_ignored(record, end)
        else:
            reason = errors.NotStarted(record.id) if end.reason is None else end.reason
            yield from self._start_failed(record, reason, job)

    def _ended_by_itself(self, record: Record, end: End) -> Operations:
        record.found = None
        crashed = end.kind != "normal"
        outcome: Literal["normal", "crashed"] = "crashed" if crashed else "normal"
        rule = ENDS[record.policy.restart, outcome]
        if crashed:
            record.last_crash = end.reason
        restarted = rule.restarted and (
            not crashed or all_are(record.policy.restart_on, end.reason)
        )
        over = self._count(record, _cause(end)) if restarted else ""
        if restarted:
            yield self._move(record, "retry", comes_back=not over)
        else:
            yield self._move(record, "remove" if self._leaves(record) else "end")
        if self.tells_all:
            yield self._tell(events.ChildEnded, record, outcome=outcome, reason=end.reason)
        if rule.reported:
            restarts = restarted and not over
            yield self._report(record, "child_terminated", outcome, end.reason, restarts=restarts)
        if restarted:
            record.chain += 1
            yield from self._attempt(record, _cause(end), over)
        elif record.policy.significant:
            yield from self._auto_shutdown()

    def _ended_when_asked(self, record: Record, end: End) -> Operations:
        crashed = end.kind in ("crashed", "escalated", "ignored")
        outcome = "crashed" if crashed else end.kind
        if crashed:
            record.last_crash = end.reason
        follows: tuple[Operation, ...] = (
            self._move(record, "remove" if self._leaves(record) else "end"),
        )
        if record.ready and self.tells_all:
            told = self._tell(events.ChildStopped, record, outcome=outcome, reason=end.reason)
            follows += (told,)
        follows += self._report_stop(record, outcome, end.reason)
        if record.waiters or record.orphan is not None:
            follows += self._answer_waiters(record)
        if self._escalates(record, end) and self.phase != "stopping":
            return chain(follows, self._give_up(record, end.reason, _escalation(end)))
        job = self._job
        if job is not None and job.waiting == record.id:
            job.waiting = None
        return follows

    def _report_stop(
        self, record: Record, outcome: str, reason: BaseException | None
    ) -> tuple[Tell, ...]:
        if (
            outcome == "crashed"
            or (outcome == "killed" and record.policy.shutdown is not BRUTAL_KILL)
            or (outcome == "normal" and record.ready and record.policy.restart == "permanent")
        ):
            return (self._report(record, "shutdown_error", outcome, reason),)
        return ()

    def _found_dead(self, record: Record, end: End) -> Operations:
        record.found = None
        outcome = "normal" if end.kind == "normal" else "crashed"
        if outcome == "crashed":
            record.last_crash = end.reason
        yield self._move(record, "remove" if self._leaves(record) else "end")
        yield self._tell(events.ChildEnded, record, outcome=outcome, reason=end.reason)
        yield from self._report_stop(record, outcome, end.reason)

    def _ended_fatally(self, record: Record, end: End) -> Operations:
        told = events.ChildStopped if record.asked else events.ChildEnded
        yield self._move(record, "remove" if self._leaves(record) else "end")
        yield self._tell(told, record, outcome="crashed", reason=end.reason)
        yield from self._fail(cast("BaseException", end.reason))
        yield from self._answer_waiters(record)
        if self._waits_for(record):
            self._done_waiting()

    def _escalated(self, record: Record, end: End) -> Operations:
        record.last_crash = end.reason
        yield self._move(record, "remove" if self._leaves(record) else "end")
        yield self._tell(events.ChildEnded, record, outcome="crashed", reason=end.reason)
        yield self._report(record, "child_terminated", "crashed", end.reason)
        yield from self._give_up(record, end.reason, _escalation(end))

    def _escalates(self, record: Record, end: End) -> bool:
        return end.kind == "escalated" or (
            end.kind == "crashed" and any_is(record.policy.escalate_on, end.reason)
        )

    def _answer_waiters(self, record: Record) -> tuple[Reply, ...]:
        waiters, record.waiters = record.waiters, ()
        replies = [Reply(number, None) for number in waiters]
        orphan, record.orphan = record.orphan, None
        self._orphaned.pop(record.id, None)
        if orphan is not None and orphan.request is not None:
            stopping = self.phase == "stopping"
            failed = errors.StartFailed(record.id, record.fault)
            replies.append(Reply(orphan.request, self._stopped() if stopping else failed))
        return tuple(replies)


def _escalation(end: End) -> str:
    name = type(end.reason).__name__
    return f"raised {name}" if end.kind == "escalated" else f"raised {name}, which escalates"


def _cause(end: End) -> BaseException | None:
    """What a giving-up supervisor names as its cause after this end."""
    gave_up = all_are((errors.RestartLimitExceeded,), end.reason)
    return end.reason if end.kind != "normal" or gave_up else None
