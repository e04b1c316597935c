"""An agent that sends itself signals again and again lets time pass and others work."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from attrs import evolve, frozen

import trido
from tests.runtime.desk import reasons


@frozen
class Rounds:
    done: int = 0
    to: str = ""


def spinner(**settings: Any) -> trido.Agent[Rounds]:
    agent = trido.Agent("spinner", state=Rounds, **settings)

    @agent.on("spin")
    def spin(state: Rounds, data: int) -> trido.Decision[Rounds]:
        more = [trido.Emit(trido.Signal("spin", data - 1), to=state.to)] if data else []
        return evolve(state, done=state.done + 1), more

    @agent.on("turn")
    def turn(state: Rounds, data: trido.AgentRef[Any]) -> trido.Decision[Rounds]:
        return evolve(state, done=state.done + 1), [trido.Emit(trido.Signal("turn", data), to=data)]

    @agent.on("two")
    def two(state: Rounds, data: trido.AgentRef[Any]) -> trido.Decision[Rounds]:
        return state, [trido.Emit(trido.Signal("two", data), to=data)] * 2

    @agent.on("to")
    def to(state: Rounds, data: str) -> Rounds:
        return evolve(state, to=data)

    @agent.on("deal")
    def deal(state: Rounds, data: int) -> trido.Decision[Rounds]:
        return state, [trido.Emit(trido.Signal("spin", 0), to=state.to) for _ in range(data)]

    return agent


@pytest.mark.parametrize("durability", ["none", "sync"])
async def test_who_emits_to_itself_again_and_again_is_throttled_and_named(
    durability: Any, caplog: pytest.LogCaptureFixture
) -> None:
    agent = spinner(durability=durability)
    async with trido.open_runtime(journal=trido.MemoryJournal(), agents=(agent,)) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(trido.Signal("to", "a"))
        await ref.cast(trido.Signal("spin", 10**9))
        await trio.sleep(10)
        assert 900 < ref.state().done < 1200
        (said,) = (record.getMessage() for record in caplog.records)
        assert "'a'" in said
        assert "'spin'" in said
        await ref.stop()


async def test_so_it_is_by_its_ref_and_without_a_runtime(caplog: pytest.LogCaptureFixture) -> None:
    async with trido.open_supervisor(spinner().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.cast(trido.Signal("turn", ref))
        await trio.sleep(1)
        assert 100 < ref.state().done < 300
        await ref.stop()
        assert reasons(ref) == [(ref, trido.AgentStopped)]


async def test_one_that_is_killed_meanwhile_leaves_dead_letters(
    caplog: pytest.LogCaptureFixture,
) -> None:
    spec = spinner().spec(id="a", shutdown=trido.BRUTAL_KILL)
    async with trido.open_supervisor(spec) as sup:
        ref = sup["a"].value
        await ref.cast(trido.Signal("two", ref))
        await trio.sleep(0.105)
        await sup.stop_child("a")
        await trio.sleep(1)
        assert len(reasons(ref)) > 1
        assert {reason for _, reason in reasons(ref)} == {trido.AgentStopped}


async def test_a_few_rounds_and_many_signals_of_one_turn_wait_for_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(spinner(), id="a")
        await ref.call(trido.Signal("to", "a"))
        await ref.call(trido.Signal("spin", 50))
        await ref.call(trido.Signal("deal", 500))
        await ref.wait_for(lambda state: state.done == 551)
        assert trio.current_time() == 0
        assert caplog.records == []


async def test_two_agents_that_play_ball_are_not_throttled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with trido.open_runtime() as rt:
        refs = [await rt.start_agent(spinner(), id=id) for id in "ab"]
        for ref, other in zip(refs, "ba", strict=True):
            await ref.call(trido.Signal("to", other))
        await refs[0].cast(trido.Signal("spin", 1_000))
        await refs[0].wait_for(lambda state: state.done == 501)
        assert trio.current_time() == 0
        assert caplog.records == []
