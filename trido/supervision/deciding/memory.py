"""What a supervisor's machine knows, and the words that the rest of it is written in.

Pure: see `trido.supervision.decision`.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Iterable
from typing import Self, cast

from attrs import define, evolve

from trido.supervision import errors, events
from trido.supervision.alarms import Alarms
from trido.supervision.messages import Moved, Request, Tell
from trido.supervision.records import Item, Job, Outcome, Phase, Record, Settings
from trido.supervision.tables import LIFECYCLE, UP, State, Trigger
from trido.values import Shown


@define(eq=False, repr=False, init=False)
class Memory(Shown):
    """What the machine of one supervisor knows."""

    settings: Settings
    records: dict[str, Record]
    """The places, in start order."""
    phase: Phase
    window: tuple[float, ...]
    """When automatic restarts were decided, the latest first."""
    outcome: Outcome
    error: BaseException | None
    tells_all: bool
    """Whether anybody wants to hear of what goes well, too: of starts, and of stops and ends."""

    _now: float
    _u: float
    _queue: deque[Item]
    _job: Job | None
    _alarms: Alarms
    _stop_due: float
    _live: int
    _zombies: int
    _significant_up: int
    _paused: dict[str, int]
    _returning: dict[str, None]
    """Those that were stopped by a group restart which has not started them yet."""
    _waiting: set[int]
    """The numbers of the requests in the queue."""
    _withdrawn: set[int]
    _orphaned: dict[str, None]
    """Those with an `Record.orphan`."""
    _killing: bool
    _fatal: list[BaseException]

    def copy(self) -> Self:
        """An independent machine in the same state."""
        twin = copy.copy(self)
        for name in (
            "_alarms",
            "_paused",
            "_returning",
            "_orphaned",
            "_waiting",
            "_withdrawn",
            "_fatal",
        ):
            setattr(twin, name, getattr(self, name).copy())
        twin._queue = deque(_copied(item) for item in self._queue)
        twin.records = {id: record.copy() for id, record in self.records.items()}
        twin._job = None if self._job is None else self._job.copy()
        return twin

    @property
    def queued(self) -> int:
        """How many ends, requests and retries wait for the job in hand."""
        return len(self._queue)

    def forget_error(self) -> None:
        """Do not keep what `Finished` has handed out."""
        self.error = None
        self._fatal.clear()

    def next_deadline(self) -> float:
        """When to hand in the next `Tick`."""
        return min(self._alarms.next(), self._stop_due)

    def __init__(self, settings: Settings, children: Iterable[Record] = ()) -> None:
        self.settings = settings
        self.records = {record.id: record for record in children}
        self.phase = "new"
        self.window = ()
        self.outcome = "shutdown"
        self.error = None
        self.tells_all = True
        self._now = self._u = 0.0
        self._queue = deque()
        self._job = None
        self._alarms = Alarms()
        self._stop_due = math.inf
        self._live = self._zombies = self._significant_up = 0
        self._paused = {}
        self._returning = {}
        self._waiting = set()
        self._withdrawn = set()
        self._orphaned = {}
        self._killing = False
        self._fatal = []

    def _run(self, id: str, run: int) -> Record | None:
        """The place whose live run this is; None if that run is no more."""
        record = self.records.get(id)
        if record is None or not record.live or record.incarnation != run:
            return None
        return record

    def _leaves(self, record: Record) -> bool:
        """Whether a place that ends goes, instead of staying without a run."""
        goes = self.settings.dynamic or self.settings.forgets
        return goes or record.policy.restart == "temporary" or record.provisional

    def _waits_for(self, record: Record) -> bool:
        return self._job is not None and self._job.waiting == record.id

    def _done_waiting(self) -> None:
        cast("Job", self._job).waiting = None

    def _drop(self, job: Job) -> None:
        if self._job is job:
            self._job = None

    def _orphans(self) -> list[Job]:
        orphans = (self.records[id].orphan for id in self._orphaned)
        return [job for job in orphans if job is not None]

    def _stopped(self) -> errors.SupervisorStopped:
        return errors.SupervisorStopped(self.settings.path[-1])

    def _move(self, record: Record, trigger: Trigger, *, comes_back: bool = False) -> Moved:
        before = record.state
        state = record.state = _next_state(before, trigger)
        if record.policy.significant:
            self._significant_up += (state in UP) - (before in UP)
        if state == "removed":
            self._returning.pop(record.id, None)
            self._orphaned.pop(record.id, None)
            del self.records[record.id]
        return Moved(record, state, comes_back or record.id in self._returning)

    def _tell(self, event: type[events.Event], record: Record | None, **fields: object) -> Tell:
        settings = self.settings
        id, run = (
            (settings.path[-1], settings.incarnation)
            if record is None
            else (record.id, record.incarnation)
        )
        told = event(path=settings.path, id=id, incarnation=run, time=self._now, **fields)
        return Tell(told, None if record is None else record.policy)

    def _report(
        self,
        record: Record,
        context: str,
        outcome: str,
        reason: BaseException | None,
        *,
        restarts: bool = False,
    ) -> Tell:
        told = self._tell(
            events.SupervisorReport, record, context=context, outcome=outcome, reason=reason
        )
        return Tell(told.event, told.policy, restarts=True) if restarts else told


def _copied(item: Item) -> Item:
    if isinstance(item, Request) and item.record is not None:
        return evolve(item, record=item.record.copy())
    return item


def _next_state(state: State, trigger: Trigger) -> State:
    return LIFECYCLE[state][trigger]
