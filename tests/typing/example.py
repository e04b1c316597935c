"""All that trido has, as type checkers see it: supervision, agents, the runtime. It also runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Any, assert_type

import trio
from attrs import evolve, frozen

import trido

# Supervision ----------------------------------------------------------------------------------


async def feed(region: str) -> None:
    await trio.sleep_forever()


async def serve(port: int, *, task_status: trio.TaskStatus[str]) -> None:
    task_status.started(f"port {port}")
    await trio.sleep_forever()


def on_event(event: trido.events.Event) -> None:
    """A plain function."""


eu = trido.ChildSpec(feed, "eu", id="feed-eu", restart="transient", shutdown=5.0)
server = trido.ChildSpec(serve, 80, id="server")
inner = trido.SupervisorSpec(trido.ChildSpec(feed, "asia"), id="inner", strategy="rest_for_one")


async def supervision() -> None:
    async with trido.open_supervisor(
        eu,
        inner,
        server,
        id="root",
        strategy="one_for_one",
        max_restarts=3,
        max_seconds=5.0,
        auto_shutdown="never",
        observers=(on_event,),
    ) as sup:
        assert_type(sup, trido.Supervisor)
        child = await sup.start_child(feed, "us", id="feed-us")
        assert_type(child, trido.Child[None])
        ready = await sup.start_child(serve, 81, id="serve-81")
        assert_type(ready, trido.Child[Any])  # what it gives to started() is not told
        assert ready.value == "port 81"
        assert sup[server].value == "port 80"
        assert_type(sup["inner"].value, Any)
        assert_type(sup[inner].value, trido.Supervisor)
        await sup.start_child(trido.ChildSpec(feed, "uk", id="feed-uk", backoff=trido.Backoff()))
        await sup.stop_child("feed-eu")
        await sup.restart_child(eu)
        await sup.stop_child(child)
        await sup.delete_child("feed-us")
        assert_type(sup.children(), tuple[trido.ChildInfo, ...])
        assert_type(sup.counts(), trido.Counts)
        assert_type(sup.tree(), str)
        assert_type(sup.statistics(), trido.SupervisorStatistics)
        sup.stop()
        await sup.wait()


async def supervision_from_data() -> None:
    spec = trido.SupervisorSpec(eu, id="root")
    async with trido.open_supervisor(spec=spec, observers=()) as sup:
        assert_type(sup, trido.Supervisor)
    async with trido.open_dynamic_supervisor(
        feed, id="feeds", restart="transient", max_children=1000
    ) as feeds:
        await feeds.start_child("us", id=None)
    async with trio.open_nursery() as nursery:
        task = await nursery.start(trido.supervise, spec)
        task.stop()
    assert_type(trido.explain(spec, crash="feed-eu"), trido.Plan)


# Agents ---------------------------------------------------------------------------------------


@frozen
class Counter:
    value: int = 0


@frozen
class Add:
    by: int = 1


class Pool:
    async def fetch(self, key: str) -> int:
        await trio.lowlevel.checkpoint()
        return len(key)


@trido.action
async def look_up(key: str) -> int:
    await trio.lowlevel.checkpoint()
    return len(key)


@trido.action("double", timeout=1.0, policies=(trido.Limit("double", 3),))
def double(number: int) -> float:
    return number * 2.0


counter = trido.Agent(
    "counter",
    state=Counter,
    mailbox=1024,
    overflow="block",
    keep_mailbox=True,
    recover="committed",
    turn_limit=10.0,
    schedules=(trido.Cron("*/5 * * * *", trido.Signal("counter.add", Add(0)), "heartbeat"),),
    subscribe=("count.*",),
)


@counter.on("counter.add")
def add(state: Counter, data: Add) -> trido.Decision[Counter]:
    return evolve(state, value=state.value + data.by), [
        trido.Emit(trido.Signal("counter.changed", data))
    ]


@counter.on("counter.set", data=int)
def set_to(state: Counter, data: int, turn: trido.Turn) -> Counter:
    return Counter(data)


@counter.on("counter.fetch")
async def fetch(state: Counter, data: str, turn: trido.Turn) -> trido.Decision[Counter]:
    pool: Pool = turn.resource
    return Counter(await pool.fetch(data)), (
        trido.Schedule(5.0, set_to.signal(0), key="reset"),
        trido.Cancel("reset"),
    )


@counter.on("counter.nap")
async def nap(state: Counter, data: float) -> Counter:
    await trio.sleep(data)
    return state


@counter.on("counter.run")
def run_it(state: Counter, data: str) -> tuple[Counter, list[trido.Run]]:
    return state, [trido.Run(look_up, data, ok="counter.set")]


@counter.on("counter.stop")
def stop(state: Counter, data: None) -> tuple[Counter, list[trido.Stop]]:
    return state, [trido.Stop()]


@counter.on_start
def start(state: Counter, turn: trido.Turn) -> trido.Decision[Counter]:
    return state, [trido.Emit(trido.Signal("counter.started"))]


@counter.on_stop
async def finish(state: Counter) -> Counter:
    await trio.lowlevel.checkpoint()
    return state


@counter.lifespan
async def pool(ref: trido.AgentRef[Counter]) -> AsyncGenerator[Pool, None]:
    yield Pool()


other = trido.Agent("other", state=Counter)


@other.lifespan
@asynccontextmanager
async def other_pool(ref: trido.AgentRef[Counter]) -> AsyncGenerator[Pool, None]:
    yield Pool()


state, directives = counter.cmd(Counter(), trido.Signal("counter.add", Add(by=2)))
assert_type(state, Counter)
assert_type(directives, tuple[trido.Directive, ...])
assert_type(add.signal(Add(2)), trido.Request[Add, Counter])
assert_type(add(Counter(), Add(2)), trido.Decision[Counter])
assert_type(set_to.signal(3), trido.Request[int, Counter])
assert_type(fetch.signal("key"), trido.Request[str, Counter])
assert_type(nap.signal(0.5), trido.Request[float, Counter])
assert_type(start(Counter(), trido.Turn()), trido.Decision[Counter])

both = trido.sequence("both", look_up, double)
assert_type(both, trido.AsyncAction[str, float])
assert_type(double(3), float)

a = counter.spec(id="a")
assert_type(a, trido.AgentSpec[Counter])


async def agents_in_a_supervisor() -> None:
    async with trido.open_supervisor(a, counter.spec(id="b"), strategy="one_for_one") as sup:
        ref = sup["a"].value
        assert_type(ref, Any)
        await ref.call(trido.Signal("counter.add", Add(2)))
        typed = sup[a].value
        assert_type(typed, trido.AgentRef[Counter])
        assert_type(await typed.call(trido.Signal("counter.add", Add(2))), Any)
        assert_type(await typed.call(add.signal(Add(2))), Counter)
        assert_type(typed.state(), Counter)
        assert typed.state() == Counter(6)
        child = await sup.start_child(counter.spec(id="c"))
        assert_type(child.value, trido.AgentRef[Counter])
        await child.value.cast(stop.signal(None))


# The runtime ----------------------------------------------------------------------------------


@frozen
class Charge(trido.Directive):
    cents: int


async def charge(what: Charge, delivery: trido.Delivery) -> None:
    """Carries it out."""


def clock() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


async def agents_in_a_runtime() -> None:
    executors = {Charge: charge}
    async with trido.open_runtime(agents=(counter,), executors=executors, clock=clock) as rt:
        assert_type(rt, trido.Runtime)
        ref = await rt.start_agent(counter, id="c", mailbox=4096, restart="permanent")
        assert_type(ref, trido.AgentRef[Counter])
        await ref.cast(add.signal(Add(2)))
        ref.cast_nowait(add.signal(Add(3)))
        assert_type(await ref.call(fetch.signal("key")), Counter)
        assert_type(await ref.wait_for(lambda counted: counted.value == 3), Counter)
        assert_type(ref.state(), Counter)
        assert_type(ref.status(), trido.AgentStatus)
        assert_type((ref.id, ref.incarnation), tuple[str, int])
        placed = counter.spec(id="placed", runtime=rt)
        async with trido.open_supervisor(placed) as sup:
            assert_type(sup[placed].value, trido.AgentRef[Counter])
            assert_type(rt.agent("placed"), trido.AgentRef[Any])
        assert_type(rt.find("placed"), trido.AgentRef[Any] | None)
        assert_type(rt.agents(), tuple[trido.AgentRef[Any], ...])
        assert_type(rt.dead_letters, trido.DeadLetters)
        assert_type(rt.health(), trido.Health)
        watch = rt.monitor(ref)
        with rt.subscribe("counter.*", buffer=8) as signals:
            await rt.publish(trido.Signal("counter.elsewhere"))
            async for signal in signals:
                assert_type(signal, trido.Signal)
                break
        await ref.stop()
        assert_type(await watch.wait(), trido.Down)
        rt.close_intake()
        await rt.drain()


keyed = trido.Agent(
    "keyed",
    state=Counter,
    durability="sync",
    idle_timeout=60.0,
    dedupe=(1_000, timedelta(days=1)),
    history=100,
)


@keyed.on("keyed.add")
def keyed_add(state: Counter, data: Add) -> trido.Decision[Counter]:
    charges = [Charge(data.by)] if data.by > 1 else []
    return Counter(state.value + data.by), [*charges, trido.Hibernate()]


async def with_a_journal(file: str) -> None:
    once = trido.Executor(charge, delivery="keyed")
    async with trido.open_runtime(
        journal=trido.SqliteJournal(file),
        agents=(counter, keyed),
        actions=(look_up, double),
        executors={Charge: once},
    ) as rt:
        ref = await rt.start_agent(counter, id="c", durability="sync", mailbox=4096)
        assert_type(ref, trido.AgentRef[Counter])
        await ref.cast(add.signal(Add(2)))
        user = await rt.activate(keyed, "user-7")
        assert_type(user, trido.AgentRef[Counter])
        assert_type(await user.call(keyed_add.signal(Add(2))), Counter)
        tenant = await rt.activate(keyed, "user-7", partition="acme")
        assert_type(tenant, trido.AgentRef[Counter])
        assert (user.state(), tenant.state()) == (Counter(2), Counter(0))
        assert_type(rt.agent("keyed/user-7", partition="acme"), trido.AgentRef[Any])
        assert_type(rt.find("keyed/user-7"), trido.AgentRef[Any] | None)
        await rt.publish(trido.Signal("count.up"), partition="acme")
        await rt.drain()
        for letter in rt.dead_letters:
            if letter.id is not None:
                await rt.resolve(letter.id, "retry")
        await ref.stop()


async def main() -> None:
    await supervision()
    await supervision_from_data()
    await agents_in_a_supervisor()
    await agents_in_a_runtime()
    with TemporaryDirectory() as folder:
        await with_a_journal(f"{folder}/app.db")


if __name__ == "__main__":
    trido.run(main)
