"""The `Run` actions of one agent: those in flight, and those that wait because there are too many.

The waiting ones belong to the agent's place. Those in flight are tasks of its run: the end of the
run cancels them. One is in flight until what came of it is in the mailbox.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar, final

import trio
from attrs import Factory, define
from outcome import Error, Outcome
from trio.lowlevel import enable_ki_protection

from trido.agents import Signal
from trido.agents.errors import AgentError
from trido.agents.running import Run, RunFailed
from trido.agents.secrets import redacted
from trido.agents.turn import Why
from trido.runtime.contained import contained, failure_of
from trido.runtime.envelope import Envelope
from trido.runtime.errors import AgentStopped, OutcomeUnknown
from trido.runtime.standing import Standing, give_up, is_over
from trido.runtime.work import execute

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace
    from trido.runtime.server import AgentRun


@final
class Result(Envelope):
    """What comes of a `Run`, on its way to the agent."""

    __slots__ = ("_place", "_standing", "_taken")

    why: ClassVar[Why] = "run"

    def __init__(self, signal: Signal, place: AgentPlace[Any], standing: Standing | None) -> None:
        super().__init__(signal)
        self._taken = trio.Event()
        self._place = place
        self._standing = standing

    def accepted(self) -> None:
        """It is in the mailbox."""
        self._taken.set()

    def fail(self, error: AgentError) -> bool:
        """It is a dead letter; unless all agents end, and a later run begins it again."""
        self._taken.set()
        if self._standing is None:
            return False
        if isinstance(error, AgentStopped) and not self._place.ends_for_good:
            return self._standing.give_up()
        self._standing.done()
        return False

    def answer(self, value: object) -> None:
        """The turn of it is committed."""
        if self._standing is not None:
            self._standing.done()

    async def taken(self) -> None:
        """Wait until it waits for room no more."""
        await self._taken.wait()


@final
@define(eq=False)
class Flight:
    """One `Run`, from its commit until it has landed."""

    directive: Run
    number: int
    scope: trio.CancelScope = Factory(trio.CancelScope)
    """Cancels it."""
    standing: Standing | None = None
    """Where it stands in the journal, if it is in one."""


@final
class Runs:
    """The `Run` actions of one agent."""

    __slots__ = ("_again", "_gone", "_number", "_place", "_waiting", "flying")

    def __init__(self, place: AgentPlace[Any]) -> None:
        self._place = place
        self._number = 0
        self._waiting: deque[Flight] = deque()
        self._again: list[Flight] = []
        self._gone: trio.Event | None = None
        self.flying: dict[Flight, None] = {}
        """Those in flight."""

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting) + len(self._again)

    def put(self, directive: Run, standing: Standing | None = None) -> None:
        """Run it, as soon as there are few enough in flight."""
        self._number += 1
        self._waiting.append(Flight(directive, self._number, standing=standing))
        self.resume()

    def resume(self) -> None:
        """Begin those that can be, in the order in which they were committed."""
        run = self._place.serving_run
        while run is not None and len(self) and len(self.flying) < self._place.settings.runs:
            flight = self._next()
            self.flying[flight] = None
            run.need_host().start_soon(self._fly, run, flight)

    def _next(self) -> Flight:
        if self._again:
            self._again.sort(key=lambda flight: flight.number, reverse=True)
            return self._again.pop()
        return self._waiting.popleft()

    async def close(self) -> None:
        """Cancel those in flight, and wait until they are gone."""
        if not self.flying:
            return
        self._gone = trio.Event()
        for flight in self.flying:
            flight.scope.cancel(reason="its agent ends")
        try:
            await self._gone.wait()
        finally:
            self._gone = None

    def give_up(self) -> None:
        """None of those that wait will be run; those that were cancelled, not again."""
        self._again.clear()
        waiting, self._waiting = self._waiting, deque()
        for flight in waiting:
            self._bury(flight, AgentStopped(self._place.id))

    # The task -------------------------------------------------------------------------------

    @enable_ki_protection
    async def _fly(self, run: AgentRun[Any], flight: Flight) -> None:
        outcome: Outcome[Signal | None] | None = None
        try:
            outcome = await contained(flight.scope, self._code(flight), flight)
            if outcome is not None:
                await self._land(flight, outcome)
        finally:
            if outcome is None:
                self._interrupted(flight, run)
            self._landed(flight)
        self.resume()
        self._place.went_idle()

    def _code(self, flight: Flight) -> Callable[[Flight], Awaitable[Signal | None]]:
        probe = self._place.env.probe
        if probe is None:
            return self._carry_out
        return probe.wrap(self._place, self._carry_out, flight.directive)

    async def _carry_out(self, flight: Flight) -> Signal | None:
        """Run the action; the signal that tells of it, if one is to."""
        directive, standing = flight.directive, flight.standing
        if standing is not None:
            counted = standing.started if directive.delivery == "at_most_once" else standing.tried
            await counted()
        meters = self._place.env.meters
        result = await execute(
            directive.action, directive.params, where=directive.where, meters=meters
        )
        return None if directive.ok is None else Signal(directive.ok, result)

    async def _land(self, flight: Flight, outcome: Outcome[Signal | None]) -> None:
        signal = self._told(flight, outcome)
        if signal is None:
            return
        if flight.standing is not None:  # it is served once, however often it is run
            signal = flight.standing.named(signal)
        result = Result(signal, self._place, flight.standing)
        if not self._place.deliver(result) and self._gone is None:
            # It arrives in any case: from here on nothing is lost if this is cancelled.
            with trio.CancelScope() as flight.scope:
                await result.taken()

    def _told(self, flight: Flight, outcome: Outcome[Signal | None]) -> Signal | None:
        directive = flight.directive
        if not isinstance(outcome, Error):
            signal = outcome.unwrap()
            if signal is None and flight.standing is not None:
                flight.standing.done()
            return signal
        error = failure_of(outcome.error)
        if directive.error is None or not isinstance(error, Exception):
            self._place.directive_failed(directive, error)
            if flight.standing is not None:
                flight.standing.settle("failed", type(error).__name__)
            return None
        name, params = directive.action.name, directive.params
        failed = RunFailed(name, params, kind=type(error).__name__, error=_words(error))
        return Signal(directive.error, failed)

    def _interrupted(self, flight: Flight, run: AgentRun[Any]) -> None:
        """The run of the agent ends; what becomes of this one is for the next to say."""
        place, standing = self._place, flight.standing
        if place.settings.recover == "fresh" or not place.goes_on_after(run.end):
            if standing is not None:
                standing.give_up()
            return
        if self._may_fly_again(flight, standing):
            flight.scope = trio.CancelScope()
            self._again.append(flight)
        elif standing is not None:
            is_over(place, flight.directive, standing)
        else:
            self._bury(flight, OutcomeUnknown(place.id))

    def _may_fly_again(self, flight: Flight, standing: Standing | None) -> bool:
        if flight.directive.delivery == "at_most_once":
            return standing is not None and not standing.has_begun
        return standing is None or standing.count()

    def _landed(self, flight: Flight) -> None:
        del self.flying[flight]
        if self._gone is not None and not self.flying:
            self._gone.set()

    def _bury(self, flight: Flight, reason: AgentError) -> None:
        directive, standing = flight.directive, flight.standing
        if standing is not None:
            give_up(self._place, directive, standing, reason)
            return

        def again(place: AgentPlace[Any]) -> None:
            place.runs.put(directive)

        self._place.bury_directive(directive, reason, again)


def _words(error: BaseException) -> str:
    """What went wrong, and by what."""
    cause = error.__cause__
    return redacted(error) if cause is None else f"{redacted(error)}, by {_words(cause)}"
