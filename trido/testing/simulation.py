"""A virtual day of a runtime in seconds: traffic, random faults, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any, Final, TypeAlias

import trio
from attrs import field, fields, frozen

from trido.agents import AgentError, Definition, Signal
from trido.agents.frozen import EMPTY
from trido.checks import flag, is_number, seconds
from trido.errors import SpecError
from trido.runtime.agent import Agent
from trido.runtime.opening import open_runtime
from trido.runtime.runtime import Runtime
from trido.testing import arguments
from trido.testing.inject import Injection, inject
from trido.testing.plan import FaultPlan, Plan
from trido.testing.plan_check import check_names
from trido.testing.plan_faults import CodeFault, Fault, LoopFault, SignalFault
from trido.testing.plan_points import Time
from trido.testing.plan_survey import Survey
from trido.testing.recorder import Recorder
from trido.testing.schedule import run
from trido.testing.simulation_report import SimulationReport, report_of

DAY: Final = 86_400.0
HOUR: Final = 3_600.0
ROOM: Final = 5_000_000
"""How much a day may be to record."""
STEPS: Final = 1_000_000_000
PATIENCE: Final = 60.0
"""How many seconds a caller waits."""

Samples: TypeAlias = Sequence[Signal] | Callable[[Random], Signal]
"""The signals that are sent: some to choose from, or what makes one by chance."""


def _rate(_: object, attribute: Any, value: object) -> None:
    if not (is_number(value) and 0 <= value < math.inf):  # type: ignore[operator]  # it is a number
        raise SpecError(attribute.name, value, "a finite number >= 0", of="Rates")


@frozen(kw_only=True)
class Rates:
    """How often something goes wrong, for each agent and day.

    Raises:
      SpecError: one is no number.
    """

    crashes: float = field(default=24.0, validator=_rate)
    """An agent crashes."""
    cancels: float = field(default=0.0, validator=_rate)
    """Its supervisor cancels it."""
    drops: float = field(default=0.0, validator=_rate)
    """A signal to it gets lost on its way."""
    duplicates: float = field(default=0.0, validator=_rate)
    """A signal to it comes twice."""
    delays: float = field(default=0.0, validator=_rate)
    """A signal to it comes a minute late."""
    blocks: float = field(default=0.0, validator=_rate)
    """Nothing runs for a second."""

    def plan(self, ids: Sequence[str], *, days: float, per_hour: float, seed: int) -> FaultPlan:
        """A plan of such faults, by the chance of ``seed``."""
        random = Random(f"{seed}/faults")
        found: list[Fault] = []
        for id in ids:
            for one in fields(Rates):
                number = _number(random, getattr(self, one.name) * days)
                found += [_FAULTS[one.name](random, id, days, per_hour) for _ in range(number)]
        return FaultPlan(tuple(dict.fromkeys(found)))


def _number(random: Random, expected: float) -> int:
    """A whole number that is ``expected`` on average."""
    return int(expected) + (random.random() < expected % 1)


def _when(random: Random, days: float) -> Time:
    return Time(round(random.uniform(0, days * DAY), 3))


def _code(act: Any, random: Random, id: str, days: float, _: float) -> Fault:
    return CodeFault(act, id, _when(random, days))


def _signal(mishap: Any, random: Random, id: str, days: float, per_hour: float) -> Fault:
    nth = random.randint(1, max(1, int(per_hour * 24 * days)))
    return SignalFault(mishap, id, nth, seconds=60.0 if mishap == "delay" else 0.0)


def _block(random: Random, _: str, days: float, __: float) -> Fault:
    return LoopFault(1.0, _when(random, days))


_FAULTS: Final[Mapping[str, Callable[[Random, str, float, float], Fault]]] = {
    "crashes": partial(_code, "crash"),
    "cancels": partial(_code, "cancel"),
    "drops": partial(_signal, "drop"),
    "duplicates": partial(_signal, "duplicate"),
    "delays": partial(_signal, "delay"),
    "blocks": _block,
}


USUAL: Final = Rates()


def simulate(
    agents: Mapping[str, Agent[Any]],
    *,
    days: float = 1.0,
    seed: int = 0,
    faults: Rates | Plan = USUAL,
    traffic: Mapping[str, Samples] | None = None,
    per_hour: float = 30.0,
    calls: float = 0.5,
    revive_after: float | None = None,
    guarded: bool = True,
    **options: Any,
) -> SimulationReport:
    """Run ``agents`` for some virtual days, with traffic and faults, and report what came of it.

    The same arguments give the same report, byte for byte, as long as nothing but they decides
    what happens. A fault that never comes to its place does not happen: the report tells how many
    did, of those that were planned.

    Args:
      agents: what runs, by its id.
      days: how long, in days of virtual time.
      seed: what decides everything that is left to chance.
      faults: how often something goes wrong; or a plan of what does.
      traffic: which signals are sent to whom; to the others, such as their routes take. To somebody
        with no samples nothing is sent.
      per_hour: how many signals come to each agent in an hour, on average.
      calls: which part of them are calls.
      revive_after: after how many seconds somebody revives an agent that was parked; None: never.
      guarded: whether to look out for what no seed decides, as `run` does; slower by some times.
      **options: what `trido.open_runtime` is given besides.

    Raises:
      SpecError: one of these is not what it may be.
      UnknownPoint: the plan names somebody who was never there.
      NotReproducible: an agent uses a thread, real time, or chance of its own.
      Exception: whatever ends the runtime.
    """
    _check(agents, days, per_hour, calls, revive_after)
    arguments.seed("simulate", seed)
    flag("simulate", "guarded", guarded)
    _check_traffic(agents, traffic or EMPTY)
    if isinstance(faults, Rates):
        faults = faults.plan(tuple(agents), days=days, per_hour=per_hour, seed=seed)
    plan = FaultPlan.of(faults)
    samples = {id: _samples(id, agent, traffic, seed) for id, agent in agents.items()}
    day = _Simulation(agents, days * DAY, seed, samples, per_hour, calls, revive_after, options)
    lasts = 2 * days * DAY + 100 * HOUR
    recorder, injection = run(
        day.main,
        plan,
        seed=seed,
        guarded=guarded,
        rehearsed=False,
        steps=STEPS,
        lasts=lasts,
    )
    check_names(plan, Survey(names=injection.names))
    return report_of(recorder, tuple(agents), days * DAY, seed, injection)


def _check_traffic(agents: Mapping[str, Any], traffic: Mapping[str, Samples]) -> None:
    if not isinstance(traffic, Mapping):
        raise SpecError("traffic", traffic, "signals by the ids of agents", of="simulate")
    for id, samples in traffic.items():
        if id not in agents:
            allowed = f"the ids of agents: {', '.join(map(repr, agents))}"
            raise SpecError("traffic", id, allowed, of="simulate")
        allowed = "trido.Signals in a list, or a function of a random.Random"
        if callable(samples):
            continue
        for one in arguments.several("simulate", "traffic", samples, allowed):
            if not isinstance(one, Signal):
                raise SpecError("traffic", one, allowed, of="simulate")


def _check(
    agents: Any, days: float, per_hour: float, calls: float, revive_after: float | None
) -> None:
    arguments.agents("simulate", agents)
    for name, value in (("days", days), ("per_hour", per_hour)):
        if not (is_number(value) and 0 < value < math.inf):
            raise SpecError(name, value, "a finite number > 0", of="simulate")
    if not (is_number(calls) and 0 <= calls <= 1):
        raise SpecError("calls", calls, "a number from 0 to 1", of="simulate")
    if revive_after is not None:
        seconds("simulate", "revive_after", revive_after)


def _samples(
    id: str, agent: Definition[Any], traffic: Mapping[str, Samples] | None, seed: int
) -> Samples:
    if traffic is not None:
        return traffic.get(id, ())
    return drawn(agent, seed)


def drawn(agent: Definition[Any], seed: int, *, number: int = 50) -> tuple[Signal, ...]:
    """Signals that an agent takes, drawn by chance."""
    import hypothesis  # noqa: PLC0415  # needed only here

    from trido.testing.strategies.signals import signals  # noqa: PLC0415  # same

    found: list[Signal] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    @hypothesis.given(signals(agent))
    def note(signal: Signal) -> None:
        found.append(signal)

    note()
    return tuple(found)


@frozen
class _Simulation:
    """One run."""

    agents: Mapping[str, Agent[Any]]
    lasts: float
    seed: int
    samples: Mapping[str, Samples]
    per_hour: float
    calls: float
    revive_after: float | None
    options: Mapping[str, Any] = EMPTY

    async def main(self, plan: FaultPlan) -> tuple[Recorder, Injection]:
        """Run it; what happened."""
        with Recorder(most=ROOM) as recorder:
            async with inject(plan) as injection, open_runtime(**self.options) as rt:
                for id, agent in self.agents.items():
                    await rt.start_agent(agent, id=id)
                await self._live(rt)
        return recorder, injection

    async def _live(self, rt: Runtime) -> None:
        async with trio.open_nursery() as nursery:
            for id in self.agents:
                if self.samples[id]:
                    nursery.start_soon(self._send, rt, id, nursery)
                if self.revive_after is not None:
                    nursery.start_soon(self._look_after, rt, id, self.revive_after)
            await trio.sleep(self.lasts)
            nursery.cancel_scope.cancel(reason="the day is over")

    async def _send(self, rt: Runtime, id: str, nursery: trio.Nursery) -> None:
        random = Random(f"{self.seed}/{id}")
        while True:
            await trio.sleep(random.expovariate(self.per_hour / HOUR))
            samples = self.samples[id]
            signal = samples(random) if callable(samples) else random.choice(samples)
            is_call = random.random() < self.calls
            nursery.start_soon(_call if is_call else _cast, rt, id, signal)

    async def _look_after(self, rt: Runtime, id: str, patience: float) -> None:
        while True:
            await trio.sleep(patience)
            ref = rt.find(id)
            if ref is not None and ref.status().state == "parked":
                await ref.revive()


async def _call(rt: Runtime, id: str, signal: Signal) -> None:
    with trio.move_on_after(PATIENCE), suppress(AgentError):
        await rt.agent(id).call(signal)


async def _cast(rt: Runtime, id: str, signal: Signal) -> None:
    with trio.move_on_after(PATIENCE), suppress(AgentError):
        await rt.agent(id).cast(signal)
