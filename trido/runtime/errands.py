"""How the place of an agent sees to what is committed, whatever becomes of the run that did.

Errands run in the nursery that the place is in. When the agent has ended for good they still have
its grace: the place lingers, and makes dead letters of what is not done by then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

import trio

from trido.agents import Directive
from trido.runtime import keep
from trido.runtime.contained import failure_of
from trido.runtime.errors import DirectiveFailed
from trido.runtime.failures import Failures
from trido.runtime.receiving import Receiving
from trido.runtime.standing import Standing
from trido.supervision.current import CURRENT, CleanupTime, Current
from trido.supervision.incarnation import break_out
from trido.supervision.messages import Fail

S = TypeVar("S")


class Errands(Receiving[S]):
    """An `AgentPlace`, as what carries directives out sees it."""

    __slots__ = ()

    def carry_out(self, directive: Directive, standing: Standing) -> None:
        """Begin to carry out a directive that is in the journal."""
        if self.env.probe is not None:
            self.env.probe.before(self._whole, directive)
        keep.carry_out(self._whole, directive, standing)
        if self.env.probe is not None:
            self.env.probe.after(self._whole, directive)

    def has_room(self, more: int) -> bool:
        """Whether a turn with so many errands may be committed."""
        if self._outbox is None and self._runs is None and self.durable is None:
            return True
        waiting = 0 if self._runs is None else len(self._runs)
        if self.durable is not None:
            waiting += self.durable.errands
        return self.outbox.has_room(more, waiting)

    def when_done(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` once all that is committed is done."""
        if self._outbox is None:
            tell()
        else:
            self._outbox.when_empty(tell)

    def give_up_errands(self) -> None:
        """Make dead letters of what is committed and not done."""
        if self._runs is not None:
            self._runs.give_up()
        if self._outbox is not None:
            self._outbox.give_up()

    def spawn(self, fn: Callable[..., Any], *args: Any) -> None:
        """Run something that outlives a run, in the nursery that the place is in."""
        nursery, child = self._nursery, self._child
        if nursery is None or child is None:  # pragma: no cover - only who was started commits
            return
        # Not the context of whoever makes room for it, but its own: it is still the agent's.
        context = nursery.parent_task.context.copy()
        context.run(CURRENT.set, Current(child, CleanupTime(self.spec.policy.grace)))
        context.run(nursery.start_soon, fn, *args, name=f"{self.id} (errand)")

    def spawn_aside(self, fn: Callable[..., Any], *args: Any) -> None:
        """Run something in the nursery that the place is in, and not as something of its own."""
        if self._nursery is not None:  # pragma: no branch - only who was started does
            context = self._nursery.parent_task.context.copy()
            context.run(self._nursery.start_soon, fn, *args, name=f"{self.id} (aside)")

    def end_errand(self, scope: trio.CancelScope, gone: trio.Event) -> None:
        """Cancel an errand, and break its shields until it is ``gone``."""
        self._ending = {*self._ending, gone}
        scope.cancel(reason="its agent has ended")
        self.spawn(break_out, scope, gone, self.spec.kill_timeout, self._errand_is_stuck)

    def errand_gone(self, gone: trio.Event) -> None:
        """One that was to end has ended."""
        self._ending = {one for one in self._ending if one is not gone}
        if not self._ending and self._run is not None and self._run.is_done:
            self._run.finish()

    @property
    def is_ending_errands(self) -> bool:
        """Whether some that are to end have not ended."""
        return bool(self._ending)

    def _errand_is_stuck(self) -> None:
        _LOG.error("agent %r has ended, and one of its executors does not", self.id)
        if self._run is not None:
            self._run.report.unkillable()

    def directive_failed(self, directive: Directive, cause: BaseException) -> None:
        """A directive could not be carried out: its policy says what that means."""
        cause = failure_of(cause)
        if not isinstance(cause, Exception):
            self.crash(cause)
            return
        error = DirectiveFailed(self.id, directive)
        error.__cause__ = cause
        if self._failures is None:
            self._failures = Failures(self._whole)
        self._failures.handle(error)

    def crash(self, error: BaseException) -> None:
        """Something that is none of its turns ends its run."""
        if self._run is not None:
            self._run.crash(error)
        elif not isinstance(error, Exception) and self._child is not None:
            self._child.supervisor.post(Fail(now=trio.current_time(), error=error))

    # After the end ----------------------------------------------------------------------------

    def _leave_behind(self) -> None:
        """What it had committed still has its grace; unless its supervisor ends, too."""
        if self._runs is not None:
            self._runs.give_up()
        if not self._outbox or self._child is None:
            return
        winds_up = self._child.supervisor.winds_up
        if winds_up.is_set():
            self.give_up_errands()
        else:
            self.env.lingering.add(self._whole)
            self._lingering = trio.CancelScope()
            self.spawn(self._linger, self._lingering, winds_up)

    async def _linger(self, scope: trio.CancelScope, winds_up: trio.Event) -> None:
        scope.deadline = trio.current_time() + self.spec.policy.grace
        with scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_then_cancel, winds_up, scope)
                self.when_done(scope.cancel)
                await trio.sleep_forever()
        if self._lingering is scope:  # pragma: no branch - else a run has begun in that moment
            self.give_up_errands()
            self._stop_lingering(scope)

    def _stop_lingering(self, scope: trio.CancelScope) -> None:
        scope.cancel(reason="there is a run again")
        self._lingering = None
        self.env.lingering.discard(self._whole)
        self.went_idle()


async def _then_cancel(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel(reason="its supervisor ends")


_LOG: Final = logging.getLogger("trido")
