"""The recovery table, row by row: what becomes of each part of an agent in each kind of end.

Crash columns: the agent crashes, or is stopped by a group restart. Its end for good: by `Stop`, by
`stop`, by being killed, by a crash as a temporary agent, by a crash beyond the limit.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trio
from attrs import evolve, frozen

import trido
from tests.runtime import desk
from tests.runtime.desk import Boom, Log, agent, boom, do, note, reasons, settle
from tests.runtime.till import Charge, Jobs, Till

CRASHES = ("crash", "group")
ENDS = ("Stop", "stop", "kill", "temporary", "limit")
RECOVER = ("fresh", "committed")

crashes = pytest.mark.parametrize("how", CRASHES)
ends = pytest.mark.parametrize("how", ENDS)
recovers = pytest.mark.parametrize("recover", RECOVER)


@frozen
class Scene:
    """An agent, one before it in its group, and how this one is to end."""

    rt: trido.Runtime
    ref: trido.AgentRef[Log]
    child: trido.Child[Any]
    till: Till
    how: str
    end_it: Callable[[], Awaitable[None]]

    async def end(self) -> None:
        """Have it end that way, and wait until it runs again or is gone."""
        before = self.ref.incarnation
        await self.end_it()
        if self.how in CRASHES:
            await self.child.wait_running(after=before)
        else:
            await self.child.wait_ended()
        await settle()
        assert (self.rt.find("a") is None) == (self.how not in CRASHES)

    def letters(self) -> list[tuple[Any, type]]:
        """The dead letters of others than those that made it end."""
        return [one for one in reasons(self.ref) if not isinstance(one[0], Boom)]


@asynccontextmanager
async def scene(how: str, definition: trido.Agent[Log], **fields: Any) -> AsyncGenerator[Scene]:
    till = Till()
    fields = {"shutdown": trido.BRUTAL_KILL if how == "kill" else 5.0, **fields}
    if how == "temporary":
        fields["restart"] = "temporary"
    async with trido.open_runtime(executors={Charge: till.charge}) as rt:
        group = trido.SupervisorSpec(
            agent("first").spec(id="first", runtime=rt),
            definition.spec(id="a", runtime=rt, **fields),
            id="group",
            strategy="one_for_one" if how != "group" else "rest_for_one",
            max_restarts=0 if how == "limit" else 5,
            restart="temporary",
        )
        sup = (await rt.supervisor.start_child(group)).value
        ref = sup["a"].value

        async def end_it() -> None:
            if how in ("crash", "temporary", "limit"):
                ref.cast_nowait(boom(Boom("the end")))
            elif how == "group":
                sup["first"].value.cast_nowait(boom())
            elif how == "Stop":
                await ref.cast(do(trido.Stop()))
            else:
                await sup.stop_child("a")

        yield Scene(rt, ref, sup["a"], till, how, end_it)


def slow(**settings: Any) -> trido.Agent[Log]:
    """One with a turn that lasts until it is cancelled."""
    made = agent(**settings)

    @made.on("hang")
    async def hang(state: Log, data: Any) -> Log:
        await trio.sleep_forever()
        raise AssertionError

    return made


# State; on_start ----------------------------------------------------------------------------------


@crashes
@recovers
async def test_state_and_on_start(how: str, recover: Any) -> None:
    made = agent(recover=recover)

    @made.on_start
    def start(state: Log, turn: trido.Turn) -> Log:
        return evolve(state, seen=(*state.seen, str(turn.why)))

    async with scene(how, made) as it:
        await it.ref.call(note("1"))
        revision = it.ref.status().revision
        await it.end()
        kept = ("start", "1") if recover == "committed" else ()
        assert it.ref.state().seen == (*kept, "restart")
        assert it.ref.status().revision > revision


# Queued signals -----------------------------------------------------------------------------------


@crashes
@recovers
async def test_queued_signals_are_kept_in_order(how: str, recover: Any) -> None:
    async with scene(how, slow(recover=recover)) as it:
        # A turn is in progress, so that what comes now is queued.
        it.ref.cast_nowait(trido.Signal("hang"))
        await settle()
        async with trio.open_nursery() as nursery:
            it.ref.cast_nowait(note("1"))
            nursery.start_soon(it.ref.call, note("2"))
            await settle()
            it.ref.cast_nowait(note("3"))
            if how == "crash":
                it.ref.place.crash(Boom())
                await settle()
            else:
                await it.end()
        await settle()
        assert it.ref.state().seen == tuple("123")
        assert it.letters() == [(None, trido.AgentCrashed)]


@crashes
async def test_without_keep_mailbox_queued_signals_are_dead_letters(how: str) -> None:
    async with scene(how, slow(keep_mailbox=False)) as it:
        it.ref.cast_nowait(trido.Signal("hang"))
        await settle()
        it.ref.cast_nowait(note("1"))
        with pytest.RaisesGroup(trido.AgentCrashed):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(it.ref.call, note("2"))
                await settle()
                if how == "crash":
                    it.ref.place.crash(Boom())
                    await settle()
                else:
                    await it.end()
        assert it.letters() == [(None, trido.AgentCrashed), ("1", trido.AgentCrashed)]
        assert it.ref.status().queued == 0
        assert await it.ref.call(note("3")) == Log(("3",))


@ends
async def test_at_its_end_queued_calls_fail_and_queued_casts_are_dead_letters(how: str) -> None:
    async with scene(how, agent()) as it:
        end = do(trido.Stop()) if how == "Stop" else boom(Boom("the end"))
        errors: list[type] = []

        async def call() -> None:
            if how not in ("stop", "kill"):  # in one step: all of it is queued before the end
                it.ref.cast_nowait(end)
                it.ref.cast_nowait(note("1"))
            try:
                await it.ref.call(note("2"))
            except trido.AgentError as error:
                errors.append(type(error))

        if how in ("stop", "kill"):
            made = it.ref.place.mailbox
            it.ref.place.in_turn = True  # nothing is served on the spot
            it.ref.cast_nowait(note("1"))
            assert len(made) == 1
            it.ref.place.in_turn = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            if how in ("stop", "kill"):
                nursery.start_soon(it.end_it)
        await settle()
        if how not in ("stop", "kill"):  # else it may have been served before
            assert errors == [trido.AgentStopped]
            assert it.letters() == [("1", trido.AgentStopped)]
        with pytest.raises(trido.NoSuchAgent):
            await it.ref.call(note("late"))
        await it.ref.cast(note("late"))
        assert it.letters()[-1] == ("late", trido.NoSuchAgent)


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_what_is_queued_behind_a_turn_in_progress_fails_with_it(how: str) -> None:
    async with scene(how, slow()) as it:
        it.ref.cast_nowait(trido.Signal("hang", "served"))
        await settle()
        it.ref.cast_nowait(note("1"))
        with pytest.RaisesGroup(trido.AgentStopped):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(it.ref.call, note("2"))
                await settle()
                await it.end()
        assert it.letters() == [("served", trido.AgentStopped), ("1", trido.AgentStopped)]


# The signal being served --------------------------------------------------------------------------


@crashes
@pytest.mark.parametrize("call", [False, True])
async def test_the_signal_being_served_is_crashed_on(how: str, *, call: bool) -> None:
    async with scene(how, slow()) as it:
        errors: list[BaseException] = []

        async def serve() -> None:
            try:
                await it.ref.call(trido.Signal("hang", "served"))
            except trido.AgentCrashed as error:
                errors.append(error)

        async with trio.open_nursery() as nursery:
            if call:
                nursery.start_soon(serve)
            else:
                it.ref.cast_nowait(trido.Signal("hang", "served"))
            await settle()
            if how == "crash":
                it.ref.place.crash(Boom())
            else:
                await it.end()
            await settle()
        assert len(errors) == call
        assert it.letters() == ([] if call else [("served", trido.AgentCrashed)])
        assert it.ref.incarnation == 2


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("call", [False, True])
async def test_a_stop_interrupts_the_signal_being_served(how: str, *, call: bool) -> None:
    async with scene(how, slow()) as it:
        caught: list[BaseException] = []

        async def serve() -> None:
            try:
                await it.ref.call(trido.Signal("hang", "served"))
            except trido.AgentStopped as error:
                caught.append(error)

        async with trio.open_nursery() as nursery:
            if call:
                nursery.start_soon(serve)
            else:
                it.ref.cast_nowait(trido.Signal("hang", "served"))
            await settle()
            start = trio.current_time()
            await it.end()
            assert trio.current_time() - start < 1  # at once
        assert len(caught) == call
        assert it.letters() == ([] if call else [("served", trido.AgentStopped)])


@pytest.mark.parametrize("how", ["temporary", "limit"])
async def test_after_a_crash_for_good_the_caller_gets_AgentCrashed(how: str) -> None:
    async with scene(how, agent()) as it:
        with pytest.raises(trido.AgentCrashed):
            await it.ref.call(boom())
        await settle()
        assert it.rt.find("a") is None


# Committed directives -----------------------------------------------------------------------------


@crashes
@recovers
async def test_committed_directives_are_carried_out_first(how: str, recover: Any) -> None:
    made = agent(recover=recover)

    @made.on_start
    def start(state: Log, turn: trido.Turn) -> trido.Decision[Log]:
        return state, [Charge(str(turn.why))]

    async with scene(how, made) as it:
        await it.ref.call(do(Charge("1", 1.0), Charge("2")))
        await settle()
        await it.end()
        await it.ref.call(do(Charge("3")))
        await trio.sleep(5)
        assert it.till.lines == "<start start <1 1 <2 2 <restart restart <3 3"


@pytest.mark.parametrize("how", ["Stop", "stop", "temporary"])
async def test_at_its_end_committed_directives_have_the_grace_then_are_dead_letters(
    how: str,
) -> None:
    async with scene(how, agent(), shutdown=3.0) as it:
        await it.ref.call(do(Charge("1", 2.0), Charge("2", 2.0), Charge("3")))
        await settle()
        start = trio.current_time()
        await it.end()
        await trio.sleep(max(0, start + 4 - trio.current_time()))
        assert it.till.lines == "<1 1 <2 !2"
        found = [(one.directive, type(one.reason)) for one in it.rt.dead_letters if one.directive]
        assert found == [
            (Charge("3"), trido.AgentStopped),
            (Charge("2", 2.0), trido.OutcomeUnknown),
        ]


@pytest.mark.parametrize("how", ["kill", "limit"])
async def test_without_a_grace_committed_directives_are_dead_letters_at_once(how: str) -> None:
    async with scene(how, agent()) as it:
        await it.ref.call(do(Charge("1", 2.0), Charge("2")))
        await settle()
        start = trio.current_time()
        await it.end()
        assert trio.current_time() - start < 0.1
        assert it.till.lines == "<1 !1"


# Runs in flight -----------------------------------------------------------------------------------


@crashes
@recovers
async def test_runs_in_flight_are_forgotten_or_begun_again(how: str, recover: Any) -> None:
    jobs = Jobs()
    async with scene(how, agent(recover=recover)) as it:
        await it.ref.call(do(jobs.run("1", 5.0)))
        await settle()
        await it.end()
        await trio.sleep(9)
        assert jobs.lines == ("<1 !1" if recover == "fresh" else "<1 !1 <1 1")


@ends
@recovers
async def test_at_its_end_runs_in_flight_are_cancelled(how: str, recover: Any) -> None:
    jobs = Jobs()
    async with scene(how, agent(recover=recover)) as it:
        await it.ref.call(do(jobs.run("1", 5.0)))
        await settle()
        await it.end()
        await trio.sleep(9)
        assert jobs.lines == "<1 !1"


# Timers -------------------------------------------------------------------------------------------


@crashes
@recovers
async def test_timers_are_dropped_or_kept_and_schedules_set_anew(how: str, recover: Any) -> None:
    made = agent(recover=recover, schedules=[trido.Schedule(2.0, note("declared"), key="d")])

    @made.on_start
    def start(state: Log, turn: trido.Turn) -> trido.Decision[Log]:
        return state, [trido.Schedule(3.0, note("on_start"), key="s")]

    async with scene(how, made) as it:
        await it.ref.call(do(trido.Schedule(4.0, note("set"), key="x")))
        await trio.sleep(1)
        await it.end()
        await trio.sleep(9)
        seen = [one for one in it.ref.state().seen if one != "do"]
        assert seen == ["declared", "on_start", *(["set"] if recover == "committed" else [])] or (
            recover == "committed" and sorted(seen) == ["declared", "on_start", "set"]
        )


@ends
async def test_at_its_end_timers_are_dropped(how: str) -> None:
    async with scene(how, agent()) as it:
        await it.ref.call(do(trido.Schedule(4.0, note("set"), key="x")))
        await it.end()
        await trio.sleep(9)
        assert it.letters() == []
        assert it.ref.status().timers == 0


# Children -----------------------------------------------------------------------------------------


@crashes
@recovers
async def test_children_are_dropped_or_started_again_in_order(how: str, recover: Any) -> None:
    made = agent(recover=recover, children=[trido.SpawnAgent(agent(), "declared")])
    async with scene(how, made) as it:
        await it.ref.call(do(*[trido.SpawnAgent(agent(), tag) for tag in "xy"]))
        await settle()
        before = [it.rt.agent(f"a/{tag}") for tag in "xy"]
        await it.end()
        ids = [ref.id for ref in it.rt.agents() if ref.id.startswith("a/")]
        spawned = [] if recover == "fresh" else ["a/x", "a/y"]
        assert ids == ["a/declared", *spawned]
        assert {ref.status().state == "running" for ref in before} <= {recover == "committed"}


@ends
async def test_at_its_end_children_are_stopped_in_reverse(how: str) -> None:
    stopped: list[str] = []

    def noting(tag: str) -> trido.SpawnAgent:
        child = agent(tag)

        @child.lifespan
        async def lifespan(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
            try:
                yield
            finally:
                stopped.append(tag)

        return trido.SpawnAgent(child, tag)

    async with scene(how, agent()) as it:
        await it.ref.call(do(noting("x"), noting("y"), noting("z")))
        await settle()
        await it.end()
        assert stopped == ["z", "y", "x"]


# Open requests ------------------------------------------------------------------------------------


def deferring(**settings: Any) -> trido.Agent[Log]:
    made = agent(**settings)

    @made.on("later")
    def later(state: Log, data: Any, turn: trido.Turn) -> trido.Decision[Log]:
        return state, [trido.DeferReply()]

    return made


@crashes
@recovers
async def test_open_requests_get_AgentCrashed_at_once(how: str, recover: Any) -> None:
    async with scene(how, deferring(recover=recover)) as it:
        with pytest.RaisesGroup(trido.AgentCrashed):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(it.ref.call, trido.Signal("later"))
                await settle()
                await it.end()


@pytest.mark.parametrize("how", ["Stop", "stop", "kill"])
async def test_at_its_end_open_requests_get_AgentStopped(how: str) -> None:
    async with scene(how, deferring()) as it:
        with pytest.RaisesGroup(trido.AgentStopped):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(it.ref.call, trido.Signal("later"))
                await settle()
                await it.end()


# Redelivery ---------------------------------------------------------------------------------------


def fragile(times: int, **settings: Any) -> tuple[trido.Agent[Log], list[str]]:
    """An agent that crashes so often on a signal before it serves it."""
    made, tries = agent(recover="committed", **settings), list[str]()

    @made.on("fragile")
    def serve(state: Log, data: str) -> Log:
        tries.append(data)
        if tries.count(data) <= times:
            raise Boom(data)
        return evolve(state, seen=(*state.seen, data))

    return made, tries


@pytest.mark.parametrize(("redeliver", "served"), [(0, False), (1, False), (2, True), (3, True)])
async def test_a_cast_the_agent_died_on_is_tried_again_so_often(
    redeliver: int, *, served: bool
) -> None:
    made, tries = fragile(2, redeliver=redeliver)
    async with trido.open_supervisor(made.spec(id="a"), max_restarts=9) as sup:
        ref = sup["a"].value
        ref.cast_nowait(trido.Signal("fragile", "x"))
        ref.cast_nowait(note("behind"))
        await settle()
        assert tries == ["x"] * min(redeliver + 1, 3)
        # It is tried again before what was behind it.
        assert ref.state().seen == (("x", "behind") if served else ("behind",))
        assert reasons(ref) == ([] if served else [("x", trido.AgentCrashed)])


async def test_a_call_is_never_tried_again() -> None:
    made, tries = fragile(1, redeliver=3)
    async with trido.open_supervisor(made.spec(id="a")) as sup:
        with pytest.raises(trido.AgentCrashed):
            await sup["a"].value.call(trido.Signal("fragile", "x"))
        await settle()
        assert tries == ["x"]


async def test_without_keep_mailbox_the_cast_it_died_on_is_tried_again_all_the_same() -> None:
    made, tries = fragile(1, redeliver=1, keep_mailbox=False)
    async with trido.open_supervisor(made.spec(id="a")) as sup:
        ref = sup["a"].value
        ref.cast_nowait(trido.Signal("fragile", "x"))
        ref.cast_nowait(note("behind"))
        await settle()
        assert tries == ["x", "x"]
        assert (ref.state().seen, reasons(ref)) == (("x",), [("behind", trido.AgentCrashed)])


async def test_one_that_is_to_be_tried_again_is_a_dead_letter_if_there_is_no_next_run() -> None:
    made, tries = fragile(9, redeliver=9)
    async with trido.open_supervisor(made.spec(id="a", restart="temporary")) as sup:
        ref = sup["a"].value
        ref.cast_nowait(trido.Signal("fragile", "x"))
        await settle()
        assert tries == ["x"]
        assert reasons(ref) == [("x", trido.AgentStopped)]


# Parking ------------------------------------------------------------------------------------------


async def park(ref: trido.AgentRef[Log]) -> None:
    while ref.status().state != "parked":
        with suppress(trido.AgentError):
            await ref.call(boom())
        await trio.sleep(5)


@recovers
async def test_started_agents_are_parked_and_can_be_revived(recover: Any) -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(agent(recover=recover), id="a", backoff=None)
        other = await rt.start_agent(agent(), id="b")
        await ref.call(note("1"))
        for _ in range(4):
            with pytest.raises(trido.AgentCrashed):
                await ref.call(boom())
            await settle()
        assert ref.status().state == "parked"
        assert rt.health().parked == 1
        assert rt.find("a") is ref
        with pytest.raises(trido.AgentParked):
            await ref.call(note("2"))
        await ref.cast(note("3"))
        assert reasons(ref) == [("3", trido.AgentParked)]
        assert await other.call(note("lives on")) == Log(("lives on",))
        with pytest.raises(trido.TridoError):
            await other.revive()
        await ref.revive()
        kept = ("1",) if recover == "committed" else ()
        assert await ref.call(note("4")) == Log((*kept, "4"))


async def test_a_parked_agent_tells_its_parent() -> None:
    told: list[Any] = []
    parent = agent()

    @parent.on("agent.child.exit")
    def child_exit(state: Log, data: trido.ChildExit) -> Log:
        told.append((data.tag, data.down.reason, data.comes_back))
        return state

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent, id="a")
        await ref.call(do(trido.SpawnAgent(agent(), "x", settings={"backoff": None})))
        await settle()
        child = rt.agent("a/x")
        for _ in range(4):
            with pytest.raises(trido.AgentCrashed):
                await child.call(boom())
            await settle()
        assert child.status().state == "parked"
        assert told[-1] == ("x", "crashed", False)


async def test_what_a_parked_agent_had_committed_is_carried_out() -> None:
    till = Till()
    async with trido.open_runtime(executors={Charge: till.charge}) as rt:
        ref = await rt.start_agent(agent(), id="a", backoff=None)
        await ref.call(do(Charge("1", 50.0), Charge("2")))
        for _ in range(4):
            await ref.cast(boom())
            await settle()
        assert ref.status().state == "parked"
        await trio.sleep(100)
        assert till.lines == "<1 1 <2 2"


async def test_the_directives_of_a_parked_agent_that_is_stopped_have_the_grace() -> None:
    till = Till()
    async with trido.open_runtime(executors={Charge: till.charge}) as rt:
        ref = await rt.start_agent(agent(), id="a", backoff=None, shutdown=3.0)
        await ref.call(do(Charge("1", 2.0), Charge("2", 2.0)))
        for _ in range(4):
            await ref.cast(boom())
            await settle()
        await ref.stop()
        await trio.sleep(9)
        assert till.lines == "<1 1 <2 !2"


# Ordered stop -------------------------------------------------------------------------------------


async def test_an_ordered_stop_goes_by_its_order() -> None:
    log: list[str] = []
    made, jobs = slow(), Jobs()
    jobs.log = log

    @made.lifespan
    async def lifespan(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            log.append("lifespan left")

    @made.on_stop
    def stop(state: Log, turn: trido.Turn) -> trido.Decision[Log]:
        log.append(f"on_stop: {turn.why}")
        return state, [Charge("3")]

    async def charge(charge: Charge) -> None:
        await trio.sleep(charge.seconds)
        log.append(charge.what)

    async with trido.open_runtime(executors={Charge: charge}) as rt:
        ref = await rt.start_agent(made, id="a")
        await ref.call(do(Charge("1", 1.0), Charge("2", 1.0), jobs.run("run", 60.0)))
        ref.cast_nowait(trido.Signal("hang", "turn"))
        await settle()
        await ref.stop()
        assert log == ["<run", "on_stop: stop", "1", "2", "3", "!run", "lifespan left"]
        assert reasons(ref) == [("turn", trido.AgentStopped)]


def test_an_agent_is_transient_unless_it_is_told_otherwise() -> None:
    assert desk.agent().spec(id="a").restart == "transient"


# Restart types ------------------------------------------------------------------------------------


@pytest.mark.parametrize("grace", [9.0, 1.0])
async def test_a_permanent_agent_that_stops_goes_on_with_what_it_had_committed(
    grace: float,
) -> None:
    till, jobs = Till(), Jobs()
    async with trido.open_runtime(executors={Charge: till.charge}) as rt:
        made = deferring(runs=1, recover="committed")
        work = [jobs.run("x", 2.0), jobs.run("y", 2.0)]
        ref = await rt.start_agent(made, id="a", restart="permanent", shutdown=grace)
        with pytest.RaisesGroup(trido.AgentStopped):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ref.call, trido.Signal("later"))
                await settle()
                await ref.call(do(Charge("1", 3.0), Charge("2"), *work))
                await settle()
                ref.cast_nowait(do(trido.Stop()))
                ref.cast_nowait(note("queued"))
                await rt.supervisor["a"].wait_running(after=1)
        await trio.sleep(20)
        assert till.lines == "<1 1 <2 2"
        again = "" if grace > 3 else "!x <x "
        assert jobs.lines == f"<x {again}x <y y"
        assert "queued" in ref.state().seen
        assert len(rt.dead_letters) == 0


@pytest.mark.parametrize("life", ["restarting", "parked"])
async def test_the_end_of_a_runtime_ends_what_an_agent_without_a_run_has_committed(
    life: str,
) -> None:
    till = Till()
    async with trido.open_runtime(executors={Charge: till.charge}) as rt:
        backoff = None if life == "parked" else trido.Backoff(min=20.0)
        ref = await rt.start_agent(agent(), id="a", backoff=backoff)
        await ref.call(do(Charge("1", 1000.0), Charge("2")))
        for _ in range(9):
            await ref.cast(boom())
            await settle()
        assert ref.status().state == life
        start = trio.current_time()
    assert trio.current_time() == start
    assert till.lines == "<1 !1"
    letters = [one for one in rt.dead_letters if one.directive is not None]
    assert [letter.directive for letter in letters] == [Charge("2"), Charge("1", 1000.0)]
