"""Every crash point of a scenario, one after the other: nothing is left to chance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from itertools import zip_longest
from typing import Any, Final, TypeVar, TypeVarTuple, final

from attrs import field, frozen

from trido.checks import count
from trido.errors import TridoError
from trido.testing.judging import judge, plain
from trido.testing.plan import FaultPlan
from trido.testing.plan_errors import NotReproducible
from trido.testing.plan_faults import CodeFault, Fault, StorageFault
from trido.testing.plan_survey import Survey
from trido.testing.schedule import (
    LASTS,
    NO_FAULTS,
    STEPS,
    Scenario,
    noted,
    replay,
    scenario_of,
)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

LIMIT: Final = 1000
"""How many crash points a scenario may have."""


class TooManyPoints(TridoError, ValueError):
    """A scenario has more crash points than may be tried.

    Attributes:
      count: how many it has.
      limit: how many it may have.
    """

    def __init__(self, count: int, limit: int) -> None:
        super().__init__(count, limit)
        self.count = count
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"{self.count} crash points are more than limit={self.limit}: make the scenario"
            " smaller, or the limit larger"
        )


@final
@frozen
class CrashFailure:
    """A crash point at which a scenario fails."""

    plan: FaultPlan
    """What replays it, with the seed."""
    error: BaseException = field(eq=False)
    """What it fails by."""

    def __str__(self) -> str:
        return f"{self.plan}\n    {type(self.error).__name__}: {self.error}"


@final
@frozen
class CrashReport:
    """What `every_crash_point` found."""

    seed: int
    """The seed of all its runs."""
    tried: tuple[FaultPlan, ...]
    """Each crash point, in the order in which the scenario comes there."""
    failures: tuple[CrashFailure, ...]
    """Those at which it fails."""

    def __str__(self) -> str:
        found = f"{len(self.failures)} of {len(self.tried)} crash points fail, with {self._with}"
        if not self.failures:
            found = f"all {len(self.tried)} crash points pass, with {self._with}"
        return "\n".join([found, *(f"  {one}" for one in self.failures)])

    @property
    def _with(self) -> str:
        return f"seed={self.seed}"

    def assert_ok(self) -> None:
        """It passes at every point.

        Raises:
          AssertionError: it does not: all the plans at which it fails, and the first error as the
            cause. Or there is no point at all, so that it proves nothing.
        """
        if not self.tried:
            raise AssertionError("there is no crash point: the scenario has no agent and no child")
        if self.failures:
            raise AssertionError(str(self)) from self.failures[0].error


def every_crash_point(
    scenario: Callable[[*Ts], Awaitable[T]],
    *args: *Ts,
    invariant: Callable[[T], object] | None = None,
    seed: int = 0,
    limit: int = LIMIT,
    steps: int = STEPS,
    lasts: float = LASTS,
) -> CrashReport:
    """Run a scenario once for each point at which something of it can crash, and crash it there.

    It is run without a crash first, twice, which tells the points: every start and stop, every turn
    before and after its decision and its commit, every directive before, during and after it, every
    ``await`` that resumes, and for every write to the journal that it fails, or that its outcome is
    lost. None is left out. A crash point fails if the scenario raises, or the invariant does, or
    returns what is false and not None.

    Args:
      scenario: an async function that begins anew each time.
      *args: what it is called with.
      invariant: a plain function of what the scenario returns: what must hold in spite of a crash.
      seed: what decides the order of tasks, in each run.
      limit: how many points there may be.
      steps: how many steps its tasks may take in each run.
      lasts: how many seconds of virtual time each may last.

    Raises:
      SpecError: at once, if one of these is not what it may be.
      TooManyPoints: there are more than ``limit``.
      NotReproducible: two runs without a crash are not the same.
      Exception: what the scenario or the invariant raises without any crash.
    """
    of = "every_crash_point"
    one = scenario_of(of, scenario, *args, seed=seed, steps=steps, lasts=lasts)
    count(of, "limit", limit, least=1, infinite=False)
    if invariant is not None:
        plain(of, "invariant", invariant)
    with noted(seed, NO_FAULTS):
        survey = _survey(one, invariant)
    plans = tuple(FaultPlan([fault]) for fault in crash_points(survey))
    if len(plans) > limit:
        raise TooManyPoints(len(plans), limit)
    failures: list[CrashFailure] = []
    for plan in plans:
        error = _error_of(one, invariant, plan)
        if error is not None:
            failures.append(CrashFailure(plan, error))
    return CrashReport(seed, plans, tuple(failures))


def crash_points(survey: Survey) -> Iterator[Fault]:
    """Every crash point of what was surveyed."""
    for who, point in survey.moments:
        yield CodeFault("crash", who, point)
    for nth in range(1, survey.operations["write"] + 1):
        yield StorageFault("unavailable", "write", nth)
        yield StorageFault("lost", "write", nth)


def _survey(scenario: Scenario[T], invariant: Callable[[T], object] | None) -> Survey:
    survey, again = Survey(), Survey()
    _judge(invariant, scenario.play(survey=survey, guarded=True))
    scenario.play(survey=again, guarded=False)
    for one, other in zip_longest(survey.trace, again.trace, fillvalue="the end"):
        if one != other:
            what = f"what comes first at {one!r}, then at {other!r},"
            raise NotReproducible(what, _place_of(scenario.main), "have it begin anew each time")
    return survey


def _place_of(main: Any) -> str:
    code = getattr(main.func, "__code__", None)
    return repr(main.func) if code is None else f"{code.co_filename}:{code.co_firstlineno}"


def _error_of(
    scenario: Scenario[T], invariant: Callable[[T], object] | None, plan: FaultPlan
) -> Exception | None:
    try:
        _judge(invariant, scenario.play(plan, guarded=False))
    except Exception as error:
        error.add_note(replay(scenario.seed, plan))
        return error
    return None


def _judge(invariant: Callable[[T], object] | None, result: T) -> None:
    if invariant is not None:
        judge("every_crash_point", "invariant", invariant, result, about=result)
