"""A slow upstream behind a breaker, while other agents stay fast.

An agent looks up a rate at an exchange. It has that done beside itself, as an action, and serves
others meanwhile. The action gives up after a second. When it has given up twice the breaker opens:
for ten seconds nobody waits for what will not come. Then one attempt is let through, and since that
succeeds the breaker closes.

Watch for: while the exchange is slow one gets the rate that was known before, first after a second
and then at once. Whoever needs another agent never waits.

It prints::

    0.1 s: 1.10
    the exchange is slow now
    1.0 s: 1.10 a while ago (ActionTimeout)
    1.0 s: 1.10 a while ago (ActionTimeout)
    0.0 s: 1.10 a while ago (BreakerOpen)
    0.0 s: 1.10 a while ago (BreakerOpen)
    the exchange is fast again
    0.0 s: 1.10 a while ago (BreakerOpen)
    0.1 s: 1.25
    a click took 0.0 s at most
"""

from __future__ import annotations

from typing import Final

import trio
from attrs import evolve, frozen

import trido

# The world outside --------------------------------------------------------------------------------


class Exchange:
    def __init__(self) -> None:
        self.rate = "1.10"
        self.seconds = 0.1

    async def look_up(self) -> str:
        await trio.sleep(self.seconds)
        return self.rate


exchange: Final = Exchange()

# The agent that needs it --------------------------------------------------------------------------


@frozen
class Lookup:
    request: str | None


@frozen
class Found:
    rate: str
    request: str | None


@frozen
class Known:
    rate: str = "unknown"


TWO_FAILURES: Final = trido.Breaker(failures=2, within=60.0, open_for=10.0)

rates = trido.Agent("rates", state=Known)


@trido.action("exchange.look_up", timeout=1.0, policies=[TWO_FAILURES])
async def look_up(lookup: Lookup) -> Found:
    return Found(await exchange.look_up(), lookup.request)


@rates.on("rate.get")
def get(state: Known, data: None, turn: trido.Turn) -> trido.Decision[Known]:
    run = trido.Run(look_up, Lookup(turn.request), ok="rate.found", error="rate.not_found")
    return state, [trido.DeferReply(), run]


@rates.on("rate.found")
def found(state: Known, data: Found) -> trido.Decision[Known]:
    return Known(data.rate), [trido.Reply(data.rate, to=data.request)]


@rates.on("rate.not_found")
def not_found(state: Known, failed: trido.RunFailed) -> trido.Decision[Known]:
    answer = f"{state.rate} a while ago ({failed.kind})"
    return state, [trido.Reply(answer, to=failed.params.request)]


# An agent that does not ---------------------------------------------------------------------------


@frozen
class Clicks:
    number: int = 0


clicks = trido.Agent("clicks", state=Clicks)


@clicks.on("click")
def click(state: Clicks, data: None) -> Clicks:
    return evolve(state, number=state.number + 1)


# Both ---------------------------------------------------------------------------------------------


async def ask(ref: trido.AgentRef[Known]) -> None:
    began = trio.current_time()
    rate = await ref.call(trido.Signal("rate.get"))
    print(f"{trio.current_time() - began:.1f} s: {rate}")


async def keep_clicking(ref: trido.AgentRef[Clicks], waited: list[float]) -> None:
    while True:
        began = trio.current_time()
        await ref.call(click.signal(None))
        waited.append(trio.current_time() - began)
        await trio.sleep(0.05)


async def main() -> None:
    waited: list[float] = []
    async with trido.open_runtime() as rt:
        rates_ref = await rt.start_agent(rates, id="rates")
        clicks_ref = await rt.start_agent(clicks, id="clicks")
        async with trido.open_supervisor(trido.ChildSpec(keep_clicking, clicks_ref, waited)):
            await ask(rates_ref)

            print("the exchange is slow now")
            exchange.seconds = 60.0
            for _ in range(4):
                await ask(rates_ref)

            print("the exchange is fast again")
            exchange.rate, exchange.seconds = "1.25", 0.1
            await ask(rates_ref)
            await trio.sleep(10)
            await ask(rates_ref)
    print(f"a click took {max(waited):.1f} s at most")


if __name__ == "__main__":
    trido.run(main)
