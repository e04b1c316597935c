"""How the place of an agent sleeps: without a run, and with all that must not be lost.

To hibernate is to end a run in order, and not to end the agent: it keeps its state, its id, its ref
and its timers, and gives back the rest. Its mailbox is open all the time, for it belongs to the
place: no signal can be lost on the way into sleep. One that comes as the run is ending, or later,
has a new run begun, and is its first.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, final

import trio
from attrs import frozen

from trido.errors import TridoError
from trido.runtime.asleep import Asleep, Dormitory
from trido.runtime.errands import Errands
from trido.runtime.errors import AgentCrashed, AgentStopped
from trido.runtime.family import AS_STARTED
from trido.runtime.flight import Flight
from trido.runtime.idle import Idle
from trido.supervision import Child, Spec, StartFailed, SupervisorStopped
from trido.supervision.place import Place, as_place
from trido.supervision.policy import ChildPolicy

if TYPE_CHECKING:
    from trido.runtime.durable import Durable
    from trido.runtime.place import AgentPlace
    from trido.runtime.runtime import Runtime

S = TypeVar("S")

_PAUSE: Final = 30.0
"""How many seconds after it could not get up it tries again, if a timer of it is due."""


class Sleeping(Errands[S]):
    """An `AgentPlace`, as it falls asleep and gets up."""

    __slots__ = ()

    # Falling asleep -----------------------------------------------------------------------------

    def wants_sleep(self) -> None:
        """Let it sleep, as soon as it has nothing to do."""
        if self.may_sleep:
            if self.idle is None:
                self.idle: Idle | None = Idle(self._whole, self.settings.idle_timeout)
                self.on_the_spot: bool = False
            self.idle.want()

    @property
    def is_engaged(self) -> bool:
        """Whether somebody counts on its run, or it counts on somebody."""
        return bool(
            self._requests
            or self._family
            or (self._watching is not None and self._watching.watchers)
            or self._monitors
            or self._waiting
            or (self.durable is not None and not self.durable.is_settled)
        )

    @property
    def next_timer(self) -> datetime | None:
        """When the first of its timers is due."""
        return None if self._timers is None else self._timers.first_due

    def hibernate(self) -> None:
        """End the run, for as long as nobody sends anything."""
        self.hibernates = True
        self.run.stop()

    def _fall_asleep(self) -> None:
        """Its run has ended for that."""
        self.hibernates: bool = False
        self._ended = AgentStopped  # nobody serves it: whoever sends to it wakes it first
        is_wanted = bool(self.mailbox) or self.flight is not None
        due, timers = (None, 0) if is_wanted else self._put_away()
        self.asleep: Asleep | None = Asleep(self._whole, due, timers)
        child = cast("Child[Any]", self._child)
        child.supervisor.sleepers[child.id] = self._whole
        self._dormitory.enter(self._whole)
        if is_wanted:
            self._get_up_soon()
        else:
            self._give_back()
            self.asleep.set()

    def _put_away(self) -> tuple[datetime | None, int]:
        """Leave to the journal what that has; when the first timer is due, and how many it has."""
        durable, due, timers = self.durable, self.next_timer, len(self._timers or ())
        if durable is None or not durable.is_settled or durable.ledger.told:
            return None, 0
        if self._timers is not None:  # pragma: no branch - a durable run has them
            self._timers.restore(())
        self.durable: Durable[S] | None = None
        self._timers = None
        return due, timers

    def _give_back(self) -> None:
        self._outbox = self._outbox or None
        self._runs = self._runs or None
        self._monitors = self._monitors or None
        self._waiting = self._waiting or None
        self._ended_run = None

    # Getting up ---------------------------------------------------------------------------------

    def rouse(self) -> Flight:
        """Have it run, if it does not; whoever asks meanwhile waits for the same."""
        flight = self.flight
        if flight is None:
            self.flight: Flight | None = Flight()
            flight = self.flight
            if self.asleep is not None:
                self._get_up_soon()
        return flight

    def is_woken(self) -> bool:
        """Have it get up, if it sleeps: whether that is so."""
        if self.asleep is not None:
            self.rouse()
        return self.asleep is not None

    def _get_up_soon(self) -> None:
        child = cast("Child[Any]", self._child)
        if child.supervisor.winds_up.is_set():
            self.end_asleep()
            return
        if self.flight is None:
            self.flight = Flight()
        self.spawn_aside(self._get_up, child)

    async def _get_up(self, child: Child[Any]) -> None:
        try:
            if child.state == "removed":
                again = Again(self._whole)
                await child.supervisor.start_place(again.child_id, again)
            else:
                await child.supervisor.restart_child(child)
        except TridoError as error:
            self._did_not_get_up(error)

    def _did_not_get_up(self, error: TridoError) -> None:
        self.land(error)
        if self.asleep is None:
            return  # it has ended, or somebody else has it running
        if isinstance(error, SupervisorStopped):
            self.end_asleep()
        elif not isinstance(error, StartFailed):  # somebody has its id in its supervisor, say
            self._fail_all(error)
        elif self.mailbox:  # they came when that had failed
            self._get_up_soon()

    def _goes_on_sleeping(self) -> None:
        """It could not get up: whoever waited for that is told, and it sleeps as before."""
        end, asleep = self._ended_run, self.asleep
        self._ended = AgentStopped
        self._put_away()
        self._fail_all(None if end is None else end.reason)
        if asleep is not None:  # pragma: no branch - that is who could not get up
            asleep.set(pause=_PAUSE)

    def _fail_all(self, cause: BaseException | None) -> None:
        for envelope in self.mailbox.close():
            self._fail_one(envelope, AgentCrashed, cause)
        self.went_idle()

    def land(self, error: TridoError | None = None) -> None:
        """Tell whoever waits for it to be ready."""
        flight, self.flight = self.flight, None
        if flight is not None and error is not None:
            flight.fail(error)
        elif flight is not None:
            flight.land()

    # The end ------------------------------------------------------------------------------------

    def end_asleep(self) -> None:
        """It will not get up any more."""
        if not self.has_run:  # else its supervisor ends that, and says so
            self._whole.end()

    def _is_up(self, asleep: Asleep) -> None:
        """It sleeps no more: it serves again, or has ended."""
        self.asleep = None
        asleep.silence()
        self._forget_sleep()
        self._dormitory.leave(self._whole)

    def _forget_sleep(self) -> None:
        child = cast("Child[Any]", self._child)
        if child.supervisor.sleepers.get(child.id) is self._whole:
            del child.supervisor.sleepers[child.id]

    @property
    def _dormitory(self) -> Dormitory:
        return Dormitory.of(cast("Child[Any]", self._child).supervisor)

    async def _stop_asleep(self) -> bool:
        """Stop it where it sleeps, if it does; what a journal has of it, only a run can change."""
        asleep = self.asleep
        if self.hibernates or (asleep is not None and (self.flight or asleep.has_timers)):
            with suppress(TridoError):
                await self.rouse().wait()
        if self.asleep is None:
            return False
        self.end_asleep()
        return True

    async def gives_way(self) -> None:
        """End where it was woken: by itself, since its supervisor may wait for who takes over."""
        woken = self.spec.woken
        if self._run is not None and woken is not None:
            woken.over = trio.Event()
            self._run.stop()
            await woken.over.wait()
        elif self.asleep is not None:
            self.end_asleep()
        self._whole.stop_soon()

    # Forgetting ---------------------------------------------------------------------------------

    @property
    def can_be_forgotten(self) -> bool:
        """Whether all there is to know of it is in a journal, and by its definition."""
        return (
            self.flight is None
            and self.durable is None
            and self.settings.durability != "none"
            and not self.settings.subscribe
            and self.kin is None
            and self.spec == self.agent.spec(id=self.id, runtime=self.env.runtime, **AS_STARTED)
        )

    def forget(self) -> None:
        """Leave it to the journal. Whoever still has its ref can wake it."""
        del self.env.places[self.id]
        self.env.former[self.id] = self.ref
        cast("Asleep", self.asleep).silence()
        self._forget_sleep()
        self.dispatcher.leave()
        self._dispatcher = None
        cast("Runtime", self.env.runtime).look_after(self.id)


@final
@frozen(eq=False)
class Again(Spec[Any]):
    """A place that is to have a run again, under the supervisor that had removed it."""

    place: AgentPlace[Any]

    @property
    def child_id(self) -> str:
        """The id it has in its supervisor."""
        return self.place.id

    @property
    def policy(self) -> ChildPolicy:
        """When to restart it, and how to stop it."""
        return self.place.spec.policy


@as_place.register
def _(again: Again) -> Place:
    return again.place
