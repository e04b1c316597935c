"""Virtual time, and schedules drawn from a seed: the same seed, the same run.

Trio runs the tasks of one tick in random order, and the clock does not wait for threads. Here a
number decides the order, time jumps to the next deadline, and what would hop to a thread is done on
the spot. So a run is replayed by its seed, and its plan of faults if it has one.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Final, Generic, TypeVar, TypeVarTuple, final
from unittest.mock import patch

import trio
from attrs import field, frozen
from trio.testing import MockClock

from trido.checks import count, flag, seconds
from trido.errors import SpecError
from trido.testing import arguments
from trido.testing.faults import Faults
from trido.testing.inject import injected
from trido.testing.plan import FaultPlan, Plan
from trido.testing.plan_check import check
from trido.testing.plan_errors import NotReached
from trido.testing.plan_faults import Fault
from trido.testing.plan_survey import Survey
from trido.testing.schedule_budget import Budget
from trido.testing.schedule_guard import Guard, place_in

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

STEPS: Final = 2_000_000
"""How many steps the tasks of a scenario may take."""
LASTS: Final = 1_000_000.0
"""How many seconds of virtual time it may last."""
NO_FAULTS: Final = FaultPlan()


@final
@frozen
class Scenario(Generic[T]):
    """Something that can be run again and again.

    Raises:
      SpecError: something of it is not what it may be.
    """

    main: Callable[[], Awaitable[T]]
    seed: int
    steps: int = STEPS
    lasts: float = LASTS
    patience: float = math.inf
    """How many seconds of real time it may stand still."""
    of: str = field(default="trido.testing.run", kw_only=True)
    """Who runs it."""

    def __attrs_post_init__(self) -> None:
        arguments.seed(self.of, self.seed)
        count(self.of, "steps", self.steps, least=1, infinite=True)
        seconds(self.of, "lasts", self.lasts)

    def play(
        self,
        plan: FaultPlan = NO_FAULTS,
        *,
        guarded: bool,
        survey: Survey | None = None,
        whole: bool = False,
        instruments: Sequence[trio.abc.Instrument] = (),
        clock: MockClock | None = None,
        happened: list[Fault] | None = None,
    ) -> T:
        """Run it once, and note in ``survey`` what could fail in it, in ``happened`` what did.

        Raises:
          NotReached: not the ``whole`` plan happened.
        """
        scope = trio.CancelScope(deadline=self.lasts)
        budget = Budget(scope, self.steps, self.patience)
        faults = Faults(plan, survey, strict=whole)
        guard = Guard(on=guarded)

        async def played() -> T:
            if not plan and survey is None:
                return await self._begun()
            async with injected(faults) as injection:
                try:
                    result = await self._begun()
                finally:
                    if happened is not None:
                        happened.extend(injection.happened)
                if whole and injection.pending:
                    raise NotReached([str(one) for one in injection.pending], faults.absent)
                return result

        async def scenario() -> T:
            waited_at: str | None = None
            with scope, guard:
                try:
                    result = await played()
                except BaseException as error:
                    waited_at = place_in(error)
                    raise
                if not scope.cancel_called:
                    return result  # else it is not over, even if it took no notice of that
            not_over = budget.not_over()
            if waited_at is not None:
                not_over.add_note(f"it was at {waited_at}")
            raise not_over

        clock = clock or MockClock(autojump_threshold=0)
        with seeded(self.seed), guard.told(), looked_at(clock, self.patience):
            return trio.run(scenario, clock=clock, instruments=[budget, *instruments])

    async def _begun(self) -> T:
        begun = self.main()
        if not isinstance(begun, Awaitable):
            raise SpecError("fn", self.main, "an async function", of=self.of)
        return await begun


def run(
    fn: Callable[[*Ts], Awaitable[T]],
    *args: *Ts,
    seed: int | None = None,
    plan: Plan = None,
    guarded: bool = True,
    rehearsed: bool = True,
    steps: int = STEPS,
    lasts: float = LASTS,
    instruments: Sequence[trio.abc.Instrument] = (),
) -> T:
    """Run ``fn(*args)`` in virtual time, in the order that ``seed`` decides, and return its result.

    The same seed and plan replay the same run, as long as nothing but they decides what happens.
    What leaves this says both in a note. Journals and ``Run(where="thread")`` do on the spot what
    they would do in a thread.

    Args:
      fn: an async function. With a plan it is run twice, first without faults.
      *args: what it is called with.
      seed: what decides the order of tasks, and ``random`` in trido; a new one if it is not given.
      plan: what goes wrong: a `FaultPlan`, or its line.
      guarded: whether to look out for what no seed decides. It makes the run several times slower.
      rehearsed: whether to run it without faults first, to know what the plan may name, and to see
        to it that all of it happens. Without, what never comes to its place just never happens.
      steps: how many steps its tasks may take.
      lasts: how many seconds of virtual time it may last.
      instruments: those of ``trio.run``.

    Raises:
      SpecError: at once, if one of these is not what it may be. So is `PlanSyntaxError`.
      UnknownPoint: the plan names what is not there. None of it has happened.
      NotReached: it is over, and not all of the plan has happened.
      NotReproducible: it uses a thread, real time, or chance of its own.
      NotOver: it took more steps or time than it may.
      Exception: whatever ``fn`` raises.
    """
    faults = FaultPlan.of(plan)
    flag("trido.testing.run", "guarded", guarded)
    flag("trido.testing.run", "rehearsed", rehearsed)
    _check_instruments(instruments)
    number = new_seed() if seed is None else seed
    scenario = scenario_of("trido.testing.run", fn, *args, seed=number, steps=steps, lasts=lasts)
    with noted(number, faults):
        if faults and rehearsed:
            check(faults, rehearse(scenario, guarded=guarded))
        return scenario.play(faults, guarded=guarded, whole=rehearsed, instruments=instruments)


def rehearse(scenario: Scenario[T], *, guarded: bool) -> Survey:
    """Run it without faults, to see what there is."""
    survey = Survey()
    try:
        scenario.play(survey=survey, guarded=guarded)
    except BaseException as error:
        error.add_note("this was the rehearsal, without faults: rehearsed=False leaves it out")
        raise
    return survey


def run_seeds(
    fn: Callable[[*Ts], Awaitable[T]],
    *args: *Ts,
    seeds: int | Iterable[int] = 20,
    plan: Plan = None,
    steps: int = STEPS,
    lasts: float = LASTS,
) -> list[T]:
    """Run ``fn(*args)`` under several schedules, as `run` does, and return the results.

    The first one that fails ends it; a note tells the seed.

    Args:
      fn: an async function.
      *args: what it is called with.
      seeds: which ones, or how many, from 0 on.
      plan: what goes wrong in each of them that comes to its place; the first has to.
      steps: how many steps its tasks may take.
      lasts: how many seconds of virtual time it may last.

    Raises:
      SpecError: at once, if ``seeds`` are none, or one of the rest is not what it may be.
      Exception: whatever `run` raises.
    """
    chosen = _seeds(seeds)
    results: list[T] = []
    for seed in chosen:
        first = not results
        one = run(
            fn,
            *args,
            seed=seed,
            plan=plan,
            guarded=first,
            rehearsed=first,
            steps=steps,
            lasts=lasts,
        )
        results.append(one)
    return results


@contextmanager
def looked_at(clock: MockClock, patience: float) -> Generator[None]:
    """Within this block a clock that somebody is to move wakes its run now and then."""
    if clock.autojump_threshold < math.inf:
        yield
        return
    clock.autojump_threshold = patience
    try:
        yield
    finally:
        clock.autojump_threshold = math.inf


def _seeds(seeds: int | Iterable[int]) -> list[int]:
    if isinstance(seeds, int):
        count("run_seeds", "seeds", seeds, least=1, infinite=False)
        return list(range(seeds))
    chosen = arguments.several("run_seeds", "seeds", seeds, "seeds, or how many")
    if not chosen:
        raise SpecError("seeds", seeds, "one seed at least", of="run_seeds")
    return [arguments.seed("run_seeds", one) for one in chosen]


def _check_instruments(instruments: object) -> None:
    of, allowed = "trido.testing.run", "trio.abc.Instruments, in a list"
    for one in arguments.several(of, "instruments", instruments, allowed):
        if not isinstance(one, trio.abc.Instrument):
            raise SpecError("instruments", one, allowed, of=of)


def scenario_of(
    of: str,
    fn: Callable[[*Ts], Awaitable[T]],
    *args: *Ts,
    seed: int,
    steps: int = STEPS,
    lasts: float = LASTS,
) -> Scenario[T]:
    """``fn(*args)``, as something that can be run again and again.

    Raises:
      SpecError: one of these is not what it may be.
    """
    arguments.function(of, "fn", fn)
    return Scenario(functools.partial(fn, *args), seed, steps, lasts, of=of)


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """Within this block `trio.run` runs tasks in the order that ``seed`` decides."""
    state = random.getstate()
    random.seed(seed)
    try:
        with (
            patch("trio._core._run._r", random.Random(seed)),
            patch("trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING", new=True),
        ):
            yield
    finally:
        random.setstate(state)


@contextmanager
def noted(seed: int, plan: FaultPlan) -> Generator[None]:
    """What leaves this block says how to replay it."""
    try:
        yield
    except BaseException as error:
        error.add_note(replay(seed, plan))
        raise


def replay(seed: int, plan: FaultPlan) -> str:
    """How to run the same again."""
    return f"replay it with seed={seed}" + (f", plan={str(plan)!r}" if plan else "")


def new_seed() -> int:
    """One that nobody has chosen."""
    return random.SystemRandom().randrange(2**32)
