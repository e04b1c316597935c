"""Async tests in virtual time, replayed by a seed: what the pytest plugin does.

pytest finds ``pytest_trido``, which imports this when a test asks for it.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from shlex import quote
from typing import Final, TypeVar, final

import pytest
import trio
from trio.testing import MockClock

from trido.errors import SpecError
from trido.testing.plan import FaultPlan
from trido.testing.plan_check import check, check_names
from trido.testing.plan_errors import NotOver, NotReached, PlanSyntaxError, UnknownPoint
from trido.testing.plan_survey import Survey
from trido.testing.plugin_marks import is_async, options_of, plan_of, wrong_with
from trido.testing.schedule import STEPS, Scenario, new_seed, rehearse

T = TypeVar("T")

MOST: Final = 10 * STEPS
"""How many steps the tasks of a test may take, if it does not say so itself."""
PATIENCE: Final = 30.0
"""How many seconds of real time a test may wait for what never comes."""
_SEED: Final = pytest.StashKey[int]()
_TOLD: Final = pytest.StashKey[str]()
_WRONG: Final = pytest.StashKey[str]()
_STANDS: Final = "its time stands still unless the test moves it, for it has the fixture mock_clock"


def prepare(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Have these run in virtual time, in the order that a seed decides."""
    _begin(config)
    _check_plan(config)
    for item in items:
        wrong = wrong_with(item)
        if wrong is not None:
            item.stash[_WRONG] = wrong
        elif is_async(item) and config.pluginmanager.has_plugin("trio"):
            item.add_marker(pytest.mark.trio(run=Runner(item)), append=False)


def _check_plan(config: pytest.Config) -> None:
    try:
        FaultPlan.of(config.getoption("--trido-plan"))
    except PlanSyntaxError as error:
        raise pytest.UsageError(f"--trido-plan: {error}") from error


def session_seed(request: pytest.FixtureRequest) -> int:
    """The seed for a test that runs something itself. If it fails, its report says so."""
    _begin(request.config)
    seed = _seed_of(request.config, None)
    request.node.stash[_TOLD] = f"--trido-seed={seed}"
    return seed


def _begin(config: pytest.Config) -> None:
    if _SEED not in config.stash:
        config.stash[_SEED] = new_seed()
        config.pluginmanager.register(Reports(), "trido reports")


def _seed_of(config: pytest.Config, marked: int | None) -> int:
    given = config.getoption("--trido-seed")
    if given is None:
        given = marked
    return config.stash[_SEED] if given is None else int(given)


@final
class Runner:
    """Runs one test, as `trio.run` would."""

    def __init__(self, item: pytest.Item) -> None:
        self._item: Final = item
        self._options: Final = options_of(item)
        self._plan: Final = plan_of(item)

    def __call__(
        self,
        main: Callable[[], Awaitable[T]],
        *,
        clock: trio.abc.Clock | None = None,
        instruments: Sequence[trio.abc.Instrument] = (),
    ) -> T:
        """Run it, and keep how to replay it."""
        if clock is not None and not isinstance(clock, MockClock):
            allowed = "trio's MockClock, or none; or mark the test real_time"
            raise SpecError("clock", clock, allowed, of=f"trido of {self._item.name}")
        options = self._options
        plan, seed = self._plan, _seed_of(self._item.config, options.get("seed"))
        words = f"--trido-seed={seed}"
        self._item.stash[_TOLD] = f"{words} --trido-plan={quote(str(plan))}" if plan else words
        lasts, steps = options.get("lasts", math.inf), options.get("steps", MOST)
        scenario = Scenario(main, seed, steps, lasts, PATIENCE)
        guarded = options.get("guarded", False)
        if plan and options.get("rehearsed", False):
            self._check_that_it_can_be_run_twice()
            check(plan, rehearse(scenario, guarded=guarded))
        survey = Survey()
        try:
            return scenario.play(
                plan,
                survey=survey if plan else None,
                guarded=guarded,
                whole=True,
                instruments=instruments,
                clock=clock,
            )
        except NotReached:
            check_names(plan, survey)
            raise
        except NotOver as error:
            if clock is not None and clock.autojump_threshold == math.inf:
                error.add_note(f"{_STANDS}; leave that out, and it jumps")
            raise
        except Exception as error:
            _note_unknown(error, plan, survey)
            raise

    def _check_that_it_can_be_run_twice(self) -> None:
        for name, value in getattr(self._item, "funcargs", {}).items():
            is_trios = type(value).__module__ == "pytest_trio.plugin"
            if is_trios or isinstance(value, trio.abc.Clock):
                what = "without async fixtures and clocks, which a rehearsal would use up"
                raise SpecError("rehearsed", name, what, of=f"trido of {self._item.name}")


def _note_unknown(error: Exception, plan: FaultPlan, survey: Survey) -> None:
    """It may have failed for want of what the plan did not find."""
    try:
        check_names(plan, survey)
    except UnknownPoint as unknown:
        error.add_note(f"of the plan, {unknown}")


@final
class Reports:
    """Says how to replay what failed; and runs the tests, where pytest-trio is not there to."""

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Fail a test that cannot be run as its marker says: that one alone."""
        wrong = item.stash.get(_WRONG, None)
        if wrong is not None:
            pytest.fail(wrong, pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add how to replay it to the report of a test that failed."""
        report = yield
        told = item.stash.get(_TOLD, None)
        if told is not None and report.failed:
            report.sections.append(("trido", f"replay it with: pytest {told} {quote(item.nodeid)}"))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Run an async test that is marked, if nobody else does."""
        if pyfuncitem.get_closest_marker("trido") is None:
            return None
        if not inspect.iscoroutinefunction(pyfuncitem.obj):
            return None  # pytest-trio has made a plain function of it
        names = pyfuncitem._fixtureinfo.argnames
        given = {name: pyfuncitem.funcargs[name] for name in names}
        Runner(pyfuncitem)(functools.partial(pyfuncitem.obj, **given))
        return True
