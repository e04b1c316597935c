"""The model's state, and what is done in one go: no waiting, no deciding what comes next.

See `tests.faults.model`.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from attrs import Factory, define

from trido.supervision.messages import End
from trido.supervision.policy import BRUTAL_KILL, ChildPolicy
from trido.supervision.records import Settings

Output: TypeAlias = tuple[Any, ...]
"""What is told or done: a word, and what it is about."""


@define(eq=False)
class Place:
    id: str
    policy: ChildPolicy
    state: str = "stopped"
    run: int = 0
    restarts: int = 0
    value: object = None
    last_crash: Any = None

    alive: bool = False
    ready: bool = False
    asked: bool = False
    killed: bool = False
    fault: Any = None
    dead: End | None = None
    """How it ended by itself, while that waits in the mailbox."""

    purpose: str = ""
    """What it is started for, until that is over: init, restart, start_child, restart_child."""
    caller: int | None = None
    """Who waits for that start."""
    subject: Place | None = None
    """Whose end led to that start."""
    verdict: str = ""

    ready_since: float = 0.0
    attempt: int = 0
    in_a_row: int = 0
    window: list[float] = Factory(list)
    chain: object = None
    due: float = -math.inf
    alarm: tuple[float, int, str] | None = None
    stoppers: list[int] = Factory(list)
    """Who waits for it to be stopped."""


@define(eq=False)
class ModelState:
    settings: Settings
    places: list[Place]
    phase: str = "new"
    outcome: str = "shutdown"
    error: Any = None
    now: float = 0.0
    u: float = 0.0
    window: list[float] = Factory(list)
    fatal: list[BaseException] = Factory(list)
    mailbox: list[tuple[Any, ...]] = Factory(list)
    paused: list[tuple[Place, object]] = Factory(list)
    killing: bool = False
    kill_at: float = math.inf
    alarms_set: int = 0
    out: list[Output] = Factory(list)
    all_asked: bool = False

    # One place ---------------------------------------------------------------------------------

    def ask(self, place: Place) -> None:
        if place.asked:
            return
        place.asked = True
        if place.state in ("starting", "running"):
            place.state = "stopping"
        if place.fault is None:
            self.cancel_run(place)
        elif self.grace(place) == 0:
            self.kill_run(place)

    def fail_run(self, place: Place, error: Any) -> None:
        place.fault = error
        if place.state != "restarting":
            place.state = "stopping"
        self.cancel_run(place)

    def grace(self, place: Place) -> float:
        shutdown = place.policy.shutdown
        return 0.0 if self.killing or shutdown is BRUTAL_KILL else float(shutdown)

    def cancel_run(self, place: Place) -> None:
        if self.grace(place) == 0:
            self.kill_run(place)
        else:
            deadline = self.now + self.grace(place)
            self.set_alarm(place, "grace", deadline)
            self.out.append(("CancelRun", place.id, place.run, deadline))

    def kill_run(self, place: Place) -> None:
        if not place.killed:
            place.killed, place.alarm = True, None
            self.out.append(("KillRun", place.id, place.run))

    def give_up_retry(self, place: Place) -> None:
        place.chain, place.alarm = object(), None
        self.leave(place)

    def leave(self, place: Place) -> None:
        """It has no run any more; §1, §2, §7: some go altogether."""
        place.state = "stopped"
        failed_start = place.purpose == "start_child" and place.verdict != "ignored"
        if self.settings.dynamic or place.policy.restart == "temporary" or failed_start:
            self.remove(place)

    def remove(self, place: Place) -> None:
        place.state, place.alarm = "removed", None
        if place in self.places:
            self.places.remove(place)

    def answer(self, place: Place) -> None:
        """The run was asked to stop and has ended: tell all who waited for anything of it."""
        for number in place.stoppers:
            self.reply(number, None)
        if place.caller is not None:
            self.reply(place.caller, "StartFailed")
        place.stoppers, place.caller, place.purpose = [], None, ""

    def found_dead(self, place: Place) -> None:
        """§6: it ended by itself before its turn to be stopped came."""
        assert place.dead is not None
        end, place.dead = place.dead, None
        outcome = "normal" if end.kind == "normal" else "crashed"
        if outcome == "crashed":
            place.last_crash = end.reason
        self.leave(place)
        self.tell("ChildEnded", place, outcome, face(end.reason))
        self.report_stop(place, outcome, end.reason)

    def report_stop(self, place: Place, outcome: str, reason: Any) -> None:
        policy = place.policy
        killed = outcome == "killed" and policy.shutdown is not BRUTAL_KILL
        disobeyed = outcome == "normal" and place.ready and policy.restart == "permanent"
        if outcome == "crashed" or killed or disobeyed:
            self.report("shutdown_error", place, outcome, reason)

    # The supervisor's own end ---------------------------------------------------------------

    def halt(self) -> None:
        if self.phase in ("stopping", "ended"):
            return
        self.phase = "stopping"
        for item in self.mailbox:
            if item[0] == "request":
                self.reply(item[1].number, "SupervisorStopped")
        for place in self.places:  # §4: a start in progress is answered at once, too
            if place.caller is not None:
                self.reply(place.caller, "SupervisorStopped")
                place.caller = None
        self.mailbox, self.paused = [], []

    def give_up(self, place: Place, cause: Any) -> None:
        self.outcome = "limit"
        self.error = ("RestartLimitExceeded", place.id, face(cause))
        self.report("shutdown", place, "limit", self.error)
        self.out.append(("InterruptBody",))
        self.halt()

    def fail(self, error: BaseException) -> None:
        kinds = [type(one) for one in self.fatal]
        if error not in self.fatal and not (is_interrupt(error) and KeyboardInterrupt in kinds):
            self.fatal.append(error)
        self.outcome = "fatal"
        self.out.append(("InterruptBody",))
        if is_interrupt(error) and self.phase == "stopping":  # §6
            self.kill()
        self.halt()

    def finish(self) -> None:
        self.phase, self.all_asked = "ended", False
        if self.fatal:
            self.error = self.fatal[0] if len(self.fatal) == 1 else ("group", *self.fatal)
        if not (isinstance(self.error, tuple) and self.error[0] == "StartFailed"):
            settings = self.settings
            itself = Place(settings.path[-1], ChildPolicy(), run=settings.incarnation)
            self.tell("SupervisorEnded", itself, self.outcome, face(self.error))
        self.out.append(("Finished", face(self.error)))

    def kill(self) -> None:
        if self.killing or self.phase == "ended":
            return
        self.killing, self.kill_at = True, math.inf
        for place in self.places:  # §6: what remains of every grace becomes 0
            if place.alive and (place.asked or place.fault is not None):
                self.kill_run(place)
        self.halt()

    # Small words ----------------------------------------------------------------------------

    def place_of(self, id: str, run: int) -> Place | None:
        for place in self.places:
            if place.id == id and place.run == run and place.alive:
                return place
        return None

    def set_alarm(self, place: Place, kind: str, due: float) -> None:
        self.alarms_set += 1
        place.alarm = None if due == math.inf else (due, self.alarms_set, kind)

    def tell(self, word: str, place: Place, *fields: object) -> None:
        seen = tuple((one.id, one.state) for one in self.places)
        self.out.append((word, self.settings.path, place.id, place.run, self.now, *fields, seen))

    def report(self, context: str, place: Place, outcome: str, reason: Any) -> None:
        self.tell("SupervisorReport", place, context, outcome, face(reason))

    def reply(self, number: int, error: str | None) -> None:
        self.out.append(("Reply", number, error))


def is_interrupt(error: BaseException) -> bool:
    return isinstance(error, KeyboardInterrupt)


def failed(place: Place, reason: Any) -> Any:
    return ("StartFailed", place.id, face(reason))


def leaves(error: Any) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in leaves(one)]
    return [error]


def escalates(place: Place, end: End) -> bool:
    named = place.policy.escalate_on
    crashed = end.kind == "crashed" and not isinstance(end.reason, tuple)
    return end.kind == "escalated" or (
        crashed and any(isinstance(leaf, named) for leaf in leaves(end.reason))
    )


def face(error: Any) -> Any:
    """An error as it is compared: those that supervision makes by what they say, others as such."""
    match type(error).__name__:
        case "StartFailed":
            return ("StartFailed", error.id, face(error.__cause__))
        case "RestartLimitExceeded":
            return ("RestartLimitExceeded", error.child, face(error.__cause__))
        case "NotStarted":
            return ("NotStarted", error.id)
        case "StartTimeout":
            return ("StartTimeout", error.id, error.seconds)
    if isinstance(error, BaseExceptionGroup) and error.message == "children ended fatally":
        return ("group", *error.exceptions)
    return error
