"""How a recorder notes down what it is told as a probe, and finds out what each thing came of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

import trio
from attrs import evolve

from trido.agents import Directive, Signal, Turn
from trido.runtime.dead_letters import DeadLetter, DeadLetters
from trido.runtime.envelope import Call, Envelope
from trido.runtime.mailbox import Mailbox
from trido.runtime.opening import KEPT
from trido.runtime.probe import Probe
from trido.runtime.turns import START, STOP
from trido.supervision.bus import Bus as EventBus
from trido.supervision.current import CURRENT, Current
from trido.supervision.events import Event
from trido.supervision.place import End, Report
from trido.testing import recorder_entries as noted
from trido.testing.recorder_ends import on_asked, taken
from trido.testing.recorder_entries import Note
from trido.testing.recorder_posts import Posts

if TYPE_CHECKING:
    from trido.runtime.environment import Environment
    from trido.runtime.place import AgentPlace

Place: TypeAlias = "AgentPlace[Any]"
E = TypeVar("E", bound=Note)
T = TypeVar("T")


class Notes(Probe):
    """Entries, and what was the last of each kind that may be what the next comes of."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.entries: list[Note] = []
        """All that happened, in order."""
        self.missed: int = 0
        """How many entries there was no room for."""
        self._began: float | None = None
        self._posts = Posts()
        self._open: dict[Envelope, noted.TurnBegun] = {}
        """The turns that have begun, and are not committed."""
        self._decided: dict[Envelope, tuple[Directive, ...]] = {}
        self._wanted: dict[tuple[str, int], Note] = {}
        """What last wanted a signal to be sent."""
        self._current: noted.DirectiveBegun | None = None
        self._last: dict[str, Note] = {}
        """What each agent did last."""
        self._ends: dict[str, noted.RunEnded] = {}
        self._stops: set[tuple[str, int]] = set()
        """The runs that have been asked to stop, and have not ended."""
        self._reports: dict[Place, Report] = {}
        self._heard: list[EventBus] = []

    # What it is told ------------------------------------------------------------------------

    def opened(self, env: Environment) -> None:
        """A runtime is being made."""
        env.letters = Letters(self, env.places.get)

    def started(self, place: Place) -> None:
        """A run of an agent begins."""
        self._listen(place)
        run = place.run
        self._reports[place] = run.report
        on_asked(run.current, lambda: self.stopping(place) if run.was_asked else None)
        cause = self._ends.get(place.id)
        self._note(noted.RunStarted(**self._about(place), cause=cause))

    def offered(self, place: Place, envelope: Envelope) -> bool:
        """A signal comes."""
        is_new = envelope not in self._posts.sent  # a plan may have it come later
        if is_new and _has_room(place.mailbox):  # else it is noted when it is served
            self._note_sent(place, envelope)
        return False

    def begun(self, place: Place, envelope: Envelope) -> None:
        """A turn begins."""
        why = _why(place, envelope)
        sent = self._posts.sent.get(envelope)
        if sent is None and why not in _HOOKS:  # it waited for room
            sent = self._note_sent(place, envelope)
        turn = Turn(
            signal=envelope.signal,
            now=place.env.now(),
            planned=envelope.planned,
            agent_id=place.id,
            revision=place.revision,
            why=why,
        )
        begun = noted.TurnBegun(
            **self._about(place), turn=turn, before=place.state, envelope=envelope, cause=sent
        )
        self._open[envelope] = self._last[place.id] = self._note(begun)
        self._posts.begin(envelope)

    def decided(self, place: Place, envelope: Envelope, directives: tuple[Directive, ...]) -> None:
        """A turn has decided."""
        self._decided[envelope] = directives

    def committed(self, place: Place, envelope: Envelope) -> None:
        """A turn is committed."""
        self._commit(place, envelope)

    def before(self, place: Place, directive: Directive) -> None:
        """A directive is about to be begun."""
        for envelope in [one for one, begun in self._open.items() if begun.agent == place.id]:
            if any(one is directive for one in self._decided.get(envelope, ())):
                self._commit(place, envelope)
        cause = self._last.get(place.id)
        self._current = noted.DirectiveBegun(**self._about(place), directive=directive, cause=cause)
        self._note(self._current)
        self._want(directive, self._current)

    def after(self, place: Place, directive: Directive) -> None:
        """It has been begun."""
        self._current = None

    def wrap(
        self, place: Place, fn: Callable[..., Awaitable[T]], directive: Directive | None
    ) -> Callable[..., Awaitable[T]]:
        """What carries a directive out is noted down when it has ended."""
        return fn if directive is None else self._carrying(place, fn, directive)

    def _carrying(
        self, place: Place, fn: Callable[..., Awaitable[T]], directive: Directive
    ) -> Callable[..., Awaitable[T]]:
        begun = next((one for one in reversed(self.entries) if _is_of(one, directive)), None)

        async def carry_out(*args: Any, **options: Any) -> T:
            about = {**self._about(place), "directive": directive, "cause": begun}
            try:
                result = await fn(*args, **options)
            except BaseException as error:
                outcome: noted.Outcome = "failed" if isinstance(error, Exception) else "cancelled"
                self._note(noted.Effect(**about, outcome=outcome, reason=error))
                raise
            self._note(noted.Effect(**about, outcome="done"))
            return result

        return carry_out

    def stopping(self, place: Place) -> None:
        """A run ends in order: if nobody has asked it to, from here on."""
        self._stop(place.id, place.incarnation)

    def _stop(self, agent: str, incarnation: int) -> None:
        if (agent, incarnation) not in self._stops:
            self._stops.add((agent, incarnation))
            self._note(noted.Stopping(**self._now(), agent=agent, incarnation=incarnation))

    def ended(self, place: Place, end: End) -> None:
        """A run has ended."""
        fault = self._reports.pop(place).child.record.fault
        kind, reason = (end.kind, end.reason) if fault is None else ("crashed", fault)
        self._over(self._about(place), kind, reason)

    def child(
        self, report: Report, fn: Callable[..., Awaitable[object]]
    ) -> Callable[..., Awaitable[object]]:
        """A run of a child begins."""
        about: dict[str, Any] = {
            "agent": report.name,
            "incarnation": report.child.incarnation,
        }
        self._note(noted.RunStarted(**self._now(), **about, cause=self._ends.get(report.name)))
        record = report.child.record

        async def run(*args: Any, **options: Any) -> object:
            on_asked(cast("Current", CURRENT.get()), partial(self._stop, **about))
            try:
                result = await fn(*args, **options)
            except BaseException as error:
                self._over({**self._now(), **about}, *taken(record, error))
                raise
            self._over({**self._now(), **about}, *taken(record, None))
            return result

        return run

    def lettered(self, letter: DeadLetter) -> None:
        """There is a dead letter."""
        cause: Note | None = self._wanted.get(_key(letter.signal)) if letter.signal else None
        sent = self._posts.of(letter)
        envelope = None if sent is None else sent.envelope
        if sent is not None:
            cause = self._open.get(sent.envelope, sent)
        about: dict[str, Any] = {"agent": letter.agent, "letter": letter, "envelope": envelope}
        self._note(noted.Lettered(**self._now(), **about, cause=cause))

    def _hear(self, event: Event) -> None:
        about: dict[str, Any] = {"agent": event.id, "incarnation": event.incarnation}
        self._note(noted.Told(**self._now(), **about, event=event, cause=self._ends.get(event.id)))

    # Noting down ----------------------------------------------------------------------------

    def _note(self, entry: E) -> E:
        if len(self.entries) < self._most:
            self.entries.append(entry)
        else:
            self.missed += 1
        return entry

    def _now(self) -> dict[str, Any]:
        now = trio.current_time()
        if self._began is None:
            self._began = now
        return {"at": now - self._began}

    def _about(self, place: Place) -> dict[str, Any]:
        return {**self._now(), "agent": place.id, "incarnation": place.incarnation}

    def _note_sent(self, place: Place, envelope: Envelope) -> noted.Sent:
        cause: Note | None = self._current
        if envelope.why in _FROM_INSIDE and cause is None:
            cause = self._wanted.get(_key(envelope.signal))
        sent = noted.Sent(**self._about(place), envelope=envelope, how=envelope.why, cause=cause)
        self._posts.add(self._note(sent))
        return sent

    def _commit(self, place: Place, envelope: Envelope) -> None:
        begun = self._open.pop(envelope, None)
        if begun is None:
            return  # it was, before its first directive
        self._posts.settle(envelope)
        durable = place.durable
        kept: Any = place if durable is None else durable
        request = envelope.request if isinstance(envelope, Call) else None
        committed = noted.TurnCommitted(
            **self._about(place),
            begun=begun,
            state=kept.state,
            revision=kept.revision,
            request=request,
            directives=self._decided.pop(envelope, ()),
            cause=begun,
        )
        self._last[place.id] = self._note(committed)
        for one in committed.directives:
            self._want(one, committed)

    def _want(self, directive: Directive, cause: Note) -> None:
        signal = getattr(directive, "signal", None)
        if isinstance(signal, Signal):
            self._wanted[_key(signal)] = cause

    def _over(self, about: dict[str, Any], kind: str, reason: BaseException | None) -> None:
        ended = noted.RunEnded(**about, kind=kind, reason=reason)
        self._stops.discard((ended.agent, ended.incarnation))
        last = self._last.get(ended.agent)
        if ended.is_crash and last is not None and last.incarnation == ended.incarnation:
            ended = evolve(ended, cause=last)
        self._ends[about["agent"]] = self._note(ended)

    def _listen(self, place: Place) -> None:
        """Hear what the supervisors of its runtime tell."""
        runtime = place.env.runtime
        if runtime is not None and runtime.supervisor.bus not in self._heard:
            self._heard.append(runtime.supervisor.bus)
            runtime.supervisor.bus._observers.append(self._hear)


_HOOKS: Final = frozenset({"start", "restart", "stop"})
_FROM_INSIDE: Final = frozenset({"emit", "timer"})


def _why(place: Place, envelope: Envelope) -> Any:
    if envelope.signal is START:
        return "start" if place.incarnation == 1 else "restart"
    return "stop" if envelope.signal is STOP else envelope.why


def _has_room(mailbox: Mailbox) -> bool:
    return not mailbox.waiting and len(mailbox) < mailbox._capacity


def _key(signal: Signal) -> tuple[str, int]:
    """What stays the same of a signal when it is stamped on its way."""
    return signal.type, id(signal.data)


def _is_of(entry: Note, directive: Directive) -> bool:
    return isinstance(entry, noted.DirectiveBegun) and entry.directive is directive


class Letters(DeadLetters):  # type: ignore[misc]  # final for all but who looks on
    """Dead letters that a recorder is told of."""

    __slots__ = ("_recorder",)

    def __init__(self, recorder: Notes, find: Any) -> None:
        super().__init__(KEPT, find)
        self._recorder = recorder

    def add(self, letter: DeadLetter) -> None:
        """Keep one, and tell."""
        super().add(letter)
        self._recorder.lettered(letter)
