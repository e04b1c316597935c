"""Section H of the cases: what is peculiar to Trio."""

from __future__ import annotations

from contextvars import ContextVar

import pytest
import trio

import trido
from tests.conformance.kit import counts, run, settle, states
from tests.conformance.stage import (
    Log,
    Player,
    Starter,
    cleaning,
    errors_of,
    fails_when_stopped,
    leaves,
    spec,
    stubborn,
    swallows,
)

FATAL = [KeyboardInterrupt, SystemExit, GeneratorExit]


def test_C107_an_outer_cancellation_is_an_ordered_stop() -> None:
    async def scenario() -> None:
        log = Log()
        sup: trido.Supervisor | None = None
        with trio.move_on_after(1) as scope:
            async with trido.open_supervisor(
                *(spec(id, cleaning, 0.1) for id in "abc"), observers=(log,)
            ) as sup:
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert log.timed == [
            *["S a @0", "S b @0", "S c @0"],
            *["K c @1.1", "K b @1.2", "K a @1.3", "SUP cancelled @1.3"],
        ]
        assert sup is not None
        assert states(sup) == "a stopped 1, b stopped 1, c stopped 1"
        assert counts(sup) == (3, 0, 0, 3)

    run(scenario)


def test_C108_a_keyboard_interrupt_beside_the_supervisor() -> None:
    error = KeyboardInterrupt()
    log = Log()

    async def interrupted() -> None:
        await trio.sleep(1)
        raise error

    async def scenario() -> None:
        log.clear()
        inner = trido.SupervisorSpec(
            spec("b", cleaning, 0.1), spec("cc", cleaning, 0.1), id="inner"
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(interrupted)
            async with trido.open_supervisor(
                spec("a", cleaning, 0.1), inner, max_restarts=0, observers=(log,)
            ):
                await trio.sleep_forever()

    for left in errors_of(scenario):
        assert leaves(left) == [error]
        assert leaves(left)[0] is error
        assert log.timed == [
            *["S a @0", "S b @0", "S cc @0", "S inner @0", "K cc @1.1", "K b @1.2"],
            *["SUP inner shutdown @1.2", "K inner @1.2", "K a @1.3", "SUP cancelled @1.3"],
        ]


@pytest.mark.parametrize("kind", FATAL)
def test_C109_a_child_raises_something_fatal(kind: type[BaseException]) -> None:
    error = kind("fatal")
    log = Log()

    async def scenario() -> None:
        log.clear()
        player = Player()
        async with trido.open_supervisor(
            spec("a", cleaning, 0.1),
            spec("b", player.run),
            spec("c", cleaning, 0.1),
            max_restarts=0,
            observers=(log,),
        ):
            await settle()
            player.end(error)
            await trio.sleep_forever()

    for left in errors_of(scenario):
        assert left is error
        assert log.timed == [
            *["S a @0", "S b @0", "S c @0", f"E b {kind.__name__} @0"],
            *["K c @0.1", "K a @0.2", "SUP fatal @0.2"],
        ]


@pytest.mark.parametrize("kind", FATAL)
def test_C109_a_child_raises_something_fatal_in_a_group(kind: type[BaseException]) -> None:
    fatal, other = kind("fatal"), ValueError()
    log = Log()

    async def scenario() -> None:
        log.clear()
        player = Player()
        async with trido.open_supervisor(
            spec("a"), spec("b", player.run), max_restarts=0, observers=(log,)
        ):
            await settle()
            player.end(BaseExceptionGroup("both", [other, fatal]))
            await trio.sleep_forever()

    for left in errors_of(scenario):
        assert [id(leaf) for leaf in leaves(left)] == [id(other), id(fatal)]
        assert log.lines == ["S a", "S b", "E b BaseExceptionGroup", "K a", "SUP fatal"]


def test_C110_a_group_is_one_crash() -> None:
    async def scenario() -> None:
        log, player = Log(), Player()
        error = ExceptionGroup("two", [ValueError(), ExceptionGroup("in", [OSError()])])
        async with trido.open_supervisor(
            spec("a", player.run), max_restarts=1, observers=(log,)
        ) as sup:
            await settle()
            player.end(error)
            await settle()
            assert log.lines == [
                *["S a", "E a ExceptionGroup", "R child_terminated(a, ExceptionGroup)"],
                "S a restart",
            ]
            reason = log.only("E a ExceptionGroup").reason
            assert leaves(reason) == leaves(error)
            assert sup["a"].last_crash is reason
            assert states(sup) == "a running 2"
            assert sup["a"].restarts == 1

    run(scenario)


def test_C111_an_error_beside_the_cancellation_is_not_lost() -> None:
    error = ValueError()

    async def two() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fails_when_stopped, error)
            await trio.sleep_forever()

    async def both() -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled as cancelled:
            raise BaseExceptionGroup("", [cancelled, error]) from None

    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(spec("x", two), spec("y", both), observers=(log,)):
            await settle()
        assert log.lines == [
            *["S x", "S y"],
            *["K y ValueError", "R shutdown_error(y, ValueError)"],
            *["K x ValueError", "R shutdown_error(x, ValueError)"],
            "SUP shutdown",
        ]
        assert log.only("K x ValueError").reason is error
        assert log.only("K y ValueError").reason is error

    run(scenario)


def test_C115_a_child_that_swallows_its_cancellation_ended_normally() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(spec("a", swallows), observers=(log,)) as sup:
            await settle()
        assert log.lines == ["S a", "K a normal", "R shutdown_error(a, normal)", "SUP shutdown"]
        assert states(sup) == "a stopped 1"

    run(scenario)


def test_C116_a_child_s_own_timeout_is_its_own_affair() -> None:
    async def timing_out() -> None:
        while True:
            with trio.move_on_after(1):
                await trio.sleep_forever()

    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(spec("a", timing_out), observers=(log,)) as sup:
            await trio.sleep(10)
            assert log.lines == ["S a"]
            assert states(sup) == "a running 1"

    run(scenario)


def test_C117_a_raw_shield_is_broken_after_the_grace() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("a", stubborn, shutdown=1.0), observers=(log,)
        ) as sup:
            await settle()
        assert log.timed == [
            *["S a @0", "K a killed @1", "R shutdown_error(a, killed) @1"],
            "SUP shutdown @1",
        ]
        assert counts(sup) == (1, 0, 0, 1)

    run(scenario)


def test_C117_without_trio_s_private_parts_the_supervisor_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trido.supervision.shields._inner_scopes", lambda *_: iter(()))

    async def shielded() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(1000)

    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("a"), spec("b", shielded, shutdown=1.0), observers=(log,)
        ):
            await settle()
        assert log.timed == [
            *["S a @0", "S b @0", "ZOMBIE b @6", "K a @6"],
            *["K b normal @1000", "R shutdown_error(b, normal) @1000", "SUP shutdown @1000"],
        ]

    run(scenario)


def test_C120_returning_before_started_is_a_start_failure() -> None:
    async def early(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(1)

    async def scenario() -> None:
        log = Log()
        with pytest.raises(trido.StartFailed) as failed:
            async with trido.open_supervisor(
                spec("a"), spec("x", early), spec("z"), observers=(log,)
            ):
                pytest.fail("it must not start")
        assert failed.value.id == "x"
        assert isinstance(failed.value.__cause__, trido.NotStarted)
        assert log.timed == ["S a @0", "R start_error(x, NotStarted) @1", "K a @1"]

    run(scenario)


def test_C121_raising_after_started_is_a_crash() -> None:
    async def scenario() -> None:
        log, starter = Log(), Starter(None)
        async with trido.open_supervisor(spec("a", starter.run), observers=(log,)) as sup:
            starter.player.end(ValueError())
            await settle()
            assert log.lines == [
                *["S a", "E a ValueError", "R child_terminated(a, ValueError)"],
                "S a restart",
            ]
            assert states(sup) == "a running 2"

    run(scenario)


@pytest.mark.parametrize("shielded", [False, True])
def test_C122_start_timeout(*, shielded: bool) -> None:
    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        with trio.CancelScope(shield=shielded):
            await trio.sleep(1000)
        task_status.started()

    async def scenario() -> None:
        log = Log()
        with pytest.raises(trido.StartFailed) as failed:
            async with trido.open_supervisor(
                spec("a"), spec("x", slow, start_timeout=1.0, shutdown=2.0), observers=(log,)
            ):
                pytest.fail("it must not start")
        assert isinstance(failed.value.__cause__, trido.StartTimeout)
        when = 3 if shielded else 1
        assert log.timed == [
            "S a @0",
            f"R start_error(x, StartTimeout) @{when}",
            f"K a @{when}",
        ]

    run(scenario)


def test_C123_context_and_arguments_of_a_new_run() -> None:
    variable = ContextVar("variable", default="nobody's")

    async def scenario() -> None:
        seen: list[tuple[str, int]] = []
        crash = trio.Event()
        argument = [1]

        async def child(given: list[int]) -> None:
            seen.append((variable.get(), id(given)))
            variable.set("the child's")
            if len(seen) == 1:
                await crash.wait()
                raise ValueError
            await trio.sleep_forever()

        variable.set("the supervisor's")
        async with trido.open_supervisor(spec("a", child, argument)) as sup:
            variable.set("the body's")
            crash.set()
            await sup["a"].wait_running(after=1)
            await settle()
            assert seen == [("the supervisor's", id(argument))] * 2
            await sup.start_child(spec("b", child, argument))
            await settle()
            assert seen[-1] == ("the supervisor's", id(argument))
            assert variable.get() == "the body's"

    run(scenario)


@pytest.mark.parametrize("kind", FATAL)
def test_C124_something_fatal_deep_down(kind: type[BaseException]) -> None:
    error = kind("deep")
    log = Log()

    async def scenario() -> None:
        log.clear()
        player = Player()
        inner = trido.SupervisorSpec(
            spec("c"), spec("f", player.run), spec("d", cleaning, 0.1), id="inner"
        )
        middle = trido.SupervisorSpec(spec("b", cleaning, 0.1), inner, id="middle")
        async with trido.open_supervisor(
            spec("a"), middle, spec("e", cleaning, 0.1), max_restarts=0, observers=(log,)
        ):
            await settle()
            log.clear()
            player.end(error)
            await trio.sleep_forever()

    name = kind.__name__
    for left in errors_of(scenario):
        assert left is error
        assert log.timed == [
            *[f"E f {name} @0", "K d @0.1", "K c @0.1", "SUP inner fatal @0.1"],
            *[f"E inner {name} @0.1", "K b @0.2", "SUP middle fatal @0.2"],
            *[f"E middle {name} @0.2", "K e @0.3", "K a @0.3", "SUP fatal @0.3"],
        ]
        assert log.only("SUP inner fatal").reason is error


@pytest.mark.parametrize("seconds", [1.0, 0.8])
def test_C125_shutdown_timeout_bounds_the_stop_after_a_cancellation(seconds: float) -> None:
    async def scenario() -> None:
        log = Log()
        root = trido.SupervisorSpec(
            *(spec(id, cleaning, seconds) for id in "abcde"), shutdown_timeout=2.0
        )
        with trio.move_on_after(1):
            async with trido.open_supervisor(spec=root, observers=(log,)):
                log.clear()
                await trio.sleep_forever()
        rest = [
            text
            for id in "cba"
            for text in (f"K {id} killed @3", f"R shutdown_error({id}, killed) @3")
        ]
        # With 1 s each, the second is done at the very moment at which the time is up.
        killed = ["K d killed @3", "R shutdown_error(d, killed) @3"]
        assert log.timed in (
            [f"K e @{1 + seconds:g}", *second, *rest, "SUP cancelled @3"]
            for second in ([f"K d @{1 + 2 * seconds:g}"], killed if seconds == 1 else [])
        )
        assert trio.current_time() == 3

    run(scenario)
