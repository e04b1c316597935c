"""Whoever wants to read stamped signals from a stream does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import trio
from attrs import frozen

import trido

OUT = trido.Signal("out", 1)


@frozen
class Seen:
    now: Any = None


def teller(**settings: Any) -> trido.Agent[Seen]:
    """An agent that tells the bus something, twice in a turn."""
    agent = trido.Agent("teller", state=Seen, **settings)

    @agent.on("plain")
    def plain(state: Seen, data: None) -> trido.Decision[Seen]:
        return state, [trido.Emit(OUT), trido.Emit(OUT)]

    @agent.on("one")
    def one(state: Seen, data: None) -> trido.Decision[Seen]:
        return state, [trido.Emit(OUT)]

    @agent.on("told")
    def told(state: Seen, data: None, turn: trido.Turn) -> trido.Decision[Seen]:
        return Seen(turn.now), [trido.Emit(OUT), trido.Emit(OUT)]

    @agent.on("slow")
    async def slow(state: Seen, data: None, turn: trido.Turn) -> trido.Decision[Seen]:
        await trio.sleep(5)
        return Seen(turn.now), [trido.Emit(OUT), trido.Emit(OUT)]

    return agent


async def read(rt: trido.Runtime, sent: trido.Signal, count: int) -> list[trido.Signal]:
    ref = rt.find("a") or await rt.start_agent(teller(), id="a")
    with rt.subscribe("out", stamped=True) as signals:
        await ref.call(sent)
        return [await anext(signals) for _ in range(count)]


@pytest.mark.parametrize("type", ["plain", "one", "told", "slow"])
@pytest.mark.parametrize("id", [None, "asked"])
async def test_what_an_agent_emits_is_stamped_for_who_reads_it(type: str, id: str | None) -> None:
    async with trido.open_runtime() as rt:
        got = await read(rt, trido.Signal(type, id=id), count := 1 if type == "one" else 2)
        ids = {one.id for one in got}
        assert len(ids) == count
        assert None not in ids
        assert {one.source for one in got} == {"a"}
        causes = {one.attributes["causationid"] for one in got}
        assert len(causes) == 1
        assert id is None or causes == {id}
        (time,) = {one.time for one in got}
        if type in {"told", "slow"}:
            assert time == rt.agent("a").state().now
        assert all(trido.Signal.from_json(one.to_json()) == one for one in got)


async def test_what_is_published_is_stamped_anew_for_who_reads_it() -> None:
    async with trido.open_runtime() as rt:
        with rt.subscribe("out", stamped=True) as first, rt.subscribe("**") as second:
            await rt.publish(OUT)
            await trio.sleep(1)
            await rt.publish(OUT)
            await rt.publish(trido.Signal("out", 1, id="own"))
            got = [await anext(first) for _ in range(3)]
            assert got == [await anext(second) for _ in range(3)]
        assert len({one.id for one in got}) == 3
        assert got[2].id == "own"
        assert {one.source for one in got} == {"runtime"}
        assert got[0].time is not None
        assert got[1].time == got[0].time + timedelta(seconds=1)


async def test_what_nobody_wants_stamped_is_not() -> None:
    heard: list[trido.Signal] = []
    agent = trido.Agent("hears", state=Seen, subscribe=("out",))

    @agent.on("out")
    def out(state: Seen, data: int, turn: trido.Turn) -> Seen:
        heard.append(turn.signal)
        return state

    async with trido.open_runtime() as rt:
        await rt.start_agent(agent, id="hears")
        with rt.subscribe("other", stamped=True), rt.subscribe("out") as signals:
            await rt.publish(OUT)
            await rt.agent("hears").call(OUT)
            assert await anext(signals) == OUT
    assert heard == [OUT, OUT]


async def test_stamped_is_yes_or_no() -> None:
    async with trido.open_runtime() as rt:
        with pytest.raises(trido.SpecError, match="stamped"):
            rt.subscribe("out", stamped=1)  # type: ignore[arg-type]  # wrong on purpose
