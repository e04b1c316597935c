"""A supervisor's decision, told what happens, and what it says then: a line for each operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

import trido
from trido.supervision import events, messages
from trido.supervision.decision import Machine
from trido.supervision.messages import End, EndKind, Input
from trido.supervision.policy import ChildPolicy
from trido.supervision.records import Record, Settings
from trido.supervision.tables import Asked, State

STAY = ChildPolicy()
TRANSIENT = ChildPolicy(restart="transient")
TEMPORARY = ChildPolicy(restart="temporary")


class Desk:
    """One supervisor, with every child ready; `said` is what followed from the last word."""

    def __init__(
        self,
        _children: dict[str, ChildPolicy] | None = None,
        /,
        *,
        begun: bool = True,
        ready: str | None = None,
        **settings: Any,
    ) -> None:
        children = _children or {}
        path = settings.pop("path", ("root", "mid", "sup"))
        records = [Record(id, policy) for id, policy in children.items()]
        self.machine = Machine(Settings(path=path, **settings), records)
        self.now = 0.0
        self.number = 0
        self.said: list[str] = []
        if begun:
            self.feed(messages.Begin(now=0.0))
            for id in children if ready is None else ready:
                self.ready(id)

    def copy(self) -> Desk:
        """The same supervisor again: what happens to one, the other does not notice."""
        twin = Desk.__new__(Desk)
        twin.machine, twin.now, twin.number = self.machine.copy(), self.now, self.number
        return twin

    def feed(self, event: Input) -> list[str]:
        self.said = [said(one) for one in self.machine.handle(event)]
        return self.said

    def record(self, id: str) -> Record:
        return self.machine.records[id]

    def states(self) -> dict[str, State]:
        return {one.id: one.state for one in self.machine.records.values()}

    def run(self, id: str) -> int:
        return self.machine.records[id].incarnation if id in self.machine.records else 1

    def cause(self) -> BaseException | None:
        """Why the supervisor gave up."""
        assert isinstance(self.machine.error, trido.RestartLimitExceeded)
        return self.machine.error.__cause__

    def ready(self, id: str, value: object = None, run: int | None = None) -> list[str]:
        run = run or self.run(id)
        return self.feed(messages.RunReady(now=self.now, id=id, run=run, value=value))

    def ends(
        self,
        id: str,
        kind: EndKind = "crashed",
        reason: BaseException | None = None,
        *,
        u: float = 0,
        run: int | None = None,
    ) -> list[str]:
        if reason is None and kind == "crashed":
            reason = ValueError(id)
        run = run or self.run(id)
        end = End(kind, reason)
        return self.feed(messages.RunEnded(now=self.now, u=u, id=id, run=run, end=end))

    def fails(self, id: str, error: Exception, run: int | None = None) -> list[str]:
        run = run or self.run(id)
        return self.feed(messages.RunFailing(now=self.now, id=id, run=run, error=error))

    def stuck(self, id: str, run: int | None = None) -> list[str]:
        run = run or self.run(id)
        return self.feed(messages.RunStuck(now=self.now, id=id, run=run))

    def ask(self, asked: Asked, id: str, policy: ChildPolicy | None = None) -> list[str]:
        self.number += 1
        record = None if policy is None else Record(id, policy)
        return self.feed(
            messages.Request(now=self.now, number=self.number, asked=asked, id=id, record=record)
        )

    def withdraw(self, number: int) -> list[str]:
        return self.feed(messages.Withdraw(now=self.now, number=number))

    def tick(self, now: float) -> list[str]:
        self.now = now
        return self.feed(messages.Tick(now=now))

    def stop(self, *, cancelled: bool = False) -> list[str]:
        return self.feed(messages.Stop(now=self.now, cancelled=cancelled))

    def kill(self) -> list[str]:
        return self.feed(messages.Kill(now=self.now))

    def fail(self, error: BaseException) -> list[str]:
        return self.feed(messages.Fail(now=self.now, error=error))


def said(operation: messages.Operation) -> str:
    return _SAID[type(operation)](operation)


def _moved(moved: messages.Moved) -> str:
    assert moved.comes_back is True or moved.comes_back is False
    comes_back = ", and comes back" if moved.comes_back else ""
    return f"{moved.record.id} is {moved.state}{comes_back}"


def _cancel(cancel: messages.CancelRun) -> str:
    return f"cancel {cancel.id} {cancel.run} by {cancel.deadline:g}: {cancel.reason}"


def _reply(reply: messages.Reply) -> str:
    return f"reply {reply.number}: {'done' if reply.error is None else _error(reply.error)}"


def _told(told: messages.Tell) -> str:
    event = told.event
    fields = [getattr(event, one.name) for one in attrs.fields(type(event))[4:]]
    words = " ".join(_error(one) if one is None else _word(one) for one in fields)
    whose = "" if event.id == event.path[-1] else f" {event.id} {event.incarnation}"
    assert told.restarts is True or told.restarts is False
    restarts = ", restarts" if told.restarts else ""
    policy = "" if (told.policy is None) == (not whose) else " with the wrong policy"
    report = isinstance(event, events.SupervisorReport)
    name = "report" if report else type(event).__name__
    return f"{name}{whose} @{event.time:g}: {words}{restarts}{policy}"


def _word(value: object) -> str:
    return _error(value) if isinstance(value, BaseException) else f"{value}"


def _error(error: BaseException | None) -> str:
    if error is None:
        return "-"
    if isinstance(error, trido.TridoError):
        return f"{type(error).__name__}: {error}"
    return f"{type(error).__name__}({', '.join(map(str, error.args))})"


_SAID: dict[type[Any], Callable[[Any], str]] = {
    messages.StartRun: lambda start: f"start {start.id} {start.run}",
    messages.CancelRun: _cancel,
    messages.KillRun: lambda kill: f"kill {kill.id} {kill.run}",
    messages.Moved: _moved,
    messages.Tell: _told,
    messages.TellUnkillable: lambda told: f"unkillable {told.id} {told.run}",
    messages.Reply: _reply,
    messages.InterruptBody: lambda _: "interrupt the body",
    messages.Stuck: lambda _: "only zombies are left",
    messages.Finished: lambda finished: f"finished: {_error(finished.error)}",
}
