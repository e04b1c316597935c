"""No signal is lost or served twice, however it meets an agent that falls asleep or gets up."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import trio
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

import trido
from tests.runtime.books import Books
from tests.runtime.desk import Log
from trido import testing

HALVES = st.integers(0, 8).map(lambda n: n / 2)
SENDERS = st.lists(
    st.tuples(
        st.sampled_from(["call", "cast", "cast_nowait", "emit", "activate"]),
        st.lists(HALVES, min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=4,
)


def sleeper(durability: Any, *, host: bool) -> trido.Agent[Log]:
    log = trido.Agent("log", state=Log, idle_timeout=1.0, durability=durability)

    @log.on("note")
    def note(state: Log, data: str) -> Log:
        return evolve(state, seen=(*state.seen, data))

    @log.on("last")
    def last(state: Log, data: object) -> trido.Decision[Log]:
        return state, [trido.Hibernate()]

    if host:

        @log.lifespan
        async def lives(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
            await trio.sleep(0.5)
            yield
            await trio.sleep(0.5)

    return log


def sender() -> trido.Agent[Log]:
    made = trido.Agent("sender", state=Log)

    @made.on("send")
    def send(state: Log, data: str) -> trido.Decision[Log]:
        return state, [trido.Emit(trido.Signal("note", data), to="log/k")]

    return made


async def send(rt: trido.Runtime, log: trido.Agent[Log], how: str, name: str, at: float) -> None:
    signal, ref = trido.Signal("note", name), rt.agent("log/k")
    if how == "call":
        assert name in (await ref.call(signal)).seen
    elif how == "cast":
        await ref.cast(signal)
    elif how == "cast_nowait":
        ref.cast_nowait(signal)
    elif how == "emit":
        await rt.agent("sender").call(trido.Signal("send", name))
    else:
        await (await rt.activate(log, "k")).call(signal)
    if at == 2.0:
        ref.cast_nowait(trido.Signal("last"))


@given(
    senders=SENDERS,
    durability=st.sampled_from(["none", "none", "sync"]),
    host=st.booleans(),
    seed=st.integers(0),
)
@settings(max_examples=50)
def test_every_signal_is_served_once_and_in_order_whenever_it_comes(
    *, senders: list[tuple[str, list[float]]], durability: str, host: bool, seed: int
) -> None:
    log = sleeper(durability, host=host)

    async def sends(rt: trido.Runtime, n: int, how: str, pauses: list[float]) -> None:
        for m, pause in enumerate(pauses):
            await trio.sleep(pause)
            await send(rt, log, how, f"{n}.{m}", pause)

    async def main() -> None:
        with trio.fail_after(1_000):
            async with trido.open_runtime(journal=Books(), agents=(log,)) as rt:
                await rt.start_agent(sender(), id="sender")
                ref = await rt.activate(log, "k")
                async with trio.open_nursery() as nursery:
                    for n, (how, pauses) in enumerate(senders):
                        nursery.start_soon(sends, rt, n, how, pauses)
                await rt.drain()
                seen = ref.state().seen
                for n, (_, pauses) in enumerate(senders):
                    mine = [name for name in seen if name.startswith(f"{n}.")]
                    assert mine == [f"{n}.{m}" for m in range(len(pauses))]
                assert len(rt.dead_letters) == 0
                await trio.sleep(10)
                assert ref.status().state == "hibernated"

    testing.run(main, seed=seed, guarded=False)
