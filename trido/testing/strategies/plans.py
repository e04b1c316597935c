"""Plans of faults, drawn; and the least one that breaks a scenario."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from trido.checks import count, one_of, text
from trido.errors import SpecError, TridoError
from trido.testing import arguments
from trido.testing.judging import judge, plain
from trido.testing.plan import FaultPlan
from trido.testing.plan_check import check_names
from trido.testing.plan_errors import NotReached, NotReproducible, UnknownPoint
from trido.testing.plan_faults import (
    ACTS,
    AWAITING,
    LASTING,
    MISHAPS,
    CodeFault,
    Fault,
    SignalFault,
)
from trido.testing.plan_points import DirectiveOf, Start, Turn
from trido.testing.plan_survey import Survey
from trido.testing.schedule import Scenario, noted, scenario_of

T = TypeVar("T")

USUAL: Final = ("crash", "slow", "drop", "duplicate", "delay", "reorder")
_SECONDS: Final = st.sampled_from([1.0, 0.1, 10.0])


def fault_plans(
    *who: str, faults: Sequence[str] = USUAL, most: int = 3, turns: int = 4
) -> st.SearchStrategy[FaultPlan]:
    """Plans of what goes wrong for some agents. They shrink to one fault, of the first turn.

    Args:
      who: the ids of the agents.
      faults: which kinds of faults: what happens to code (``"crash"``, ``"slow"`` …), and what
        happens to signals (``"drop"``, ``"duplicate"``, ``"delay"``, ``"reorder"``).
      most: how many faults a plan has at most.
      turns: how many turns of an agent, or signals to it, may fail.

    Raises:
      SpecError: nobody is named, or one of these is not what it may be.
    """
    if not who:
        raise SpecError("who", who, "the ids of agents", of="fault_plans")
    for id in who:
        text("fault_plans", "who", id)
    allowed = "kinds of faults, at least one"
    if not arguments.several("fault_plans", "faults", faults, allowed):
        raise SpecError("faults", faults, allowed, of="fault_plans")
    for one in faults:
        one_of("fault_plans", "faults", one, (*ACTS, *MISHAPS))
    count("fault_plans", "most", most, least=1, infinite=False)
    count("fault_plans", "turns", turns, least=1, infinite=False)
    kinds = [_faults(kind, who, st.integers(1, turns)) for kind in faults]
    return st.lists(st.one_of(kinds), min_size=1, max_size=most, unique=True).map(FaultPlan)


def _faults(kind: Any, who: Sequence[str], nth: st.SearchStrategy[int]) -> st.SearchStrategy[Fault]:
    lasts: dict[str, Any] = {"seconds": _SECONDS} if kind in LASTING else {}
    agent = st.sampled_from(who)
    if kind in MISHAPS:
        return st.builds(SignalFault, st.just(kind), agent, nth, **lasts)
    return st.builds(CodeFault, st.just(kind), agent, _points(kind, nth), **lasts)


def _points(kind: str, nth: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    """Where code can fail so: what awaits can do so where it may await."""
    turns, directives = st.builds(Turn, nth), st.builds(DirectiveOf, nth, st.just(1))
    if kind in AWAITING:
        return turns | directives
    later = st.builds(Turn, nth, st.sampled_from(["before commit", "after commit"]))
    return turns | later | directives | st.builds(Start, st.just(2))


def find_plan(
    scenario: Callable[[], Awaitable[T]],
    plans: st.SearchStrategy[FaultPlan],
    *,
    invariant: Callable[[T], object] | None = None,
    seed: int = 0,
    examples: int = 200,
) -> FaultPlan | None:
    """The least plan by which a scenario fails; None if none was found.

    It fails if it raises, does not end, or returns what the invariant refuses. It must pass when
    nothing goes wrong. The search is the same every time. A fault of a plan that never comes to its
    place just does not happen.

    Args:
      scenario: an async function that begins anew each time.
      plans: where plans are drawn from, such as `fault_plans`.
      invariant: a plain function of what the scenario returns: it raises, or returns what is false
        and not None, if that is not right.
      seed: what decides the order of tasks, in each run.
      examples: how many plans to try.

    Raises:
      SpecError: at once, if one of these is not what it may be.
      Exception: what the scenario or the invariant raises when nothing goes wrong.
      NotReached: of all the plans that were tried nothing has happened, so that it proves nothing.
      UnknownPoint: plans that were drawn name somebody who is not there when nothing goes wrong.
      NotReproducible: the scenario uses threads, real time or chance of its own.
    """
    count("find_plan", "examples", examples, least=1, infinite=False)
    if not isinstance(plans, st.SearchStrategy):
        raise SpecError("plans", plans, "a strategy, such as fault_plans(...)", of="find_plan")
    if invariant is not None:
        plain("find_plan", "invariant", invariant)
    survey, happened = Survey(), list[Fault]()
    one = scenario_of("find_plan", scenario, seed=seed)
    error_of = partial(_error_of, one, invariant, happened)
    error = error_of(FaultPlan(), survey=survey)
    if error is not None:
        error.add_note("this is without any fault: it must pass, each time that it is run")
        raise error

    wrong, tried = list[TridoError](), list[FaultPlan]()

    def fails(plan: object) -> bool:
        try:
            tried.append(_checked(plan, survey))
        except (SpecError, UnknownPoint) as error:
            wrong.append(error)
            return False
        return error_of(tried[-1]) is not None

    found: FaultPlan | None = None
    with suppress(NoSuchExample):
        found = find(plans, fails, settings=_search(examples))
    if wrong:
        raise wrong[0]
    if tried and not happened:
        raise NotReached([str(tried[0]), f"{len(tried) - 1} plans more"])
    return found


def _checked(plan: object, survey: Survey) -> FaultPlan:
    if not isinstance(plan, FaultPlan):
        raise SpecError("plans", plan, "a strategy of FaultPlans alone", of="find_plan")
    check_names(plan, survey)
    return plan


def _search(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow],
    )


def _error_of(
    scenario: Scenario[T],
    invariant: Callable[[T], object] | None,
    happened: list[Fault],
    plan: FaultPlan,
    *,
    survey: Survey | None = None,
) -> Exception | None:
    """What a scenario fails by. A survey is of what there is when nothing goes wrong."""
    seed = scenario.seed
    try:
        with noted(seed, plan):
            result = scenario.play(
                plan, guarded=survey is not None, survey=survey, happened=happened
            )
            if invariant is not None:
                judge("find_plan", "invariant", invariant, result, about=result)
    except NotReproducible:
        raise
    except Exception as error:
        return error
    return None
