"""Agents and streams that subscribe: what is published, and who waits for whom."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from attrs import evolve

import trido
from tests.conformance.kit import played
from tests.runtime import desk
from tests.runtime.desk import Log, boom, do, note, reasons, settle


def busy(**settings: Any) -> trido.Agent[Log]:
    """An agent that subscribes to notes, and takes a second for each."""
    made = trido.Agent("busy", state=Log, subscribe=("note",), **settings)

    @made.on("note")
    async def take(state: Log, data: str) -> Log:
        await trio.sleep(1)
        return evolve(state, seen=(*state.seen, data))

    return made


async def publish(rt: trido.Runtime, *texts: str) -> None:
    for text in texts:
        await rt.publish(note(text))


async def test_an_agent_is_sent_what_it_subscribed_to_once() -> None:
    async with trido.open_runtime() as rt:
        a = await rt.start_agent(desk.agent(subscribe=("*", "note", "**")), id="a")
        b = await rt.start_agent(desk.agent(subscribe=("other.*",)), id="b")
        await publish(rt, "1", "2")
        await settle()
        assert (a.state().seen, b.state().seen) == (("1", "2"), ())


@played
async def test_what_agents_publish_reaches_agents_and_streams() -> None:
    async with trido.open_runtime() as rt:
        a = await rt.start_agent(desk.agent(subscribe=("note",)), id="a")
        b = await rt.start_agent(desk.agent(), id="b")
        with rt.subscribe("note") as notes:
            await b.call(do(trido.Emit(note("1")), trido.Emit(note("2"))))
            with trio.fail_after(1):
                assert [(await anext(notes)).data for _ in "12"] == ["1", "2"]
        await settle()
        assert a.state().seen == ("1", "2")


async def test_publish_waits_only_for_those_that_block_and_after_the_rest_have_it() -> None:
    async with trido.open_runtime() as rt:
        slow = await rt.start_agent(busy(mailbox=1), id="slow")
        fast = await rt.start_agent(desk.agent(subscribe=("note",)), id="fast")
        await publish(rt, "1")
        await settle()
        await publish(rt, "2")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(publish, rt, "3")
            await settle()
            assert fast.state().seen == ("1", "2", "3")
            assert slow.status().waiting == 1
        assert trio.current_time() == 1.0
        await trio.sleep(5)
        assert slow.state().seen == ("1", "2", "3")


async def test_a_cancelled_publisher_takes_it_back_from_who_had_no_room() -> None:
    async with trido.open_runtime() as rt:
        slow = await rt.start_agent(busy(mailbox=1), id="slow")
        fast = await rt.start_agent(desk.agent(subscribe=("note",)), id="fast")
        await publish(rt, "1")
        await settle()
        await publish(rt, "2")
        with trio.move_on_after(0.5):
            await publish(rt, "3")
        await trio.sleep(5)
        assert fast.state().seen == ("1", "2", "3")
        assert slow.state().seen == ("1", "2")


@pytest.mark.parametrize(
    ("overflow", "seen", "lost"),
    [
        ("reject", ("1", "2"), ["3"]),
        ("drop_newest", ("1", "2"), ["3"]),
        ("drop_oldest", ("1", "3"), ["2"]),
    ],
)
async def test_what_an_agent_has_no_room_for_goes_by_its_policy(
    overflow: Any, seen: tuple[str, ...], lost: list[str]
) -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(busy(mailbox=1, overflow=overflow), id="a")
        await publish(rt, "1")
        await settle()
        await publish(rt, "2", "3")
        await trio.sleep(5)
        assert ref.state().seen == seen
        assert reasons(ref) == [(text, trido.Overloaded) for text in lost]


async def test_an_agent_stays_subscribed_over_its_restarts() -> None:
    async with trido.open_runtime() as rt:
        backoff = trido.Backoff(min=3.0)
        ref = await rt.start_agent(desk.agent(subscribe=("note",)), id="a", backoff=backoff)
        for _ in range(2):
            await ref.cast(boom())
            await settle()
        assert ref.status().state == "restarting"
        await publish(rt, "1")
        await trio.sleep(5)
        assert ref.state().seen == ("1",)


async def test_a_group_restart_keeps_the_subscription_and_the_signals() -> None:
    async with trido.open_runtime() as rt:
        first = desk.agent("first").spec(id="first", runtime=rt)
        second = desk.agent("second", subscribe=("note",)).spec(id="second", runtime=rt)
        async with trido.open_supervisor(first, second, strategy="one_for_all") as sup:
            ref = sup[second].value
            await sup[first].value.cast(boom())
            await publish(rt, "1")
            await sup["second"].wait_running(after=1)
            await publish(rt, "2")
            await settle()
            assert ref.state().seen[-1] == "2"
            assert rt.env.bus is not None
            assert rt.env.bus.statistics().subscribers == 1


async def test_what_is_published_to_a_parked_agent_is_a_dead_letter_until_it_is_revived() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(subscribe=("note",)), id="a", backoff=None)
        for _ in range(4):
            ref.cast_nowait(boom())
        await settle()
        await publish(rt, "1")
        assert reasons(ref)[-1:] == [("1", trido.AgentParked)]
        await ref.revive()
        await publish(rt, "2")
        await settle()
        assert ref.state().seen == ("2",)


async def test_a_publisher_does_not_wait_for_who_has_ended() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(busy(mailbox=1), id="a")
        await publish(rt, "1")
        await settle()
        await publish(rt, "2")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(publish, rt, "3")
            await settle()
            await ref.stop()
        assert trio.current_time() == 0
        assert reasons(ref)[-1] == ("3", trido.AgentStopped)
        await publish(rt, "4")
        assert rt.env.bus is not None
        assert rt.env.bus.statistics().subscribers == 0


async def test_an_agent_that_hears_itself_does_not_wait_for_itself() -> None:
    echo = trido.Agent("echo", state=Log, mailbox=1, subscribe=("echo",))

    @echo.on("echo")
    def on_echo(state: Log, data: int) -> trido.Decision[Log]:
        more = [trido.Emit(trido.Signal("echo", data - 1))] * 2 if data else []
        return evolve(state, seen=(*state.seen, str(data))), more

    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(echo, id="a")
        with trio.fail_after(1):
            await rt.publish(trido.Signal("echo", 2))
            await rt.drain()
        assert sorted(ref.state().seen) == ["0", "0", "0", "0", "1", "1", "2"]


async def test_a_slow_stream_holds_up_the_agent_s_outbox_and_not_the_agent() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(desk.agent(), id="a")
        with rt.subscribe("note", buffer=1, overflow="block") as notes:
            await ref.call(do(trido.Emit(note("1")), trido.Emit(note("2")), trido.Emit(note("3"))))
            assert await ref.call(note("on the spot")) == Log(("do", "on the spot"))
            assert ref.status().outbox == 2
            with trio.fail_after(1):
                assert [(await anext(notes)).data for _ in "123"] == ["1", "2", "3"]
        assert ref.status().outbox == 0


async def test_a_stream_ends_with_its_runtime() -> None:
    seen: list[Any] = []

    async def read(notes: Any) -> None:
        async for one in notes:
            seen.append(one.data)  # noqa: PERF401  # until it ends
        seen.append("end")

    async with trio.open_nursery() as nursery, trido.open_runtime() as rt:
        notes = rt.subscribe("note")
        notes.__enter__()
        nursery.start_soon(read, notes)
        await publish(rt, "1")
    assert seen == ["1", "end"]
