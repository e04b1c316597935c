"""Children: who lives under whom, who is told, and what outlives what."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import trio
from attrs import evolve, frozen

import trido
from tests.conformance.kit import played
from tests.runtime import desk
from tests.runtime.desk import Boom, Log, boom, do, note, reasons, settle
from trido import testing
from trido.runtime.place import AgentPlace
from trido.supervision.place import as_place


def parent(name: str = "parent", **settings: Any) -> trido.Agent[Log]:
    """An agent that notes what it is told of its children."""
    made = desk.agent(name, **settings)

    @made.on("agent.child.started")
    def started(state: Log, data: trido.ChildStarted) -> Log:
        return evolve(state, seen=(*state.seen, f"{data.tag} started {data.incarnation}"))

    @made.on("agent.child.exit")
    def left(state: Log, data: trido.ChildExit) -> Log:
        back = "back" if data.comes_back else "gone"
        told = f"{data.tag} {data.down.reason} {data.down.incarnation} {back}"
        return evolve(state, seen=(*state.seen, told))

    @made.on("agent.orphaned")
    def orphaned(state: Log, data: trido.Orphaned) -> Log:
        return evolve(state, seen=(*state.seen, f"orphan of {data.parent}"))

    return made


def told(ref: trido.AgentRef[Log]) -> list[str]:
    return [one for one in ref.state().seen if one != "do"]


def lived(events: list[str], name: str = "lived", **settings: Any) -> trido.Agent[Log]:
    """An agent that notes when its runs begin and are over."""
    made = desk.agent(name, **settings)

    @made.lifespan
    async def life(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        events.append(f"+{ref.id}")
        try:
            yield
        finally:
            events.append(f"-{ref.id}")

    return made


def hanging(events: list[str]) -> trido.Agent[Log]:
    """An agent whose lifespan takes its time to leave."""
    made = desk.agent("hanging")

    @made.lifespan
    async def life(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        try:
            yield
            await trio.sleep_forever()
        finally:
            events.append(f"{ref.id} killed")

    return made


def spawn(tag: str, agent: trido.Agent[Any] | None = None, **fields: Any) -> trido.SpawnAgent:
    return trido.SpawnAgent(desk.agent() if agent is None else agent, tag, **fields)


async def settled_in(ref: trido.AgentRef[Log], *directives: trido.Directive) -> None:
    await ref.call(do(*directives))
    await settle()


# Where they live ---------------------------------------------------------------------------------


@played
async def test_children_end_before_their_parent_and_stop_in_reverse() -> None:
    events: list[str] = []
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(lived(events), id="p")
        for tag in ("1", "2", "3"):
            await settled_in(ref, spawn(tag, lived(events)))
        assert events == ["+p", "+p/1", "+p/2", "+p/3"]
        await ref.stop()
        assert events[4:] == ["-p/3", "-p/2", "-p/1", "-p"]
        assert rt.agents() == ()


async def test_children_of_one_turn_are_started_in_order() -> None:
    events: list[str] = []
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="p")
        await settled_in(ref, *(spawn(tag, lived(events)) for tag in "abc"))
        assert events == ["+p/a", "+p/b", "+p/c"]


@played
async def test_four_levels_end_from_the_deepest_up() -> None:
    events: list[str] = []
    deepest = spawn("d", lived(events))
    third = spawn("c", lived(events, children=(deepest,)))
    second = spawn("b", lived(events, children=(third,)))
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(lived(events, children=(second,)), id="a")
        assert {one.id for one in rt.agents()} == {"a", "a/b", "a/b/c", "a/b/c/d"}
        assert ref.status().children == 1
        # Every lifespan is entered before the children are started.
        assert events == ["+a", "+a/b", "+a/b/c", "+a/b/c/d"]
    assert events[4:] == ["-a/b/c/d", "-a/b/c", "-a/b", "-a"]


@pytest.mark.parametrize("alone", [True, False])
async def test_what_is_spawned_runs_and_its_parent_is_told(*, alone: bool) -> None:
    async with trido.open_runtime() as rt:
        spec = parent().spec(id="p", runtime=None if alone else rt)
        async with trido.open_supervisor(spec) as sup:
            ref = sup[spec].value
            await settled_in(ref, spawn("kid"))
            assert told(ref) == ["kid started 1"]
            assert (rt.find("p/kid") is None) is alone
            assert ref.status().children == 1


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("durability", ["none", "sync"])
async def test_what_is_sent_to_a_child_that_is_about_to_start_waits_for_it(
    durability: Any, *, detached: bool
) -> None:
    made, kid = parent(durability=durability), desk.agent("kid", durability=durability)

    @kid.on_start
    async def start(state: Log, turn: trido.Turn) -> Log:
        await trio.sleep(1)
        return state

    @made.on("go")
    def go(state: Log, data: None) -> trido.Decision[Log]:
        first = spawn("1", kid, id="kid", detached=detached)
        sent = [trido.Emit(note(text), to="kid") for text in "ab"]
        return state, [first, *sent, trido.Emit(note("?"), to="nobody")]

    @made.on("go.on")
    def go_on(state: Log, data: None) -> trido.Decision[Log]:
        return state, [trido.Emit(note("c"), to="kid")]

    journal = trido.MemoryJournal()
    async with trido.open_runtime(journal=journal, agents=(made, kid)) as rt:
        ref = await rt.start_agent(made, id="p")
        await ref.call(go.signal(None))
        await ref.call(go_on.signal(None))
        await settle()
        state = await rt.agent("kid").wait_for(lambda state: len(state.seen) == 3)
        assert state == Log(("a", "b", "c"))
        assert reasons(ref) == [("?", trido.NoSuchAgent)]


@pytest.mark.parametrize(
    ("tag", "seconds", "reason"),
    [
        ("1", 1, trido.AgentStopped),  # it was there, and its start failed
        ("0", 1, trido.NoSuchAgent),  # there is a child of this tag already
        ("1", 100, trido.NoSuchAgent),  # its parent has ended first
    ],
)
async def test_what_is_sent_to_a_child_that_never_serves_is_a_dead_letter(
    tag: str, seconds: float, reason: type
) -> None:
    kid = desk.agent("kid")

    @kid.on_start
    async def start(state: Log, turn: trido.Turn) -> Log:
        await trio.sleep(seconds)
        raise Boom

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(), id="p")
        first = spawn("0", desk.agent() if seconds == 1 else kid)
        await ref.call(do(first, spawn(tag, kid, id="kid"), trido.Emit(note("a"), to="kid")))
        await trio.sleep(2)
        await ref.stop()
        letters = [(one.signal.data, type(one.reason)) for one in rt.dead_letters if one.signal]
        assert letters == [("a", reason)]
        assert not rt.env.starting


async def test_what_on_start_spawns_is_spawned_once() -> None:
    made = parent()

    @made.on_start
    def start(state: Log, turn: trido.Turn) -> trido.Decision[Log]:
        return state, [spawn("kid")]

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(made, id="p")
        await settle()
        assert told(ref) == ["kid started 1"]
        assert rt.agent("p/kid").incarnation == 1
        assert ref.status().outbox == 0


async def test_to_parent_reaches_up_and_is_a_dead_letter_for_who_has_none() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="p")
        await settled_in(ref, spawn("kid"))
        await rt.agent("p/kid").call(do(trido.Emit(note("up"), to="parent")))
        await ref.call(do(trido.Emit(note("up"), to="parent")))
        await settle()
        assert ref.state().seen == ("do", "up", "do")
        (letter,) = rt.dead_letters
        assert (letter.agent, type(letter.reason)) == ("parent", trido.NoSuchAgent)


@pytest.mark.parametrize("recover", ["fresh", "committed"])
async def test_declared_children_are_started_anew_in_every_run(recover: Any) -> None:
    events: list[str] = []

    async def plain(*, task_status: trio.TaskStatus[None]) -> None:
        events.append("+plain")
        task_status.started()
        await trio.sleep_forever()

    kids = (spawn("kid", lived(events)), trido.ChildSpec(plain, id="plain"))
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(children=kids, recover=recover), id="p")
        await settle()
        assert events == ["+p/kid", "+plain"]
        assert told(ref) == ["kid started 1"]
        await ref.cast(boom())
        await trio.sleep(1)
        assert events == ["+p/kid", "+plain", "-p/kid", "+p/kid", "+plain"]
        assert ref.status().children == 2


async def test_a_parked_child_comes_back_with_its_parent() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(recover="committed"), id="p")
        await settled_in(ref, spawn("kid", desk.agent(), settings={"backoff": None}))
        for _ in range(4):
            await rt.agent("p/kid").cast(boom())
            await settle()
        assert rt.agent("p/kid").status().state == "parked"
        await ref.cast(boom())
        await ref.wait_for(lambda state: state.seen[-1:] == ("kid started 5",))
        assert rt.agent("p/kid").status().state == "running"


@pytest.mark.parametrize(
    ("recover", "ids"), [("fresh", ["p"]), ("committed", ["p", "p/1", "p/2", "p/3"])]
)
async def test_a_crash_of_the_parent_drops_or_keeps_what_it_spawned(
    recover: Any, ids: list[str]
) -> None:
    events: list[str] = []
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(recover=recover), id="p")
        await settled_in(ref, *(spawn(tag, lived(events)) for tag in "123"))
        await ref.cast(boom())
        await trio.sleep(1)
        assert ref.incarnation == 2
        assert [one.id for one in rt.agents()] == ids
        assert events[:6] == ["+p/1", "+p/2", "+p/3", "-p/3", "-p/2", "-p/1"]
        assert events[6:] == [f"+{id}" for id in ids[1:]]


async def test_a_killed_parent_keeps_what_it_spawned_if_it_goes_on_from_what_it_committed() -> None:
    stuck = desk.agent("stuck", recover="committed")

    @stuck.on_stop
    async def stop(state: Log, turn: trido.Turn) -> Log:
        await trio.sleep_forever()
        return state

    first = desk.agent("first").spec(id="first")
    async with trido.open_runtime() as rt:
        spec = stuck.spec(id="p", runtime=rt, shutdown=1.0)
        async with trido.open_supervisor(first, spec, strategy="one_for_all") as sup:
            await settled_in(sup[spec].value, spawn("kid"))
            await sup[first].value.cast(boom())
            await sup["p"].wait_running(after=1)
            assert trio.current_time() == 1.0
            await settle()
            assert rt.agent("p/kid").status().state == "running"


@pytest.mark.parametrize(
    ("recover", "ids"), [("fresh", ["p", "p/1"]), ("committed", ["p", "p/1", "p/2", "p/3"])]
)
async def test_a_group_restart_treats_children_as_a_crash_does(
    recover: Any, ids: list[str]
) -> None:
    made = desk.agent("made", recover=recover, children=(spawn("1"),))
    async with trido.open_runtime() as rt:
        first, spec = desk.agent().spec(id="first"), made.spec(id="p", runtime=rt)
        async with trido.open_supervisor(first, spec, strategy="one_for_all") as sup:
            await settled_in(sup[spec].value, spawn("2"), spawn("3"))
            await sup[first].value.cast(boom())
            await sup["p"].wait_running(after=1)
            await settle()
            assert [one.id for one in rt.agents()] == ids


async def test_a_child_that_is_not_ready_within_the_grace_of_a_stop_is_a_dead_letter() -> None:
    slow = desk.agent("slow")

    @slow.lifespan
    async def life(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        await trio.sleep(60)
        yield

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="p", shutdown=2.0)
        directive, next_one = spawn("kid", slow), spawn("next")
        await settled_in(ref, directive, next_one)
        await ref.stop()
        assert trio.current_time() == 2.0
        assert [letter.directive for letter in rt.dead_letters] == [directive, next_one]
        assert rt.agents() == ()


async def test_a_child_that_has_ended_by_itself_does_not_come_back_with_its_parent() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(recover="committed"), id="p")
        await settled_in(ref, spawn("1"), spawn("2"))
        await rt.agent("p/1").call(do(trido.Stop()))
        await settle()
        assert told(ref)[2:] == ["1 normal 1 gone"]
        await ref.cast(boom())
        await trio.sleep(1)
        assert [one.id for one in rt.agents()] == ["p", "p/2"]


async def test_a_child_that_stops_while_its_parent_crashes_does_not_come_back() -> None:
    slow = desk.agent("slow")

    @slow.lifespan
    async def life(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        await trio.sleep(1)
        yield

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(recover="committed"), id="p")
        await settled_in(ref, spawn("1"), spawn("2", slow))
        # Its supervisor is busy with starting the other, and learns of this only when it stops.
        await rt.agent("p/1").call(do(trido.Stop()))
        await ref.cast(boom())
        await trio.sleep(5)
        assert [one.id for one in rt.agents()] == ["p", "p/2"]


# What a parent is told, and what it need not care about ------------------------------------------


@played
async def test_a_crashed_child_comes_back_and_its_parent_is_only_told() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(), id="p")
        await settled_in(ref, spawn("kid"))
        await rt.agent("p/kid").cast(boom())
        await trio.sleep(1)
        assert told(ref) == ["kid started 1", "kid crashed 1 back", "kid started 2"]
        assert (ref.incarnation, rt.agent("p/kid").incarnation) == (1, 2)
        assert ref.status().revision == 4


async def test_a_parent_without_such_routes_is_told_nothing() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="p")
        await settled_in(ref, spawn("kid"))
        await rt.agent("p/kid").cast(boom())
        await trio.sleep(1)
        assert ref.status().revision == 1
        assert [letter.agent for letter in rt.dead_letters] == ["p/kid"]


@played
async def test_a_child_s_storm_ends_in_its_own_parking() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(), id="p")
        fast = {"backoff": trido.Backoff(min=0.01, factor=1.0)}
        await settled_in(ref, spawn("kid", settings=fast), spawn("other"))
        for _ in range(4):
            await rt.agent("p/kid").cast(boom())
            await trio.sleep(0.5)
        assert rt.agent("p/kid").status().state == "parked"
        assert told(ref)[-2:] == ["kid started 4", "kid crashed 4 gone"]
        assert [one.incarnation for one in (ref, rt.agent("p/other"))] == [1, 1]
        await rt.agent("p/kid").revive()
        await settle()
        assert told(ref)[-1] == "kid started 5"


async def test_a_child_whose_restarts_fail_is_told_of_each_and_parked() -> None:
    starts: list[float] = []
    broken = desk.agent("broken")

    @broken.on_start
    def start(state: Log, turn: trido.Turn) -> Log:
        starts.append(trio.current_time())
        if len(starts) > 1:
            raise Boom
        return state

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(), id="p")
        settings = {"backoff": trido.Backoff(min=1.0, factor=1.0)}
        await settled_in(ref, spawn("kid", broken, settings=settings))
        kid = rt.agent("p/kid")
        await kid.cast(boom())
        await settle()
        # The first restart is tried at once, the others after a second each.
        assert told(ref) == ["kid started 1", "kid crashed 1 back", "kid crashed 2 back"]
        await trio.sleep(1.5)
        assert told(ref)[3:] == ["kid crashed 3 back"]
        await trio.sleep(1)
        assert told(ref)[4:] == ["kid crashed 4 gone"]
        assert kid.status().state == "parked"


async def test_a_restart_that_is_given_up_is_told_of() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(), id="p")
        settings = {"backoff": trido.Backoff(min=10.0)}
        await settled_in(ref, spawn("kid", settings=settings))
        kid = rt.agent("p/kid")
        for _ in range(2):
            await kid.cast(boom())
            await settle()
        assert kid.status().state == "restarting"
        await kid.stop()
        await settle()
        assert told(ref)[-2:] == ["kid crashed 2 back", "kid crashed 2 gone"]
        assert ref.status().children == 0
        await settled_in(ref, spawn("kid"))
        assert rt.agent("p/kid").status().state == "running"


async def test_a_plain_child_that_its_spec_does_not_park_takes_its_parent_along() -> None:
    runs: list[float] = []

    async def breaks() -> None:
        runs.append(trio.current_time())
        if len(runs) > 4:
            await trio.sleep_forever()
        await trio.sleep(0.1)
        raise Boom

    events: list[str] = []
    kids = (spawn("kid", lived(events)), trido.ChildSpec(breaks, id="breaks"))
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(children=kids, recover="committed"), id="p")
        await settled_in(ref, spawn("spawned"))
        with trio.fail_after(1):
            assert (await rt.monitor(ref).wait()).reason == "crashed"
        await trio.sleep(1)
        assert ref.incarnation == 2
        assert rt.agent("p/spawned").status().state == "running"
        # What ends with its parent's run is nothing to tell of.
        assert not any("stopped" in one for one in told(ref))


async def test_a_failed_start_is_a_failed_directive_and_leaves_no_trace() -> None:
    broken = desk.agent("broken")

    @broken.on_start
    def start(state: Log, turn: trido.Turn) -> Log:
        raise Boom

    errors: list[trido.DirectiveFailed] = []

    def policy(error: trido.DirectiveFailed) -> Any:
        errors.append(error)
        return "log"

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(on_error=policy), id="p")
        await settled_in(ref, spawn("kid", broken), spawn("other"))
        assert isinstance(errors[0].__cause__, trido.StartFailed)
        assert told(ref) == ["other started 1"]
        assert ref.status().children == 1
        assert rt.find("p/kid") is None


async def test_a_declared_child_that_fails_to_start_is_a_failed_start_of_its_parent() -> None:
    events: list[str] = []
    broken = desk.agent("broken")

    @broken.on_start
    def start(state: Log, turn: trido.Turn) -> Log:
        raise Boom

    kids = (spawn("fine", lived(events)), spawn("broken", broken))
    async with trido.open_runtime() as rt:
        with pytest.raises(trido.StartFailed) as caught:
            await rt.start_agent(lived(events, children=kids), id="p")
        assert isinstance(caught.value.__cause__, trido.StartFailed)
        assert isinstance(caught.value.__cause__.__cause__, Boom)
        assert rt.agents() == ()
    assert events == ["+p", "+p/fine", "-p/fine", "-p"]


async def test_what_is_fatal_in_a_child_leaves_the_runtime() -> None:
    with pytest.raises(KeyboardInterrupt):
        async with trido.open_runtime() as rt:
            ref = await rt.start_agent(desk.agent(), id="p")
            await settled_in(ref, spawn("kid"))
            await rt.agent("p/kid").cast(boom(KeyboardInterrupt()))
            await trio.sleep_forever()


async def test_what_is_fatal_in_a_child_that_stops_leaves_the_runtime() -> None:
    broken = desk.agent("broken")

    @broken.on_stop
    def stop(state: Log, turn: trido.Turn) -> Log:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        async with trido.open_runtime() as rt:
            ref = await rt.start_agent(desk.agent(), id="p")
            await settled_in(ref, spawn("kid", broken))


async def test_a_stop_while_declared_children_start_stops_them() -> None:
    events: list[str] = []
    slow = desk.agent("slow")

    @slow.lifespan
    async def life(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        await trio.sleep(10)
        yield

    kids = (spawn("fine", lived(events)), spawn("slow", slow))
    async with trido.open_runtime() as rt, trio.open_nursery() as nursery:

        async def start() -> None:
            with pytest.raises(trido.SupervisorStopped):
                await rt.start_agent(lived(events, children=kids), id="p")

        nursery.start_soon(start)
        await settle()
        assert events == ["+p", "+p/fine"]
        rt.supervisor.stop()
    assert events == ["+p", "+p/fine", "-p/fine", "-p"]
    assert trio.current_time() == 0


async def test_hanging_grandchildren_take_one_grace() -> None:
    events: list[str] = []
    middle = desk.agent("middle", children=(spawn("b", hanging(events)), spawn("c")))
    top = desk.agent("top", children=(spawn("a", middle), spawn("d", hanging(events))))
    async with trido.open_runtime() as rt:
        await rt.start_agent(top, id="p", shutdown=2.0)
    assert trio.current_time() == 2.0
    assert sorted(events) == ["p/a/b killed", "p/d killed"]


# Directives --------------------------------------------------------------------------------------


async def test_stop_child_stops_it_and_frees_its_tag() -> None:
    events: list[str] = []
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(), id="p")
        await settled_in(ref, spawn("kid", lived(events)))
        await settled_in(ref, trido.StopChild("kid"))
        assert events == ["+p/kid", "-p/kid"]
        assert told(ref) == ["kid started 1", "kid stopped 1 gone"]
        assert ref.status().children == 0
        await settled_in(ref, spawn("kid"))
        assert told(ref)[2:] == ["kid started 1"]


async def test_stop_child_stops_a_declared_child_that_is_no_agent() -> None:
    ended = trio.Event()

    async def plain() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with trido.open_runtime() as rt:
        kids = (trido.ChildSpec(plain, id="plain"),)
        ref = await rt.start_agent(desk.agent(children=kids), id="p")
        await settled_in(ref, trido.StopChild("plain"))
        assert ended.is_set()
        assert ref.status().children == 0


async def test_stop_child_stops_one_that_is_parked() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="p")
        settings = {"backoff": None}
        await settled_in(ref, spawn("kid", settings=settings))
        for _ in range(4):
            await rt.agent("p/kid").cast(boom())
        await settle()
        assert rt.agent("p/kid").status().state == "parked"
        await settled_in(ref, trido.StopChild("kid"))
        assert (rt.find("p/kid"), ref.status().children) == (None, 0)


def failures(**settings: Any) -> tuple[trido.Agent[Log], list[BaseException | None]]:
    """An agent, and what its directives failed by."""
    causes: list[BaseException | None] = []

    def policy(error: trido.DirectiveFailed) -> Any:
        causes.append(error.__cause__)
        return "log"

    return parent(on_error=policy, **settings), causes


async def test_no_such_child_is_a_failed_directive() -> None:
    async def returns() -> None:
        pass

    kids = (trido.ChildSpec(returns, id="returns", restart="temporary"),)
    made, causes = failures(children=kids)
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(made, id="p")
        await settle()
        await settled_in(ref, trido.StopChild("nobody"), trido.StopChild("returns"))
        assert [str(cause) for cause in causes] == [
            "agent 'p' has no child 'nobody'",
            "agent 'p' has no child 'returns'",
        ]
        assert ref.status().children == 0


async def test_a_tag_is_given_once() -> None:
    made, causes = failures()
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(made, id="p")
        other = await rt.start_agent(desk.agent(), id="other")
        again = spawn("kid", id="another")
        await settled_in(ref, spawn("kid"), again, trido.AdoptChild(other, "kid"))
        assert [type(cause) for cause in causes] == [trido.AlreadyRegistered] * 2
        assert rt.find("another") is None


async def test_an_id_that_is_taken_is_a_failed_directive() -> None:
    made, causes = failures()
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(made, id="p")
        other = await rt.start_agent(desk.agent(), id="other")
        await settled_in(ref, spawn("kid", id="other"))
        assert isinstance(causes[0], trido.StartFailed)
        assert isinstance(causes[0].__cause__, trido.AlreadyRegistered)
        assert (ref.status().children, told(ref)) == (0, [])
        assert await other.call(note("1")) == Log(("1",))


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"mailbox": 0}, trido.SpecError),
        (5, trido.SpecError),
        ({"mailboxes": 1}, TypeError),
    ],
)
def test_settings_that_are_none_are_refused_before_the_commit(
    settings: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        trido.SpawnAgent(desk.agent("kid"), "kid", settings=settings)


async def test_what_was_being_spawned_when_the_parent_crashed_is_spawned_by_its_next_run() -> None:
    slow = desk.agent("slow")

    @slow.lifespan
    async def life(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        await trio.sleep(1)
        yield

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(), id="p")
        await settled_in(ref, spawn("1", slow), spawn("2"))
        await ref.cast(boom())
        await trio.sleep(5)
        assert told(ref) == ["1 started 1", "2 started 1"]
        assert ref.status().outbox == 0


@played
async def test_what_was_committed_before_a_crash_is_done_by_the_next_run() -> None:
    async def plain() -> None:
        await trio.sleep_forever()

    kids = (trido.ChildSpec(plain, id="plain"),)
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(), id="p")
        other = await rt.start_agent(parent(children=kids), id="o")
        for one in (ref, other):
            one.cast_nowait(do(spawn("kid"), trido.StopChild("plain")))
            one.cast_nowait(boom())
        await trio.sleep(1)
        # Not by the run that crashed, though that has a supervisor for its children at hand.
        assert told(ref) == told(other) == ["kid started 1"]
        assert [one.status().children for one in (ref, other)] == [1, 1]
        assert [one.status().outbox for one in (ref, other)] == [0, 0]


async def test_stop_acts_when_the_children_of_its_turn_are_started() -> None:
    events: list[str] = []
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(lived(events), id="p")
        kids = [
            spawn(tag, lived(events), detached=True, on_parent_death="continue") for tag in "12"
        ]
        await ref.call(do(*kids, spawn("3", lived(events)), trido.Stop()))
        await settle()
        assert events == ["+p", "+p/1", "+p/2", "+p/3", "-p/3", "-p"]
        assert {one.id for one in rt.agents()} == {"p/1", "p/2"}
        assert trio.current_time() == 0


async def test_on_stop_may_have_children_stopped_and_started() -> None:
    events: list[str] = []
    made = desk.agent("made")

    @made.on_stop
    def stop(state: Log, turn: trido.Turn) -> trido.Decision[Log]:
        return state, [spawn("last", lived(events), detached=True, on_parent_death="continue")]

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(made, id="p")
        await ref.call(do(trido.Stop()))
        await settle()
        assert events == ["+p/last"]
        assert [one.id for one in rt.agents()] == ["p/last"]
        assert trio.current_time() == 0


# Ids and refs ------------------------------------------------------------------------------------


@played
async def test_an_id_is_free_after_the_end_and_before_monitors_fire() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        monitor = rt.monitor(ref)

        async def again() -> None:
            await monitor.wait()
            assert rt.find("a") is None
            await rt.start_agent(desk.agent(), id="a")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(again)
            await settle()
            await ref.cast(do(trido.Stop()))
        assert rt.agent("a").status().state == "running"


async def test_an_id_is_taken_wherever_its_agent_stands() -> None:
    async with trido.open_runtime() as rt:
        spec = desk.agent().spec(id="a", runtime=rt)
        async with trido.open_supervisor(spec) as sup:
            with pytest.raises(trido.StartFailed) as caught:
                await rt.start_agent(desk.agent(), id="a")
            assert isinstance(caught.value.__cause__, trido.AlreadyRegistered)
            assert rt.agent("a") is sup[spec].value
            await rt.start_agent(desk.agent(), id="b")
            with pytest.raises(trido.ChildAlreadyStarted):
                await rt.start_agent(desk.agent(), id="b")
        assert [one.id for one in rt.agents()] == ["b"]
        await rt.start_agent(desk.agent(), id="a")


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("recover", ["fresh", "committed"])
async def test_the_ref_of_a_child_stays_valid_over_restarts_of_its_parent(
    *, alone: bool, recover: Any
) -> None:
    @frozen
    class Kids:
        refs: tuple[Any, ...] = ()

    made = trido.Agent("made", state=Kids, recover=recover, children=(spawn("kid"),))

    @made.on("agent.child.started")
    def started(state: Kids, data: trido.ChildStarted) -> Kids:
        return Kids((*state.refs, data.ref))

    @made.on("boom")
    def crash(state: Kids, data: None) -> Kids:
        raise Boom

    async with trido.open_runtime() as rt:
        spec = made.spec(id="p", runtime=None if alone else rt)
        async with trido.open_supervisor(spec) as sup:
            ref = sup[spec].value
            await settle()
            (kid,) = ref.state().refs
            await kid.call(note("1"))
            assert (kid.incarnation, kid.status().revision) == (1, 1)
            await ref.cast(trido.Signal("boom"))
            await sup["p"].wait_running(after=1)
            await settle()
            assert ref.state().refs == ((kid,) if recover == "fresh" else (kid, kid))
            # The child begins anew; its address, its runs and its revisions go on.
            assert await kid.call(note("2")) == Log(("2",))
            assert (kid.incarnation, kid.status().revision) == (2, 2)


async def test_a_ref_names_the_agent_that_has_the_id() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        await ref.call(note("1"))
        await ref.stop()
        with pytest.raises(trido.NoSuchAgent):
            await ref.call(note("2"))
        assert await rt.start_agent(desk.agent(), id="a") is ref
        assert await ref.call(note("3")) == Log(("3",))
        # It is another agent, though.
        assert (ref.incarnation, ref.status().revision) == (1, 1)


async def test_a_place_that_is_run_again_has_its_ref_again() -> None:
    async with trido.open_runtime() as rt:
        spec = desk.agent().spec(id="a", runtime=rt)
        async with trido.open_supervisor(spec) as sup:
            ref = sup[spec].value
            await sup.stop_child("a")
            assert await rt.start_agent(desk.agent("other"), id="a") is ref
            assert ref.status().agent == "other"
            await ref.stop()
            child = await sup.restart_child("a")
            assert child.value is ref
            assert (ref.status().agent, ref.incarnation) == ("log", 2)


# Outliving a parent ------------------------------------------------------------------------------


@played
async def test_detached_children_live_under_the_runtime() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(), id="p")
        await settled_in(ref, spawn("kid", detached=True))
        assert "p/kid" in rt.supervisor
        await rt.agent("p/kid").call(do(trido.Emit(note("up"), to="parent")))
        await settle()
        assert told(ref) == ["kid started 1", "up"]
        # Not with a run of its parent, but with its parent.
        await ref.cast(boom())
        await trio.sleep(1)
        assert (ref.status().children, rt.agent("p/kid").incarnation) == (1, 1)
        await ref.stop()
        await settle()
        assert rt.agents() == ()


@pytest.mark.parametrize(
    ("policy", "seen"), [("continue", []), ("orphan", ["orphan of p"]), ("stop", None)]
)
async def test_what_becomes_of_detached_children(policy: Any, seen: list[str] | None) -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="p")
        await settled_in(ref, spawn("kid", parent(), detached=True, on_parent_death=policy))
        kid = rt.agent("p/kid")
        await ref.stop()
        await settle()
        if seen is None:
            assert rt.find("p/kid") is None
            return
        assert told(kid) == seen
        await kid.call(do(trido.Emit(note("up"), to="parent")))
        await settle()
        (letter,) = rt.dead_letters
        assert isinstance(letter.reason, trido.NoSuchAgent)
        # And it can be adopted.
        other = await rt.start_agent(parent(), id="other")
        await settled_in(other, trido.AdoptChild(kid, "mine"))
        await kid.call(do(trido.Emit(note("up"), to="parent")))
        await settle()
        assert told(other) == ["mine started 1", "up"]
        # One that is just between two runs can be adopted, too.
        for _ in range(2):
            await kid.cast(boom())
            await settle()
        await other.stop()
        await settle()
        assert (rt.find("p/kid"), kid.status().state) == (kid, "restarting")
        third = await rt.start_agent(parent(), id="third")
        await settled_in(third, trido.AdoptChild(kid, "mine"))
        assert told(third) == []
        await trio.sleep(1)
        assert told(third) == ["mine started 3"]


async def test_nobody_is_told_of_a_child_that_goes_on_without_a_parent() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(), id="p")
        await settled_in(ref, spawn("kid", detached=True, on_parent_death="continue"))
        await ref.stop()
        kid = rt.agent("p/kid")
        await kid.cast(boom())
        await settle()
        assert kid.incarnation == 2
        await kid.stop()
        assert rt.agents() == ()
        assert len(rt.dead_letters) == 1


@played
async def test_the_detached_child_of_a_child_is_stopped_when_the_grandparent_stops() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="p")
        await settled_in(ref, spawn("kid"))
        await settled_in(rt.agent("p/kid"), spawn("far", detached=True))
        assert {one.id for one in rt.agents()} == {"p", "p/kid", "p/kid/far"}
        await ref.stop()
        await settle()
        assert rt.agents() == ()


async def test_a_detached_child_that_ends_leaves_its_parent() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(), id="p")
        await settled_in(ref, spawn("kid", detached=True), spawn("kid2", detached=True))
        await rt.agent("p/kid").call(do(trido.Stop()))
        await settled_in(ref, trido.StopChild("kid2"))
        assert told(ref)[2:] == ["kid normal 1 gone", "kid2 stopped 1 gone"]
        assert ref.status().children == 0


async def test_detached_is_a_failed_directive_of_an_agent_alone() -> None:
    made, causes = failures()
    async with trido.open_supervisor(made.spec(id="p")) as sup:
        ref = sup["p"].value
        await settled_in(ref, spawn("kid", detached=True))
        (cause,) = causes
        assert isinstance(cause, trido.SpecError)
        assert "detached=True" in str(cause)
        assert ref.status().children == 0


async def test_detached_in_a_runtime_that_is_closed_is_a_dead_letter() -> None:
    async with trio.open_nursery() as nursery:
        async with trido.open_runtime() as rt:
            tree = await nursery.start(
                trido.supervise, trido.SupervisorSpec(desk.agent().spec(id="p", runtime=rt))
            )
        ref = tree["p"].value
        await settled_in(ref, spawn("kid", detached=True), spawn("here"))
        (letter,) = ref.dead_letters
        assert isinstance(letter.reason, trido.AgentStopped)
        assert [one.id for one in rt.agents()] == ["p", "p/here"]
        tree.stop()


async def test_whom_an_agent_can_adopt() -> None:
    made, causes = failures()
    async with trido.open_runtime() as rt, trido.open_runtime() as elsewhere:
        ref = await rt.start_agent(made, id="p")
        other = await rt.start_agent(desk.agent(), id="other")
        far = await elsewhere.start_agent(desk.agent(), id="far")
        gone = await rt.start_agent(desk.agent(), id="gone")
        await gone.stop()
        await settled_in(other, spawn("kid"), spawn("free", detached=True))
        await settled_in(rt.agent("other/free"), trido.AdoptChild(ref, "up"))
        for one in (far, gone, ref, rt.agent("other/free")):
            await settled_in(ref, trido.AdoptChild(one, "mine"))
        await settled_in(ref, trido.AdoptChild(rt.agent("other/kid"), "mine"))
        third = await rt.start_agent(desk.agent(), id="third")
        await settled_in(third, spawn("kid", detached=True))
        await settled_in(ref, trido.AdoptChild(rt.agent("third/kid"), "mine"))
        said = [str(cause) for cause in causes]
        assert "of the same runtime" in said[0]
        assert isinstance(causes[1], trido.NoSuchAgent)
        assert "another agent" in said[2]
        assert "this one descends from" in said[3]
        assert "lives with its parent" in said[4]
        assert "nobody's child" in said[5]
        assert ref.status().children == 0


async def test_an_adopted_child_ends_with_the_supervisor_it_lives_under() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(), id="p")
        spec = desk.agent().spec(id="kid", runtime=rt)
        async with trido.open_supervisor(spec) as sup:
            await settled_in(ref, trido.AdoptChild(sup[spec].value, "mine"))
            assert ref.status().children == 1
            await settled_in(ref, trido.StopChild("mine"))
            assert told(ref) == ["mine started 1", "mine stopped 1 gone"]
            # Run again, it is nobody's child.
            await sup.restart_child("kid")
            await settle()
            assert len(told(ref)) == 2
            await settled_in(ref, trido.AdoptChild(sup[spec].value, "mine"))
        assert told(ref)[2:] == ["mine started 2", "mine stopped 2 gone"]


async def test_stopping_an_adopted_child_that_is_being_stopped_holds_nothing_up() -> None:
    slow = desk.agent("slow")

    @slow.lifespan
    async def life(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        yield
        await trio.sleep(1)

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(parent(), id="p")
        spec = slow.spec(id="kid", runtime=rt)
        async with trido.open_supervisor(spec) as sup:
            await settled_in(ref, trido.AdoptChild(sup[spec].value, "mine"))
            sup.stop()
            await settle()
            await settled_in(ref, trido.StopChild("mine"), spawn("next"))
            assert "next started 1" in told(ref)


def test_nobody_is_called_parent() -> None:
    with pytest.raises(trido.SpecError, match="means the parent"):
        desk.agent().spec(id="parent")


def test_what_directives_about_others_are_not() -> None:
    with pytest.raises(trido.SpecError, match=r"a trido\.Agent"):
        trido.SpawnAgent("kid", "kid")
    with pytest.raises(trido.SpecError, match="tag"):
        trido.SpawnAgent(desk.agent(), "")
    with pytest.raises(trido.SpecError, match="on_parent_death"):
        spawn("kid", on_parent_death="panic")
    for kind in (trido.Monitor, trido.Demonitor, trido.Link):
        with pytest.raises(trido.SpecError, match="an agent's ref"):
            kind("a")  # type: ignore[arg-type]
    with pytest.raises(trido.SpecError, match="an agent's ref"):
        trido.AdoptChild("a", "mine")  # type: ignore[arg-type]


async def test_a_place_without_a_run_says_so() -> None:
    place = as_place(desk.agent().spec(id="a"))
    assert isinstance(place, AgentPlace)
    for ask in (lambda: place.run, lambda: place.dispatcher):
        with pytest.raises(trido.NoSuchAgent):
            ask()
    with pytest.raises(trido.NoSuchAgent):
        await place.ref.revive()


def test_declared_children_are_not_detached() -> None:
    with pytest.raises(trido.SpecError, match="spawn it in on_start"):
        desk.agent(children=(spawn("kid", detached=True),))


def test_nothing_of_a_family_is_left_running() -> None:
    async def main() -> None:
        async with trido.open_runtime() as rt:
            ref = await rt.start_agent(desk.agent(children=(spawn("a"),)), id="p")
            await settled_in(ref, spawn("b"), spawn("c", detached=True))
            await rt.agent("p/b").cast(boom())
        task = trio.lowlevel.current_task()
        assert not task.child_nurseries

    testing.run(main)
