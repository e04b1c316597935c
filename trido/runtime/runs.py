"""The `Run` actions of one agent: those in flight, and those that wait because there are too many.

The waiting ones belong to the agent's place. Those in flight are tasks of its run: the end of the
run cancels them.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, final

import trio

from trido.agents import Signal
from trido.agents.running import Run, RunFailed
from trido.agents.secrets import redacted
from trido.agents.turn import Why
from trido.runtime.envelope import Cast
from trido.runtime.errors import AgentStopped, OutcomeUnknown
from trido.runtime.work import execute

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace
    from trido.runtime.server import AgentRun


@final
class Result(Cast):
    """What comes of a `Run`, on its way to the agent."""

    __slots__ = ()

    why: ClassVar[Why] = "run"


@final
class Runs:
    """The `Run` actions of one agent."""

    __slots__ = ("_gone", "_place", "_waiting", "flying")

    def __init__(self, place: AgentPlace[Any]) -> None:
        self._place = place
        self._waiting: deque[Run] = deque()
        self._gone: trio.Event | None = None
        self.flying: dict[trio.CancelScope, Run] = {}
        """Those in flight, by the scopes that cancel them."""

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def put(self, directive: Run) -> None:
        """Run it, as soon as there are few enough in flight."""
        self._waiting.append(directive)
        self.resume()

    def resume(self) -> None:
        """Begin those that can be."""
        run = self._place.serving_run
        while run is not None and self._waiting and len(self.flying) < self._place.settings.runs:
            directive = self._waiting.popleft()
            scope = trio.CancelScope()
            self.flying[scope] = directive
            run.need_host().start_soon(self._fly, run, directive, scope)

    async def close(self) -> None:
        """Cancel those in flight, and wait until they are gone."""
        for scope in self.flying:
            scope.cancel(reason="its agent ends")
        if self.flying:
            self._gone = trio.Event()
            await self._gone.wait()
            self._gone = None

    def give_up(self) -> None:
        """None of those that wait will be run."""
        waiting, self._waiting = self._waiting, deque()
        for directive in waiting:
            self._place.bury_directive(directive, AgentStopped(self._place.id))

    # The task -------------------------------------------------------------------------------

    async def _fly(self, run: AgentRun[Any], directive: Run, scope: trio.CancelScope) -> None:
        try:
            with scope:
                await self._carry_out(directive)
        finally:
            del self.flying[scope]
            if scope.cancelled_caught or run.is_cancelled:
                self._interrupted(directive, run)
            if self._gone is not None and not self.flying:
                self._gone.set()
            self._place.went_idle()
        self.resume()

    async def _carry_out(self, directive: Run) -> None:
        place = self._place
        try:
            result = await execute(
                directive.action,
                directive.params,
                where=directive.where,
                meters=place.env.meters,
            )
        except Exception as error:
            await self._failed(directive, error)
        else:
            if directive.ok is not None:
                await place.post(Result(Signal(directive.ok, result)))

    async def _failed(self, directive: Run, error: Exception) -> None:
        if directive.error is None:
            self._place.directive_failed(directive, error)
            return
        failed = RunFailed(
            directive.action.name,
            directive.params,
            kind=type(error).__name__,
            error=redacted(error),
        )
        await self._place.post(Result(Signal(directive.error, failed)))

    def _interrupted(self, directive: Run, run: AgentRun[Any]) -> None:
        """The run of the agent ends; what becomes of this one is for the next to say."""
        place = self._place
        if not place.goes_on_after(run.end):
            return
        if directive.delivery == "at_most_once":
            place.bury_directive(directive, OutcomeUnknown(place.id))
        else:
            self._waiting.appendleft(directive)
