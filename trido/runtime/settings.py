"""How an agent is to be run: the settings of a definition, and of one agent where it differs."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias, TypedDict, final

from attrs import field, frozen

from trido.agents.family import SpawnAgent
from trido.agents.patterns import is_pattern
from trido.agents.timing import Cron, Schedule
from trido.checks import count, flag, is_number, one_of, seconds
from trido.errors import SpecError
from trido.supervision import Spec
from trido.values import ByFields

Overflow: TypeAlias = Literal["block", "reject", "drop_newest", "drop_oldest"]
Recover: TypeAlias = Literal["fresh", "committed"]
Durability: TypeAlias = Literal["none", "buffered", "sync"]
Verdict: TypeAlias = Literal["log", "stop", "emit"]


@final
@frozen(eq=False, repr=False)
class MaxErrors(ByFields):
    """Stop the agent after more than ``n`` failed directives ``within`` so many seconds.

    Made by `max_errors`.
    """

    n: int
    within: float

    def __attrs_post_init__(self) -> None:
        count("max_errors", "n", self.n, least=0, infinite=False)
        seconds("max_errors", "within", self.within, finite=True)


def max_errors(n: int, within: float) -> MaxErrors:
    """``on_error=max_errors(3, 60.0)``: log a failed directive; stop after more than so many.

    Raises:
      SpecError: ``n`` is not a whole number, or ``within`` not a number of seconds.
    """
    return MaxErrors(n, within)


Dedupe: TypeAlias = int | timedelta | tuple[int, timedelta]
"""For how long, or of how many at most, the ids of applied inputs are kept; or both."""
DEDUPE: Final = (100_000, timedelta(days=7))
HISTORY: Final = 1_000
MOST: Final = 2**63 - 1
"""A journal counts no further."""
ErrorPolicy: TypeAlias = Verdict | MaxErrors | Callable[[Any], Verdict]


class SettingOptions(TypedDict, total=False):
    """The settings, as keyword arguments."""

    durability: Durability
    dedupe: Dedupe
    history: int
    mailbox: int
    overflow: Overflow
    keep_mailbox: bool
    recover: Recover
    redeliver: int
    turn_limit: float
    runs: int
    idle_timeout: float
    on_error: ErrorPolicy
    trap_exits: bool
    children: Sequence[SpawnAgent | Spec[Any]]
    schedules: Sequence[Cron | Schedule]
    subscribe: Sequence[str]


def _tuple(value: object) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value


def _pair(value: object) -> Any:
    """How many, and for how long; what is not said is as it is by itself."""
    if isinstance(value, timedelta):
        return (DEDUPE[0], value)
    return value if isinstance(value, tuple) else (value, DEDUPE[1])


@final
@frozen(kw_only=True, eq=False, repr=False)
class Settings(ByFields):
    """How an agent is to be run. `trido.Agent` says what each of them means.

    Raises:
      SpecError: one is not what it may be.
    """

    of: str = field(eq=False, repr=False)
    durability: Durability = "none"
    dedupe: tuple[int, timedelta] = field(default=DEDUPE, converter=_pair)
    history: int = HISTORY
    mailbox: int = 1024
    overflow: Overflow = "block"
    keep_mailbox: bool = True
    recover: Recover = "fresh"
    redeliver: int = 0
    turn_limit: float = 30.0
    runs: int = 64
    idle_timeout: float = math.inf
    on_error: ErrorPolicy = "log"
    trap_exits: bool = False
    children: tuple[SpawnAgent | Spec[Any], ...] = field(default=(), converter=_tuple)
    schedules: tuple[Cron | Schedule, ...] = field(default=(), converter=_tuple)
    subscribe: tuple[str, ...] = field(default=(), converter=_tuple)

    def __attrs_post_init__(self) -> None:
        of = self.of
        one_of(of, "durability", self.durability, ("none", "buffered", "sync"))
        self._check_dedupe()
        self._check_history()
        count(of, "mailbox", self.mailbox, least=1, infinite=False)
        one_of(of, "overflow", self.overflow, ("block", "reject", "drop_newest", "drop_oldest"))
        flag(of, "keep_mailbox", self.keep_mailbox)
        one_of(of, "recover", self.recover, ("fresh", "committed"))
        count(of, "redeliver", self.redeliver, least=0, infinite=False)
        seconds(of, "turn_limit", self.turn_limit)
        count(of, "runs", self.runs, least=1, infinite=False)
        self._check_idle_timeout()
        flag(of, "trap_exits", self.trap_exits)
        self._check_on_error()
        self._check_children()
        self._check_schedules()
        self._check_subscribe()

    def check_kept(self, given: Container[str]) -> None:
        """Raise `SpecError` if something is given that only a journal could keep to."""
        if self.durability != "none":
            return
        for name, default in (("dedupe", DEDUPE), ("history", HISTORY)):
            value = getattr(self, name)
            if name in given and value != default:
                allowed = "left out, unless a journal keeps it: say durability='sync' or 'buffered'"
                raise SpecError(name, value, allowed, of=self.of)

    def _check_history(self) -> None:
        count(self.of, "history", self.history, least=1, infinite=False)
        if self.history > MOST:
            raise SpecError("history", self.history, f"an int, 1 to {MOST}", of=self.of)

    def _check_dedupe(self) -> None:
        match self.dedupe:
            case (int() as most, timedelta() as age) if age >= timedelta(seconds=1):
                if 0 < most <= MOST and not isinstance(most, bool):
                    return
        ids = f"a number of ids, 1 to {MOST}"
        allowed = f"{ids}, a timedelta of a second at least, or a pair of them"
        raise SpecError("dedupe", self.dedupe, allowed, of=self.of)

    def _check_idle_timeout(self) -> None:
        if not is_number(self.idle_timeout) or self.idle_timeout <= 0:
            allowed = "a number of seconds > 0; math.inf never lets it sleep"
            raise SpecError("idle_timeout", self.idle_timeout, allowed, of=self.of)

    def _check_on_error(self) -> None:
        policy = self.on_error
        if not (isinstance(policy, MaxErrors) or callable(policy)):
            allowed = "'log', 'stop', 'emit', trido.max_errors(n, within) or a function"
            if policy not in ("log", "stop", "emit"):
                raise SpecError("on_error", policy, allowed, of=self.of)

    def _check_children(self) -> None:
        tags = set[str]()
        for child in self._each("children", SpawnAgent | Spec, "trido.SpawnAgent or a spec"):
            tag = child.tag if isinstance(child, SpawnAgent) else child.child_id
            if tag in tags:
                allowed = "different tags for all of them"
                raise SpecError("children", tag, allowed, of=self.of)
            tags.add(tag)
            if isinstance(child, SpawnAgent) and child.detached:
                allowed = "no detached child, which outlives runs: spawn it in on_start"
                raise SpecError("children", child, allowed, of=self.of)

    def _check_schedules(self) -> None:
        keys = set[str]()
        for one in self._each("schedules", Cron | Schedule, "trido.Cron or trido.Schedule"):
            if one.key is None or one.key in keys:
                allowed = "a key of its own for each of them"
                raise SpecError("schedules", one.key, allowed, of=self.of)
            keys.add(one.key)

    def _check_subscribe(self) -> None:
        for pattern in self._each("subscribe", str, "patterns of signal types"):
            if not is_pattern(pattern):
                allowed = "patterns such as 'order.*' or 'order.**'"
                raise SpecError("subscribe", pattern, allowed, of=self.of)

    def _each(self, name: str, kind: Any, allowed: str) -> tuple[Any, ...]:
        value = getattr(self, name)
        if not isinstance(value, tuple) or not all(isinstance(one, kind) for one in value):
            raise SpecError(name, value, f"a tuple of {allowed}", of=self.of)
        return value
