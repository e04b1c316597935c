"""What came of a simulation: numbers, as a table and as JSON."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, final

import attrs
from attrs import frozen

from trido.runtime.envelope import Call
from trido.supervision.events import ChildParked, ChildStarted
from trido.testing.inject import Injection
from trido.testing.recorder import Recorder
from trido.testing.recorder_entries import Lettered, RunEnded, Sent, Told, TurnCommitted


@final
@frozen(kw_only=True)
class Recovery:
    """How long agents took to run again after a crash, in seconds; 0 if there was none."""

    count: int
    """How many times one did."""
    p50: float
    """Half of the times it took no longer."""
    p99: float
    """In 99 of 100 times it took no longer."""
    max: float
    """It never took longer."""


@final
@frozen(kw_only=True)
class AgentReport:
    """What came of one agent."""

    id: str
    availability: float
    """Which part of the time it had a run that served."""
    crashes: int
    """How many runs crashed."""
    parked: int
    """How many times it was parked."""
    recovery: Recovery
    sent: int
    """How many signals came to it."""
    served: int
    """How many were committed."""
    refused: int
    """How many callers were told no."""
    lost: int
    """Of how many nobody heard again."""
    dead_letters: Mapping[str, int]
    """How many became dead letters, by the reason."""


@final
@frozen(kw_only=True)
class SimulationReport:
    """What came of a simulation. ``str`` is a table, `to_json` has the same in full."""

    seed: int
    seconds: float
    """How much virtual time passed."""
    faults: int
    """How many faults happened."""
    planned: int
    """How many were to."""
    plan: str
    """The plan, in a line."""
    agents: tuple[AgentReport, ...]

    def to_json(self) -> str:
        """All of it as JSON: the same report gives the same text."""
        return json.dumps(attrs.asdict(self, value_serializer=_plain), indent=2, sort_keys=True)

    def __str__(self) -> str:
        days = self.seconds / 86_400
        what = "day" if days == 1 else "days"
        faults = (
            f"{self.faults} of {self.planned}" if self.faults < self.planned else f"{self.faults}"
        )
        head = f"{days:g} virtual {what}, {faults} faults, seed={self.seed}"
        rows = [_HEADS, *map(_row, self.agents)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.rjust, row, widths)) for row in rows]
        return "\n".join([head, *lines, *_reasons(self.agents)])


def _plain(_: object, __: object, value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(sorted(value.items()))
    return round(value, 6) if isinstance(value, float) else value


_HEADS = (
    "agent",
    "available",
    "crashes",
    "parked",
    "p50",
    "p99",
    "max",
    "sent",
    "served",
    "refused",
    "lost",
    "dead",
)


def _row(one: AgentReport) -> tuple[str, ...]:
    recovery = one.recovery
    times = [f"{value:.3f}s" for value in (recovery.p50, recovery.p99, recovery.max)]
    counts = (one.sent, one.served, one.refused, one.lost, sum(one.dead_letters.values()))
    runs = (f"{one.availability:.4%}", str(one.crashes), str(one.parked))
    return (one.id, *runs, *times, *map(str, counts))


def _reasons(agents: Sequence[AgentReport]) -> list[str]:
    return [
        f"dead letters of {one.id}: "
        + ", ".join(f"{reason} {count}" for reason, count in sorted(one.dead_letters.items()))
        for one in agents
        if one.dead_letters
    ]


def report_of(
    recorder: Recorder, ids: Sequence[str], lasted: float, seed: int, injection: Injection
) -> SimulationReport:
    """The report of what was recorded."""
    return SimulationReport(
        seed=seed,
        seconds=lasted,
        faults=len(injection.happened),
        planned=len(injection.plan),
        plan=str(injection.plan),
        agents=tuple(_agent(recorder, id, lasted) for id in ids),
    )


def _agent(recorder: Recorder, id: str, lasted: float) -> AgentReport:
    told = [one.event for one in recorder.of(Told, id)]
    took = _times(recorder, id, lasted)
    down = sum(min(back, lasted) - crashed for crashed, back in took)
    sent = recorder.of(Sent, id)
    committed = {one.begun.envelope for one in recorder.of(TurnCommitted, id)}
    letters = recorder.of(Lettered, id)
    buried = {one.envelope for one in letters}
    served = sum(one.envelope in committed for one in sent)
    open_ones = [one for one in sent if one.envelope not in committed]
    lost = [one for one in open_ones if not (_was_told(one) or one.envelope in buried)]
    return AgentReport(
        id=id,
        availability=1 - down / lasted,
        crashes=sum(one.is_crash for one in recorder.of(RunEnded, id)),
        parked=sum(isinstance(one, ChildParked) for one in told),
        recovery=_recovery([back - crashed for crashed, back in took if back < math.inf]),
        sent=len(sent),
        served=served,
        refused=sum(map(_was_told, open_ones)),
        lost=len(lost),
        dead_letters=Counter(type(one.letter.reason).__name__ for one in letters),
    )


def _was_told(sent: Sent) -> bool:
    return isinstance(sent.envelope, Call) and sent.envelope.is_settled


def _times(recorder: Recorder, id: str, lasted: float) -> list[tuple[float, float]]:
    """When each crash was, and when the agent was ready again; infinite if never.

    A run that crashes before it is ready is part of the time that the crash before it took.
    """
    ready = [one for one in recorder.of(Told, id) if isinstance(one.event, ChildStarted)]
    found: list[tuple[float, float]] = []
    for crash in recorder.of(RunEnded, id):
        if crash.is_crash and crash.at < lasted and not (found and found[-1][1] > crash.at):
            later = (one.at for one in ready if one.incarnation > crash.incarnation)
            found.append((crash.at, next(later, math.inf)))
    return found


def _recovery(took: list[float]) -> Recovery:
    took = sorted(took) or [0.0]
    count = len(took) if took != [0.0] else 0
    return Recovery(count=count, p50=_part(took, 0.5), p99=_part(took, 0.99), max=took[-1])


def _part(ordered: list[float], part: float) -> float:
    """The least of them that so many are not greater than."""
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]
