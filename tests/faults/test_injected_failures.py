"""A failure at every line of the supervisor's own code.

Whatever breaks in there (a bug of ours, a MemoryError), what is supervised must not pay for it
with a hang, a task left behind, or two runs of one child at a time; and the failure must be seen.

`sys.settrace` raises at the first execution of each line, one line for each run of a scenario that
uses most of what there is. Left out are lines that cannot fail, lines that enter or leave a context
manager (an exception exactly there skips Trio's own bookkeeping) and Trio's abort functions (which
must not raise: Trio ends if one does).
"""

from __future__ import annotations

import gc
import linecache
import logging
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import trio
import trio.testing

import trido
import trido.supervision

ROOM = str(Path(trido.supervision.__file__).parent)
SHELL = (
    "block",
    "bus",
    "carrying",
    "child",
    "current",
    "incarnation",
    "nested",
    "reading",
    "report",
    "shell",
    "supervisor",
    "working",
)
PURE = (
    "alarms",
    "decision",
    "records",
    *(f"deciding/{path.stem}" for path in Path(ROOM, "deciding").glob("*.py")),
)

Point = tuple[str, int]
Observers = tuple[Callable[[trido.events.Event], object], ...]


class InjectedError(Exception):
    """What is raised inside trido."""


class HungError(BaseException):
    """The run does not end."""


class Living:
    """Which children run, as they say themselves."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    @contextmanager
    def run_of(self, name: str) -> Generator[None]:
        self.now[name] += 1
        self.most[name] = max(self.most[name], self.now[name])
        try:
            yield
        finally:
            self.now[name] -= 1


async def scenario(living: Living, observers: Observers) -> None:
    async def steady(name: str, *, task_status: trio.TaskStatus[str]) -> None:
        with living.run_of(name):
            task_status.started(name)
            try:
                await trio.sleep_forever()
            finally:
                with trido.cleanup():
                    await trio.sleep(0.1)

    async def crashing(name: str, seconds: float) -> None:
        with living.run_of(name):
            await trio.sleep(seconds)
            raise ValueError(name)

    async def stubborn(name: str) -> None:
        with living.run_of(name), trio.CancelScope(shield=True):
            await trio.sleep(50)

    async with trido.open_supervisor(
        trido.ChildSpec(steady, "a", id="a"),
        trido.ChildSpec(crashing, "b", 1.0, id="b", heartbeat=5.0),
        trido.SupervisorSpec(
            trido.ChildSpec(steady, "c", id="c"),
            trido.ChildSpec(crashing, "d", 0.7, id="d", backoff=trido.Backoff(min=0.2)),
            id="inner",
            strategy="one_for_all",
            max_restarts=20,
        ),
        trido.DynamicSupervisorSpec(steady, id="many"),
        trido.ChildSpec(stubborn, "s", id="s", shutdown=0.5),
        strategy="rest_for_one",
        max_restarts=20,
        observers=observers,
    ) as supervisor:
        many: trido.DynamicSupervisor[str] = supervisor["many"].value
        await many.start_child("m", id="m")
        await trio.sleep(1.5)
        await supervisor.start_child(steady, "e", id="e")
        await supervisor.stop_child("e")
        await supervisor.restart_child("e")
        with trio.move_on_after(0.05):
            await supervisor.stop_child("e")
        with trio.move_on_after(1):
            await supervisor["b"].wait_running(after=2)
        supervisor.tree()
        supervisor.stop()
        await supervisor.wait()


def lines_of(files: tuple[str, ...], observers: Observers) -> Iterator[Point]:
    """The lines that the scenario executes in these files."""
    seen: dict[Point, None] = {}
    with traced(lambda point: seen.setdefault(point, None), files):
        run(Living(), observers)
    yield from sorted(seen)


@contextmanager
def traced(visit: Callable[[Point], None], files: tuple[str, ...]) -> Generator[None]:
    names = {f"{ROOM}/{file}.py" for file in files}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in names:
            return None
        if event == "line" and not is_left_out(frame):
            visit((frame.f_code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


HARMLESS = re.compile(
    r"((async )?with .*|finally:|except .*|try:|pass|else:|return( [\w.]+)?"
    r"|if \w+ is None:|self\.\w+ = (None|True|False)|.*__a?(enter|exit)__\(.*)$"
)


def is_left_out(frame: FrameType) -> bool:
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return frame.f_code.co_name == "abort" or HARMLESS.match(line) is not None


def run(living: Living, observers: Observers) -> None:
    clock = trio.testing.MockClock(autojump_threshold=0)
    trio.run(scenario, living, observers, clock=clock)


@contextmanager
def no_hang() -> Generator[None]:
    """Raise if it takes long, again and again until that has ended the whole run."""

    def on_alarm(signum: int, frame: FrameType | None) -> None:
        raise HungError

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 5, 0.05)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def inject(
    point: Point, files: tuple[str, ...], observers: Observers
) -> tuple[BaseException | None, Living, bool]:
    """Run the scenario with a failure at ``point``: what left it, and whether it got there."""
    living, reached = Living(), False

    def visit(here: Point) -> None:
        nonlocal reached
        if here == point and not reached:
            reached = True
            raise InjectedError(f"{Path(point[0]).name}:{point[1]}")

    left: BaseException | None = None
    with no_hang(), traced(visit, files):
        try:
            run(living, observers)
        except BaseException as error:
            left = error
    return left, living, reached


# Failing between making a coroutine and awaiting it leaves it unawaited; nothing else is wrong.
@pytest.mark.filterwarnings("ignore:.*was never awaited:RuntimeWarning")
@pytest.mark.parametrize(
    ("files", "observers"),
    [(SHELL, (lambda event: None,)), (SHELL, ()), (PURE, ())],
    ids=["shell", "shell, on the spot", "pure"],
)
def test_a_failure_anywhere_inside_is_contained(
    files: tuple[str, ...], observers: Observers, caplog: pytest.LogCaptureFixture
) -> None:
    """Without observers much of the supervisor's work is done in the tasks of others."""
    caplog.set_level(logging.CRITICAL + 1, logger="trido")
    points = list(lines_of(files, observers))
    assert len(points) > 200
    problems: list[str] = []
    for point in points:
        left, living, reached = inject(point, files, observers)
        problems += problems_of(point, left, living, reached=reached)
    gc.collect()  # what was never awaited says so now, and not in somebody else's test
    assert not problems, "\n".join(problems)


def problems_of(
    point: Point, left: BaseException | None, living: Living, *, reached: bool
) -> Iterator[str]:
    where = f"{Path(point[0]).name}:{point[1]} {linecache.getline(*point).strip()!r}"
    if not reached:
        yield f"{where}: never got there"
    if any(isinstance(one, HungError) for one in chain(left)):
        yield f"{where}: hangs"
        return
    if isinstance(left, (trio.TrioInternalError, KeyboardInterrupt)):
        yield f"{where}: broke Trio: {left!r}"
    twice = [name for name, most in living.most.items() if most > 1]
    if twice:
        yield f"{where}: two runs at once of {twice}"
    left_over = [name for name, number in living.now.items() if number]
    if left_over:
        yield f"{where}: still running: {left_over}"
    if left is not None and InjectedError.__name__ not in repr(chain(left)):
        yield f"{where}: became {left!r}"


def chain(error: BaseException | None) -> list[BaseException]:
    """An error with its causes and members."""
    if error is None:
        return []
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    below = [one for member in members for one in chain(member)]
    return [error, *below, *chain(error.__cause__), *chain(error.__context__)]
