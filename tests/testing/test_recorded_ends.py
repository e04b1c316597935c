"""A record says when a run was asked to stop, and how its supervisor took its end."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import trido
from tests.testing.agents import quiet
from tests.testing.ledgers import Sum, summer
from trido.testing import (
    InvariantFailed,
    Recorder,
    inject,
    restart_within,
    siblings_untouched,
    stops_within,
)
from trido.testing.recorder_entries import RunEnded, Stopping


async def feed() -> None:
    while True:  # noqa: ASYNC110  # it has awaits, for plans to name
        await trio.sleep(0.4)


async def deaf() -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()


def busy(seconds: float) -> trido.Agent[Sum]:
    agent = summer()

    @agent.on("busy")
    async def work(state: Sum, data: object) -> Sum:
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)
        return state

    return agent


async def children(plan: str, *, strategy: Any = "one_for_one", **first: Any) -> Recorder:
    """What happens to two children that are hit, and then stopped."""
    specs = [trido.ChildSpec(feed, id="a", **first), trido.ChildSpec(feed, id="b")]
    with quiet(), Recorder() as recorder:
        async with inject(plan), trido.open_supervisor(*specs, strategy=strategy):
            await trio.sleep(5)
    return recorder


@pytest.mark.parametrize("plan", ["cancel a at 1s", "crash a at 1s"])
async def test_a_child_that_its_supervisor_cancels_has_crashed(plan: str) -> None:
    recorder = await children(plan, strategy="one_for_all", restart="temporary")
    assert [(one.agent, str(one.reason)) for one in recorder.crashes] == [("root/a", plan)]
    with pytest.raises(InvariantFailed, match="'root/a' never came back"):
        restart_within(1.0)(recorder)
    with pytest.raises(InvariantFailed, match="'root/b' was restarted, for 'root/a' crashed"):
        siblings_untouched(await children(plan, strategy="one_for_all"))


async def test_an_agent_that_its_supervisor_cancels_has_crashed() -> None:
    agents = [summer(name).spec(id=name) for name in ("a", "b")]
    with quiet(), Recorder() as recorder:
        async with (
            inject("cancel a at 1s"),
            trido.open_supervisor(*agents, strategy="one_for_all"),
        ):
            await trio.sleep(5)
    assert [str(one.reason) for one in recorder.crashes] == ["cancel a at 1s"]
    with pytest.raises(InvariantFailed, match="'b' was restarted, for 'a' crashed"):
        siblings_untouched(recorder)


async def test_a_cancellation_that_leaks_is_a_crash() -> None:
    async def leaks() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.sleep(1)
            except trio.Cancelled as error:  # noqa: ASYNC103  # a bug it is
                leaked.append(error)
        raise leaked[0]

    leaked: list[trio.Cancelled] = []
    spec = trido.ChildSpec(leaks, id="a", restart="temporary")
    with quiet(), Recorder() as recorder:
        async with trido.open_supervisor(spec):
            await trio.sleep(1)
    assert [one.agent for one in recorder.crashes] == ["root/a"]


async def test_a_child_that_is_killed_did_not_stop() -> None:
    with quiet(), Recorder() as recorder:
        async with trido.open_supervisor(trido.ChildSpec(deaf, id="a", shutdown=1.0)):
            await trio.sleep(1)
    [asked], [end] = recorder.of(Stopping), recorder.of(RunEnded)
    assert (end.kind, end.at - asked.at) == ("killed", 1.0)
    with pytest.raises(InvariantFailed, match="'root/a' did not stop, and was killed"):
        stops_within(9.0)(recorder)


@pytest.mark.parametrize("by", ["runtime", "supervisor"])
async def test_the_time_to_stop_counts_from_when_it_was_asked_for(by: str) -> None:
    agent = busy(4.0)
    with quiet(), Recorder() as recorder, Recorder() as other:
        if by == "runtime":
            async with trido.open_runtime() as rt:
                await (await rt.start_agent(agent, id="a")).cast(trido.Signal("busy"))
                await trio.sleep(1)
        else:
            async with trido.open_supervisor(agent.spec(id="a")) as sup:
                await sup["a"].value.cast(trido.Signal("busy"))
                await trio.sleep(1)
    for one in (recorder, other):
        stops_within(3.0)(one)
        with pytest.raises(InvariantFailed, match=r"'a' took 3\.000 s, and may take 1 s to stop"):
            stops_within(1.0)(one)


async def test_each_of_several_stops_of_the_same_run_number_is_judged() -> None:
    with Recorder() as recorder:
        for seconds in (4.0, 1.5):
            async with trido.open_supervisor(busy(seconds).spec(id="a")) as sup:
                await sup["a"].value.cast(trido.Signal("busy"))
                await trio.sleep(1)
    with pytest.raises(InvariantFailed, match=r"took 3\.000 s"):
        stops_within(1.0)(recorder)


async def test_who_is_done_for_by_itself_was_not_asked() -> None:
    with quiet(), Recorder() as recorder:
        async with trido.open_runtime() as rt:
            ref = await rt.start_agent(summer(), id="a", restart="temporary")
            await ref.cast(trido.Signal("slow", 0.5))
            await ref.cast(trido.Signal("boom"))
            await trio.sleep(2)
    assert recorder.of(Stopping) == []
