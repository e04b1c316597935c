"""Waking: durable agents that have something to do are started, whoever else asks for them or not.

When a runtime opens, and whenever a timer of an agent that does not run falls due, each agent of
the journal that has directives to be carried out, or a timer that is due, is started by the
definition of its name. A name that nobody gave is reported, and what is stored is left as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, final

import trio

from trido.agents.codec.times import micros, moment_of
from trido.journal import JournalError
from trido.journal.operations import Agents, Waking
from trido.journal.rows import AgentKey, Wake
from trido.journal.session import Session
from trido.runtime.agent import Agent
from trido.runtime.naming import id_of, key_of
from trido.supervision import (
    ChildAlreadyPresent,
    ChildAlreadyStarted,
    StartFailed,
    SupervisorStopped,
)

if TYPE_CHECKING:
    from trido.runtime.runtime import Runtime
    from trido.runtime.spec import AgentSpec

AT_ONCE: Final = 16
"""How many are started at a time."""
_PAGE: Final = 1_000
_FAR: Final = timedelta(days=365 * 100)
_PAUSE: Final = 5.0


def in_rounds(wakes: Iterable[Wake]) -> list[list[Wake]]:
    """Who is to be woken, parents first: a child is started by its parent, if that has it still."""
    rounds: list[list[Wake]] = []
    depths: dict[str, int] = {}
    for wake in sorted(wakes, key=lambda wake: id_of(wake.agent)):
        id = id_of(wake.agent)
        parts = id.split("/")
        above = ("/".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
        depth = next((depths[one] + 1 for one in above if one in depths), 0)
        depths[id] = depth
        if depth == len(rounds):
            rounds.append([])
        rounds[depth].append(wake)
    return rounds


@final
class Waker:
    """Wakes the agents of one runtime."""

    def __init__(self, runtime: Runtime, agents: Mapping[str, Any]) -> None:
        self._runtime = runtime
        self._agents = agents
        self._scope = trio.CancelScope()
        self._looked = trio.Event()
        self._hint = trio.Event()
        self._hinted: set[str] = set()
        self._seen: set[str] = set()
        self._starting: dict[str, trio.Event] = {}
        self._theirs: set[str] = set()
        """Whom their parents are starting."""
        self._nursery: trio.Nursery | None = None
        self._early: list[str] = []
        """Whom somebody sends to before the task runs."""
        self._fetching = trio.CapacityLimiter(AT_ONCE)

    def stop(self) -> None:
        """Wake nobody any more."""
        self._scope.cancel(reason="its runtime ends")

    async def has_looked(self) -> None:
        """Wait until those were woken that had something to do when the runtime was opened."""
        await self._looked.wait()

    async def taken(self, id: str, agent: Agent[Any]) -> bool:
        """Whether this one was woken, by this definition; whoever asks first has it."""
        starting = self._starting.get(id)
        if starting is not None:
            await starting.wait()
        place = self._runtime.env.places.get(id)
        woken = None if place is None else place.spec.woken
        if woken is None or not woken.is_free or place is None or place.agent is not agent:
            return False
        woken.is_free = False
        return True

    async def start_in_place(self, spec: AgentSpec[Any]) -> None:
        """Start an agent for its parent; if it was woken, end it first."""
        starting = self._starting.get(spec.id)
        if starting is not None:
            await starting.wait()
        self._theirs.add(spec.id)
        try:
            await self._end_woken(spec.id)
            await self._runtime.start_spec(spec)
        finally:
            self._theirs.discard(spec.id)

    async def _end_woken(self, id: str) -> None:
        place = self._runtime.env.places.get(id)
        woken = None if place is None else place.spec.woken
        if place is not None and woken is not None and woken.is_free:
            woken.give_way()
            await place.stop()

    # The task ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Wake whoever has something to do, now and whenever one has."""
        session = self._runtime.env.session
        if session is None:  # pragma: no cover - it is opened before
            return
        try:
            with self._scope, session.watch(self._told):
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    for id in self._early:
                        self.look_for(id)
                    await self._watch(session)
        finally:
            self._looked.set()  # nobody else will be

    async def _watch(self, session: Session) -> None:
        while True:
            self._hint = trio.Event()
            due = await self._look(session)
            self._looked.set()
            with trio.CancelScope() as scope:
                if due is not None:
                    wait = self._runtime.env.wait_for(due)
                    scope.deadline = trio.current_time() + max(wait, 0.0)
                await self._hint.wait()

    def _told(self, agent: AgentKey, due: int | None) -> None:
        """Somebody has something to do: if it does not run, it is looked at."""
        id = id_of(agent)
        place = self._runtime.env.places.get(id)
        if place is None:
            self.hint(id)
        elif due is None and place.asleep is not None:
            place.rouse()  # its timers it looks after itself

    def hint(self, id: str) -> None:
        """One that does not run may have something to do."""
        self._hinted.add(id)
        self._hint.set()

    async def _look(self, session: Session) -> datetime | None:
        """Wake all that are to be; when to look again, if that is known."""
        now = self._runtime.env.now()
        try:
            found = await self._find(session, now)
        except JournalError as error:
            _LOG.warning("who is to be woken cannot be read: %s", error)
            return now + timedelta(seconds=_PAUSE)
        until = micros(now)
        for wakes in in_rounds(one for one in found if one.open or _is_due(one, until)):
            await self._wake_all(wakes)
        later = [one.due for one in found if one.due is not None and one.due > until]
        return moment_of(min(later)) if later else None

    async def _find(self, session: Session, now: datetime) -> list[Wake]:
        """All that have something to do, now or later, and do not run."""
        found = list[Wake]()
        after: AgentKey | None = None
        while True:
            page = await session.read(Waking(micros(now + _FAR), after=after, limit=_PAGE))
            found.extend(one for one in page if self._is_asleep(id_of(one.agent)))
            if len(page) < _PAGE:
                return found
            after = page[-1].agent

    def _is_asleep(self, id: str) -> bool:
        """Whether it does not run; one that has run, and ended, is not woken without a reason."""
        if id in self._runtime.env.places:
            self._seen.add(id)
            return False
        return id not in self._seen or id in self._hinted

    # One agent ----------------------------------------------------------------------------------

    async def _wake_all(self, wakes: list[Wake]) -> None:
        limiter = trio.CapacityLimiter(AT_ONCE)
        async with trio.open_nursery() as nursery:
            for wake in wakes:
                id = id_of(wake.agent)
                self._hinted.discard(id)
                self._seen.add(id)
                if id not in self._runtime.env.places and id not in self._theirs:
                    self._starting[id] = trio.Event()
                    nursery.start_soon(self._wake, wake, limiter)

    def look_for(self, id: str) -> None:
        """Start an agent that somebody sends to, if the journal has it; then tell who waits."""
        if self._scope.cancel_called:
            self._runtime.env.found(id)
        elif self._nursery is None:
            self._early.append(id)
        else:
            nursery = self._nursery
            context = nursery.parent_task.context.copy()
            context.run(lambda: nursery.start_soon(self._look_for, id, name=f"looking for {id}"))

    async def _look_for(self, id: str) -> None:
        session, starting = self._runtime.env.session, self._starting.get(id)
        try:
            if starting is not None:
                await starting.wait()
            elif session is not None and id not in self._runtime.env.places:
                await self._fetch(session, id)
        finally:
            self._runtime.env.found(id)

    async def _fetch(self, session: Session, id: str) -> None:
        self._starting[id] = trio.Event()
        try:
            async with self._fetching:
                await self._start_stored(session, id)
        finally:
            self._starting.pop(id).set()

    async def _start_stored(self, session: Session, id: str) -> None:
        try:
            found = await session.read(Agents(key_of(id)))
        except JournalError as error:
            _LOG.warning("agent %r, who is sent something, cannot be looked for: %s", id, error)
            return
        for one in found:
            await self._start(id, self._agents.get(one.name), one.name)

    async def _wake(self, wake: Wake, limiter: trio.CapacityLimiter) -> None:
        id = id_of(wake.agent)
        try:
            async with limiter:
                await self._start(id, self._agents.get(wake.name), wake.name)
        finally:
            self._starting.pop(id).set()

    async def _start(self, id: str, agent: object, name: str) -> None:
        if not isinstance(agent, Agent):
            _LOG.error(
                "agent %r has something to do, and nobody knows its definition %r: it is left as"
                " it is; give open_runtime(agents=...) the definition",
                id,
                name,
            )
            return
        try:
            await self._runtime.wake(agent, id)
        except (ChildAlreadyStarted, ChildAlreadyPresent, SupervisorStopped):
            pass  # somebody else was first, or all ends
        except StartFailed as error:
            if id in self._runtime.env.places:
                return  # its parent was first
            _LOG.error("agent %r could not be woken; it is left as it is", id, exc_info=error)


def _is_due(wake: Wake, until: int) -> bool:
    return wake.due is not None and wake.due <= until


_LOG: Final = logging.getLogger("trido")
