"""Actions in threads and processes: what runs where, and what a cancel does there."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import trio

import trido
from tests.runtime import jobs
from tests.runtime.jobs import Done, Work
from trido.runtime.meters import Meters
from trido.runtime.work import do_job, execute, own_processes


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something outside that tells nobody."""
    with trio.fail_after(30.0):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


# Tasks --------------------------------------------------------------------------------------------


async def test_in_a_task_it_is_as_with_run_action() -> None:
    done = await execute(jobs.square, Work(3), where="task", meters=Meters())
    assert done == Done(9, os.getpid())


@pytest.mark.parametrize("where", ["thread", "process"])
async def test_inline_everything_runs_in_the_task(where: Any) -> None:
    """Virtual time passes while it waits for a thread: tests have no use for one."""
    meters = Meters(inline=True)
    assert await execute(jobs.square, Work(3), where=where, meters=meters) == Done(9, os.getpid())


async def test_what_cannot_run_there_is_an_error_before_anything_runs() -> None:
    ran = []

    @trido.action
    async def late(data: int) -> None:
        ran.append(data)

    @trido.action
    def local(data: int) -> None:
        ran.append(data)

    for action, where in [(late, "thread"), (late, "process"), (local, "process")]:
        with pytest.raises(trido.SpecError, match="where="):
            await execute(action, 1, where=where, meters=Meters())  # type: ignore[arg-type]
    assert not ran


# Threads ------------------------------------------------------------------------------------------


class Gate:
    """A thread that waits until it is let go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.open = threading.Event()
        self.log: list[str] = []

    def action(self, **options: Any) -> trido.PlainAction[str, str]:
        def wait(data: str) -> str:
            self.began.set()
            self.open.wait(30.0)
            self.log.append(data)
            return data

        made: trido.PlainAction[str, str] = trido.action("gate", **options)(wait)
        return made


@pytest.mark.real_time
async def test_a_thread_does_not_block_the_others() -> None:
    gate, meters = Gate(), Meters()
    results = []

    async def run() -> None:
        results.append(await execute(gate.action(), "done", where="thread", meters=meters))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await until(gate.began.is_set)
        assert meters.statistics().threads == 1
        gate.open.set()
    assert results == ["done"]
    assert (meters.statistics().threads, meters.statistics().abandoned) == (0, 0)


@pytest.mark.real_time
async def test_a_cancelled_thread_is_abandoned_counted_and_its_result_dropped() -> None:
    gate, meters = Gate(), Meters()
    limited = gate.action(policies=[trido.Limit("desk", 1)])
    before = time.monotonic()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(execute, limited, "late", where="thread", meters=meters))
        await until(gate.began.is_set)
        nursery.cancel_scope.cancel()
    assert time.monotonic() - before < 20.0  # the thread waits for 30
    assert (meters.statistics().threads, meters.statistics().abandoned) == (1, 1)
    assert meters.statistics().limits["desk"].running == 1  # it is at work still
    gate.open.set()
    await until(lambda: meters.statistics().threads == 0)
    assert gate.log == ["late"]  # it was not stopped: nothing can
    assert meters.statistics().abandoned == 0
    assert meters.statistics().limits["desk"].running == 0


@pytest.mark.real_time
async def test_a_thread_that_takes_too_long_is_abandoned_and_not_tried_again() -> None:
    gate, meters = Gate(), Meters()
    retry = trido.Retry(3, on=Exception)
    action = gate.action(timeout=0.2, retry=retry, policies=[trido.Limit("desk", 1)])
    with pytest.raises(trido.ActionTimeout) as caught:
        await execute(action, "late", where="thread", meters=meters)
    assert caught.value.abandoned
    gate.open.set()
    await until(lambda: meters.statistics().threads == 0)
    assert gate.log == ["late"]


@pytest.mark.real_time
async def test_who_waits_for_a_thread_and_is_cancelled_abandons_none() -> None:
    gate, meters = Gate(), Meters(threads=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(execute, gate.action(), "1", where="thread", meters=meters))
        await until(gate.began.is_set)
        with trio.move_on_after(0.1) as scope:
            await execute(gate.action(), "2", where="thread", meters=meters)
        assert scope.cancelled_caught
        assert meters.statistics().abandoned == 0
        gate.open.set()
    assert gate.log == ["1"]


@pytest.mark.real_time
async def test_a_thread_does_not_begin_once_the_caller_is_cancelled() -> None:
    """Not even if the cancel comes while it is given its place."""
    gate, meters = Gate(), Meters(threads=1)
    gate.open.set()
    place = object()
    meters.threads.acquire_on_behalf_of_nowait(place)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(execute, gate.action(), "1", where="thread", meters=meters))
        await until(lambda: meters.threads.statistics().tasks_waiting == 1)
        meters.threads.release_on_behalf_of(place)  # it has one now, and does not know yet
        nursery.cancel_scope.cancel()
    assert not gate.began.is_set()
    assert (meters.statistics().threads, meters.statistics().abandoned) == (0, 0)


@pytest.mark.real_time
async def test_errors_of_a_thread_come_out_and_are_tried_again(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    with pytest.raises(ConnectionError):
        await execute(jobs.fail, Work(path=str(marks)), where="thread", meters=Meters())
    assert marks.read_text() == "xx"


# Processes ----------------------------------------------------------------------------------------


@pytest.mark.real_time
async def test_a_process_does_the_work_and_its_result_is_checked() -> None:
    async with own_processes():
        meters = Meters()
        done = await execute(jobs.square, {"number": 3}, where="process", meters=meters)  # type: ignore[misc]
        assert done.number == 9
        assert done.process != os.getpid()
        with pytest.raises(trido.InvalidResult, match=r"'jobs.wrong': \$: expected Done, got str"):
            await execute(jobs.wrong, Work(), where="process", meters=meters)
        assert meters.statistics().processes == 0
    assert not is_alive(done.process)


@pytest.mark.real_time
async def test_errors_of_a_process_come_out_and_are_tried_again(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    async with own_processes():
        with pytest.raises(ConnectionError, match="nobody there"):
            await execute(jobs.fail, Work(path=str(marks)), where="process", meters=Meters())
        assert marks.read_text() == "xx"
        with pytest.raises(trido.Reject) as caught:
            await execute(jobs.refuse, Work(7), where="process", meters=Meters())
        assert caught.value.reason == 7


@pytest.mark.real_time
@pytest.mark.parametrize("action", [jobs.hang, jobs.hang_undone], ids=["plain", "compensated"])
async def test_a_cancelled_process_is_gone_when_the_cancel_comes_out(
    tmp_path: Path, action: Any
) -> None:
    said = tmp_path / "process"
    meters = Meters()
    async with own_processes():
        async with trio.open_nursery() as nursery:
            work = Work(path=str(said))
            nursery.start_soon(partial(execute, action, work, where="process", meters=meters))
            await until(said.exists)
            process = int(said.read_text())
            assert is_alive(process)
            assert meters.statistics().processes == 1
            nursery.cancel_scope.cancel()
        assert not is_alive(process)
        assert meters.statistics().processes == 0
    undone = [path.read_text() for path in tmp_path.glob("*.undone")]  # noqa: ASYNC240
    assert undone == (["Cancelled"] if action is jobs.hang_undone else [])


@pytest.mark.real_time
async def test_a_process_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    said = tmp_path / "process"
    quick = trido.action("jobs.quick", timeout=2.0)(jobs.hang.function)
    async with own_processes():
        with pytest.raises(trido.ActionTimeout):
            await execute(quick, Work(path=str(said)), where="process", meters=Meters())
    assert not is_alive(int(said.read_text()))


@pytest.mark.real_time
async def test_a_process_that_dies_is_an_error_of_its_action() -> None:
    async with own_processes():
        with pytest.raises(trido.WorkerDied, match=r"action 'jobs\.die' died"):
            await execute(jobs.die, Work(), where="process", meters=Meters())


async def test_parameters_that_cannot_be_sent_are_an_error_before_anything_runs() -> None:
    with pytest.raises(trido.SpecError, match=r"'jobs\.anything': params=.* another process"):
        await execute(jobs.anything, lambda: None, where="process", meters=Meters())


async def test_without_the_extra_a_process_is_an_error_that_says_so() -> None:
    with patch.dict(sys.modules, {"trio_parallel": None}):
        with pytest.raises(trido.SpecError, match=r"unless trido\[process\] is installed"):
            await execute(jobs.square, Work(), where="process", meters=Meters())
        async with own_processes():
            done = await execute(jobs.square, Work(2), where="task", meters=Meters())
            assert done.number == 4


def test_a_job_is_a_function_and_its_data() -> None:
    """What the other process does, done here."""
    assert do_job(pickle.dumps((jobs.square, Work(2)))) == Done(4, os.getpid())
