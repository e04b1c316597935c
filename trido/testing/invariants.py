"""Invariants: what should hold of any run, whatever failed in it.

Each is a function of a `Recorder`, as `judging` has it: it returns nothing, or raises an
`InvariantFailed` that tells what is wrong and what it came of. Those with a limit are made by a
function of the limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from trido.agents import Directive
from trido.checks import exceptions, seconds
from trido.errors import SpecError
from trido.runtime.envelope import Call
from trido.supervision.events import ChildStopped
from trido.testing import arguments
from trido.testing.explain import explain
from trido.testing.faults_signals import Copy
from trido.testing.judging import Invariant, InvariantFailed, judge
from trido.testing.judging import invariants as checked
from trido.testing.recorder import Recorder
from trido.testing.recorder_entries import (
    Effect,
    Lettered,
    Note,
    RunEnded,
    RunStarted,
    Sent,
    Stopping,
    Told,
    TurnCommitted,
)


def check(recorder: Recorder, *invariants: Invariant) -> None:
    """Fail by the first of ``invariants`` that does not hold: raises, or returns what is false.

    To return None is to hold.

    Raises:
      SpecError: there are none, or one of them is none, or would have to be awaited.
      InvariantFailed: one does not hold.
      Exception: what else one raises.
    """
    if not invariants:
        raise SpecError("invariants", invariants, "one invariant at least", of="check")
    for one in checked("check", "invariants", invariants):
        judge("check", "invariants", one, recorder, about=recorder)


def _fail(name: str, recorder: Recorder, what: str, about: Note | None = None) -> InvariantFailed:
    return InvariantFailed(name, what, "" if about is None else explain(recorder, about))


def whole(name: str, recorder: Recorder) -> None:
    """Of what is not there nothing can be said."""
    if not isinstance(recorder, Recorder):
        raise SpecError("recorder", recorder, "a trido.testing.Recorder", of=name)
    if recorder.missed:
        what = f"{recorder.missed} entries were not kept: give Recorder(most=...) more room"
        raise InvariantFailed(name, what)
    if not recorder.entries:
        what = "nothing was recorded: enter the Recorder before the runtime or supervisor is opened"
        raise InvariantFailed(name, what)


def nothing_lost(recorder: Recorder, *, allow: Iterable[type[Exception]] = ()) -> None:
    """Every signal was served: its turn was committed, or its sender was told no.

    A dead letter is a loss, unless its reason is allowed. So is a directive that failed.

    Args:
      recorder: what was recorded, to the end.
      allow: reasons of dead letters, and of failed directives, that are no loss.

    Raises:
      InvariantFailed: one was not.
    """
    whole("nothing_lost", recorder)
    reasons = arguments.several("nothing_lost", "allow", allow, "Exception classes, in a list")
    allowed = exceptions("nothing_lost", "allow", reasons)
    served = {id(one.begun.envelope) for one in recorder.of(TurnCommitted)}
    served |= {id(one.envelope) for one in recorder.of(Lettered)}
    for letter in recorder.of(Lettered):
        if not isinstance(letter.letter.reason, allowed):
            raise _fail("nothing_lost", recorder, f"{letter.agent} {letter.said()}", letter)
    for sent in recorder.of(Sent):
        told = isinstance(sent.envelope, Call) and sent.envelope.is_settled
        withdrawn = sent.how == "timer"  # for another of its key
        if not (id(sent.envelope) in served or told or withdrawn):
            what = f"{sent.signal!r} came to {sent.agent!r}, and was never served"
            raise _fail("nothing_lost", recorder, what, sent)
    for effect in recorder.of(Effect):
        is_told = getattr(effect.directive, "error", None) is not None  # by a signal
        if effect.outcome == "failed" and not is_told and not isinstance(effect.reason, allowed):
            raise _fail("nothing_lost", recorder, f"{effect.agent} {effect.said()}", effect)


def nothing_twice(
    recorder: Recorder,
    directive: type[Directive] | None = None,
    *,
    key: Callable[[Any], Hashable] | None = None,
) -> None:
    """No signal was served twice, and nothing was done twice.

    Two signals with the same id are one, and so are one and what a plan made of it by
    ``duplicate``. Of directives of the given class, two for which ``key``
    gives the same are one; without a key, two that are equal.

    Args:
      recorder: what was recorded.
      directive: the class of directives to look at.
      key: what tells whether two of them mean the same, such as the number of an order.

    Raises:
      InvariantFailed: something was.
    """
    whole("nothing_twice", recorder)
    _check_kind(directive, key)
    served: dict[Hashable, TurnCommitted] = {}
    for turn in recorder.of(TurnCommitted):
        envelope = turn.begun.envelope
        which = envelope.original if isinstance(envelope, Copy) else envelope
        first = served.setdefault((turn.agent, turn.signal.id or which), turn)
        if first is not turn:
            what = (
                f"{turn.agent!r} served {turn.signal!r} twice: as revision {first.revision}, at"
                f" {first.at:.3f}, and as revision {turn.revision}, at {turn.at:.3f}"
            )
            raise _fail("nothing_twice", recorder, what, turn)
    done: dict[Hashable, Effect] = {}
    for effect in recorder.of(Effect):
        if directive is not None and isinstance(effect.directive, directive):
            same = effect.directive if key is None else key(effect.directive)
            if effect.outcome == "done":
                _once("nothing_twice", recorder, done, same, effect)


def _check_kind(directive: object, key: object) -> None:
    if not (directive is None or isinstance(directive, type)):
        raise SpecError("directive", directive, "a class of directives", of="nothing_twice")
    if key is not None and (directive is None or not callable(key)):
        allowed = "a function of a directive, with the class of directives to look at"
        raise SpecError("key", key, allowed, of="nothing_twice")


def _once(name: str, recorder: Recorder, seen: dict[Any, Any], key: Any, entry: Any) -> None:
    first = seen.setdefault(key, entry)
    if first is not entry:
        what = f"{entry.agent} {entry.said()}; it did so before, at {first.at:.3f}"
        raise _fail(name, recorder, what, entry)


def siblings_untouched(recorder: Recorder) -> None:
    """Nobody was stopped and started again because somebody else crashed.

    Raises:
      InvariantFailed: somebody was.
    """
    whole("siblings_untouched", recorder)
    for start in recorder.of(RunStarted):
        end = start.cause
        if not isinstance(end, RunEnded) or end.kind not in {"stopped", "killed"}:
            continue
        before = recorder.entries[: recorder.entries.index(start)]
        crash = [one for one in before if isinstance(one, RunEnded) and one.is_crash]
        if crash and crash[-1].at <= end.at and crash[-1].agent != start.agent:
            what = f"{start.agent!r} was restarted, for {crash[-1].agent!r} crashed"
            raise _fail("siblings_untouched", recorder, what, crash[-1])


def restart_within(budget: float) -> Invariant:
    """Whoever crashed runs again after at most ``budget`` seconds.

    Somebody who has not come back when the record ends had so much time less.

    Raises:
      SpecError: at once, if it is no number of seconds.
    """
    seconds("restart_within", "budget", budget, finite=True)

    def restart_within(recorder: Recorder) -> None:
        whole("restart_within", recorder)
        again = {id(one.cause): one.at for one in recorder.of(RunStarted)}
        last = recorder.entries[-1].at
        for crash in recorder.crashes:
            took = again.get(id(crash), math.inf) - crash.at
            if took > budget and (took < math.inf or last - crash.at > budget):
                said = "never came back" if took == math.inf else f"took {took:.3f} s"
                what = f"{crash.agent!r} {said}, and may take {budget:g} s"
                raise _fail("restart_within", recorder, what, crash)

    return restart_within


def stops_within(deadline: float) -> Invariant:
    """Whoever was asked to stop had ended after at most ``deadline`` seconds, and was not killed.

    Raises:
      SpecError: at once, if it is no number of seconds.
    """
    seconds("stops_within", "deadline", deadline, finite=True)

    def stops_within(recorder: Recorder) -> None:
        whole("stops_within", recorder)
        for told in recorder.of(Told):
            if isinstance(told.event, ChildStopped) and told.event.outcome == "killed":
                what = f"{told.agent!r} did not stop, and was killed"
                raise _fail("stops_within", recorder, what, told)
        for asked, end in _stops(recorder):
            if end is not None and end.kind == "killed":
                what = f"{asked.agent!r} did not stop, and was killed"
                raise _fail("stops_within", recorder, what, end)
            if end is None or end.at - asked.at > deadline:
                took = "has not ended" if end is None else f"took {end.at - asked.at:.3f} s"
                what = f"{asked.agent!r} {took}, and may take {deadline:g} s to stop"
                raise _fail("stops_within", recorder, what, end or asked)

    return stops_within


def _stops(recorder: Recorder) -> Iterator[tuple[Stopping, RunEnded | None]]:
    """Who was asked to stop, and the end of that run, if it came."""
    asked: dict[tuple[str, int], Stopping] = {}
    for one in recorder:
        run = (one.agent, one.incarnation)
        if isinstance(one, Stopping):
            asked[run] = one
        elif isinstance(one, RunEnded) and run in asked:
            yield asked.pop(run), one
    yield from ((one, None) for one in asked.values())


def no_task_left(recorder: Recorder) -> None:
    """When its block was left, every task that began in it had ended.

    Leave the block once everything in it is closed, and where its nurseries are still open.

    Raises:
      InvariantFailed: some were still running, or its block is not left yet.
    """
    if not isinstance(recorder, Recorder):
        raise SpecError("recorder", recorder, "a trido.testing.Recorder", of="no_task_left")
    if not recorder.is_over:
        what = "its block is not left yet: ask once it is"
        raise InvariantFailed("no_task_left", what)
    if recorder.left:
        what = f"{len(recorder.left)} tasks are left: {', '.join(recorder.left)}"
        raise InvariantFailed("no_task_left", what)
