"""Subscriptions: streams of the signals that a bus brings by."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, final

import trio
from attrs import frozen
from trio.lowlevel import enable_ki_protection

from trido.agents import Signal
from trido.checks import count, flag, one_of
from trido.values import ByFields

if TYPE_CHECKING:
    from trido.runtime.bus import Bus

StreamOverflow: TypeAlias = Literal["block", "drop_newest", "drop_oldest"]
_OVERFLOWS: Final = ("block", "drop_newest", "drop_oldest")


@frozen(kw_only=True, eq=False, repr=False)
class SubscriptionStatistics(ByFields):
    """What `Subscription.statistics` says, as of that moment."""

    buffered: int
    """How many signals wait to be read."""
    buffer: int
    """How many may."""
    taken: int
    """How many signals it took in, with those that it dropped again."""
    dropped: int
    """How many it dropped for want of room."""
    publishers_waiting: int
    """How many signals wait for room."""


@final
class Subscription:
    """A stream of signals: ``with`` it, and iterate over it with ``async for``.

    It has signals from the moment when ``with`` is entered. It ends with the ``with``, or with
    the bus: readers get what is there, then their loops end. Several tasks may read it; each
    signal goes to one of them. One that nobody reads takes no more memory than its buffer.

    Made by a runtime's ``subscribe`` only.
    """

    __slots__ = (
        "_buffer",
        "_bus",
        "_closed",
        "_dropped",
        "_entered",
        "_overflow",
        "_receive",
        "_send",
        "_taken",
        "_waiting",
        "patterns",
        "stamped",
    )

    def __init__(
        self,
        bus: Bus,
        patterns: tuple[str, ...],
        buffer: int,
        overflow: StreamOverflow,
        *,
        stamped: bool,
    ) -> None:
        count("subscribe", "buffer", buffer, least=1, infinite=False)
        one_of("subscribe", "overflow", overflow, _OVERFLOWS)
        flag("subscribe", "stamped", stamped)
        self.patterns: tuple[str, ...] = patterns
        """What it subscribed to."""
        self.stamped: bool = stamped
        """Whether it wants each signal stamped."""
        self._bus = bus
        self._buffer = buffer
        self._overflow = overflow
        self._send, self._receive = trio.open_memory_channel[Signal](buffer)
        self._waiting: dict[object, tuple[Signal, Callable[[], None]]] = {}
        self._taken = 0
        self._dropped = 0
        self._entered = False
        self._closed = False

    def __repr__(self) -> str:
        return f"<trido.Subscription {', '.join(map(repr, self.patterns))}>"

    @enable_ki_protection
    def __enter__(self) -> Subscription:
        if self._entered:
            raise RuntimeError(f"{self!r} is entered once: for another stream, subscribe again")
        self._entered = True
        self._bus._enter(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> Subscription:
        return self

    @enable_ki_protection
    async def __anext__(self) -> Signal:
        if not self._entered:
            raise RuntimeError(f"{self!r} is not entered: with it, and read inside")
        try:
            signal = await self._receive.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
        self._refill()
        return signal

    @enable_ki_protection
    def close(self) -> None:
        """Take nothing more. Publishers that wait for room go on without it."""
        self._closed = True
        self._bus.remove(self)
        self._send.close()
        waiting, self._waiting = self._waiting, {}
        for _, told in waiting.values():
            told()

    def statistics(self) -> SubscriptionStatistics:
        """How full it is, and what it has dropped."""
        return SubscriptionStatistics(
            buffered=self._receive.statistics().current_buffer_used,
            buffer=self._buffer,
            taken=self._taken,
            dropped=self._dropped,
            publishers_waiting=len(self._waiting),
        )

    # The port of the bus --------------------------------------------------------------------

    def offer(self, signal: Signal) -> bool:
        """Take it, or do without it; False if the publisher is to wait for room."""
        if self._closed:
            return True
        if self._overflow == "block":
            return not self._waiting and self._put(signal)
        if not self._put(signal):
            self._drop_one(signal)
        return True

    def wait(self, signal: Signal, told: Callable[[], None]) -> Callable[[], None]:
        """Take it as soon as there is room, then call ``told``."""
        key = object()
        self._waiting[key] = signal, told

        def withdraw() -> None:
            del self._waiting[key]

        return withdraw

    def _drop_one(self, signal: Signal) -> None:
        self._dropped += 1
        if self._overflow == "drop_oldest":
            oldest = self._receive.receive_nowait()
            self._put(signal)
            signal = oldest
        if self._bus._dropped is not None:
            self._bus._dropped(self, signal)

    def _put(self, signal: Signal) -> bool:
        try:
            self._send.send_nowait(signal)
        except trio.WouldBlock:
            return False
        self._taken += 1
        return True

    def _refill(self) -> None:
        while self._waiting:
            key, (signal, told) = next(iter(self._waiting.items()))
            if not self._put(signal):
                return
            del self._waiting[key]
            told()
