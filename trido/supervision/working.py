"""The supervisor's task, and how others do its work while it sleeps.

Why it is built this way; each part was seen to be needed:

- The task is shielded, and learns of an outer cancellation as an input. A plain nursery would
  cancel all children at once, and OTP's order of stopping would be lost.
- Every way out of the task kills what still runs, or the shields would keep it hanging.
- The task yields at least once between two inputs that restart something: a restart loop whose
  child crashes before its first checkpoint would otherwise never let anybody in.
- While the task sleeps, whoever has something for it does its work on the spot: two changes of task
  take longer than most inputs do. What fails there fails in the supervisor's own task all the same,
  so it reaches whoever waits; and who restarts something there leaves what comes next to that task.
- Runs are compared by number. A run that was given up may still report; it must not be taken for
  its successor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final

import trio
from outcome import Error
from trio.lowlevel import Abort, RaiseCancelT, Task, enable_ki_protection

from trido.supervision import errors
from trido.supervision.carrying import CARRY_OUT, BodyFirst, Carrying
from trido.supervision.messages import Begin, End, Input, Operation, Request, RunReady, Tick
from trido.supervision.shell import child_of
from trido.supervision.shields import spare
from trido.supervision.spot import Spot

_SLICE: Final = 64
"""How many inputs are handled at most before other tasks get their turn."""


class Working(Carrying):
    """A supervisor that does what is in its inbox."""

    @enable_ki_protection
    async def run(self) -> None:
        """Supervise until all children have ended. Raises nothing: see `error`."""
        try:
            self.task: Task | None = trio.lowlevel.current_task()
            # `trio.current_time` looks for it each time.
            self.now: Callable[[], float] = trio.lowlevel.current_clock().current_time
            self.spot: Spot = Spot.here()
            if self.opened_by is not None:
                self.opened_by.opened(self._whole)
            spare(self._scope)
            with self._scope:
                async with trio.open_nursery() as nursery:
                    self.nursery: trio.Nursery | None = nursery
                    # Before whatever was asked of it already.
                    self._inbox.appendleft(Begin(now=self.now()))
                    await self._supervise()
        # A failure in here is a bug, ours or an operating system's: never lost, see `error`.
        except BaseException as exc:  # noqa: ASYNC103
            self.error: BaseException | None = _without_wrapping(exc)
        finally:
            self._end()

    async def _supervise(self) -> None:
        try:
            while not self._finished:
                self._due = self._machine.next_deadline()
                await self._sleep_until(self._due)
                self._work()
                while self._rest is not None:
                    self.body_scope.cancel(reason=f"supervisor {self.id!r} gives up")
                    rest, self._rest = self._rest, None
                    self._carry_out(rest)
        except BaseException as exc:
            self.abandon(exc)
            raise

    def _work(self) -> None:
        if self._rest is not None:
            return
        self._empty_inbox()
        now = self.now()
        if not self._finished and self._machine.next_deadline() <= now:
            self._handle(Tick(now=now))

    def _empty_inbox(self) -> None:
        """Handle what is in there; not all at once, and nothing after what restarted something."""
        inbox = self._inbox
        self._restarted = False
        self._machine.tells_all = self.bus.hears_all
        for _ in range(_SLICE):
            if not inbox or self._finished or self._rest is not None:
                return
            if self._restarted and not isinstance(inbox[0], RunReady):
                return  # that may restart something, too
            self._handle(inbox.popleft())

    def _handle(self, event: Input) -> None:
        """Hand ``event`` in and carry out what follows."""
        if type(event) is Request and event.number not in self._callers:
            return
        self._carry_out(iter(self._machine.handle(event)))

    def _carry_out(self, operations: Iterator[Operation]) -> None:
        """Carry these out, up to where the body is to be interrupted: that is before the rest."""
        try:
            for operation in operations:
                CARRY_OUT[type(operation)](self, operation)
        except BodyFirst:
            self._rest: Iterator[Operation] | None = operations
            return
        if self._machine.phase != self._phase:
            self._phase = self._machine.phase
            self._phase_changed()

    def _phase_changed(self) -> None:
        if self._phase == "running":
            self.settled.set()
            if self._report is not None:
                self._report.ready(self)
        elif self._phase == "stopping":
            self.winds_up.set()

    async def _sleep_until(self, deadline: float) -> None:
        if self._inbox:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        if deadline == math.inf:
            await self._sleep()
            return
        with trio.CancelScope(deadline=deadline):
            await self._sleep()

    async def _sleep(self) -> None:
        def abort(_: RaiseCancelT) -> Abort:
            self._sleeper = None
            return Abort.SUCCEEDED

        try:
            self._sleeper = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(abort)
        finally:
            self._sleeper = None

    @enable_ki_protection
    def tell(self, event: Input) -> None:
        """Hand ``event`` in: on the spot if the supervisor's task sleeps, else it has its turn.

        With observers it always has its turn: they are called in the supervisor's task.
        """
        sleeper = self._sleeper
        if sleeper is None or self.bus.has_observers:
            self.post(event)
        else:
            self._work_here(event, sleeper)

    def _work_here(self, event: Input, sleeper: Task) -> None:
        """Do the work of the supervisor's task in the calling one, and wake it if more is left."""
        try:
            self._sleeper = None  # what follows from this waits in the inbox
            self._inbox.append(event)
            # What is started here has the context of the supervisor's task, as ever.
            sleeper.context.run(self._empty_inbox)
            # Something must not wait for what the supervisor's task sleeps until.
            is_due = self._phase != "running" or self._machine.next_deadline() < self._due
            if is_due or self._inbox or self._restarted or self._rest is not None:
                trio.lowlevel.reschedule(sleeper)
            else:
                self._sleeper = sleeper
        except BaseException as error:  # noqa: ASYNC103  # it is raised where it belongs
            trio.lowlevel.reschedule(sleeper, Error(error))

    def abandon(self, error: BaseException) -> None:
        """Kill what runs, in reverse order, without the machine's help: it, or we, failed."""
        self.error = error
        self._finish()
        self.body_scope.cancel(reason=f"supervisor {self.id!r} failed")
        for record in reversed(self._machine.records.values()):
            run = child_of(record).run
            if run is not None:
                run.kill()
        self._wake()

    def _end(self) -> None:
        self._finish()
        self._inbox.clear()
        if self.opened_by is not None:
            self.opened_by.closed(self._whole)
        for record in self._machine.records.values():
            if self._machine.phase != "ended":
                child_of(record).place.changed("stopped", comes_back=False)
            child_of(record).wake_waiters()
        self.settled.set()
        self.over.set()
        if self._report is not None:
            self._report.ended(self._end_of_child())

    def _end_of_child(self) -> End:
        """How this supervisor ended, to the one above: giving up is a shutdown there."""
        if self._machine.phase != "ended":
            return End("crashed", self.error)
        if self._machine.outcome == "fatal":
            return End("fatal", self.error)
        if isinstance(self.error, errors.StartFailed):
            return End("crashed", self.error)
        if self.error is None and self.told_to_end:
            return End(self.told_to_end)
        return End("normal", self.error)


def _without_wrapping(error: BaseException) -> BaseException:
    """What broke the supervisor, without the nursery's group and the cancellation that followed."""
    if isinstance(error, BaseExceptionGroup):
        left = error.split(trio.Cancelled)[1]
        if left is not None:  # pragma: no branch - somebody failed, or nobody was cancelled
            return left.exceptions[0] if len(left.exceptions) == 1 else left
    return error
