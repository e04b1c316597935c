"""The supervisor as a state machine: events in, operations out.

Two rules. Everything that decides about a supervisor lives here and in `deciding`, in `tables` and
in `messages`. And none of them knows Trio, a clock, randomness or I/O: the time and a random number
come with each input.

`Machine.handle` takes one input and gives the operations that follow from it, each *after* the
state it tells of is in place; whoever carries them out exhausts it before the next input. Where all
that follows tells of one state, a plain function returns it, as a tuple; where the state goes on in
between, a generator yields it. At most one *job* is in hand at a time (stop these, then start
those, one after another); what cannot be decided before it is done waits in the queue: ends,
requests and retries, in the order they came. A stop, a fatal end and an `Escalate` do not wait.

Semantics: Erlang/OTP's ``supervisor``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from trido.supervision import errors
from trido.supervision.alarms import Alarm
from trido.supervision.deciding.requests import Requests
from trido.supervision.messages import (
    Begin,
    Fail,
    Input,
    Kill,
    Moved,
    Operations,
    Request,
    RunEnded,
    RunFailing,
    RunReady,
    RunStuck,
    Stop,
    Stuck,
    Tick,
    Withdraw,
)
from trido.supervision.records import Handle, Item, Job, Record, Resume, Retry


class Machine(Requests):
    """One supervisor: what it knows, and what it does about what happens."""

    __slots__ = ()

    def handle(self, event: Input) -> Operations:
        """What follows from ``event``. Exhaust it before the next."""
        self._now, self._u = event.now, event.u
        follows = _HANDLERS[type(event)](self, event)
        job = self._job
        if type(follows) is tuple and not (self._queue if job is None else job.waiting is None):
            return follows
        if type(follows) is tuple and job is not None and self._is_just_done(job):
            self._job = None
            return (*follows, *self._complete(job))
        return self._and_then_advance(follows)

    def _is_just_done(self, job: Job) -> bool:
        """Whether all that is left of it is to tell whoever asked for it."""
        return not (job.request is None or job.to_stop or job.to_start or self._queue)

    def _and_then_advance(self, operations: Operations) -> Operations:
        yield from operations
        yield from self._advance()

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
