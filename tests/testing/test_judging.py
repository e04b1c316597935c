"""What it is to hold is one rule: for every invariant, and wherever it is given."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

import trido
from tests.testing.agents import counter, signal
from trido import testing
from trido.testing import strategies
from trido.testing.machine import RuntimeMachine

AGENTS = trido.freeze({"a": counter})
SEARCH = settings(
    max_examples=2,
    stateful_step_count=2,
    deadline=None,
    database=None,
    phases=[Phase.generate],
)


async def recorded() -> testing.Recorder:
    with testing.Recorder() as recorder:
        async with trido.open_runtime() as rt:
            with suppress(trido.StartFailed):
                ref = await rt.start_agent(counter, id="a")
                await ref.cast(signal("add"))
            await trio.sleep(1)
    return recorder


RECORD = testing.run(recorded, guarded=False)


def _crash_points(invariant: Any) -> None:
    testing.every_crash_point(recorded, invariant=invariant).assert_ok()


def _find_plan(invariant: Any) -> None:
    plans = strategies.fault_plans("a", faults=["drop"], turns=1)
    assert strategies.find_plan(recorded, plans, invariant=invariant, examples=1) is None


def _check(invariant: Any) -> None:
    testing.check(RECORD, invariant)


def _machine(name: str, invariant: Any) -> None:
    is_list = name in {"always", "in_the_end"}
    said = {name: (invariant,) if is_list else lambda self: invariant(self.recorder)}
    if hasattr(invariant, "is_seen") and not is_list:
        said = {name: invariant}
    machine = type("Machine", (RuntimeMachine,), {"agents": AGENTS, "guarded": False, **said})
    run_state_machine_as_test(machine, settings=SEARCH)


JUDGES: dict[str, Callable[[Any], None]] = {
    "every_crash_point": _crash_points,
    "find_plan": _find_plan,
    "check": _check,
    **{
        name: partial(_machine, name)
        for name in ("always", "in_the_end", "holds", "holds_in_the_end")
    },
}


@pytest.fixture(params=JUDGES)
def judge(request: pytest.FixtureRequest) -> Callable[[Any], None]:
    return JUDGES[request.param]


class Falsy:
    def __repr__(self) -> str:
        return "Falsy()"

    def __bool__(self) -> bool:
        return False


async def awaits(recorder: testing.Recorder) -> bool:
    pytest.fail("it ran")


async def draws(recorder: testing.Recorder) -> AsyncGenerator[bool]:
    pytest.fail("it ran")
    yield False


awaits.is_seen = draws.is_seen = True  # type: ignore[attr-defined]  # functions take any attribute


class Awaits:
    async def __call__(self, recorder: testing.Recorder) -> bool:
        pytest.fail("it ran")


@pytest.mark.parametrize("held", [None, True, 1, [0]], ids=repr)
def test_none_and_what_is_true_holds(judge: Callable[[Any], None], held: object) -> None:
    judge(lambda _: held)


@pytest.mark.parametrize("held", [False, 0, [], "", Falsy()], ids=repr)
def test_what_is_false_and_not_none_does_not(judge: Callable[[Any], None], held: object) -> None:
    with pytest.raises(testing.InvariantFailed, match="does not hold: <trido"):
        judge(lambda _: held)


@pytest.mark.parametrize("invariant", [awaits, draws])
def test_what_is_async_is_refused(judge: Callable[[Any], None], invariant: Any) -> None:
    with pytest.raises(trido.SpecError, match="it must be a plain function: it is not awaited"):
        judge(invariant)


@pytest.mark.parametrize("invariant", [partial(awaits), Awaits()], ids=["partial", "object"])
def test_so_it_is_at_once_however_it_is_wrapped(invariant: Any) -> None:
    with pytest.raises(trido.SpecError, match="it must be a plain function: it is not awaited"):
        testing.every_crash_point(awaits, RECORD, invariant=invariant)


@pytest.mark.parametrize("invariant", [awaits, draws])
def test_so_is_what_only_returns_something_async(
    judge: Callable[[Any], None], invariant: Any
) -> None:
    with pytest.raises(trido.SpecError, match="it must be a plain function: it is not awaited"):
        judge(lambda recorder: invariant(recorder))  # noqa: PLW0108  # it cannot be seen from here


def test_so_is_what_is_awaitable_and_no_coroutine() -> None:
    class Later:
        def __await__(self) -> Iterator[None]:
            return iter(())

    with pytest.raises(trido.SpecError, match="it must be a plain function: it is not awaited"):
        testing.check(RECORD, lambda _: Later())


def test_what_raises_tells_how_it_came_to_that() -> None:
    def raises(recorder: testing.Recorder) -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong") as caught:
        testing.check(RECORD, raises)
    assert caught.value.__notes__[0].startswith("How it came to that:\n")
