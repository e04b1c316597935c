"""The bus: who gets which signals, in what order, and who waits for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

import trido
from trido import testing
from trido.runtime.bus import Bus, BusStatistics, Delivery, check_patterns
from trido.runtime.subscription import Subscription, SubscriptionStatistics


def note(text: object, type: str = "note.taken") -> trido.Signal:
    return trido.Signal(type, text)


async def publish_all(bus: Bus, *texts: object) -> None:
    for text in texts:
        await bus.publish(note(text))


async def read(signals: Subscription, count: int) -> list[Any]:
    found: list[Any] = []
    with trio.fail_after(1):
        while len(found) < count:
            signal = await anext(signals)
            found.append(signal.data)
    return found


async def read_all(signals: Subscription) -> list[Any]:
    found: list[Any] = []
    with trio.fail_after(1):
        async for signal in signals:
            found.append(signal.data)  # noqa: PERF401  # the deadline is for the loop
    return found


# Who gets what -----------------------------------------------------------------------------------


async def test_a_subscriber_gets_what_fits_in_order() -> None:
    bus = Bus()
    with bus.subscribe("note.*") as notes, bus.subscribe("**") as everything:
        await bus.publish(note(1))
        await bus.publish(note(2, "other"))
        await bus.publish(note(3))
    assert await read_all(notes) == [1, 3]
    assert await read_all(everything) == [1, 2, 3]


async def test_a_signal_comes_once_however_many_patterns_fit() -> None:
    bus = Bus()
    with bus.subscribe("note.*", "**", "note.taken", "note.*", "other") as signals:
        await bus.publish(note(1))
        await bus.publish(note(2, "other"))
    assert await read_all(signals) == [1, 2]


async def test_only_what_is_published_inside_the_with_comes() -> None:
    bus = Bus()
    subscription = bus.subscribe("**")
    await bus.publish(note("before"))
    with subscription as signals:
        await bus.publish(note("inside"))
    await bus.publish(note("after"))
    assert await read_all(signals) == ["inside"]


async def test_each_subscriber_has_a_buffer_of_its_own() -> None:
    bus = Bus()
    with bus.subscribe("**") as one, bus.subscribe("**") as other:
        await publish_all(bus, 1, 2)
        assert await read(one, 2) == [1, 2]
        assert other.statistics().buffered == 2


async def test_several_readers_share_a_stream() -> None:
    bus = Bus()
    seen: list[tuple[str, int]] = []

    async def reader(name: str, signals: Subscription) -> None:
        async for signal in signals:
            seen.append((name, signal.data))
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        with bus.subscribe("**") as signals:
            nursery.start_soon(reader, "a", signals)
            nursery.start_soon(reader, "b", signals)
            await wait_all_tasks_blocked()
            await publish_all(bus, 1, 2, 3, 4)
    assert sorted(data for _, data in seen) == [1, 2, 3, 4]
    assert Counter(name for name, _ in seen) == {"a": 2, "b": 2}


async def test_nobody_there() -> None:
    bus = Bus()
    with assert_checkpoints():
        await bus.publish(note(1))
    assert bus.statistics() == BusStatistics(subscribers=0, published=1, unheard=1)


async def test_statistics_of_a_bus() -> None:
    bus = Bus()
    with bus.subscribe("note.*"):
        await bus.publish(note(1))
        await bus.publish(note(2, "other"))
        assert bus.statistics() == BusStatistics(subscribers=1, published=2, unheard=1)
    assert bus.statistics().subscribers == 0


# No room -----------------------------------------------------------------------------------------


async def test_drop_oldest_is_the_default_and_stops_nobody() -> None:
    dropped: list[object] = []
    bus = Bus(lambda subscription, signal: dropped.append((subscription.patterns, signal.data)))
    with bus.subscribe("note.*", buffer=2) as signals:
        await publish_all(bus, 1, 2, 3, 4)
        assert signals.statistics() == SubscriptionStatistics(
            buffered=2, buffer=2, taken=4, dropped=2, publishers_waiting=0
        )
        assert await read(signals, 2) == [3, 4]
    assert dropped == [(("note.*",), 1), (("note.*",), 2)]


async def test_drop_newest_keeps_what_is_there() -> None:
    dropped: list[object] = []
    bus = Bus(lambda subscription, signal: dropped.append(signal.data))
    with bus.subscribe("**", buffer=2, overflow="drop_newest") as signals:
        await publish_all(bus, 1, 2, 3, 4)
        assert signals.statistics() == SubscriptionStatistics(
            buffered=2, buffer=2, taken=2, dropped=2, publishers_waiting=0
        )
        assert await read(signals, 2) == [1, 2]
    assert dropped == [3, 4]


async def test_drops_are_counted_without_a_witness() -> None:
    bus = Bus()
    with bus.subscribe("**", buffer=1) as signals:
        await publish_all(bus, 1, 2, 3)
        assert signals.statistics().dropped == 2


async def test_one_that_nobody_reads_takes_no_more_than_its_buffer() -> None:
    bus = Bus()
    with bus.subscribe("**", buffer=8) as signals:
        await publish_all(bus, *range(1000))
        assert signals.statistics().buffered == 8
        assert await read(signals, 8) == list(range(992, 1000))


async def test_block_makes_the_publisher_wait_for_room() -> None:
    bus = Bus()
    async with trio.open_nursery() as nursery:
        with bus.subscribe("**", buffer=1, overflow="block") as signals:
            nursery.start_soon(publish_all, bus, 1, 2, 3)
            await wait_all_tasks_blocked()
            assert signals.statistics() == SubscriptionStatistics(
                buffered=1, buffer=1, taken=1, dropped=0, publishers_waiting=1
            )
            assert await read(signals, 3) == [1, 2, 3]
            assert signals.statistics().dropped == 0


async def test_the_others_have_it_before_the_publisher_waits() -> None:
    bus = Bus()
    async with trio.open_nursery() as nursery:
        with (
            bus.subscribe("note.taken", buffer=1, overflow="block") as slow,
            bus.subscribe("note.*", buffer=1, overflow="block") as slower,
            bus.subscribe("**") as fast,
        ):
            await bus.publish(note(1))
            nursery.start_soon(publish_all, bus, 2, 3)
            await wait_all_tasks_blocked()
            assert await read(fast, 2) == [1, 2]
            # It waits until both have it.
            assert await read(slow, 2) == [1, 2]
            await wait_all_tasks_blocked()
            assert fast.statistics().buffered == 0
            assert await read(slower, 2) == [1, 2]
            assert await read(fast, 1) == [3]
            nursery.cancel_scope.cancel()


async def test_publishers_get_room_in_the_order_in_which_they_came() -> None:
    bus = Bus()
    async with trio.open_nursery() as nursery:
        with bus.subscribe("**", buffer=2, overflow="block") as signals:
            await publish_all(bus, 1, 2)
            for number in (3, 4, 5):
                nursery.start_soon(publish_all, bus, number)
                await wait_all_tasks_blocked()
            assert signals.statistics().publishers_waiting == 3
            assert await read(signals, 5) == [1, 2, 3, 4, 5]


async def test_nobody_overtakes_one_that_waits() -> None:
    """Not even between the moment when a signal is taken and that when its reader runs."""
    bus = Bus()
    async with trio.open_nursery() as nursery:
        with bus.subscribe("**", buffer=1, overflow="block") as signals:
            await bus.publish(note(1))
            nursery.start_soon(publish_all, bus, 2)
            await wait_all_tasks_blocked()
            signals._receive.receive_nowait()
            nursery.start_soon(publish_all, bus, 3)
            await wait_all_tasks_blocked()
            assert signals.statistics().publishers_waiting == 2
            signals._refill()
            assert await read(signals, 2) == [2, 3]


# Cancellation ------------------------------------------------------------------------------------


async def test_publishing_is_always_a_checkpoint() -> None:
    bus = Bus()
    with bus.subscribe("**") as signals:
        with assert_checkpoints():
            await bus.publish(note(1))
        with assert_checkpoints():
            await anext(signals)


async def test_cancelled_before_it_begins_nobody_gets_it() -> None:
    bus = Bus()
    with bus.subscribe("**") as signals:
        with trio.CancelScope() as scope:
            scope.cancel()
            await bus.publish(note(1))
        assert scope.cancelled_caught
        assert signals.statistics().taken == 0
        assert bus.statistics().published == 0


async def test_cancelled_while_it_waits_those_who_had_room_have_it() -> None:
    bus = Bus()
    with (
        bus.subscribe("**", buffer=1, overflow="block") as slow,
        bus.subscribe("**", overflow="block") as fast,
    ):
        await bus.publish(note(1))
        with trio.move_on_after(1) as scope:
            await bus.publish(note(2))
        assert scope.cancelled_caught
        assert slow.statistics().publishers_waiting == 0
        assert await read(slow, 1) == [1]
        await bus.publish(note(3))
        assert await read(slow, 1) == [3]
        assert await read(fast, 3) == [1, 2, 3]


async def test_a_cancelled_reader_loses_nothing() -> None:
    bus = Bus()
    with bus.subscribe("**") as signals:
        with trio.move_on_after(1) as scope:
            await anext(signals)
        assert scope.cancelled_caught
        await bus.publish(note(1))
        assert await read(signals, 1) == [1]


# Ends --------------------------------------------------------------------------------------------


async def test_leaving_the_with_ends_the_loops_that_read() -> None:
    bus = Bus()
    seen: list[object] = []

    async def reader(signals: Subscription) -> None:
        seen.extend([signal.data async for signal in signals])

    async with trio.open_nursery() as nursery:
        with bus.subscribe("**") as signals:
            nursery.start_soon(reader, signals)
            nursery.start_soon(reader, signals)
            await publish_all(bus, 1, 2, 3)
    assert sorted(seen, key=str) == [1, 2, 3]
    with pytest.raises(StopAsyncIteration):
        await anext(signals)


async def test_leaving_the_with_lets_publishers_go_on() -> None:
    bus = Bus()
    async with trio.open_nursery() as nursery:
        with bus.subscribe("**", buffer=1, overflow="block") as signals:
            nursery.start_soon(publish_all, bus, 1, 2, 3)
            await wait_all_tasks_blocked()
    assert await read_all(signals) == [1]
    signals.close()


async def test_leaving_the_with_by_an_error_ends_it_too() -> None:
    bus = Bus()
    with pytest.raises(ValueError, match="oh"), bus.subscribe("**"):
        raise ValueError("oh")
    assert bus.statistics().subscribers == 0


async def test_closing_the_bus_ends_every_subscription() -> None:
    bus = Bus()
    with bus.subscribe("**") as signals, bus.subscribe("note.*", "other"):
        await bus.publish(note(1))
        bus.close()
        await bus.publish(note(2))
        assert await read_all(signals) == [1]
        assert bus.statistics().subscribers == 0
    with bus.subscribe("**") as late:
        assert await read_all(late) == []


async def test_one_that_ends_while_it_is_served_does_without() -> None:
    """What a witness of drops does comes between an answer of the index and the offers."""
    subscriptions: list[Subscription] = []
    bus = Bus(lambda subscription, signal: subscriptions[0].close())
    with (
        bus.subscribe("note.taken", buffer=1, overflow="drop_newest") as first,
        bus.subscribe("**", buffer=9) as second,
    ):
        subscriptions.append(second)
        await publish_all(bus, 1, 2)
        assert await read_all(second) == [1]
        assert first.statistics().dropped == 1


# Mistakes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options", "field"),
    [
        ((), {}, "patterns"),
        (("a..b",), {}, "patterns"),
        (("**", 7), {}, "patterns"),
        (("**",), {"buffer": 0}, "buffer"),
        (("**",), {"buffer": 1.5}, "buffer"),
        (("**",), {"buffer": float("inf")}, "buffer"),
        (("**",), {"overflow": "reject"}, "overflow"),
    ],
)
def test_what_is_no_subscription(
    arguments: tuple[Any, ...], options: dict[str, Any], field: str
) -> None:
    with pytest.raises(trido.SpecError) as caught:
        Bus().subscribe(*arguments, **options)
    assert caught.value.field == field


@pytest.mark.parametrize("patterns", ["order.*", 7, None])
def test_the_patterns_of_an_agent_are_several(patterns: Any) -> None:
    with pytest.raises(trido.SpecError, match="several patterns: a tuple"):
        check_patterns("agent", patterns)


async def test_only_signals_are_published() -> None:
    with pytest.raises(TypeError, match=r"a trido\.Signal: 'text'"):
        await Bus().publish("text")  # type: ignore[arg-type]


async def test_a_subscription_is_entered_before_it_is_read_and_once() -> None:
    subscription = Bus().subscribe("a.*", "b")
    assert repr(subscription) == "<trido.Subscription 'a.*', 'b'>"
    with pytest.raises(RuntimeError, match="not entered"):
        await anext(subscription)
    with subscription:
        pass
    with pytest.raises(RuntimeError, match="subscribe again"), subscription:
        pass


# Without a task ----------------------------------------------------------------------------------


class Mailbox:
    """A subscriber that is no stream: as an agent is one."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.inside: list[object] = []
        self.waiting: dict[int, tuple[trido.Signal, Callable[[], None]]] = {}

    def offer(self, signal: trido.Signal) -> bool:
        if len(self.inside) < self.room:
            self.inside.append(signal.data)
            return True
        return False

    def wait(self, signal: trido.Signal, told: Callable[[], None]) -> Callable[[], None]:
        key = id(signal)
        self.waiting[key] = signal, told
        return partial(self.waiting.__delitem__, key)

    def make_room(self) -> None:
        key, (signal, told) = next(iter(self.waiting.items()))
        del self.waiting[key]
        self.inside.append(signal.data)
        told()


def test_an_offer_that_nobody_waits_for_is_done_at_once() -> None:
    bus, mailbox = Bus(), Mailbox(1)
    bus.add(mailbox, ["note.*", "**"])
    done: list[str] = []
    assert bus.offer(note(1), partial(done.append, "1")) is None
    assert mailbox.inside == [1]
    assert done == []


def test_an_offer_that_waits_tells_once_the_last_one_has_it() -> None:
    bus, first, second = Bus(), Mailbox(0), Mailbox(0)
    bus.add(first, ["**"])
    bus.add(second, ["**"])
    done: list[str] = []
    delivery = bus.offer(note(1), partial(done.append, "1"))
    assert isinstance(delivery, Delivery)
    assert len(delivery) == 2
    first.make_room()
    assert (len(delivery), done) == (1, [])
    second.make_room()
    assert (len(delivery), done) == (0, ["1"])
    delivery.withdraw()
    assert first.inside == second.inside == [1]


def test_an_offer_that_waits_can_be_withdrawn() -> None:
    bus, first, second = Bus(), Mailbox(0), Mailbox(0)
    bus.add(first, ["**"])
    bus.add(second, ["**"])
    done: list[str] = []
    delivery = bus.offer(note(1), partial(done.append, "1"))
    assert delivery is not None
    first.make_room()
    delivery.withdraw()
    assert not second.waiting
    assert (first.inside, second.inside, done) == ([1], [], [])


async def test_who_is_told_may_publish_again_at_once() -> None:
    """As an agent does that has more to emit: the next goes in after those that wait already."""
    bus = Bus()
    with bus.subscribe("**", buffer=1, overflow="block") as signals:
        texts = list(range(2, 6))

        def next_one() -> None:
            while texts and bus.offer(note(texts.pop(0)), next_one) is None:
                pass

        bus.offer(note(1), next_one)
        next_one()
        assert await read(signals, 5) == [1, 2, 3, 4, 5]


def test_who_is_removed_is_offered_no_more() -> None:
    bus, mailbox = Bus(), Mailbox(9)
    bus.add(mailbox, ["note.*", "other", "note.*"])
    bus.offer(note(1), lambda: None)
    bus.remove(mailbox)
    bus.remove(mailbox)
    bus.offer(note(2), lambda: None)
    assert mailbox.inside == [1]
    assert bus.statistics() == BusStatistics(subscribers=0, published=2, unheard=1)


def test_closing_the_bus_leaves_mailboxes_alone() -> None:
    bus, mailbox = Bus(), Mailbox(9)
    bus.add(mailbox, ["**"])
    bus.close()
    bus.offer(note(1), lambda: None)
    assert mailbox.inside == []


# For any history ---------------------------------------------------------------------------------


@frozen
class Reader:
    """What it wants to happen when it falls behind, and how long it takes over each signal."""

    overflow: Any
    buffer: int
    paces: list[int]


class Scene:
    """Publishers pause, and give up waiting now and then; readers read at any pace."""

    def __init__(self) -> None:
        self.bus = Bus()
        self.published: set[tuple[int, int]] = set()
        self.given_up: set[tuple[int, int]] = set()

    async def publish(self, who: int, steps: list[tuple[int, bool]]) -> None:
        for number, (pause, patient) in enumerate(steps):
            await trio.sleep(pause)
            with trio.CancelScope(deadline=trio.current_time() + (99 if patient else 1)) as scope:
                await self.bus.publish(note((who, number)))
            (self.given_up if scope.cancelled_caught else self.published).add((who, number))

    async def read(self, reader: Reader, signals: Subscription, seen: list[Any]) -> None:
        async for signal in signals:
            seen.append(signal.data)
            await trio.sleep(reader.paces[len(seen) % len(reader.paces)])

    async def play(self, publishers: list[list[tuple[int, bool]]], readers: list[Reader]) -> None:
        seen: list[list[Any]] = [[] for _ in readers]
        async with trio.open_nursery() as reading, trio.open_nursery() as publishing:
            streams = [
                self.bus.subscribe("**", buffer=one.buffer, overflow=one.overflow).__enter__()
                for one in readers
            ]
            for reader, stream, its in zip(readers, streams, seen, strict=True):
                reading.start_soon(self.read, reader, stream, its)
            for who, steps in enumerate(publishers):
                publishing.start_soon(self.publish, who, steps)
            publishing.start_soon(self.close_after, 1000)
        for reader, stream, its in zip(readers, streams, seen, strict=True):
            self.judge(reader, stream.statistics(), its)

    async def close_after(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self.bus.close()

    def judge(self, reader: Reader, is_: SubscriptionStatistics, seen: list[Any]) -> None:
        for who in {publisher for publisher, _ in seen}:
            mine = [number for publisher, number in seen if publisher == who]
            assert mine == sorted(set(mine))
        if reader.overflow == "block":
            assert self.published <= set(seen) <= self.published | self.given_up
            assert is_.dropped == 0
        else:
            assert len(seen) + is_.dropped == len(self.published | self.given_up)


@given(
    publishers=st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=8), min_size=1, max_size=4
    ),
    readers=st.lists(
        st.builds(
            Reader,
            st.sampled_from(["block", "drop_newest", "drop_oldest"]),
            st.integers(1, 3),
            st.lists(st.integers(0, 3), min_size=1, max_size=5),
        ),
        min_size=1,
        max_size=3,
    ),
    seed=st.integers(0),
)
def test_every_signal_is_read_dropped_or_given_up_and_each_publisher_s_order_is_kept(
    publishers: list[list[tuple[int, bool]]], readers: list[Reader], seed: int
) -> None:
    testing.run(Scene().play, publishers, readers, seed=seed, guarded=False)
