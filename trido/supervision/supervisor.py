"""The supervisor: the thin shell around the decision.

A `Supervisor` runs in a task of its own. Everything that happens to it (a run became ready or
ended, somebody asks for a change, time has come) is put into its inbox; the task hands the inbox to
the `Machine`, one input after another, and carries out the operations that come back. Nothing is
decided here.

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
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    Literal,
    TypeVar,
    TypeVarTuple,
    Unpack,
    cast,
    final,
    overload,
)

import trio
from attrs import evolve
from outcome import Error, Value
from trio.lowlevel import Abort, RaiseCancelT, Task, enable_ki_protection

from trido.supervision import draw, errors, events
from trido.supervision.bus import Bus
from trido.supervision.child import Child, ChildInfo
from trido.supervision.current import CURRENT, Current
from trido.supervision.decision import Machine
from trido.supervision.log import About
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
    Reply,
    Request,
    RunReady,
    StartRun,
    Stop,
    Stuck,
    Tell,
    TellUnkillable,
    Tick,
    Withdraw,
)
from trido.supervision.place import Report, as_place
from trido.supervision.policy import ChildPolicy
from trido.supervision.records import Phase, Record, Settings
from trido.supervision.report import RunReport
from trido.supervision.shields import spare
from trido.supervision.spec import (
    ChildSpec,
    DynamicSupervisorSpec,
    ReadySignalling,
    Spec,
    SupervisorSpec,
)
from trido.supervision.statistics import Counts, SupervisorStatistics
from trido.supervision.tables import ACTIVE, Asked, State

if TYPE_CHECKING:
    from trido.supervision.options import ChildOptions

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_SLICE: Final = 64
"""How many inputs are handled at most before other tasks get their turn."""


@final
class Caller:
    """Whoever asked for a change, and waits until it is made."""

    __slots__ = ("error", "is_answered", "task")

    def __init__(self) -> None:
        self.task: Task | None = None
        """Its task, once that sleeps."""
        self.is_answered: bool = False
        self.error: Exception | None = None

    def answer(self, error: Exception | None) -> None:
        """It is made; or it is not, because of ``error``."""
        self.is_answered, self.error = True, error
        if self.task is not None:
            trio.lowlevel.reschedule(self.task, Value(None) if error is None else Error(error))
            self.task = None

    def raise_error(self) -> None:
        """Raise why it is not made, if it is not. It is not kept: that would be a cycle."""
        error, self.error = self.error, None
        if error is not None:
            raise error


class SupervisorBase:
    """What static and dynamic supervisors have in common. Not to be made by hand."""

    def __init__(
        self,
        spec: SupervisorSpec | DynamicSupervisorSpec,
        bus: Bus,
        *,
        above: SupervisorBase | None = None,
        report: Report | None = None,
        **settings: Any,
    ) -> None:
        self.id: str = spec.name
        """Its id; ``"root"`` for a root that was given none."""
        self.spec = spec
        self.opened_by: Current | None = None
        self.task: Task | None = None
        self.bus = bus
        self._report = report
        self.path: tuple[str, ...] = (*(() if above is None else above.path), self.id)
        """The ids from the root to this supervisor."""
        self._settings = evolve(_settings(spec, self.path, report), **settings)
        self._machine = Machine(self._settings, self._records(spec))
        self._scope = trio.CancelScope(shield=True)
        self.body_scope: trio.CancelScope = trio.CancelScope()
        self.nursery: trio.Nursery | None = None
        self._inbox: deque[Input] = deque()
        self._sleeper: Task | None = None
        self._due = math.inf
        """When the supervisor's task wakes by itself."""
        self._phase: Phase = "new"
        """As it was told to others."""
        self._restarted = False
        self._callers: dict[int, Caller] = {}
        """Who waits for the reply of which number."""
        self._number = 0
        self.error: BaseException | None = None
        """What leaves the supervisor once it has ended, if anything."""
        self.told_to_end: Literal["stopped", "killed"] | None = None
        """How the supervisor above asked it to end, if it did."""
        self._finished = self._gives_up = False
        self.settled: trio.Event = trio.Event()
        self.winds_up: trio.Event = trio.Event()
        """Set once it stops its children for good. What a place has left behind ends then, too."""
        self.over: trio.Event = trio.Event()

    def __repr__(self) -> str:
        return f"<trido.{type(self).__name__} {'/'.join(self.path)!r} {self._machine.phase}>"

    def _records(self, spec: SupervisorSpec | DynamicSupervisorSpec) -> Iterable[Record]:
        return []

    # Reading --------------------------------------------------------------------------------

    @property
    def has_ended(self) -> bool:
        """Whether all children have ended and nothing can be started any more."""
        return self._finished

    @property
    def is_stopping(self) -> bool:
        """Whether it is stopping its children, for good."""
        return self._machine.phase == "stopping"

    @overload
    def __getitem__(self, key: Spec[T]) -> Child[T]: ...
    @overload
    def __getitem__(self, key: Child[T]) -> Child[T]: ...
    @overload
    def __getitem__(self, key: str) -> Child[Any]: ...
    def __getitem__(self, key: Spec[T] | Child[T] | str) -> Child[T]:
        """The live `Child` of this id, or of this spec.

        Raises:
          ChildNotFound: there is none.
        """
        id = self._id_of(key)
        record = self._machine.records.get(id)
        if record is None:
            raise errors.ChildNotFound(id)
        return _child(record)

    def __contains__(self, key: str | Child[Any] | Spec[Any]) -> bool:
        """Whether there is such a place: of this id, of this spec's, or this very child."""
        try:
            return self._id_of(key) in self._machine.records
        except errors.ChildNotFound:
            return False

    def children(self) -> tuple[ChildInfo, ...]:
        """A snapshot of every place, in start order."""
        return tuple(_child(record).info() for record in self._machine.records.values())

    def counts(self) -> Counts:
        """How many places there are, of which kind, and how many have a run."""
        records = self._machine.records.values()
        supervisors = sum(record.policy.kind == "supervisor" for record in records)
        return Counts(
            specs=len(records),
            active=sum(record.state in ACTIVE for record in records),
            supervisors=supervisors,
            workers=len(records) - supervisors,
        )

    def statistics(self) -> SupervisorStatistics:
        """What is going on in here, for debugging and monitoring."""
        states: dict[State, int] = {}
        for record in self._machine.records.values():
            states[record.state] = states.get(record.state, 0) + 1
        return SupervisorStatistics(
            states=states,
            restarts_in_window=len(self._machine.window),
            queued=self._machine.queued + len(self._inbox),
            callers=len(self._callers),
        )

    def tree(self) -> str:
        """The tree from here on down as text: every child with its state and its runs."""
        return draw.tree(self._drawing())

    def _drawing(self) -> draw.Node:
        mode = "dynamic" if self._settings.dynamic else self._settings.strategy
        node = draw.Node(f"{self.id} [{mode}]")
        for record in self._machine.records.values():
            node.children.append(_draw_child(record))
        return node

    # Changing -------------------------------------------------------------------------------

    async def stop_child(self, child: str | Child[Any] | Spec[Any]) -> None:
        """Stop a child and wait until it has ended; cancel its restart if one is due.

        The place stays, without a run, and `restart_child` runs it again; a temporary or dynamic
        child is removed. Stopping a child that has no run does nothing.

        If the caller is cancelled, a stop that has begun is carried through.

        Checkpoints: always.

        Raises:
          ChildNotFound: there is no such child.
          SupervisorStopped: the supervisor is stopping or has ended.
          DeadlockError: the caller descends from a child that is being started or stopped.
        """
        await self._ask("stop_child", child)

    async def restart_child(self, child: str | Child[Any] | Spec[Any]) -> Child[Any]:
        """Run a child again that has no run, and wait until it is ready.

        It keeps its position. It is not an automatic restart and does not count as one. A child
        that was parked begins with an empty window.

        If the caller is cancelled, a start that has begun is carried through and the child stays.

        Checkpoints: always.

        Raises:
          ChildNotFound: there is no such child.
          ChildRunning, ChildRestarting: it has a run, or is about to have one.
          StartFailed: it failed before it was ready, and stays without a run.
          SupervisorStopped: the supervisor is stopping or has ended.
          DeadlockError: the caller descends from a child that is being started or stopped.
        """
        record = await self._ask("restart_child", child)
        return _child(cast("Record", record))

    async def delete_child(self, child: str | Child[Any] | Spec[Any]) -> None:
        """Remove the place of a child that has no run.

        Checkpoints: always.

        Raises:
          ChildNotFound: there is no such child.
          ChildRunning, ChildRestarting: it has a run, or is about to have one.
          SupervisorStopped: the supervisor is stopping or has ended.
          DeadlockError: the caller descends from a child that is being started or stopped.
        """
        await self._ask("delete_child", child)

    @enable_ki_protection
    def stop(self, *, cancelled: bool = False) -> None:
        """Stop all children, in order, beginning as soon as the caller yields.

        The block's body goes on, and nothing is raised: `wait` returns once they have ended.
        Stopping twice is stopping once. ``cancelled`` says that it is because the scope around
        the supervisor was cancelled.
        """
        self.post(Stop(now=trio.current_time(), cancelled=cancelled))

    async def wait(self) -> None:
        """Wait until all children have ended, however they ended.

        Checkpoints: always.

        Raises:
          DeadlockError: the caller descends from a child that is being started or stopped.
        """
        if not self.over.is_set():
            self.refuse_deadlock("wait for the end of its supervisor")
        await self.over.wait()

    @enable_ki_protection
    def kill_children(self) -> None:
        """Stop in order, with no grace left for anybody."""
        self.post(Kill(now=trio.current_time()))

    async def start_place(self, id: str, spec: Spec[T]) -> Child[T]:
        """Start what ``spec`` says under this id and wait until it is ready."""
        record = Record(id, spec.policy)
        child: Child[T] = Child(self, as_place(spec), record)
        record.tag = child
        await self._ask("start_child", id, record)
        return child

    def _id_of(self, child: str | Child[Any] | Spec[Any]) -> str:
        if isinstance(child, str):
            return child
        if isinstance(child, Child):
            record = self._machine.records.get(child.id)
            if record is None or record.tag is not child:
                raise errors.ChildNotFound(child.id)
            return child.id
        if isinstance(child, Spec):
            return child.child_id
        raise TypeError(f"a child is named by its id, its spec or its Child, not by {child!r}")

    @enable_ki_protection
    async def _ask(
        self, asked: Asked, child: str | Child[Any] | Spec[Any], record: Record | None = None
    ) -> Record | None:
        """Ask for a change and wait until it is made; the place as it was when asked."""
        self.refuse_deadlock("call {}()", asked)
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._finished:
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise errors.SupervisorStopped(self.id)
        id = self._id_of(child)
        before = self._machine.records.get(id)
        self._number += 1
        number = self._number
        now, u = trio.current_time(), random.random()
        caller = self._callers[number] = Caller()
        self.tell(Request(now=now, u=u, number=number, asked=asked, id=id, record=record))
        if caller.is_answered:
            await trio.lowlevel.cancel_shielded_checkpoint()
            caller.raise_error()
        else:
            await self._sleep_until_answered(number, caller)
        return before

    async def _sleep_until_answered(self, number: int, caller: Caller) -> None:
        caller.task = trio.lowlevel.current_task()

        def abort(_: RaiseCancelT) -> Abort:
            del self._callers[number]
            self._inbox.appendleft(Withdraw(now=trio.current_time(), number=number))
            self._wake()
            return Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def refuse_deadlock(self, what: str, *names: str) -> None:
        """Raise `DeadlockError` if the calling task's child cannot be started or stopped first."""
        current = CURRENT.get()
        child = None if current is None else current.child
        while child is not None:
            above = child.supervisor
            if above is self and child.in_transit:
                doing = "stopping" if child.record.asked else "starting"
                raise errors.DeadlockError(
                    f"child {child.id!r} cannot {what.format(*names)}: supervisor {self.id!r} is"
                    f" {doing} it, and does nothing else before that is done"
                )
            child = above.as_child()

    def as_child(self) -> Child[Any] | None:
        """The child this supervisor is, or was opened by; None for a root outside any child."""
        if self._report is not None:
            return self._report.child
        if self.opened_by is None or not self.opened_by.has(self.task):
            return None
        return self.opened_by.child

    def take_error(self) -> BaseException | None:
        """What is to leave the supervisor, if anything. It is not kept: that would be a cycle."""
        error, self.error = self.error, None
        self._machine.forget_error()
        return error

    # The task -------------------------------------------------------------------------------

    @enable_ki_protection
    async def run(self) -> None:
        """Supervise until all children have ended. Raises nothing: see `error`."""
        try:
            self.task = trio.lowlevel.current_task()
            if self.opened_by is not None:
                self.opened_by.opened(self)
            spare(self._scope)
            with self._scope:
                async with trio.open_nursery() as nursery:
                    self.nursery = nursery
                    # Before whatever was asked of it already.
                    self._inbox.appendleft(Begin(now=trio.current_time()))
                    await self._supervise()
        # A failure in here is a bug, ours or an operating system's: never lost, see `error`.
        except BaseException as exc:  # noqa: ASYNC103
            self.error = _without_wrapping(exc)
        finally:
            self._end()

    async def _supervise(self) -> None:
        try:
            while not self._finished:
                self._due = self._machine.next_deadline()
                await self._sleep_until(self._due)
                self._work()
                if self._gives_up:
                    self.body_scope.cancel(reason=f"supervisor {self.id!r} gives up")
        except BaseException as exc:
            self.abandon(exc)
            raise

    def _work(self) -> None:
        self._empty_inbox()
        now = trio.current_time()
        if not self._finished and self._machine.next_deadline() <= now:
            self._handle(Tick(now=now, u=random.random()))

    def _empty_inbox(self) -> None:
        """Handle what is in there; not all at once, and nothing after what restarted something."""
        self._restarted = False
        self._machine.tells_all = self.bus.hears_all
        for _ in range(_SLICE):
            if not self._inbox or self._finished:
                return
            if self._restarted and not isinstance(self._inbox[0], RunReady):
                return  # that may restart something, too
            self._handle(self._inbox.popleft())

    def _handle(self, event: Input) -> None:
        """Hand ``event`` in and carry out what follows."""
        if isinstance(event, Request) and event.number not in self._callers:
            return
        machine = self._machine
        for operation in machine.handle(event):
            _CARRY_OUT[type(operation)](self, operation)
        if machine.phase != self._phase:
            self._phase = machine.phase
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

    def tell(self, event: Input) -> None:
        """Hand ``event`` in: on the spot if the supervisor's task sleeps, else it has its turn.

        With observers it always has its turn: they are called in the supervisor's task.
        """
        if self._sleeper is None or self.bus.has_observers:
            self.post(event)
        else:
            self._work_here(event, self._sleeper)

    def _work_here(self, event: Input, sleeper: Task) -> None:
        """Do the work of the supervisor's task in the calling one, and wake it if more is left."""
        try:
            self._sleeper = None  # what follows from this waits in the inbox
            self._inbox.append(event)
            # What is started here has the context of the supervisor's task, as ever.
            sleeper.context.run(self._empty_inbox)
            if self._inbox or self._restarted or self._has_to_wake:
                trio.lowlevel.reschedule(sleeper)
            else:
                self._sleeper = sleeper
        except BaseException as error:  # noqa: ASYNC103  # it is raised where it belongs
            trio.lowlevel.reschedule(sleeper, Error(error))

    @property
    def _has_to_wake(self) -> bool:
        """Whether something must not wait for what the supervisor's task sleeps until."""
        return self._phase != "running" or self._machine.next_deadline() < self._due

    def post(self, event: Input) -> None:
        """Put ``event`` into the inbox."""
        if not self._finished:
            self._inbox.append(event)
            self._wake()

    def _wake(self) -> None:
        if self._sleeper is not None:
            trio.lowlevel.reschedule(self._sleeper)
            self._sleeper = None

    def abandon(self, error: BaseException) -> None:
        """Kill what runs, in reverse order, without the machine's help: it, or we, failed."""
        self.error = error
        self._finish()
        self.body_scope.cancel(reason=f"supervisor {self.id!r} failed")
        for record in reversed(self._machine.records.values()):
            run = _child(record).run
            if run is not None:
                run.kill()
        self._wake()

    def _finish(self) -> None:
        self._finished = True
        self.winds_up.set()
        callers, self._callers = self._callers, {}
        for caller in callers.values():
            stopped = errors.SupervisorStopped(self.id)
            stopped.__cause__ = self.error
            caller.answer(stopped)

    def _end(self) -> None:
        self._finish()
        self._inbox.clear()
        if self.opened_by is not None:
            self.opened_by.closed(self)
        for record in self._machine.records.values():
            if self._machine.phase != "ended":
                _child(record).place.changed("stopped", comes_back=False)
            _child(record).wake_waiters()
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

    # Carrying out ---------------------------------------------------------------------------

    def _start_run(self, operation: StartRun) -> None:
        child = _child(self._machine.records[operation.id])
        self._restarted = self._restarted or operation.run > 1
        report = RunReport(self, child, operation.run)
        try:
            child.run = child.place.start(report)
        except Exception as error:
            report.ended(End("crashed", error))
        if report.is_over:
            child.run = None

    def _cancel_run(self, operation: CancelRun) -> None:
        run = _child(self._machine.records[operation.id]).run
        if run is not None:
            run.cancel(operation.deadline, operation.reason)

    def _kill_run(self, operation: KillRun) -> None:
        run = _child(self._machine.records[operation.id]).run
        if run is not None:
            run.kill()

    def _moved(self, operation: Moved) -> None:
        child = _child(operation.record)
        child.place.changed(operation.state, comes_back=operation.comes_back)
        child.wake_waiters()

    def _tell(self, operation: Tell) -> None:
        self._tell_event(operation.event, operation.policy, restarts=operation.restarts)

    def _tell_unkillable(self, operation: TellUnkillable) -> None:
        record = self._machine.records[operation.id]
        run = _child(record).run
        event = events.ChildUnkillable(
            path=self.path,
            id=operation.id,
            incarnation=operation.run,
            time=trio.current_time(),
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
        caller = self._callers.get(operation.number)
        if caller is not None:
            caller.answer(operation.error)
            del self._callers[operation.number]

    def _interrupt_body(self, operation: InterruptBody) -> None:
        # By the supervisor's task, see above: the body's Cancelled keeps all the frames that it was
        # ordered from, and on the spot there may be any.
        self._gives_up = True

    def _stuck(self, operation: Stuck) -> None:
        if self._report is not None:
            self._report.unkillable()

    def _finished_by(self, operation: Finished) -> None:
        self.error = operation.error
        if isinstance(self.error, errors.RestartLimitExceeded):
            self.error.opened_by = self.opened_by
        for record in self._machine.records.values():
            if record.state == "parked":  # nobody will run it again
                _child(record).place.changed("stopped", comes_back=False)
        self._finish()


_CARRY_OUT: Final[dict[type[Any], Callable[[SupervisorBase, Any], None]]] = {
    StartRun: SupervisorBase._start_run,
    CancelRun: SupervisorBase._cancel_run,
    KillRun: SupervisorBase._kill_run,
    Moved: SupervisorBase._moved,
    Tell: SupervisorBase._tell,
    TellUnkillable: SupervisorBase._tell_unkillable,
    Reply: SupervisorBase._reply,
    InterruptBody: SupervisorBase._interrupt_body,
    Stuck: SupervisorBase._stuck,
    Finished: SupervisorBase._finished_by,
}


@final
class Supervisor(SupervisorBase):
    """A running supervisor of children that are listed in its spec, and of those added later.

    Made by `open_supervisor` and `supervise` only. Changing methods are served one after another,
    between restarts.
    """

    spec: SupervisorSpec

    def _records(self, spec: SupervisorSpec | DynamicSupervisorSpec) -> Iterable[Record]:
        for child in cast("SupervisorSpec", spec).children:
            record = Record(child.child_id, child.policy)
            record.tag = Child[Any](self, as_place(child), record)
            yield record

    @overload
    async def start_child(self, fn: Spec[T], /) -> Child[T]: ...
    @overload
    async def start_child(
        self, fn: ReadySignalling[*Ts], /, *args: *Ts, **options: Unpack[ChildOptions]
    ) -> Child[Any]: ...
    @overload
    async def start_child(
        self,
        fn: Callable[[*Ts], Awaitable[object]],
        /,
        *args: *Ts,
        **options: Unpack[ChildOptions],
    ) -> Child[None]: ...
    async def start_child(
        self, fn: Any, /, *args: object, **options: Unpack[ChildOptions]
    ) -> Child[Any]:
        """Start ``fn(*args)``, or a spec, under this supervisor and wait until it is ready.

        The child is running, and restarted by this supervisor's policy, once this method returns;
        unless it said `Ignore`, then the `Child` has no run. If it raises anything but Cancelled,
        no trace of the child remains. If the caller is cancelled, a start that has begun is
        carried through and the child stays: look it up by id. The keyword arguments are those of
        `ChildSpec`.

        Checkpoints: always. Ordering: children stop in the reverse of the order in which this
        method returned.

        Raises:
          SpecError: the child is not one that can be.
          StartFailed: it failed before it was ready; the cause is attached.
          ChildAlreadyStarted: a child with this id is running.
          ChildAlreadyPresent: a child with this id is there, without a run.
          SupervisorStopped: the supervisor is stopping or has ended.
          DeadlockError: the caller descends from a child that is being started or stopped.
        """
        if isinstance(fn, Spec):
            if args or options:
                raise TypeError("start_child(spec) takes no other arguments")
            spec = fn
        else:
            spec = ChildSpec(fn, *args, **options)
        self.spec.check_child(spec)
        return await self.start_place(spec.child_id, spec)


@final
class DynamicSupervisor(SupervisorBase, Generic[*Ts]):
    """A running supervisor of any number of children of one template.

    Made by `open_dynamic_supervisor` only. ``Ts`` are the types of the arguments that
    `start_child` adds to the template's.
    """

    spec: DynamicSupervisorSpec
    _generated = 0

    async def start_child(self, *args: *Ts, id: str | None = None) -> Child[Any]:
        """Start a child of the template, with these further arguments, and wait until it is ready.

        Without an ``id`` it gets one that is free, made of the template's name. Otherwise as
        `Supervisor.start_child`.

        Checkpoints: always.

        Raises:
          SpecError: the function does not take such arguments.
          MaxChildren: there are ``max_children`` already.
          StartFailed: it failed before it was ready; the cause is attached.
          ChildAlreadyStarted, ChildAlreadyPresent: there is a child with this id.
          SupervisorStopped: the supervisor is stopping or has ended.
          DeadlockError: the caller descends from a child that is being started or stopped.
        """
        spec = self.spec.child(self._free_id() if id is None else id, args)
        return await self.start_place(spec.id, spec)

    def _free_id(self) -> str:
        while True:
            self._generated += 1
            id = f"{self.spec.child_name}-{self._generated}"
            if id not in self:
                return id


def _without_wrapping(error: BaseException) -> BaseException:
    """What broke the supervisor, without the nursery's group and the cancellation that followed."""
    if isinstance(error, BaseExceptionGroup):
        left = error.split(trio.Cancelled)[1]
        if left is not None:  # pragma: no branch - somebody failed, or nobody was cancelled
            return left.exceptions[0] if len(left.exceptions) == 1 else left
    return error


def _child(record: Record) -> Child[Any]:
    child: Child[Any] = record.tag  # type: ignore[assignment]  # it is told so by none but us
    return child


def _settings(
    spec: SupervisorSpec | DynamicSupervisorSpec,
    path: tuple[str, ...],
    report: Report | None,
) -> Settings:
    return Settings(
        path=path,
        incarnation=1 if report is None else report.child.incarnation,
        strategy=spec.strategy,
        max_restarts=spec.max_restarts,
        max_seconds=spec.max_seconds,
        max_consecutive=spec.max_consecutive,
        auto_shutdown=spec.auto_shutdown,
        shutdown_timeout=spec.shutdown_timeout if report is None else math.inf,
        dynamic=isinstance(spec, DynamicSupervisorSpec),
        max_children=getattr(spec, "max_children", math.inf),
    )


def _draw_child(record: Record) -> draw.Node:
    run = _child(record).run
    below = None if run is None else run.below()
    node = draw.Node(record.id)
    if isinstance(record.value, SupervisorBase):
        node = record.value._drawing()
    elif below is not None:
        node.children = below._drawing().children
    plural = "" if record.restarts == 1 else "s"
    restarts = f", {record.restarts} restart{plural}" if record.restarts else ""
    node.text += f" {record.state} (run {record.incarnation}{restarts})"
    return node
