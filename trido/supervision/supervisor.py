"""The supervisor: the thin shell around the decision.

A `Supervisor` runs in a task of its own. Everything that happens to it (a run became ready or
ended, somebody asks for a change, time has come) is put into its inbox; the task hands the inbox to
the `Machine`, one input after another, and carries out the operations that come back. Nothing is
decided here.

Its sides are in files of their own: what it holds (`shell`), how it carries out what was decided
(`carrying`), its task (`working`), and what can be seen of it (`reading`).
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, TypeVarTuple, Unpack, cast, final, overload

import trio
from trio.lowlevel import Abort, RaiseCancelT, enable_ki_protection

from trido.supervision import errors
from trido.supervision.child import Child
from trido.supervision.current import CURRENT
from trido.supervision.messages import Kill, Request, Stop, Withdraw
from trido.supervision.place import place_of
from trido.supervision.reading import Reading
from trido.supervision.records import Record
from trido.supervision.shell import Caller, child_of
from trido.supervision.spec import (
    ChildSpec,
    DynamicSupervisorSpec,
    ReadySignalling,
    Spec,
    SupervisorSpec,
)
from trido.supervision.tables import Asked

if TYPE_CHECKING:
    from trido.supervision.options import ChildOptions

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class SupervisorBase(Reading):
    """What static and dynamic supervisors have in common. Not to be made by hand."""

    async def stop_child(self, child: str | Child[Any] | Spec[Any]) -> None:
        """Stop a child and wait until it has ended; cancel its restart if one is due.

        The place stays, without a run, and `restart_child` runs it again; a temporary or dynamic
        child is removed. Stopping a child that has no run does nothing, but that one
        which would begin a run by itself begins none any more.

        If the caller is cancelled, a stop that has begun is carried through.

        Checkpoints: always.

        Raises:
          ChildNotFound: there is no such child.
          SupervisorStopped: the supervisor is stopping or has ended.
          DeadlockError: the caller descends from a child that is being started or stopped.
        """
        await self.stop_place(child, yields=True)

    async def stop_place(
        self, child: str | Child[Any] | Spec[Any], *, yields: bool = False
    ) -> None:
        """As `stop_child`; unless it ``yields``, others need not run if all is done at once."""
        before = None
        try:
            before = await self._ask("stop_child", child, yields=yields)
        except errors.ChildNotFound as missing:
            if missing.id not in self.sleepers:
                raise
        if self.sleepers:
            id = child.id if isinstance(child, Child) else self._id_of(child)
            sleeper = self.sleepers.get(id)
            if sleeper is not None and (before is None or child_of(before).place is sleeper):
                await sleeper.stop()

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
        return child_of(cast("Record", record))

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
        self.post(Stop(now=self.now(), cancelled=cancelled))

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
        self.post(Kill(now=self.now()))

    async def start_place(self, id: str, spec: Spec[T], *, yields: bool = False) -> Child[T]:
        """Start what ``spec`` says under this id and wait until it is ready.

        Unless it ``yields``, other tasks need not run if it is ready at once.
        """
        record = Record(id, spec.policy)
        child: Child[T] = Child(self, place_of(spec), record)
        record.tag = child
        await self._ask("start_child", id, record, yields=yields)
        return child

    @enable_ki_protection
    async def _ask(
        self,
        asked: Asked,
        child: str | Child[Any] | Spec[Any],
        record: Record | None = None,
        *,
        yields: bool = True,
    ) -> Record | None:
        """Ask for a change and wait until it is made; the place as it was when asked."""
        if CURRENT.get() is not None:
            self.refuse_deadlock("call {}()", asked)
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._finished:
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise errors.SupervisorStopped(self.id)
        id = self._id_of(child)
        before = self._machine.records.get(id)
        self._number = number = self._number + 1
        caller = self._callers[number] = Caller()
        now, u = self.now(), random.random()
        self.tell(Request(now=now, u=u, number=number, asked=asked, id=id, record=record))
        if caller.is_answered:
            if yields or self.spot.is_spent(self.now()):
                await self.spot.breathe()
            # What is raised is not kept, too: that would be a cycle.
            error, caller.error = caller.error, None
            if error is not None:
                raise error
        else:
            await self._sleep_until_answered(number, caller)
        return before

    async def _sleep_until_answered(self, number: int, caller: Caller) -> None:
        caller.task = trio.lowlevel.current_task()

        def abort(_: RaiseCancelT) -> Abort:
            del self._callers[number]
            self._inbox.appendleft(Withdraw(now=self.now(), number=number))
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
        error = self.error
        self.error: BaseException | None = None
        self._machine.forget_error()
        return error


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
            record.tag = Child[Any](self, place_of(child), record)
            yield record

    @overload
    async def start_child(self, fn: Spec[T], /) -> Child[T]: ...
    @overload
    async def start_child(
        self, fn: ReadySignalling[*Ts], /, *args: *Ts, **options: Unpack[ChildOptions]
    ) -> Child[Any]: ...
    @overload
    async def start_child(
        self, fn: Callable[[*Ts], Awaitable[object]], /, *args: *Ts, **options: Unpack[ChildOptions]
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
        return await self.start_place(spec.child_id, spec, yields=True)


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
        return await self.start_place(spec.id, spec, yields=True)

    def _free_id(self) -> str:
        while True:
            self._generated += 1
            id = f"{self.spec.child_name}-{self._generated}"
            if id not in self:
                return id
