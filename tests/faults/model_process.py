"""The model's process: what OTP's supervisor does, waiting where it does.

See `tests.faults.model`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

from attrs import define

from tests.faults.model_state import ModelState, Place, face, leaves
from trido.supervision import messages

T = TypeVar("T")
Process: TypeAlias = Generator[Callable[[], bool], None, T]
"""Yields what has to come true before it goes on."""


class Halt(Exception):
    """Thrown into the process: leave everything and stop the children."""


@define(eq=False)
class ModelProcess(ModelState):
    waits_for: Callable[[], bool] | None = None
    interrupted: bool = False
    _process: Process[None] | None = None

    def _go_on(self) -> None:
        if self._process is None:
            self._process = self._live()
            self.waits_for = next(self._process)
        while self.waits_for is not None:
            try:
                if self.phase == "stopping" and not self.interrupted:
                    self.interrupted = True
                    self.waits_for = self._process.throw(Halt())
                elif self.waits_for():
                    self.waits_for = next(self._process)
                else:
                    return
            except StopIteration:
                self.waits_for = None

    # The process ----------------------------------------------------------------------------

    def _live(self) -> Process[None]:
        try:
            yield lambda: self.phase != "new"
            for place in list(self.places):
                yield from self.start(place, "init")
            self.phase = "running"
            while True:
                yield lambda: bool(self.mailbox)
                yield from self.serve(*self.mailbox.pop(0))
        except Halt:
            pass
        for place in reversed(list(self.places)):
            yield from self.stop(place)
        self.all_asked = True
        yield lambda: not any(place.alive for place in self.places)
        self.finish()

    def serve(self, kind: str, about: Any, which: object = None) -> Process[None]:
        if kind == "request":
            yield from self.serve_request(about)
        elif kind == "end":
            if about.dead is not None and about.run == which:
                yield from self.ended_by_itself(about)
        elif about.state == "restarting" and not about.alive and about.chain is which:
            if kind == "retry":
                yield from self.attempt(about, about.last_crash)
            else:
                yield from self.restart(about)

    def ended_by_itself(self, place: Place) -> Process[None]:
        """§2."""
        end, place.dead = place.dead, None
        assert end is not None
        policy, reason = place.policy, end.reason
        crashed = end.kind != "normal"
        outcome = "crashed" if crashed else "normal"
        if crashed:
            place.last_crash = reason
        back = policy.restart == "permanent" or (policy.restart == "transient" and crashed)
        if crashed and not all(isinstance(leaf, policy.restart_on) for leaf in leaves(reason)):
            back = False
        if back:
            place.state = "restarting"
        else:
            self.leave(place)
        self.tell("ChildEnded", place, outcome, face(reason))
        if crashed or policy.restart == "permanent":
            self.report("child_terminated", place, outcome, reason)
        if back:
            place.chain = object()
            gave_up = type(reason).__name__ == "RestartLimitExceeded"
            yield from self.attempt(place, reason if crashed or gave_up else None)
        elif policy.significant:
            yield from self.check_auto_shutdown()

    def check_auto_shutdown(self) -> Process[None]:
        """§8."""
        idle = ("stopped", "parked", "removed")
        up = [place for place in self.places if place.policy.significant]
        up = [place for place in up if place.state not in idle]
        mode = self.settings.auto_shutdown
        if mode == "any_significant" or (mode == "all_significant" and not up):
            self.halt()
            yield never

    def attempt(self, place: Place, cause: Any) -> Process[None]:
        """§3."""
        settings, parks = self.settings, place.policy.on_limit == "park"
        window = place.window if parks else self.window
        place.in_a_row += 1
        over = False
        if settings.max_restarts != math.inf:
            oldest = self.now - settings.max_seconds
            window[:] = [self.now] + [t for t in window if t >= oldest]
            over = len(window) > settings.max_restarts
        if settings.max_consecutive is not None and place.in_a_row > settings.max_consecutive:
            over = True
        if over and parks:
            place.state = "parked"
            self.tell("ChildParked", place, face(cause))
            if place.policy.significant:
                yield from self.check_auto_shutdown()
        elif over:
            self.leave(place)
            self.give_up(place, cause)
            yield never
        else:
            self.delay(place)
            yield from self.restart(place)

    def delay(self, place: Place) -> None:
        place.attempt += 1
        backoff = place.policy.backoff
        delay = 0.0
        if backoff is not None and place.attempt > 1:
            base = min(backoff.max, backoff.min * backoff.factor ** (place.attempt - 2))
            delay = base * (1 + backoff.jitter * self.u)
        place.due = self.now + delay
        if delay > 0:
            self.tell("RetryScheduled", place, place.attempt, delay)

    def restart(self, place: Place) -> Process[None]:
        """§5."""
        at = self.places.index(place)
        group = {
            "one_for_one": [place],
            "rest_for_one": self.places[at:],
            "one_for_all": list(self.places),
        }[self.settings.strategy]
        for other in reversed(group):
            if other is not place:
                yield from self.stop(other)
        if any(member.state == "zombie" for member in group if member in self.places):
            self.paused.append((place, place.chain))
        elif place.due > self.now:
            self.set_alarm(place, "retry", place.due)
        else:
            for member in group:
                if member in self.places:
                    yield from self.start(member, "restart", subject=place)
                    if member.verdict in ("failed", "zombie"):
                        return

    def serve_request(self, request: messages.Request) -> Process[None]:
        """§7."""
        place = next((place for place in self.places if place.id == request.id), None)
        refusal = self.refusal(request.asked, None if place is None else place.state)
        if refusal is not None:
            self.reply(request.number, refusal)
        elif request.asked == "start_child":
            assert request.record is not None
            new = Place(request.id, request.record.policy)
            self.places.append(new)
            yield from self.start(new, "start_child", caller=request.number)
        elif place is not None and request.asked == "restart_child":
            if place.state == "parked":
                place.window, place.in_a_row = [], 0
            yield from self.start(place, "restart_child", caller=request.number)
        elif place is not None and request.asked == "delete_child":
            self.remove(place)
            self.reply(request.number, None)
        elif place is not None:
            yield from self.serve_stop(place, request.number)

    def serve_stop(self, place: Place, number: int) -> Process[None]:
        if place.alive:
            place.stoppers.append(number)
            if place.state == "zombie":
                place.asked = True
            else:
                yield from self.stop(place)
            return
        if place.dead is not None:
            self.found_dead(place)
        elif place.state in ("restarting", "parked"):
            self.give_up_retry(place)
        self.reply(number, None)

    def refusal(self, asked: str, state: str | None) -> str | None:
        if state is None:
            if asked != "start_child":
                return "ChildNotFound"
            full = self.settings.dynamic and len(self.places) >= self.settings.max_children
            return "MaxChildren" if full else None
        if asked == "stop_child":
            return None
        if asked == "start_child":
            idle = state in ("restarting", "stopped", "parked")
            return "ChildAlreadyPresent" if idle else "ChildAlreadyStarted"
        if state in ("stopped", "parked"):
            return None
        return "ChildRestarting" if state == "restarting" else "ChildRunning"

    # Starting and stopping one --------------------------------------------------------------

    def start(
        self, place: Place, purpose: str, caller: int | None = None, subject: Place | None = None
    ) -> Process[None]:
        place.run += 1
        place.alive, place.ready, place.asked, place.killed = True, False, False, False
        place.fault, place.value, place.verdict = None, None, ""
        place.purpose, place.caller, place.subject = purpose, caller, subject
        if place.state != "restarting":
            place.state = "starting"
        self.set_alarm(place, "start", self.now + place.policy.start_timeout)
        self.out.append(("StartRun", place.id, place.run))
        yield from self.until(lambda: bool(place.verdict) or not place.alive, place)

    def stop(self, place: Place) -> Process[None]:
        if place not in self.places:
            return
        if place.dead is not None:
            self.found_dead(place)
        elif place.alive:
            self.ask(place)
            if not (self.settings.dynamic and self.phase == "stopping"):
                yield from self.until(lambda: gone(place), place)
        elif place.state == "restarting":
            self.give_up_retry(place)

    def until(self, condition: Callable[[], bool], place: Place) -> Process[None]:
        """Wait; a stop of the supervisor finishes with this place before it does the others."""
        try:
            yield condition
        except Halt:
            if place.alive:
                self.ask(place)
                if not self.settings.dynamic:
                    yield lambda: gone(place)
            raise


def never() -> bool:
    """Only a `Halt` ends this wait."""
    return False


def gone(place: Place) -> bool:
    """§6: nothing waits for a zombie."""
    return not place.alive or place.state == "zombie"
