"""Keyed agents: one live agent for each key, however many ask for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

import pytest
import trio
from attrs import evolve, frozen

import trido
from tests.runtime.books import Books, keeper, office
from tests.runtime.books import note as noted
from tests.runtime.desk import Boom, Log, agent, boom, do, note, settle
from trido.journal.operations import Claim, Commit


async def test_a_key_has_one_agent_and_all_get_its_ref() -> None:
    log = agent()
    async with trido.open_runtime() as rt:
        ref = await rt.activate(log, "user-7")
        assert ref.id == "log/user-7"
        assert await rt.activate(log, "user-7") is ref
        assert await rt.activate(log, "user-8") is not ref
        assert rt.agent("log/user-7") is ref
        assert (await ref.call(note("a"))).seen == ("a",)


async def test_definitions_do_not_share_keys() -> None:
    async with trido.open_runtime() as rt:
        a, b = await rt.activate(agent("a"), "1"), await rt.activate(agent("b"), "1")
        await a.call(note("x"))
        assert (a.state().seen, b.state().seen) == (("x",), ())


class Slow:
    """Agents whose start takes a second, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.starts = 0
        self.fails = 0
        self.agent = agent()

        @self.agent.lifespan
        async def lives(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
            self.starts += 1
            await trio.sleep(1)
            if self.fails:
                self.fails -= 1
                raise Boom("no start")
            yield


async def test_many_who_ask_at_once_cause_one_start() -> None:
    slow = Slow()
    refs = []

    async def ask(rt: trido.Runtime) -> None:
        refs.append(await rt.activate(slow.agent, "k"))

    async with trido.open_runtime() as rt:
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(ask, rt)
        assert slow.starts == 1
        assert refs == [refs[0]] * 50


async def test_a_failed_start_reaches_all_and_leaves_nothing_behind() -> None:
    slow = Slow()
    slow.fails = 1
    errors: list[trido.StartFailed] = []

    async def ask(rt: trido.Runtime) -> None:
        with pytest.raises(trido.StartFailed) as caught:
            await rt.activate(slow.agent, "k")
        errors.append(caught.value)

    async with trido.open_runtime() as rt:
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask, rt)
        assert [type(error.__cause__) for error in errors] == [Boom] * 5
        assert len(set(map(id, errors))) == 5, "each has an error of its own"
        assert (slow.starts, rt.agents()) == (1, ())
        ref = await rt.activate(slow.agent, "k")
        assert (await ref.call(note("a"))).seen == ("a",)


async def test_a_cancelled_caller_does_not_cancel_the_start_for_others() -> None:
    slow = Slow()
    async with trido.open_runtime() as rt, trio.open_nursery() as nursery:
        with trio.move_on_after(0.5) as scope:
            await rt.activate(slow.agent, "k")
        assert scope.cancelled_caught
        nursery.start_soon(rt.activate, slow.agent, "k")
        ref = await rt.activate(slow.agent, "k")
        assert slow.starts == 1
        assert ref.incarnation == 1


async def test_it_is_restarted_with_backoff_and_parked_alone() -> None:
    log = agent()
    async with trido.open_runtime() as rt:
        other = await rt.activate(log, "other")
        ref = await rt.activate(log, "k")
        while ref.status().state != "parked":
            ref.cast_nowait(boom())
            await trio.sleep(0.2)
        with pytest.raises(trido.AgentParked):
            await rt.activate(log, "k")
        await ref.revive()
        assert await rt.activate(log, "k") is ref
        assert (await other.call(note("a"))).seen == ("a",)


async def test_one_that_restarts_is_waited_for() -> None:
    slow = Slow()
    async with trido.open_runtime() as rt:
        ref = await rt.activate(slow.agent, "k")
        await ref.cast(boom())
        await trio.sleep(0.05)
        assert ref.status().state != "running"
        assert await rt.activate(slow.agent, "k") is ref
        assert (ref.incarnation, slow.starts) == (2, 2)
        await settle()
        assert ref.status().state == "running"


async def test_after_its_end_a_key_begins_anew_under_the_same_ref() -> None:
    log = agent()
    async with trido.open_runtime() as rt:
        ref = await rt.activate(log, "k")
        await ref.call(note("a"))
        await ref.call(do(trido.Stop()))
        await settle()
        with pytest.raises(trido.NoSuchAgent):
            await ref.call(note("b"))
        assert await rt.activate(log, "k") is ref
        assert ref.state() == Log()


async def test_one_that_is_just_ending_is_waited_for_and_started_anew() -> None:
    slow = Slow()

    @slow.agent.on_stop
    async def stop(state: Log) -> Log:
        await trio.sleep(1)
        return state

    async with trido.open_runtime() as rt, trio.open_nursery() as nursery:
        ref = await rt.activate(slow.agent, "k")
        nursery.start_soon(ref.stop)
        await trio.sleep(0.5)
        assert await rt.activate(slow.agent, "k") is ref
        assert (slow.starts, (await ref.call(note("a"))).seen) == (2, ("a",))


async def _says(rt: trido.Runtime, log: trido.Agent[Log], said: list[object]) -> None:
    ref = await rt.activate(log, "k")
    said.append((await ref.call(note("a"))).seen[-1])


async def test_one_that_is_to_stop_before_it_is_ready_is_started_anew() -> None:
    slow, said = Slow(), list[object]()
    async with trido.open_runtime() as rt, trio.open_nursery() as nursery:
        nursery.start_soon(_says, rt, slow.agent, said)
        await trio.sleep(0.5)
        nursery.start_soon(rt.agent("log/k").stop)
        nursery.start_soon(_says, rt, slow.agent, said)
        await trio.sleep(2)
        assert (said, slow.starts) == (["a", "a"], 2), "one start for all who ask"


async def test_a_durable_one_that_is_to_stop_before_it_is_ready_is_started_anew() -> None:
    books, log, said = Books(), keeper(), list[object]()
    async with office(books, log) as rt, trio.open_nursery() as nursery:
        release = books.hold()
        nursery.start_soon(_says, rt, log, said)
        await settle()
        ref = rt.agent("log/k")
        nursery.start_soon(ref.stop)
        await settle()
        release()
        await settle()
        assert (said, ref.status().state) == (["a"], "running")
        assert sum(isinstance(one, Claim) for one in books.writes) == 2


async def test_one_that_somebody_else_starts_meanwhile_is_waited_for() -> None:
    slow, said = Slow(), list[object]()
    other = Slow()
    async with trido.open_runtime() as rt, trio.open_nursery() as nursery:
        nursery.start_soon(rt.activate, other.agent, "first in the queue")
        await settle()
        nursery.start_soon(partial(rt.start_agent, slow.agent, id="log/k"))
        await settle()
        assert rt.find("log/k") is None
        nursery.start_soon(_says, rt, slow.agent, said)
        await trio.sleep(3)
        assert (said, slow.starts) == (["a"], 1)


async def test_a_name_that_is_no_agents_is_refused() -> None:
    async with trido.open_runtime() as rt:
        await rt.supervisor.start_child(trio.sleep_forever, id="log/k")
        with pytest.raises(trido.ChildAlreadyStarted):
            await rt.activate(agent(), "k")


async def test_one_that_ends_by_itself_once_it_is_ready_is_no_live_agent() -> None:
    log = agent()

    @log.on_start
    def start(state: Log) -> trido.Decision[Log]:
        return state, [trido.Stop()]

    @log.on_stop
    async def stop(state: Log) -> Log:
        await trio.sleep(1)
        return state

    async with trido.open_runtime() as rt:
        with pytest.raises(trido.NoSuchAgent):
            await rt.activate(log, "k")


async def test_one_that_ends_as_it_starts_is_no_live_agent() -> None:
    log = agent()

    @log.on_start
    def start(state: Log) -> trido.Decision[Log]:
        return state, [trido.Stop()]

    async with trido.open_runtime() as rt:
        with pytest.raises(trido.NoSuchAgent):
            await rt.activate(log, "k")


async def test_an_id_of_another_definition_is_refused() -> None:
    async with trido.open_runtime() as rt:
        await rt.start_agent(agent("other"), id="log/k")
        with pytest.raises(trido.AlreadyRegistered):
            await rt.activate(agent(), "k")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ((object(), "k", ""), "agent"),
        ((agent(), "", ""), "key"),
        ((agent(), 7, ""), "key"),
        ((agent(), "7/kid", ""), "key"),
        ((agent(), "k", "a/b"), "partition"),
        ((agent(), "k", None), "partition"),
        ((agent(durability="sync"), "k", ""), "durability"),
    ],
)
async def test_wrong_arguments_are_refused_before_anything_happens(
    arguments: tuple[Any, Any, Any], field: str
) -> None:
    definition, key, partition = arguments
    async with trido.open_runtime() as rt:
        with pytest.raises(trido.SpecError) as caught:
            await rt.activate(definition, key, partition=partition)
        assert caught.value.field == field
        assert rt.agents() == ()


async def test_settings_stand_on_the_definition() -> None:
    async with trido.open_runtime() as rt:
        with pytest.raises(TypeError):
            await rt.activate(agent(), "k", mailbox=1)  # type: ignore[call-arg]


async def test_nothing_starts_once_the_intake_is_closed() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.activate(agent(), "k")
        rt.close_intake()
        with pytest.raises(trido.IntakeClosed):
            await rt.activate(agent(), "other")
        assert rt.agents() == (ref,)


async def test_nothing_starts_once_the_runtime_has_ended() -> None:
    async with trido.open_runtime() as rt:
        pass
    with pytest.raises(trido.SupervisorStopped):
        await rt.activate(agent(), "k")


async def test_whoever_is_being_started_cannot_wait_for_itself() -> None:
    log = agent()
    errors: list[BaseException] = []

    @log.lifespan
    async def lives(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        try:
            await rt.activate(log, "k")
        except trido.DeadlockError as error:
            errors.append(error)
        yield

    async with trido.open_runtime() as rt:
        await rt.activate(log, "k")
    assert len(errors) == 1


async def test_a_durable_one_goes_on_in_the_next_process() -> None:
    books, log = Books(), keeper()
    async with office(books, log) as rt:
        ref = await rt.activate(log, "k")
        await ref.call(noted("a"))
    async with office(books, log) as rt:
        ref = await rt.activate(log, "k")
        assert (await ref.call(noted("b"))).seen == ("a", "b")


async def test_one_that_the_runtime_woke_is_the_one_that_is_activated() -> None:
    books = Books()
    log = keeper(does={"later": [trido.Schedule(5, noted("tick"), key="t")]})
    async with office(books, log) as rt:
        await (await rt.activate(log, "k")).call(trido.Signal("do", "later"))
    await trio.sleep(10)
    async with office(books, log) as rt:
        await settle()
        ref = await rt.activate(log, "k")
        await ref.wait_for(lambda state: state.seen == ("later", "tick"))


@frozen
class Tenant:
    heard: tuple[str, ...] = ()


def tenant() -> trido.Agent[Tenant]:
    made = trido.Agent("tenant", state=Tenant, subscribe=("news.*",))

    @made.on("news.flash")
    def flash(state: Tenant, data: str) -> Tenant:
        return evolve(state, heard=(*state.heard, data))

    @made.on("say")
    def say(state: Tenant, data: str) -> trido.Decision[Tenant]:
        return state, [trido.Emit(trido.Signal("news.flash", data))]

    @made.on("send")
    def send(state: Tenant, data: tuple[str, str]) -> trido.Decision[Tenant]:
        to, what = data
        return state, [trido.Emit(trido.Signal("news.flash", what), to=to)]

    @made.on("spawn")
    def spawn(state: Tenant, data: str) -> trido.Decision[Tenant]:
        return state, [trido.SpawnAgent(made, data), trido.SpawnAgent(made, "x", id="named")]

    return made


def signal(type: str, data: Any) -> trido.Signal:
    return trido.Signal(type, data)


async def test_a_key_is_another_agent_in_each_partition() -> None:
    made = tenant()
    async with trido.open_runtime() as rt:
        refs = [await rt.activate(made, "k", partition=name) for name in ("", "acme", "globex")]
        assert [ref.id for ref in refs] == ["tenant/k", "//acme/tenant/k", "//globex/tenant/k"]
        await refs[1].call(signal("news.flash", "a"))
        assert [ref.state().heard for ref in refs] == [(), ("a",), ()]
        assert rt.agent("tenant/k", partition="acme") is refs[1]
        assert rt.find("//acme/tenant/k") is refs[1]
        assert rt.agents(partition="acme") == (refs[1],)
        assert rt.agents(partition="") == (refs[0],)
        assert rt.agents() == tuple(refs)


async def test_what_is_published_stays_in_its_partition() -> None:
    made = tenant()
    async with trido.open_runtime() as rt:
        refs = [await rt.activate(made, "k", partition=name) for name in ("", "acme", "globex")]
        with rt.subscribe("news.*", partition="globex") as news:
            await refs[1].call(signal("say", "hello"))
            await rt.publish(signal("news.flash", "all"), partition="globex")
            await rt.publish(signal("news.flash", "none"), partition="empty")
            await settle()
            assert (await anext(news)).data == "all"
        assert [ref.state().heard for ref in refs] == [(), ("hello",), ("all",)]


async def test_an_id_means_somebody_in_the_same_partition() -> None:
    made = tenant()
    async with trido.open_runtime() as rt:
        refs = [await rt.activate(made, "k", partition=name) for name in ("", "acme", "globex")]
        for ref in refs:
            await ref.call(signal("send", ("tenant/k", ref.id)))
        await settle()
        assert [ref.state().heard for ref in refs] == [(ref.id,) for ref in refs]
        await refs[1].call(signal("send", ("//acme/tenant/k", "own")))
        for ref in refs[:2]:  # neither from outside, nor from another partition
            await ref.call(signal("send", ("//globex/tenant/k", "spy")))
        await settle()
        assert refs[1].state().heard[-1] == "own"
        assert len(refs[2].state().heard) == 1
        assert len(rt.dead_letters) == 2


async def test_children_are_in_the_partition_of_their_parent() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.activate(tenant(), "k", partition="acme")
        await ref.call(signal("spawn", "kid"))
        await settle()
        ids = [one.id for one in rt.agents(partition="acme")]
        assert ids == ["//acme/tenant/k", "//acme/tenant/k/kid", "//acme/named"]


async def test_partitions_are_apart_in_a_journal() -> None:
    books, log = Books(), keeper()
    async with office(books, log) as rt:
        for partition in ("", "acme"):
            ref = await rt.activate(log, "k", partition=partition)
            await ref.call(noted(partition, id="same"))
    async with office(books, log) as rt:
        refs = [await rt.activate(log, "k", partition=one) for one in ("", "acme")]
        assert [ref.state().seen for ref in refs] == [("",), ("acme",)]
    commits = [one for one in books.writes if isinstance(one, Commit)]
    keys = {(one.agent.partition, one.agent.id) for one in commits}
    assert keys == {("", "log/k"), ("acme", "log/k")}


@pytest.mark.parametrize("partition", ["a/b", 3])
async def test_what_is_no_partition_is_not_looked_into(partition: Any) -> None:
    async with trido.open_runtime() as rt:
        for look in (rt.agents, partial(rt.find, "log/k"), partial(rt.agent, "log/k")):
            with pytest.raises(trido.SpecError, match="partition"):
                look(partition=partition)


@pytest.mark.parametrize("id", ["\ud800", "//\ud800/log/k"])
async def test_ids_that_cannot_be_the_source_of_a_signal_are_refused(id: str) -> None:
    async with trido.open_runtime() as rt:
        with pytest.raises(trido.SpecError, match="UTF-8"):
            await rt.start_agent(agent(), id=id)


@pytest.mark.parametrize("id", ["//", "//acme", "//acme/", "///x"])
async def test_ids_that_name_half_a_partition_are_refused(id: str) -> None:
    async with trido.open_runtime() as rt:
        with pytest.raises(trido.SpecError, match="//partition/id"):
            await rt.start_agent(agent(), id=id)


async def test_one_that_leaves_as_it_is_to_be_stopped_is_stopped_by_then() -> None:
    slow, log = Slow(), agent(idle_timeout=0.5)
    async with trido.open_runtime() as rt, trio.open_nursery() as nursery:
        ends, sleeps = await rt.activate(log, "ends"), await rt.activate(log, "sleeps")
        nursery.start_soon(rt.activate, slow.agent, "k")  # its supervisor is at it for a second
        await settle()
        nursery.start_soon(ends.stop)
        nursery.start_soon(ends.stop)
        nursery.start_soon(sleeps.stop)
        await trio.sleep(2)
        assert [ref.id for ref in rt.agents()] == ["log/k"]
