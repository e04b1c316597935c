"""What grows with the number of children and restarts, and what must not.

Steps and operations are counted, never timed.
"""

from __future__ import annotations

import gc
import logging
import math
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

import trido
from trido.supervision.decision import Machine


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1, logger="trido")


class Steps(trio.abc.Instrument):
    """Counts what Trio does."""

    def __init__(self) -> None:
        self.taken = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.taken += 1


@pytest.fixture
def operations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts what the decision wants done."""
    counted = [0]
    handle = Machine.handle

    def counting(self: Machine, event: object) -> object:
        for operation in handle(self, event):  # type: ignore[arg-type]  # as it came
            counted[0] += 1
            yield operation

    monkeypatch.setattr(Machine, "handle", counting)
    return counted


async def idle() -> None:
    await trio.sleep_forever()


async def static_by_the_api(number: int) -> None:
    async with trido.open_supervisor() as supervisor:
        for index in range(number):
            await supervisor.start_child(idle, id=str(index))
        for index in range(number):
            await supervisor.stop_child(str(index))


async def static_by_the_block(number: int) -> None:
    children = [trido.ChildSpec(idle, id=str(index)) for index in range(number)]
    async with trido.open_supervisor(*children):
        pass


async def dynamic(number: int) -> None:
    async with trido.open_dynamic_supervisor(idle) as supervisor:
        for _ in range(number):
            await supervisor.start_child()


@pytest.mark.parametrize(
    ("work", "most"),
    [(static_by_the_api, 100_000), (static_by_the_block, 30_000), (dynamic, 30_000)],
)
def test_the_work_of_starting_and_stopping_is_linear(
    work: Callable[[int], Awaitable[None]], most: int, operations: list[int]
) -> None:
    def cost(number: int) -> tuple[float, float]:
        steps = Steps()
        operations[0] = 0
        trio.run(work, number, instruments=[steps], clock=trio.testing.MockClock())
        return steps.taken / number, operations[0] / number

    small, large = cost(1_000), cost(most)
    # Steps vary a little with how many ends come in one slice; operations do not.
    assert large[0] <= small[0] * 1.1
    assert large[1] <= small[1] * 1.02


def test_100_000_restarts_leave_nothing_behind() -> None:
    """The number of Python objects is the same after 20,000 restarts and after 100,000."""
    counts: list[int] = []

    async def crash() -> None:
        raise ValueError

    async def main() -> None:
        async with trido.open_supervisor(
            trido.ChildSpec(crash, backoff=trido.Backoff(min=0, max=0)),
            trido.ChildSpec(idle),
            max_restarts=math.inf,
        ) as supervisor:
            for restarts in (20_000, 100_000):
                await supervisor["crash"].wait_running(after=restarts)
                gc.collect()
                counts.append(len(gc.get_objects()))

    trio.run(main)
    assert counts[1] - counts[0] < 100


def test_a_sliding_window_keeps_only_what_counts() -> None:
    """With a limit, 1,000 restarts spread over time leave no more than fit the window."""

    async def crash() -> None:
        await trio.sleep(1)
        raise ValueError

    async def main() -> None:
        async with trido.open_supervisor(
            trido.ChildSpec(crash), max_restarts=5, max_seconds=4
        ) as supervisor:
            await trio.sleep(1_000.5)
            assert supervisor["crash"].restarts == 1_000
            assert supervisor.statistics().restarts_in_window <= 5

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
