"""The runtime: what agents have in common that know each other by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast, final

import trio
from attrs import evolve, frozen

from trido.agents import Signal
from trido.agents.stamps import stamped
from trido.errors import SpecError
from trido.runtime.agent import Agent, SpecOptions
from trido.runtime.bus import Bus
from trido.runtime.dead_letters import DeadLetters
from trido.runtime.environment import Environment
from trido.runtime.errors import IntakeClosed, NoSuchAgent
from trido.runtime.family import AS_STARTED
from trido.runtime.history import History, history_of
from trido.runtime.ids import new_id
from trido.runtime.keyed import Keys, check_key
from trido.runtime.monitors import MonitorHandle
from trido.runtime.partition import check_partition, id_in, partition_of
from trido.runtime.place import AgentPlace
from trido.runtime.ref import AgentRef
from trido.runtime.spec import AgentSpec
from trido.runtime.subscription import StreamOverflow, Subscription
from trido.runtime.woken import Woken
from trido.supervision import (
    ChildAlreadyStarted,
    ChildNotFound,
    Supervisor,
    SupervisorStopped,
)
from trido.values import ByFields

if TYPE_CHECKING:
    from trido.journal.operations import Resolution
    from trido.runtime.waking import Waker

S = TypeVar("S")


@final
@frozen(kw_only=True, eq=False, repr=False)
class Health(ByFields):
    """What `Runtime.health` says, as of that moment."""

    live: bool
    """It runs: agents are served and restarted."""
    ready: bool
    """It takes signals from outside."""
    draining: bool
    """Its intake is closed, and somebody still has something to do."""
    agents: int
    """How many agents there are."""
    parked: int
    """How many of them have crashed too often and serve nothing."""
    busy: int
    """How many of them have something to do."""
    hibernated: int
    """How many of them sleep, until somebody sends to them."""


@final
class Runtime:
    """A registry of agents, the supervisor above them, and a bus. Made by `open_runtime` only."""

    def __init__(self, env: Environment, supervisor: Supervisor) -> None:
        self.env: Environment = env
        self._root = supervisor
        self._is_open = False
        self._waker: Waker | None = None
        self._keys = Keys(self)

    def __repr__(self) -> str:
        return f"<trido.Runtime {self._root.id!r}: {len(self.env.places)} agents>"

    # Agents ---------------------------------------------------------------------------------

    async def start_agent(
        self, agent: Agent[S], /, *, id: str, **options: Unpack[SpecOptions]
    ) -> AgentRef[S]:
        """Start an agent under the runtime, and wait until it is ready.

        It is restarted with a backoff. One that crashes too often is parked and harms nobody else:
        `AgentRef.revive` runs it again. The options are those of `Agent.spec`. Once it has ended
        for good, its id is free.

        A durable agent that the journal knows goes on where it left off. If the runtime has woken
        it already, by this definition, this returns its ref, once.

        If the caller is cancelled, a start that has begun is carried through.

        Checkpoints: always a cancellation point; other tasks run at least once in half a
        millisecond of what is done on the spot.

        Raises:
          SpecError: an option is not what it may be.
          StartFailed: it failed before it was ready, or its id is taken by an agent that stands
            elsewhere (`AlreadyRegistered`).
          ChildAlreadyStarted, ChildAlreadyPresent: there is an agent of this id.
          IntakeClosed: the runtime finishes what it has.
          SupervisorStopped: the runtime is stopping or has ended.
        """
        if not isinstance(agent, Agent):
            raise SpecError("agent", agent, "a trido.Agent", of="start_agent")
        given = cast("SpecOptions", {**AS_STARTED, **options} if options else AS_STARTED)
        spec = agent.spec(id=id, runtime=self, **given)
        if self.env.refuses:
            await trio.lowlevel.checkpoint()
            raise IntakeClosed(id)
        if self._waker is not None and await self._waker.taken(id, agent):
            await trio.lowlevel.checkpoint()
            return cast("AgentRef[S]", self.agent(id))
        place = self.env.places.get(id)
        if place is not None and place.asleep is not None:
            await trio.lowlevel.checkpoint()
            raise ChildAlreadyStarted(id)
        return cast("AgentRef[S]", await self.start_spec(spec))

    async def activate(self, agent: Agent[S], key: str, /, *, partition: str = "") -> AgentRef[S]:
        """The one live agent of this key: started if there is none, woken if it sleeps.

        However many ask at once, it is started once, and all get the same ref. It is started as by
        `start_agent`, with the settings of its definition. A start that fails fails for all who
        wait for it, and leaves nothing behind: the next to ask begins anew. If a caller is
        cancelled, the start goes on for the others. One that is asked to stop before it is ready
        is started anew, once it has stopped, for all who asked.

        Its id is ``"<name of the definition>/<key>"``. In a ``partition`` it is another agent than
        that of the same key elsewhere, ``"//<partition>/<name>/<key>"``; and what it emits, to
        ids and to subscribers, stays in its partition.

        With `idle_timeout <Agent>` it hibernates when it has nothing to do, and comes back on the
        next signal. If a journal has it, it goes on where it left off, in whatever process.

        Checkpoints: always.

        Raises:
          SpecError: an argument is not what it may be; a key has no ``/``, which would make it the
            id of somebody's child.
          StartFailed: it failed before it was ready.
          AgentParked: it crashed too often; ``rt.agent(id).revive()`` runs it again.
          AlreadyRegistered: an agent of another definition has its id.
          NoSuchAgent: it was live, and has ended by its own decision already.
          IntakeClosed: the runtime finishes what it has, and starts no others.
          SupervisorStopped: the runtime is stopping or has ended.
          DeadlockError: the caller lives in an agent that is just being started or stopped.
        """
        check_key(agent, key, partition)
        return cast("AgentRef[S]", await self._keys.live(agent, key, partition))

    def begin(self, fn: Callable[..., Any], *args: Any) -> None:
        """Run a task of the runtime's own, that nobody's cancellation reaches.

        Raises:
          SupervisorStopped: the runtime is stopping or has ended.
        """
        nursery = self._root.nursery
        if nursery is None or self.is_ending:
            raise SupervisorStopped(self._root.id)
        context = nursery.parent_task.context.copy()
        context.run(nursery.start_soon, fn, *args, name=f"{self._root.id} (start)")

    async def wake(self, agent: Agent[Any], id: str) -> None:
        """Start a durable agent that has something to do."""
        given: dict[str, Any] = dict(AS_STARTED)
        if agent.settings.durability == "none":  # whoever started it had it durable
            given["durability"] = "sync"
        spec = agent.spec(id=id, runtime=self, **given)
        await self.start_spec(evolve(spec, woken=Woken()))

    def look_for(self, id: str) -> None:
        """Wake an agent that somebody sends to, if the journal has it."""
        if self._waker is not None:  # pragma: no branch - there is a journal
            self._waker.look_for(id)

    def look_after(self, id: str) -> None:
        """An agent that sleeps was forgotten: see to what the journal has of it."""
        if self._waker is not None:  # pragma: no branch - only durable agents are forgotten
            self._waker.hint(id)

    async def start_in_place(self, spec: AgentSpec[Any]) -> None:
        """Start an agent under the runtime for its parent, be it that it was woken there."""
        if self._waker is None:
            await self.start_spec(spec)
        else:
            await self._waker.start_in_place(spec)

    async def start_spec(self, spec: AgentSpec[Any]) -> AgentRef[Any]:
        """As `start_agent`, of what is a spec already."""
        child = await self._root.start_place(spec.id, spec)
        ref: AgentRef[Any] = cast("AgentPlace[Any]", child.place).ref
        return ref

    def agent(self, id: str, *, partition: str = "") -> AgentRef[Any]:
        """The agent of this id, be it that it hibernates.

        Raises:
          NoSuchAgent: there is none.
          SpecError: the partition is none.
        """
        ref = self.find(id, partition=partition)
        if ref is None:
            raise NoSuchAgent(id_in(partition, id))
        return ref

    def find(self, id: str, *, partition: str = "") -> AgentRef[Any] | None:
        """The agent of this id, be it that it hibernates, if there is one.

        Raises:
          SpecError: the partition is none.
        """
        check_partition("find", partition)
        id = id_in(partition, id)
        place = self.env.places.get(id)
        if place is None:
            former = self.env.former.get(id)
            place = None if former is None or former.place.asleep is None else former.place
        return None if place is None else place.ref

    def agents(self, *, partition: str | None = None) -> tuple[AgentRef[Any], ...]:
        """All there are, those that hibernate included; or all of one partition.

        Raises:
          SpecError: the partition is none.
        """
        places = self.env.places.values()
        if partition is not None:
            check_partition("agents", partition)
            return tuple(one.ref for one in places if partition_of(one.id) == partition)
        return tuple(place.ref for place in places)

    def monitor(self, ref: AgentRef[Any]) -> MonitorHandle:
        """Be told, once, when the current run of an agent ends: ``await rt.monitor(ref).wait()``.

        It is told at once, with the reason ``"noproc"``, if there is no run.
        """
        if not isinstance(ref, AgentRef):
            raise TypeError(f"monitor() takes the ref of an agent: {ref!r}")
        return MonitorHandle(ref.place)

    def stop_soon(self, place: AgentPlace[Any]) -> None:
        """Stop an agent, without waiting."""
        nursery = self._root.nursery
        if nursery is None or self._root.has_ended:
            return
        # Not in the context of whoever says so: that may be somebody who is just being stopped.
        context = nursery.parent_task.context.copy()
        context.run(lambda: nursery.start_soon(_stop, place, name=f"{place.id} (stop)"))

    # The bus --------------------------------------------------------------------------------

    async def publish(self, signal: Signal, /, *, partition: str = "") -> None:
        """Send ``signal`` to everybody who subscribed to such signals, in the same partition.

        What one publishes after the other arrives in that order. Whom it has to wait for, because
        they have no room and want it so, it waits for when all the others have the signal. If it
        is cancelled while it waits, those others keep the signal, and whoever still had no room
        does not get it.

        Checkpoints: always.

        Raises:
          IntakeClosed: the runtime finishes what it has.
          SupervisorStopped: it has ended.
        """
        if self.env.refuses or self._root.has_ended:
            await trio.lowlevel.checkpoint()
            ended = self._root.has_ended
            raise (SupervisorStopped if ended else IntakeClosed)(self._root.id)
        await self._bus("publish", partition).publish(signal, self._stamped)

    def _stamped(self, signal: Signal) -> Signal:
        return stamped(signal, id=new_id(), source=self._root.id, time=self.env.now())

    def subscribe(
        self,
        *patterns: str,
        buffer: int = 1024,
        overflow: StreamOverflow = "drop_oldest",
        stamped: bool = False,
        partition: str = "",
    ) -> Subscription:
        """A stream of the signals whose types fit one of these patterns, from ``with`` on.

        ``with rt.subscribe("counter.*") as signals: async for signal in signals: ...``

        Args:
          patterns: as for the routes of agents.
          buffer: how many signals may wait to be read.
          overflow: what happens to one more: the publisher waits (``"block"``), or a signal is
            dropped: this one (``"drop_newest"``) or the one that waited longest
            (``"drop_oldest"``).
          stamped: whether each signal is to have an id, a source and a time, and what an agent
            emits its causation: those that are sent on to elsewhere need them.
          partition: whose signals they are.

        Raises:
          SpecError: an argument is not what it may be.
        """
        bus = self._bus("subscribe", partition)
        return bus.subscribe(*patterns, buffer=buffer, overflow=overflow, stamped=stamped)

    def _bus(self, of: str, partition: str) -> Bus:
        check_partition(of, partition)
        return cast("Bus", self.env.bus_of(partition))

    # How it is ------------------------------------------------------------------------------

    @property
    def dead_letters(self) -> DeadLetters:
        """What nobody served or carried out, of all its agents."""
        return cast("DeadLetters", self.env.letters)

    def resolve(self, id: str, to: Resolution, /) -> Awaitable[None]:
        """Settle a directive of a durable agent that is dead, or whose outcome is unknown.

        It is begun at once, and goes on whether anybody awaits it or not. Await what this returns
        to hear that it is done; what goes wrong is raised there, or logged if nobody waits.

        ``id`` names it: it is the ``id`` of its dead letter, and the `Delivery.id` that its
        executor was given. ``"done"`` says that it was done, or need not be: it is settled for
        good. ``"retry"`` has it carried out, as if for the first time. ``"dead"`` leaves it undone:
        it is a dead letter no more in this process; the next one lists it again, as all that are
        dead.

        Checkpoints: awaiting it always is one.

        Raises:
          SpecError: there is no journal, ``id`` names no directive, or ``to`` is none of these.
          SupervisorStopped: it has ended.
          JournalError: no such directive is dead or unknown. Nothing changed.
          Unavailable: it is not known whether it happened; trying again is safe.
        """
        from trido.runtime.resolving import resolve  # noqa: PLC0415  # as in `open_runtime`

        nursery = self._root.nursery
        if nursery is None or self._root.has_ended:
            raise SupervisorStopped(self._root.id)
        return resolve(self.env, nursery, id, to)

    @property
    def history(self) -> History:
        """What its journal has of durable agents, whether they run or not.

        Raises:
          SpecError: it has no journal, or it is not open.
        """
        return history_of(self.env)

    @property
    def supervisor(self) -> Supervisor:
        """The supervisor above its agents."""
        return self._root

    def tree(self) -> str:
        """Its agents and their children as text."""
        return self._root.tree()

    def health(self) -> Health:
        """How it is. It does not wait for anything."""
        places = self.env.places.values()
        busy = sum(place.is_busy for place in places)
        live = self._is_open and not self._root.is_stopping and not self._root.has_ended
        return Health(
            live=live,
            ready=live and self.env.intake_open,
            draining=live and not self.env.intake_open and busy > 0,
            agents=len(places),
            parked=sum(place.life == "parked" for place in places),
            busy=busy,
            hibernated=sum(place.asleep is not None for place in places),
        )

    def close_intake(self) -> None:
        """Take nothing more from outside: calls raise `IntakeClosed`, casts are dead letters.

        What lives in agents goes on sending: turns, `Run` actions, lifespans, executors; and timers
        go on. See `drain`.
        """
        self.env.intake_open = False

    async def drain(self) -> None:
        """Wait until, at one moment, every mailbox and outbox is empty and no `Run` is in flight.

        With the intake open new signals may keep that from ever happening: see `close_intake`. What
        waits in a parked agent is not waited for, nor are timers that are not due. What the journal
        had to be done when the runtime was opened is.

        Checkpoints: always.

        Raises:
          DeadlockError: the caller holds an open turn of one of the agents.
        """
        from trido.runtime.drain import drained  # noqa: PLC0415  # as in `open_runtime`

        await drained(self.env, self._waker)

    # The block ------------------------------------------------------------------------------

    def opened(self) -> None:
        """Its block was entered."""
        self._is_open = True
        watchdog = self.env.watchdog
        if watchdog is not None and not self.env.meters.inline:  # it is a thread
            nursery = cast("trio.Nursery", self._root.nursery)
            nursery.start_soon(watchdog.watch, name=f"{self._root.id} (watchdog)")
        if self.env.journal is not None:
            from trido.runtime.waking import Waker  # noqa: PLC0415  # as in `open_runtime`

            self._waker = Waker(self, self.env.definitions)
            nursery = cast("trio.Nursery", self._root.nursery)
            nursery.start_soon(self._waker.run, name=f"{self._root.id} (waking)")

    def closing(self) -> None:
        """Its block is being left."""
        if self.env.watchdog is not None:
            self.env.watchdog.stop()
        if self._waker is not None:
            self._waker.stop()

    @property
    def is_ending(self) -> bool:
        """Whether all its agents end."""
        return self._root.is_stopping or self._root.has_ended

    def closed(self) -> None:
        """Its block was left."""
        self._is_open = False
        for bus in (cast("Bus", self.env.bus), *self.env.buses.values()):
            bus.close()


async def _stop(place: AgentPlace[Any]) -> None:
    with suppress(SupervisorStopped, ChildNotFound):  # it is gone, or about to be
        await place.stop()
