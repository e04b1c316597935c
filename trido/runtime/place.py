"""The place of an agent in a supervisor: what outlives its runs.

The mailbox, the outbox, the last committed state, timers and the ref belong to the place. A run
borrows them, and exists between a start and an end; a call that is queued when a run ends waits for
the next one, if there will be one.

Its other sides are in files of their own: its `parts`, how it takes signals in (`receiving`), and
how it sees to what is committed (`errands`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, final

import trio

from trido.agents.errors import AgentError
from trido.errors import SpecError
from trido.runtime.dispatcher import Dispatcher
from trido.runtime.envelope import Call, Envelope, Own
from trido.runtime.errors import (
    AgentCrashed,
    AgentParked,
    AgentStopped,
    AlreadyRegistered,
    NoSuchAgent,
)
from trido.runtime.family import FamilyErrand
from trido.runtime.monitors import down
from trido.runtime.partition import partition_of
from trido.runtime.ref import AgentRef
from trido.runtime.server import AgentRun
from trido.runtime.sleeping import Sleeping
from trido.runtime.spec import AgentSpec
from trido.supervision import Child, Supervisor
from trido.supervision.place import End, Report, as_place
from trido.supervision.tables import State

if TYPE_CHECKING:
    from trido.runtime.durable import Durable
    from trido.runtime.family import Kin
    from trido.runtime.host import Host
    from trido.runtime.runtime import Runtime
    from trido.runtime.timers import Timers

S = TypeVar("S")

_ASKED: Final = frozenset({"stopped", "killed"})
_WITHOUT_RUN: Final = frozenset[State]({"stopped", "parked", "removed"})


@final
class AgentPlace(Sleeping[S]):
    """An agent in a supervisor."""

    __slots__ = ()

    # The port ---------------------------------------------------------------------------------

    def start(self, report: Report) -> AgentRun[S]:
        """Start a run. It is ready at once, unless something has to be awaited first."""
        self._count_on(report.child)
        nursery = self._nursery = report.nursery
        self.comes_back = self._is_told = self.hibernates = False
        self._ended_run = None
        if self.kin is not None or self.env.runtime is not None:
            self._register()
        if self._dispatcher is None:
            self._dispatcher = Dispatcher.of(nursery, *report.child.supervisor.path)
            self._dispatcher.enter()
        if self.asleep is not None and self.durable is None:
            self.durable: Durable[S] | None = self._new_durable()
        if self.durable is not None:
            self.durable.begin()
        self._ended = None
        if self._lingering is not None:
            self._stop_lingering(self._lingering)
        self._recover()
        run = self._run = AgentRun(self, report)
        run.open()
        return run

    def _count_on(self, child: Child[Any]) -> None:
        """It is this child of its supervisor; a new one, after it was removed to sleep."""
        if self._child is not None and self._child is not child:
            self._former_runs += self._child.incarnation
        self._child = child

    def _register(self) -> None:
        if self.kin is not None:
            self._go_on_from(self.kin.parent.family.former(self.kin))
        if self.env.runtime is None:
            return
        known = self.env.places.get(self.id)
        if known is self:
            return
        if known is not None:
            self._take_over(known)
        self.env.places[self.id] = self
        self.env.arrived(self)
        self._take(self.env.former.pop(self.id))
        bus = self.env.bus_of(partition_of(self.id)) if self.settings.subscribe else None
        if bus is not None:
            bus.add(self, self.settings.subscribe)

    def _take_over(self, known: AgentPlace[Any]) -> None:
        """Go on in the place of one that was only woken."""
        woken = known.spec.woken
        is_free = woken is not None and woken.is_free and known.agent is self.agent
        if woken is None or not is_free or self.durable is None or self.spec.woken is not None:
            raise AlreadyRegistered(self.id)
        woken.give_way()
        self._before = known
        self._waiting, known._waiting = known._waiting, None
        self.kin, known.kin = self.kin or known.kin, None
        self._take(known.ref)

    async def has_taken_over(self) -> None:
        """Wait until nothing of it runs where it was woken."""
        if self._before is not None:
            await self._before.gives_way()
            self._before = None

    def _go_on_from(self, last: AgentPlace[Any] | None) -> None:
        """Count on from the place that this child had in the last run of its parent."""
        if last is not None and last is not self:
            self._former_runs = last.incarnation
            self.revision = last.revision
            self._take(last.ref)

    def _take(self, ref: AgentRef[Any] | None) -> None:
        """Go on under the ref of whoever had the id before."""
        if ref is not None:
            ref.place = self
            self.ref: AgentRef[S] = ref

    def _recover(self) -> None:
        if self.settings.recover == "fresh" and self.asleep is None:
            self.state = self.agent.state.initial
            if self._family is not None:
                self._family.forget()
        if self.durable is None and (self._timers is not None or self.settings.schedules):
            self.timers.begin(self.settings.schedules)

    def changed(self, state: State, *, comes_back: bool) -> None:
        """Once there will be no next run, nobody waits for one."""
        self.comes_back: bool = comes_back
        if state in _WITHOUT_RUN:
            if self._is_gone and not comes_back:
                return
            if not comes_back and self._sleeps():
                return
            if comes_back:
                self._drop_mailbox(AgentCrashed, None)
            else:
                self._end(AgentParked if state == "parked" else NoSuchAgent)
            self._tell_of_its_end(comes_back=comes_back)
        elif state == "restarting" and comes_back:
            self._tell_of_its_end(comes_back=True)
        if self.env.drain is not None or self.idle is not None:
            self.went_idle()

    @property
    def _is_gone(self) -> bool:
        """Whether it has ended, and there is nobody left to tell."""
        has_left = self._ended is NoSuchAgent and self._dispatcher is None
        return has_left and self._monitors is None and self.kin is None

    def _sleeps(self) -> bool:
        """Have it sleep, or sleep on, if its run ended only for that, or could not begin."""
        end, child = self._ended_run, self._child
        if end is None or child is None or child.supervisor.winds_up.is_set():
            return False
        if self.hibernates:
            self._tell_of_its_end(comes_back=True)
            self._fall_asleep()
            return True
        if self.asleep is None or end.kind in _ASKED:
            return False
        self._tell_of_its_end(comes_back=True)
        self._goes_on_sleeping()
        return True

    # The run ----------------------------------------------------------------------------------

    @property
    def opens_with_a_host(self) -> bool:
        """Whether something has to be awaited before a run is ready."""
        agent = self.agent
        return (
            agent.lives is not None
            or self.durable is not None
            or (agent.starts is not None and agent.starts.is_async)
            or bool(self.settings.children)
            or bool(self._family)
            or (self.env.probe is not None and self.env.probe.holds(self, "start"))
        )

    @property
    def opens_quietly(self) -> bool:
        """Whether nothing of it is called as a run begins, and nothing goes on."""
        return (
            self.agent.starts is None
            and self._waiting is None
            and self._outbox is None
            and self._runs is None
            and self._failures is None
        )

    async def open_children(self, host: Host) -> None:
        """Start the children that a run begins with."""
        if self.settings.children or self._family is not None:
            await self.family.open(host)

    @property
    def supervisor_below(self) -> Supervisor | None:
        """The supervisor of the children that live with it, if there are any."""
        return None if self._family is None else self._family.supervisor

    async def close_children(self) -> None:
        """Stop the children that end with a run."""
        if self._family is not None:
            await self._family.close()

    async def close_runs(self) -> None:
        """Cancel what is in flight, and wait until it is gone."""
        if self._runs is not None:
            await self._runs.close()

    def run_is_ready(self, run: AgentRun[S]) -> None:
        """It serves from now on; first of all, what was committed before."""
        if self.asleep is not None:
            self._is_up(self.asleep)
        if self.flight is not None:
            self.land()
        if self._failures is not None:
            self._failures.resume()
        if self._runs is not None:
            self._runs.resume()
        if self._outbox is not None:
            self._outbox.resume(FamilyErrand.LANE)
        if self._waiting is not None:
            self._waiting.tell(self.shown_state)
        if self.durable is not None:
            self.durable.carry_on()
        if self.kin is not None:
            self.kin.parent.family.child_started(self, self.kin)
        if self.mailbox.oldest is not None:
            self.wake()
        self.went_idle()

    def run_winds_up(self, end: End) -> None:
        """It serves no more."""
        if self.durable is not None and end.kind not in ("stopped", "normal"):
            self.durable.winds_up()
        if self._timers is not None:
            self._drop_timers(self._timers, end)
        if self.goes_on_after(end):
            kind = AgentStopped if end.kind == "normal" else AgentCrashed
            self._fail_requests(kind, end.reason)
            if end.kind not in ("stopped", "killed", "normal"):
                self._drop_mailbox(AgentCrashed, end.reason)
            return
        if end.kind in ("stopped", "killed"):
            self._close_mailbox(AgentStopped)
        if self._runs is not None:
            self._runs.give_up()
        if end.kind == "killed":
            self.give_up_errands()

    def takes_its_time(self, end: End) -> None:
        """Its run ends, but not at once; who waits for a turn does not wait for that, too."""
        if self.hibernates:
            return
        if self.spec.policy.restart == "temporary" or not self.goes_on_after(end):
            self._close_mailbox(AgentStopped)

    def goes_on_after(self, end: End) -> bool:
        """Whether the agent may have another run after one that ends so."""
        if self.comes_back or (self._run is not None and self._run.was_asked):
            return self.comes_back
        if end.kind == "normal":
            return self.hibernates or self.spec.policy.restart == "permanent"
        return end.kind in ("crashed", "escalated", "ignored")

    @property
    def leaves(self) -> End | None:
        """How its run ends, or has ended, if there will be no other."""
        if self.serving_run is not None:
            return None
        end = self._ended_run if self._run is None else self._run.end
        return None if end is None or self.goes_on_after(end) else end

    @property
    def ends_for_good(self) -> bool:
        """Whether nobody is to go on where it left off: neither a next run nor a next process.

        If its supervisor ends, it is not by a decision about this agent; but a child that lives
        with its parent ends for good with it.
        """
        if self.yields:
            return False
        if self._child is not None and self._child.supervisor.has_begun_to_end:
            lives_with = self.kin is not None and self.kin.on_parent_death is None
            return lives_with and self.kin is not None and self.kin.parent.ends_for_good
        return self.has_ended or (self._run is not None and not self.goes_on_after(self._run.end))

    def run_ended(self, end: End) -> None:
        """There is no run."""
        if self._requests is not None:
            self.close_requests()
        self._ended_run = end
        goes_on = end.kind == "normal" and self.goes_on_after(end)
        self.hibernates: bool = self.hibernates and goes_on
        self._run = None
        if self.spec.woken is not None and self.spec.woken.over is not None:
            self.spec.woken.over.set()
        if self.idle is not None:
            self.idle.stop()
        if self._timers is not None:  # `on_stop` may have set some
            self._drop_timers(self._timers, end)
        if self._watching is not None:
            self._watching.run_ended()
        if self.env.probe is not None:
            self.env.probe.ended(self, end)

    def _drop_timers(self, timers: Timers, end: End) -> None:
        """Timers end with a run, unless the next one goes on from what it committed."""
        if self.hibernates or (self.asleep is not None and end.kind not in _ASKED):
            return
        is_asked = end.kind in _ASKED and not self.comes_back
        if is_asked or self.settings.recover == "fresh":
            timers.drop()

    def _tell_of_its_end(self, *, comes_back: bool) -> None:
        """Tell those who watch that a run has ended; what follows is in place by now."""
        end, kin = self._ended_run, self.kin
        if end is not None and self._monitors is not None:
            self._monitors.run_ended(self.incarnation, end)
        if kin is None:
            return
        told = None if end is None else down(self.id, self.incarnation, end)
        if told is not None and not (self._is_told and comes_back):
            self._is_told = True
            kin.parent.family.child_exit(self, kin, told, comes_back=comes_back)
        if self.has_ended:
            kin.parent.family.child_gone(kin, told)
            self.kin: Kin | None = None

    # Turns ------------------------------------------------------------------------------------

    def commit(self, state: S) -> None:
        """A turn is done: this is the state."""
        self.state: S = state
        self.revision: int = self.revision + 1
        if self._waiting is not None:
            self._waiting.tell(state)

    def take_back(self, envelope: Envelope) -> None:
        """Its turn did not happen: it is the next to be served."""
        self.mailbox.put_back(envelope)

    def died_on(self, envelope: Envelope, error: BaseException, end: End) -> None:
        """The run ended while it served this."""
        again = not isinstance(envelope, Call | Own) and end.kind in ("crashed", "ignored")
        if again and envelope.deaths < self.settings.redeliver:
            envelope.deaths += 1
            self.mailbox.put_back(envelope)
            return
        self._fail_one(envelope, AgentStopped if end.kind == "normal" else AgentCrashed, error)

    def interrupted(self, envelope: Envelope, cause: BaseException | None) -> None:
        """The turn that served this did not happen."""
        crashed = cause is not None or self.comes_back
        self._fail_one(envelope, AgentCrashed if crashed else AgentStopped, cause)

    # Ends -------------------------------------------------------------------------------------

    def end(self) -> None:
        """It has ended, and has no run."""
        self._end(NoSuchAgent)

    def _end(self, ended: type[AgentError]) -> None:
        """There will be no next run, unless somebody asks for one."""
        if self._timers is not None and ended is NoSuchAgent:
            self._timers.drop()
        elif self._timers is not None:
            self._timers.pause()
        if self.asleep is not None:
            self._is_up(self.asleep)
        self._close_mailbox(AgentStopped if ended is NoSuchAgent else ended)
        self._ended = ended
        if self.flight is not None:
            self.land(ended(self.id))
        if self.durable is not None:
            self.durable.ended()
        if self._requests is not None:
            self._fail_requests(AgentStopped, None)
        if ended is NoSuchAgent:
            self._leave()

    def _leave(self) -> None:
        """It has ended for good: its name is free, and nobody waits for it."""
        if not self.yields:
            self.env.left(self)
        if self.env.places.get(self.id) is self:
            del self.env.places[self.id]
            self.env.former[self.id] = self.ref
        bus = self.env.bus_of(partition_of(self.id)) if self.settings.subscribe else None
        if bus is not None:
            bus.remove(self)
        self._leave_behind()
        if self._waiting is not None:
            self._waiting.fail(self.id)
        if self._family is not None:
            self._family.parent_ended()
        if self._dispatcher is not None:
            self._dispatcher.leave()
            self._dispatcher = None

    # Asking the supervisor --------------------------------------------------------------------

    async def stop(self) -> bool:
        """Have its supervisor stop it, in order; False if there was none to ask."""
        child = self._child
        if self.asleep is not None or self.hibernates or child is None or self.has_ended:
            await trio.lowlevel.checkpoint_if_cancelled()
            if await self._stop_asleep():
                return False
            child = self._child
        if child is None or self.has_ended:
            return False
        await child.supervisor.stop_place(child)
        return True

    async def revive(self) -> None:
        """Have its supervisor run it again."""
        if self._child is None:
            raise NoSuchAgent(self.id)
        if self.is_woken():
            await self.rouse().wait()
            return
        await self._child.supervisor.restart_child(self._child)

    def stop_soon(self) -> None:
        """As `stop`, without waiting."""
        if self.env.runtime is not None:  # pragma: no branch - only agents of one have such parents
            self.env.runtime.stop_soon(self)

    def runtime_for(self, what: str) -> Runtime:
        """The runtime. Raises `SpecError` if the agent is alone."""
        if self.env.runtime is None:
            raise SpecError("runtime", None, f"given for an agent with {what}", of=self.agent.of)
        return self.env.runtime


as_place.register(AgentSpec, AgentPlace)
