"""What no case reaches: internal failures, and corners of the parts that stand alone."""

from __future__ import annotations

import functools
import logging
import math
import operator
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing
from trio._core import _run

import trido
from trido import testing
from trido.supervision import Supervisor
from trido.supervision.alarms import Alarms
from trido.supervision.bus import Bus
from trido.supervision.decision import Machine
from trido.supervision.messages import (
    Begin,
    End,
    Fail,
    Input,
    Reply,
    Request,
    RunEnded,
    RunReady,
    RunStuck,
    Stop,
    Tick,
)
from trido.supervision.place import Report, Run, as_place
from trido.supervision.policy import ChildPolicy
from trido.supervision.records import Record, Settings
from trido.supervision.shields import break_shields


class BrokenError(Exception):
    """Our own code fails."""


def broken_on(kind: type, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...]) -> None:
    handle = Machine.handle

    def handle_or_break(self: Machine, event: object) -> object:
        if isinstance(event, kind) and self.settings.path == path:
            raise BrokenError
        return handle(self, event)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(Machine, "handle", handle_or_break)


async def idle() -> None:
    await trio.sleep_forever()


async def shielded() -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()


async def crash_at_1() -> None:
    await trio.sleep(1)
    raise ValueError


def test_a_broken_supervisor_kills_its_children_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The body is cancelled, callers are told, and nothing is left, shielded or not."""
    broken_on(RunEnded, monkeypatch, ("root",))

    async def main() -> None:
        specs = [trido.ChildSpec(fn) for fn in (shielded, idle, crash_at_1)]
        sup: trido.Supervisor | None = None
        started = trio.current_time()
        with pytest.raises(BrokenError):
            async with trido.open_supervisor(*specs) as supervisor:
                sup = supervisor
                await trio.sleep_forever()
        assert trio.current_time() - started < 2
        assert sup is not None
        with pytest.raises(trido.SupervisorStopped):
            await sup.start_child(idle, id="more")

    testing.run(main)


@pytest.mark.parametrize("kind", [RunEnded, Request])
def test_callers_learn_what_broke_the_supervisor(
    kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was broken by a child or by a request."""
    broken_on(kind, monkeypatch, ("root",))

    async def main() -> None:
        causes: list[BaseException | None] = []
        with pytest.raises(BrokenError) as broken:
            async with trido.open_supervisor(trido.ChildSpec(idle)) as sup:
                with pytest.raises(trido.SupervisorStopped) as stopped:
                    await sup.stop_child("idle")
                causes.append(stopped.value.__cause__)
        assert causes == [broken.value]

    testing.run(main)


def test_a_broken_supervisor_in_another_is_a_crash_there(monkeypatch: pytest.MonkeyPatch) -> None:
    broken_on(RunEnded, monkeypatch, ("root", "inner"))

    async def main() -> None:
        inner = trido.SupervisorSpec(trido.ChildSpec(crash_at_1), id="inner")
        async with trido.open_supervisor(inner) as sup:
            await sup["inner"].wait_running(after=1)
            assert isinstance(sup["inner"].last_crash, BrokenError)

    testing.run(main)


def test_a_block_that_breaks_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: trido.Supervisor, *, cancelled: bool = False) -> None:
        raise BrokenError

    async def main() -> None:
        with pytest.raises(BrokenError):
            async with trido.open_supervisor(trido.ChildSpec(shielded)):
                monkeypatch.setattr(trido.Supervisor, "stop", stop)

    testing.run(main)


def test_what_is_too_late_changes_nothing() -> None:
    machine = Machine(Settings(path=("root",)))
    list(machine.handle(Stop(now=0.0)))
    assert machine.phase == "ended"
    assert list(machine.handle(Fail(now=0.0, error=SystemExit()))) == []


def test_cleared_alarms_do_not_pile_up() -> None:
    alarms = Alarms()
    for number in range(10_000):
        alarms.set("a", "grace", 1e6 + number)
        assert alarms.next() == 1e6 + number
    assert len(alarms._heap) < 200
    assert alarms.pop(math.inf) == ("a", "grace")
    assert alarms.next() == math.inf


def test_shields_are_broken_where_no_supervisor_was_yet() -> None:
    async def main() -> None:
        with trio.CancelScope() as scope, trio.CancelScope(shield=True) as shield:
            scope.cancel()
            break_shields(scope)
            assert not shield.shield
            await trio.sleep_forever()

    trio.run(main)


def test_nobody_knows_how_to_run_it() -> None:
    with pytest.raises(trido.SpecError, match="a spec"):
        as_place("feed")


def zombie_in_its_start() -> Machine:
    """A supervisor with a child that outlived its ``start_timeout`` and being killed."""
    machine = Machine(Settings(path=("root",)))
    policy = ChildPolicy(start_timeout=1.0, shutdown=0.0)
    record = Record("a", policy)
    inputs: list[Input] = [
        Begin(now=0.0),
        Request(now=0.0, number=1, asked="start_child", id="a", record=record),
        Tick(now=1.0),
        RunStuck(now=6.0, id="a", run=1),
    ]
    for event in inputs:
        list(machine.handle(event))
    assert machine.records["a"].state == "zombie"
    return machine


def test_a_zombie_is_never_ready() -> None:
    machine = zombie_in_its_start()
    machine.records["a"].fault = None  # as of a nested supervisor that is stuck by itself
    assert list(machine.handle(RunReady(now=7.0, id="a", run=1))) == []


def test_whoever_started_a_zombie_is_told_when_it_ends() -> None:
    """Even if somebody else stopped it meanwhile; and the place goes, as after any failed start."""
    machine = zombie_in_its_start()
    asked = Request(now=7.0, number=2, asked="stop_child", id="a")
    assert list(machine.handle(asked)) == []
    ended = RunEnded(now=8.0, id="a", run=1, end=End("killed"))
    replies = [one for one in machine.handle(ended) if isinstance(one, Reply)]
    assert [reply.number for reply in replies] == [2, 1]
    assert replies[0].error is None
    assert isinstance(replies[1].error, trido.StartFailed)
    assert machine.records == {}


def test_a_kill_of_a_run_is_a_kill_once() -> None:
    async def main() -> None:
        async with trido.open_supervisor(trido.ChildSpec(shielded)) as sup:
            await trio.testing.wait_all_tasks_blocked()
            run = sup["shielded"].run
            assert run is not None
            run.kill()
            run.kill()
            await sup["shielded"].wait_ended()

    testing.run(main)


async def test_ready_is_said_once() -> None:
    async def twice(*, task_status: trio.TaskStatus[int]) -> None:
        task_status.started(1)
        task_status.started(2)

    async with trido.open_supervisor() as sup:
        child = await sup.start_child(twice, restart="temporary")
        await child.wait_ended()
        assert isinstance(child.last_crash, RuntimeError)


def test_things_say_what_they_are() -> None:
    async def main() -> None:
        async with trido.open_supervisor(trido.ChildSpec(idle)) as sup:
            assert repr(sup) == "<trido.Supervisor 'root' running>"
            assert repr(sup["idle"]) == "<trido.Child 'idle' running, run 1>"

    testing.run(main)
    assert repr(trido.BRUTAL_KILL) == "trido.BRUTAL_KILL"


def test_a_request_of_somebody_who_has_gone_is_not_begun() -> None:
    """Withdrawn before the supervisor's next step."""

    class CancelAtOnce(trio.abc.Instrument):
        scope: trio.CancelScope
        sup: trido.Supervisor | None = None

        def after_task_step(self, task: trio.lowlevel.Task) -> None:
            if self.sup is not None and self.sup.statistics().callers:
                self.scope.cancel()

    impatient = CancelAtOnce()

    async def main() -> None:
        async with trido.open_supervisor(observers=[lambda event: None]) as sup:
            with trio.CancelScope() as impatient.scope:
                impatient.sup = sup
                await sup.start_child(idle)
            assert impatient.scope.cancelled_caught
            await trio.testing.wait_all_tasks_blocked()
            assert sup.children() == ()

    trio.run(main, instruments=[impatient])


async def test_work_on_the_spot_is_protected_from_keyboard_interrupts() -> None:
    """Whoever has something to tell: it is the supervisor's work."""
    protected: list[bool] = []

    class Spying:
        def start(self, report: Report) -> Run:
            report.ready()
            return FakeRun(report)

        def changed(self, state: str, *, comes_back: bool) -> None:
            protected.append(trio.lowlevel.currently_ki_protected())

    class FakeRun:
        def __init__(self, report: Report) -> None:
            self.report = report

        def cancel(self, deadline: float, reason: str) -> None:
            self.report.ended(End("stopped"))

        def kill(self) -> None: ...
        def beat(self) -> None: ...
        def stack(self) -> str:
            return ""

        def below(self) -> None: ...

    async with trido.open_supervisor() as sup:
        record = Record("spied", trido.ChildSpec(idle).policy)
        record.tag = child = trido.Child[None](sup, Spying(), record)
        await sup._ask("start_child", "spied", record)
        assert isinstance(child.run, FakeRun)
        protected.clear()
        assert not trio.lowlevel.currently_ki_protected()
        child.run.report.ended(End("crashed", ValueError()))
        assert protected
        assert all(protected)


async def test_other_tasks_run_between_many_inputs() -> None:
    async with trido.open_supervisor() as sup:
        for _ in range(1000):
            sup.post(Tick(now=trio.current_time()))
        left = [sup.statistics().queued]
        while left[-1]:
            await trio.lowlevel.checkpoint()
            left.append(sup.statistics().queued)
        assert len(set(left)) > 3


def test_a_supervisor_that_cannot_even_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(scope: trio.CancelScope) -> None:
        raise BrokenError

    monkeypatch.setattr("trido.supervision.working.spare", fails)

    async def main() -> None:
        with pytest.raises(BrokenError):
            async with trido.open_supervisor(trido.ChildSpec(idle)):
                raise AssertionError

    testing.run(main)


def test_a_kill_and_an_end_may_cross() -> None:
    """A run that has ended is not killed, whichever its supervisor hears of first."""

    async def ends_in_a_kill() -> None:
        trido.current_child().supervisor.kill_children()

    async def main() -> None:
        async with trido.open_supervisor(
            trido.ChildSpec(idle), trido.ChildSpec(ends_in_a_kill, restart="temporary")
        ) as sup:
            await sup.wait()
            assert [child.state for child in sup.children()] == ["stopped"]

    for seed in range(20):
        _run._r.seed(seed)
        testing.run(main)


class NoPlace:
    """A place that cannot start anything."""

    def start(self, report: Report) -> Run:
        raise BrokenError

    def changed(self, state: str, *, comes_back: bool) -> None: ...


def test_a_place_that_cannot_start_crashes_as_its_child() -> None:
    async def main() -> None:
        async with trido.open_supervisor() as sup:
            spec = trido.ChildSpec(idle)
            child: trido.Child[None] = trido.Child(sup, NoPlace(), Record("idle", spec.policy))
            child.record.tag = child
            with pytest.raises(trido.StartFailed) as failed:
                await sup._ask("start_child", "idle", child.record)
            assert isinstance(failed.value.__cause__, BrokenError)

    testing.run(main)


def test_what_the_body_adds_to_its_own_cancellation_is_not_lost() -> None:
    """The supervisor gives up, and cancels the body, a task of which fails on its way out."""

    async def fails_on_its_way_out() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError

    async def main() -> None:
        with pytest.RaisesGroup(
            trido.RestartLimitExceeded, pytest.RaisesGroup(OSError), match="the supervisor"
        ):
            async with (
                trido.open_supervisor(trido.ChildSpec(crash_at_1), max_restarts=0),
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(fails_on_its_way_out)

    testing.run(main)


def test_an_interrupt_of_the_body_while_its_supervisor_stops_takes_all_graces() -> None:
    async def careful() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup():
                await trio.sleep(3)

    async def main() -> None:
        started = trio.current_time()
        with pytest.raises(KeyboardInterrupt):
            async with trido.open_supervisor(trido.ChildSpec(careful)) as sup:
                await trio.testing.wait_all_tasks_blocked()
                sup.stop()
                await trio.sleep(1)
                raise KeyboardInterrupt
        assert trio.current_time() - started == 1

    testing.run(main)


def test_observers_are_functions() -> None:
    with pytest.raises(trido.SpecError, match="observers=3"):
        trido.open_supervisor(observers=(3,))  # type: ignore[arg-type]  # that is the point


async def test_a_child_without_a_run_has_no_heart() -> None:
    async with trido.open_supervisor(trido.ChildSpec(idle)) as sup:
        child = sup["idle"]
        await sup.stop_child(child)
        child.beat()
        assert child.state == "stopped"


async def test_a_spec_is_started_as_it_is() -> None:
    wrong: Any = {"restart": "temporary"}
    async with trido.open_supervisor() as sup:
        with pytest.raises(TypeError, match="no other arguments"):
            await sup.start_child(trido.ChildSpec(idle), **wrong)


async def test_generated_ids_leave_out_those_that_are_taken() -> None:
    async with trido.open_dynamic_supervisor(idle) as sup:
        await sup.start_child(id="idle-1")
        assert (await sup.start_child()).id == "idle-2"


def test_a_dynamic_supervisor_in_another_has_an_id_and_is_permanent() -> None:
    with pytest.raises(trido.SpecError, match="given for a supervisor in another"):
        trido.SupervisorSpec(trido.DynamicSupervisorSpec(idle))
    pool = trido.DynamicSupervisorSpec(idle, id="pool", restart="temporary")
    assert trido.SupervisorSpec(pool).children[0].child_id == "pool"
    policy = pool.policy
    assert (policy.restart, policy.shutdown) == ("permanent", math.inf)


class Silent:
    """Says nothing of what it takes."""

    __signature__ = "none"

    async def __call__(self, *args: object) -> None: ...


async def takes_two(one: int, two: int) -> None: ...


async def announces(number: int, *, task_status: trio.TaskStatus[None]) -> None: ...


@pytest.mark.parametrize(
    ("fn", "args"),
    [(takes_two, (1,)), (takes_two, (1, 2, 3)), (announces, ()), (announces, (1, 2))],
)
def test_wrong_arguments_are_found_at_definition(
    fn: Callable[..., Awaitable[None]], args: tuple[int, ...]
) -> None:
    with pytest.raises(trido.SpecError, match=f"what {fn.__name__}"):
        trido.ChildSpec(fn, *args)


def test_readiness_by_hand() -> None:
    assert not trido.ChildSpec(Silent(), 1, id="silent").signals_ready
    assert trido.DynamicSupervisorSpec(Silent(), 1).child("silent", (2,)).args == (1, 2)
    assert trido.ChildSpec(Silent(), 1, id="silent", ready="started").signals_ready
    bound = functools.partial(announces, task_status=trio.TASK_STATUS_IGNORED)
    assert not trido.ChildSpec(bound, 1).signals_ready
    with pytest.raises(trido.SpecError, match="without a task_status"):
        trido.ChildSpec(takes_two, 1, 2, ready="started")
    with pytest.raises(trido.SpecError, match="an async function"):
        not_async: Any = operator.attrgetter("x")
        trido.ChildSpec(not_async, id="getter")


def test_backoff_is_never_too_large_for_a_float() -> None:
    assert trido.Backoff(max=7.0).delay(10_000) == 7.0


def test_the_log_says_when_a_restart_is_due(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="trido")

    async def main() -> None:
        spec = trido.ChildSpec(crash_at_1, backoff=trido.Backoff(min=2.0))
        async with trido.open_supervisor(spec):
            await trio.sleep(3)

    testing.run(main)
    assert "child 'crash_at_1' (run 2) of 'root': restart attempt 2 in 2 s" in caplog.text


@pytest.mark.parametrize("again", [False, True])
def test_sigterm_stops_in_order_and_a_second_kills(*, again: bool) -> None:
    cleaned: list[str] = []

    async def careful() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup():
                await trio.sleep(0.2)
                cleaned.append("up")

    async def main() -> None:
        async with trido.open_supervisor(trido.ChildSpec(careful)):
            await trio.sleep(0.01)
            signal.raise_signal(signal.SIGTERM)
            try:
                await trio.sleep_forever()
            finally:
                if again:
                    signal.raise_signal(signal.SIGTERM)

    assert trido.run(main) is None
    assert cleaned == ([] if again else ["up"])


def test_outside_the_main_thread_it_is_plain_trio() -> None:
    async def answer() -> int:
        return 42

    async def main() -> int | None:
        return await trio.to_thread.run_sync(trido.run, answer)

    assert trio.run(main) == 42


def test_a_result_that_comes_in_spite_of_sigterm_is_kept() -> None:
    async def main() -> str:
        signal.raise_signal(signal.SIGTERM)
        with trio.CancelScope(shield=True):
            await trio.sleep(0.05)
        return "done"

    assert trido.run(main) == "done"


async def test_what_is_asked_of_a_supervisor_before_it_runs_waits_until_it_has_begun() -> None:
    supervisor = Supervisor(trido.SupervisorSpec(id="late"), Bus(()))
    spec = trido.ChildSpec(idle, id="a")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.start_place, "a", spec)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(supervisor.run)
        await supervisor.settled.wait()
        await supervisor["a"].wait_running()
        supervisor.stop()
    assert supervisor.take_error() is None
