"""What the drill ``kill-9`` kills: it charges orders, and says so a moment later.

``python -m trido.cli.till DIRECTORY ORDERS DELIVERY``
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Final, Literal

import trio
from attrs import evolve, frozen

from trido.agents import Decision, Directive, Signal
from trido.journal import SqliteJournal
from trido.runtime import Agent, Delivery, Executor, open_runtime
from trido.supervision import run


@frozen
class Order:
    """What an order remembers."""

    is_placed: bool = False


@frozen
class Charge(Directive):
    """What it wants done, once."""

    who: str


order: Final = Agent("order", state=Order, durability="sync")


@order.on("place")
def place(state: Order, who: str) -> Decision[Order]:
    """Have it charged."""
    return evolve(state, is_placed=True), [Charge(who)]


class Bank:
    """It keeps what it has charged, by the id that it is told."""

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.execute("CREATE TABLE IF NOT EXISTS charges (id TEXT PRIMARY KEY, who TEXT)")

    def charge(self, id: str, who: str) -> bool:
        """False if that was done already."""
        return (
            self._db.execute("INSERT OR IGNORE INTO charges VALUES (?, ?)", (id, who)).rowcount > 0
        )

    def new_id(self) -> str:
        """One that it has not been told yet."""
        (number,) = self._db.execute("SELECT count(*) FROM charges").fetchone()
        return f"charge-{number}"


async def charge_all(
    directory: Path, number: int, delivery: Literal["keyed", "idempotent"]
) -> None:
    """One life of the till."""
    bank = Bank(directory / "bank")

    async def charge(wanted: Charge, given: Delivery) -> None:
        id = given.id if delivery == "keyed" else bank.new_id()
        if bank.charge(id, wanted.who):
            print(f"charged {wanted.who}", flush=True)
            await trio.sleep(0.5)  # so long takes the answer: by then it is killed

    executor = Executor(charge, delivery=delivery)
    journal = SqliteJournal(directory / "till.db")
    async with open_runtime(
        journal=journal, agents=(order,), executors={Charge: executor}
    ) as runtime:
        for one in range(number):
            ref = await runtime.start_agent(order, id=f"order-{one}")
            await ref.call(Signal("place", f"order-{one}", id="place"))
        await runtime.drain()


def main(directory: str, number: str, delivery: Literal["keyed", "idempotent"]) -> None:
    """Work until all is charged."""
    run(charge_all, Path(directory), int(number), delivery)


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
