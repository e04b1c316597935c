"""Who, and where: places in the life of an agent or a child, as data."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, final

from attrs import field, frozen

from trido.checks import count, one_of, seconds, text
from trido.testing.plan_words import check_nth, check_type, duration, number, of_type, quoted

Phase: TypeAlias = Literal["begin", "before commit", "after commit"]
"""Where in a turn."""
Moment: TypeAlias = Literal["before", "during", "after"]
"""When in carrying out a directive."""

PHASES: Final = ("begin", "before commit", "after commit")
MOMENTS: Final = ("before", "during", "after")


# Who ----------------------------------------------------------------------------------------------


@final
@frozen
class AnyOf:
    """Whichever agent of this definition comes there first: they are counted together."""

    name: str = field()

    def __attrs_post_init__(self) -> None:
        text("AnyOf", "name", self.name)

    def __str__(self) -> str:
        return f"any {quoted(self.name)}"


Who: TypeAlias = str | AnyOf
"""An agent or a child by its id, or by its path (``root/feeds/eu``); or any of a definition."""


# Where --------------------------------------------------------------------------------------------


@final
@frozen
class Start:
    """Its n-th start, before anything of its own runs."""

    nth: int = 1

    def __attrs_post_init__(self) -> None:
        check_nth("Start", self.nth)

    def __str__(self) -> str:
        return f"start {self.nth}"


@final
@frozen
class Stop:
    """The n-th time that it is stopped or ends in order. For an agent, before ``on_stop``."""

    nth: int = 1

    def __attrs_post_init__(self) -> None:
        check_nth("Stop", self.nth)

    def __str__(self) -> str:
        return f"stop {self.nth}"


@final
@frozen
class Turn:
    """The n-th turn of an agent whose handler is called; with a ``type``, of such signals.

    ``"begin"`` is before the handler; ``"before commit"`` after it has decided; ``"after commit"``
    when what it decided is committed and begun.
    """

    nth: int
    phase: Phase = "begin"
    type: str | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_nth("Turn", self.nth)
        one_of("Turn", "phase", self.phase, PHASES)
        check_type("Turn", self.type)

    def __str__(self) -> str:
        phase = "" if self.phase == "begin" else f" {self.phase}"
        return f"turn {self.nth}{of_type(self.type)}{phase}"


@final
@frozen
class DirectiveOf:
    """Directive ``index`` (from 1) of the n-th turn of an agent: before, during or after it.

    ``"during"`` is when what carries it out has awaited for the first time; if that never awaits,
    it is the same as ``"before"``.
    """

    nth: int
    index: int
    moment: Moment = "during"
    type: str | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_nth("DirectiveOf", self.nth)
        count("DirectiveOf", "index", self.index, least=1, infinite=False)
        one_of("DirectiveOf", "moment", self.moment, MOMENTS)
        check_type("DirectiveOf", self.type)

    def __str__(self) -> str:
        return f"turn {self.nth}{of_type(self.type)} {self.moment} directive {self.index}"


@final
@frozen
class Await:
    """When the n-th ``await`` of its own code resumes: of a child's function, of handlers, actions.

    The await has had its effect: a lock is held, what was received is there.
    """

    nth: int

    def __attrs_post_init__(self) -> None:
        check_nth("Await", self.nth)

    def __str__(self) -> str:
        return f"await {self.nth}"


@final
@frozen
class Received:
    """When the n-th signal comes to an agent; with a ``type``, of such signals."""

    nth: int
    type: str | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_nth("Received", self.nth)
        check_type("Received", self.type)

    def __str__(self) -> str:
        return f"signal {self.nth}{of_type(self.type)}"


@final
@frozen
class Time:
    """So many seconds after the plan came into force."""

    seconds: float = field(converter=number)

    def __attrs_post_init__(self) -> None:
        seconds("Time", "seconds", self.seconds, finite=True)

    def __str__(self) -> str:
        return duration(self.seconds)


Point: TypeAlias = Start | Stop | Turn | DirectiveOf | Await | Received | Time
"""A place in the life of an agent or a child."""
