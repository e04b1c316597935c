"""The decision and its model, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from attrs import Factory, asdict, define, evolve

from tests.faults.model import Model, Output, Place, face
from trido.supervision import messages
from trido.supervision.decision import Machine
from trido.supervision.messages import Input
from trido.supervision.policy import ChildPolicy
from trido.supervision.records import Record, Settings
from trido.supervision.tables import UP

Handle: TypeAlias = Callable[[Machine, Input], messages.Operations]


def output(operation: messages.Operation) -> Output:
    """An operation in the model's words."""
    match operation:
        case messages.Tell(event=event):
            told = asdict(event, recurse=False)
            return (type(event).__name__, *map(face, told.values()))
        case messages.CancelRun(id=id, run=run, deadline=deadline):
            return ("CancelRun", id, run, deadline)
        case messages.TellUnkillable(id=id, run=run):
            return ("Unkillable", id, run)
        case messages.Reply(number=number, error=error):
            return ("Reply", number, error and type(error).__name__)
        case _:
            values = asdict(operation, recurse=False).values()
            return (type(operation).__name__, *map(face, values))


def follow(
    machine: Machine, event: Input, handle: Handle = Machine.handle
) -> Iterator[tuple[messages.Operation, Output]]:
    """What follows from ``event``; with what is told goes what can be seen just then."""
    for operation in handle(machine, event):
        seen = output(operation)
        if isinstance(operation, messages.Tell):
            seen += (tuple((one.id, one.state) for one in machine.records.values()),)
        yield operation, seen


def outputs_of(machine: Machine, event: Input) -> list[Output]:
    return [
        seen
        for operation, seen in follow(machine, event)
        if not isinstance(operation, messages.Moved)
    ]


def ordered(outputs: list[Output]) -> list[Output]:
    """Without the answers: no rule says in which order several callers learn of one instant."""
    return [one for one in outputs if one[0] != "Reply"]


def replies(outputs: list[Output], withdrawn: set[int]) -> list[Output]:
    return sorted(
        (one for one in outputs if one[0] == "Reply" and one[1] not in withdrawn), key=repr
    )


def snapshot(machine: Machine) -> list[Any]:
    """All of its state that the outside can see."""
    places = [
        (one.id, one.state, one.incarnation, one.restarts, one.value, face(one.last_crash))
        for one in machine.records.values()
    ]
    deadline = machine.next_deadline()
    return [places, list(machine.window), machine.phase, deadline, machine.outcome]


def expected(model: Model) -> list[Any]:
    places = [
        (one.id, one.state, one.run, one.restarts, one.value, face(one.last_crash))
        for one in model.places
    ]
    return [places, model.window, model.phase, model.next_deadline(), model.outcome]


def recounted(machine: Machine) -> list[int]:
    records = machine.records.values()
    return [
        sum(record.live for record in records),
        sum(record.state == "zombie" and record.live for record in records),
        sum(record.policy.significant and record.state in UP for record in records),
    ]


def counted(machine: Machine) -> list[int]:
    return [machine._live, machine._zombies, machine._significant_up]


def own(event: Input) -> Input:
    """The same input for another machine: what it brings along belongs to one only."""
    if isinstance(event, messages.Request) and event.record is not None:
        return evolve(event, record=event.record.copy())
    return event


def agree(what: str, found: object, wanted: object) -> None:
    assert found == wanted, f"{what}: found\n  {found}\nwanted\n  {wanted}"


@define(eq=False)
class Books:
    """What was started, asked and answered."""

    live: dict[str, int] = Factory(dict)
    asked: set[int] = Factory(set)
    answered: set[int] = Factory(set)
    withdrawn: set[int] = Factory(set)
    stopping: bool = False
    finished: int = 0

    @property
    def open(self) -> set[int]:
        """Who still waits."""
        return self.asked - self.answered - self.withdrawn

    def enter(self, event: Input) -> None:
        match event:
            case messages.RunEnded(id=id, run=run) if self.live.get(id) == run:
                del self.live[id]
            case messages.Request(number=number):
                self.asked.add(number)
            case messages.Withdraw(number=number):
                self.withdrawn.add(number)

    def carry_out(self, operation: messages.Operation) -> None:
        answer = isinstance(operation, messages.Reply)
        assert answer or not self.finished, "only answers come after the end"
        match operation:
            case messages.StartRun(id=id, run=run):
                assert not self.stopping, "nothing is started once the stop began"
                assert id not in self.live, "two runs of one place"
                self.live[id] = run
            case messages.Reply(number=number):
                assert number in self.asked
                assert number not in self.answered, "answered twice"
                self.answered.add(number)
            case messages.Moved(record=record, state=state):
                assert record.state == state
            case messages.Finished():
                assert not self.live, "ended while something lives"
                self.finished += 1

    def balance(self) -> None:
        assert self.finished == 1
        assert not self.open


@define(eq=False)
class Pair:
    """The decision, a copy of it, and the model: each is told everything."""

    machine: Machine
    model: Model
    books: Books = Factory(Books)
    twin: Machine | None = None
    trace: list[tuple[Input, list[Output]]] = Factory(list)

    @classmethod
    def of(cls, settings: Settings, children: dict[str, ChildPolicy]) -> Pair:
        records = [Record(id, policy) for id, policy in children.items()]
        places = [Place(id, policy) for id, policy in children.items()]
        return cls(Machine(settings, records), Model(settings, places))

    def feed(self, event: Input) -> list[Output]:
        """Tell both, and compare all they do and are."""
        told_twin = None if self.twin is None else outputs_of(self.twin, own(event))
        told_model = self.model.feed(event)
        told = self._feed_machine(event)
        withdrawn = self.books.withdrawn
        agree("what is done", ordered(told), ordered(told_model))
        agree("the answers", replies(told, withdrawn), replies(told_model, withdrawn))
        agree("the state", snapshot(self.machine), expected(self.model))
        agree("live, zombies, significant", counted(self.machine), recounted(self.machine))
        if self.twin is not None:
            agree("what a copy does", told_twin, told)
            agree("the state of a copy", snapshot(self.twin), snapshot(self.machine))
        return told

    def _feed_machine(self, event: Input) -> list[Output]:
        self.books.enter(event)
        told = []
        for operation, seen in follow(self.machine, event):
            self.books.carry_out(operation)
            if not isinstance(operation, messages.Moved):
                told.append(seen)
        self.books.stopping = self.machine.phase in ("stopping", "ended")
        self.trace.append((event, told))
        return told
