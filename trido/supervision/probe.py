"""The seam for tests: who looks on as children run, and may do harm. It costs nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from trido.supervision.place import Report


class ChildProbe(Protocol):
    """Looks on as children run."""

    def child(
        self, report: Report, fn: Callable[..., Awaitable[object]]
    ) -> Callable[..., Awaitable[object]]:
        """What is called in place of ``fn`` in the run that begins."""
        ...


PROBE: Final[ContextVar[Any]] = ContextVar("trido.probe", default=None)
"""Who looks on whatever is opened in this context: a `ChildProbe`, or a probe of agents, too."""
