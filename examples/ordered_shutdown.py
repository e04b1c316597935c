"""Leaving the block stops the children one at a time, the last one first.

Watch for: each child has ended, cleanup and all, before the next is asked. So the writer can still
use the connection while it flushes. The greedy one cleans up for ever; after its grace of one
second it is killed, and the stop goes on.

It prints::

    connection: open
    writer: ready
    greedy: ready
    leaving the block
    greedy: cleaning up
    writer: flushed, over an open connection
    connection: closed
    left after 1.5 s
"""

import trio

import trido

is_open = False


async def connection(*, task_status: trio.TaskStatus[None]) -> None:
    global is_open  # noqa: PLW0603  # one connection, for all to see
    is_open = True
    print("connection: open")
    task_status.started()
    try:
        await trio.sleep_forever()
    finally:
        is_open = False
        print("connection: closed")


async def writer(*, task_status: trio.TaskStatus[None]) -> None:
    print("writer: ready")
    task_status.started()
    try:
        await trio.sleep_forever()
    finally:
        # A shielded scope that ends with the grace: without it, sleeping here is cancelled again.
        with trido.cleanup():
            await trio.sleep(0.5)  # noqa: ASYNC102  # the linter does not know cleanup()
            print(f"writer: flushed, over {'an open' if is_open else 'a closed'} connection")


async def greedy(*, task_status: trio.TaskStatus[None]) -> None:
    print("greedy: ready")
    task_status.started()
    try:
        await trio.sleep_forever()
    finally:
        print("greedy: cleaning up")
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()


async def main() -> None:
    async with trido.open_supervisor(
        trido.ChildSpec(connection),
        trido.ChildSpec(writer),
        trido.ChildSpec(greedy, shutdown=1.0),
    ):
        print("leaving the block")
        begun = trio.current_time()
    print(f"left after {trio.current_time() - begun:.1f} s")


if __name__ == "__main__":
    trido.run(main)
