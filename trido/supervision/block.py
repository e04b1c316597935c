"""Opening a supervisor around a block of code, or as a task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, TypeVarTuple, Unpack, cast, final, overload

import trio
from trio.lowlevel import enable_ki_protection

from trido.supervision.bus import Bus, Observer
from trido.supervision.current import CURRENT
from trido.supervision.errors import SupervisorStopped
from trido.supervision.shields import spare
from trido.supervision.spec import (
    DynamicSupervisorSpec,
    Spec,
    SupervisorSpec,
    supervisor_spec,
)
from trido.supervision.supervisor import DynamicSupervisor, Supervisor, SupervisorBase

if TYPE_CHECKING:
    from trido.supervision.options import DynamicOptions, SupervisorOptions

S = TypeVar("S", bound=SupervisorBase)
Ts = TypeVarTuple("Ts")

NOT_GIVEN: Any = object()

ROOTS: trio.lowlevel.RunVar[set[SupervisorBase]] = trio.lowlevel.RunVar("trido.roots")
"""The supervisors of this run that were opened by a block, for `trido.run`'s second signal."""


@overload
def open_supervisor(
    *children: Spec[Any],
    observers: Iterable[Observer] = (),
    **options: Unpack[SupervisorOptions],
) -> AbstractAsyncContextManager[Supervisor]: ...
@overload
def open_supervisor(
    *, spec: SupervisorSpec, observers: Iterable[Observer] = ()
) -> AbstractAsyncContextManager[Supervisor]: ...
@overload
def open_supervisor(
    *, spec: DynamicSupervisorSpec, observers: Iterable[Observer] = ()
) -> AbstractAsyncContextManager[DynamicSupervisor[*tuple[Any, ...]]]: ...
def open_supervisor(
    *children: Any,
    spec: Any = NOT_GIVEN,
    observers: Iterable[Observer] = (),
    **options: Any,
) -> AbstractAsyncContextManager[Any]:
    """Supervise ``children`` for as long as the block lasts.

    Entering starts them left to right, each ready before the next begins, and returns the
    `Supervisor` once all are. Leaving stops them in reverse, each awaited before the next.

    What leaves the block is what its body raised; `RestartLimitExceeded` if the supervisor gave
    up (the body is cancelled at that moment); an exception that is not an `Exception` if one came
    out of a child; and a group only if there is more than one of these.

    Checkpoints: entering and leaving always do. If entering is cancelled, the children that were
    started are stopped in order first. Leaving is not cut short by being cancelled: it lasts until
    the children have ended, which their ``shutdown`` bounds, or ``shutdown_timeout`` after a
    cancellation.

    Args:
      children: what to supervise.
      spec: instead of all these, the supervisor as data.
      observers: each is called with every event of the tree; see `trido.events`.
      options: those of `SupervisorSpec`.

    Raises:
      SpecError: at once, if the supervisor or a child is not one that can be.
      StartFailed: when entering, if a child failed before it was ready.
    """
    if spec is NOT_GIVEN:
        return Block(Supervisor(SupervisorSpec(*children, **options), Bus(observers)))
    if children or options:
        raise TypeError("open_supervisor(spec=...) takes no other arguments but observers")
    supervisor_spec("spec", spec)
    if isinstance(spec, DynamicSupervisorSpec):
        return Block(DynamicSupervisor(spec, Bus(observers)))
    return Block(Supervisor(spec, Bus(observers)))


@overload
def open_dynamic_supervisor(
    fn: Callable[[*Ts], Awaitable[object]],
    /,
    *,
    observers: Iterable[Observer] = (),
    **options: Unpack[DynamicOptions],
) -> AbstractAsyncContextManager[DynamicSupervisor[*Ts]]: ...
@overload
def open_dynamic_supervisor(
    fn: Callable[..., Awaitable[object]],
    /,
    *args: Any,
    observers: Iterable[Observer] = (),
    **options: Unpack[DynamicOptions],
) -> AbstractAsyncContextManager[DynamicSupervisor[*tuple[Any, ...]]]: ...
def open_dynamic_supervisor(
    fn: Callable[..., Awaitable[object]],
    /,
    *args: Any,
    observers: Iterable[Observer] = (),
    **options: Any,
) -> AbstractAsyncContextManager[DynamicSupervisor[*tuple[Any, ...]]]:
    """Supervise any number of runs of ``fn(*args, *extra_args)`` for as long as the block lasts.

    It starts with no child; `DynamicSupervisor.start_child` adds one. Leaving stops them all at
    once and waits. Otherwise as `open_supervisor`; the other arguments are those of
    `DynamicSupervisorSpec`.

    Raises:
      SpecError: at once, if the supervisor is not one that can be.
    """
    spec = DynamicSupervisorSpec(fn, *args, **options)
    return Block(DynamicSupervisor(spec, Bus(observers)))


async def supervise(
    spec: SupervisorSpec | DynamicSupervisorSpec,
    observers: Iterable[Observer] = (),
    *,
    task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Supervise as a task: ``sup = await nursery.start(trido.supervise, spec)``.

    ``started()`` gives the `Supervisor` once all children are ready. Returns once they have ended:
    after `Supervisor.stop` or an auto-shutdown. Cancelling it stops them in order.

    Raises:
      SpecError, StartFailed, RestartLimitExceeded: as `open_supervisor`.
    """
    async with open_supervisor(
        spec=cast("SupervisorSpec", spec), observers=observers
    ) as supervisor:
        task_status.started(supervisor)
        await supervisor.wait()


@final
class Block(Generic[S]):
    """The ``async with`` of a supervisor.

    A class, and not a generator with `contextlib` around it: a KeyboardInterrupt in between would
    leave the supervisor behind.
    """

    def __init__(self, supervisor: S) -> None:
        if not trio.lowlevel.in_trio_task():
            raise RuntimeError("trido runs in Trio: call this in an async function under trido.run")
        self._supervisor = supervisor
        self._attendance = _Attendance(supervisor)
        self._nursery = trio.open_nursery()
        self._is_open = False

    @enable_ki_protection
    async def __aenter__(self) -> S:
        leaving = await self._sure(self._enter())
        if leaving is None:
            return self._supervisor
        try:
            raise leaving
        finally:
            del leaving  # as in __aexit__

    @enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        failure = exc
        try:
            if self._supervisor.body_scope.__exit__(exc_type, exc, traceback):
                failure = None
        # What the scope leaves of a group; it leaves the block once the children have ended.
        except BaseException as left:  # noqa: ASYNC103
            failure = left
        # Not shielded: being interrupted here is an input of the supervisor, and ends nothing.
        leaving = await self._sure(self._leave(failure))  # noqa: ASYNC102
        if leaving is None or leaving is exc:
            return leaving is None
        context = leaving.__context__
        try:
            raise leaving
        finally:
            # Not what the body ended by, such as our own Cancelled. And its traceback has this
            # frame: let the frame not have it.
            leaving.__context__ = context
            del exc, failure, leaving, context

    async def _enter(self) -> BaseException | None:
        supervisor = self._supervisor
        nursery = await self._nursery.__aenter__()
        self._is_open = True
        supervisor.opened_by = CURRENT.get()
        _roots().add(supervisor)
        nursery.start_soon(supervisor.run, name=supervisor.id)
        await self._attendance.until_settled()
        if self._attendance.nothing_happened:
            supervisor.body_scope.__enter__()
            return None
        return await self._leave(None)

    async def _leave(self, failure: BaseException | None) -> BaseException | None:
        """What has to leave the block; after the nursery, which would wrap it."""
        await self._attendance.until_over(failure)
        await self._close()
        return self._attendance.outcome(failure)

    async def _sure(self, step: Awaitable[BaseException | None]) -> BaseException | None:
        try:
            return await step
        except BaseException as exc:
            if self._is_open:  # pragma: no branch - it is, unless entering a nursery fails
                # A bug of ours: what is shielded would keep the nursery waiting for ever.
                self._supervisor.abandon(exc)
                await self._close()  # noqa: ASYNC102  # until what was killed is gone
            raise

    async def _close(self) -> None:
        self._is_open = False
        _roots().discard(self._supervisor)
        await self._nursery.__aexit__(None, None, None)


def _roots() -> set[SupervisorBase]:
    try:
        return ROOTS.get()
    except LookupError:
        roots = set[SupervisorBase]()
        ROOTS.set(roots)
        return roots


class _Attendance:
    """The block's task while the supervisor works: it only waits, whatever happens to it.

    An interruption becomes an input of the supervisor, and is raised when all is over.
    """

    def __init__(self, supervisor: SupervisorBase) -> None:
        self._supervisor = supervisor
        self._cancelled: trio.Cancelled | None = None
        self._interrupted: KeyboardInterrupt | None = None
        self._stopping = False

    @property
    def nothing_happened(self) -> bool:
        """Neither an interruption nor a failure so far."""
        happened = (self._cancelled, self._interrupted, self._supervisor.error)
        return all(one is None for one in happened)

    async def until_settled(self) -> None:
        """Wait until the children are ready, or the supervisor has ended without."""
        await self._until(self._supervisor.settled)

    async def until_over(self, failure: BaseException | None) -> None:
        """Have the supervisor stop after the body ended by ``failure``; wait until it has."""
        if isinstance(failure, KeyboardInterrupt) and self._supervisor.is_stopping:
            self._supervisor.kill_children()
        self._stop(cancelled=_holds_cancelled(failure))
        await self._until(self._supervisor.over)

    async def _until(self, event: trio.Event) -> None:
        while not event.is_set():
            try:
                with trio.CancelScope(shield=self._cancelled is not None) as scope:
                    spare(scope)
                    await event.wait()
            # Raised when all is over: going on waiting is what the block promises.
            except trio.Cancelled as exc:  # noqa: ASYNC103
                self._cancelled = exc
                self._stop(cancelled=True)
            except KeyboardInterrupt as exc:
                self._interrupted = exc
                if self._stopping:
                    self._supervisor.kill_children()
                self._stop(cancelled=False)

    def _stop(self, *, cancelled: bool) -> None:
        self._stopping = True
        self._supervisor.stop(cancelled=cancelled)

    def outcome(self, failure: BaseException | None) -> BaseException | None:
        """What has to leave the block, if anything: one error alone is never wrapped."""
        cancelled, self._cancelled = self._cancelled, None
        interrupted, self._interrupted = self._interrupted, None
        if isinstance(failure, trio.Cancelled):
            failure, cancelled = None, failure
        error = self._supervisor.take_error()
        if error is not None:
            failure = _beside_answers_of(self._supervisor, failure)
        problems: list[BaseException] = []
        for problem in (error, failure, interrupted):
            if problem is not None and not _is_known(problem, problems):
                problems.append(problem)
        if len(problems) > 1:
            return BaseExceptionGroup("the supervisor and its block failed", problems)
        return problems[0] if problems else cancelled


def _beside_answers_of(
    supervisor: SupervisorBase, failure: BaseException | None
) -> BaseException | None:
    """What a body raised of its own: why its requests are not met is told by the error."""

    def is_answer(error: BaseException) -> bool:
        return isinstance(error, SupervisorStopped) and error.id == supervisor.id

    if isinstance(failure, BaseExceptionGroup):
        return failure.split(is_answer)[1]
    return None if failure is None or is_answer(failure) else failure


def _is_known(problem: BaseException, problems: list[BaseException]) -> bool:
    """Whether it is there already; of several interruptions only the first counts."""
    return any(
        problem is known
        or (isinstance(problem, KeyboardInterrupt) and isinstance(known, KeyboardInterrupt))
        for known in problems
    )


def _holds_cancelled(failure: BaseException | None) -> bool:
    if isinstance(failure, BaseExceptionGroup):
        return failure.subgroup(trio.Cancelled) is not None
    return isinstance(failure, trio.Cancelled)
