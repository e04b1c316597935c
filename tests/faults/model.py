"""A supervisor as the rules tell it, as naively as can be: what the real decision is judged by.

A *process* (`tests.faults.model_process`) does what OTP's supervisor does: it takes the next
message from its mailbox and serves it, and where OTP's would block it waits in the middle of its
function. A stop of the supervisor is an exception thrown in where it waits. Here is what happens
beside it: to the runs, to time, to those who wait. What can be counted again is counted again, and
lists are walked. Only the words of inputs, policies and settings are trido's.

The paragraphs named in comments are those of the rules of supervision.
"""

from __future__ import annotations

from typing import Any

from attrs import define

from tests.faults.model_process import ModelProcess
from tests.faults.model_state import Output, Place, escalates, face, failed
from trido.supervision import messages
from trido.supervision.messages import End

__all__ = ["Model", "Output", "Place", "face"]


@define(eq=False)
class Model(ModelProcess):
    # What happens ---------------------------------------------------------------------------

    def feed(self, event: messages.Input) -> list[Output]:
        """What follows from ``event``."""
        self.now, self.u, self.out = event.now, event.u, []
        getattr(self, f"on_{type(event).__name__}")(event)
        self._go_on()
        zombies = [place.state == "zombie" for place in self.places if place.alive]
        if self.all_asked and zombies and all(zombies):
            self.out.append(("Stuck",))
        return self.out

    def next_deadline(self) -> float:
        return min([self.kill_at, *(place.alarm[0] for place in self.places if place.alarm)])

    def on_Begin(self, event: messages.Begin) -> None:
        if self.phase == "new":
            self.phase = "starting"

    def on_RunReady(self, event: messages.RunReady) -> None:
        place = self.place_of(event.id, event.run)
        if place is None or place.ready or place.asked or place.fault is not None:
            return
        if place.state == "zombie":
            return
        place.ready, place.ready_since, place.value = True, self.now, event.value
        place.state, place.alarm, place.verdict = "running", None, "ready"
        cause = {"init": "start", "restart": "restart"}.get(place.purpose, "api")
        place.restarts += cause == "restart"
        self.tell("ChildStarted", place, cause)
        if place.caller is not None:
            self.reply(place.caller, None)
        place.purpose, place.caller = "", None

    def on_RunFailing(self, event: messages.RunFailing) -> None:
        place = self.place_of(event.id, event.run)
        if place is None or place.asked or place.state == "zombie":
            return
        if place.fault is None:
            self.fail_run(place, event.error)

    def on_RunStuck(self, event: messages.RunStuck) -> None:
        place = self.place_of(event.id, event.run)
        if place is None or place.state == "zombie":
            return
        place.state, place.alarm = "zombie", None
        self.out.append(("Unkillable", place.id, place.run))
        if place.purpose and not place.asked:
            place.verdict = "zombie"
            if place.purpose == "init":
                # Reported here, and not again at its end.
                fault, place.fault, place.asked = place.fault, None, True
                self.report("start_error", place, "crashed", fault)
                self.error = failed(place, fault)
                self.halt()

    def on_Tick(self, event: messages.Tick) -> None:
        while True:
            due = [place for place in self.places if place.alarm and place.alarm[0] <= self.now]
            if not due:
                break
            self.ring(min(due, key=lambda place: place.alarm or (0, 0, "")))
        if self.kill_at <= self.now:
            self.kill()

    def ring(self, place: Place) -> None:
        assert place.alarm is not None
        kind, place.alarm = place.alarm[2], None
        if kind == "start":
            self.fail_run(place, ("StartTimeout", place.id, place.policy.start_timeout))
        elif kind == "grace":
            self.kill_run(place)
        else:
            self.mailbox.append(("resume", place, place.chain))

    def on_Request(self, event: messages.Request) -> None:
        if self.phase in ("stopping", "ended"):
            self.reply(event.number, "SupervisorStopped")
        else:
            self.mailbox.append(("request", event))

    def on_Withdraw(self, event: messages.Withdraw) -> None:
        number = event.number
        self.mailbox = [
            item for item in self.mailbox if item[0] != "request" or item[1].number != number
        ]
        for place in self.places:
            if place.caller == number:
                place.caller = None
            if number in place.stoppers:
                place.stoppers.remove(number)

    def on_Stop(self, event: messages.Stop) -> None:
        if event.cancelled:
            self.kill_at = min(self.kill_at, self.now + self.settings.shutdown_timeout)
            if self.phase not in ("stopping", "ended"):
                self.outcome = "cancelled"
        self.halt()

    def on_Kill(self, event: messages.Kill) -> None:
        self.kill()

    def on_Fail(self, event: messages.Fail) -> None:
        if self.phase != "ended":
            self.fail(event.error)

    # Ends -----------------------------------------------------------------------------------

    def on_RunEnded(self, event: messages.RunEnded) -> None:
        place, end = self.place_of(event.id, event.run), event.end
        if place is None:
            return
        heard = end.kind == "fatal" or (end.kind == "escalated" and place.ready)
        if place.fault is not None and not heard:
            end = End("crashed", place.fault)
        if type(end.reason).__name__ == "LeakedCancelled" and self.phase == "stopping":
            place.asked, end = True, End("stopped")
        was_zombie = place.state == "zombie"
        self.forget_run(place)
        if end.kind == "fatal":
            self.ended_fatally(place, end)
        elif place.asked:
            self.ended_as_asked(place, end)
        elif not place.ready:
            self.ended_before_ready(place, end)
        elif self.phase != "stopping" and escalates(place, end):
            place.last_crash = end.reason
            self.leave(place)
            self.tell("ChildEnded", place, "crashed", face(end.reason))
            self.report("child_terminated", place, "crashed", end.reason)
            self.give_up(place, end.reason)
        else:
            place.dead = end
            self.mailbox.append(("end", place, place.run))
        if was_zombie:
            self.mailbox += [("resume", *paused) for paused in self.paused]
            self.paused = []

    def forget_run(self, place: Place) -> None:
        place.alive, place.alarm = False, None
        if place.ready:
            up = self.now - place.ready_since
            if place.policy.backoff is not None and up >= place.policy.backoff.reset_after:
                place.attempt = 0
            if up >= self.settings.max_seconds:
                place.in_a_row = 0

    def ended_fatally(self, place: Place, end: End) -> None:
        self.leave(place)
        self.tell(
            "ChildStopped" if place.asked else "ChildEnded", place, "crashed", face(end.reason)
        )
        if place.caller is not None:  # §4: a stop of the supervisor, first of all
            self.reply(place.caller, "SupervisorStopped")
            place.caller = None
        assert end.reason is not None
        self.fail(end.reason)
        self.answer(place)

    def ended_as_asked(self, place: Place, end: End) -> None:
        crashed = end.kind in ("crashed", "escalated", "ignored")
        outcome = "crashed" if crashed else end.kind
        if crashed:
            place.last_crash = end.reason
        self.leave(place)
        if place.ready:
            self.tell("ChildStopped", place, outcome, face(end.reason))
        self.report_stop(place, outcome, end.reason)
        self.answer(place)
        if self.phase != "stopping" and escalates(place, end):
            self.give_up(place, end.reason)

    def ended_before_ready(self, place: Place, end: End) -> None:
        if end.kind == "ignored":
            place.verdict = "ignored"
            self.leave(place)
            self.tell("ChildEnded", place, "ignored", face(end.reason))
            if place.caller is not None:
                self.reply(place.caller, None)
        else:
            place.verdict = "failed"
            self.start_failed(place, end.reason or ("NotStarted", place.id))
        place.purpose, place.caller = "", None

    def start_failed(self, place: Place, reason: Any) -> None:
        place.last_crash = reason
        if place.purpose == "restart":  # §5
            place.state, place.chain = "restarting", object()
            subject = place.subject
            if subject is not None and subject is not place and subject.state == "restarting":
                self.give_up_retry(subject)
            self.report("start_error", place, "crashed", reason)
            self.mailbox.append(("retry", place, place.chain))
        elif place.purpose == "init":  # §4
            place.state = "stopped"
            self.report("start_error", place, "crashed", reason)
            self.error = failed(place, reason)
            self.halt()
        else:  # §7
            self.leave(place)
            if place.caller is None:
                self.report("start_error", place, "crashed", reason)
            else:
                self.reply(place.caller, "StartFailed")
