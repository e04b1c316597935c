"""Each fault happens where its plan says, and once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import trio

import trido
from tests.testing.agents import Add, Count, Note, counter, quiet, signal, told
from trido import testing
from trido.testing import inject


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet():
        yield


# Agents -----------------------------------------------------------------------------------------


async def four() -> tuple[list[Any], float]:
    """Four calls, one after the other: what is answered, and when that is over."""
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(counter, id="a", kill_timeout=1.0)
        return await told(ref, ["add", "add", "rest", "add"]), trio.current_time()


@pytest.mark.parametrize(
    ("plan", "answers", "time"),
    [
        ("nothing", [1, 2, 3, 4], 1),
        ("crash a at turn 2", [1, ..., 1, 2], 1),
        ("crash a at turn 2 before commit", [1, ..., 1, 2], 1),
        ("crash a at turn 2 after commit", [1, 2, 1, 2], 1),
        ("crash runtime/a at turn 2 of add", [1, ..., 1, 2], 1),
        ("crash any counter at turn 1 of rest before commit", [1, 2, ..., 1], 1),
        ("crash a at turn 2 before directive 1", [1, 2, 1, 2], 1),
        ("crash a at turn 2 during directive 1", [1, 2, 1, 2], 1),
        ("crash a at turn 2 after directive 1", [1, 2, 1, 2], 1),
        ("crash a at await 1", [1, 2, ..., 1], 1),
        ("crash a at signal 2", [1, 1, 2, 3], 1),
        ("crash a at 0.5s", [1, 2, ..., 1], 0.5),
        ("crash a at stop", [1, 2, 3, 4], 1),
        ("slow a 5s at await 1", [1, 2, 3, 4], 6),
        ("slow a 7s at turn 3", [1, 2, 3, 4], 8),
        ("slow a 3s at start", [1, 2, 3, 4], 4),
        ("cancel a at turn 2", [1, 2, "stopped", 1], 0),
        ("cancel a at turn 2 after commit", [1, 2, "stopped", 1], 0),
        ("block a 5s at turn 1", [1, 2, 3, 4], 6),
        ("block a 5s at signal 1", [1, 2, 3, 4], 6),
        ("block loop 5s at 0.5s", [1, 2, 3, 4], 5.5),
        ("duplicate 2nd signal to a", [1, 3, 4, 5], 1),
        ("delay 2nd add signal to a by 3s", [1, 2, 3, 4], 4),
        ("reorder 2nd signal to a", [1, 2, 3, 4], 2),
        ("crash a at turn 1; crash a at turn 2", [..., ..., 1, 2], math.nan),
        ("crash a at turn 2; crash a at start 2; crash a at start 3", [1, ..., 1, 2], math.nan),
    ],
)
def test_a_fault_of_an_agent_happens_where_it_says(plan: str, answers: Any, time: float) -> None:
    said, ended = testing.run(four, seed=1, plan=plan, guarded=False)
    injected = [one for one, other in zip(said, answers, strict=True) if other is ...]
    assert [... if one in injected else one for one in said] == answers
    assert all(one in plan for one in injected)  # what they crashed by says which it was
    if not math.isnan(time):
        assert ended == time
    else:
        assert ended > 1  # a start that fails is tried again after a while


def test_a_start_that_crashes_is_a_failed_start() -> None:
    with pytest.raises(trido.StartFailed) as caught:
        testing.run(four, plan="crash a at start")
    assert isinstance(caught.value.__cause__, testing.InjectedCrash)


async def stopped(seconds: float) -> float:
    """How long it takes to stop one that rests."""
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(counter, id="a", shutdown=seconds, kill_timeout=1.0)
        await ref.cast(signal("rest"))
        await trio.sleep(0.5)
        begun = trio.current_time()
        await ref.stop()
        return trio.current_time() - begun


@pytest.mark.parametrize(
    ("plan", "takes"),
    [
        ("nothing", 0),
        ("slow a 2s at stop", 2),
        ("hang a at stop", 5),
        ("swallow a at stop", 5),
        ("crash a at stop", 0),
        ("swallow a at turn 1", 5),
        ("hang a at turn 1", 0),
        ("block a 3s at stop", 3),
    ],
)
def test_a_stop_takes_as_long_as_it_says(plan: str, takes: float) -> None:
    assert testing.run(stopped, 5.0, seed=1, plan=plan) == takes


def test_what_hangs_at_its_start_is_never_ready() -> None:
    async def starting() -> bool:
        async with trido.open_runtime() as rt:
            with trio.move_on_after(10):
                await rt.start_agent(counter, id="a", start_timeout=50)
                return True
        return False

    assert testing.run(starting)
    assert not testing.run(starting, plan="hang a at start")


def test_a_plain_handler_neither_hangs_nor_sleeps() -> None:
    async def main() -> tuple[Any, ...]:
        async with inject("slow a 5s at turn 1; crash a at turn 2") as injection:
            await four()
        return injection.happened, injection.pending

    happened, pending = testing.run(main)
    assert [str(one) for one in happened] == ["crash a at turn 2"]
    assert [str(one) for one in pending] == ["slow a 5s at turn 1"]


async def noted() -> tuple[list[str], int, int]:
    """One turn with three directives: what is noted, the count, and how many crashes there were."""
    notes: list[str] = []

    async def write(directive: Note, delivery: trido.Delivery) -> None:
        notes.append("begin")
        await trio.sleep(1)
        notes.append(directive.text)

    async with trido.open_runtime(executors={Note: write}) as rt:
        ref = await rt.start_agent(counter, id="a", recover="committed")
        await ref.call(signal("note"))
        await trio.sleep(10)
        return notes, ref.state().value, ref.incarnation


@pytest.mark.parametrize(
    ("plan", "notes", "count", "run"),
    [
        ("nothing", ["begin", "one"], 11, 1),
        ("crash a at turn 1 before directive 1", ["begin", "one"], 11, 2),
        ("crash a at turn 1 during directive 1", ["begin", "one"], 11, 2),
        ("crash a at turn 1 after directive 1", ["begin", "one"], 11, 2),
        ("crash a at turn 1 before directive 2", ["begin", "one"], 11, 2),
        ("crash a at turn 1 before directive 3", ["begin", "one"], 11, 2),
        ("crash a at turn 1 during directive 3", ["begin", "one"], 11, 2),
        ("crash a at turn 1 of note after directive 3", ["begin", "one"], 11, 2),
        ("hang a at turn 1 before directive 1", [], 11, 1),
        ("hang a at turn 1 during directive 1", ["begin"], 11, 1),
        ("hang a at turn 1 during directive 3", ["begin", "one"], 10, 1),
        ("slow a 3s at turn 1 after directive 1", ["begin", "one"], 11, 1),
    ],
)
def test_a_fault_comes_in_the_middle_of_a_directive(
    plan: str, notes: list[str], count: int, run: int
) -> None:
    """And what is committed is carried out, whatever becomes of the run."""
    assert testing.run(noted, seed=1, plan=plan) == (notes, count, run)


def test_a_crash_in_an_executor_is_a_failed_directive() -> None:
    notes, count, run = testing.run(noted, seed=1, plan="crash a at await 1")
    assert (notes, count, run) in ((["begin"], 11, 1), (["begin", "one"], 10, 1))


async def cast_five() -> list[int]:
    """In the order in which they are served."""
    states: list[int] = []
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(counter, id="a")
        await ref.call(signal("add", 0))
        for by in (1, 10, 100, 1000, 10000):
            await ref.cast(signal("add", by))
            await trio.sleep(0.01)
            states.append(ref.state().value)
        await trio.sleep(5)
        return [*states, ref.state().value]


@pytest.mark.parametrize(
    ("plan", "states"),
    [
        ("nothing", [1, 11, 111, 1111, 11111, 11111]),
        ("drop 3rd signal to a", [1, 1, 101, 1101, 11101, 11101]),
        ("duplicate 3rd signal to any counter", [1, 21, 121, 1121, 11121, 11121]),
        ("delay 3rd add signal to a by 2s", [1, 1, 101, 1101, 11101, 11111]),
        ("reorder 3rd signal to a", [1, 1, 111, 1111, 11111, 11111]),
        ("reorder 6th signal to a", [1, 11, 111, 1111, 1111, 11111]),
        ("drop 3rd signal to a; drop 3rd add signal to a", [1, 1, 101, 1101, 11101, 11101]),
    ],
)
def test_a_signal_goes_astray_as_it_says(plan: str, states: list[int]) -> None:
    assert testing.run(cast_five, seed=1, plan=plan) == states


def test_a_call_that_is_given_up_on_its_way_never_comes() -> None:
    async def main() -> int:
        async with trido.open_runtime() as rt:
            ref = await rt.start_agent(counter, id="a")
            with trio.move_on_after(1):
                await ref.call(signal("add"))
            await trio.sleep(10)
            return ref.state().value

    assert testing.run(main) == 1
    for plan in ("delay 1st signal to a by 2s", "drop 1st signal to a"):
        assert testing.run(main, plan=plan) == 0
    assert testing.run(main, plan="reorder 1st signal to a", seed=1) in (0, 1)


def test_an_agent_without_a_runtime_is_hit_as_well() -> None:
    async def main() -> list[Any]:
        async with trido.open_supervisor(counter.spec(id="a"), id="root") as sup:
            return await told(sup["a"].value, ["add", "add", "add"])

    plan = "crash root/a at turn 2"
    assert testing.run(main, plan=plan) == [1, plan, 1]


def test_the_time_of_day_jumps_and_timers_do_not() -> None:
    async def main() -> list[int]:
        def clock() -> datetime:
            return datetime(2030, 1, 1, tzinfo=UTC)

        days: list[int] = []
        async with inject("clock +86400s at 1s; clock -86400s at 3s"):
            for given in (None, clock):
                async with trido.open_runtime(clock=given) as rt:
                    first = rt.env.now()
                    for _ in range(3):
                        await trio.sleep(2)
                        days.append((rt.env.now() - first).days)
        return days

    assert testing.run(main) == [1, 0, 0, 0, 0, 0]


def test_nothing_is_hit_that_is_not_there_at_that_time() -> None:
    async def main() -> tuple[Any, ...]:
        async with inject("crash nobody at 1s; clock +1s at 100s") as injection:
            await four()
            await trio.sleep(2)
        assert str(injection.plan).startswith("crash nobody")
        return injection.happened

    assert testing.run(main) == ()


def test_plans_add_up() -> None:
    async def main() -> Any:
        one, other = inject("crash a at turn 1"), inject("crash a at turn 2")
        async with one, other, inject("drop 9th signal to a"):
            return await four()

    said, _ = testing.run(main)
    assert said == ["crash a at turn 1", "crash a at turn 2", 1, 2]


def test_out_of_its_block_a_plan_has_no_force() -> None:
    async def main() -> Any:
        with pytest.raises(ValueError, match="as it is"):
            async with inject("crash a at turn 1"):
                raise ValueError("as it is")
        return await four()

    assert testing.run(main)[0] == [1, 2, 3, 4]


def test_of_what_has_ended_nothing_is_hit() -> None:
    async def main() -> Any:
        async with inject("cancel a at 50s; crash a at 51s") as injection:
            await four()
            await trio.sleep(100)
        return injection.happened

    assert len(testing.run(main)) == 2


def test_what_a_start_decides_is_no_turn() -> None:
    agent = trido.Agent("agent", state=Count)

    @agent.on_start
    def start(state: Count, turn: trido.Turn) -> trido.Decision[Count]:
        return Count(1), [trido.Emit(signal("started"))]

    @agent.on("add")
    def one_more(state: Count, data: Add) -> Count:
        return Count(state.value + data.by)

    async def main() -> list[Any]:
        async with trido.open_runtime() as rt:
            ref = await rt.start_agent(agent, id="a")
            return await told(ref, ["add", "add"])

    assert testing.run(main, plan="crash a at turn 1") == ["crash a at turn 1", 2]


def test_each_of_several_plans_holds_up_what_it_names() -> None:
    async def main() -> float:
        one, other = inject("slow a 2s at start"), inject("slow a 3s at start")
        async with one, inject("nothing"), other:
            return (await four())[1]

    assert testing.run(main) == 6
