"""Edges that were once wrong: odd exceptions, odd callers, odd moments."""

from __future__ import annotations

import gc
import logging
import signal
import weakref
from typing import Any

import attrs
import pytest
import trio
import trio.testing

import trido
from trido import events, testing


async def idle() -> None:
    await trio.sleep_forever()


async def crash_at_1() -> None:
    await trio.sleep(1)
    raise ValueError


class FalsyError(Exception):
    """Collects errors, and has none yet."""

    def __len__(self) -> int:
        return 0


class LeavingError(Exception):
    """A body's own."""


class FalsyExit(SystemExit):
    """The same as `FalsyError`, fatal."""

    def __len__(self) -> int:
        return 0


# trido.run ----------------------------------------------------------------------------------


def test_sigterm_ends_a_program_with_nurseries_of_its_own() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(idle)
            spec = trido.SupervisorSpec(trido.ChildSpec(idle))
            await nursery.start(trido.supervise, spec)
            signal.raise_signal(signal.SIGTERM)

    assert trido.run(main) is None


def test_sigterm_hides_no_error() -> None:
    async def fails_on_its_way_out() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fails_on_its_way_out)
            nursery.start_soon(idle)
            await trio.testing.wait_all_tasks_blocked()
            signal.raise_signal(signal.SIGTERM)

    with pytest.RaisesGroup(OSError):
        trido.run(main)


# Exceptions ---------------------------------------------------------------------------------


async def test_an_exception_that_is_false_is_a_crash_all_the_same() -> None:
    async def collects() -> None:
        await trio.sleep(1)
        raise FalsyError

    spec = trido.ChildSpec(collects, restart="transient")
    async with trido.open_supervisor(spec) as sup:
        await sup["collects"].wait_running(after=1)
        assert isinstance(sup["collects"].last_crash, FalsyError)


async def test_a_fatal_exception_that_is_false_is_fatal_all_the_same() -> None:
    async def exits() -> None:
        await trio.sleep(1)
        raise FalsyExit

    with pytest.raises(FalsyExit):
        async with trido.open_supervisor(trido.ChildSpec(exits)):
            await trio.sleep_forever()


async def test_what_leaks_beside_a_cancelled_is_not_lost_while_the_supervisor_stops() -> None:
    stale: trio.Cancelled | None = None
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.sleep(1)
        except trio.Cancelled as error:
            stale = error
            raise
    assert stale is not None
    kept = stale

    async def leaks() -> None:
        await trio.sleep(0.5)
        raise BaseExceptionGroup("both", [kept, ValueError()])

    async def cleans() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup():
                await trio.sleep(1)

    reports: list[events.SupervisorReport] = []

    def note(event: events.Event) -> None:
        if isinstance(event, events.SupervisorReport):
            reports.append(event)

    async with trido.open_supervisor(
        trido.ChildSpec(leaks), trido.ChildSpec(cleans), observers=[note]
    ):
        pass
    assert [(report.context, report.id) for report in reports] == [("shutdown_error", "leaks")]
    assert isinstance(reports[0].reason, ExceptionGroup)


async def test_an_escalate_of_a_silent_child_is_heard() -> None:
    async def silent() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise trido.Escalate

    with pytest.raises(trido.RestartLimitExceeded) as gave_up:
        async with trido.open_supervisor(trido.ChildSpec(silent, heartbeat=1.0)):
            await trio.sleep_forever()
    assert isinstance(gave_up.value.__cause__, trido.Escalate)


async def test_an_error_in_the_cleanup_of_a_silent_child_is_kept_as_the_context() -> None:
    async def silent() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError

    async with trido.open_supervisor(trido.ChildSpec(silent, heartbeat=1.0)) as sup:
        await sup["silent"].wait_running(after=1)
        crash = sup["silent"].last_crash
        assert isinstance(crash, trido.Unresponsive)
        assert isinstance(crash.__context__, OSError)


async def test_two_supervisors_that_one_child_opened_both_give_up() -> None:
    async def opens_two() -> None:
        async with trio.open_nursery() as nursery:
            spec = trido.SupervisorSpec(trido.ChildSpec(crash_at_1), max_restarts=0)
            nursery.start_soon(trido.supervise, spec)
            nursery.start_soon(trido.supervise, spec)

    with pytest.raises(trido.RestartLimitExceeded) as gave_up:
        async with trido.open_supervisor(trido.ChildSpec(opens_two), max_restarts=0):
            await trio.sleep_forever()
    assert isinstance(gave_up.value.__cause__, ExceptionGroup)


@pytest.mark.parametrize("how", ["body", "limit", "start", "fatal", "cancelled"])
def test_what_leaves_the_block_is_in_no_cycle(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is freed as soon as nobody has it, as what leaves a nursery is."""

    async def exits() -> None:
        raise FalsyExit

    async def fails(*, task_status: trio.TaskStatus[None]) -> None:
        raise ValueError

    children: dict[str, Any] = {"limit": crash_at_1, "start": fails, "fatal": exits}

    async def block() -> None:
        child = trido.ChildSpec(children.get(how, idle), id="child")
        async with trido.open_supervisor(child, max_restarts=0):
            if how == "body":
                raise LeavingError
            await trio.sleep_forever()

    async def main() -> None:
        left: weakref.ref[BaseException] | None = None
        with trio.move_on_after(5):
            try:
                await block()
            except BaseException as error:
                left = weakref.ref(error)
                if isinstance(error, trio.Cancelled):
                    raise
        assert left is not None
        assert left() is None

    # What is logged is kept by whoever reads the log, such as pytest.
    caplog.set_level(logging.CRITICAL + 1, logger="trido")
    gc.collect()
    gc.disable()
    try:
        testing.run(main)
    finally:
        gc.enable()


# Callers ------------------------------------------------------------------------------------


async def test_a_wrong_kind_of_name_is_an_error_of_the_caller() -> None:
    wrong: Any = []
    async with trido.open_supervisor(trido.ChildSpec(idle)) as sup:
        for method in (sup.stop_child, sup.delete_child, sup.restart_child):
            with pytest.raises(TypeError, match="named by its id"):
                await method(wrong)
        with pytest.raises(TypeError, match="named by its id"):
            sup[wrong]
        assert sup["idle"].state == "running"


async def test_a_child_is_in_its_supervisor_by_every_name() -> None:
    spec = trido.ChildSpec(idle)
    async with trido.open_supervisor(spec) as sup:
        child = sup[spec]
        assert sup[child] is child
        assert "idle" in sup
        assert spec in sup
        assert child in sup
        assert "other" not in sup
    async with trido.open_supervisor(spec) as other:
        assert child not in other


async def test_whoever_waits_for_itself_is_cancelled_as_usual() -> None:
    stopped: list[str] = []

    async def waits(how: str) -> None:
        child = trido.current_child()
        try:
            if how == "running":
                await child.wait_running(after=child.incarnation)
            else:
                await child.wait_ended()
        except trio.Cancelled:
            stopped.append(how)
            raise

    async with trido.open_supervisor(
        trido.ChildSpec(waits, "running", id="1"), trido.ChildSpec(waits, "ended", id="2")
    ):
        await trio.sleep(1)
    assert stopped == ["ended", "running"]


async def test_a_late_started_of_an_older_run_is_nobodys() -> None:
    kept: list[trio.TaskStatus[None]] = []

    async def forgets(*, task_status: trio.TaskStatus[None]) -> None:
        kept.append(task_status)
        if len(kept) == 2:
            raise OSError
        task_status.started()
        if len(kept) == 1:
            await trio.sleep(1)
            raise ValueError
        await trio.sleep(1)
        kept[1].started()
        await trido.current_child().supervisor.stop_child("other")
        await trio.sleep_forever()

    async with trido.open_supervisor(
        trido.ChildSpec(forgets, heartbeat=10.0), trido.ChildSpec(idle, id="other")
    ) as sup:
        await sup["other"].wait_ended()
        assert sup["forgets"].incarnation == 3
        assert sup["forgets"].state == "running"


async def test_an_ended_supervisor_has_stopped_for_every_name() -> None:
    async with trido.open_dynamic_supervisor(idle) as sup:
        child = await sup.start_child()
    for name in (child, child.id):
        with pytest.raises(trido.SupervisorStopped):
            await sup.stop_child(name)


async def test_a_dynamic_child_that_was_one_too_many_leaves() -> None:
    supervisor: trido.DynamicSupervisor[()] | None = None
    with pytest.raises(trido.RestartLimitExceeded):
        async with trido.open_dynamic_supervisor(crash_at_1, max_restarts=0) as supervisor:
            await supervisor.start_child()
            await trio.sleep_forever()
    assert supervisor is not None
    assert supervisor.children() == ()


# Moments ------------------------------------------------------------------------------------


async def test_a_supervisor_has_ended_as_soon_as_what_it_killed_is_gone() -> None:
    async def returns_late() -> None:
        with trio.CancelScope(shield=True):
            for _ in range(200):
                await trio.lowlevel.cancel_shielded_checkpoint()
            await trio.sleep(0.51)
        while trio.current_time() < until:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.01)

    until = trio.current_time() + 1.51
    async with trido.open_supervisor(trido.ChildSpec(returns_late, shutdown=1.0)) as sup:
        sup.stop()
        await sup.wait()
        ended = trio.current_time()
    assert trio.current_time() == ended


async def test_what_a_child_starts_elsewhere_is_not_part_of_it() -> None:
    """A supervisor in the app's nursery outlives the child that asked for it, and cleans up."""
    cleaned: list[str] = []

    async def job() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup():
                await trio.sleep(1)
                cleaned.append("job")

    async with trio.open_nursery() as app:

        async def asks() -> None:
            app.start_soon(job)
            await app.start(trido.supervise, trido.SupervisorSpec(trido.ChildSpec(job)))
            await trio.sleep_forever()

        async with trido.open_supervisor(trido.ChildSpec(asks, shutdown=0)):
            await trio.sleep(1)
        assert cleaned == []
        await trio.sleep(1)
        app.cancel_scope.cancel()
    assert cleaned == ["job", "job"]


# Definitions --------------------------------------------------------------------------------


def test_specs_evolve() -> None:
    spec: Any = trido.ChildSpec(trio.sleep, 1, id="sleeper")
    changed = attrs.evolve(spec, restart="temporary")
    assert (changed.args, changed.id, changed.restart) == ((1,), "sleeper", "temporary")
    tree: Any = trido.SupervisorSpec(spec, id="tree")
    tree = attrs.evolve(tree, max_restarts=1)
    assert (tree.children, tree.id, tree.max_restarts) == ((spec,), "tree", 1)
    pool: Any = trido.DynamicSupervisorSpec(trio.sleep, 1)
    pool = attrs.evolve(pool, max_children=2)
    assert (pool.args, pool.max_children) == ((1,), 2)


def test_what_is_no_supervisor_is_said_at_once() -> None:
    wrong: list[Any] = [None, "x", trido.ChildSpec(idle)]
    for spec in wrong:
        with pytest.raises(trido.SpecError, match=r"SupervisorSpec"):
            trido.open_supervisor(spec=spec)
        with pytest.raises(trido.SpecError, match=r"SupervisorSpec"):
            trido.explain(spec, crash="idle")


def test_explain_takes_ids_and_paths() -> None:
    spec = trido.SupervisorSpec(trido.ChildSpec(idle))
    wrong: Any = 3
    with pytest.raises(TypeError, match="id or path"):
        trido.explain(spec, crash=wrong)
    with pytest.raises(trido.ChildNotFound):
        trido.explain(spec, crash=())


def test_explain_counts_what_has_no_limit() -> None:
    spec = trido.SupervisorSpec(trido.ChildSpec(idle), max_restarts=float("inf"))
    assert trido.explain(spec, crash="idle").counted


def test_a_heartbeat_takes_time() -> None:
    with pytest.raises(trido.SpecError, match="heartbeat"):
        trido.ChildSpec(idle, heartbeat=0)


def test_a_template_is_checked_as_far_as_it_goes() -> None:
    with pytest.raises(trido.SpecError, match="what idle"):
        trido.DynamicSupervisorSpec(idle, 1)
    with pytest.raises(trido.SpecError, match="without a task_status"):
        trido.DynamicSupervisorSpec(idle, ready="started")
    with pytest.raises(trido.SpecError, match="one of 'started', 'scheduled'"):
        wrong: Any = "at once"
        trido.DynamicSupervisorSpec(idle, ready=wrong)


@pytest.mark.parametrize("observers", [print, None])
def test_observers_are_a_sequence(observers: Any) -> None:
    with pytest.raises(trido.SpecError, match="a sequence of functions"):
        trido.open_supervisor(observers=observers)


@pytest.mark.parametrize("observer", [idle, 3])
def test_observers_are_plain_functions(observer: Any) -> None:
    with pytest.raises(trido.SpecError, match="plain functions of one event"):
        trido.open_supervisor(observers=(observer,))


def test_an_unknown_keyword_is_named_with_what_was_called() -> None:
    wrong: Any = {"restarts": "temporary"}
    with pytest.raises(TypeError, match=r"^ChildSpec\(\) got an unexpected keyword"):
        trido.ChildSpec(idle, **wrong)


def test_what_is_run_is_an_async_function() -> None:
    with pytest.raises(TypeError, match=r"trido\.run\(\) takes an async function"):
        trido.run(3)  # type: ignore[arg-type]  # wrong on purpose


async def test_the_log_says_what_comes_next(caplog: pytest.LogCaptureFixture) -> None:
    child = trido.ChildSpec(crash_at_1, restart_on=OSError)
    async with trido.open_supervisor(child) as sup:
        await sup["crash_at_1"].wait_ended()
        await trio.testing.wait_all_tasks_blocked()
    assert "it is permanent: not restarted" in caplog.text
