"""Signals that go astray on their way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, final

import trio

from trido.runtime.envelope import Call, Cast, Envelope
from trido.testing.faults_targets import Place
from trido.testing.plan_faults import SignalFault
from trido.testing.plan_points import Received
from trido.testing.plan_survey import Moment

if TYPE_CHECKING:
    from trido.testing.faults import Faults

PATIENCE: Final = 1.0
"""How many seconds a signal waits for one that it is to come after."""


@final
class Copy(Cast):
    """A signal that comes a second time."""

    __slots__ = ("original",)

    def __init__(self, original: Envelope) -> None:
        super().__init__(original.signal)
        self.original: Envelope = original


@final
class Mail:
    """The signals of all agents, as the plan tampers with them."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._nursery: trio.Nursery
        self._waiting: dict[Moment, SignalFault] = {
            (one.to, Received(one.nth, type=one.type)): one
            for one in reversed(tuple(faults.plan))
            if isinstance(one, SignalFault)
        }
        self._held: dict[Place, Envelope] = {}
        """What comes after the next."""
        self._passing = 0

    def begin(self, nursery: trio.Nursery) -> None:
        """From now on."""
        self._nursery = nursery

    @property
    def passes(self) -> bool:
        """Whether what comes was tampered with, and is let through."""
        return self._passing > 0

    def tampers(self, place: Place, envelope: Envelope, moments: Iterable[Moment]) -> bool:
        """Whether the plan takes care of this signal, which comes at these moments."""
        if not self._waiting and not self._held:
            return False
        before = self._held.pop(place, None)
        found = [self._waiting.pop(one) for one in moments if one in self._waiting]
        if not found and before is None:
            return False
        self._faults.happened += found
        tampered = [self._tamper(place, envelope, one) for one in found]
        if not any(tampered):
            self._let_in(place, envelope)
        if before is not None:
            self._let_in(place, before)
        return True

    def _tamper(self, place: Place, envelope: Envelope, fault: SignalFault) -> bool:
        """Whether it does not come now."""
        if fault.mishap == "duplicate":
            self._let_in(place, Copy(envelope))
            return False
        if fault.mishap == "delay":
            self._later(place, envelope, fault.seconds)
        elif fault.mishap == "reorder":
            self._held[place] = envelope
            self._nursery.start_soon(self._give_up_waiting, place, envelope)
        return True

    def _later(self, place: Place, envelope: Envelope, seconds: float) -> None:
        async def come() -> None:
            await trio.sleep(seconds)
            self._let_in(place, envelope)

        self._nursery.start_soon(come)

    async def _give_up_waiting(self, place: Place, envelope: Envelope) -> None:
        await trio.sleep(PATIENCE)
        if self._held.get(place) is envelope:
            del self._held[place]
            self._let_in(place, envelope)

    def _let_in(self, place: Place, envelope: Envelope) -> None:
        if isinstance(envelope, Call) and envelope.is_settled:
            return  # its caller has gone
        self._passing += 1
        try:
            place.deliver(envelope)
        finally:
            self._passing -= 1
