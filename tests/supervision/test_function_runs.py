"""A run of a function: how it is said to have ended, what its tasks are called, where they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

import trido
from trido.supervision.incarnation import FunctionRun, _joined, stack_below
from trido.supervision.place import Report
from trido.supervision.probe import PROBE


async def idle() -> None:
    await trio.sleep_forever()


async def waits(said: list[str]) -> None:
    try:
        await trio.sleep_forever()
    except trio.Cancelled as error:
        said.append(str(error))
        raise


def a_cancelled() -> trio.Cancelled:
    kept: list[trio.Cancelled] = []

    async def main() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.sleep_forever()
            except trio.Cancelled as error:
                kept.append(error)
                raise

    trio.run(main)
    return kept[0]


def run_of() -> FunctionRun:
    class Told:
        """What is looked at of a report."""

        child = None

    told: Any = Told()
    return FunctionRun(trido.ChildSpec(idle), (), told)


def group(*errors: BaseException) -> BaseException:
    return BaseExceptionGroup("all", errors)


VALUE, KEY, EXIT = ValueError(), KeyError(), SystemExit()
ESCALATE, SHUTDOWN, IGNORE = trido.Escalate(), trido.Shutdown(), trido.Ignore()
CANCELLED = a_cancelled()
LIMIT = trido.RestartLimitExceeded("other", "a", "had enough")
BOTH = group(VALUE, KEY)

ENDS: list[tuple[BaseException | None, str, BaseException | None]] = [
    (None, "normal", None),
    (VALUE, "crashed", VALUE),
    (group(VALUE), "crashed", VALUE),
    (BOTH, "crashed", BOTH),
    (EXIT, "fatal", EXIT),
    (fatal := group(VALUE, EXIT), "fatal", fatal),
    (ESCALATE, "escalated", ESCALATE),
    (escalated := group(VALUE, ESCALATE), "escalated", escalated),
    (SHUTDOWN, "normal", SHUTDOWN),
    (shutdowns := group(SHUTDOWN, trido.Shutdown()), "normal", shutdowns),
    (mixed := group(SHUTDOWN, VALUE), "crashed", mixed),
    (IGNORE, "ignored", IGNORE),
    (ignored := group(IGNORE, trido.Ignore()), "ignored", ignored),
    (partly := group(IGNORE, VALUE), "crashed", partly),
    (LIMIT, "crashed", LIMIT),
]


@pytest.mark.parametrize(("error", "kind", "reason"), ENDS)
def test_how_a_run_ended(
    error: BaseException | None, kind: str, reason: BaseException | None
) -> None:
    end = run_of()._classify(error)
    assert (end.kind, end.reason) == (kind, reason)


def test_how_a_run_ended_that_was_asked_to() -> None:
    stopped, killed = run_of(), run_of()
    stopped._stopped_for = killed._stopped_for = "somebody asked"
    killed._killed = True
    for run, kind in ((stopped, "stopped"), (killed, "killed")):
        for error in (CANCELLED, group(CANCELLED), group(CANCELLED, CANCELLED)):
            end = run._classify(error)
            assert (end.kind, end.reason) == (kind, None)
        end = run._classify(group(CANCELLED, VALUE))
        assert (end.kind, end.reason) == ("crashed", VALUE)
        assert run._classify(None).kind == "normal"


def test_a_cancelled_that_nobody_asked_for_is_a_crash() -> None:
    for error, beside in ((CANCELLED, None), (group(CANCELLED, VALUE), (VALUE,))):
        end = run_of()._classify(error)
        leaked = end.reason
        assert end.kind == "crashed"
        assert isinstance(leaked, trido.LeakedCancelled)
        assert str(leaked) == "a Cancelled that nobody asked for came out of it"
        assert leaked.__cause__ is error
        assert getattr(leaked.beside, "exceptions", None) == beside


def test_the_limit_of_a_supervisor_that_it_opened_is_a_shutdown() -> None:
    run, limits = run_of(), [trido.RestartLimitExceeded("inner", "a", "enough") for _ in range(2)]
    for limit in limits:
        limit.opened_by = run._current
    assert run._classify(limits[0]).kind == "normal"
    assert run._classify(group(*limits)).kind == "normal"
    assert run._classify(group(*limits, VALUE)).kind == "crashed"
    assert run_of()._classify(limits[0]).kind == "crashed"


def test_what_a_function_raised_and_what_it_left_behind_are_joined() -> None:
    assert _joined(None, None) is None
    assert _joined(VALUE, None) is VALUE
    assert _joined(None, KEY) is KEY
    assert _joined(None, group(KEY)) is KEY
    assert _joined(None, BOTH) is BOTH
    for other, told in ((KEY, KEY), (group(KEY), KEY), (BOTH, BOTH)):
        joined = _joined(VALUE, other)
        assert isinstance(joined, BaseExceptionGroup)
        assert joined.message == "the function and what it left behind"
        assert joined.exceptions == (VALUE, told)


# While it runs ------------------------------------------------------------------------------


async def test_the_tasks_of_a_run_have_its_path_in_their_names() -> None:
    names: list[str] = []

    async def looks() -> None:
        nursery = trio.lowlevel.current_task().parent_nursery
        assert nursery is not None
        assert nursery.parent_task.name == "top/a (host)"
        await trio.lowlevel.checkpoint()
        names.extend(sorted(task.name for task in nursery.child_tasks))
        supervisor = trido.current_child().supervisor
        try:
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()
        finally:
            assert supervisor.nursery is not None
            names.extend(sorted(task.name for task in supervisor.nursery.child_tasks))

    child = trido.ChildSpec(looks, id="a", heartbeat=10.0, shutdown=1.0)
    async with trido.open_supervisor(child, id="top"):
        await trio.testing.wait_all_tasks_blocked()
    assert names == ["top/a", "top/a (heartbeat)", "top/a (host)", "top/a (kill)"]


async def test_a_killed_run_is_told_by_whom() -> None:
    said: list[str] = []

    child = trido.ChildSpec(waits, said, shutdown=trido.BRUTAL_KILL)
    async with trido.open_supervisor(child):
        await trio.testing.wait_all_tasks_blocked()
    assert "reason 'killed by its supervisor'" in said[0]


async def test_a_run_says_once_that_it_is_ready() -> None:
    said: list[str] = []

    async def twice(*, task_status: trio.TaskStatus[int]) -> None:
        task_status.started(1)
        with pytest.raises(RuntimeError) as caught:
            task_status.started(2)
        said.append(str(caught.value))
        await trio.sleep_forever()

    async with trido.open_supervisor(trido.ChildSpec(twice)) as sup:
        await trio.testing.wait_all_tasks_blocked()
        assert sup["twice"].value == 1
    assert said == ["called 'started' twice on the same task status"]


@pytest.mark.parametrize("says_ready", [False, True])
@pytest.mark.parametrize(("beats", "silent_after"), [(0, 2), (2, 5)])
async def test_a_run_that_is_silent_is_stopped(
    beats: int, silent_after: float, *, says_ready: bool
) -> None:
    async def beats_a_while() -> None:
        for _ in range(beats):
            await trio.sleep(1.5)
            trido.current_child().beat()
        await trio.sleep_forever()

    async def begins_late(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(3)
        task_status.started()
        await beats_a_while()

    fn: Any = begins_late if says_ready else beats_a_while
    async with trido.open_supervisor(trido.ChildSpec(fn, id="a", heartbeat=2.0)) as sup:
        ready = trio.current_time()
        await sup["a"].wait_ended()
        assert trio.current_time() - ready == silent_after
        crash = sup["a"].last_crash
    assert isinstance(crash, trido.Unresponsive)
    assert (crash.id, crash.seconds) == ("a", 2.0)


async def test_where_the_tasks_of_a_run_are() -> None:
    async def works() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(idle, name="one")
            nursery.start_soon(idle, name="other")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(works, name="works")
        await trio.testing.wait_all_tasks_blocked()
        [task] = nursery.child_tasks
        blocks = stack_below(task).split("\n\n")
        nursery.cancel_scope.cancel()
    assert sorted(block.splitlines()[0] for block in blocks) == ["one:", "other:", "works:"]
    assert blocks[0].startswith("works:")
    for block in blocks:
        first, *lines = block.splitlines()
        assert first[0].isalpha()
        assert lines[0].startswith('  File "')
        assert all(line.startswith("  ") for line in lines)
    assert run_of().stack() == ""


async def test_whoever_looks_on_is_given_the_run_and_its_function() -> None:
    looked: list[tuple[str, object]] = []

    class Looks:
        def child(
            self, report: Report, fn: Callable[..., Awaitable[object]]
        ) -> Callable[..., Awaitable[object]]:
            looked.append((report.child.id, fn))
            return instead

    async def instead(*args: object) -> None:
        looked.append(("instead", args))
        await trio.sleep_forever()

    async def works(number: int) -> None:
        pytest.fail(f"it was called with {number}")

    token = PROBE.set(Looks())
    try:
        async with trido.open_supervisor(trido.ChildSpec(works, 5, id="a")):
            await trio.testing.wait_all_tasks_blocked()
    finally:
        PROBE.reset(token)
    assert looked == [("a", works), ("instead", (5,))]


class Told:
    """A report to nobody."""

    child = None
    name = "a"

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.ends: list[str] = []

    def ended(self, end: Any) -> None:
        self.ends.append(end.kind)


async def test_a_run_that_was_asked_to_end_before_its_first_step_is_told_why() -> None:
    said: list[str] = []

    async with trio.open_nursery() as nursery:
        told: Any = Told(nursery)
        run = FunctionRun(trido.ChildSpec(waits, said), (said,), told)
        run.cancel(1.0, "nobody needs it")
        nursery.start_soon(run.host)
    assert told.ends == ["stopped"]
    assert "reason 'nobody needs it'" in said[0]


async def test_only_its_supervisor_ends_a_run() -> None:
    async with trio.open_nursery() as nursery:
        told: Any = Told(nursery)
        run = FunctionRun(trido.ChildSpec(idle), (), told)
        nursery.start_soon(run.host)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.testing.wait_all_tasks_blocked()
        assert told.ends == []
        run.cancel(1.0, "it is time")
    assert told.ends == ["stopped"]
