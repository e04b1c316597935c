"""Keyed agents: one live agent for each key, whoever asks for it, and however many do at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import trio

from trido.errors import SpecError, TridoError
from trido.runtime.agent import Agent
from trido.runtime.errors import AgentParked, AlreadyRegistered, IntakeClosed, NoSuchAgent
from trido.runtime.flight import Flight
from trido.runtime.partition import check_partition, id_in, keyed
from trido.supervision import ChildAlreadyStarted

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace
    from trido.runtime.ref import AgentRef
    from trido.runtime.runtime import Runtime


@final
class Keys:
    """The starts of keyed agents that are under way in one runtime."""

    __slots__ = ("_flights", "_runtime")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._flights: dict[str, Flight] = {}

    async def live(self, agent: Agent[Any], key: str, partition: str) -> AgentRef[Any]:
        """The one that is live, or soon will be: see `Runtime.activate`."""
        id = id_in(partition, keyed(agent.name, key))
        await trio.lowlevel.checkpoint()
        while True:
            flight = self._flights.get(id) or self._under_way(agent, id)
            if flight is None or await self._has_come(flight, id):
                return self._place(agent, id).ref

    def _under_way(self, agent: Agent[Any], id: str) -> Flight | None:
        """The start to be waited for; None if it is live."""
        if id not in self._runtime.env.places:
            return self._begin(agent, id)
        place = self._place(agent, id)
        run = place.serving_run
        if run is not None and run.phase == "serving":
            return None
        flight = place.rouse()
        flight.place = place
        return flight

    async def _has_come(self, flight: Flight, id: str) -> bool:
        """Wait until it is ready; whether it stays, for it may have been asked to stop before."""
        self._runtime.supervisor.refuse_deadlock("activate an agent")
        try:
            await flight.wait()
        except NoSuchAgent:  # it was just ending
            return False
        end = None if flight.place is None else flight.place.leaves
        if end is not None and end.kind == "normal":  # the next one might do the same
            raise NoSuchAgent(id)
        return end is None and id in self._runtime.env.places

    def _place(self, agent: Agent[Any], id: str) -> AgentPlace[Any]:
        place = self._runtime.env.places[id]
        if place.agent is not agent:
            raise AlreadyRegistered(id)
        if place.life == "parked":
            raise AgentParked(id)
        return place

    def _begin(self, agent: Agent[Any], id: str) -> Flight:
        if self._runtime.env.refuses:
            raise IntakeClosed(id)
        spec = agent.spec(id=id, runtime=self._runtime)  # raises what is wrong with it
        flight = Flight()
        self._runtime.begin(self._start, agent, spec.id, flight)
        self._flights[id] = flight
        return flight

    async def _start(self, agent: Agent[Any], id: str, flight: Flight) -> None:
        try:
            ref = await self._runtime.start_agent(agent, id=id)
        except TridoError as error:
            self._did_not_start(flight, id, error)
        else:
            flight.place = ref.place
            flight.land()
        finally:
            del self._flights[id]

    def _did_not_start(self, flight: Flight, id: str, error: TridoError) -> None:
        flight.place = self._runtime.env.places.get(id)
        if flight.place is not None and isinstance(error, ChildAlreadyStarted):
            flight.land()  # somebody else was first
        else:
            flight.fail(error)


def check_key(agent: object, key: object, partition: object) -> None:
    """Raise `SpecError` if there is no such agent."""
    if not isinstance(agent, Agent):
        raise SpecError("agent", agent, "a trido.Agent", of="activate")
    if not isinstance(key, str) or not key:
        raise SpecError("key", key, "a non-empty string", of="activate")
    if "/" in key:  # what comes after it is the id of a child
        raise SpecError(
            "key", key, "without '/', which ids of children have: use ':'", of="activate"
        )
    check_partition("activate", partition)
