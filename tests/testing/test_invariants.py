"""Each invariant holds of what keeps to it, and tells of what does not, with what it came of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from attrs import evolve

import trido
from tests.testing.ledgers import Charge, Sum, recorded, summer
from trido.testing import (
    Invariant,
    InvariantFailed,
    Recorder,
    check,
    inject,
    no_task_left,
    nothing_lost,
    nothing_twice,
    restart_within,
    siblings_untouched,
    state_equals_fold,
    stops_within,
)
from trido.testing.recorder_entries import Lettered

Body = Callable[[trido.Runtime], Awaitable[object]]
ALL: list[Invariant] = [
    nothing_lost,
    nothing_twice,
    siblings_untouched,
    no_task_left,
    restart_within(1.0),
    stops_within(1.0),
    state_equals_fold(summer(), "a"),
]


def sends(*signals: trido.Signal, rest: float = 2.0, **settings: Any) -> Body:
    async def body(rt: trido.Runtime) -> None:
        ref = await rt.start_agent(summer(), id="a", **settings)
        for one in signals:
            await ref.cast(one)
        await trio.sleep(rest)

    return body


ADD, BOOM = trido.Signal("add", 1), trido.Signal("boom")


async def test_a_run_in_which_nothing_goes_wrong_keeps_them_all() -> None:
    body = sends(ADD, trido.Signal("double", 2), trido.Signal("charge", Charge(1)))
    check(await recorded(body), *ALL)


async def test_a_dead_letter_is_a_loss_and_told_with_its_chain() -> None:
    recorder = await recorded(sends(ADD, BOOM))
    with pytest.raises(InvariantFailed, match="dead letter") as caught:
        check(recorder, *ALL)
    assert caught.value.invariant == "nothing_lost"
    assert "How it came to that:\n" in str(caught.value)
    assert "turn 2 begins: 'boom'" in caught.value.chain
    nothing_lost(recorder, allow=[trido.AgentCrashed])


async def test_a_signal_that_never_arrives_is_a_loss() -> None:
    async with inject("drop 2nd signal to a"):
        recorder = await recorded(sends(ADD, trido.Signal("add", 2)))
    with pytest.raises(InvariantFailed, match=r"Signal\('add', 2\) came to 'a', and was never"):
        nothing_lost(recorder)


@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_so_it_is_if_the_same_signal_was_a_dead_letter_another_time(nth: int) -> None:
    async with inject(f"drop {['1st', '2nd', '3rd'][nth - 1]} signal to a"):
        recorder = await recorded(sends(BOOM, BOOM, BOOM, redeliver=0))
    assert len(recorder.dead_letters) == 2
    with pytest.raises(InvariantFailed, match=r"Signal\('boom', None\) came to 'a', and was never"):
        nothing_lost(recorder, allow=[trido.AgentCrashed])


async def test_a_signal_that_is_a_dead_letter_each_time_is_no_loss_if_that_is_allowed() -> None:
    recorder = await recorded(sends(BOOM, ADD, BOOM))
    nothing_lost(recorder, allow=[trido.AgentCrashed])
    assert len({id(one.envelope) for one in recorder.of(Lettered)}) == 2


async def test_a_timer_that_is_set_anew_is_no_loss() -> None:
    later = [trido.Signal("slow", 1.0), trido.Signal("later", 0.5), trido.Signal("later", 0.1)]
    nothing_lost(await recorded(sends(later[1], later[0], later[2], rest=4)))


async def test_what_a_caller_is_told_is_no_loss() -> None:
    async def body(rt: trido.Runtime) -> None:
        ref = await rt.start_agent(summer(), id="a")
        with pytest.raises(trido.Reject):
            await ref.call(trido.Signal("no"))
        with pytest.raises(trido.AgentCrashed):
            await ref.call(BOOM)

    nothing_lost(await recorded(body))


async def test_a_directive_that_failed_is_a_loss_unless_it_is_told_of() -> None:
    recorder = await recorded(sends(trido.Signal("charge", Charge(1, fails=True))))
    with pytest.raises(InvariantFailed, match="the bank is closed"):
        nothing_lost(recorder)
    nothing_lost(recorder, allow=[OSError])
    nothing_lost(await recorded(sends(trido.Signal("double", -1))))


async def test_a_signal_with_an_id_is_served_once() -> None:
    same = trido.Signal("add", 1, id="one")
    nothing_twice(await recorded(sends(same, ADD, ADD)))
    with pytest.raises(InvariantFailed, match=r"'a' served .* twice: as revision 1, at .* 2, at"):
        nothing_twice(await recorded(sends(same, same)))


async def test_a_duplicate_without_an_id_is_served_once() -> None:
    async with inject("duplicate 2nd signal to a"):
        recorder = await recorded(sends(ADD, ADD, ADD))
    with pytest.raises(InvariantFailed, match=r"'a' served .* twice: as revision 2, at .* 3, at"):
        nothing_twice(recorder)


async def test_what_means_the_same_is_done_once() -> None:
    charges = [trido.Signal("charge", Charge(n)) for n in (1, 2, 1)]
    recorder = await recorded(sends(*charges))
    nothing_twice(recorder)
    with pytest.raises(InvariantFailed, match=r"carried out Charge\(order=1"):
        nothing_twice(recorder, Charge)
    with pytest.raises(InvariantFailed, match=r"carried out Charge\(order=2"):
        nothing_twice(recorder, Charge, key=lambda one: True)


async def test_what_failed_may_be_done_again() -> None:
    charges = [trido.Signal("charge", Charge(1, fails=fails)) for fails in (True, False)]
    nothing_twice(await recorded(sends(*charges)), Charge, key=lambda one: one.order)


async def test_siblings_in_one_group_are_touched() -> None:
    agents = [summer(name).spec(id=name) for name in ("a", "b")]
    with Recorder() as recorder:
        async with trido.open_supervisor(*agents, strategy="one_for_all") as sup:
            await sup["a"].value.cast(BOOM)
            await trio.sleep(1)
    with pytest.raises(InvariantFailed, match="'b' was restarted, for 'a' crashed") as caught:
        siblings_untouched(recorder)
    assert "a#1 ends, crashed: ValueError('boom')" in caught.value.chain


async def test_siblings_that_are_restarted_by_hand_are_not() -> None:
    agents = [summer(name).spec(id=name) for name in ("a", "b")]
    with Recorder() as recorder:
        async with trido.open_supervisor(*agents, strategy="one_for_one") as sup:
            await sup.restart_child("b") if sup["b"].state != "running" else None
            await sup.stop_child("b")
            await sup.restart_child("b")
            await sup["a"].value.cast(BOOM)
            await trio.sleep(1)
    siblings_untouched(recorder)


async def test_a_restart_may_take_its_time_and_no_more() -> None:
    backoff = trido.Backoff(min=3.0, max=3.0)
    recorder = await recorded(sends(BOOM, BOOM, rest=5, backoff=backoff))
    restart_within(3.0)(recorder)
    with pytest.raises(InvariantFailed, match=r"took 3.000 s, and may take 2 s"):
        restart_within(2.0)(recorder)


async def test_who_never_comes_back_is_too_late() -> None:
    recorder = await recorded(sends(BOOM, restart="temporary"))
    with pytest.raises(InvariantFailed, match="never came back"):
        restart_within(1.0)(recorder)
    restart_within(5.0)(recorder)  # who knows


async def test_who_has_seen_nothing_cannot_judge() -> None:
    async with trido.open_runtime() as rt:
        with Recorder() as recorder:
            ref = await rt.start_agent(summer(), id="a")
            await ref.call(ADD)
    for one in (nothing_lost, nothing_twice, siblings_untouched, restart_within(1.0),
                stops_within(1.0), state_equals_fold(summer(), "a")):  # fmt: skip
        with pytest.raises(InvariantFailed, match="nothing was recorded: enter the Recorder befo"):
            one(recorder)


async def test_who_is_slow_to_stop_is_told() -> None:
    recorder = await recorded(sends(trido.Signal("charge", Charge(1)), rest=0.1))
    stops_within(0.5)(recorder)
    with pytest.raises(InvariantFailed, match=r"'a' took 0.400 s, and may take 0.1 s to stop"):
        stops_within(0.1)(recorder)


async def test_who_is_killed_did_not_stop() -> None:
    agent = summer()

    @agent.on("deaf")
    async def deaf(state: Sum, data: object) -> Sum:
        with trio.CancelScope(shield=True):
            await trio.sleep(60)
        return state

    async def body(rt: trido.Runtime) -> None:
        ref = await rt.start_agent(agent, id="a", shutdown=1.0)
        await ref.cast(trido.Signal("deaf"))
        await trio.sleep(1)

    recorder = await recorded(body)
    with pytest.raises(InvariantFailed, match="'a' did not stop"):
        stops_within(90.0)(recorder)


async def test_who_has_not_ended_yet_did_not_stop() -> None:
    with Recorder() as recorder:
        async with trido.open_runtime(executors={Charge: _never}) as rt:
            ref = await rt.start_agent(summer(), id="a")
            await ref.cast(trido.Signal("charge", Charge(1)))
            await trio.sleep(1)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ref.stop)
                await trio.sleep(1)
                with pytest.raises(InvariantFailed, match="has not ended, and may take 1 s"):
                    stops_within(1.0)(recorder)


async def _never(directive: Charge) -> None:
    await trio.sleep_forever()


async def test_a_task_that_outlives_its_agent_is_left() -> None:
    async with trio.open_nursery() as nursery:
        agent = summer()

        @agent.on("leak")
        async def leak(state: Sum, data: object) -> Sum:
            nursery.start_soon(trio.sleep_forever, name="the leak")
            await trio.sleep(1)
            return state

        async def body(rt: trido.Runtime) -> None:
            ref = await rt.start_agent(agent, id="a")
            await ref.call(trido.Signal("leak"))

        recorder = await recorded(body)
        nursery.cancel_scope.cancel()
    with pytest.raises(InvariantFailed, match="1 tasks are left: the leak"):
        no_task_left(recorder)


# State --------------------------------------------------------------------------------------------


async def test_a_state_is_what_its_signals_made_of_it() -> None:
    agent = summer(recover="committed")

    @agent.on_start
    def begin(state: Sum, turn: trido.Turn) -> Sum:
        return evolve(state, total=state.total + 10 * (turn.why == "start"))

    async def body(rt: trido.Runtime) -> None:
        ref = await rt.start_agent(agent, id="a")
        await ref.cast(ADD)
        await ref.cast(BOOM)
        await ref.call(trido.Signal("ask"))
        await ref.call(trido.Signal("slow", 1.0))

    recorder = await recorded(body)
    state_equals_fold(agent, "a")(recorder)
    assert recorder.states("a")[-1].total > 1


async def test_a_hook_that_awaits_is_taken_as_it_is() -> None:
    agent = summer()

    @agent.on_start
    async def begin(state: Sum) -> Sum:
        await trio.sleep(1)
        return Sum(7)

    async def body(rt: trido.Runtime) -> None:
        await rt.start_agent(agent, id="sum")

    state_equals_fold(agent)(await recorded(body))


async def test_a_state_in_which_others_have_a_say_is_found_out() -> None:
    shared: dict[str, int] = {}
    agent = trido.Agent("sharing", state=Sum)

    @agent.on("add")
    def add(state: Sum, data: int) -> Sum:
        shared["total"] = shared.get("total", 0) + data
        return Sum(shared["total"])

    async def body(rt: trido.Runtime) -> None:
        for id in ("a", "b"):
            ref = await rt.start_agent(agent, id=id)
            await ref.cast(ADD)
        await trio.sleep(1)

    recorder = await recorded(body)
    with pytest.raises(InvariantFailed, match=r"'b' committed Sum\(total=2\).* again, it is"):
        state_equals_fold(agent, "b")(recorder)


async def test_a_state_that_changes_between_turns_is_found_out() -> None:
    async def body(rt: trido.Runtime) -> None:
        ref = await rt.start_agent(summer(), id="a")
        await ref.call(ADD)
        ref.place.state = Sum(100)
        await ref.call(ADD)

    recorder = await recorded(body)
    with pytest.raises(InvariantFailed, match=r"began revision 2 with Sum\(total=100\)"):
        state_equals_fold(summer(), "a")(recorder)


async def test_only_who_was_there_can_be_judged() -> None:
    recorder = await recorded(sends(ADD))
    with pytest.raises(trido.SpecError, match="one of those recorded: 'a'"):
        state_equals_fold(summer(), "nobody")(recorder)
    with pytest.raises(trido.SpecError, match=r"a trido\.Agent"):
        state_equals_fold("a")  # type: ignore[arg-type]


async def test_what_was_recorded_only_in_part_cannot_be_judged() -> None:
    recorder = await recorded(sends(ADD), most=3)
    for one in (nothing_lost, nothing_twice, siblings_untouched, restart_within(1.0),
                stops_within(1.0), state_equals_fold(summer(), "a")):  # fmt: skip
        with pytest.raises(InvariantFailed, match="more room"):
            one(recorder)


def test_only_records_are_judged() -> None:
    with pytest.raises(trido.SpecError, match=r"a trido\.testing\.Recorder"):
        nothing_lost(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [restart_within, stops_within])
def test_limits_are_seconds(make: Any) -> None:
    with pytest.raises(trido.SpecError, match="seconds"):
        make("soon")
