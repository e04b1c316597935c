"""The decision alone, against the model of the rules, through whatever Hypothesis thinks of.

Under the profiles `default` and `ci` the search is the same every time: a gate judges the commit.
``HYPOTHESIS_PROFILE=deep`` searches a hundred times as far, and elsewhere each time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.faults import inputs
from tests.faults.comparing import Pair, snapshot
from tests.faults.inputs import IDS, PAUSES
from trido.supervision import messages
from trido.supervision.messages import Input
from trido.supervision.policy import ChildPolicy
from trido.supervision.records import Record, Settings
from trido.supervision.tables import Asked

DEEP = profile().max_examples > 100
RARELY = st.integers(0, 19).map(lambda n: n == 19)
U = st.sampled_from([0.0, 0.25, 0.5])
PICK = st.integers(0, 7)

STEPS: Counter[str] = Counter()


def lives(self: DecisionMachine) -> bool:
    return bool(self.pair.books.live)


def plays(self: DecisionMachine) -> bool:
    return not self.pair.books.finished


def has(choose: Callable[[Record], bool]) -> Callable[[DecisionMachine], bool]:
    return lambda self: any(map(choose, self.runs()))


def can_be_ready(run: Record) -> bool:
    return not run.ready and run.state != "zombie"


def is_being_stopped(run: Record) -> bool:
    return run.asked or run.fault is not None


def can_be_stuck(run: Record) -> bool:
    """Killed; or a supervisor that is stopping of its own accord, and has a child that is stuck."""
    return run.state != "zombie" and (run.killed or run.policy.kind == "supervisor")


def can_ignore(run: Record) -> bool:
    return is_being_stopped(run) or run.state != "zombie"


class DecisionMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.number = 0
        self.pair = Pair.of(Settings(path=("root",)), {})
        self.sound = False

    # What is there --------------------------------------------------------------------------

    @initialize(data=st.data(), settings=inputs.SETTINGS, many=st.integers(1, 4))
    def begin(self, data: st.DataObject, settings: Settings, many: int) -> None:
        self.policies = {id: data.draw(inputs.policies(settings)) for id in IDS}
        ids = () if settings.dynamic else IDS[:many]
        self.pair = Pair.of(settings, {id: self.policies[id] for id in ids})
        self.feed(messages.Begin(now=self.now))
        for _ in ids:  # most of the time they all become ready
            if data.draw(st.integers(0, 9)):
                self.make_ready()

    @precondition(lambda self: self.pair.books.finished)
    @rule(data=st.data(), settings=inputs.SETTINGS, many=st.integers(1, 4))
    def begin_again(self, data: st.DataObject, settings: Settings, many: int) -> None:
        self.pair.books.balance()
        self.begin(data, settings, many)

    def feed(self, event: Input) -> None:
        self.sound = False
        STEPS[type(event).__name__] += not self.pair.books.finished
        self.pair.feed(event)
        self.sound = True

    def runs(self, choose: Callable[[Record], bool] = lambda run: True) -> list[Record]:
        return [one for one in self.pair.machine.records.values() if one.live and choose(one)]

    # What happens to runs -------------------------------------------------------------------

    def make_ready(self) -> None:
        for record in self.runs(can_be_ready)[:1]:
            self.feed(messages.RunReady(now=self.now, id=record.id, run=record.incarnation))

    @precondition(has(can_be_ready))
    @rule(pause=PAUSES)
    def ready(self, pause: float) -> None:
        self.now += pause
        self.make_ready()

    @precondition(has(can_be_ready))
    @rule()
    def all_ready(self) -> None:
        """The usual case: without it a group restart rarely gets anywhere."""
        for _ in list(self.pair.machine.records):
            self.make_ready()

    @precondition(has(lambda run: run.ready))
    @rule(pause=PAUSES, pick=PICK, how=inputs.OWN_WAYS, u=U)
    def end_by_itself(self, pause: float, pick: int, how: str, u: float) -> None:
        self.end(pause, self.runs(lambda run: run.ready), pick, how, u)

    @precondition(has(lambda run: not run.ready))
    @rule(pause=PAUSES, pick=PICK, how=inputs.OWN_WAYS, u=U)
    def end_before_ready(self, pause: float, pick: int, how: str, u: float) -> None:
        self.end(pause, self.runs(lambda run: not run.ready), pick, how, u)

    @precondition(has(lambda run: run.ready))
    @rule(picks=st.lists(st.tuples(PICK, inputs.OWN_WAYS), min_size=2, max_size=4), u=U)
    def end_together(self, picks: list[tuple[int, str]], u: float) -> None:
        """In one instant: the later ones wait in the queue while the first is dealt with."""
        for pick, how in picks:
            if runs := self.runs(lambda run: run.ready):
                self.end(0.0, runs, pick, how, u)

    @precondition(has(lambda run: not run.ready))
    @rule(ways=st.lists(st.sampled_from(["value", "value", "ready", "ignored"]), max_size=5))
    def start_badly(self, ways: list[str]) -> None:
        """One start after another: a retry may find another retry in the queue."""
        for how in ways:
            if how == "ready":
                self.make_ready()
            elif runs := self.runs(lambda run: not run.ready and can_ignore(run)):
                self.end(0.0, runs, 0, how, 0.0)

    @precondition(has(can_ignore))
    @rule(pause=PAUSES, pick=PICK)
    def ignore(self, pause: float, pick: int) -> None:
        self.end(pause, self.runs(can_ignore), pick, "ignored", 0.0)

    @precondition(lives)
    @rule(pause=PAUSES, pick=PICK, how=inputs.GRAVE_WAYS, really=RARELY)
    def end_gravely(self, pause: float, pick: int, how: str, really: bool) -> None:  # noqa: FBT001
        if really:
            self.end(pause, self.runs(), pick, how, 0.0)

    @precondition(has(is_being_stopped))
    @rule(pause=PAUSES, pick=PICK, u=U)
    def obey(self, pause: float, pick: int, u: float) -> None:
        runs = self.runs(is_being_stopped)
        killed = runs[pick % len(runs)].killed
        self.end(pause, runs, pick, "killed" if killed else "stopped", u)

    @precondition(has(is_being_stopped))
    @rule()
    def all_obey(self) -> None:
        for _ in range(6):
            if runs := self.runs(is_being_stopped):
                self.end(0.0, runs, 0, "killed" if runs[0].killed else "stopped", 0.0)

    def end(self, pause: float, runs: list[Record], pick: int, how: str, u: float) -> None:
        self.now += pause
        run, end = runs[pick % len(runs)], inputs.end(how)
        self.feed(messages.RunEnded(now=self.now, u=u, id=run.id, run=run.incarnation, end=end))

    @precondition(has(lambda run: run.state != "zombie"))
    @rule(pause=PAUSES, pick=PICK)
    def failing(self, pause: float, pick: int) -> None:
        self.now += pause
        runs = self.runs(lambda run: run.state != "zombie")
        run, error = runs[pick % len(runs)], ValueError("silent")
        self.feed(messages.RunFailing(now=self.now, id=run.id, run=run.incarnation, error=error))

    @precondition(has(can_be_stuck))
    @rule(pick=PICK)
    def stuck(self, pick: int) -> None:
        runs = self.runs(can_be_stuck)
        run = runs[pick % len(runs)]
        self.feed(messages.RunStuck(now=self.now, id=run.id, run=run.incarnation))

    @precondition(plays)
    @rule(id=st.sampled_from(IDS), run=st.integers(0, 3), how=inputs.OWN_WAYS)
    def stale(self, id: str, run: int, how: str) -> None:
        """A run that is no more, or never was, has something to say."""
        if any(one.id == id and one.incarnation == run for one in self.runs()):
            return
        error = ValueError("stale")
        before = snapshot(self.pair.machine)
        for event in (
            messages.RunReady(now=self.now, id=id, run=run),
            messages.RunFailing(now=self.now, id=id, run=run, error=error),
            messages.RunStuck(now=self.now, id=id, run=run),
            messages.RunEnded(now=self.now, id=id, run=run, end=inputs.end(how)),
        ):
            assert [told for told in self.pair.feed(event) if told != ("Stuck",)] == []
        assert snapshot(self.pair.machine) == before

    # Time -----------------------------------------------------------------------------------

    @precondition(lambda self: self.pair.machine.next_deadline() < math.inf)
    @rule(late=st.sampled_from([0.0, 0.0, 0.25, -0.25]), u=U)
    def tick(self, late: float, u: float) -> None:
        self.now = max(self.now, self.pair.machine.next_deadline() + late)
        self.feed(messages.Tick(now=self.now, u=u))

    @precondition(plays)
    @rule(seconds=st.sampled_from([1.0, 5.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.now = min(self.now + seconds, max(self.now, self.pair.machine.next_deadline()))

    # What others want -----------------------------------------------------------------------

    @precondition(plays)
    @rule(id=st.sampled_from(IDS))
    def start_child(self, id: str) -> None:
        self.ask("start_child", id, self.policies[id])

    @precondition(plays)
    @rule(pick=PICK)
    def revive(self, pick: int) -> None:
        """Else all too many supervisors have nothing to supervise."""
        records = self.pair.machine.records
        ids = [id for id in IDS if id not in records or records[id].state in ("stopped", "parked")]
        if ids:
            id = ids[pick % len(ids)]
            if id in records:
                self.ask("restart_child", id, None)
            else:
                self.ask("start_child", id, self.policies[id])
            self.make_ready()

    @rule(
        asked=st.sampled_from(["stop_child", "restart_child", "delete_child"]),
        then=st.sampled_from([None, None, None, "restart_child"]),
        pick=PICK,
    )
    def request(self, asked: Asked, then: Asked | None, pick: int) -> None:
        id = self.some_id(pick)
        self.ask(asked, id, None)
        if then is not None:
            self.ask(then, id, None)

    def some_id(self, pick: int) -> str:
        """Mostly one that is there."""
        ids = [*self.pair.machine.records, *IDS[-1:]]
        return ids[pick % len(ids)]

    def ask(self, asked: Asked, id: str, policy: ChildPolicy | None) -> None:
        self.number += 1
        record = None if policy is None else Record(id, policy)
        self.feed(
            messages.Request(now=self.now, number=self.number, asked=asked, id=id, record=record)
        )

    @precondition(lambda self: self.pair.books.open)
    @rule(pick=PICK)
    def withdraw(self, pick: int) -> None:
        waiting = sorted(self.pair.books.open)
        self.feed(messages.Withdraw(now=self.now, number=waiting[pick % len(waiting)]))

    @precondition(plays)
    @rule(pause=PAUSES, what=st.sampled_from(["stop", "cancel", "kill", "fail"]), really=RARELY)
    def stop(self, pause: float, what: str, really: bool) -> None:  # noqa: FBT001
        if really or self.pair.machine.phase == "stopping":
            self.now += pause
            words: dict[str, Input] = {
                "stop": messages.Stop(now=self.now),
                "cancel": messages.Stop(now=self.now, cancelled=True),
                "kill": messages.Kill(now=self.now),
                "fail": messages.Fail(now=self.now, error=SystemExit()),
            }
            self.feed(words[what])

    # Copies ---------------------------------------------------------------------------------

    @precondition(plays)
    @rule()
    def copy(self) -> None:
        """From now on a copy is told the same, a moment earlier."""
        self.pair.twin = self.pair.machine.copy()

    @precondition(plays)
    @rule(words=st.lists(st.tuples(st.integers(0, 10), PICK, inputs.ANY_WAY), max_size=4))
    def nonsense(self, words: list[tuple[int, int, str]]) -> None:
        """A copy takes anything, and the original does not notice."""
        before = snapshot(self.pair.machine)
        twin = self.pair.machine.copy()
        for which, pick, how in words:
            told = list(twin.handle(self.anything(which, pick, how)))
            assert len(told) < 100
        assert snapshot(self.pair.machine) == before

    def anything(self, which: int, pick: int, how: str) -> Input:
        id = self.some_id(pick)
        records, now = self.pair.machine.records, self.now
        run = records[id].incarnation if id in records else 1
        asked: list[Asked] = ["stop_child", "restart_child", "delete_child"]
        words: list[Input] = [
            messages.RunReady(now=now, id=id, run=run),
            messages.RunStuck(now=now, id=id, run=run),
            messages.RunFailing(now=now, id=id, run=run, error=ValueError("failing")),
            messages.RunEnded(now=now, id=id, run=run, end=inputs.end(how)),
            messages.Begin(now=now),
            messages.Tick(now=now + 100),
            messages.Kill(now=now),
            messages.Stop(now=now),
            *[messages.Request(now=now, number=-1, asked=word, id=id) for word in asked],
        ]
        return words[which]

    # The end --------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Whatever has happened, a stop brings it to one end, with every book balanced."""
        if not self.sound:
            return
        self.feed(messages.Stop(now=self.now))
        while runs := self.runs():
            self.end(0.25, runs[-1:], 0, "killed" if runs[-1].killed else "stopped", 0.0)
        self.pair.books.balance()


# Long examples: much of what is interesting comes after a restart. The same search every time,
# except in the deep profile: a gate judges the commit, and this is the place of most of its rules.
_EXAMPLES = 6 * profile().max_examples
SEARCH = profile(max_examples=_EXAMPLES, stateful_step_count=100, derandomize=not DEEP)


def test_the_decision_does_what_the_rules_say() -> None:
    STEPS.clear()
    run_state_machine_as_test(DecisionMachine, settings=SEARCH)
    assert STEPS.total() >= 20 * min(_EXAMPLES, 500), STEPS
