"""The supervisor as a state machine: events in, operations out.

Two rules. Everything that decides about a supervisor lives here, in `tables` and in `messages`.
And none of them knows Trio, a clock, randomness or I/O: the time and a random number come with
each input.

`Machine.handle` takes one input and yields the operations that follow from it, each *after* the
state it tells of is in place; whoever carries them out exhausts it before the next input. Where all
that follows tells of one state, a plain function returns it; where the state goes on in between, a
generator yields it. At most one *job* is in hand at a time (stop these, then start those, one after
another); what cannot be decided before it is done waits in the queue: ends, requests and retries,
in the order they came. A stop, a fatal end and an `Escalate` do not wait.

Semantics: Erlang/OTP's ``supervisor``.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain, takewhile
from typing import Any, Final, Literal, cast

from attrs import define, evolve

from trido.supervision import errors, events
from trido.supervision.alarms import Alarm, Alarms
from trido.supervision.blame import all_are, any_is
from trido.supervision.messages import (
    Begin,
    CancelRun,
    End,
    Fail,
    Finished,
    Input,
    InterruptBody,
    Kill,
    KillRun,
    Moved,
    Operation,
    Operations,
    Reply,
    Request,
    RunEnded,
    RunFailing,
    RunReady,
    RunStuck,
    StartRun,
    Stop,
    Stuck,
    Tell,
    TellUnkillable,
    Tick,
    Withdraw,
)
from trido.supervision.policy import BRUTAL_KILL, Strategy
from trido.supervision.records import (
    Cause,
    Handle,
    Item,
    Job,
    Outcome,
    Phase,
    Purpose,
    Record,
    Resume,
    Retry,
    Settings,
)
from trido.supervision.tables import ENDS, LIFECYCLE, REFUSALS, UP, State, Trigger


@define(eq=False, init=False)
class Machine:
    """One supervisor: what it knows, and what it does about what happens."""

    settings: Settings
    records: dict[str, Record]
    """The places, in start order."""
    phase: Phase
    window: tuple[float, ...]
    """When automatic restarts were decided, the latest first."""
    outcome: Outcome
    error: BaseException | None
    tells_all: bool
    """Whether anybody wants to hear of what goes well, too: of starts, and of stops and ends."""

    _now: float
    _u: float
    _queue: deque[Item]
    _job: Job | None
    _alarms: Alarms
    _stop_due: float
    _live: int
    _zombies: int
    _significant_up: int
    _paused: dict[str, int]
    _returning: dict[str, None]
    """Those that were stopped by a group restart which has not started them yet."""
    _waiting: set[int]
    """The numbers of the requests in the queue."""
    _withdrawn: set[int]
    _orphaned: dict[str, None]
    """Those with an `Record.orphan`."""
    _killing: bool
    _fatal: list[BaseException]

    def __init__(self, settings: Settings, children: Iterable[Record] = ()) -> None:
        self.settings = settings
        self.records = {record.id: record for record in children}
        self.phase = "new"
        self.window = ()
        self.outcome = "shutdown"
        self.error = None
        self.tells_all = True
        self._now = self._u = 0.0
        self._queue = deque()
        self._job = None
        self._alarms = Alarms()
        self._stop_due = math.inf
        self._live = self._zombies = self._significant_up = 0
        self._paused = {}
        self._returning = {}
        self._waiting = set()
        self._withdrawn = set()
        self._orphaned = {}
        self._killing = False
        self._fatal = []

    # The function ---------------------------------------------------------------------------

    def handle(self, event: Input) -> Operations:
        """Yield what follows from ``event``. Exhaust it before the next."""
        self._now, self._u = event.now, event.u
        yield from _HANDLERS[type(event)](self, event)
        job = self._job
        if self._queue if job is None else job.waiting is None:
            yield from self._advance()

    def forget_error(self) -> None:
        """Do not keep what `Finished` has handed out."""
        self.error = None
        self._fatal.clear()

    def next_deadline(self) -> float:
        """When to hand in the next `Tick`."""
        return min(self._alarms.next(), self._stop_due)

    def copy(self) -> Machine:
        """An independent machine in the same state."""
        twin = copy.copy(self)
        for name in (
            "_alarms",
            "_paused",
            "_returning",
            "_orphaned",
            "_waiting",
            "_withdrawn",
            "_fatal",
        ):
            setattr(twin, name, getattr(self, name).copy())
        twin._queue = deque(_copied(item) for item in self._queue)
        twin.records = {id: record.copy() for id, record in self.records.items()}
        twin._job = None if self._job is None else self._job.copy()
        return twin

    @property
    def queued(self) -> int:
        """How many ends, requests and retries wait for the job in hand."""
        return len(self._queue)

    # Jobs -----------------------------------------------------------------------------------

    def _advance(self) -> Operations:
        while self._queue or self._job is not None:
            job = self._job
            if job is None:
                yield from self._take(self._queue.popleft())
            elif job.waiting is not None:
                return
            elif job.to_stop:
                yield from self._stop_next(job)
            elif job.purpose == "stop" and self._live:
                if self._live == self._zombies:
                    yield Stuck()
                return
            else:
                yield from self._start_phase(job)

    def _start_phase(self, job: Job) -> Operations:
        if job.purpose == "restart" and not job.begun:
            if self._put_off(job):
                self._job = None
            job.begun = True
            return ()
        if job.to_start:
            return self._start_next(job)
        self._job = None
        return self._complete(job)

    def _take(self, item: Item) -> Operations:
        if isinstance(item, Request):
            return self._begin_request(item)
        record = self.records.get(item.id)
        if record is None:
            return ()
        if isinstance(item, Handle):
            if record.found is not None and record.incarnation == item.run:
                return self._ended_by_itself(record, record.found)
        elif record.state == "restarting" and not record.live and record.chain == item.chain:
            if isinstance(item, Retry):
                return self._try_again(record)
            self._job = self._restart_job(record)
        return ()

    def _try_again(self, record: Record) -> Operations:
        over = self._count(record, record.last_crash)
        if not over:
            yield Moved(record, record.state, comes_back=True)
        yield from self._attempt(record, record.last_crash, over)

    def _stop_next(self, job: Job) -> Operations:
        record = self.records.get(job.to_stop.pop())
        if record is None:
            return ()
        if job.purpose == "restart":
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
        self.phase = "ended"
        if len(self._fatal) > 1:
            self.error = BaseExceptionGroup("children ended fatally", self._fatal)
        elif self._fatal:
            self.error = self._fatal[0]
        if not isinstance(self.error, errors.StartFailed):
            yield self._tell(events.SupervisorEnded, None, outcome=self.outcome, reason=self.error)
        yield Finished(self.error)

    # Starting -------------------------------------------------------------------------------

    def _on_begin(self, event: Begin) -> Operations:
        if self.phase == "new":
            self.phase = "starting"
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
            self.error = errors.StartFailed(record.id, reason)
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

    # Ends -----------------------------------------------------------------------------------

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
        follows: list[Operation] = [self._move(record, "remove" if self._leaves(record) else "end")]
        if record.ready and self.tells_all:
            told = self._tell(events.ChildStopped, record, outcome=outcome, reason=end.reason)
            follows.append(told)
        follows += self._report_stop(record, outcome, end.reason)
        follows += self._answer_waiters(record)
        if self._escalates(record, end) and self.phase != "stopping":
            return chain(follows, self._give_up(record, end.reason, _escalation(end)))
        if self._waits_for(record):
            self._done_waiting()
        return follows

    def _report_stop(
        self, record: Record, outcome: str, reason: BaseException | None
    ) -> Operations:
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

    def _auto_shutdown(self) -> Operations:
        mode = self.settings.auto_shutdown
        if mode == "any_significant" or (mode == "all_significant" and not self._significant_up):
            yield from self._begin_stop()

    # Restarting -----------------------------------------------------------------------------

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
                self.window = window
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

    def _give_up_retry(self, record: Record) -> Operations:
        record.chain += 1
        self._alarms.clear(record.id)
        return (self._move(record, "remove" if self._leaves(record) else "end"),)

    def _give_up_returning(self) -> Operations:
        returning, self._returning = self._returning, {}
        for id in returning:
            record = self.records[id]
            yield Moved(record, record.state, comes_back=False)

    # Stopping -------------------------------------------------------------------------------

    def _stop_run(self, record: Record) -> Operations:
        if record.asked:
            return ()  # joined, with what is left of its grace
        record.asked = True
        moved = [self._move(record, "stop")] if record.state in ("starting", "running") else []
        if record.fault is None:
            return [*moved, *self._cancel_run(record, "its supervisor stops it")]
        return [*moved, *self._kill_run(record)] if self._grace(record) == 0 else moved

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
        self.error = errors.StartFailed(record.id, reason)
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
        self.outcome = "fatal"
        yield InterruptBody()
        if interrupted and self.phase == "stopping":
            yield from self._kill()
        yield from self._begin_stop()

    def _begin_stop(self) -> Operations:
        if self.phase in ("stopping", "ended"):
            return
        self.phase = "stopping"
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

    def _stopped(self) -> errors.SupervisorStopped:
        return errors.SupervisorStopped(self.settings.path[-1])

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

    # Requests -------------------------------------------------------------------------------

    def _on_request(self, event: Request) -> Operations:
        if self.phase in ("stopping", "ended"):
            return (Reply(event.number, self._stopped()),)
        if self._job is None and not self._queue:
            return self._serve(event)
        self._waiting.add(event.number)
        self._queue.append(event)
        return ()

    def _on_withdraw(self, event: Withdraw) -> Operations:
        if event.number in self._waiting:
            self._withdrawn.add(event.number)
        for job in (self._job, *self._orphans()):
            if job is not None and job.request == event.number:
                job.request = None
        return ()

    def _begin_request(self, request: Request) -> Operations:
        self._waiting.discard(request.number)
        if request.number in self._withdrawn:
            self._withdrawn.remove(request.number)
            return ()
        return self._serve(request)

    def _serve(self, request: Request) -> Operations:
        refusal = self._refusal(request)
        if refusal is not None:
            return (Reply(request.number, refusal),)
        return _REQUESTS[request.asked](self, request)

    def _refusal(self, request: Request) -> errors.TridoError | None:
        record = self.records.get(request.id)
        if record is not None:
            refusal = REFUSALS[request.asked].get(record.state)
            return None if refusal is None else refusal(request.id)
        if request.asked != "start_child":
            return errors.ChildNotFound(request.id)
        if self.settings.dynamic and len(self.records) >= self.settings.max_children:
            return errors.MaxChildren(self.settings.path[-1], self.settings.max_children)
        return None

    def _start_child(self, request: Request) -> Operations:
        record = self.records[request.id] = cast("Record", request.record)
        record.provisional = True
        self._job = Job("start_child", request.id, request=request.number, waiting=request.id)
        return self._start_run(record, "api")

    def _orphans(self) -> list[Job]:
        orphans = (self.records[id].orphan for id in self._orphaned)
        return [job for job in orphans if job is not None]

    def _restart_child(self, request: Request) -> Operations:
        record = self.records[request.id]
        if record.state == "parked":
            record.window = ()
            record.consecutive = 0
        self._job = Job("restart_child", request.id, request=request.number, waiting=request.id)
        return self._start_run(record, "api")

    def _delete_child(self, request: Request) -> Operations:
        return self._move(self.records[request.id], "remove"), Reply(request.number, None)

    def _stop_child(self, request: Request) -> Operations:
        record = self.records[request.id]
        if record.state == "zombie" and record.live:
            record.asked = True
            record.waiters += (request.number,)
            return ()
        if record.live or record.found is not None:
            self._job = job = Job("stop_child", to_stop=[request.id], request=request.number)
            return self._stop_next(job)
        done = (Reply(request.number, None),)
        if record.state in ("restarting", "parked"):
            return chain(self._give_up_retry(record), self._give_up_returning(), done)
        return done

    def _answer_waiters(self, record: Record) -> Operations:
        waiters, record.waiters = record.waiters, ()
        replies = [Reply(number, None) for number in waiters]
        orphan, record.orphan = record.orphan, None
        self._orphaned.pop(record.id, None)
        if orphan is not None and orphan.request is not None:
            stopping = self.phase == "stopping"
            failed = errors.StartFailed(record.id, record.fault)
            replies.append(Reply(orphan.request, self._stopped() if stopping else failed))
        return replies

    # Time -----------------------------------------------------------------------------------

    def _on_tick(self, event: Tick) -> Operations:
        while (due := self._alarms.pop(self._now)) is not None:
            yield from self._ring(self.records[due[0]], due[1])
        if self._stop_due <= self._now:
            yield from self._kill()

    def _ring(self, record: Record, kind: Alarm) -> Operations:
        if kind == "start":
            seconds = record.policy.start_timeout
            yield from self._stop_failing(record, errors.StartTimeout(record.id, seconds))
        elif kind == "grace":
            yield from self._kill_run(record)
        else:
            self._queue.append(Resume(record.id, record.chain))

    # Small words ----------------------------------------------------------------------------

    def _run(self, id: str, run: int) -> Record | None:
        """The place whose live run this is; None if that run is no more."""
        record = self.records.get(id)
        if record is None or not record.live or record.incarnation != run:
            return None
        return record

    def _leaves(self, record: Record) -> bool:
        """Whether a place that ends goes, instead of staying without a run."""
        goes = self.settings.dynamic or self.settings.forgets
        return goes or record.policy.restart == "temporary" or record.provisional

    def _waits_for(self, record: Record) -> bool:
        return self._job is not None and self._job.waiting == record.id

    def _done_waiting(self) -> None:
        cast("Job", self._job).waiting = None

    def _drop(self, job: Job) -> None:
        if self._job is job:
            self._job = None

    def _move(self, record: Record, trigger: Trigger, *, comes_back: bool = False) -> Moved:
        before, record.state = record.state, _next_state(record.state, trigger)
        if record.policy.significant:
            self._significant_up += (record.state in UP) - (before in UP)
        if record.state == "removed":
            self._alarms.clear(record.id)
            self._returning.pop(record.id, None)
            self._orphaned.pop(record.id, None)
            del self.records[record.id]
        return Moved(record, record.state, comes_back or record.id in self._returning)

    def _tell(self, event: type[events.Event], record: Record | None, **fields: object) -> Tell:
        settings = self.settings
        id, run = (
            (settings.path[-1], settings.incarnation)
            if record is None
            else (record.id, record.incarnation)
        )
        told = event(path=settings.path, id=id, incarnation=run, time=self._now, **fields)
        return Tell(told, None if record is None else record.policy)

    def _report(
        self,
        record: Record,
        context: str,
        outcome: str,
        reason: BaseException | None,
        *,
        restarts: bool = False,
    ) -> Tell:
        told = self._tell(
            events.SupervisorReport, record, context=context, outcome=outcome, reason=reason
        )
        return Tell(told.event, told.policy, restarts=True) if restarts else told


_HANDLERS: Final[dict[type[Any], Callable[[Machine, Any], Operations]]] = {
    Begin: Machine._on_begin,
    RunReady: Machine._on_ready,
    RunEnded: Machine._on_ended,
    RunFailing: Machine._on_failing,
    RunStuck: Machine._on_stuck,
    Tick: Machine._on_tick,
    Request: Machine._on_request,
    Withdraw: Machine._on_withdraw,
    Stop: Machine._on_stop,
    Kill: Machine._on_kill,
    Fail: Machine._on_fail,
}
_REQUESTS: Final[dict[str, Callable[[Machine, Request], Operations]]] = {
    "start_child": Machine._start_child,
    "restart_child": Machine._restart_child,
    "delete_child": Machine._delete_child,
    "stop_child": Machine._stop_child,
}


def _copied(item: Item) -> Item:
    if isinstance(item, Request) and item.record is not None:
        return evolve(item, record=item.record.copy())
    return item


def _it_and_later(records: dict[str, Record], id: str) -> list[str]:
    later = list(takewhile(lambda other: other != id, reversed(records)))
    return [*later, id]


_CAUSES: Final[dict[Purpose, Cause]] = {
    "init": "start",
    "restart": "restart",
    "start_child": "api",
    "restart_child": "api",
}
_GROUPS: Final[dict[Strategy, Callable[[dict[str, Record], str], list[str]]]] = {
    "one_for_one": lambda records, only: [only],
    "one_for_all": lambda records, _: list(reversed(records)),
    "rest_for_one": _it_and_later,
}
"""Who is started again when a child is, in reverse start order."""


def _escalation(end: End) -> str:
    name = type(end.reason).__name__
    return f"raised {name}" if end.kind == "escalated" else f"raised {name}, which escalates"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _next_state(state: State, trigger: Trigger) -> State:
    return LIFECYCLE[state][trigger]


def _cause(end: End) -> BaseException | None:
    """What a giving-up supervisor names as its cause after this end."""
    gave_up = all_are((errors.RestartLimitExceeded,), end.reason)
    return end.reason if end.kind != "normal" or gave_up else None
