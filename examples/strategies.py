"""The same three children and the same crash, under each strategy.

Watch for: who is stopped and started with the child that crashed. ``explain`` says it beforehand,
without running anything; the lines below each drawing are what then happens.

It prints::

    shop [one_for_one]
    ├── database
    ├── cache  <- crashes, is started (1)
    └── web
      start cache

    shop [one_for_all]
    ├── database  <- is stopped (2), is started (1)
    ├── cache  <- crashes, is started (2)
    └── web  <- is stopped (1), is started (3)
      stop web
      stop database
      start database
      start cache
      start web

    shop [rest_for_one]
    ├── database
    ├── cache  <- crashes, is started (1)
    └── web  <- is stopped (1), is started (2)
      stop web
      start cache
      start web
"""

import logging
from typing import Literal

import trio

import trido
from trido import events

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
STRATEGIES: tuple[Strategy, ...] = ("one_for_one", "one_for_all", "rest_for_one")


async def serve() -> None:
    await trio.sleep_forever()


async def crash_once() -> None:
    if trido.current_child().incarnation == 1:
        await trio.sleep(1)
        raise RuntimeError("the cache is full")
    await trio.sleep_forever()


def shop(strategy: Strategy) -> trido.SupervisorSpec:
    return trido.SupervisorSpec(
        trido.ChildSpec(serve, id="database"),
        trido.ChildSpec(crash_once, id="cache"),
        trido.ChildSpec(serve, id="web"),
        id="shop",
        strategy=strategy,
    )


class Restarts:
    """Prints what a restart does, until it is told that the rest is not one."""

    over = False

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.ChildStopped(id=id) if not self.over:
                print(f"  stop {id}")
            case events.ChildStarted(id=id, cause="restart"):
                print(f"  start {id}")
            case _:
                pass


async def main() -> None:
    logging.getLogger("trido").setLevel(logging.CRITICAL)  # it says the same, in words
    for strategy in STRATEGIES:
        spec, restarts = shop(strategy), Restarts()
        print(trido.explain(spec, crash="cache"))
        async with trido.open_supervisor(spec=spec, observers=[restarts]):
            await trio.sleep(2)
            restarts.over = True
        print()


if __name__ == "__main__":
    trido.run(main)
