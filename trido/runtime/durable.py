"""Durable turns: what an agent decides becomes so once its journal has it.

A pure turn may be decided on a state that is not durable yet, so decisions run *ahead* of the disk,
and many turns share one transaction. Nothing of such a turn shows before it is durable: no answer,
no directive, no state. The turns that are ahead stand in a queue here, in order; each takes effect
when the journal says so.

What can come of one:

- It is durable. It takes effect, and the next one is looked at.
- Its input was consumed before: the turn did not happen, and the sender gets what was kept then.
  Those behind it were decided on a state that never was; they are decided again.
- It was refused: another run owns the agent (`Fenced`), say. This run ends.
- It is not known (`Unavailable`). Callers are told so at once. The agent is claimed again, however
  long that takes: its revision then says which of the turns that are ahead did happen.

All of this belongs to the agent's place: a crash of its run undoes nothing that is being written,
and the next run's claim is written after it. Timers are part of what is decided: they are set at
once, and when turns are undone, set anew from the rows that the journal has.
"""

from __future__ import annotations

import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast, final

import trio
from attrs import evolve
from outcome import Error, Outcome, Value, capture

from trido.agents import Signal, Turn
from trido.agents.codec.errors import CodecError, in_file
from trido.agents.directive import Directive
from trido.journal import JournalError, Unavailable
from trido.journal.errors import again
from trido.journal.operations import Claim
from trido.journal.rows import AgentKey, Keep, Kept, Recovery
from trido.journal.session import Session
from trido.runtime import turns
from trido.runtime.ahead import AHEAD, Ahead, deferred, key_of, split, verdict
from trido.runtime.envelope import Call, Envelope, Own
from trido.runtime.errors import AgentStopped
from trido.runtime.inbox import KNOWN, Inbox
from trido.runtime.naming import key_of as key_of_agent
from trido.runtime.plan import Plan
from trido.runtime.recovering import Recovered, strangers, try_again
from trido.runtime.standing import Ledger
from trido.runtime.timer import Fired
from trido.runtime.writing import Writer

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace
    from trido.runtime.server import AgentRun

S = TypeVar("S")

_PAUSES: Final = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""How long to wait before the agent is claimed again."""


@final
class Durable(Generic[S]):
    """The durable part of one agent's place."""

    __slots__ = (
        "_ahead",
        "_claim_scope",
        "_has_lost_hook",
        "_inbox",
        "_quiet",
        "_recovered",
        "_stops",
        "_turn",
        "_writer",
        "epoch",
        "is_claiming",
        "is_sync",
        "key",
        "ledger",
        "place",
        "revision",
        "session",
        "state",
    )

    def __init__(self, place: AgentPlace[S], session: Session) -> None:
        self.place: AgentPlace[S] = place
        self.session: Session = session
        self.is_sync: bool = place.settings.durability == "sync"
        self.key: AgentKey = key_of_agent(place.id)
        self.epoch: int = 0
        self.state: S = place.state
        """The latest state that is durable; the place has the one that was decided last."""
        self.revision: int = 0
        """Its revision."""
        self.is_claiming: bool = True
        """It is not known yet what is durable."""
        self.ledger: Ledger = Ledger(self, place.id)
        self._writer: Writer[S] = Writer(place)
        self._recovered: Recovered[S] | None = None
        self._ahead: deque[Ahead[S]] = deque()
        self._inbox: Inbox = Inbox(place, session, self.key)
        self._turn: tuple[Turn, bool] | None = None
        self._has_lost_hook = self._stops = False
        self._quiet: trio.Event | None = None
        self._claim_scope: trio.CancelScope | None = None

    # A run begins -----------------------------------------------------------------------------

    def begin(self) -> None:
        """A run begins: it decides nothing before it has claimed the agent."""
        self.is_claiming = True
        if self.place.has_ended:
            self.epoch = 0  # what it had in mind is gone

    async def recover(self) -> None:
        """Claim the agent for a new run, and go on with what is durable. No handler is run.

        It is waited for, for as long as the journal is not available.

        Raises:
          JournalError, CodecError: what is stored cannot be gone on with. It is left as it is.
        """
        recovery = await self._claim()
        if self.epoch and recovery.revision <= self._last_sent:
            self._sort_out(recovery)
        else:
            with in_file(self.session.file):
                await self._take_over(recovery)
        self.place.timers.begin(self._schedules())
        self._settle_down()

    @property
    def _last_sent(self) -> int:
        return self._ahead[-1].revision if self._ahead else self.revision

    def _schedules(self) -> tuple[Any, ...]:
        """Those of the definition, until they are rows."""
        return self.place.settings.schedules if self.place.revision == 0 else ()

    async def _claim(self) -> Recovery:
        pauses = iter(_PAUSES)
        write = Claim(self.key, self.place.agent.name, keep=self._keep(), known=KNOWN)
        while True:
            try:
                return await self.session.write(write, sync=self.is_sync)
            except Unavailable as error:
                _LOG.warning("agent %r waits for its journal: %s", self.place.id, error)
            await trio.sleep(next(pauses, _PAUSES[-1]))

    def _keep(self) -> Keep:
        settings = self.place.settings
        most, age = settings.dedupe
        return Keep(history=settings.history, dedupe=most, dedupe_for=int(age.total_seconds()))

    async def _take_over(self, recovery: Recovery) -> None:
        """Go on with what another process has left."""
        recovered = await Recovered.of(self.place, self.session, recovery)
        self.epoch = recovery.epoch
        self.place.state = self.state = recovered.state
        self.place.revision = self.revision = recovery.revision
        self._ahead.clear()
        self._inbox.take_over(recovery)
        self._restore_timers(recovery)
        self._recovered = recovered
        self.is_claiming = False

    def _restore_timers(self, recovery: Recovery) -> None:
        self._writer.begin(row.key for row in recovery.timers)
        codec = self.place.codec
        timers = [codec.decode_timer(one.key, one.due, one.data) for one in recovery.timers]
        self.place.timers.restore(timers)

    def carry_on(self) -> None:
        """The run is ready: first of all, carry out what was committed before."""
        if self._recovered is not None:
            recovered, self._recovered = self._recovered, None
            recovered.carry_out(self.ledger)
        if self._stops:
            self._stop()

    # A claim within a run -----------------------------------------------------------------------

    def not_known(self, error: Unavailable) -> None:
        """It is not known what is durable: tell callers, who may send the same again; find out."""
        for ahead in self._ahead:
            if isinstance(ahead.envelope, Call) and ahead.is_sent:
                ahead.envelope.lose(again(error))
        self._claim_again()
        self.ended()

    def ended(self) -> None:
        """If the agent has ended for good, nobody will find out what is not known."""
        if not (self.is_claiming and self.place.has_ended):
            return
        ahead, self._ahead = self._ahead, deque()
        for one in ahead:
            if isinstance(one.envelope, Call):
                one.envelope.lose(_not_known(self.place.id))
            else:
                self.place.fail(one.envelope, AgentStopped(self.place.id))

    def _claim_again(self) -> None:
        if self.is_claiming:
            return
        self.is_claiming = True
        run = self.place.run if self.place.has_run else None
        if run is not None and run.may_await:  # else the next run claims it
            self._claim_scope = trio.CancelScope()
            run.need_host().start_soon(self._reclaim, self._claim_scope)

    async def _reclaim(self, scope: trio.CancelScope) -> None:
        with scope:
            recovery = await self._claim()
            if recovery.revision > self._last_sent:
                raise JournalError(
                    repr(self.session),
                    f"agent {self.place.id!r} has turns that are not of this run",
                    "run it in one place at a time",
                )
            self._sort_out(recovery)
            self._settle_down()

    def winds_up(self) -> None:
        """The run crashes: the next one finds out."""
        if self._claim_scope is not None:
            self._claim_scope.cancel(reason="its agent has crashed")

    def _sort_out(self, recovery: Recovery) -> None:
        """Which of the turns that are ahead did happen; the others are decided again."""
        self.epoch = recovery.epoch
        unsent = [one for one in self._ahead if not one.is_sent]
        sent = [one for one in self._ahead if one.is_sent]
        happened, undone = split(sent, recovery.revision)
        self._ahead.clear()
        for one in happened:
            self._take_effect(one)
        if undone:
            self._undo(undone, recovery)
        self.is_claiming = False
        self.ledger.sort_out(recovery)
        self._look_at_strangers(recovery)
        self._ahead.extend(unsent)
        for one in unsent:
            if not self.is_claiming:
                self._send(one)

    def _look_at_strangers(self, recovery: Recovery) -> None:
        """Directives that the journal has, and nobody here is about to carry out."""
        if self._recovered is not None:
            return  # those are to be carried out when the run is ready
        found = strangers(recovery, self.ledger)
        if found.directives or found.unknown:
            self._recovered = Recovered(self.place, self.state, found, {})
            run = self.place.serving_run
            if run is not None and run.phase == "serving":
                self.carry_on()

    def _undo(self, undone: list[Ahead[S]], recovery: Recovery) -> None:
        """These did not happen: their signals are the next to be served."""
        place = self.place
        place.state, place.revision = self.state, self.revision
        self._stops = False
        self._writer.undo()
        self._restore_timers(recovery)
        place.timers.begin(self._schedules())
        for one in reversed(undone):
            self._give_back(one)

    def _give_back(self, ahead: Ahead[S]) -> None:
        envelope = ahead.envelope
        if isinstance(envelope, Own):
            self._has_lost_hook = True
        elif isinstance(envelope, Fired) or (isinstance(envelope, Call) and envelope.is_settled):
            pass  # its timer is set anew; its caller was told
        elif isinstance(envelope, Call) and ahead.caller_left is not None:
            envelope.end(capture(ahead.caller_left))
        else:
            self.place.take_back(envelope)

    # Turns ------------------------------------------------------------------------------------

    def admits(self, envelope: Envelope) -> bool:
        """Whether the turn of this signal, which is the next, may begin now."""
        if self.is_claiming or self._stops or len(self._ahead) >= AHEAD:
            return False
        key = None if envelope.signal.id is None else key_of(envelope)
        if key is not None and not self._knows(key):
            return False
        return not self._ahead or not self._awaits(envelope)

    def _knows(self, key: str) -> bool:
        """Whether it is known if this input was consumed."""
        if key in self._inbox:
            return True
        return not any(one.key == key for one in self._ahead) and self._inbox.knows(key)

    def _awaits(self, envelope: Envelope) -> bool:
        """Whether its handler may be one that awaits: that begins on a durable state only."""
        return any(route.is_async for route in self.place.agent.routes.match(envelope.signal.type))

    def serve(self, run: AgentRun[S], envelope: Envelope) -> None:
        """Serve a signal that was admitted. One that was served before is answered as it was."""
        key = key_of(envelope)
        if key is None or key not in self._inbox:
            turns.serve(run, envelope)
        else:
            self._inbox.answer(envelope, key)

    def note(self, turn: Turn, *, effectful: bool) -> None:
        """This is what a handler is given."""
        self._turn = (turn, effectful)

    def turn_of(self, envelope: Envelope) -> tuple[Turn, bool]:
        """What it was given, or would have been; and whether it awaited."""
        noted, self._turn = self._turn, None
        if noted is not None and noted[0].signal is envelope.signal:
            return noted  # it has the revision, for nothing came in between
        turn, self._turn = turns.turn_of(self.place.run, envelope), None
        return turn, False

    def commit(self, envelope: Envelope, state: S, plan: Plan | None) -> None:
        """Write a turn; it takes effect once it is durable.

        Raises:
          InvalidData: its input cannot be written. Nothing was.
          CodecError: what was decided cannot be. Nothing was.
        """
        place, writer = self.place, self._writer
        try:
            if plan is None and self._turn is None and writer.takes_plainly(envelope):
                ahead = writer.plain(self, envelope, state)
            else:
                turn, effectful = self.turn_of(envelope)
                ahead = writer.ahead(self, envelope, state, plan, turn, effectful=effectful)
        except CodecError as error:
            error.file = self.session.file
            raise
        place.state, place.revision = state, ahead.write.revision
        if plan is not None and plan.stops:
            self._stops = True
        self._ahead.append(ahead)
        if not self.is_claiming:
            self._send(ahead)

    def commit_own(self, signal: Signal) -> None:
        """Write a turn that only keeps or drops timers: no handler decides."""
        self._turn = None
        self.commit(Own(signal), self.place.state, None)

    @property
    def has_timers_to_keep(self) -> bool:
        """Whether timers are set that the journal does not know."""
        return self.place.revision == 0 and bool(self.place.settings.schedules)

    @property
    def has_timers_to_drop(self) -> bool:
        """Whether the journal has timers, and there is to be no next run."""
        return bool(self._writer.rows) and self.place.ends_for_good

    def is_over(self, fired: Fired) -> None:
        """A firing of a timer is a dead letter: the next turn sees to its row."""
        self._writer.is_over(fired)

    def retry(self, directive: Directive, id: tuple[int, int], cause: Signal) -> None:
        """Carry out a directive that the journal has given up, or whose outcome is not known."""
        if id not in self.ledger:
            standing = self.ledger.open(id, cause, 0)
            standing.is_unknown = True
            self.ledger.told.discard(id)
            try_again(self.place, directive, standing)

    def _send(self, ahead: Ahead[S]) -> None:
        ahead.is_sent = True
        if ahead.write.epoch != self.epoch:  # it was decided before the agent was claimed
            ahead.write = evolve(ahead.write, epoch=self.epoch)
        try:
            self.session.submit(ahead.write, partial(self._landed, ahead), sync=self.is_sync)
        except Unavailable as error:
            self.not_known(error)

    # What comes of them -------------------------------------------------------------------------

    def _landed(self, ahead: Ahead[S], outcome: Outcome[Kept | None]) -> None:
        try:
            waiting = self._ahead
            # It is nearly always so; `_land` is for all that can come of it.
            if (
                type(outcome) is Value
                and outcome.value is None
                and not self.is_claiming
                and waiting
                and waiting[0] is ahead
            ):
                waiting.popleft()
                self._take_effect(ahead)
            else:
                self._land(ahead, outcome)
        # The journal's writer, and other agents, must not suffer from a mistake in here.
        except BaseException as error:  # noqa: ASYNC103
            self.place.crash(error)
        self._settle_down()

    def _land(self, ahead: Ahead[S], outcome: Outcome[Kept | None]) -> None:
        said = verdict(outcome)
        if self.is_claiming or not self._ahead or self._ahead[0] is not ahead:
            # What a claim tells counts, or it is decided again already.
            if said == "lost" and isinstance(ahead.envelope, Call):
                ahead.envelope.lose(_not_known(self.place.id))
            return
        if said == "known":
            self._ahead.popleft()
            kept: Any = outcome.unwrap()
            self._inbox.answer_with(ahead.envelope, kept.reply)
            self.place.state, self.place.revision = self.state, self.revision
            self._claim_again()
            self.ended()
        else:
            self._failed(cast("Error", outcome).error)

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, Unavailable):
            self.not_known(error)
            return
        turns_ahead, self._ahead = self._ahead, deque()
        self.is_claiming = True
        self.place.state, self.place.revision = self.state, self.revision
        self._stops = False
        self._writer.undo()
        for one in turns_ahead:
            self.place.interrupted(one.envelope, error)
        self.place.crash(error)

    def _take_effect(self, ahead: Ahead[S]) -> None:
        place, plan, state = self.place, ahead.plan, ahead.state
        self.state, self.revision = state, ahead.write.revision
        if ahead.key is not None:
            self._inbox.remember(ahead.key, ahead.write.reply)
            if plan is not None and plan.reply is not None and ahead.write.reply is not None:
                self._inbox.remember_value(ahead.key, plan.reply.value)
        if place._waiting is not None:
            place._waiting.tell(state)
        if plan is None:
            ahead.envelope.answer(state)
        else:
            self._answer(ahead, plan)
            self._act(ahead, plan)
        if place.env.probe is not None:
            place.env.probe.committed(place, ahead.envelope)

    def _answer(self, ahead: Ahead[S], plan: Plan) -> None:
        envelope = ahead.envelope
        if deferred(ahead) and ahead.caller_left is not None and isinstance(envelope, Call):
            envelope.end(capture(ahead.caller_left))
        else:
            turns.answer(self.place, envelope, plan, ahead.state)

    def _act(self, ahead: Ahead[S], plan: Plan) -> None:
        place = self.place
        for index, directive in enumerate(plan.errands):
            if place.has_ended:
                break  # it is in the journal, for a later run
            attempts = ahead.write.directives[index].attempts
            standing = self.ledger.open((ahead.revision, index), ahead.cause, attempts)
            standing.is_instant = ahead.envelope.is_instant
            place.carry_out(directive, standing)
        if plan.stops:
            self._stop()
        elif plan.hibernates:
            place.wants_sleep()

    def _stop(self) -> None:
        if self.place.has_run and self.place.run.phase != "starting":
            self._stops = False
            self.place.run.stop()

    # Waiting ------------------------------------------------------------------------------------

    @property
    def is_quiet(self) -> bool:
        """Whether all that was decided is durable, or known not to be."""
        return not self.is_claiming and not self._ahead

    @property
    def errands(self) -> int:
        """How many directives are decided and not durable."""
        return sum(len(one.plan.errands) for one in self._ahead if one.plan is not None)

    @property
    def is_settled(self) -> bool:
        """Whether the journal has all that there is to say of it."""
        return self.is_quiet and not self.ledger and not self._writer.is_behind

    @property
    def is_busy(self) -> bool:
        """Whether something that was decided is not durable, or waits for being counted."""
        return bool(self._ahead) or self.ledger.is_counting

    async def landed(self) -> bool:
        """Wait until all is quiet; whether the turn of a start or a stop was lost on the way."""
        while not self.is_quiet:
            self._quiet = trio.Event()
            await self._quiet.wait()
        lost, self._has_lost_hook = self._has_lost_hook, False
        return not lost

    def _settle_down(self) -> None:
        if self._quiet is not None and self.is_quiet:
            self._quiet.set()
        place = self.place
        if place.mailbox.oldest is not None:
            place.wake()
        place.went_idle()

    def holds(self, call: Call, cancelled: Any) -> bool:
        """Whether the turn of a call is being written: then its caller waits for what comes."""
        for one in self._ahead:
            if one.envelope is call:
                one.caller_left = cancelled
                return True
        return False


def _not_known(id: str) -> Unavailable:
    reason = f"it is not known whether agent {id!r} has committed the turn"
    return Unavailable("the journal", reason, "send the same signal again, with its id")


_LOG: Final = logging.getLogger("trido")
