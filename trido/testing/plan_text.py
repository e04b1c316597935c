"""Reading a line as a plan: one small function for each kind of phrase."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast, final

from trido.errors import SpecError
from trido.testing.plan_errors import PlanSyntaxError
from trido.testing.plan_faults import (
    ACTS,
    FAILURES,
    LASTING,
    MISHAPS,
    ClockFault,
    CodeFault,
    Fault,
    LoopFault,
    SignalFault,
    StorageFault,
)
from trido.testing.plan_points import (
    MOMENTS,
    AnyOf,
    Await,
    DirectiveOf,
    Point,
    Received,
    Start,
    Stop,
    Time,
    Turn,
    Who,
)

F = TypeVar("F")

_WORD: Final = re.compile(r'(?:("(?:[^"\\]|\\.)*")|(;)|([^\s;"]+))')
_SECONDS: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?s")
_ORDINAL: Final = re.compile(r"(\d+)(st|nd|rd|th)")
_POINTS: Final = ("start", "stop", "turn", "await", "signal")
_VERBS: Final = (*ACTS, *MISHAPS, "storage", "clock")


def parsed(line: str) -> tuple[Fault, ...]:
    """The faults of a line, in order."""
    words = _Words(line)
    if not line.strip() or line.strip() == "nothing":
        return ()
    faults = [words.checked(_fault)]
    while words.goes_on():
        faults.append(words.checked(_fault))
    return tuple(faults)


@final
class _Words:
    """A line, read from left to right."""

    def __init__(self, line: str) -> None:
        self.line = line
        self._words: list[tuple[str, int, bool]] = []
        """Each word, where it begins, and whether it is quoted."""
        at = 0
        while line[at:].strip():
            at += len(line[at:]) - len(line[at:].lstrip())
            found = _WORD.match(line, at)
            if found is None:
                raise PlanSyntaxError(line, at, "a whole string, in double quotes")
            index = cast("int", found.lastindex)
            self._words.append(self._word(found[index], found.start(index)))
            at = found.end()
        self._next = 0

    def _word(self, word: str, at: int) -> tuple[str, int, bool]:
        if not word.startswith('"'):
            return word, at, False
        try:
            return json.loads(word), at, True
        except ValueError:
            raise PlanSyntaxError(self.line, at, "a string as in JSON") from None

    @property
    def at_end(self) -> bool:
        return self._next == len(self._words)

    @property
    def where(self) -> int:
        return len(self.line) if self.at_end else self._words[self._next][1]

    def goes_on(self) -> bool:
        """Whether another fault follows; then what stands between them is read."""
        return not self.at_end and bool(self.one_of(";"))

    def fail(self, expected: str) -> PlanSyntaxError:
        return PlanSyntaxError(self.line, self.where, expected)

    def checked(self, read: Callable[[_Words], F]) -> F:
        """What is read; what it may not be is said with its place."""
        begun = self.where
        try:
            return read(self)
        except SpecError as error:
            allowed = f"{error.allowed} ({error.field}={error.value!r} is not)"
            raise PlanSyntaxError(self.line, begun, allowed) from None

    def sees(self, *words: str) -> bool:
        """Whether one of these comes next."""
        if self.at_end:
            return False
        word, _, is_quoted = self._words[self._next]
        return not is_quoted and word in words

    def take(self, *words: str) -> bool:
        """Whether this comes next; then it is read."""
        found = self.sees(*words)
        self._next += found
        return found

    def one_of(self, *words: str) -> str:
        """The one of these that comes next."""
        if not self.sees(*words):
            raise self.fail(" or ".join(map(repr, words)))
        self._next += 1
        return self._words[self._next - 1][0]

    def name(self, of: str) -> str:
        """A name, quoted or bare."""
        if self.at_end or self.sees(";"):
            raise self.fail(of)
        self._next += 1
        return self._words[self._next - 1][0]

    def matching(self, pattern: re.Pattern[str], expected: str) -> str:
        """A bare word of this form."""
        if not self.matches(pattern):
            raise self.fail(expected)
        self._next += 1
        return self._words[self._next - 1][0]

    def matches(self, pattern: re.Pattern[str]) -> bool:
        """Whether a word of this form comes next."""
        if self.at_end:
            return False
        word, _, is_quoted = self._words[self._next]
        return not is_quoted and pattern.fullmatch(word) is not None

    def number(self) -> int:
        return int(self.matching(_NUMBER, "a number"))

    def seconds(self) -> float:
        return float(self.matching(_SECONDS, "a number of seconds, such as 10s")[:-1])


_NUMBER: Final = re.compile(r"\d+")


def _fault(words: _Words) -> Fault:
    verb: Any = words.one_of(*_VERBS)
    if verb == "storage":
        return _storage_fault(words)
    if verb == "clock":
        return ClockFault(words.seconds(), _time(words))
    if verb in MISHAPS:
        return _signal_fault(words, verb)
    if verb == "block" and words.take("loop"):
        return LoopFault(words.seconds(), _time(words))
    who = _who(words)
    length = words.seconds() if verb in LASTING else 0.0
    words.one_of("at")
    return CodeFault(verb, who, _point(words), seconds=length)


def _time(words: _Words) -> Time:
    words.one_of("at")
    return Time(words.seconds())


def _storage_fault(words: _Words) -> Fault:
    failure: Any = words.one_of(*FAILURES)
    length = words.seconds() if failure in LASTING else 0.0
    words.one_of("at")
    operation: Any = words.one_of(*FAILURES[failure])
    return StorageFault(failure, operation, words.number(), seconds=length)


def _signal_fault(words: _Words, mishap: Any) -> Fault:
    nth = words.matching(_ORDINAL, "which signal, such as 2nd")
    type = None if words.sees("signal") else words.name("the type of the signal, or 'signal'")
    words.one_of("signal")
    words.one_of("to")
    to = _who(words)
    length = 0.0
    if mishap in LASTING:
        words.one_of("by")
        length = words.seconds()
    return SignalFault(mishap, to, int(nth[:-2]), type=type, seconds=length)


def _who(words: _Words) -> Who:
    if words.take("any"):
        return AnyOf(words.name("the name of an agent's definition"))
    return words.name("the id of an agent or a child")


def _point(words: _Words) -> Point:
    if words.matches(_SECONDS):
        return Time(words.seconds())
    if not words.sees(*_POINTS):
        raise words.fail(f"{' or '.join(map(repr, _POINTS))} or a time, such as 10s")
    kind = words.one_of(*_POINTS)
    if kind in ("start", "stop"):
        nth = words.number() if words.matches(_NUMBER) else 1
        return Start(nth) if kind == "start" else Stop(nth)
    nth = words.number()
    if kind == "await":
        return Await(nth)
    type = words.name("a type of signals") if words.take("of") else None
    return Received(nth, type=type) if kind == "signal" else _in_turn(words, nth, type)


def _in_turn(words: _Words, nth: int, type: str | None) -> Point:
    if not words.sees(*MOMENTS):
        return Turn(nth, type=type)
    moment: Any = words.one_of(*MOMENTS)
    if moment != "during" and words.take("commit"):
        phase: Any = f"{moment} commit"
        return Turn(nth, phase, type=type)
    words.one_of("directive") if moment == "during" else words.one_of("directive", "commit")
    return DirectiveOf(nth, words.number(), moment, type=type)
