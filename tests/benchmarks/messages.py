"""What is sent, and what is remembered: the same for every contender that takes any object."""

from __future__ import annotations

from attrs import frozen


@frozen
class Counter:
    """A trivial state."""

    value: int = 0


@frozen
class Add:
    by: int = 1


@frozen
class Token:
    """It goes round the ring so many more times."""

    left: int


@frozen
class Ping:
    """When it was sent."""

    sent: float


@frozen
class Crash:
    pass


@frozen
class Probe:
    pass
