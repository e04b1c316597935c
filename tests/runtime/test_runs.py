"""`Run`: actions beside the agent, what comes of them, and what ends of the agent do to them."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import evolve

import trido
from tests.runtime import jobs as at_work
from tests.runtime.desk import Boom, Log, agent, boom, do, note, reasons, settle
from tests.runtime.jobs import Done, Work
from tests.runtime.test_work import is_alive, until
from tests.runtime.till import Failed, Job, Jobs, leak, shop


def worker(**settings: Any) -> trido.Agent[Log]:
    """An agent that notes also what failed."""
    made = agent(**settings)

    @made.on("failed")
    def failed(state: Log, data: trido.RunFailed) -> Log:
        return evolve(state, seen=(*state.seen, f"{data.action} {data.kind}: {data.error}"))

    return made


# What comes of them -------------------------------------------------------------------------------


async def test_a_result_is_a_signal_to_the_agent_which_serves_others_meanwhile() -> None:
    jobs = Jobs()
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        assert await ref.call(do(jobs.run("1"))) == Log(("do",))
        assert ref.status().runs == 1
        await ref.call(note("meanwhile"))
        await trio.sleep(2)
        assert ref.state().seen == ("do", "meanwhile", "1")
        assert ref.status().runs == 0


async def test_why_a_turn_happens_is_told_of_a_result() -> None:
    seen: list[Any] = []
    made, jobs = agent(), Jobs()

    @made.on("result")
    def result(state: Log, data: str, turn: trido.Turn) -> Log:
        seen.append((data, turn.why))
        return state

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        await sup["a"].value.call(do(jobs.run("1", ok="result")))
        await trio.sleep(2)
        assert seen == [("1", "run")]


async def test_without_ok_a_result_is_dropped() -> None:
    jobs = Jobs()
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(do(jobs.run("1", ok=None)))
        await trio.sleep(2)
        assert (jobs.lines, ref.state().seen) == ("<1 1", ("do",))


async def test_a_failure_is_a_signal_if_it_has_a_type() -> None:
    jobs = Jobs()
    async with trido.open_supervisor(worker().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(do(jobs.run("1", fails=Boom("no"), error="failed")))
        await trio.sleep(2)
        assert ref.state().seen == ("do", "work Boom: Boom('no')")


async def test_a_failure_without_one_goes_to_the_error_policy_and_the_others_go_on() -> None:
    failed, jobs = Failed(), Jobs()
    async with trido.open_supervisor(agent(on_error=failed).spec(id="a")) as sup:
        ref = sup["a"].value
        crash = Boom()
        directive = jobs.run("1", fails=crash)
        await ref.call(do(directive, jobs.run("2", 2.0)))
        await trio.sleep(3)
        (error,) = failed.errors
        assert (error.directive, error.__cause__) == (directive, crash)
        assert ref.state().seen == ("do", "2")


async def test_a_result_that_fits_no_signal_is_a_failure() -> None:
    @trido.action("unfit")
    async def unfit(data: Job) -> Any:
        return {1: "not text"}

    failed = Failed()
    async with trido.open_supervisor(agent(on_error=failed).spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(do(trido.Run(unfit, Job(), ok="note")))
        await settle()
        assert ref.incarnation == 1
        assert len(failed.errors) + len(reasons(ref)) == 1


async def test_parameters_that_do_not_fit_are_a_failure() -> None:
    jobs = Jobs()
    async with trido.open_supervisor(worker().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(do(trido.Run(jobs.work, {"name": 1}, error="failed")))
        await settle()
        assert "InvalidData" in ref.state().seen[-1]


def test_a_Run_that_cannot_be_is_an_error_at_once() -> None:
    jobs = Jobs()
    wrong: list[dict[str, Any]] = [{"where": "moon"}, {"delivery": "2"}, {"ok": ""}, {"error": 1}]
    for fields in wrong:
        with pytest.raises(trido.SpecError, match=next(iter(fields))):
            trido.Run(jobs.work, Job(), **fields)
    with pytest.raises(trido.SpecError, match="action="):
        trido.Run("work")  # type: ignore[arg-type]
    with pytest.raises(trido.SpecError, match="where="):
        trido.Run(jobs.work, Job(), where="thread")  # it is async


# How many, and where results go -------------------------------------------------------------------


async def test_at_most_so_many_are_in_flight_and_the_rest_waits_in_order() -> None:
    jobs = Jobs()
    async with trido.open_supervisor(agent(runs=2).spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(do(*[jobs.run(name, 1.0) for name in "12345"]))
        await settle()
        assert sorted(jobs.log) == ["<1", "<2"]
        assert ref.status().runs == 5
        await trio.sleep(1.5)
        assert [one for one in jobs.log if one[0] == "<"] in (
            ["<1", "<2", "<3", "<4"],
            ["<2", "<1", "<3", "<4"],
            ["<1", "<2", "<4", "<3"],
            ["<2", "<1", "<4", "<3"],
        )
        await trio.sleep(5)
        assert sorted(ref.state().seen) == ["1", "2", "3", "4", "5", "do"]


async def test_64_are_in_flight_unless_it_is_told_otherwise() -> None:
    jobs = Jobs()
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(do(*[jobs.run(str(number)) for number in range(100)]))
        await settle()
        assert len(jobs.log) == 64
        await trio.sleep(5)
        assert len(ref.state().seen) == 101


@pytest.mark.parametrize("overflow", ["block", "reject", "drop_newest", "drop_oldest"])
async def test_a_result_for_a_full_mailbox_goes_by_its_policy(overflow: Any) -> None:
    held = trio.Event()
    made, jobs = agent(mailbox=1, overflow=overflow), Jobs()

    @made.on("hold")
    async def hold(state: Log, data: None) -> Log:
        await held.wait()
        return state

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(do(jobs.run("result", 1.0)))
        ref.cast_nowait(trido.Signal("hold"))
        await settle()
        ref.cast_nowait(note("queued"))
        await trio.sleep(2)
        assert ref.status().runs == (1 if overflow == "block" else 0)
        held.set()
        await trio.sleep(1)
        assert (ref.incarnation, ref.status().runs) == (1, 0)
        lost = {"drop_oldest": ["queued"], "block": []}.get(overflow, ["result"])
        assert [data for data, _ in reasons(ref)] == lost
        assert set(ref.state().seen) == {"do", "queued", "result"} - set(lost)


async def test_a_drain_waits_for_runs_and_their_results_are_served() -> None:
    jobs = Jobs()
    async with shop() as (rt, ref, _):
        await ref.call(do(jobs.run("1", 5.0)))
        rt.close_intake()
        await rt.drain()
        assert ref.state().seen == ("do", "1")
        assert len(rt.dead_letters) == 0


# Crashes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recover", ["fresh", "committed"])
async def test_what_waits_survives_a_crash(recover: Any) -> None:
    jobs = Jobs()
    async with trido.open_supervisor(agent(runs=1, recover=recover).spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(do(*[jobs.run(name, 1.0) for name in "123"]))
        await settle()
        await ref.cast(boom())
        await sup["a"].wait_running(after=1)
        await trio.sleep(9)
        again = "" if recover == "fresh" else "<1 1 "
        assert jobs.lines == f"<1 !1 {again}<2 2 <3 3"


async def test_those_in_flight_are_begun_again_in_order_if_the_state_is_kept() -> None:
    jobs = Jobs()
    async with trido.open_supervisor(agent(runs=1, recover="committed").spec(id="a")) as sup:
        ref = sup["a"].value
        # Three are in flight when it crashes; after that one at a time, so that the order shows.
        place = ref.place
        place.settings = evolve(place.settings, runs=3)
        await ref.call(do(*[jobs.run(name, 1.0) for name in "1234"]))
        await settle()
        place.settings = evolve(place.settings, runs=1)
        await ref.cast(boom())
        await sup["a"].wait_running(after=1)
        jobs.log.clear()
        await trio.sleep(9)
        assert jobs.lines == "<1 1 <2 2 <3 3 <4 4"


async def test_one_that_may_run_once_at_most_is_a_dead_letter_its_outcome_unknown() -> None:
    jobs = Jobs()
    async with trido.open_supervisor(agent(recover="committed").spec(id="a")) as sup:
        ref = sup["a"].value
        once = jobs.run("1", delivery="at_most_once")
        await ref.call(do(once))
        await settle()
        await ref.cast(boom())
        await sup["a"].wait_running(after=1)
        await trio.sleep(9)
        assert jobs.lines == "<1 !1"
        (_, letter) = sorted(ref.dead_letters, key=lambda one: one.directive is not None)
        assert letter.directive == once
        assert isinstance(letter.reason, trido.OutcomeUnknown)
        await ref.dead_letters.resend(letter)
        await trio.sleep(9)
        assert jobs.lines == "<1 !1 <1 1"


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_a_group_restart_is_a_crash_to_them(strategy: Any) -> None:
    jobs = Jobs()
    first = agent().spec(id="first")
    second = agent(recover="committed").spec(id="second")
    async with trido.open_supervisor(first, second, strategy=strategy) as sup:
        await sup["second"].value.call(do(jobs.run("1")))
        await settle()
        await sup["first"].value.cast(boom())
        await sup["second"].wait_running(after=1)
        await trio.sleep(9)
        assert jobs.lines == "<1 !1 <1 1"


async def test_a_result_that_waits_for_room_is_not_lost_and_its_action_not_run_again() -> None:
    held = trio.Event()
    made, jobs = agent(mailbox=1, recover="committed"), Jobs()

    @made.on("hold")
    async def hold(state: Log, data: None) -> Log:
        await held.wait()
        raise Boom

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(do(jobs.run("result", 1.0, delivery="at_most_once")))
        ref.cast_nowait(trido.Signal("hold"))
        await settle()
        ref.cast_nowait(note("queued"))
        await trio.sleep(2)
        held.set()
        await sup["a"].wait_running(after=1)
        await settle()
        assert ref.state().seen == ("do", "queued", "result")
        assert jobs.lines == "<result result"


# Ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["Stop", "stop", "temporary"])
async def test_an_end_cancels_them_and_those_that_wait_are_dead_letters(how: str) -> None:
    jobs = Jobs()
    restart: Any = "temporary" if how == "temporary" else "transient"
    async with shop(settings={"runs": 1, "recover": "committed"}, restart=restart) as (rt, ref, _):
        waits = jobs.run("2")
        await ref.call(do(jobs.run("1"), waits))
        await settle()
        child = rt.supervisor["a"]
        if how == "Stop":
            await ref.call(do(trido.Stop()))
        elif how == "stop":
            await ref.stop()
        else:
            await ref.cast(boom())
        await child.wait_ended()
        await settle()
        assert jobs.lines == "<1 !1"
        found = [(one.directive, type(one.reason)) for one in rt.dead_letters if one.directive]
        assert found == [(waits, trido.AgentStopped)]
        await trio.sleep(9)
        assert jobs.lines == "<1 !1"


async def test_one_that_fails_as_it_is_cancelled_has_failed() -> None:
    @trido.action("stubborn")
    async def stubborn(data: Job) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Boom  # noqa: ASYNC104

    failed = Failed()
    spec = agent(on_error=failed, recover="committed").spec(id="a")
    async with trido.open_supervisor(spec) as sup:
        ref = sup["a"].value
        await ref.call(do(trido.Run(stubborn, Job())))
        await settle()
        await ref.cast(boom())
        await sup["a"].wait_running(after=1)
        await settle()
        assert failed.kinds == [Boom]
        assert ref.status().runs == 0


async def test_one_that_will_not_be_cancelled_is_broken_out_after_the_grace() -> None:
    @trido.action("shielded")
    async def shielded(data: Job) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

    async with trido.open_supervisor(agent().spec(id="a", shutdown=2.0)) as sup:
        await sup["a"].value.call(do(trido.Run(shielded, Job())))
        await settle()
        with trio.fail_after(5):
            await sup.stop_child("a")
        assert trio.current_time() == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("after", [0.5, 1.5])
async def test_a_cancelled_one_has_no_effect_any_more(after: float) -> None:
    effects: list[str] = []

    @trido.action("two.steps")
    async def two_steps(data: Job) -> None:
        for step in ("one", "two"):
            await trio.sleep(1)
            effects.append(step)

    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        await sup["a"].value.call(do(trido.Run(two_steps, Job())))
        await trio.sleep(after)
        await sup.stop_child("a")
        before = list(effects)
        await trio.sleep(9)
        assert effects == before == ["one"][: int(after)]


async def test_a_compensation_runs_once_when_the_agent_is_stopped() -> None:
    undone: list[str] = []

    async def undo(data: Job, error: BaseException) -> None:
        undone.append(data.name)

    @trido.action("booked", compensate=undo)
    async def booked(data: Job) -> None:
        await trio.sleep_forever()

    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        await sup["a"].value.call(do(trido.Run(booked, Job("x"))))
        await settle()
        await sup.stop_child("a")
        assert undone == ["x"]


async def _leaves_a_nursery_open(data: Job) -> None:
    await trio.open_nursery().__aenter__()


async def _leaks_a_cancelled(data: Job) -> None:
    await leak()


@pytest.mark.parametrize("fn", [_leaves_a_nursery_open, _leaks_a_cancelled])
async def test_a_mistake_in_an_action_is_a_failure_and_harms_nobody_else(fn: Any) -> None:
    jobs = Jobs()
    async with trido.open_supervisor(worker().spec(id="a")) as sup:
        ref = sup["a"].value
        mistake = trido.Run(trido.action("mistake")(fn), Job(), error="failed")
        await ref.call(do(jobs.run("1"), mistake))
        await trio.sleep(3)
        _, told, last = ref.state().seen
        assert last == "1"
        assert told.split()[1] in ("ExceptionGroup:", "RuntimeError:", "LeakedCancelled:")
        assert ref.incarnation == 1


async def test_something_fatal_out_of_an_action_ends_everything() -> None:
    @trido.action("fatal")
    async def fatal(data: Job) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        async with trido.open_supervisor(agent().spec(id="a")) as sup:
            await sup["a"].value.call(do(trido.Run(fatal, Job(), error="failed")))
            await trio.sleep_forever()


# Threads and processes ----------------------------------------------------------------------------


@pytest.mark.real_time
@pytest.mark.parametrize("where", ["thread", "process"])
async def test_one_runs_in_a_thread_or_a_process(where: Any) -> None:
    made = agent()

    @made.on("done")
    def done(state: Log, data: Done) -> Log:
        return evolve(state, seen=(str(data.number), str(data.process == os.getpid())))

    with trio.fail_after(60):
        async with trido.open_supervisor(made.spec(id="a")) as sup:
            ref = sup["a"].value
            await ref.call(do(trido.Run(at_work.square, Work(3), ok="done", where=where)))
            state = await ref.wait_for(lambda state: len(state.seen) == 2)
            assert state.seen == ("9", str(where == "thread"))


@pytest.mark.real_time
async def test_the_process_of_a_cancelled_one_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "process"
    with trio.fail_after(60):
        async with trido.open_supervisor(agent().spec(id="a", shutdown=30.0)) as sup:
            run = trido.Run(at_work.hang, Work(path=str(path)), where="process")
            await sup["a"].value.call(do(run))
            await until(path.exists)
            process = int(path.read_text())
            await sup.stop_child("a")
            assert not is_alive(process)


@pytest.mark.real_time
async def test_the_thread_of_a_cancelled_one_is_abandoned_and_its_result_dropped() -> None:
    began, go_on = threading.Event(), threading.Event()

    @trido.action("thread")
    def thread(data: Job) -> str:
        began.set()
        go_on.wait(30)
        return "late"

    with trio.fail_after(60):
        async with trido.open_supervisor(agent().spec(id="a")) as sup:
            ref = sup["a"].value
            await ref.call(do(trido.Run(thread, Job(), ok="note", where="thread")))
            await until(began.is_set)
            await ref.cast(boom())
            await sup["a"].wait_running(after=1)
            assert ref.place.env.meters.abandoned == 1
            go_on.set()
            await until(lambda: ref.place.env.meters.abandoned == 0)
            assert ref.state().seen == ()
            assert await ref.call(note("alive")) == Log(("alive",))
