"""Section 7 of the rules: the outcomes of the block, and the methods beyond the table of states."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

import trido
from tests.conformance.kit import counts, run, settle, states
from tests.conformance.stage import (
    Log,
    Player,
    Starter,
    cleaning,
    errors_of,
    forever,
    leaves,
    raises,
    spec,
    swallows,
)


class _Slow:
    """A child that is starting for so long, and can be asked about itself."""

    def __init__(self, seconds: float, error: Exception | None = None) -> None:
        self.seconds = seconds
        self.error = error

    async def run(self, *, task_status: trio.TaskStatus[str]) -> None:
        await trio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        task_status.started("ready")
        await trio.sleep_forever()


# The outcomes of the block ------------------------------------------------------------------------


def test_stop_ends_the_children_and_not_the_body() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(spec("a", cleaning, 1.0), observers=(log,)) as sup:
            sup.stop()
            assert states(sup) == "a running 1"
            await trio.sleep(5)
            assert log.timed == ["S a @0", "K a @1", "SUP shutdown @1"]
            await trio.sleep(5)
        assert trio.current_time() == 10

    run(scenario)


def test_the_limit_cancels_the_body_at_that_moment() -> None:
    async def scenario() -> None:
        log, player = Log(), Player()
        error = ValueError()
        unwound = -1.0
        with pytest.raises(trido.RestartLimitExceeded) as limit:
            async with trido.open_supervisor(
                spec("a", cleaning, 1.0),
                spec("b", player.run),
                max_restarts=0,
                observers=(log,),
            ):
                await trio.sleep(1)
                player.end(error)
                try:
                    await trio.sleep_forever()
                finally:
                    unwound = trio.current_time()
        assert unwound == 1
        assert limit.value.__cause__ is error
        assert (limit.value.id, limit.value.child) == ("root", "b")
        assert log.timed[-3:] == ["R shutdown(b, limit) @1", "K a @2", "SUP limit @2"]
        assert log.only("SUP limit").reason is limit.value

    run(scenario)


def test_escalate_gives_up_as_the_limit_does() -> None:
    async def scenario() -> None:
        log, player = Log(), Player()
        error = trido.Escalate("beyond me")
        with pytest.raises(trido.RestartLimitExceeded) as limit:
            async with trido.open_supervisor(spec("a"), spec("b", player.run), observers=(log,)):
                await settle()
                player.end(error)
                await trio.sleep_forever()
        assert limit.value.__cause__ is error
        assert log.lines == [
            *["S a", "S b", "E b Escalate", "R child_terminated(b, Escalate)"],
            *["R shutdown(b, limit)", "K a", "SUP limit"],
        ]

    run(scenario)


def test_a_normal_end_over_the_limit_has_no_cause() -> None:
    async def scenario() -> None:
        player = Player()
        with pytest.raises(trido.RestartLimitExceeded) as limit:
            async with trido.open_supervisor(spec("b", player.run), max_restarts=0):
                await settle()
                player.end()
                await trio.sleep_forever()
        assert limit.value.__cause__ is None

    run(scenario)


def test_the_chain_of_causes_ends_at_the_first_error() -> None:
    async def scenario() -> None:
        player = Player()
        error = ValueError()
        inner = trido.SupervisorSpec(spec("w", player.run), id="inner", max_restarts=0)
        with pytest.raises(trido.RestartLimitExceeded) as limit:
            async with trido.open_supervisor(inner, max_restarts=0):
                await settle()
                player.end(error)
                await trio.sleep_forever()
        below = limit.value.__cause__
        assert isinstance(below, trido.RestartLimitExceeded)
        assert (limit.value.id, below.id) == ("root", "inner")
        assert below.__cause__ is error

    run(scenario)


def test_a_cancelled_body_that_raises_something_of_its_own_gives_a_group() -> None:
    async def scenario() -> None:
        player = Player()
        own = OSError()
        with pytest.raises(ExceptionGroup) as both:
            async with trido.open_supervisor(spec("b", player.run), max_restarts=0):
                await settle()
                player.end(ValueError())
                try:
                    await trio.sleep_forever()
                finally:
                    raise own
        limit, second = both.value.exceptions
        assert isinstance(limit, trido.RestartLimitExceeded)
        assert second is own

    run(scenario)


@pytest.mark.parametrize("in_a_nursery", [False, True])
@pytest.mark.parametrize("error", [SystemExit(4), ValueError(), trido.Escalate("beyond me")])
def test_a_request_of_the_body_that_is_not_met_adds_nothing_to_why(
    error: BaseException, *, in_a_nursery: bool
) -> None:
    async def scenario() -> None:
        player, slow = Player(), spec("slow", _Slow(9).run)
        async with trido.open_supervisor(spec("a", player.run), max_restarts=0) as sup:
            await settle()
            player.end(error)
            if not in_a_nursery:
                await sup.start_child(slow)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sup.start_child, slow)

    expected = SystemExit if isinstance(error, SystemExit) else trido.RestartLimitExceeded
    with pytest.raises(expected) as raised:
        run(scenario)
    assert error in (raised.value, raised.value.__cause__)


@pytest.mark.parametrize("error", [SystemExit(4), ValueError(), trido.Escalate("beyond me")])
def test_the_body_is_cancelled_before_the_children_stop(error: BaseException) -> None:
    """What it waits for with a child is over by its own cancellation, not by the child's end."""

    async def scenario() -> None:
        player, over = Player(), trio.Event()

        async def tells() -> None:
            try:
                await trio.sleep_forever()
            finally:
                over.set()

        async with trido.open_supervisor(spec("a", player.run), spec("b", tells), max_restarts=0):
            await settle()
            player.end(error)
            await over.wait()
            raise AssertionError("the body was not cancelled")

    expected = SystemExit if isinstance(error, SystemExit) else trido.RestartLimitExceeded
    with pytest.raises(expected):
        run(scenario)


def test_what_the_body_raises_beside_a_request_that_is_not_met_is_its_own() -> None:
    async def scenario() -> None:
        player, own = Player(), KeyError("own")
        async with trido.open_supervisor(spec("a", player.run), max_restarts=0) as sup:
            await settle()
            player.end(ValueError())
            try:
                await trio.sleep_forever()
            finally:
                raise ExceptionGroup("both", [trido.SupervisorStopped(sup.id), own])

    with pytest.raises(ExceptionGroup) as raised:
        run(scenario)
    limit, beside = raised.value.exceptions
    assert isinstance(limit, trido.RestartLimitExceeded)
    assert [repr(one) for one in leaves(beside)] == ["KeyError('own')"]


def test_a_fatal_end_and_the_body_s_own_error_give_a_group() -> None:
    fatal, own = KeyboardInterrupt(), OSError()

    async def scenario() -> None:
        player = Player()
        async with trido.open_supervisor(spec("b", player.run)):
            await settle()
            player.end(fatal)
            try:
                await trio.sleep_forever()
            finally:
                raise own

    for left in errors_of(scenario):
        assert isinstance(left, BaseExceptionGroup)
        assert left.exceptions[0] is fatal
        assert left.exceptions[1] is own


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, ValueError])
def test_a_body_that_raises_is_not_wrapped(kind: type[BaseException]) -> None:
    error = kind("the body's")
    log = Log()

    async def scenario() -> None:
        log.clear()
        async with trido.open_supervisor(spec("a", cleaning, 1.0), observers=(log,)):
            raise error

    for left in errors_of(scenario):
        assert left is error
        assert log.timed == ["S a @0", "K a @1", "SUP shutdown @1"]


def test_a_body_s_group_keeps_its_shape() -> None:
    async def scenario() -> None:
        error = ExceptionGroup("the body's", [ValueError()])
        with raises(error):
            async with trido.open_supervisor(spec("a")):
                raise error

    run(scenario)


def test_an_error_of_the_body_during_an_outer_cancellation_is_raised_alone() -> None:
    async def scenario() -> None:
        error = ValueError()
        with raises(error), trio.move_on_after(1):
            async with trido.open_supervisor(spec("a")):
                try:
                    await trio.sleep_forever()
                finally:
                    raise error

    run(scenario)


def test_crashes_during_the_stop_are_not_raised() -> None:
    async def scenario() -> None:
        log = Log()

        async def fails() -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError

        async with trido.open_supervisor(spec("a", fails), observers=(log,)) as sup:
            await settle()
        assert log.lines[-3:] == [
            *["K a ValueError", "R shutdown_error(a, ValueError)", "SUP shutdown"],
        ]
        await sup.wait()

    run(scenario)


def test_a_start_that_fails_never_enters_the_body() -> None:
    async def scenario() -> None:
        error = ValueError()
        log = Log()
        with pytest.raises(trido.StartFailed) as failed:
            async with trido.open_supervisor(
                spec("a"), spec("b", Starter(error).run), observers=(log,)
            ):
                pytest.fail("it must not start")
        assert failed.value.__cause__ is error
        assert log.lines == ["S a", "R start_error(b, ValueError)", "K a"]

    run(scenario)


def test_a_fatal_end_while_starting() -> None:
    error = KeyboardInterrupt()
    log = Log()

    async def scenario() -> None:
        log.clear()
        async with trido.open_supervisor(
            spec("a"), spec("b", Starter(error).run), spec("c"), observers=(log,)
        ):
            pytest.fail("it must not start")

    for left in errors_of(scenario):
        assert left is error
        assert log.lines == ["S a", "E b KeyboardInterrupt", "K a", "SUP fatal"]


# Waiting ------------------------------------------------------------------------------------------


def test_wait_returns_once_all_children_ended_however_they_ended() -> None:
    async def scenario() -> None:
        ends: list[float] = []
        player = Player()
        sup: trido.Supervisor | None = None

        async def waiter(sup: trido.Supervisor) -> None:
            await sup.wait()
            ends.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            with pytest.raises(trido.RestartLimitExceeded):
                async with trido.open_supervisor(
                    spec("a", cleaning, 2.0), spec("b", player.run), max_restarts=0
                ) as sup:
                    nursery.start_soon(waiter, sup)
                    await settle()
                    player.end(ValueError())
                    await trio.sleep_forever()
        assert ends == [2.0]
        assert sup is not None
        await sup.wait()

    run(scenario)


def test_wait_running_and_wait_ended() -> None:
    async def scenario() -> None:
        player = Player()
        async with trido.open_supervisor(spec("a", player.run)) as sup:
            child = sup["a"]
            await child.wait_running()
            assert child.incarnation == 1
            await settle()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child.wait_ended)
                nursery.start_soon(functools.partial(child.wait_running, after=1))
                await settle()
                player.end(ValueError("first"))
            assert (child.incarnation, child.restarts) == (2, 1)
            assert str(child.last_crash) == "first"
            await sup.stop_child("a")
            await child.wait_ended()
            with trio.move_on_after(1) as scope:
                await child.wait_running()
            assert scope.cancelled_caught

    run(scenario)


def test_wait_running_of_what_can_never_run() -> None:
    async def scenario() -> None:
        async with trido.open_supervisor(spec("t", restart="temporary"), spec("a")) as sup:
            temporary, child = sup["t"], sup["a"]
            await sup.stop_child("t")
            with pytest.raises(trido.ChildNotFound):
                await temporary.wait_running()
            async with trio.open_nursery() as nursery:

                async def wait() -> None:
                    with pytest.raises(trido.SupervisorStopped):
                        await child.wait_running(after=1)

                nursery.start_soon(wait)
                await settle()
                sup.stop()
            with pytest.raises(trido.SupervisorStopped):
                await child.wait_running()
            await child.wait_ended()

    run(scenario)


@pytest.mark.parametrize("method", ["wait", "wait_running", "wait_ended", "stop_child"])
def test_awaiting_methods_are_checkpoints(method: str) -> None:
    async def scenario() -> None:
        async with trido.open_supervisor(spec("a"), spec("b")) as sup:
            await sup.stop_child("b")
            calls: dict[str, Callable[[], Awaitable[Any]]] = {
                "wait": sup.wait,
                "wait_running": sup["a"].wait_running,
                "wait_ended": sup["b"].wait_ended,
                "stop_child": functools.partial(sup.stop_child, "b"),
            }
            with trio.CancelScope() as scope:
                scope.cancel()
                await calls[method]()
            assert scope.cancelled_caught
            if method != "wait":
                with trio.testing.assert_checkpoints():
                    await calls[method]()

    run(scenario)


# Deadlocks ----------------------------------------------------------------------------------------


async def _refused(call: Callable[[], Awaitable[Any]]) -> None:
    with pytest.raises(trido.DeadlockError):
        await call()


def _calls(sup: trido.Supervisor) -> list[Callable[[], Awaitable[Any]]]:
    return [
        functools.partial(sup.start_child, spec("new")),
        functools.partial(sup.stop_child, "a"),
        functools.partial(sup.restart_child, "a"),
        functools.partial(sup.delete_child, "a"),
        sup.wait,
    ]


def test_a_child_that_is_starting_must_not_await_its_supervisor() -> None:
    async def scenario() -> None:
        async def starting(*, task_status: trio.TaskStatus[None]) -> None:
            for call in _calls(sup):
                await _refused(call)
            task_status.started()
            await sup.start_child(spec("new"))
            await trio.sleep_forever()

        async with trido.open_supervisor(spec("a")) as sup:
            await sup.start_child(spec("b", starting))
            await settle()
            assert states(sup) == "a running 1, b running 1, new running 1"

    run(scenario)


def test_a_child_that_is_cleaning_up_must_not_await_its_supervisor() -> None:
    async def scenario() -> None:
        refusals: list[str] = []

        async def child() -> None:
            try:
                await trio.sleep_forever()
            finally:
                with trido.cleanup():
                    for call in _calls(sup):
                        await _refused(call)
                        refusals.append("refused")

        async with trido.open_supervisor(spec("a"), spec("b", child)) as sup:
            await settle()
            await sup.stop_child("b")
            assert refusals == ["refused"] * 5

    run(scenario)


def test_a_deadlock_through_tasks_and_through_levels() -> None:
    async def scenario() -> None:
        refusals: list[str] = []

        async def cleaner() -> None:
            try:
                await trio.sleep_forever()
            finally:
                with trido.cleanup():
                    await _refused(functools.partial(sup.stop_child, "a"))
                    refusals.append("task")

        async def child() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cleaner)

        async def opens() -> None:
            async with trido.open_supervisor(spec("deep", cleaner)):
                await trio.sleep_forever()

        inner = trido.SupervisorSpec(spec("c", cleaner), id="inner")
        async with trido.open_supervisor(
            spec("a"), spec("b", child), spec("o", opens), inner
        ) as sup:
            await settle()
            await sup.stop_child("b")
            assert refusals == ["task"]
            await sup.stop_child("inner")
            assert refusals == ["task"] * 2
            await sup.stop_child("o")
            assert refusals == ["task"] * 3

    run(scenario)


def test_a_child_that_waits_already_is_cancelled_as_usual() -> None:
    async def scenario() -> None:
        log = Log()

        async def child() -> None:
            await sup.wait()

        async with trido.open_supervisor(spec("a"), observers=(log,)) as sup:
            await sup.start_child(spec("b", child))
            await settle()
        assert log.lines == ["S a", "S b api", "K b", "K a", "SUP shutdown"]

    run(scenario)


def test_a_running_child_may_use_its_supervisor() -> None:
    async def scenario() -> None:
        async def manager() -> None:
            await sup.start_child(spec("worker"))
            await sup.stop_child("worker")
            await sup.delete_child("worker")
            await sup.start_child(spec("other"))
            await trio.sleep_forever()

        async with trido.open_supervisor() as sup:
            await sup.start_child(spec("manager", manager))
            await settle()
            assert states(sup) == "manager running 1, other running 1"

    run(scenario)


# Cancelled callers --------------------------------------------------------------------------------


def test_a_request_not_yet_begun_is_withdrawn() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(spec("a", cleaning, 2.0), observers=(log,)) as sup:
            await settle()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sup.stop_child, "a")
                await trio.sleep(1)
                with trio.move_on_after(0.5) as scope:
                    await sup.start_child(spec("b"))
                assert scope.cancelled_caught
            await trio.sleep(10)
            assert log.timed == ["S a @0", "K a @2"]
            assert states(sup) == "a stopped 1"

    run(scenario)


def test_a_start_that_has_begun_is_carried_through() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(observers=(log,)) as sup:
            with trio.move_on_after(1) as scope:
                await sup.start_child(spec("b", _Slow(2).run))
            assert scope.cancelled_caught
            assert trio.current_time() == 1
            assert states(sup) == "b starting 1"
            await trio.sleep(5)
            assert log.timed == ["S b api @2"]
            assert sup["b"].value == "ready"
            assert counts(sup) == (1, 1, 0, 1)

    run(scenario)


def test_a_later_failure_of_a_start_whose_caller_is_gone_is_reported() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(observers=(log,)) as sup:
            with trio.move_on_after(1):
                await sup.start_child(spec("b", _Slow(2, ValueError()).run))
            await trio.sleep(5)
            assert log.timed == ["R start_error(b, ValueError) @2"]
            assert sup.children() == ()

    run(scenario)


def test_a_stop_that_has_begun_is_carried_through() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(spec("a", cleaning, 2.0), observers=(log,)) as sup:
            await settle()
            with trio.move_on_after(1) as scope:
                await sup.stop_child("a")
            assert scope.cancelled_caught
            assert states(sup) == "a stopping 1"
            await trio.sleep(5)
            assert log.timed == ["S a @0", "K a @2"]
            assert states(sup) == "a stopped 1"

    run(scenario)


def test_a_cancelled_caller_of_restart_child() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(spec("a", _Slow(2).run), observers=(log,)) as sup:
            await sup.stop_child("a")
            with trio.move_on_after(1) as scope:
                await sup.restart_child("a")
            assert scope.cancelled_caught
            await trio.sleep(5)
            assert log.timed == ["S a @2", "K a @2", "S a api @4"]

    run(scenario)


def test_a_stop_frees_all_callers_at_once() -> None:
    """The one whose start is in progress, and those whose turn had not come."""

    async def scenario() -> None:
        freed: list[tuple[str, float]] = []

        async def call(sup: trido.Supervisor, id: str) -> None:
            with pytest.raises(trido.SupervisorStopped):
                await sup.start_child(spec(id, shy))
            freed.append((id, trio.current_time()))

        async def shy(*, task_status: trio.TaskStatus[None]) -> None:
            try:
                await trio.sleep_forever()
            finally:
                with trido.cleanup():
                    await trio.sleep(2)

        log = Log()
        async with trido.open_supervisor(spec("a"), observers=(log,)) as sup:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(call, sup, "b")
                await trio.sleep(0.5)
                nursery.start_soon(call, sup, "c")
                await trio.sleep(0.5)
                sup.stop()
            assert sorted(freed) == [("b", 1.0), ("c", 1.0)]
            await sup.wait()
        assert log.timed == ["S a @0", "K a @3", "SUP shutdown @3"]

    run(scenario)


def test_stop_child_of_a_starting_child_waits_for_the_start() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(observers=(log,)) as sup:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sup.start_child, spec("b", _Slow(2).run))
                await trio.sleep(1)
                await sup.stop_child("b")
            assert log.timed == ["S b api @2", "K b @2"]

    run(scenario)


# Reading ------------------------------------------------------------------------------------------


def test_a_child_by_id_and_by_spec() -> None:
    async def scenario() -> None:
        a: trido.ChildSpec[str] = spec("a", _Slow(1).run)
        inner = trido.SupervisorSpec(spec("x"), id="inner")
        async with trido.open_supervisor(a, inner) as sup:
            child = sup["a"]
            assert sup[a] is child
            assert child.value == "ready"
            assert (child.id, child.state, child.incarnation) == ("a", "running", 1)
            assert (child.restarts, child.last_crash) == (0, None)
            assert child.supervisor is sup
            below = sup[inner].value
            assert isinstance(below, trido.Supervisor)
            assert below["x"].supervisor is below
            with pytest.raises(trido.ChildNotFound):
                sup["nobody"]
            with pytest.raises(KeyError):
                sup[trido.ChildSpec(forever, id="other")]

    run(scenario)


def test_start_child_and_restart_child_give_the_live_child() -> None:
    async def scenario() -> None:
        async with trido.open_supervisor() as sup:
            by_function = await sup.start_child(forever, id="f")
            by_spec = await sup.start_child(trido.ChildSpec(forever, id="s"))
            assert (by_function, by_spec) == (sup["f"], sup["s"])
            await sup.stop_child(by_spec)
            assert await sup.restart_child("s") is by_spec
            assert by_spec.incarnation == 2

    run(scenario)


def test_current_child() -> None:
    seen: list[object] = []

    async def child() -> None:
        seen.append(trido.current_child())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task)

    async def task() -> None:
        seen.append(trido.current_child())
        await trio.sleep_forever()

    async def scenario() -> None:
        seen.clear()
        with pytest.raises(RuntimeError):
            trido.current_child()
        async with trido.open_supervisor(spec("a", child)) as sup:
            await settle()
            assert seen == [sup["a"]] * 2
            with pytest.raises(RuntimeError):
                trido.current_child()

    run(scenario)


def test_a_task_s_name_is_its_path_and_the_tree_is_text() -> None:
    names: list[str] = []

    async def child() -> None:
        names.append(trio.lowlevel.current_task().name)
        await trio.sleep_forever()

    async def scenario() -> None:
        names.clear()
        inner = trido.SupervisorSpec(spec("x", child), id="inner")
        async with trido.open_supervisor(spec("a", child), inner, id="top") as sup:
            await settle()
            assert sorted(names) == ["top/a", "top/inner/x"]
            await sup.stop_child("a")
            tree = sup.tree()
            assert isinstance(tree, str)
            lines = tree.splitlines()
            assert len(lines) == 4
            for line, word in zip(lines, ["top", "a", "inner", "x"], strict=True):
                assert word in line
            assert "stopped" in lines[1]
            assert "running" in lines[3]

    run(scenario)


def test_children_are_frozen_snapshots() -> None:
    async def scenario() -> None:
        player = Player()
        async with trido.open_supervisor(spec("a", player.run)) as sup:
            before = sup.children()
            await settle()
            player.end(ValueError())
            await settle()
            (info,) = before
            assert (info.id, info.state, info.incarnation) == ("a", "running", 1)
            assert (info.restarts, info.kind) == (0, "worker")
            assert sup.children()[0].restarts == 1
            assert isinstance(before, tuple)
            with pytest.raises(AttributeError):
                info.state = "stopped"  # type: ignore[misc]

    run(scenario)


# Other ways to open -------------------------------------------------------------------------------


def test_supervise_as_a_task() -> None:
    async def scenario() -> None:
        log = Log()
        root = trido.SupervisorSpec(spec("a", cleaning, 1.0), spec("b"), id="top")
        async with trio.open_nursery() as nursery:
            sup = await nursery.start(trido.supervise, root, (log,))
            assert isinstance(sup, trido.Supervisor)
            assert states(sup) == "a running 1, b running 1"
            sup.stop()
        assert log.timed == ["S a @0", "S b @0", "K b @0", "K a @1", "SUP shutdown @1"]

    run(scenario)


def test_supervise_cancelled_failing_and_giving_up() -> None:
    async def scenario() -> None:
        log, player = Log(), Player()
        root = trido.SupervisorSpec(spec("a", cleaning, 1.0), spec("b", cleaning, 1.0))
        async with trio.open_nursery() as nursery:
            await nursery.start(trido.supervise, root, (log,))
            log.clear()
            nursery.cancel_scope.cancel()
        assert log.timed == ["K b @1", "K a @2", "SUP cancelled @2"]

        failing = trido.SupervisorSpec(spec("a", Starter(ValueError()).run))
        with pytest.raises(ExceptionGroup) as group:
            async with trio.open_nursery() as nursery:
                await nursery.start(trido.supervise, failing)
        assert isinstance(group.value.exceptions[0], trido.StartFailed)

        limited = trido.SupervisorSpec(spec("a", player.run), max_restarts=0)
        with pytest.raises(ExceptionGroup) as group:
            async with trio.open_nursery() as nursery:
                await nursery.start(trido.supervise, limited)
                await settle()
                player.end(ValueError())
        assert isinstance(group.value.exceptions[0], trido.RestartLimitExceeded)

    run(scenario)


def test_open_supervisor_from_data() -> None:
    async def scenario() -> None:
        log = Log()
        root = trido.SupervisorSpec(spec("a"), id="top", strategy="one_for_all")
        async with trido.open_supervisor(spec=root, observers=(log,)) as sup:
            assert states(sup) == "a running 1"
        assert {event.path for event in log.events} == {("top",)}
        dynamic = trido.DynamicSupervisorSpec(cleaning, 0.0, id="many")
        async with trido.open_supervisor(spec=dynamic) as many:
            child = await many.start_child()
            assert child.state == "running"

    run(scenario)


def test_open_supervisor_from_data_takes_no_other_keywords() -> None:
    async def scenario() -> None:
        open_supervisor: Any = trido.open_supervisor
        root = trido.SupervisorSpec(spec("a"))
        with pytest.raises(TypeError):
            async with open_supervisor(spec=root, max_restarts=1):
                pytest.fail("it must not start")
        with pytest.raises(TypeError):
            async with open_supervisor(spec("b"), spec=root):
                pytest.fail("it must not start")
        with pytest.raises(TypeError):
            async with open_supervisor(spec("b"), colour="red"):
                pytest.fail("it must not start")

    run(scenario)


def test_two_children_swallowing_their_cancellation_do_not_swallow_the_outer_one() -> None:
    async def scenario() -> None:
        log = Log()
        with trio.move_on_after(1) as scope:
            async with trido.open_supervisor(
                spec("a", swallows), spec("b", swallows), observers=(log,)
            ):
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert log.lines[-5:] == [
            *["K b normal", "R shutdown_error(b, normal)"],
            *["K a normal", "R shutdown_error(a, normal)", "SUP cancelled"],
        ]

    run(scenario)


# Things that meet ---------------------------------------------------------------------------------


def test_blocks_in_blocks_wrap_nothing() -> None:
    async def scenario() -> None:
        player = Player()
        with pytest.raises(trido.RestartLimitExceeded) as limit:
            async with (
                trido.open_supervisor(spec("a"), id="outer"),
                trido.open_supervisor(spec("w", player.run), max_restarts=0, id="inner"),
            ):
                await settle()
                player.end(ValueError())
                await trio.sleep_forever()
        assert limit.value.id == "inner"

    run(scenario)


def test_a_body_that_raises_after_stop() -> None:
    async def scenario() -> None:
        error = ValueError()
        with raises(error):
            async with trido.open_supervisor(spec("a", cleaning, 1.0)) as sup:
                sup.stop()
                await trio.sleep(0.5)
                raise error
        assert trio.current_time() == 1

    run(scenario)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, trido.Escalate])
def test_fatal_ends_and_escalations_do_not_wait_for_a_start(kind: type[BaseException]) -> None:
    error = kind("at once")
    log = Log()

    async def scenario() -> None:
        log.clear()
        player = Player()

        async def start(sup: trido.Supervisor) -> None:
            with pytest.raises(trido.SupervisorStopped):
                await sup.start_child(spec("slow", _Slow(100).run))
            assert trio.current_time() == 1

        async with (
            trio.open_nursery() as nursery,
            trido.open_supervisor(spec("a"), spec("b", player.run), observers=(log,)) as sup,
        ):
            nursery.start_soon(start, sup)
            await trio.sleep(1)
            player.end(error)
            await trio.sleep_forever()

    for left in errors_of(scenario):
        assert isinstance(left, BaseExceptionGroup)  # the scenario's own nursery
        (leaf,) = left.exceptions
        assert error in (leaf, leaf.__cause__)
        assert log.events[-1].time == 1
        assert "S slow api" not in log.lines
        assert log.lines[-2] == "K a"


def test_waiting_for_a_child_is_refused_to_one_that_is_starting() -> None:
    async def scenario() -> None:
        async def starting(*, task_status: trio.TaskStatus[None]) -> None:
            await _refused(functools.partial(sup["a"].wait_running, after=5))
            await _refused(sup["a"].wait_ended)
            task_status.started()
            await trio.sleep_forever()

        async with trido.open_supervisor(spec("a")) as sup:
            await sup.start_child(spec("b", starting))

    run(scenario)


def test_start_child_of_an_id_that_is_starting() -> None:
    async def scenario() -> None:
        async with trido.open_supervisor() as sup, trio.open_nursery() as nursery:
            nursery.start_soon(sup.start_child, spec("b", _Slow(2).run))
            await trio.sleep(1)
            assert states(sup) == "b starting 1"
            assert counts(sup) == (1, 0, 0, 1)
            with pytest.raises(trido.ChildAlreadyStarted):
                await sup.start_child(spec("b"))
            assert states(sup) == "b running 1"

    run(scenario)


def test_a_child_may_be_named_by_id_by_spec_and_by_itself() -> None:
    async def scenario() -> None:
        a = spec("a")
        async with trido.open_supervisor(a) as sup:
            child = sup["a"]
            for name in ("a", a, child):
                await sup.stop_child(name)
                assert await sup.restart_child(name) is child
            assert child.incarnation == 4
            await sup.stop_child(a)
            await sup.delete_child(child)
            assert sup.children() == ()
            for name in ("a", a, child):
                with pytest.raises(trido.ChildNotFound):
                    await sup.delete_child(name)

    run(scenario)


def test_a_child_object_of_an_earlier_place_names_nobody() -> None:
    async def scenario() -> None:
        async with trido.open_supervisor(spec("a")) as sup:
            old = sup["a"]
            await sup.stop_child(old)
            await sup.delete_child(old)
            new = await sup.start_child(spec("a"))
            with pytest.raises(trido.ChildNotFound):
                await sup.stop_child(old)
            assert new.state == "running"
            assert old.state == "removed"

    run(scenario)


def test_a_nested_supervisor_s_start_timeout() -> None:
    async def scenario() -> None:
        log = Log()
        inner = trido.SupervisorSpec(
            spec("b", cleaning, 0.5), spec("slow", _Slow(100).run), id="inner", start_timeout=1.0
        )
        with pytest.raises(trido.StartFailed) as failed:
            async with trido.open_supervisor(spec("x"), inner, observers=(log,)):
                pytest.fail("it must not start")
        assert failed.value.id == "inner"
        assert isinstance(failed.value.__cause__, trido.StartTimeout)
        told = [text for text in log.timed if not text.startswith("SUP inner")]
        assert told == [
            *["S x @0", "S b @0", "K b @1.5", "R start_error(inner, StartTimeout) @1.5"],
            "K x @1.5",
        ]

    run(scenario)


def test_stopping_a_child_that_waits_for_its_backoff() -> None:
    async def scenario() -> None:
        log, starter = Log(), Starter(None, ValueError(), None)
        async with trido.open_supervisor(
            spec("a"),
            spec("r", starter.run, backoff=trido.Backoff(min=10)),
            observers=(log,),
        ) as sup:
            starter.player.end(OSError())
            await trio.sleep(1)
            assert states(sup) == "a running 1, r restarting 2"
            log.clear()
            sup.stop()
            await sup.wait()
            assert log.timed == ["K a @1", "SUP shutdown @1"]
            assert states(sup) == "a stopped 1, r stopped 2"

    run(scenario)


def test_an_outer_cancellation_that_meets_the_limit() -> None:
    async def scenario() -> None:
        log, player = Log(), Player()
        with pytest.raises(trido.RestartLimitExceeded), trio.CancelScope() as scope:
            async with trido.open_supervisor(
                spec("a", cleaning, 2.0), spec("b", player.run), max_restarts=0, observers=(log,)
            ):
                await settle()
                player.end(ValueError())
                scope.deadline = 1
                await trio.sleep_forever()
        assert log.timed[-2:] == ["K a @2", "SUP limit @2"]

    run(scenario)
