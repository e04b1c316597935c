"""Meters: what the policies of actions have seen so far, and who waits for them.

They belong to whoever runs actions: two that have nothing to do with each other have meters of
their own. Nothing here is global.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any, Final, Generic, TypeVar, final

import trio
from attrs import frozen

from trido.agents.action import Action
from trido.agents.action_errors import BreakerOpen
from trido.agents.breaker import CLOSED, Standing, admit, refusal, tell, verdict_on
from trido.agents.policies import Breaker, Limit, Policy, Rate
from trido.checks import count, flag
from trido.errors import SpecError
from trido.values import ByFields
from trido.virtual import is_virtual

P = TypeVar("P", bound=Policy)

THREADS: Final = 40
"""How many threads may run actions at once, as in Trio."""


@final
@frozen(kw_only=True, eq=False, repr=False)
class LimitStatistics(ByFields):
    """A `Limit`, as it stands."""

    running: int
    """How many attempts hold a place. An abandoned thread holds its place until it returns."""
    waiting: int
    """How many wait for one."""


@final
@frozen(kw_only=True, eq=False, repr=False)
class MetersStatistics(ByFields):
    """`Meters`, as they stand. Policies go by their name, or that of their action."""

    limits: Mapping[str, LimitStatistics]
    rates: Mapping[str, int]
    """How many attempts wait for each `Rate`."""
    breakers: Mapping[str, Standing]
    """Whether each `Breaker` is closed, open or half-open."""
    threads: int
    """How many threads run actions, the abandoned ones included."""
    abandoned: int
    """How many of them nobody waits for any more: their actions were cancelled."""
    processes: int
    """How many processes run actions."""


@final
class Meters:
    """What the policies of actions have seen so far, for all the actions that are run with it.

    Args:
      threads: how many threads may run actions at once; those that were abandoned and have not
        returned yet count.
      processes: how many processes may; without it, as many as there are processors.
      inline: whether what belongs in a thread or a process runs in the task instead. In virtual
        time it always does: that passes while it waits for a thread.

    Raises:
      SpecError: an argument is not what it may be.
    """

    def __init__(
        self, *, threads: float = THREADS, processes: float | None = None, inline: bool = False
    ) -> None:
        count("Meters", "threads", threads, least=1, infinite=True)
        if processes is not None:
            count("Meters", "processes", processes, least=1, infinite=True)
        flag("Meters", "inline", inline)
        self._inline = inline
        self.threads: trio.CapacityLimiter = trio.CapacityLimiter(threads)
        """The threads that run actions."""
        self.processes: trio.CapacityLimiter = trio.CapacityLimiter(
            processes or os.cpu_count() or 1
        )
        """The processes that do."""
        self.abandoned = 0
        """How many threads nobody waits for any more."""
        self._limits: dict[str, _LimitMeter] = {}
        self._rates: dict[str, _RateMeter] = {}
        self._breakers: dict[str, _BreakerMeter] = {}

    @property
    def inline(self) -> bool:
        """Whether everything runs in the task. To be asked within a run of Trio."""
        return self._inline or is_virtual()

    def statistics(self) -> MetersStatistics:
        """How things stand."""
        return MetersStatistics(
            limits={name: one.statistics() for name, one in self._limits.items()},
            rates={name: one.waiting() for name, one in self._rates.items()},
            breakers={name: one.state.standing for name, one in self._breakers.items()},
            threads=self.threads.borrowed_tokens,
            abandoned=self.abandoned,
            processes=self.processes.borrowed_tokens,
        )

    @asynccontextmanager
    async def admit(self, action: Action[Any, Any]) -> AsyncGenerator[Admission]:
        """Wait until one attempt of ``action`` may begin; inside, it runs.

        An open breaker raises `BreakerOpen`, at once and again after having waited.
        """
        limits, rates, breakers = self._of(action)
        now = trio.current_time()
        for breaker in breakers:
            breaker.refuse(now)
        admission = Admission()
        with ExitStack() as stack:
            stack.callback(admission.leave)
            for limit in limits:
                await admission.hold(limit.limiter)
            for rate in rates:
                await rate.wait()
            for breaker in breakers:
                stack.enter_context(breaker.attempt())
            yield admission

    def _of(
        self, action: Action[Any, Any]
    ) -> tuple[list[_LimitMeter], list[_RateMeter], list[_BreakerMeter]]:
        # Limits in one order for all: two actions never wait for what the other holds.
        ordered = sorted(action.policies, key=lambda one: one.name or action.name)

        def all_of(meters: dict[str, M], cls: type[M], kind: type[Policy]) -> list[M]:
            return [_meter(meters, cls, one, action) for one in ordered if type(one) is kind]

        return (
            all_of(self._limits, _LimitMeter, Limit),
            all_of(self._rates, _RateMeter, Rate),
            all_of(self._breakers, _BreakerMeter, Breaker),
        )


@final
class Admission:
    """What one attempt holds of the limits, until it has ended."""

    __slots__ = ("_held", "kept")

    def __init__(self) -> None:
        self._held: list[tuple[trio.CapacityLimiter, object]] = []
        self.kept: bool = False
        """Whether a thread holds on to it that nobody waits for."""

    async def hold(self, limiter: trio.CapacityLimiter) -> None:
        """Wait for a place."""
        borrower = object()  # not the task: an action may run another under the same limit
        await limiter.acquire_on_behalf_of(borrower)
        self._held.append((limiter, borrower))

    def keep(self) -> Callable[[], None]:
        """Hold on to it beyond the attempt, until what this returns is called."""
        self.kept = True
        return self._release

    def leave(self) -> None:
        """The attempt has ended."""
        if not self.kept:
            self._release()

    def _release(self) -> None:
        for limiter, borrower in self._held:
            limiter.release_on_behalf_of(borrower)


class _Meter(Generic[P]):
    """What one policy has seen."""

    def __init__(self, policy: P, name: str) -> None:
        self.policy = policy
        self.name = name


M = TypeVar("M", bound=_Meter[Any])


def _meter(meters: dict[str, M], cls: type[M], policy: Policy, action: Action[Any, Any]) -> M:
    name = policy.name or action.name
    meter = meters.get(name)
    if meter is None:
        meter = meters[name] = cls(policy, name)
    if meter.policy != policy:
        allowed = f"the same everywhere under one name; elsewhere it is {meter.policy!r}"
        raise SpecError("policies", policy, allowed, of=f"action {action.name!r}")
    return meter


@final
class _LimitMeter(_Meter[Limit]):
    def __init__(self, policy: Limit, name: str) -> None:
        super().__init__(policy, name)
        self.limiter = trio.CapacityLimiter(policy.n)

    def statistics(self) -> LimitStatistics:
        now = self.limiter.statistics()
        return LimitStatistics(running=now.borrowed_tokens, waiting=now.tasks_waiting)


@final
class _RateMeter(_Meter[Rate]):
    def __init__(self, policy: Rate, name: str) -> None:
        super().__init__(policy, name)
        self._begun: deque[float] = deque(maxlen=policy.n)
        # Who holds it is the next to begin; the others wait behind it, in order.
        self._turn = trio.StrictFIFOLock()

    def waiting(self) -> int:
        now = self._turn.statistics()
        return now.tasks_waiting + now.locked

    async def wait(self) -> None:
        async with self._turn:
            now = trio.current_time()
            await trio.sleep_until(self.policy.earliest(self._begun, now))
            self._begun.append(trio.current_time())


@final
class _BreakerMeter(_Meter[Breaker]):
    def __init__(self, policy: Breaker, name: str) -> None:
        super().__init__(policy, name)
        self.state = CLOSED

    def refuse(self, now: float) -> None:
        """Raise `BreakerOpen` if no attempt may be made."""
        after = refusal(self.state, now)
        if after is not None:
            raise BreakerOpen(self.name, after)

    @contextmanager
    def attempt(self) -> Generator[None]:
        """Make an attempt, and learn from how it ends."""
        self.refuse(trio.current_time())
        self.state = admit(self.state)
        era = self.state.era
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            verdict, now = verdict_on(error), trio.current_time()
            self.state = tell(self.policy, self.state, era, verdict, now)
