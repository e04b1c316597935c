"""Where actions run: in a task, in a thread, or in a process.

A thread cannot be stopped. One whose action was cancelled is *abandoned*: nobody waits for it, and
what it returns goes nowhere; but it is counted until it returns, and keeps its place among the
threads and in the limits of its action. A process is killed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, TypeVar, cast, final

import trio

from trido.agents.action import Action
from trido.agents.action_errors import WorkerDied
from trido.agents.directive import Where
from trido.agents.where import check_where, importable
from trido.errors import SpecError
from trido.runtime.actions import Call, in_task, perform
from trido.runtime.meters import Admission, Meters

D = TypeVar("D")
R = TypeVar("R")


async def execute(action: Action[D, R], params: D, *, where: Where, meters: Meters) -> R:
    """Run an action in a task, a thread or a process; in all else as `run_action`.

    If the caller is cancelled, a process is killed, and has ended when this raises; a thread is
    abandoned: this raises at once, what it returns is dropped, and what it does is done.

    Raises:
      SpecError: the action cannot run there, or its parameters cannot be sent there. Nothing ran.
      WorkerDied: the process died of something else.
    """
    check_where(action, where)
    call: Call = in_task
    if where == "process":
        call = _in_process(importable(action), action.build(params), action.name, meters)
    elif where == "thread":
        call = _in_thread(meters)
    result: R = await perform(action, params, meters, in_task if meters.inline else call)
    return result


# Threads ------------------------------------------------------------------------------------------


def _in_thread(meters: Meters) -> Call:
    async def call(action: Action[Any, Any], data: Any, admission: Admission) -> Any:
        seat = _Seat(meters)
        limiter = cast("trio.CapacityLimiter", seat)  # all that is asked of one
        try:
            return await trio.to_thread.run_sync(
                action.function, data, abandon_on_cancel=True, limiter=limiter
            )
        except BaseException:
            seat.abandon(admission)
            raise

    return call


@final
class _Seat:
    """A thread's place among those of some meters: Trio gives it back when the thread returns."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters
        self._taken = False
        self._abandoned: Callable[[], None] | None = None

    async def acquire_on_behalf_of(self, borrower: Any) -> None:
        await self._meters.threads.acquire_on_behalf_of(borrower)
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
        except BaseException:
            self._meters.threads.release_on_behalf_of(borrower)
            raise
        self._taken = True

    def release_on_behalf_of(self, borrower: Any) -> None:
        self._taken = False
        self._meters.threads.release_on_behalf_of(borrower)
        if self._abandoned is not None:
            self._meters.abandoned -= 1
            self._abandoned()

    def abandon(self, admission: Admission) -> None:
        """Nobody waits any more; if the thread still runs, it is one more of those."""
        if self._taken:
            self._meters.abandoned += 1
            self._abandoned = admission.keep()


# Processes ----------------------------------------------------------------------------------------


def _in_process(function: Callable[[Any], Any], data: object, name: str, meters: Meters) -> Call:
    parallel = _trio_parallel(name)
    job = _pickled(function, data, name)

    async def call(action: Action[Any, Any], data: Any, admission: Admission) -> Any:
        try:
            return await parallel.run_sync(
                do_job, job, kill_on_cancel=True, limiter=meters.processes
            )
        except parallel.BrokenWorkerError as error:
            raise WorkerDied(name) from error

    return call


def _pickled(function: Callable[[Any], Any], data: object, name: str) -> bytes:
    import pickle  # noqa: PLC0415  # whoever runs nothing in processes does not pay for it

    try:
        return pickle.dumps((function, data))
    except Exception as error:
        allowed = f"what can be sent to another process ({error})"
        raise SpecError("params", data, allowed, of=f"action {name!r}") from error


def do_job(job: bytes) -> Any:
    """In the worker process: call the function."""
    import pickle  # noqa: PLC0415

    function, data = pickle.loads(job)  # noqa: S301  # our own
    return function(data)


def _trio_parallel(name: str) -> Any:
    """The library that runs functions in processes; it comes with an extra."""
    try:
        return import_module("trio_parallel")
    except ImportError as error:
        allowed = "'task' or 'thread', unless trido[process] is installed"
        raise SpecError("where", "process", allowed, of=f"action {name!r}") from error


@asynccontextmanager
async def own_processes() -> AsyncGenerator[None]:
    """Inside, processes that run actions are started anew; leaving ends those that wait for work.

    Without it they are shared by the whole program, as Trio's threads are, and end by themselves
    after some minutes without work.
    """
    try:
        parallel = import_module("trio_parallel")
    except ImportError:
        yield
    else:
        async with parallel.cache_scope():
            yield
