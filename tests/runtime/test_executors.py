"""Executors: directives of one's own, signals to the outside, and what becomes of either."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio
from attrs import frozen

import trido
from tests.conformance.stage import Endless, stubborn
from tests.conformance.stage import Log as Events
from tests.runtime.desk import Boom, Log, agent, boom, do, note, settle
from tests.runtime.till import Charge, Failed, Refund, Till, leak, shop


def letters(rt: trido.Runtime) -> list[tuple[Any, type]]:
    """The directives among the dead letters, and why."""
    found = [one for one in rt.dead_letters if one.directive is not None]
    return [(letter.directive, type(letter.reason)) for letter in found]


# What an executor is given ------------------------------------------------------------------------


async def test_an_executor_is_given_the_directive_and_if_it_likes_its_delivery() -> None:
    async with shop() as (_, ref, till):
        cause = trido.Signal("do", (Charge("1"), Refund("2")), id="ours")
        await ref.call(cause)
        await settle()
        assert sorted(till.log) == ["1", "2", "<1"]
        (delivery,) = till.deliveries
        assert (delivery.agent, delivery.signal.id, delivery.signal.type) == ("a", "ours", "do")


async def test_every_directive_has_an_id_of_its_own_also_in_an_agent_started_anew() -> None:
    async with shop() as (rt, _, till):
        for _ in range(2):
            now = rt.agent("a")
            await now.call(do(Charge("1"), Charge("2")))
            await now.call(do(Charge("3")))
            await now.stop()
            await rt.start_agent(agent(), id="a")
        ids = [delivery.id for delivery in till.deliveries]
        assert len(set(ids)) == 6


async def test_what_one_turn_commits_has_one_cause() -> None:
    async with shop() as (_, ref, till):
        await ref.call(do(Charge("1"), Charge("2")))
        await ref.call(do(Charge("3")))
        await settle()
        one, two, three = (delivery.signal for delivery in till.deliveries)
        assert one is two
        assert None not in (one.id, one.source, one.time)
        assert one.id != three.id


async def test_an_executor_does_not_live_in_the_context_of_whoever_called() -> None:
    async with shop() as (_, ref, till):
        with trio.move_on_after(0.5):
            await ref.call(do(Charge("1", 5.0)))
            await trio.sleep_forever()
        await trio.sleep(10)
        assert till.lines == "<1 1"


# To the outside -----------------------------------------------------------------------------------


async def test_Via_sends_a_stamped_signal_with_cause_correlation_and_trace() -> None:
    sent: list[trido.Signal] = []

    async def post(signal: trido.Signal) -> None:
        sent.append(signal)

    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    attributes = {"correlationid": "order-7", "traceparent": trace}
    async with trido.open_runtime(dispatch={"mail": post}) as rt:
        ref = await rt.start_agent(agent(), id="a")
        emit = trido.Emit(note("hello"), to=trido.Via("mail"))
        await ref.call(trido.Signal("do", (emit, emit), id="cause", attributes=attributes))
        await settle()
        for signal in sent:
            assert (signal.type, signal.data, signal.source) == ("note", "hello", "a")
            assert dict(signal.attributes) == {"causationid": "cause", **attributes}
            assert signal.time is not None
        one, two = sent
        assert one.id != two.id


async def test_what_is_emitted_because_of_an_unstamped_signal_has_one_cause_per_turn() -> None:
    sent: list[trido.Signal] = []

    async def post(signal: trido.Signal) -> None:
        sent.append(signal)

    async with trido.open_runtime(dispatch={"mail": post}) as rt:
        ref = await rt.start_agent(agent(), id="a")
        emit = trido.Emit(note("hello"), to=trido.Via("mail"))
        await ref.call(do(emit, emit))
        await ref.call(do(emit))
        await settle()
        causes = [signal.attributes["causationid"] for signal in sent]
        assert causes[0] == causes[1] != causes[2]
        assert causes == [signal.attributes["correlationid"] for signal in sent]


async def test_a_chain_of_agents_hands_the_correlation_and_the_trace_on() -> None:
    sent: list[trido.Signal] = []

    async def post(signal: trido.Signal) -> None:
        sent.append(signal)

    async with trido.open_runtime(dispatch={"mail": post}) as rt:
        await rt.start_agent(agent(), id="b")
        a = await rt.start_agent(agent(), id="a")
        last = trido.Emit(note("hello"), to=trido.Via("mail"))
        middle = trido.Emit(do(last), to="b")
        await a.call(trido.Signal("do", (middle,), id="first"))
        await settle()
        (signal,) = sent
        assert signal.attributes["correlationid"] == "first"
        assert signal.attributes["causationid"] not in ("first", None)
        assert signal.source == "b"


async def test_what_sets_its_own_stamp_keeps_it() -> None:
    sent: list[trido.Signal] = []

    async def post(signal: trido.Signal) -> None:
        sent.append(signal)

    async with trido.open_runtime(dispatch={"mail": post}) as rt:
        ref = await rt.start_agent(agent(), id="a")
        own = trido.Signal("note", "x", id="mine", source="/me")
        await ref.call(do(trido.Emit(own, to=trido.Via("mail"))))
        await settle()
        assert (sent[0].id, sent[0].source) == ("mine", "/me")


# Unknown ones -------------------------------------------------------------------------------------


@frozen
class Unknown(trido.Directive):
    pass


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        (Unknown(), r"nobody carries out a Unknown.*open_runtime\(executors="),
        (trido.Emit(note("x"), to=trido.Via("fax")), r"via 'fax'.*open_runtime\(dispatch="),
    ],
)
async def test_an_unknown_directive_is_an_error_at_once(directive: Any, message: str) -> None:
    async with shop(settings={"recover": "committed"}) as (rt, ref, till):
        with pytest.raises(trido.AgentCrashed) as caught:
            await ref.call(do(Charge("1"), directive))
        cause = caught.value.__cause__
        assert isinstance(cause, trido.InvalidDecision)
        assert re.search(message, str(cause))
        await rt.supervisor["a"].wait_running(after=1)
        await settle()
        assert (ref.state(), till.lines) == (Log(), "")


async def test_an_agent_that_is_alone_has_no_executors() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        with pytest.raises(trido.AgentCrashed):
            await sup["a"].value.call(do(Charge("1")))


def test_what_cannot_be_an_executor_is_an_error() -> None:
    async def none() -> None: ...
    async def three(a: int, b: int, c: int) -> None: ...
    async def named(*, directive: int) -> None: ...

    for fn in (none, three, named, lambda it: None, "fn"):
        with pytest.raises(trido.SpecError, match="an async function of"):
            trido.Executor(fn)  # type: ignore[arg-type]
    with pytest.raises(trido.SpecError, match="delivery="):
        trido.Executor(Till().charge, delivery="twice")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [trido.Emit, trido.Stop, int, "Charge"])
def test_an_executor_is_for_a_frozen_class_of_ones_own(kind: Any) -> None:
    with pytest.raises(trido.SpecError, match="frozen classes of one's own"):
        trido.open_runtime(executors={kind: Till().charge})


def test_a_dispatch_executor_has_a_name() -> None:
    with pytest.raises(trido.SpecError, match="dispatch"):
        trido.open_runtime(dispatch={"": Till().charge})


async def test_an_executor_may_be_a_partial_function() -> None:
    log: list[tuple[str, str]] = []

    async def charge(account: str, charge: Charge) -> None:
        log.append((account, charge.what))

    async with trido.open_runtime(executors={Charge: partial(charge, "savings")}) as rt:
        ref = await rt.start_agent(agent(), id="a")
        await ref.call(do(Charge("1")))
        await settle()
        assert log == [("savings", "1")]


# Crashes ------------------------------------------------------------------------------------------


async def test_a_crash_of_the_agent_does_not_interrupt_an_executor() -> None:
    async with shop() as (rt, ref, till):
        await ref.call(do(Charge("1", 5.0)))
        await ref.cast(boom())
        await rt.supervisor["a"].wait_running(after=1)
        await trio.sleep(10)
        assert till.lines == "<1 1"


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_a_group_restart_does_not_interrupt_an_executor(strategy: Any) -> None:
    till = Till()
    async with trido.open_runtime(executors={Charge: till.charge}) as rt:
        group = trido.SupervisorSpec(
            agent().spec(id="a", runtime=rt),
            agent().spec(id="b", runtime=rt),
            id="group",
            strategy=strategy,
        )
        sup = (await rt.supervisor.start_child(group)).value
        b = sup["b"].value
        await b.call(do(Charge("1", 5.0), Charge("2")))
        await sup["a"].value.cast(boom())
        await sup["b"].wait_running(after=1)
        await trio.sleep(10)
        assert (till.lines, b.incarnation) == ("<1 1 <2 2", 2)


async def test_a_group_restart_that_outlives_the_grace_does_not_interrupt_an_executor() -> None:
    clingy = agent()

    @clingy.lifespan
    async def cling(ref: trido.AgentRef[Log]) -> AsyncGenerator[Any, None]:
        try:
            yield
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(60)

    till = Till()
    async with trido.open_runtime(executors={Charge: till.charge}) as rt:
        group = trido.SupervisorSpec(
            agent().spec(id="a", runtime=rt),
            clingy.spec(id="b", runtime=rt, shutdown=1.0),
            id="group",
            strategy="one_for_all",
        )
        sup = (await rt.supervisor.start_child(group)).value
        b = sup["b"].value
        await b.call(do(Charge("1", 5.0), Charge("2")))
        await sup["a"].value.cast(boom())
        await sup["b"].wait_running(after=1)
        assert trio.current_time() == pytest.approx(1, abs=0.1)
        await trio.sleep(10)
        assert till.lines == "<1 1 <2 2"


async def test_a_crash_whose_cleanup_outlives_the_grace_does_not_interrupt_an_executor() -> None:
    clingy = agent()

    @clingy.lifespan
    async def cling(ref: trido.AgentRef[Log]) -> AsyncGenerator[Any, None]:
        try:
            yield
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(60)

    till = Till()
    async with trido.open_runtime(executors={Charge: till.charge}) as rt:
        ref = await rt.start_agent(clingy, id="a", shutdown=1.0)
        await ref.call(do(Charge("1", 5.0), Charge("2")))
        await ref.cast(boom())
        await rt.supervisor["a"].wait_running(after=1)
        assert trio.current_time() == pytest.approx(1, abs=0.5)
        await trio.sleep(10)
        assert till.lines == "<1 1 <2 2"


# Ends ---------------------------------------------------------------------------------------------


async def test_after_the_grace_an_executor_is_cancelled_and_the_stop_waits_for_it() -> None:
    log: list[str] = []

    async def slow(charge: Charge) -> None:
        try:
            await trio.sleep_forever()
        finally:
            log.append("gone")

    async with trido.open_runtime(executors={Charge: slow}) as rt:
        ref = await rt.start_agent(agent(), id="a", shutdown=2.0)
        await ref.call(do(Charge("1"), Charge("2")))
        await ref.stop()
        assert trio.current_time() == pytest.approx(2, abs=0.1)
        assert log == ["gone"]
        assert letters(rt) == [
            (Charge("2"), trido.AgentStopped),
            (Charge("1"), trido.OutcomeUnknown),
        ]


async def test_an_executor_that_returns_though_it_was_cancelled_has_done_it() -> None:
    async def swallow(charge: Charge) -> None:
        with suppress(trio.Cancelled):
            await trio.sleep_forever()

    async with trido.open_runtime(executors={Charge: swallow}) as rt:
        ref = await rt.start_agent(agent(), id="a", shutdown=2.0)
        await ref.call(do(Charge("1")))
        await ref.stop()
        assert letters(rt) == []


async def test_an_executor_that_fails_as_it_is_cancelled_has_failed() -> None:
    async def fail(charge: Charge) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Boom  # noqa: ASYNC104

    failed = Failed()
    async with trido.open_runtime(executors={Charge: fail}) as rt:
        ref = await rt.start_agent(agent(), id="a", shutdown=2.0, on_error=failed)
        await ref.call(do(Charge("1")))
        await ref.stop()
        assert (letters(rt), failed.kinds) == ([], [Boom])


@pytest.mark.parametrize("how", ["stop", "Stop", "kill", "block", "crash"])
async def test_an_executor_that_shields_itself_is_broken_out(how: str) -> None:
    async def shielded(charge: Charge) -> None:
        while True:  # also one that shields itself anew
            with trio.CancelScope(shield=True):
                await stubborn()

    with trio.fail_after(20):
        async with trido.open_runtime(executors={Charge: shielded}) as rt:
            grace: Any = trido.BRUTAL_KILL if how == "kill" else 2.0
            restart: Any = "temporary" if how == "crash" else "transient"
            ref = await rt.start_agent(agent(), id="a", shutdown=grace, restart=restart)
            await ref.call(do(Charge("1"), *([trido.Stop()] if how == "Stop" else [])))
            if how in ("stop", "kill"):
                await ref.stop()
            elif how == "Stop":
                await rt.supervisor["a"].wait_ended()
            elif how == "crash":
                await ref.cast(boom())
                await trio.sleep(5)
        assert letters(rt) == [(Charge("1"), trido.OutcomeUnknown)]


@pytest.mark.parametrize("grace", [2.0, trido.BRUTAL_KILL])
async def test_an_agent_whose_executor_cannot_be_killed_is_a_zombie_until_it_ends(
    grace: Any,
) -> None:
    rock, events = Endless(), Events()

    async def endless(charge: Charge) -> None:
        await rock.run()

    with rock:
        async with trido.open_runtime(executors={Charge: endless}, observers=[events]) as rt:
            ref = await rt.start_agent(agent(), id="a", shutdown=grace, kill_timeout=1.0)
            other = await rt.start_agent(agent(), id="b")
            await ref.call(do(Charge("1")))
            await settle()
            with trio.move_on_after(10):
                await ref.stop()
            assert ref.status().state == "zombie"
            assert await other.call(note("lives on")) == Log(("lives on",))
            rock.end()
            await settle()
            assert "a" not in rt.supervisor


async def test_an_executor_that_cannot_be_killed_is_told_of_if_its_agent_is_gone(
    caplog: Any,
) -> None:
    rock = Endless()

    async def endless(charge: Charge) -> None:
        await rock.run()

    with rock:
        async with trido.open_runtime(executors={Charge: endless}) as rt:
            ref = await rt.start_agent(
                agent(), id="a", restart="temporary", shutdown=2.0, kill_timeout=1.0
            )
            await ref.call(do(Charge("1")))
            await ref.cast(boom())
            await trio.sleep(10)
            assert "agent 'a' has ended, and one of its executors does not" in caplog.text
            rock.end()


# After a crash for good ---------------------------------------------------------------------------


async def test_what_a_temporary_agent_committed_before_it_crashed_has_its_grace() -> None:
    async with shop(restart="temporary", shutdown=4.0) as (rt, ref, till):
        await ref.call(do(Charge("1", 3.0), Charge("2", 3.0), Charge("3")))
        await ref.cast(boom())
        await settle()
        assert "a" not in rt.supervisor
        assert rt.find("a") is None
        await trio.sleep(10)
        assert till.lines == "<1 1 <2 !2"
        assert letters(rt) == [
            (Charge("3"), trido.AgentStopped),
            (Charge("2", 3.0), trido.OutcomeUnknown),
        ]


async def test_what_it_had_emitted_to_a_full_mailbox_has_its_grace_too() -> None:
    slow = agent("slow", mailbox=1).spec(id="slow", backoff=trido.Backoff(min=10.0))
    first = agent("x").spec(id="x", restart="temporary", shutdown=20.0)
    inner = trido.SupervisorSpec(slow, id="inner", max_restarts=99)
    async with trido.open_supervisor(inner, first) as sup:
        receiver, sender = sup[inner].value[slow].value, sup["x"].value
        await receiver.cast(boom())
        await sup[inner].value["slow"].wait_running(after=1)
        await receiver.cast(boom())
        await settle()
        await sender.call(do(*[trido.Emit(note(text), to=receiver) for text in "123"]))
        await sender.cast(boom())
        await trio.sleep(15)
        assert receiver.state().seen == tuple("123")


async def test_the_grace_of_one_that_has_ended_is_over_at_once_when_its_supervisor_stops() -> None:
    till = Till()
    async with trido.open_runtime(executors={Charge: till.charge}) as rt:
        ref = await rt.start_agent(agent(), id="a", restart="temporary", shutdown=math.inf)
        await ref.call(do(Charge("1", 100.0), Charge("2")))
        await ref.cast(boom())
        await trio.sleep(1)
        assert till.lines == "<1"
    assert trio.current_time() == pytest.approx(1, abs=0.1)
    assert till.lines == "<1 !1"
    assert [directive for directive, _ in letters(rt)] == [Charge("2"), Charge("1", 100.0)]


async def test_one_that_crashes_as_its_supervisor_gives_up_leaves_nothing_behind() -> None:
    till = Till()
    async with trido.open_runtime(executors={Charge: till.charge}) as rt:
        spec = agent().spec(id="a", runtime=rt, shutdown=50.0)
        inner = trido.SupervisorSpec(spec, id="inner", max_restarts=0, restart="temporary")
        child = await rt.supervisor.start_child(inner)
        ref = child.value["a"].value
        await ref.call(do(Charge("1", 100.0)))
        await settle()
        await ref.cast(boom())
        await child.wait_ended()
        await settle()
        assert trio.current_time() < 1
        assert till.lines == "<1 !1"


async def test_one_stopped_while_it_waits_for_its_restart_has_its_grace() -> None:
    async with shop(shutdown=4.0, backoff=trido.Backoff(min=60.0, max=60.0)) as (rt, ref, till):
        await ref.call(do(Charge("1", 3.0), Charge("2", 3.0)))
        await ref.cast(boom())
        await rt.supervisor["a"].wait_running(after=1)
        await ref.cast(boom())
        await settle()
        assert ref.status().state == "restarting"
        await ref.stop()
        await trio.sleep(10)
        assert till.lines == "<1 1 <2 !2"


async def test_a_drain_waits_for_what_an_ended_agent_has_left_behind() -> None:
    async with shop(restart="temporary", shutdown=9.0) as (rt, ref, till):
        await ref.call(do(Charge("1", 3.0)))
        await ref.cast(boom())
        await settle()
        rt.close_intake()
        await rt.drain()
        assert till.lines == "<1 1"


async def test_one_that_is_started_again_goes_on_with_what_it_has_left_behind() -> None:
    till = Till()
    async with trido.open_runtime(executors={Charge: till.charge}) as rt:
        spec = agent().spec(id="a", runtime=rt, shutdown=5.0, restart_on=ValueError)
        sup = (await rt.supervisor.start_child(trido.SupervisorSpec(spec, id="s"))).value
        ref = sup["a"].value
        await ref.call(do(Charge("1", 3.0), Charge("2", 3.0), Charge("3", 3.0)))
        await ref.cast(boom())
        await settle()
        assert sup["a"].state == "stopped"
        await trio.sleep(4)
        await sup.restart_child("a")
        await trio.sleep(10)
        assert till.lines == "<1 1 <2 2 <3 3"


# What an executor may do to others ----------------------------------------------------------------


async def _leaves_a_nursery_open(charge: Charge) -> None:
    await trio.open_nursery().__aenter__()


async def _leaks_a_cancelled(charge: Charge) -> None:
    await leak()


@pytest.mark.parametrize("fn", [_leaves_a_nursery_open, _leaks_a_cancelled])
async def test_a_mistake_in_an_executor_is_a_failed_directive_and_harms_nobody_else(
    fn: Any,
) -> None:
    failed = Failed()
    async with trido.open_runtime(executors={Charge: fn}) as rt:
        ref = await rt.start_agent(agent(), id="a", on_error=failed)
        await ref.call(do(Charge("1"), Charge("2")))
        await settle()
        assert set(failed.kinds) <= {ExceptionGroup, RuntimeError, trido.LeakedCancelled}
        assert len(failed.kinds) == 2
        assert await ref.call(note("alive")) == Log(("do", "alive"))
        assert ref.incarnation == 1


@pytest.mark.parametrize("between", [False, True])
async def test_something_fatal_out_of_an_executor_ends_everything(*, between: bool) -> None:
    async def fatal(charge: Charge) -> None:
        await trio.sleep(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        async with trido.open_runtime(executors={Charge: fatal}) as rt:
            slow = trido.Backoff(min=60.0, max=60.0)
            ref = await rt.start_agent(agent(), id="a", backoff=slow)
            await ref.call(do(Charge("1")))
            if between:  # runs
                await ref.cast(boom())
                await rt.supervisor["a"].wait_running(after=1)
                await ref.cast(boom())
            await trio.sleep_forever()
    assert trio.current_time() < 60
