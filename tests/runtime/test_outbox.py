from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

import pytest
import trio

import trido
from tests.runtime.desk import Log, agent, boom, do, note, reasons, settle
from trido.agents import Address
from trido.runtime import outbox
from trido.runtime.envelope import Envelope


@asynccontextmanager
async def desk(
    **fields: Any,
) -> AsyncGenerator[tuple[trido.Supervisor, trido.AgentRef[Log], trido.AgentRef[Log]]]:
    """A sender, and a receiver with a full mailbox that will run again after ten seconds."""
    slow = agent("slow", mailbox=1).spec(id="slow", backoff=trido.Backoff(min=10.0))
    sender = agent("sender").spec(id="sender", **fields)
    # Not under one supervisor: while that stops the sender, it would not restart the receiver.
    inner = trido.SupervisorSpec(slow, id="inner", max_restarts=99)
    async with trido.open_supervisor(inner, sender) as sup:
        receiver = sup[inner].value[slow].value
        await receiver.cast(boom())
        await sup[inner].value["slow"].wait_running(after=1)
        await receiver.cast(boom())
        await settle()
        receiver.cast_nowait(note("0"))
        yield sup, sup[sender].value, receiver


def emits(to: trido.AgentRef[Log], texts: str) -> list[trido.Directive]:
    return [trido.Emit(note(text), to=to) for text in texts]


async def test_a_full_receiver_holds_up_neither_the_sender_nor_the_order() -> None:
    async with desk() as (_, sender, receiver):
        assert await sender.call(do(*emits(receiver, "12"))) == Log(("do",))
        await sender.call(do(*emits(receiver, "34")))
        assert (sender.status().outbox, receiver.status().waiting) == (4, 1)
        await sender.call(note("not held up"))
        await trio.sleep(20)
        assert receiver.state().seen == tuple("01234")
        assert sender.status().outbox == 0


async def test_the_caller_is_answered_before_its_directives_start() -> None:
    order: list[str] = []
    async with trido.open_supervisor(agent("a").spec(id="a"), agent("b").spec(id="b")) as sup:
        a, b = sup["a"].value, sup["b"].value

        class Spy(Envelope):
            __slots__ = ()

            def answer(self, value: object) -> None:
                order.append(f"answered, {b.status().queued} emitted")

        a.place.offer_envelope(Spy(do(*emits(b, "1"))))
        await settle()
        assert order == ["answered, 0 emitted"]
        assert b.state().seen == ("1",)


async def test_an_empty_outbox_takes_any_turn_and_a_full_one_refuses_before_the_commit() -> None:
    with patch.object(outbox, "CAPACITY", 2):
        async with desk() as (_, sender, receiver):
            await sender.call(do(*emits(receiver, "123")))
            with pytest.raises(trido.Overloaded):
                await sender.call(do(*emits(receiver, "4")))
            await sender.cast(do(*emits(receiver, "5")))
            assert await sender.call(note("emits nothing")) == Log(("do", "emits nothing"))
            assert [reason for _, reason in reasons(sender)] == [trido.Overloaded]
            await trio.sleep(20)
            assert receiver.state().seen == tuple("0123")


async def test_what_a_crashed_agent_emitted_is_delivered_all_the_same() -> None:
    async with desk() as (sup, sender, receiver):
        await sender.call(do(*emits(receiver, "12")))
        await sender.cast(boom())
        await sup["sender"].wait_running(after=1)
        await trio.sleep(20)
        assert receiver.state().seen == tuple("012")


@pytest.mark.parametrize("how", ["stop_child", "Stop"])
async def test_an_ordered_stop_delivers_within_the_grace(how: str) -> None:
    async with desk(shutdown=math.inf) as (sup, sender, receiver):
        start = trio.current_time()
        await sender.call(do(*emits(receiver, "12")))
        if how == "Stop":
            await sender.cast(do(trido.Stop()))
            await sup["sender"].wait_ended()
        else:
            await sup.stop_child("sender")
        assert trio.current_time() - start == pytest.approx(10, abs=0.5)
        await settle()
        assert receiver.state().seen == tuple("012")
        assert sup["sender"].state == "stopped"


@pytest.mark.parametrize("how", ["stop_child", "Stop"])
async def test_what_is_not_delivered_within_the_grace_is_a_dead_letter(how: str) -> None:
    async with desk(shutdown=3.0) as (sup, sender, receiver):
        start = trio.current_time()
        await sender.call(do(*emits(receiver, "12")))
        if how == "Stop":
            await sender.cast(do(trido.Stop()))
            await sup["sender"].wait_ended()
            await settle()
        else:
            await sup.stop_child("sender")
        assert trio.current_time() - start == pytest.approx(3, abs=0.5)
        assert [letter.agent for letter in sender.dead_letters] == ["slow", "slow"]
        assert reasons(sender) == [("1", trido.AgentStopped), ("2", trido.AgentStopped)]
        assert (sender.status().outbox, receiver.status().waiting) == (0, 0)


async def test_a_stop_cuts_the_grace_of_a_Stop_short() -> None:  # the directive
    async with desk(shutdown=3.0) as (sup, sender, receiver):
        await sender.call(do(*emits(receiver, "1"), trido.Stop()))
        with pytest.raises(trido.AgentStopped):
            await sender.call(note("late"))
        await trio.sleep(1)
        await sup.stop_child("sender")
        assert sup["sender"].state == "stopped"


async def test_what_is_emitted_to_an_ended_agent_is_its_dead_letter() -> None:
    async with desk() as (sup, sender, receiver):
        await sender.call(do(*emits(receiver, "1")))
        await sup["inner"].value.stop_child("slow")
        assert sender.status().outbox == 0
        assert reasons(receiver)[2:] == [("0", trido.AgentStopped), ("1", trido.AgentStopped)]
        await sender.call(do(*emits(receiver, "2")))
        assert reasons(receiver)[4:] == [("2", trido.NoSuchAgent)]


async def test_without_a_runtime_nobody_has_subscribed() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(do(trido.Emit(note("published"))))
        assert ref.dead_letters.total == 0


async def test_an_address_of_somebody_else_is_nobody() -> None:
    class Elsewhere(Address):
        @property
        def id(self) -> str:
            return "elsewhere"

    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(do(trido.Emit(note("x"), to=Elsewhere())))
        assert [letter.agent for letter in ref.dead_letters] == ["elsewhere"]
