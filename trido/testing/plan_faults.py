"""What goes wrong: faults, as data. Each reads as a phrase, and happens once."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, final

from attrs import field, frozen

from trido.checks import is_number, one_of, text
from trido.errors import SpecError
from trido.testing.plan_points import AnyOf, Point, Received, Time, Turn, Who
from trido.testing.plan_words import check_nth, check_type, duration, number, ordinal, quoted

Act: TypeAlias = Literal["crash", "cancel", "hang", "swallow", "slow", "block"]
"""What happens to code."""
Mishap: TypeAlias = Literal["drop", "duplicate", "delay", "reorder"]
"""What happens to a signal on its way."""
Failure: TypeAlias = Literal[
    "unavailable", "full", "lost", "fenced", "locked", "corrupt", "newer", "slow"
]
"""How storage fails."""
Operation: TypeAlias = Literal["open", "write", "read"]
"""What is asked of storage."""

ACTS: Final = ("crash", "cancel", "hang", "swallow", "slow", "block")
MISHAPS: Final = ("drop", "duplicate", "delay", "reorder")
FAILURES: Final[dict[Failure, tuple[Operation, ...]]] = {
    "unavailable": ("open", "write", "read"),
    "full": ("write",),
    "lost": ("write",),
    "fenced": ("write",),
    "locked": ("open",),
    "corrupt": ("open", "read"),
    "newer": ("open",),
    "slow": ("open", "write", "read"),
}
"""Each failure, and what can fail by it."""
AWAITING: Final = frozenset({"hang", "swallow", "slow"})
"""What only code that awaits can do."""
LASTING: Final = frozenset({"slow", "block", "delay"})
"""What needs to know for how long."""


@final
@frozen
class CodeFault:
    """Something happens to the code of an agent or a child.

    ``"crash"`` raises an `InjectedCrash` in it. ``"cancel"`` has it cancelled by its supervisor,
    and counts as a crash. ``"hang"``: it awaits for ever. ``"swallow"``: from there on it takes no
    notice of being cancelled; only a kill ends it. ``"slow"``: it awaits so many seconds.
    ``"block"``: nothing else runs for so many seconds.
    """

    act: Act
    who: Who
    at: Point
    seconds: float = field(default=0.0, converter=number, kw_only=True)

    def __attrs_post_init__(self) -> None:
        one_of("CodeFault", "act", self.act, ACTS)
        _who("CodeFault", "who", self.who)
        if not isinstance(self.at, Point):
            raise SpecError("at", self.at, "a point, such as Turn(3)", of="CodeFault")
        if self.act in AWAITING and not _awaits(self.at):
            allowed = f"a start, a stop, an await, a directive or the begin of a turn to {self.act}"
            raise SpecError("at", str(self.at), allowed, of="CodeFault")
        _lasts("CodeFault", self.act, self.seconds)

    def __str__(self) -> str:
        lasts = f" {duration(self.seconds)}" if self.act in LASTING else ""
        return f"{self.act} {_said(self.who)}{lasts} at {self.at}"


@final
@frozen
class SignalFault:
    """Something happens to the n-th signal that comes to an agent.

    It is dropped (nobody is told: a caller waits), comes twice, comes ``seconds`` later, or comes
    after the one that follows it.
    """

    mishap: Mishap
    to: Who
    nth: int
    type: str | None = field(default=None, kw_only=True)
    seconds: float = field(default=0.0, converter=number, kw_only=True)

    def __attrs_post_init__(self) -> None:
        one_of("SignalFault", "mishap", self.mishap, MISHAPS)
        _who("SignalFault", "to", self.to)
        check_nth("SignalFault", self.nth)
        check_type("SignalFault", self.type)
        _lasts("SignalFault", self.mishap, self.seconds)

    def __str__(self) -> str:
        kind = "" if self.type is None else f"{quoted(self.type)} "
        lasts = f" by {duration(self.seconds)}" if self.mishap in LASTING else ""
        return f"{self.mishap} {ordinal(self.nth)} {kind}signal to {_said(self.to)}{lasts}"


@final
@frozen
class StorageFault:
    """The n-th operation of this kind on the journal fails, and with it its whole transaction.

    ``"unavailable"``, ``"full"``, ``"fenced"``: it did not happen. ``"lost"``: it did, and its
    outcome is not told. ``"slow"``: it takes ``seconds`` more.
    """

    failure: Failure
    operation: Operation
    nth: int = 1
    seconds: float = field(default=0.0, converter=number, kw_only=True)

    def __attrs_post_init__(self) -> None:
        one_of("StorageFault", "failure", self.failure, tuple(FAILURES))
        of = f"StorageFault {self.failure!r}"
        one_of(of, "operation", self.operation, FAILURES[self.failure])
        check_nth(of, self.nth)
        _lasts(of, self.failure, self.seconds)

    def __str__(self) -> str:
        lasts = f" {duration(self.seconds)}" if self.failure in LASTING else ""
        return f"storage {self.failure}{lasts} at {self.operation} {self.nth}"


@final
@frozen
class ClockFault:
    """The time of day jumps by so many seconds, forward or back; the time that passes does not."""

    jump: float = field(converter=number)
    at: Time

    def __attrs_post_init__(self) -> None:
        if not (is_number(self.jump) and 0 < abs(self.jump) < float("inf")):
            allowed = "a finite number of seconds that is not 0"
            raise SpecError("jump", self.jump, allowed, of="ClockFault")
        _time("ClockFault", self.at)

    def __str__(self) -> str:
        sign = "+" if self.jump > 0 else ""
        return f"clock {sign}{duration(self.jump)} at {self.at}"


@final
@frozen
class LoopFault:
    """The event loop is blocked: nothing runs for so many seconds."""

    seconds: float = field(converter=number)
    at: Time

    def __attrs_post_init__(self) -> None:
        _lasts("LoopFault", "block", self.seconds)
        _time("LoopFault", self.at)

    def __str__(self) -> str:
        return f"block loop {duration(self.seconds)} at {self.at}"


Fault: TypeAlias = CodeFault | SignalFault | StorageFault | ClockFault | LoopFault
"""One thing that goes wrong, once."""


def _awaits(at: Point) -> bool:
    """Whether code may await there."""
    if isinstance(at, Turn):
        return at.phase == "begin"
    return not isinstance(at, Received | Time)


def _said(who: Who) -> str:
    return quoted(who) if isinstance(who, str) else str(who)


def _who(of: str, field: str, who: object) -> None:
    if not isinstance(who, AnyOf):
        text(of, field, who)


def _time(of: str, at: object) -> None:
    if not isinstance(at, Time):
        raise SpecError("at", at, "a Time", of=of)


def _lasts(of: str, what: str, length: float) -> None:
    """``length`` is a number of seconds > 0 if this lasts, and 0 if it does not."""
    lasts = what in LASTING
    if not (is_number(length) and 0 <= length < float("inf") and lasts == (length > 0)):
        allowed = f"{'a finite number of seconds > 0' if lasts else 'left out'} for {what!r}"
        raise SpecError("seconds", length, allowed, of=of)
