"""Dead letters: what nobody served or carried out, kept to be looked at and sent again."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import trio
from attrs import frozen

import trido
from tests.runtime.desk import Log, agent, boom, do, note, reasons, settle
from tests.runtime.till import Charge, shop
from trido.runtime import outbox
from trido.runtime.dead_letters import KEPT


async def test_one_says_what_for_whom_and_why() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(agent(), id="a")
        await ref.cast(trido.Signal("unknown", "x"))
        await settle()
        (letter,) = rt.dead_letters
        assert (letter.agent, letter.by) == ("a", "a")
        assert letter.signal == trido.Signal("unknown", "x")
        assert isinstance(letter.reason, trido.NoRoute)
        assert letter.directive is None


async def test_an_agent_has_those_it_gave_up() -> None:
    async with trido.open_runtime() as rt:
        a = await rt.start_agent(agent(), id="a")
        b = await rt.start_agent(agent(), id="b")
        await a.cast(trido.Signal("unknown", "1"))
        await b.cast(trido.Signal("unknown", "2"))
        await b.call(do(trido.Emit(note("3"), to="nobody")))
        await settle()
        assert [data for data, _ in reasons(a)] == ["1"]
        assert [data for data, _ in reasons(b)] == ["2", "3"]
        assert (len(a.dead_letters), a.dead_letters.total, a.status().dead_letters) == (1, 1, 1)
        assert (len(b.dead_letters), b.dead_letters.total, b.status().dead_letters) == (2, 2, 2)
        assert (len(rt.dead_letters), rt.dead_letters.total) == (3, 3)
        assert [letter.agent for letter in b.dead_letters] == ["b", "nobody"]
        assert repr(rt.dead_letters) == "<trido.DeadLetters: 3 kept of 3>"


async def test_they_are_bounded_and_the_oldest_are_forgotten_and_counted() -> None:
    async with trido.open_supervisor(agent(mailbox=2).spec(id="a")) as sup:
        ref = sup["a"].value
        for number in range(KEPT + 5):
            await ref.cast(trido.Signal("unknown", number))
        await settle()
        letters = ref.dead_letters
        assert (len(letters), letters.total) == (KEPT, KEPT + 5)
        assert [data for data, _ in reasons(ref)][:2] == [5, 6]


async def test_one_shows_no_secrets() -> None:
    @frozen
    class Login(trido.Directive):
        name: str
        password: str = "hunter2"

    async def never(directive: Login) -> None:
        await trio.sleep_forever()

    async with trido.open_runtime(executors={Login: never}) as rt:
        ref = await rt.start_agent(agent(), id="a", shutdown=0.0)
        await ref.cast(trido.Signal("unknown", Login("x")))
        await ref.call(do(Login("y")))
        await settle()
        await ref.stop()
        texts = [repr(letter) for letter in rt.dead_letters]
        assert len(texts) == 2
        for text in (*texts, str(rt.dead_letters)):
            assert "hunter2" not in text
        assert texts[0].startswith("DeadLetter('a', Signal('unknown', Login(name='x', password=***")


# Sent again ---------------------------------------------------------------------------------------


async def test_a_signal_can_be_sent_again_and_is_no_dead_letter_any_more() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(agent(), id="a", on_limit="park", backoff=None)
        for _ in range(4):
            ref.cast_nowait(boom())
        ref.cast_nowait(note("1"))
        await settle()
        assert ref.status().state == "parked"
        *_, letter = rt.dead_letters
        assert isinstance(letter.reason, trido.AgentParked)
        await ref.revive()
        await rt.dead_letters.resend(letter)
        await settle()
        assert ref.state() == Log(("1",))
        assert letter not in list(rt.dead_letters)
        with pytest.raises(LookupError, match="not kept, or sent already"):
            await rt.dead_letters.resend(letter)


async def test_it_is_cast_to_the_agent_that_has_the_id_now() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(agent(), id="a")
        await ref.call(do(trido.Emit(note("1"), to="b")))
        (letter,) = rt.dead_letters
        with pytest.raises(trido.NoSuchAgent):
            await rt.dead_letters.resend(letter)
        b = await rt.start_agent(agent(), id="b")
        await ref.dead_letters.resend(letter)
        await settle()
        assert (b.state(), len(rt.dead_letters)) == (Log(("1",)), 0)


async def test_two_who_send_one_again_send_it_once() -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(agent(), id="a")
        await ref.call(do(trido.Emit(note("1"), to="b")))
        (letter,) = rt.dead_letters
        b = await rt.start_agent(agent(), id="b")
        refused: list[Any] = []

        async def resend() -> None:
            try:
                await rt.dead_letters.resend(letter)
            except LookupError as error:
                refused.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(resend)
            nursery.start_soon(resend)
        await settle()
        assert (b.state(), len(refused)) == (Log(("1",)), 1)


async def test_a_resend_that_is_cancelled_leaves_it_a_dead_letter() -> None:
    slow = trido.Backoff(min=10.0)
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(agent(mailbox=1), id="a", backoff=slow)
        await ref.cast(trido.Signal("unknown"))
        await ref.cast(boom())
        await rt.supervisor["a"].wait_running(after=1)
        await ref.cast(boom())
        await settle()
        ref.cast_nowait(note("full"))
        letter = next(iter(rt.dead_letters))
        with trio.move_on_after(1) as scope:
            await rt.dead_letters.resend(letter)
        assert scope.cancelled_caught
        assert letter in list(rt.dead_letters)
        with trio.CancelScope() as scope:
            scope.cancel()
            await rt.dead_letters.resend(letter)
        assert scope.cancelled_caught


async def test_a_resend_that_is_refused_leaves_it_a_dead_letter() -> None:
    slow = trido.Backoff(min=10.0)
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(agent(mailbox=1, overflow="reject"), id="a", backoff=slow)
        await ref.cast(trido.Signal("unknown"))
        await settle()
        await ref.cast(boom())
        await rt.supervisor["a"].wait_running(after=1)
        await ref.cast(boom())
        await settle()
        ref.cast_nowait(note("full"))
        letter = next(iter(rt.dead_letters))
        with pytest.raises(trido.Overloaded):
            await rt.dead_letters.resend(letter)
        assert letter in list(rt.dead_letters)


async def test_a_directive_is_carried_out_again_under_the_same_id() -> None:
    async with shop(shutdown=1.0) as (rt, ref, till):
        await ref.call(do(Charge("1", 5.0), Charge("2")))
        await ref.stop()
        assert till.lines == "<1 !1"
        first = till.deliveries[0].id
        await rt.start_agent(agent(), id="a")
        for letter in list(rt.dead_letters):
            await rt.dead_letters.resend(letter)
        await trio.sleep(10)
        assert till.lines == "<1 !1 <2 2 <1 1"
        assert till.deliveries[-1].id == first
        assert len(rt.dead_letters) == 0


async def test_what_was_to_be_sent_outside_is_the_same_signal_again() -> None:
    sent: list[trido.Signal] = []

    async def post(signal: trido.Signal) -> None:
        sent.append(signal)
        if len(sent) == 1:
            await trio.sleep_forever()

    async with trido.open_runtime(dispatch={"mail": post}) as rt:
        ref = await rt.start_agent(agent(), id="a", shutdown=1.0)
        await ref.call(do(trido.Emit(note("x"), to=trido.Via("mail"))))
        await ref.stop()
        (letter,) = rt.dead_letters
        await rt.start_agent(agent(), id="a")
        await rt.dead_letters.resend(letter)
        await settle()
        one, two = sent
        assert one is two


async def test_what_was_to_be_published_is_published_again() -> None:
    async with trido.open_runtime() as rt:
        slow = agent("slow", mailbox=1, subscribe=("note",))
        backoff = trido.Backoff(min=10.0)
        busy = await rt.start_agent(slow, id="busy", backoff=backoff)
        await busy.cast(boom())
        await rt.supervisor["busy"].wait_running(after=1)
        await busy.cast(boom())
        await settle()
        busy.cast_nowait(note("full"))
        ref = await rt.start_agent(agent(), id="a", shutdown=1.0)
        await ref.call(do(trido.Emit(note("1")), trido.Emit(note("2"))))
        await ref.stop()
        *_, letter, later = rt.dead_letters
        assert (letter.agent, letter.signal) == ("a", note("1"))
        assert (later.agent, later.signal) == ("a", note("2"))
        await rt.start_agent(agent(), id="a")
        with rt.subscribe("note") as signals:
            await rt.dead_letters.resend(letter)
            async for signal in signals:
                assert signal == note("1")
                break


async def test_directives_about_children_are_carried_out_again() -> None:
    async with trido.open_runtime() as rt:
        made = agent()

        @made.on_start
        async def start(state: Log, turn: trido.Turn) -> Log:
            if ref_of_first:
                await trio.sleep(1)
            return state

        ref_of_first: list[Any] = []
        ref = await rt.start_agent(agent(), id="a", shutdown=1.0)
        ref_of_first.append(ref)
        slow = trido.SpawnAgent(made, "slow")
        await ref.call(do(slow, trido.SpawnAgent(agent(), "next")))
        place = ref.place
        place.give_up_errands()
        letters = list(rt.dead_letters)
        assert [type(letter.directive) for letter in letters] == [trido.SpawnAgent] * 2
        await trio.sleep(5)
        await rt.dead_letters.resend(letters[1])
        await settle()
        assert rt.find("a/next") is not None


async def test_no_directive_is_carried_out_again_beyond_the_capacity_of_the_outbox() -> None:
    async with shop(shutdown=1.0) as (rt, ref, _):
        await ref.call(do(Charge("1", 5.0), Charge("2")))
        await ref.stop()
        again = await rt.start_agent(agent(), id="a")
        await again.call(do(Charge("3", 50.0)))
        letter = next(iter(rt.dead_letters))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(outbox, "CAPACITY", 1)
            with pytest.raises(trido.Overloaded):
                await rt.dead_letters.resend(letter)
        assert letter in list(rt.dead_letters)


async def test_an_agent_that_is_alone_sends_to_the_one_it_was_for() -> None:
    slow = agent("slow", mailbox=1).spec(id="slow", backoff=trido.Backoff(min=10.0))
    inner = trido.SupervisorSpec(slow, id="inner", max_restarts=99)
    first = agent("sender").spec(id="sender", shutdown=1.0)
    async with trido.open_supervisor(inner, first) as sup:
        receiver, sender = sup[inner].value[slow].value, sup["sender"].value
        await receiver.cast(boom())
        await sup[inner].value["slow"].wait_running(after=1)
        await receiver.cast(boom())
        await settle()
        receiver.cast_nowait(note("full"))
        await sender.call(do(trido.Emit(note("1"), to=receiver), trido.Emit(note("2"), to="x")))
        await sup.stop_child("sender")
        unknown, late = sorted(sender.dead_letters, key=lambda one: one.agent, reverse=True)
        assert (unknown.agent, late.agent) == ("x", "slow")
        with pytest.raises(trido.NoSuchAgent):
            await sender.dead_letters.resend(unknown)
        await sender.dead_letters.resend(late)
        await trio.sleep(20)
        assert receiver.state().seen == ("full", "1")


# A flood ------------------------------------------------------------------------------------------


async def flood(ref: trido.AgentRef[Log], texts: str) -> None:
    """Ten thousand malformed signals, and some good ones in between."""
    async with trio.open_nursery() as nursery:
        for kind in (trido.Signal("note", 7), trido.Signal("nothing"), trido.Signal("no", "why")):

            @nursery.start_soon
            async def send(kind: trido.Signal = kind) -> None:
                for _ in range(3_334):
                    await ref.cast(kind)

        for text in texts:
            await ref.call(note(text))


async def test_a_flood_of_malformed_signals_leaves_the_others_alone_and_memory_flat() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        await flood(ref, "12")
        await settle()
        gc.collect()
        before = len(gc.get_objects())
        await flood(ref, "34")
        await settle()
        assert ref.state().seen == tuple("1234")
        assert (ref.incarnation, ref.dead_letters.total) == (1, 2 * 3 * 3_334)
        gc.collect()
        assert abs(len(gc.get_objects()) - before) < 200


async def test_a_dead_letter_holds_on_to_no_frames() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.cast(trido.Signal("note", 7))
        await ref.cast(trido.Signal("no", 7))
        await settle()
        for letter in ref.dead_letters:
            assert letter.reason.__traceback__ is letter.reason.__context__ is None
