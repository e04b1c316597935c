"""Real supervisors of which each is followed by a model that hears the same in the same order.

Whatever the schedule was, the order in which a supervisor heard things is what happened; the model
says what had to follow from it.
"""

from __future__ import annotations

from collections.abc import Iterable

import trio

import trido
from tests.faults.comparing import (
    Books,
    agree,
    counted,
    expected,
    follow,
    ordered,
    recounted,
    replies,
    snapshot,
)
from tests.faults.model import Model, Place
from tests.faults.troupe import Stage
from trido.supervision import messages
from trido.supervision.decision import Machine
from trido.supervision.messages import EndKind, Input, Operations
from trido.supervision.records import Record, Settings


class JudgedMachine(Machine):
    def __init__(self, settings: Settings, children: Iterable[Record], stage: Stage) -> None:
        super().__init__(settings, children)
        self.stage = stage
        stage.machines.append(self)
        places = [Place(record.id, record.policy) for record in self.records.values()]
        self.model = Model(settings, places)
        self.books = Books()

    def forget_error(self) -> None:
        """It is kept: to compare it with what left the block."""

    def handle(self, event: Input) -> Operations:
        try:
            yield from self._handle(event)
        except AssertionError as error:
            self.stage.faults.append(error)
            raise

    def _handle(self, event: Input) -> Operations:
        self.books.enter(event)
        self.tells_all = True  # whether anybody else listens or not
        if isinstance(event, messages.RunEnded):
            self._check_end(event)
        wanted, told = self.model.feed(event), []
        for operation, seen in follow(self, event, Machine.handle):
            self.books.carry_out(operation)
            if not isinstance(operation, messages.Moved):
                told.append(seen)
            yield operation
        self.books.stopping = self.phase in ("stopping", "ended")
        # Whoever took back a request may still be answered: nobody hears it.
        withdrawn = self.books.withdrawn
        agree("what is done", ordered(told), ordered(wanted))
        agree("the answers", replies(told, withdrawn), replies(wanted, withdrawn))
        agree("the state", snapshot(self), expected(self.model))
        agree("live, zombies, significant", counted(self), recounted(self))

    def _check_end(self, event: messages.RunEnded) -> None:
        """It is over, and is said to be over as it was (§9, §3)."""
        path = (*self.settings.path, event.id)
        left = [one for one in self.stage.alive if one[: len(path)] == path]
        assert not left, f"{path} is said to have ended, but {left} live"
        record = self.records.get(event.id)
        below = [one for one in self.stage.machines if one.settings.path == path]
        if record is None or record.incarnation != event.run:
            return
        if record.policy.kind == "worker":
            wanted = kinds_of(self.stage.last_words.get((path, event.run), NOTHING))
            reason = self.stage.last_words.get((path, event.run))
        else:
            wanted, reason = kinds_of_supervisor(below[-1]), below[-1].error
        assert event.end.kind in wanted, f"{path}: {event.end} is none of {wanted}"
        assert event.end.reason is (None if isinstance(reason, trio.Cancelled) else reason)


NOTHING = trio.Cancelled._create(source="deadline")
"""What a run that never got to its first line would have said."""


def kinds_of(words: BaseException | None) -> tuple[EndKind, ...]:
    match words:
        case None | trido.Shutdown():
            return ("normal",)
        case trio.Cancelled():
            return ("stopped", "killed")
        case trido.Ignore():
            return ("ignored",)
        case trido.Escalate():
            return ("escalated",)
        case Exception():
            return ("crashed",)
        case _:
            return ("fatal",)


def kinds_of_supervisor(machine: Machine) -> tuple[EndKind, ...]:
    if machine.outcome == "fatal":
        return ("fatal",)
    if isinstance(machine.error, trido.StartFailed):
        return ("crashed",)
    return ("normal",) if machine.error else ("normal", "stopped", "killed")
