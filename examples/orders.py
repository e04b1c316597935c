"""Orders hear of things twice, in the wrong order, and too late.

The shop and the bank tell an order what has happened. What may have been lost they send again, and
neither waits for the other. So an order keeps the facts, and what is to be done follows from them,
whichever came first.

Watch for: an event that an order has heard of before does nothing. The toaster is paid before it is
ordered. The grinder waits ten seconds for its money; what comes later goes back.

It prints::

    0 s: warehouse.ship, kettle
    0 s: warehouse.ship, toaster
    10 s: shop.cancel, grinder
    15 s: bank.refund, Refund(item='grinder', amount=129)
    order-1 is shipped, and has heard of ['bank/1', 'shop/1']
    order-2 is shipped, and has heard of ['bank/2', 'shop/2']
    order-3 is cancelled, and has heard of ['bank/3', 'shop/3']
"""

from __future__ import annotations

from typing import Final, Literal

import trio
from attrs import evolve, frozen

import trido

# What an order remembers, hears and tells ---------------------------------------------------------


@frozen
class Order:
    item: str | None = None
    price: int = 0
    paid: int = 0
    phase: Literal["open", "shipped", "cancelled"] = "open"
    heard: frozenset[str] = frozenset()


@frozen
class Placed:
    event: str
    item: str
    price: int


@frozen
class Paid:
    event: str
    amount: int


@frozen
class Refund:
    item: str | None
    amount: int


# What it does -------------------------------------------------------------------------------------

PATIENCE: Final = 10.0

order = trido.Agent("order", state=Order)


@order.on("order.placed")
def placed(state: Order, data: Placed) -> trido.Decision[Order]:
    if data.event in state.heard:
        return state
    new = evolve(state, item=data.item, price=data.price, heard=state.heard | {data.event})
    overdue = trido.Schedule(PATIENCE, cancelled.signal(None), key="overdue")
    return shipped_if_paid(new, overdue)


@order.on("order.paid")
def paid(state: Order, data: Paid) -> trido.Decision[Order]:
    if data.event in state.heard:
        return state
    new = evolve(state, heard=state.heard | {data.event})
    if new.phase == "cancelled":
        return new, [refund(new, data.amount)]
    return shipped_if_paid(evolve(new, paid=new.paid + data.amount))


@order.on("order.overdue")
def cancelled(state: Order, data: None) -> trido.Decision[Order]:
    cancel = trido.Emit(trido.Signal("shop.cancel", state.item))
    back = [refund(state, state.paid)] if state.paid else []
    return evolve(state, phase="cancelled"), [cancel, *back]


def shipped_if_paid(state: Order, *directives: trido.Directive) -> trido.Decision[Order]:
    if state.phase != "open" or state.item is None or state.paid < state.price:
        return state, directives
    ship = trido.Emit(trido.Signal("warehouse.ship", state.item))
    return evolve(state, phase="shipped"), [*directives, trido.Cancel("overdue"), ship]


def refund(state: Order, amount: int) -> trido.Emit:
    return trido.Emit(trido.Signal("bank.refund", Refund(state.item, amount)))


# What happens to three of them --------------------------------------------------------------------


async def tell(news: trido.Subscription) -> None:
    began = trio.current_time()
    async for signal in news:
        print(f"{trio.current_time() - began:.0f} s: {signal.type}, {signal.data}")


async def main() -> None:
    async with trido.open_runtime() as rt:
        one, two, three = [await rt.start_agent(order, id=f"order-{n}") for n in (1, 2, 3)]
        with rt.subscribe("warehouse.*", "shop.*", "bank.*") as news:
            async with trido.open_supervisor(trido.ChildSpec(tell, news)):
                kettle = placed.signal(Placed("shop/1", "kettle", 49))
                money = paid.signal(Paid("bank/1", 49))
                for event in (kettle, kettle, money, kettle, money):
                    await one.cast(event)

                await two.cast(paid.signal(Paid("bank/2", 40)))
                await two.cast(placed.signal(Placed("shop/2", "toaster", 40)))

                await three.cast(placed.signal(Placed("shop/3", "grinder", 129)))
                await trio.sleep(15)
                await three.cast(paid.signal(Paid("bank/3", 129)))
                await rt.drain()
        for ref in (one, two, three):
            print(f"{ref.id} is {ref.state().phase}, and has heard of {sorted(ref.state().heard)}")


if __name__ == "__main__":
    trido.run(main)
