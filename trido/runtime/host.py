"""The host of a run: the task, the scope and the nursery for all of it that awaits.

The lifespan, effectful turns, `Run` actions and the supervisor of the agent's children live in its
nursery; each in a task of its own, because user code that leaves a nursery or a scope open corrupts
the one its task is in. The host's own task opens them in order before the run is ready, and closes
them in the reverse order at its end; in between it only waits, and it ends as soon as nothing is
left that needs it. It is shielded: only the run stops it.

How a run is closed, in order: the turn in progress is cancelled; the decision of `on_stop`; what is
committed is carried out; `Run` actions are cancelled; children are stopped in reverse; the lifespan
is left. After a crash the second and the third are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, final

import trio
from trio.lowlevel import Task, enable_ki_protection

from trido.runtime.ends import without_cancelled
from trido.runtime.keeper import Keeper
from trido.supervision.incarnation import break_out, stack_below

if TYPE_CHECKING:
    from trido.runtime.effectful import EffectfulTurn
    from trido.runtime.probe import Hold
    from trido.runtime.server import AgentRun

Begin: TypeAlias = "Callable[[], EffectfulTurn[Any] | None]"


@final
class Host:
    """What of a run awaits."""

    __slots__ = (
        "_changed",
        "_closes",
        "_gone",
        "_jobs",
        "_keeper",
        "_nursery",
        "_opening",
        "_orderly",
        "_pending",
        "_run",
        "_scope",
        "_task",
    )

    def __init__(self, run: AgentRun[Any]) -> None:
        self._run = run
        self._scope = trio.CancelScope(shield=True)
        self._opening = trio.CancelScope()
        self._nursery: trio.Nursery | None = None
        self._task: Task | None = None
        self._keeper: Keeper | None = None
        self._pending: list[tuple[Any, ...]] = []
        self._jobs = 0
        self._changed = trio.Event()
        self._closes = False
        self._orderly = False
        self._gone = trio.Event()

    def start_soon(self, fn: Callable[..., Any], *args: Any) -> None:
        """Run ``fn(*args)`` in a task of its own; the host lives at least as long."""
        self._jobs += 1
        if self._nursery is None:
            self._pending.append((fn, *args))
        else:
            self._start(fn, *args)

    def _start(self, fn: Callable[..., Any], *args: Any) -> None:
        if self._nursery is not None:  # pragma: no branch - it is open whenever this is called
            self._run.start_task(self._nursery.start_soon, self._work, fn, *args)

    @enable_ki_protection
    async def _work(self, fn: Callable[..., Any], *args: Any) -> None:
        try:
            await fn(*args)
        except BaseException as error:  # noqa: ASYNC103  # see there
            self._fail_by(error)
        finally:
            self._jobs -= 1
            self._wake()

    def _fail_by(self, error: BaseException) -> None:
        """The run ends, in order: not all that lives in this nursery, at once.

        Raises ``error`` if it is only a cancellation that was asked for.
        """
        left = without_cancelled(error) if self.is_cancelled else error
        if left is None:
            raise error
        self._run.failed(left)

    def close(self, *, orderly: bool) -> None:
        """Close everything in order, then end."""
        self._closes, self._orderly = True, orderly
        self._opening.cancel(reason="its agent is stopped")
        self._wake()

    def kill(self) -> None:
        """Cancel everything, break its shields, and end."""
        if self._scope.cancel_called:
            return
        self._scope.cancel(reason="its agent is killed")
        report = self._run.report
        report.nursery.start_soon(
            break_out,
            self._scope,
            self._gone,
            self._run.place.spec.kill_timeout,
            report.unkillable,
            name=f"{report.name} (kill)",
        )

    @property
    def is_cancelled(self) -> bool:
        """Whether what is in it is being cancelled: it was killed, or something in it failed."""
        nursery = self._nursery
        failed = nursery is not None and nursery.cancel_scope.cancel_called
        return failed or self._scope.cancel_called

    def stack(self) -> str:
        """Its tasks, and where each is."""
        return "" if self._task is None else stack_below(self._task)

    # The task -------------------------------------------------------------------------------

    @enable_ki_protection
    async def live(self) -> None:
        """Hold the scope and the nursery until nothing needs them, or the run ends."""
        error: BaseException | None = None
        try:
            self._task = trio.lowlevel.current_task()
            with self._scope:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    for job in self._pending:
                        self._start(*job)
                    self._pending.clear()
                    await self._live()
        # Whatever it is, it is the end of the run: it judges, nothing is swallowed.
        except BaseException as exc:  # noqa: ASYNC103
            error = exc
        finally:
            self._over(error)

    async def _live(self) -> None:
        run = self._run
        if run.phase == "starting":
            await self._open()
        while not self._closes:
            if not self._jobs:
                run.host = None
                return
            await self._until_changed()
        await self._close()

    async def _until_changed(self) -> None:
        self._changed = trio.Event()
        await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()

    def _over(self, error: BaseException | None) -> None:
        self._gone.set()
        if self._run.host is self:  # else nothing needed it any more
            self._run.host_is_over(None if error is None else without_cancelled(error))

    # Opening --------------------------------------------------------------------------------

    async def _open(self) -> None:
        run = self._run
        try:
            with self._opening:
                await self._held("start")
                if run.place.durable is not None:
                    await run.place.has_taken_over()
                    await run.place.durable.recover()
                await self._enter_lifespan()
                await run.place.open_children(self)
                await self._until_written(run.start_turn, run.start_turn)
                run.ready()
        except BaseException as error:  # noqa: ASYNC103  # see there
            self._fail_by(error)

    async def _enter_lifespan(self) -> None:
        run = self._run
        place = run.place
        if place.agent.lives is None:
            return
        keeper = self._keeper = Keeper(place.agent.run_by(place.ref))
        self.start_soon(keeper.keep)
        try:
            run.resource = await keeper.entered()
        except trio.Cancelled:
            keeper.cancel()
            raise

    # Closing --------------------------------------------------------------------------------

    async def _close(self) -> None:
        run = self._run
        place = run.place
        await _until_over(run.open_turn)
        if self._orderly:
            await self._held("stop")
            if place.durable is not None:
                await place.durable.landed()
            await self._until_written(run.stop_turn, run.stop_turn_again)
            place.close_requests()
            if not place.comes_back:
                await self._until_done()
        run.is_leaving = True
        await place.close_runs()
        await place.close_children()
        if self._keeper is not None:
            await self._leave_lifespan(self._keeper)

    async def _held(self, what: Hold) -> None:
        place = self._run.place
        if place.env.probe is not None and place.env.probe.holds(place, what):
            await place.env.probe.held(place, what)

    async def _until_written(self, begin: Begin, again: Begin) -> None:
        """The turn of a start or a stop; a durable one is decided again until it is written."""
        await _until_over(begin())
        durable = self._run.place.durable
        while durable is not None and not await durable.landed():
            await _until_over(again())

    async def _until_done(self) -> None:
        done = trio.Event()
        self._run.place.when_done(done.set)
        await done.wait()

    async def _leave_lifespan(self, keeper: Keeper) -> None:
        end = self._run.end
        await keeper.leave(None if end.kind == "normal" else end.reason)


async def _until_over(turn: EffectfulTurn[Any] | None) -> None:
    if turn is not None:
        await turn.over.wait()
