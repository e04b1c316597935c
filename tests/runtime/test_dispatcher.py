"""What the task promises that serves all the agents of a nursery: fairness, and to be no burden."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from unittest.mock import patch

import pytest
import trio
from attrs import define, field

import trido
from tests.runtime.desk import Log, agent, boom, note, settle
from tests.runtime.timekeeping import Ticks, cron, do, schedule, ticker
from trido.runtime import dispatcher
from trido.runtime.dispatcher import TURNS, Dispatcher


@define(eq=False)
class Fake:
    """Somebody to serve and to ring."""

    turns: int = 0
    """How many it has to do."""
    then: Callable[[], object] = lambda: None
    served: list[int] = field(factory=list)
    rang: list[float] = field(factory=list)

    def serve(self, until: float) -> bool:
        now = min(self.turns, TURNS)
        self.turns -= now
        self.served.append(now)
        self.then()
        return self.turns > 0

    def ring(self) -> None:
        self.rang.append(trio.current_time())
        self.then()


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


# Fairness -----------------------------------------------------------------------------------------


async def test_everybody_gets_a_slice_before_anybody_gets_another() -> None:
    order: list[str] = []
    async with trio.open_nursery() as nursery:
        one = Dispatcher.of(nursery, "test")
        one.enter()
        for name in "abc":
            one.ready(Fake(3 * TURNS, lambda name=name: order.append(name)))  # type: ignore[misc]
        await settle()
        one.leave()
    assert order == list("abc" * 3)


async def test_other_tasks_run_after_each_slice() -> None:
    between: list[int] = []
    async with trio.open_nursery() as nursery:
        one = Dispatcher.of(nursery, "test")
        one.enter()
        busy = Fake(10 * TURNS)
        one.ready(busy)
        while busy.turns:
            await trio.lowlevel.checkpoint()
            between.append(len(busy.served))
        one.leave()
    # Twice, if it goes last in one pass of Trio's and first in the next.
    assert max(after - before for before, after in pairwise(between)) <= 2


async def test_agents_that_keep_waking_each_other_let_others_run() -> None:
    """Each of their turns is a slice of its own, so no slice is ever used up."""
    ping, pong = agent("ping"), agent("pong")
    refs: dict[str, trido.AgentRef[Log]] = {}

    def volley(to: str) -> Callable[[Log, None], trido.Decision[Log]]:
        def decide(state: Log, data: None) -> trido.Decision[Log]:
            return state, [trido.Emit(trido.Signal("volley"), to=refs[to])]

        return decide

    ping.on("volley", data=type(None))(volley("pong"))
    pong.on("volley", data=type(None))(volley("ping"))
    async with trido.open_supervisor(ping.spec(id="ping"), pong.spec(id="pong")) as sup:
        refs.update({id: sup[id].value for id in ("ping", "pong")})
        await refs["ping"].cast(trido.Signal("volley"))
        for _ in range(20):
            before = refs["ping"].status().revision
            await trio.lowlevel.checkpoint()
            assert refs["ping"].status().revision - before <= 2 * TURNS


async def test_a_thousand_alarms_at_one_moment_let_others_run() -> None:
    async with trio.open_nursery() as nursery:
        one = Dispatcher.of(nursery, "test")
        one.enter()
        fakes = [Fake() for _ in range(4 * TURNS)]
        for fake in fakes:
            one.at(5.0, fake)
        await trio.sleep_until(5.0)
        rang = [0]
        while rang[-1] < len(fakes):
            await trio.lowlevel.checkpoint()
            rang.append(sum(len(fake.rang) for fake in fakes))
        one.leave()
    assert max(after - before for before, after in pairwise(rang)) <= 2 * TURNS
    assert all(fake.rang == [5.0] for fake in fakes)


async def test_an_alarm_that_sets_itself_anew_at_once_lets_others_run() -> None:
    async with trio.open_nursery() as nursery:
        one = Dispatcher.of(nursery, "test")
        one.enter()
        busy = Fake()
        busy.then = lambda: one.at(0.0, busy)
        one.at(0.0, busy)
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        busy.then = lambda: None
        one.leave()


@pytest.mark.real_time
async def test_slow_turns_end_a_slice_early() -> None:
    with patch.object(dispatcher, "SLICE", -1.0):
        async with trio.open_nursery() as nursery:
            one = Dispatcher.of(nursery, "test")
            one.enter()
            fakes = [Fake(1) for _ in range(3)]
            for fake in fakes:
                one.ready(fake)
            served = []
            while not fakes[-1].served:
                await trio.lowlevel.checkpoint()
                served.append(sum(len(fake.served) for fake in fakes))
            one.leave()
    assert served[0] <= 2


# Alarms -------------------------------------------------------------------------------------------


async def test_alarms_ring_in_the_order_of_their_times_and_then_of_their_making() -> None:
    order: list[str] = []
    async with trio.open_nursery() as nursery:
        one = Dispatcher.of(nursery, "test")
        one.enter()
        for name, due in [("c", 3.0), ("a", 1.0), ("a2", 1.0), ("b", 2.0)]:
            one.at(due, Fake(then=lambda name=name: order.append(name)))  # type: ignore[misc]
        await trio.sleep(5)
        one.leave()
    assert order == ["a", "a2", "b", "c"]


async def test_an_alarm_that_is_cancelled_does_not_ring_and_one_that_comes_first_is_heard() -> None:
    async with trio.open_nursery() as nursery:
        one = Dispatcher.of(nursery, "test")
        one.enter()
        late, gone, early = Fake(), Fake(), Fake()
        one.at(10.0, late)
        one.at(5.0, gone).cancel()
        await settle()
        one.at(1.0, early)
        await trio.sleep(20)
        one.leave()
    assert (late.rang, gone.rang, early.rang) == ([10.0], [], [1.0])


async def test_one_alarm_may_cancel_another_of_the_same_moment() -> None:
    async with trio.open_nursery() as nursery:
        one = Dispatcher.of(nursery, "test")
        one.enter()
        first, second = Fake(), Fake()
        one.at(1.0, first)
        first.then = one.at(1.0, second).cancel
        await trio.sleep(2)
        one.leave()
    assert second.rang == []


async def test_alarms_that_are_cancelled_leave_the_heap() -> None:
    async with trio.open_nursery() as nursery:
        one = Dispatcher.of(nursery, "test")
        one.enter()
        kept = [Fake() for _ in range(100)]
        for n, fake in enumerate(kept):
            one.at(1000.0 + n, fake)
        for n in range(10_000):
            one.at(5000.0 + n, Fake()).cancel()
            assert len(one) <= 300
        await trio.sleep(2000)
        one.leave()
    assert all(len(fake.rang) == 1 for fake in kept)


# Its task -----------------------------------------------------------------------------------------


async def test_idle_agents_hold_no_task_and_all_of_a_nursery_share_one() -> None:
    before = tasks()
    async with trido.open_supervisor(*(agent().spec(id=str(n)) for n in range(100))) as sup:
        started = tasks()
        assert started <= before + 1  # the supervisor's
        for n in range(100):
            await sup[str(n)].value.cast(note("1"))
        await settle()
        assert tasks() == started + 1


async def test_it_ends_with_the_last_of_its_agents_and_begins_again_with_the_next() -> None:
    async with trido.open_runtime() as rt:
        before = tasks()
        for _ in range(3):
            ref = await rt.start_agent(agent(), id="a")
            await ref.cast(note("1"))
            await settle()
            assert tasks() == before + 1
            await ref.stop()
            await settle()
            assert tasks() == before


async def test_each_supervisor_has_its_own() -> None:
    inner = [
        trido.SupervisorSpec(ticker().spec(id="a"), id=str(n), restart="temporary")
        for n in range(3)
    ]
    async with trido.open_supervisor(*inner) as sup:
        refs = [sup[str(n)].value["a"].value for n in range(3)]
        assert len({ref.place.dispatcher for ref in refs}) == 3
        for ref in refs:
            await ref.call(do(schedule(5.0)))
        await sup.stop_child("1")
        await trio.sleep(10)
        assert [len(ref.state().seen) for ref in (refs[0], refs[2])] == [1, 1]


async def test_no_crash_of_an_agent_leaves_it() -> None:
    async with trido.open_supervisor(
        agent().spec(id="a"), agent().spec(id="b"), max_restarts=9
    ) as sup:
        a, b = sup["a"].value, sup["b"].value
        for error in (None, ExceptionGroup("", [ValueError()]), trido.Shutdown()):
            a.cast_nowait(boom(error))
            b.cast_nowait(note("on"))
            await settle()
        assert b.state().seen == ("on",) * 3
        assert b.incarnation == 1


async def test_its_context_is_not_that_of_whoever_sends_the_first_signal() -> None:
    scope_of: list[float] = []
    made = agent()

    @made.on("look")
    def look(state: Log, data: None) -> Log:
        scope_of.append(trio.current_effective_deadline())
        return state

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        with trio.CancelScope(deadline=100.0):
            sup["a"].value.cast_nowait(trido.Signal("look"))
            await settle()
    assert scope_of[0] == float("inf")


async def test_cancelling_the_block_still_serves_what_the_stop_needs() -> None:
    made = ticker(schedules=[cron()])
    stopped: list[str] = []

    @made.on_stop
    def stop(state: Ticks) -> Ticks:
        stopped.append("stop")
        return state

    with trio.move_on_after(5) as scope:
        async with trido.open_supervisor(made.spec(id="a")):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert stopped == ["stop"]
