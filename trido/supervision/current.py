"""What a supervised run knows of itself: its place in the tree, and the time it has to clean up."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import trio
from attrs import define

if TYPE_CHECKING:
    from trido.supervision.child import Child
    from trido.supervision.supervisor import SupervisorBase

DEFAULT_GRACE = 5.0


@define(eq=False, repr=False)
class CleanupTime:
    """How long the `cleanup` scopes of one run may last: they all end with its grace."""

    grace: float = DEFAULT_GRACE
    _deadline: float = math.inf
    _scopes: set[trio.CancelScope] | None = None
    """Made when the first is opened: most runs of agents open none."""

    def open(self) -> trio.CancelScope:
        """A new shielded scope; `close` it when it has been left."""
        deadline = min(self._deadline, trio.current_time() + self.grace)
        scope = trio.CancelScope(shield=True, deadline=deadline)
        if self._scopes is None:
            self._scopes = set()
        self._scopes.add(scope)
        return scope

    def close(self, scope: trio.CancelScope) -> None:
        """Forget a scope that has been left."""
        if self._scopes is not None:  # pragma: no branch - it was opened
            self._scopes.discard(scope)

    def end_by(self, deadline: float) -> None:
        """Let no scope last longer than this. It only ever gets shorter."""
        self._deadline = min(self._deadline, deadline)
        for scope in self._scopes or ():
            scope.deadline = min(scope.deadline, deadline)

    def expire(self) -> None:
        """End every scope now, and those opened from now on at once."""
        self.end_by(-math.inf)


@define(eq=False, repr=False)
class Current:
    """One run, as seen from inside."""

    child: Child[Any]
    cleanup_time: CleanupTime
    _supervisors: set[SupervisorBase] | None = None
    """Those opened in it: killing it means telling them."""
    task: trio.lowlevel.Task | None = None
    """The task that all of it descends from, if it has one of its own."""

    def has(self, task: trio.lowlevel.Task | None) -> bool:
        """Whether ``task`` is of this run; it may only have been started from it."""
        above = task
        while self.task is not None and above is not self.task:
            nursery = None if above is None else above.parent_nursery
            if nursery is None:
                return False
            above = nursery.parent_task
        return True

    def opened(self, supervisor: SupervisorBase) -> None:
        """A supervisor was opened in it."""
        if self._supervisors is None:
            self._supervisors = set()
        self._supervisors.add(supervisor)

    def closed(self, supervisor: SupervisorBase) -> None:
        """It has ended."""
        if self._supervisors is not None:  # pragma: no branch - it was opened
            self._supervisors.discard(supervisor)

    def kill(self) -> None:
        """Take away what is left of the grace, here and in the supervisors opened here."""
        self.cleanup_time.expire()
        for supervisor in list(self._supervisors or ()):
            # Asked only now: one that was opened by `nursery.start` may live elsewhere since.
            if self.has(supervisor.task):
                supervisor.kill_children()


CURRENT: ContextVar[Current | None] = ContextVar("trido.current", default=None)


def current_run() -> Current | None:
    """The run that the calling task lives in: it ends with that.

    A task that was started from a run in a nursery outside has its context, but is none of it.
    """
    current = CURRENT.get()
    if current is None or not current.has(trio.lowlevel.current_task()):
        return None
    return current


def current_child() -> Child[Any]:
    """The `Child` that the calling task belongs to.

    Raises:
      RuntimeError: the task does not descend from a supervised child.
    """
    current = CURRENT.get()
    if current is None:
        raise RuntimeError("current_child() is for tasks that descend from a supervised child")
    return current.child


@contextmanager
def cleanup() -> Generator[trio.CancelScope]:
    """Protect cleanup that awaits: a shielded scope that ends when the child's grace does.

    In a child that is not being stopped the scope lasts ``shutdown`` seconds, outside a child
    5.0 s. A later stop only shortens it. Once the child is being killed, it is cancelled from the
    start.

    Use it in ``finally`` blocks: what awaits there without it is cancelled again at once.
    """
    current = current_run()
    time = CleanupTime() if current is None else current.cleanup_time
    scope = time.open()
    try:
        with scope:
            yield scope
    finally:
        time.close(scope)
