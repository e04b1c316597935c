"""What those who ask for a change get.

Pure: see `trido.supervision.decision`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Final, cast

from trido.supervision import errors
from trido.supervision.deciding.steps import Steps
from trido.supervision.messages import Operations, Reply, Request, Withdraw
from trido.supervision.records import Job, Record
from trido.supervision.tables import REFUSALS


class Requests(Steps):
    """What those who ask for a change get."""

    __slots__ = ()

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
        self._job = Job("start_child", request=request.number, waiting=request.id)
        return self._start_run(record, "api")

    def _restart_child(self, request: Request) -> Operations:
        record = self.records[request.id]
        if record.state == "parked":
            record.window = ()
            record.consecutive = 0
        self._job = Job("restart_child", request=request.number, waiting=request.id)
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


_REQUESTS: Final[dict[str, Callable[[Requests, Request], Operations]]] = {
    "start_child": Requests._start_child,
    "restart_child": Requests._restart_child,
    "delete_child": Requests._delete_child,
    "stop_child": Requests._stop_child,
}
