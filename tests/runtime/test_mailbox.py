"""The mailbox as such, and as the agent's place keeps it."""

from __future__ import annotations

from functools import partial

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

import trido
from tests.conformance.kit import played
from tests.runtime import desk, slow
from tests.runtime.desk import Log, boom, note, settle
from tests.runtime.slow import sleep
from trido.runtime.envelope import Cast, Envelope
from trido.runtime.mailbox import Mailbox


class Letter(Envelope):
    """One that knows whether there was room for it."""

    __slots__ = ("is_in",)

    def __init__(self, text: str = "") -> None:
        super().__init__(note(text))
        self.is_in = False

    def accepted(self) -> None:
        self.is_in = True


def full(capacity: int, waiting: int) -> tuple[Mailbox, list[Letter]]:
    """A mailbox that is full, and so many that wait; all of them in order."""
    mailbox = Mailbox(capacity)
    letters = [Letter(str(n)) for n in range(capacity + waiting)]
    for letter in letters[:capacity]:
        assert mailbox.put(letter)
    for letter in letters[capacity:]:
        assert not mailbox.put(letter)
        mailbox.wait(letter)
    return mailbox, letters


def rest(mailbox: Mailbox) -> list[Envelope]:
    found = []
    while mailbox:
        found.append(mailbox.take())
    return found


def test_first_come_first_served_in_it_and_in_the_queue_for_it() -> None:
    mailbox, letters = full(2, 3)
    assert (len(mailbox), mailbox.waiting) == (2, 3)
    assert mailbox.take() is letters[0]
    assert [letter.is_in for letter in letters] == [False, False, True, False, False]
    assert (len(mailbox), mailbox.waiting) == (2, 2)
    assert rest(mailbox) == letters[1:]
    assert not mailbox


def test_nobody_overtakes_those_who_wait_for_room() -> None:
    mailbox, _ = full(1, 1)
    late = Letter("late")
    assert not mailbox.put(late)
    mailbox.take()
    assert not mailbox.put(late)  # the one who waited is in
    mailbox.take()
    assert mailbox.put(late)


def test_what_is_withdrawn_makes_room_wherever_it_was() -> None:
    mailbox, letters = full(2, 2)
    assert mailbox.withdraw(letters[3])
    assert mailbox.withdraw(letters[0])
    assert not mailbox.withdraw(letters[0])
    assert letters[2].is_in
    assert rest(mailbox) == letters[1:3]
    assert not mailbox.withdraw(letters[1])


def test_the_last_one_can_be_withdrawn() -> None:
    mailbox, (letter,) = full(1, 0)
    assert mailbox.withdraw(letter)
    assert not mailbox


def test_what_is_displaced_is_the_oldest_and_the_others_keep_their_order() -> None:
    mailbox, (first, *others) = full(3, waiting=0)
    newest = Letter("newest")
    assert mailbox.displace(newest) is first
    assert [mailbox.take() for _ in range(3)] == [*others, newest]
    with pytest.raises(LookupError, match="empty"):
        mailbox.take()


def test_what_is_put_back_is_the_oldest_and_needs_no_room() -> None:
    mailbox, letters = full(2, 1)
    back = Letter("back")
    mailbox.put_back(back)
    assert (len(mailbox), mailbox.waiting) == (3, 1)
    assert mailbox.take() is back
    assert not letters[2].is_in
    assert rest(mailbox) == letters
    mailbox.put_back(back)
    assert rest(mailbox) == [back]


def test_clearing_it_lets_in_those_who_wait() -> None:
    mailbox, letters = full(2, 3)
    assert mailbox.clear() == letters[:2]
    assert rest(mailbox) == letters[2:]
    assert mailbox.clear() == []


def test_closing_it_hands_out_all() -> None:
    mailbox, letters = full(2, 3)
    assert mailbox.close() == letters
    assert (len(mailbox), mailbox.waiting, mailbox.close()) == (0, 0, [])


def test_what_is_put_back_comes_before_the_only_one() -> None:
    mailbox, (only,) = full(1, 0)
    back = Letter("back")
    mailbox.put_back(back)
    assert rest(mailbox) == [back, only]


def test_one_takes_the_place_of_the_oldest() -> None:
    mailbox, letters = full(2, 0)
    newest = Letter("newest")
    assert mailbox.displace(newest) is letters[0]
    assert rest(mailbox) == [letters[1], newest]


def test_nothing_is_taken_out_of_an_empty_one() -> None:
    with pytest.raises(LookupError, match="empty"):
        Mailbox(1).take()
    with pytest.raises(LookupError, match="empty"):
        Mailbox(1).displace(Letter())


@given(st.integers(1, 4), st.lists(st.integers(0, 9)))
def test_it_is_one_queue_of_which_so_many_are_in(capacity: int, steps: list[int]) -> None:
    """Whatever is done, who came first is in, and nobody waits while there is room."""
    mailbox, model, number = Mailbox(capacity), list[Letter](), 0
    for step in steps:
        if step < 6:
            letter = Letter(str(number := number + 1))
            model.append(letter)
            if mailbox.put(letter):
                letter.is_in = True
            else:
                mailbox.wait(letter)
        elif step < 8 and mailbox:
            assert mailbox.take() is model.pop(0)
        elif model:
            assert mailbox.withdraw(model.pop(step % len(model)))
        assert [letter.is_in for letter in model[:capacity]] == [True] * len(mailbox)
        assert (len(mailbox), mailbox.waiting) == (
            min(capacity, len(model)),
            max(0, len(model) - capacity),
        )


# The place's ----------------------------------------------------------------------------------


async def test_it_has_room_for_1024_unless_the_agent_says_otherwise() -> None:
    async with trido.open_supervisor(
        desk.agent().spec(id="a"), desk.agent().spec(id="b", mailbox=3)
    ) as sup:
        for id, room in (("a", 1024), ("b", 3)):
            ref = sup[id].value
            for _ in range(room):
                ref.cast_nowait(note("x"))
            with pytest.raises(trio.WouldBlock):
                ref.cast_nowait(note("x"))


@played
async def test_it_outlives_the_run() -> None:
    """Those in it, and those who wait for room, are served by the next."""
    async with trido.open_supervisor(desk.agent(mailbox=2).spec(id="a")) as sup:
        ref = sup["a"].value
        ref.cast_nowait(boom())
        ref.cast_nowait(note("1"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.cast, note("2"))
            nursery.start_soon(partial(ref.call, note("3")))
        await settle()
        assert ref.incarnation == 2
        assert sorted(ref.state().seen) == ["1", "2", "3"]


async def test_a_cast_that_waits_for_room_is_told_of_the_end() -> None:
    """It goes on: what it sent is a dead letter."""
    async with trido.open_supervisor(slow.agent(mailbox=1).spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.cast(sleep(9))
        await settle()
        ref.cast_nowait(note("in"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.cast, note("waits"))
            await settle()
            await ref.stop()
        assert [letter.signal for letter in ref.dead_letters] == [
            sleep(9),
            note("in"),
            note("waits"),
        ]
        assert trio.current_time() == 0


async def test_a_cast_that_was_withdrawn_frees_nobody_twice() -> None:
    cast = Cast(note("x"))
    cast.accepted()
    assert cast.fail(trido.AgentStopped("a")) is False
    assert cast.waiting is None


async def test_an_idle_agent_holds_no_queue() -> None:
    async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.cast(note("x"))
        await settle()
        assert ref.state() == Log(("x",))
        assert ref.place.mailbox._queue is None


async def test_what_was_published_and_died_on_is_a_dead_letter_once() -> None:
    made = desk.agent(subscribe=("boom",))
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(made, id="a", backoff=None)
        await rt.publish(boom())
        await ref.call(note("next"))
        assert [letter.signal for letter in ref.dead_letters] == [boom()]
