"""What came to light when the library was used, and used wrongly."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import trio

import trido
from tests.runtime.desk import Log, agent, note


async def test_a_thread_cannot_cast_past_trio_and_leaves_nothing_half_sent() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        told: list[RuntimeError] = []

        def cast() -> None:
            with pytest.raises(
                RuntimeError, match=r"agent 'a' .* trio\.from_thread\.run_sync"
            ) as info:
                ref.cast_nowait(note("lost"))
            told.append(info.value)

        thread = threading.Thread(target=cast)
        thread.start()
        thread.join()
        assert len(told) == 1
        assert ref.status().queued == 0
        assert await ref.call(note("1")) == Log(("1",))


@pytest.mark.real_time
async def test_a_thread_of_trio_s_casts_by_way_of_trio() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        await trio.to_thread.run_sync(trio.from_thread.run_sync, ref.cast_nowait, note("1"))
        assert await ref.wait_for(lambda state: state.seen) == Log(("1",))


@pytest.mark.parametrize(
    ("returned", "rule"),
    [
        (trido.Stop(), "in a list or a tuple"),
        ([trido.Signal("x")], r"such as trido.Emit\(signal\)"),
        ([trido.Emit], r"such as trido.Emit\(signal\)"),
    ],
)
def test_what_is_no_directive_is_refused_with_the_way_out(returned: Any, rule: str) -> None:
    wrong = trido.Agent("wrong", state=Log)
    wrong.on("go", data=object)(lambda state, data: (state, returned))
    with pytest.raises(trido.InvalidDecision, match=rule):
        wrong.cmd(Log(), trido.Signal("go"))


async def test_a_failed_run_says_what_the_failed_step_failed_by() -> None:
    @trido.action("card.charge")
    async def charge(data: str) -> str:
        raise trido.Reject("no credit")

    buyer = trido.Agent("buyer", state=Log)

    @buyer.on("buy")
    def buy(state: Log, data: None) -> trido.Decision[Log]:
        order = trido.sequence("order.place", charge)
        return state, [trido.Run(order, "one", error="not.bought")]

    @buyer.on("not.bought")
    def not_bought(state: Log, failed: trido.RunFailed) -> Log:
        return Log((failed.error,))

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(buyer, id="b")
        await ref.cast(buy.signal(None))
        (said,) = (await ref.wait_for(lambda state: state.seen)).seen
        assert said.endswith("by Reject('no credit')")


@pytest.mark.parametrize("options", [{"mailboxes": 1}, {"id": "a", "foo": 1}])
def test_an_unknown_option_is_named_with_whom_it_was_given_to(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="Agent 'log' got an unexpected keyword argument"):
        agent(**options) if "id" not in options else agent().spec(**options)


def test_a_runtime_that_is_none_is_refused_at_the_spec() -> None:
    with pytest.raises(trido.SpecError, match=r"what trido\.open_runtime gives"):
        agent().spec(id="a", runtime=5)  # type: ignore[arg-type]


async def test_what_is_no_action_is_not_run() -> None:
    with pytest.raises(trido.SpecError, match=r"see trido\.action"):
        await trido.run_action(print, None)  # type: ignore[arg-type]
