"""The adapter for async functions: one run of ``fn(*args)``, contained.

Two tasks make a run. The *host* lives in the supervisor's nursery and holds a nursery of its own,
shielded: only the supervisor stops the run, in its order. The function runs in a task of its own in
there, because a function that leaves a nursery or a scope open corrupts the nursery its task is in,
and that must not be the one that its siblings are in. No exception leaves the host.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, final

import trio
from trio.lowlevel import Task, disable_ki_protection, enable_ki_protection

from trido.supervision import errors
from trido.supervision.blame import leaves
from trido.supervision.current import CURRENT, CleanupTime, Current
from trido.supervision.messages import End
from trido.supervision.place import Report, as_place
from trido.supervision.probe import PROBE, ChildProbe
from trido.supervision.shields import break_shields
from trido.supervision.spec import ChildSpec
from trido.supervision.tables import State

_PASSES = 100
_PAUSE = 0.05


@final
class FunctionPlace:
    """A place whose runs are calls of an async function."""

    __slots__ = ("_args", "_probe", "_spec")

    def __init__(self, spec: ChildSpec[Any]) -> None:
        self._probe: ChildProbe | None = PROBE.get()
        self._spec = spec.without_args() if spec.restart == "temporary" else spec
        self._args: tuple[Any, ...] | None = spec.args

    def start(self, report: Report) -> FunctionRun:
        """Start a run in a task of the supervisor's nursery."""
        args = self._args or ()
        if self._spec.restart == "temporary":
            self._args = None  # it never runs again, and they may be large
        run = FunctionRun(self._spec, args, report)
        if self._probe is not None:
            run.fn = self._probe.child(report, run.fn)
        if not self._spec.signals_ready:
            report.ready()
        report.nursery.start_soon(run.host, name=f"{report.name} (host)")
        return run

    def changed(self, state: State, *, comes_back: bool) -> None:
        """Nothing of a function outlives its run."""


as_place.register(ChildSpec, FunctionPlace)


@final
class FunctionRun:
    """One call of the function."""

    _nursery: trio.Nursery
    """The host's; from its first step on."""
    _gone: trio.Event
    """Set at the end of a run that is being killed."""

    __slots__ = (
        "_args",
        "_current",
        "_ended",
        "_error",
        "_gone",
        "_killed",
        "_last_beat",
        "_nursery",
        "_report",
        "_scope",
        "_spec",
        "_started",
        "_stopped_for",
        "_task",
        "fn",
    )

    def __init__(self, spec: ChildSpec[Any], args: tuple[Any, ...], report: Report) -> None:
        self._spec = spec
        self.fn: Callable[..., Awaitable[object]] = spec.fn
        """What it calls."""
        self._args = args
        self._report = report
        self._scope: trio.CancelScope | None = None
        """That of the host's nursery."""
        self._stopped_for: str | None = None
        """Why it is to end, if somebody said so."""
        self._current = Current(report.child, CleanupTime(spec.policy.grace))
        self._task: Task | None = None
        self._error: BaseException | None = None
        self._started = False
        self._killed = False
        self._ended = False
        self._last_beat = 0.0

    # The port -------------------------------------------------------------------------------

    def cancel(self, deadline: float, reason: str) -> None:
        """Cancel the function; its cleanup scopes end by ``deadline``."""
        self._current.cleanup_time.end_by(deadline)
        self._stop(reason)

    def kill(self) -> None:
        """Cancel it, expire its cleanup scopes, and break its shields until it ends."""
        if self._killed:
            return
        self._killed = True
        self._gone = trio.Event()
        self._stop("killed by its supervisor")
        self._current.kill()
        if self._scope is not None:
            self._break_out(self._scope)

    def _stop(self, reason: str) -> None:
        self._stopped_for = reason
        if self._scope is not None:
            self._scope.cancel(reason=reason)

    def _break_out(self, scope: trio.CancelScope) -> None:
        self._report.nursery.start_soon(
            break_out,
            scope,
            self._gone,
            self._spec.kill_timeout,
            self._report.unkillable,
            name=f"{self._report.name} (kill)",
        )

    def below(self) -> None:
        """What a function opens is its own affair."""

    def stack(self) -> str:
        """The tasks of this run, and where each is."""
        return stack_below(self._task) if self._task else ""

    # The tasks ------------------------------------------------------------------------------

    @enable_ki_protection
    async def host(self) -> None:
        """Hold the nursery of the run, and tell how it ended."""
        error: BaseException | None = None
        try:
            async with trio.open_nursery() as nursery:
                self._enter(nursery)
                nursery.start_soon(self._call, name=self._report.name)
        # Whatever it is, it is this run's end: the classification decides, nothing is swallowed.
        except BaseException as exc:  # noqa: ASYNC103
            error = exc
        finally:
            self._ended = True
            if self._killed:
                self._gone.set()
            self._report.ended(self._classify(_joined(self._error, error)))
            self._error = None

    def _enter(self, nursery: trio.Nursery) -> None:
        """Begin; what was asked before that is done now."""
        # The nursery's own scope is shielded: another around it would be a tenth of a run's cost.
        self._nursery, self._scope = nursery, nursery.cancel_scope
        self._scope.shield = True
        if self._stopped_for is not None:
            self._scope.cancel(reason=self._stopped_for)
        if self._killed:
            self._break_out(self._scope)

    @enable_ki_protection
    async def _call(self) -> None:
        CURRENT.set(self._current)
        self._current.task = self._task = trio.lowlevel.current_task()
        if self._spec.heartbeat is not None and not self._spec.signals_ready:
            self._watch_heartbeat()
        try:
            await _unprotected(self._awaitable())
        # The end of the run, for the host to classify; a Cancelled here is our scope's or leaked.
        except BaseException as exc:  # noqa: ASYNC103
            # Without our own frame, which would make a cycle of the error and this run.
            self._error = exc.with_traceback(exc.__traceback__ and exc.__traceback__.tb_next)
        finally:
            if self._spec.heartbeat is not None:
                self._nursery.cancel_scope.cancel(reason="the function has ended")

    @disable_ki_protection
    def _awaitable(self) -> Awaitable[object]:
        args, self._args = self._args, ()
        if self._spec.signals_ready:
            return self.fn(*args, task_status=_TaskStatus(self))
        return self.fn(*args)

    # Ready, and alive -----------------------------------------------------------------------

    def is_ready(self, value: object) -> None:
        """The function says so."""
        if self._started:
            raise RuntimeError("called 'started' twice on the same task status")
        self._started = True
        if self._ended:
            return  # what it left behind says so too late
        self._report.ready(value)
        if self._spec.heartbeat is not None:
            self._watch_heartbeat()

    @enable_ki_protection
    def beat(self) -> None:
        """The function is alive."""
        self._last_beat = trio.current_time()

    def _watch_heartbeat(self) -> None:
        self.beat()
        self._nursery.start_soon(self._listen, name=f"{self._report.name} (heartbeat)")

    async def _listen(self) -> None:
        period = self._spec.heartbeat or 0.0
        # Not an event to wait for: it is the absence of one, and beats must cost next to nothing.
        while (due := self._last_beat + period) > trio.current_time():  # noqa: ASYNC110
            await trio.sleep_until(due)
        self._report.failing(errors.Unresponsive(self._spec.id, period))

    # How it ended ---------------------------------------------------------------------------

    def _classify(self, error: BaseException | None) -> End:
        """Say how the run ended: the first of these rules that matches."""
        cancelled, left = _without_cancelled(error)
        if any(not isinstance(leaf, Exception) for leaf in leaves(left)):
            return End("fatal", left)
        if cancelled and self._stopped_for is None:
            leaked = errors.LeakedCancelled("a Cancelled that nobody asked for came out of it")
            leaked.__cause__, leaked.beside = error, left
            return End("crashed", leaked)
        if left is not None:
            return self._classify_error(left)
        if cancelled:
            return End("killed" if self._killed else "stopped")
        return End("normal")

    def _classify_error(self, left: BaseException) -> End:
        parts = tuple(leaves(left))
        reason = parts[0] if len(parts) == 1 else left
        if any(isinstance(part, errors.Escalate) for part in parts):
            return End("escalated", reason)
        if self._is_shutdown(parts):
            return End("normal", reason)
        if all(isinstance(part, errors.Ignore) for part in parts):
            return End("ignored", reason)
        return End("crashed", reason)

    def _is_shutdown(self, parts: tuple[BaseException, ...]) -> bool:
        return all(isinstance(part, errors.Shutdown) for part in parts) or all(
            isinstance(part, errors.RestartLimitExceeded) and part.opened_by is self._current
            for part in parts
        )


@final
class _TaskStatus:
    """The ``task_status`` that a function is given."""

    __slots__ = ("_run",)

    def __init__(self, run: FunctionRun) -> None:
        self._run = run

    @enable_ki_protection
    def started(self, value: object = None) -> None:
        """The function is ready."""
        self._run.is_ready(value)


@disable_ki_protection
async def _unprotected(function: Awaitable[object]) -> None:
    await function


def _joined(one: BaseException | None, other: BaseException | None) -> BaseException | None:
    """What the function raised and what its nursery did; without the nursery's own wrapping."""
    if isinstance(other, BaseExceptionGroup) and len(other.exceptions) == 1:
        other = other.exceptions[0]
    if one is None or other is None:
        return other if one is None else one
    return BaseExceptionGroup("the function and what it left behind", [one, other])


def _without_cancelled(error: BaseException | None) -> tuple[bool, BaseException | None]:
    if isinstance(error, trio.Cancelled):
        return True, None
    if isinstance(error, BaseExceptionGroup):
        cancelled, left = error.split(trio.Cancelled)
        # Splitting makes a new group even of one that has none.
        return (True, left) if cancelled is not None else (False, error)
    return False, error


async def break_out(
    scope: trio.CancelScope, gone: trio.Event, kill_timeout: float, unkillable: Callable[[], None]
) -> None:
    """Break the shields in a cancelled scope until what is in it is gone, or that is hopeless."""
    deadline = trio.current_time() + kill_timeout
    passes = 0
    while not gone.is_set() and trio.current_time() < deadline:
        break_shields(scope)
        if passes < _PASSES:
            passes += 1
            await trio.lowlevel.checkpoint()
        else:
            with trio.move_on_after(min(_PAUSE, deadline - trio.current_time())):
                await gone.wait()
    for _ in range(_PASSES):
        if gone.is_set():
            return
        break_shields(scope, of_subprocesses=True)
        await trio.lowlevel.checkpoint()
    unkillable()


def stack_below(task: Task) -> str:
    """A task and the tasks it started, and where each is."""
    return "\n".join(map(_stack_of, _tasks_below(task)))


def _tasks_below(task: Task) -> Iterator[Task]:
    yield task
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from _tasks_below(child)


def _stack_of(task: Task) -> str:
    summary = traceback.StackSummary.extract(task.iter_await_frames())
    return f"{task.name}:\n{''.join(summary.format())}"
