"""The same program twice: three tasks in a nursery, then under a supervisor.

Before, whoever wrote it had thought of most things: a loop round what may fail, an event that tells
the others when there is a database. After, the functions say what they do, and nothing else. Their
order says who needs whom, and ``strategy`` says who goes on when one of them fails.

Watch for: before, the web server goes on with the connection that is lost, as nobody tells it. At
the end all are cancelled at once: it says goodbye over a connection that is closed. After, it is
started again with the new one, and at the end it has said goodbye before the database goes.

It prints::

    before:
      a page over connection 1
      a page over connection 1
      database: the database went away; again
      a page over connection 1 (LOST: it is closed)
      goodbye over connection 1 (LOST: it is closed)
    after:
      a page over connection 1
      a page over connection 1
      goodbye over connection 1 (LOST: it is closed)
      a page over connection 2
      goodbye over connection 2
"""

from __future__ import annotations

import logging
import math
from collections.abc import Generator
from contextlib import contextmanager

import trio

import trido


class Connection:
    def __init__(self, number: int) -> None:
        self.number = number
        self.is_open = True

    def send(self, what: str) -> None:
        lost = "" if self.is_open else " (LOST: it is closed)"
        print(f"  {what} over connection {self.number}{lost}")

    async def until_it_breaks(self) -> None:
        """Only the first one does."""
        await trio.sleep(1.5 if self.number == 1 else math.inf)
        raise ConnectionError("the database went away")


@contextmanager
def connect(number: int) -> Generator[Connection]:
    connection = Connection(number)
    try:
        yield connection
    finally:
        connection.is_open = False


# Before -------------------------------------------------------------------------------------------


class Shared:
    connection: Connection
    connected = trio.Event()


async def database_before(shared: Shared) -> None:
    for number in (1, 2, 3):
        try:
            with connect(number) as shared.connection:
                shared.connected.set()
                await shared.connection.until_it_breaks()
        except ConnectionError as error:
            print(f"  database: {error}; again")


async def web_before(shared: Shared) -> None:
    await shared.connected.wait()
    await serve(shared.connection)


async def before() -> None:
    shared = Shared()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(web_before, shared)
        nursery.start_soon(database_before, shared)
        await trio.sleep(2.5)
        nursery.cancel_scope.cancel()


# After --------------------------------------------------------------------------------------------


async def database(*, task_status: trio.TaskStatus[Connection]) -> None:
    with connect(trido.current_child().incarnation) as connection:
        task_status.started(connection)
        await connection.until_it_breaks()


async def web() -> None:
    await serve(trido.current_child().supervisor["database"].value)


async def after() -> None:
    async with trido.open_supervisor(
        trido.ChildSpec(database),
        trido.ChildSpec(web),
        strategy="rest_for_one",
    ):
        await trio.sleep(2.5)


# Both ---------------------------------------------------------------------------------------------


async def serve(connection: Connection) -> None:
    try:
        while True:
            connection.send("a page")
            await trio.sleep(1)
    finally:
        with trido.cleanup():
            await trio.sleep(0.1)  # noqa: ASYNC102  # it is shielded, and has the grace
            connection.send("goodbye")


async def main() -> None:
    logging.getLogger("trido").setLevel(logging.CRITICAL)  # it would tell of the crash
    print("before:")
    await before()
    print("after:")
    await after()


if __name__ == "__main__":
    trido.run(main)
