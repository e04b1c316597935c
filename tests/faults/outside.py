"""Who has to do with the agents of a runtime: callers, watchers and operators."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import trio
from attrs import Factory, define

import trido
from tests.faults import orders
from tests.faults.desks import SEEN, Desks
from tests.faults.orders import Order
from tests.faults.records import Parcel
from tests.faults.roles import agent_of

REFUSALS = (trido.AgentError, trido.DeadlockError, trio.WouldBlock)


@define(eq=False)
class Caller:
    """Somebody outside who sends signals, one after the other."""

    name: str
    scope: trio.CancelScope = Factory(trio.CancelScope)
    over: bool = False


class Outside(Desks):
    """What can be done to a runtime. All of it is synchronous, and happens in its run."""

    nursery: trio.Nursery

    def __init__(self) -> None:
        super().__init__()
        self.callers: list[Caller] = []

    def start_soon(self, fn: Any, *args: Any) -> None:
        self.nursery.start_soon(self.noticed, fn, *args)

    async def noticed(self, fn: Any, *args: Any) -> None:
        with suppress(Exception), self.noticing():
            await fn(*args)

    async def start_agent(self, id: str) -> None:
        role = self.ledger.roles[id]
        agent = agent_of(role, self)
        try:
            await self.rt.start_agent(agent, id=id, shutdown=role.shutdown, backoff=orders.BACKOFF)
        except trido.TridoError as error:
            SEEN[f"start_agent: {type(error).__name__}"] += 1

    def cast_nowait(self, to: str, order: Order, *, type: str = "") -> None:
        ref = self.find(to)
        if ref is None:
            return
        parcel = self.parcel("nowait", order, "host", ref)
        before = len(self.rt.dead_letters)
        policy = ref.place.settings.overflow
        try:
            ref.cast_nowait(order.signal(parcel.name, type=type))
        except REFUSALS as error:
            SEEN[f"nowait: {policy}"] += 1
            assert policy in ("block", "reject")
            self.ledger.refused(parcel, error)
            return
        parcel.arrived = True
        letters = list(self.rt.dead_letters)[before:]
        self.check_dropped(parcel, policy, letters)

    def check_dropped(self, parcel: Parcel, policy: str, letters: list[Any]) -> None:
        """A full mailbox drops what its policy says."""
        names = [one.signal.data for one in letters if isinstance(one.reason, trido.Overloaded)]
        mine = [one for one in names if getattr(one, "name", "") == parcel.name]
        if policy == "drop_newest":
            assert names == mine, f"{names} were dropped for {parcel}"
        else:
            assert not mine, f"{parcel} was dropped, not the oldest"

    def bad_data(self, to: str) -> None:
        ref = self.find(to)
        if ref is not None:
            parcel = self.parcel("nowait", Order(), "host", ref)
            try:
                ref.cast_nowait(trido.Signal("strict", {"name": parcel.name, "delay": "soon"}))
            except REFUSALS as error:
                self.ledger.refused(parcel, error)

    def parcel(self, how: str, order: Order, sender: Any, ref: Any) -> Parcel:
        parcel = self.ledger.sent(self.name(), how, order, sender)
        parcel.account = self.ledger.account(ref.place)
        SEEN[how] += 1
        return parcel

    def hire(self, script: list[tuple[str, str, Order]]) -> None:
        """Have somebody outside send all this."""
        caller = Caller(f"caller {len(self.callers)}")
        self.callers.append(caller)
        self.start_soon(self.perform, caller, script)

    async def perform(self, caller: Caller, script: list[tuple[str, str, Order]]) -> None:
        with caller.scope:
            for how, to, order in script:
                ref = self.find(to)
                if ref is not None:
                    await self.send(how, ref, order, caller)
        caller.over = True

    async def send(self, how: str, ref: Any, order: Order, sender: Any) -> None:
        parcel = self.parcel(how, order, sender, ref)
        signal = order.signal(parcel.name)
        try:
            if how == "cast":
                await ref.cast(signal)
                parcel.arrived = True
                return
            value = await ref.call(signal)
        except trio.Cancelled:
            SEEN["cancelled"] += 1
            with self.noticing():
                self.ledger.cancelled(parcel)
            raise
        except REFUSALS as error:
            SEEN[f"refused: {type(error).__name__}"] += 1
            self.ledger.refused(parcel, error)
        else:
            SEEN["answered"] += 1
            self.ledger.answered(parcel, value)

    def cancel_caller(self, pick: int) -> None:
        waiting = [caller for caller in self.callers if not caller.over]
        if waiting:
            waiting[pick % len(waiting)].scope.cancel(reason="the test says so")

    def stop_agent(self, id: str) -> None:
        ref = self.find(id)
        if ref is not None:
            account = self.ledger.account(ref.place)
            account.asked_to_end = min(account.asked_to_end, trio.current_time())
            self.start_soon(self.ask_supervisor, ref.stop)

    def revive(self, id: str) -> None:
        ref = self.find(id)
        if ref is not None:
            self.ledger.account(ref.place).revived += 1
            self.start_soon(self.ask_supervisor, ref.revive)

    async def ask_supervisor(self, ask: Any) -> None:
        try:
            await ask()
        except (trido.TridoError, KeyError) as error:
            SEEN[f"told: {type(error).__name__}"] += 1
