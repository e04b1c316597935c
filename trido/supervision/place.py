"""The port between a supervisor and whatever runs in its places.

A spec in a supervisor is a `Place`. It outlives its runs: what must outlive a run belongs to it.
Supervision runs async functions (`trido.supervision.incarnation`) and supervisors; another room
teaches it to run something else by registering a kind of spec with `as_place`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import TYPE_CHECKING, Any, Protocol

import trio

from trido.errors import SpecError
from trido.supervision.child import Child
from trido.supervision.messages import End
from trido.supervision.tables import State

if TYPE_CHECKING:
    from trido.supervision.supervisor import SupervisorBase

__all__ = ["End", "Place", "Report", "Run", "Sleeper", "as_place"]


class Report(Protocol):
    """What a run is given: where it may run, and whom it tells. One for each run."""

    @property
    def child(self) -> Child[Any]:
        """The place, as its users see it."""
        ...

    @property
    def name(self) -> str:
        """The path, as a name for the run's task."""
        ...

    @property
    def nursery(self) -> trio.Nursery:
        """The supervisor's own nursery. No exception may leave a task in it."""
        ...

    def ready(self, value: object = None) -> None:
        """The run is ready; ``value`` becomes `Child.value`."""
        ...

    def failing(self, error: Exception) -> None:
        """The run cannot go on: stop it, and take its end for a crash by ``error``."""
        ...

    def unkillable(self) -> None:
        """The run was killed, and will not end."""
        ...

    def ended(self, end: End) -> None:
        """The run has ended, and nothing of it is left. Told once, last."""
        ...


class Run(Protocol):
    """One run of a place. All of this is synchronous, and safe at any time before its end."""

    def cancel(self, deadline: float, reason: str) -> None:
        """Ask it to stop; it is killed if it has not ended by ``deadline``."""
        ...

    def kill(self) -> None:
        """Make it stop. It tells `Report.unkillable` if that cannot be done."""
        ...

    def beat(self) -> None:
        """Its child says that it is alive."""
        ...

    def stack(self) -> str:
        """Where it is, for a person to read."""
        ...

    def below(self) -> SupervisorBase | None:
        """The supervisor of children of its own, if it has some that belong into a drawing."""
        ...


class Place(Protocol):
    """A spec in a supervisor."""

    def start(self, report: Report) -> Run:
        """Start a run and return at once, in the context of the supervisor's task."""
        ...

    def changed(self, state: State, *, comes_back: bool) -> None:
        """The place is now in this state.

        ``comes_back`` says that it is going to be started again: it crashed, or it was stopped only
        with the group it is in. Whether a run whose start failed is tried again is told by telling
        the state once more. If it is given up after all, the place is told its state without.
        """
        ...


class Sleeper(Place, Protocol):
    """A place without a run that begins one by itself when it is needed."""

    async def stop(self) -> object:
        """Let it begin none any more."""
        ...


@singledispatch
def as_place(spec: object) -> Place:
    """How to run what ``spec`` says. Register a kind of spec to teach supervision about it.

    Raises:
      SpecError: nobody has said how to run such a thing.
    """
    raise SpecError("children", spec, "a spec, such as a trido.ChildSpec")


def place_of(spec: object) -> Place:
    """As `as_place`, and faster for a kind of spec that was itself registered."""
    make: Callable[[object], Place] = as_place.registry.get(type(spec), as_place)
    return make(spec)
