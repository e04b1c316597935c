"""Orders that survive: kill it at any moment, start it again, and each is charged exactly once.

    python examples/order_fulfilment.py orders.db      many orders, in a file; kill -9 it, and again
    python examples/order_fulfilment.py                three, in memory, and a power cut

An order has the bank charge, waits for the money, and has the warehouse ship. Bank and warehouse
are told the id of each directive, and do nothing twice for one id (``keyed``): so what may have
been done before a crash is simply done again. The post has no such memory: a letter goes out at
most once. The other way it is the same: the bank tells of the money until it is answered, with an
id of its own, and the order hears it once.

Watch for: the power fails when the bank has charged for the kettle, and before it has said so. The
order asks again, and the bank knows. The grinder had not been charged yet; it is now. Nobody set
its timer again: it was in the journal.

What was being done in five lives that all ended is given up, for it may be what ends them. Then
somebody has to look, and say ``rt.resolve(id, "retry")``.

It prints::

    bank: 49 for order-1
    (the power fails)
    bank: 40 for order-2
    bank: order-1 was charged already
    bank: 129 for order-3
    warehouse: order-1
    warehouse: order-2
    post: sorry, order-3, the bank is slow today
    warehouse: order-3
    3 orders, 3 charges
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Mapping
from typing import Final, Literal

import trio
from attrs import evolve, frozen

import trido

# What an order remembers and is told --------------------------------------------------------------


@frozen
class Order:
    item: str = ""
    price: int = 0
    phase: Literal["new", "placed", "shipped"] = "new"


@frozen
class Placed:
    item: str
    price: int


# What it wants done -------------------------------------------------------------------------------


@frozen
class Charge(trido.Directive):
    item: str
    price: int


@frozen
class Ship(trido.Directive):
    item: str


@frozen
class Apologise(trido.Directive):
    why: str


# What it decides ----------------------------------------------------------------------------------

PATIENCE: Final = 10.0

order = trido.Agent("order", state=Order, durability="sync")


@order.on("order.placed")
def placed(state: Order, data: Placed) -> trido.Decision[Order]:
    late_payment = trido.Schedule(PATIENCE, late.signal(None), key="late")
    new = Order(data.item, data.price, "placed")
    return new, [Charge(data.item, data.price), late_payment]


@order.on("payment.received")
def paid(state: Order, data: None) -> trido.Decision[Order]:
    return evolve(state, phase="shipped"), [trido.Cancel("late"), Ship(state.item)]


@order.on("payment.late")
def late(state: Order, data: None) -> trido.Decision[Order]:
    return state, [Apologise("the bank is slow today")]


# The world outside: it is still there when the process is not ------------------------------------


class Receiver:
    """It does nothing twice for one id."""

    def __init__(self, file: str) -> None:
        self.db = sqlite3.connect(file, isolation_level=None)
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS done (id TEXT PRIMARY KEY, what TEXT, told INT)"
        )

    def do(self, id: str, what: str) -> bool:
        """False if that was done already."""
        insert = "INSERT OR IGNORE INTO done VALUES (?, ?, FALSE)"
        return self.db.execute(insert, (id, what)).rowcount > 0

    def not_told(self) -> list[tuple[str, str]]:
        return self.db.execute("SELECT id, what FROM done WHERE NOT told").fetchall()

    def told(self, id: str) -> None:
        self.db.execute("UPDATE done SET told = TRUE WHERE id = ?", (id,))

    def count(self) -> int:
        (count,) = self.db.execute("SELECT count(*) FROM done").fetchone()
        return int(count)


PRICES: Final = {"kettle": 49, "toaster": 40, "grinder": 129}
SLOW: Final = {"kettle": 3.0, "toaster": 4.0, "grinder": 15.0}
"""How long the money takes."""


class World:
    """The bank, the warehouse and the post."""

    def __init__(self, file: str) -> None:
        self.has_charged = trio.Event()
        self.bank = Receiver(f"{file}-bank" if file else ":memory:")
        self.warehouse = Receiver(f"{file}-warehouse" if file else ":memory:")

    async def charge(self, wanted: Charge, delivery: trido.Delivery) -> None:
        await trio.sleep(wanted.price / 100)
        if self.bank.do(delivery.id, f"{delivery.agent} {wanted.item}"):
            print(f"bank: {wanted.price} for {delivery.agent}")
        else:
            print(f"bank: {delivery.agent} was charged already")
        self.has_charged.set()
        await trio.sleep(0.25)  # so long takes the answer

    async def tell_of_money(self, rt: trido.Runtime) -> None:
        began = trio.current_time()
        while True:
            await trio.sleep(0.25)
            for id, what in self.bank.not_told():
                agent, item = what.split()
                if trio.current_time() - began >= SLOW[item]:
                    await rt.agent(agent).call(trido.Signal("payment.received", id=f"bank/{id}"))
                    self.bank.told(id)

    async def ship(self, wanted: Ship, delivery: trido.Delivery) -> None:
        if self.warehouse.do(delivery.id, delivery.agent):
            print(f"warehouse: {delivery.agent}")

    async def apologise(self, wanted: Apologise, delivery: trido.Delivery) -> None:
        print(f"post: sorry, {delivery.agent}, {wanted.why}")

    def executors(self) -> dict[type, trido.Executor]:
        return {
            Charge: trido.Executor(self.charge, delivery="keyed"),
            Ship: trido.Executor(self.ship, delivery="keyed"),
            Apologise: trido.Executor(self.apologise, delivery="at_most_once"),
        }


# One life of the shop -----------------------------------------------------------------------------


async def fulfil(journal: trido.Journal, world: World, orders: Mapping[str, str]) -> None:
    async with (
        trido.open_runtime(journal=journal, agents=(order,), executors=world.executors()) as rt,
        trio.open_nursery() as nursery,
    ):
        for id, item in orders.items():
            # Whether it was placed in an earlier life or not: with this id it is placed once.
            # Without a grace, leaving the block is as near to a kill as it gets.
            ref = await rt.start_agent(order, id=id, shutdown=trido.BRUTAL_KILL)
            await ref.call(trido.Signal("order.placed", Placed(item, PRICES[item]), id="placed"))
        nursery.start_soon(world.tell_of_money, rt)
        for id in orders:
            await rt.agent(id).wait_for(lambda state: state.phase == "shipped")
        await rt.drain()
        nursery.cancel_scope.cancel()


async def main(file: str) -> None:
    world = World(file)
    if file:
        orders = {f"order-{n}": item for n, item in enumerate([*PRICES] * 7, 1)}
        await fulfil(trido.SqliteJournal(file), world, orders)
    else:
        orders = {"order-1": "kettle", "order-2": "toaster", "order-3": "grinder"}
        journal = trido.MemoryJournal()
        async with trio.open_nursery() as power:
            two = {id: orders[id] for id in ("order-1", "order-3")}
            power.start_soon(fulfil, journal, world, two)
            await world.has_charged.wait()
            power.cancel_scope.cancel()
        print("(the power fails)")
        await fulfil(journal, world, orders)
    print(f"{len(orders)} orders, {world.bank.count()} charges")


if __name__ == "__main__":
    trido.run(main, "".join(sys.argv[1:2]))
