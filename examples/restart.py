"""A child crashes, and is started again; its sibling does not notice.

Watch for: the feed's second run begins at once, and as a new run it knows nothing of the first. The
clock ticks on. On stderr, the log names the child, the run, the reason and what follows from it.

It prints::

    feed: run 1
    clock: tick
    feed: connection lost
    feed: run 2
    clock: tick
    clock: tick
"""

import trio

import trido


async def feed() -> None:
    run = trido.current_child().incarnation
    print(f"feed: run {run}")
    await trio.sleep(1.5)
    if run == 1:
        print("feed: connection lost")
        raise ConnectionError("connection lost")
    await trio.sleep_forever()


async def clock() -> None:
    while True:
        await trio.sleep(1)
        print("clock: tick")


async def main() -> None:
    async with trido.open_supervisor(trido.ChildSpec(feed), trido.ChildSpec(clock)):
        await trio.sleep(3.5)


if __name__ == "__main__":
    trido.run(main)
