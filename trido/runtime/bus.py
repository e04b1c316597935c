"""The bus: signals for whoever wants such signals.

A subscriber is anything that can be offered a signal: a stream that somebody reads, or an agent.
What an offer does to one that has no room is that one's policy. All who need not be waited for are
served at once, without a task; then the publisher waits for the others, or is told when they have
it. So one slow subscriber delays nobody but publishers, and those only if it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol, TypeAlias, final

import trio
from attrs import frozen
from trio.lowlevel import Abort, RaiseCancelT, enable_ki_protection

from trido.agents import Signal
from trido.agents.patterns import GRAMMAR, Index, is_pattern
from trido.errors import SpecError
from trido.runtime.subscription import StreamOverflow, Subscription
from trido.values import ByFields

Dropped: TypeAlias = Callable[[Subscription, Signal], object]
"""Called with each signal that a subscription has no room for."""


class Subscriber(Protocol):
    """Whoever is offered signals. Nothing here raises."""

    def offer(self, signal: Signal) -> bool:
        """Take it, or do without it; False if the publisher is to wait for room."""
        ...

    def wait(self, signal: Signal, told: Callable[[], None]) -> Callable[[], None]:
        """Take it as soon as there is room, after those that wait already, then call ``told``.

        So too if it ends before that, and takes nothing any more; but not before this returns.
        What it returns takes the signal back: it is called before ``told`` was, or never.
        """
        ...


@final
class Delivery:
    """A signal that has been offered to everybody, and waits for room with some."""

    __slots__ = ("_done", "_waiting")

    def __init__(
        self, signal: Signal, full: Iterable[Subscriber], done: Callable[[], None]
    ) -> None:
        self._done = done
        self._waiting = {one: one.wait(signal, partial(self._has_it, one)) for one in full}

    def __len__(self) -> int:
        return len(self._waiting)

    def withdraw(self) -> None:
        """Wait no more: those who had no room yet will not get it."""
        waiting, self._waiting = self._waiting, {}
        for withdraw in waiting.values():
            withdraw()

    def _has_it(self, subscriber: Subscriber) -> None:
        del self._waiting[subscriber]
        if not self._waiting:
            self._done()


@frozen(kw_only=True, eq=False, repr=False)
class BusStatistics(ByFields):
    """What `Bus.statistics` says, as of that moment."""

    subscribers: int
    """How many there are."""
    published: int
    """How many signals were published."""
    unheard: int
    """How many of them nobody had subscribed to."""


@final
class Bus:
    """Brings signals to whoever subscribed to such signals.

    Args:
      dropped: called with each signal that a subscription drops, and with the subscription.
    """

    __slots__ = ("_closed", "_dropped", "_index", "_published", "_subscribers", "_unheard")

    def __init__(self, dropped: Dropped | None = None) -> None:
        self._dropped = dropped
        self._index: Index[Subscriber] = Index()
        self._subscribers: dict[Subscriber, tuple[str, ...]] = {}
        self._closed = False
        self._published = 0
        self._unheard = 0

    def statistics(self) -> BusStatistics:
        """How much comes by."""
        return BusStatistics(
            subscribers=len(self._subscribers),
            published=self._published,
            unheard=self._unheard,
        )

    # Subscribers ----------------------------------------------------------------------------

    def subscribe(
        self,
        *patterns: str,
        buffer: int = 1024,
        overflow: StreamOverflow = "drop_oldest",
        stamped: bool = False,
    ) -> Subscription:
        """A stream of the signals whose types fit one of these patterns, from ``with`` on.

        It is for ``with bus.subscribe("counter.*") as signals: async for signal in signals: ...``.

        Args:
          patterns: as for the routes of agents.
          buffer: how many signals may wait to be read.
          overflow: what happens to one more: the publisher waits (``"block"``), or a signal is
            dropped: this one (``"drop_newest"``) or the one that waited longest
            (``"drop_oldest"``).
          stamped: whether each signal is to have an id, a source and a time: those that are sent
            on to elsewhere need them.

        Raises:
          SpecError: an argument is not what it may be.
        """
        checked = check_patterns("subscribe", patterns)
        return Subscription(self, checked, buffer, overflow, stamped=stamped)

    def add(self, subscriber: Subscriber, patterns: Iterable[str]) -> None:
        """From now on, offer it the signals that fit one of these patterns; each of them once."""
        self._subscribers[subscriber] = kept = tuple(dict.fromkeys(patterns))
        for pattern in kept:
            self._index.add(pattern, subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Offer it no more."""
        for pattern in self._subscribers.pop(subscriber, ()):
            self._index.remove(pattern, subscriber)

    def _enter(self, subscription: Subscription) -> None:
        if self._closed:
            subscription.close()
        else:
            self.add(subscription, subscription.patterns)

    def close(self) -> None:
        """End every subscription: its readers get what is there, then the end."""
        self._closed = True
        for subscriber in tuple(self._subscribers):
            self.remove(subscriber)
            if isinstance(subscriber, Subscription):
                subscriber.close()

    # Signals --------------------------------------------------------------------------------

    def wants_stamps(self, type: str) -> bool:
        """Whether a signal of this type comes to a reader who wants it stamped."""
        return any(isinstance(one, Subscription) and one.stamped for one in self._index.match(type))

    def offer(self, signal: Signal, done: Callable[[], None]) -> Delivery | None:
        """Offer a signal to everybody, without waiting for anybody.

        Returns None if that was all. If some are to be waited for, ``done`` is called once the
        last of them has it, unless the delivery is withdrawn; never before this returns.
        """
        self._published += 1
        subscribers = self._index.match(signal.type)
        if not subscribers:
            self._unheard += 1
            return None
        full = [one for one in subscribers if not one.offer(signal)]
        return Delivery(signal, full, done) if full else None

    @enable_ki_protection
    async def publish(
        self, signal: Signal, stamp: Callable[[Signal], Signal] | None = None
    ) -> None:
        """Offer a signal to everybody who subscribed to such signals.

        What one publishes after the other arrives in that order. Whom it has to wait for, because
        they have no room and want it so, it waits for when all the others have the signal. If it
        is cancelled while it waits, those others keep the signal, and whoever still had no room
        does not get it.

        ``stamp`` is called with it if it comes to a reader who wants it stamped.

        Checkpoints: always.
        """
        if not isinstance(signal, Signal):
            raise TypeError(f"publish() takes a trido.Signal: {signal!r}")
        await trio.lowlevel.checkpoint_if_cancelled()
        if stamp is not None and self.wants_stamps(signal.type):
            signal = stamp(signal)
        task = trio.lowlevel.current_task()
        delivery = self.offer(signal, partial(trio.lowlevel.reschedule, task))
        if delivery is None:
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            await _until_done(delivery)


async def _until_done(delivery: Delivery) -> None:
    def abort(_: RaiseCancelT) -> Abort:
        delivery.withdraw()
        return Abort.SUCCEEDED

    await trio.lowlevel.wait_task_rescheduled(abort)


def check_patterns(of: str, patterns: object) -> tuple[str, ...]:
    """The patterns of a subscriber. Raises `SpecError`."""
    if isinstance(patterns, str) or not isinstance(patterns, Iterable):
        raise SpecError("patterns", patterns, "several patterns: a tuple", of=of)
    checked = tuple(patterns)
    if not checked:
        raise SpecError("patterns", checked, "one pattern at least, such as 'counter.*'", of=of)
    for pattern in checked:
        if not is_pattern(pattern):
            raise SpecError("patterns", pattern, GRAMMAR, of=of)
    return checked
