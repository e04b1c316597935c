"""What the marker ``trido`` of a test says, and what is wrong with that."""

from __future__ import annotations

import inspect
from typing import Any, Final

import pytest
import trio

from trido.checks import flag
from trido.errors import SpecError
from trido.testing.plan import FaultPlan
from trido.testing.plan_errors import PlanSyntaxError
from trido.testing.schedule import Scenario

OPTIONS: Final = frozenset({"seed", "plan", "guarded", "rehearsed", "lasts", "steps"})
"""What the marker takes."""


def options_of(item: pytest.Item) -> dict[str, Any]:
    """What the marker of a test says; nothing, if it has none."""
    marker = item.get_closest_marker("trido")
    return {} if marker is None else dict(marker.kwargs)


def plan_of(item: pytest.Item) -> FaultPlan:
    """What goes wrong in a test: what the command line says, or else its marker.

    Raises:
      PlanSyntaxError: that is a line that is no plan.
      SpecError: it is no plan.
    """
    given = item.config.getoption("--trido-plan")
    return FaultPlan.of(options_of(item).get("plan") if given is None else given)


def is_async(item: pytest.Item) -> bool:
    """Whether a test can be run in virtual time: pytest-trio's are plain functions by now."""
    test = getattr(item, "obj", None)
    return inspect.iscoroutinefunction(test) or item.get_closest_marker("trio") is not None


def wrong_with(item: pytest.Item) -> str | None:
    """Why a test cannot be run as its marker says; None if it can."""
    marker, options = item.get_closest_marker("trido"), options_of(item)
    if marker is not None and marker.args:
        first = repr(marker.args[0])
        return f"trido({first}) takes its options by their names: say trido(plan={first})"
    for name in options.keys() - OPTIONS:
        return f"trido({name}=...) is none of {', '.join(sorted(OPTIONS))}"
    try:
        _check(options)
        plan_of(item)
    except (PlanSyntaxError, SpecError) as error:
        return str(error)
    return _wrong_with_test(item, options)


def _check(options: dict[str, Any]) -> None:
    seed, steps, lasts = (options.get(one, 1) for one in ("seed", "steps", "lasts"))
    Scenario(trio.lowlevel.checkpoint, seed, steps, lasts, of="trido")
    for name in ("guarded", "rehearsed"):
        flag("trido", name, options.get(name, False))


def _wrong_with_test(item: pytest.Item, options: dict[str, Any]) -> str | None:
    given = getattr(getattr(item, "obj", None), "hypothesis", None)
    if given is not None and inspect.iscoroutinefunction(given.inner_test):
        # Its examples would share one clock.
        return "with @given, write a plain test that calls trido.testing.run"
    if "plan" in options and not is_async(item):
        way_out = "make it an async def, or have it call trido.testing.run(..., plan=...)"
        return f"trido(plan=...) does nothing to a plain def: {way_out}"
    return None
