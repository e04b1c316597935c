"""How a supervisor carries out what its machine has decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from trido.supervision import errors, events
from trido.supervision.log import About
from trido.supervision.messages import (
    CancelRun,
    End,
    Fail,
    Finished,
    InterruptBody,
    KillRun,
    Moved,
    Reply,
    StartRun,
    Stuck,
    Tell,
    TellUnkillable,
)
from trido.supervision.policy import ChildPolicy
from trido.supervision.report import RunReport
from trido.supervision.shell import Shell, child_of


class BodyFirst(Exception):
    """Leaves off: the body is interrupted before anything else, and by the supervisor's own task.

    Its Cancelled keeps all the frames that it was ordered from, and on the spot there may be any.
    """


class Carrying(Shell):
    """A supervisor, as its machine's operations see it."""

    def _start_run(self, operation: StartRun) -> None:
        child = child_of(self._machine.records[operation.id])
        if operation.run > 1:
            self._restarted: bool = True
        report = RunReport(self._whole, child, operation.run)
        try:
            child.run = child.place.start(report)
        except Exception as error:
            report.ended(End("crashed", error))
        if report.is_over:
            child.run = None

    def _cancel_run(self, operation: CancelRun) -> None:
        run = child_of(self._machine.records[operation.id]).run
        if run is not None:
            run.cancel(operation.deadline, operation.reason)

    def _kill_run(self, operation: KillRun) -> None:
        run = child_of(self._machine.records[operation.id]).run
        if run is not None:
            run.kill()

    def _moved(self, operation: Moved) -> None:
        child = child_of(operation.record)
        child.place.changed(operation.state, comes_back=operation.comes_back)
        if child.waiters is not None:
            child.wake_waiters()

    def _tell(self, operation: Tell) -> None:
        self._tell_event(operation.event, operation.policy, restarts=operation.restarts)

    def _tell_unkillable(self, operation: TellUnkillable) -> None:
        record = self._machine.records[operation.id]
        run = child_of(record).run
        event = events.ChildUnkillable(
            path=self.path,
            id=operation.id,
            incarnation=operation.run,
            time=self.now(),
            stack="" if run is None else run.stack(),
        )
        self._tell_event(event, record.policy)

    def _tell_event(
        self, event: events.Event, policy: ChildPolicy | None, *, restarts: bool = False
    ) -> None:
        fatal = self.bus.tell(event, About(self._settings, policy, restarts))
        if fatal is not None:
            self.post(Fail(now=event.time, error=fatal))

    def _reply(self, operation: Reply) -> None:
        # It is forgotten once it has its answer: if that fails, it is told so with all others.
        caller = self._callers.get(operation.number)
        if caller is not None:
            caller.answer(operation.error)
            del self._callers[operation.number]

    def _interrupt_body(self, operation: InterruptBody) -> None:
        raise BodyFirst

    def _stuck(self, operation: Stuck) -> None:
        if self._report is not None:
            self._report.unkillable()

    def _finished_by(self, operation: Finished) -> None:
        self.error: BaseException | None = operation.error
        if isinstance(self.error, errors.RestartLimitExceeded):
            self.error.opened_by = self.opened_by
        for record in self._machine.records.values():
            if record.state == "parked":  # nobody will run it again
                child_of(record).place.changed("stopped", comes_back=False)
        self._finish()


CARRY_OUT: Final[dict[type[Any], Callable[[Carrying, Any], None]]] = {
    StartRun: Carrying._start_run,
    CancelRun: Carrying._cancel_run,
    KillRun: Carrying._kill_run,
    Moved: Carrying._moved,
    Tell: Carrying._tell,
    TellUnkillable: Carrying._tell_unkillable,
    Reply: Carrying._reply,
    InterruptBody: Carrying._interrupt_body,
    Stuck: Carrying._stuck,
    Finished: Carrying._finished_by,
}
