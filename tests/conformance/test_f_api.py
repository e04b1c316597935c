"""Section F of the cases: what the methods do in which state."""

from __future__ import annotations

import pytest
import trio

import trido
from tests.conformance.kit import counts, run, settle, states
from tests.conformance.stage import Log, Player, Starter, cleaning, forever, spec


def test_C082_start_child_of_an_id_that_is_there() -> None:
    async def scenario() -> None:
        log = Log()
        a = spec("a")
        async with trido.open_supervisor(a, observers=(log,)) as sup:
            with pytest.raises(trido.ChildAlreadyStarted) as started:
                await sup.start_child(a)
            assert started.value.id == "a"
            await sup.stop_child("a")
            with pytest.raises(trido.ChildAlreadyPresent) as present:
                await sup.start_child(a)
            assert present.value.id == "a"
            assert log.lines == ["S a", "K a"]
            assert states(sup) == "a stopped 1"
            assert counts(sup) == (1, 0, 0, 1)

    run(scenario)


def test_C083_stop_child_unknown_running_and_stopped() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(spec("a"), spec("b"), observers=(log,)) as sup:
            with pytest.raises(trido.ChildNotFound) as missing:
                await sup.stop_child("nobody")
            assert missing.value.id == "nobody"
            assert isinstance(missing.value, KeyError)
            await sup.stop_child("a")
            await trio.sleep(100)
            await sup.stop_child("a")
            assert log.lines == ["S a", "S b", "K a"]
            assert states(sup) == "a stopped 1, b running 1"
            assert counts(sup) == (2, 1, 0, 2)

    run(scenario)


def test_C084_stop_child_removes_a_temporary() -> None:
    async def scenario() -> None:
        log = Log()
        t = spec("t", restart="temporary")
        async with trido.open_supervisor(t, observers=(log,)) as sup:
            child = sup["t"]
            await sup.stop_child("t")
            assert child.state == "removed"
            with pytest.raises(trido.ChildNotFound):
                await sup.restart_child("t")
            assert log.lines == ["S t", "K t"]
            assert sup.children() == ()
            assert counts(sup) == (0, 0, 0, 0)

    run(scenario)


def test_C086_restart_child_that_fails_or_is_ignored() -> None:
    async def scenario() -> None:
        log = Log()
        error = ValueError("init")
        starter = Starter(None, error, trido.Ignore())
        async with trido.open_supervisor(
            spec("a", starter.run), max_restarts=0, observers=(log,)
        ) as sup:
            await sup.stop_child("a")
            log.clear()
            with pytest.raises(trido.StartFailed) as failed:
                await sup.restart_child("a")
            assert failed.value.id == "a"
            assert failed.value.__cause__ is error
            assert states(sup) == "a stopped 2"
            child = await sup.restart_child("a")
            assert child is sup["a"]
            assert (child.state, child.value, child.restarts) == ("stopped", None, 0)
            assert log.lines == ["E a ignored"]
            assert states(sup) == "a stopped 3"
            assert counts(sup) == (1, 0, 0, 1)

    run(scenario)


def test_C087_delete_child_running_restarting_stopped_unknown() -> None:
    async def scenario() -> None:
        log = Log()
        starter = Starter(None, ValueError(), seconds=10)
        async with trido.open_supervisor(
            spec("a"), spec("r", starter.run), spec("s"), observers=(log,)
        ) as sup:
            starter.player.end(ValueError())
            await settle()
            assert sup["r"].state == "restarting"
            with pytest.raises(trido.ChildRunning):
                await sup.delete_child("a")
            with pytest.raises(trido.ChildRestarting):
                await sup.delete_child("r")
            await sup.stop_child("s")
            await sup.delete_child("s")
            with pytest.raises(trido.ChildNotFound):
                await sup.delete_child("s")
            assert [child.id for child in sup.children()] == ["a", "r"]

    run(scenario)


def test_C088_start_child_that_fails_leaves_nothing() -> None:
    async def scenario() -> None:
        log = Log()
        error = ValueError("init")
        async with trido.open_supervisor(spec("a"), max_restarts=0, observers=(log,)) as sup:
            with pytest.raises(trido.StartFailed) as failed:
                await sup.start_child(spec("b", Starter(error).run))
            assert failed.value.id == "b"
            assert failed.value.__cause__ is error
            assert log.lines == ["S a"]
            assert states(sup) == "a running 1"
            assert counts(sup) == (1, 1, 0, 1)
            await sup.start_child(spec("b"))
            assert states(sup) == "a running 1, b running 1"

    run(scenario)


def test_C089_a_child_keeps_its_position() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(spec("a"), spec("b"), observers=(log,)) as sup:
            await sup.start_child(spec("z"))
            await sup.stop_child("a")
            await sup.restart_child("a")
            assert log.lines == ["S a", "S b", "S z api", "K a", "S a api"]
            assert [log.events[i].incarnation for i in (0, 3, 4)] == [1, 1, 2]
            assert states(sup) == "a running 2, b running 1, z running 1"
            log.clear()
        assert log.lines == ["K z", "K b", "K a", "SUP shutdown"]

    run(scenario)


def test_C090_children_and_counts_of_a_mixture() -> None:
    async def scenario() -> None:
        log = Log()
        starter = Starter(None, ValueError(), seconds=10)
        async with trido.open_supervisor(
            spec("live"),
            spec("down"),
            spec("r", starter.run),
            trido.SupervisorSpec(spec("x"), spec("y"), id="up"),
            trido.SupervisorSpec(spec("z"), id="off"),
            observers=(log,),
        ) as sup:
            await sup.stop_child("down")
            await sup.stop_child("off")
            starter.player.end(ValueError())
            await settle()
            assert states(sup) == (
                "live running 1, down stopped 1, r restarting 2, up running 1, off stopped 1"
            )
            assert [child.kind for child in sup.children()] == [
                *["worker"] * 3,
                *["supervisor"] * 2,
            ]
            assert counts(sup) == (5, 2, 2, 3)
            assert counts(sup["up"].value) == (2, 2, 0, 2)

    run(scenario)


def test_C091_dynamic_stop_by_id_by_child_and_again() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_dynamic_supervisor(cleaning, 0.0, observers=(log,)) as sup:
            child = await sup.start_child()
            with pytest.raises(trido.ChildNotFound):
                await sup.stop_child("nobody")
            await sup.stop_child(child)
            with pytest.raises(trido.ChildNotFound):
                await sup.stop_child(child)
            assert log.lines == [f"S {child.id} api", f"K {child.id}"]
            assert counts(sup) == (0, 0, 0, 0)

    run(scenario)


def test_C092_a_supervisor_that_has_ended() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(spec("a"), observers=(log,)) as sup:
            sup.stop()
            await sup.wait()
            with pytest.raises(trido.SupervisorStopped):
                await sup.start_child(spec("b"))
            with pytest.raises(trido.SupervisorStopped):
                await sup.stop_child("a")
            with pytest.raises(trido.SupervisorStopped):
                await sup.restart_child("a")
            with pytest.raises(trido.SupervisorStopped):
                await sup.delete_child("a")
            sup.stop()
            await sup.wait()
            assert states(sup) == "a stopped 1"
            assert counts(sup) == (1, 0, 0, 1)
            assert sup["a"].incarnation == 1
            assert "a" in sup.tree()
            assert sup.statistics() is not None
            await sup["a"].wait_ended()
            assert log.lines == ["S a", "K a", "SUP shutdown"]

    run(scenario)


class _Steps(trio.abc.Instrument):
    def __init__(self) -> None:
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += 1


def _steps(children: int, *, dynamic: bool) -> int:
    steps = _Steps()

    async def main() -> None:
        if dynamic:
            async with trido.open_dynamic_supervisor(forever) as one:
                ids = [(await one.start_child()).id for _ in range(children)]
                for id in ids:
                    await one.stop_child(id)
        else:
            async with trido.open_supervisor() as sup:
                for number in range(children):
                    await sup.start_child(forever, id=str(number))
                for number in range(children):
                    await sup.stop_child(str(number))

    trio.run(main, instruments=(steps,))
    return steps.count


@pytest.mark.parametrize("dynamic", [False, True])
def test_C094_steps_grow_linearly_with_the_children(*, dynamic: bool) -> None:
    few, many = _steps(1_000, dynamic=dynamic), _steps(16_000, dynamic=dynamic)
    assert many < 16 * few * 1.02
    assert few < 1_000 * 40


def test_C095_a_child_in_its_retry_loop_counts_for_max_children() -> None:
    async def scenario() -> None:
        log = Log()
        starter = Starter(None, ValueError(), seconds=10)
        async with trido.open_dynamic_supervisor(
            starter.run, max_children=1, observers=(log,)
        ) as sup:
            child = await sup.start_child()
            starter.player.end(ValueError())
            await settle()
            assert child.state == "restarting"
            with pytest.raises(trido.MaxChildren):
                await sup.start_child()
            assert counts(sup) == (1, 0, 0, 1)

    run(scenario)


def test_C096_a_dynamic_child_is_stopped_in_its_retry_loop() -> None:
    async def scenario() -> None:
        log = Log()
        starter = Starter(None, ValueError(), None)
        async with trido.open_dynamic_supervisor(
            starter.run, backoff=trido.Backoff(min=10), observers=(log,)
        ) as sup:
            child = await sup.start_child()
            starter.player.end(OSError())
            await settle()
            assert child.state == "restarting"
            await sup.stop_child(child)
            assert child.state == "removed"
            await trio.sleep(100)
            assert starter.attempts == 2
            assert log.timed == [
                f"S {child.id} api @0",
                f"E {child.id} OSError @0",
                f"R child_terminated({child.id}, OSError) @0",
                f"R start_error({child.id}, ValueError) @0",
                f"RETRY {child.id} 2 10 @0",
            ]
            assert counts(sup) == (0, 0, 0, 0)

    run(scenario)


# Derived: the table of states and methods ---------------------------------------------------------


_TABLE: dict[str, dict[str, type[Exception] | str]] = {
    "running": {
        "start": trido.ChildAlreadyStarted,
        "restart": trido.ChildRunning,
        "delete": trido.ChildRunning,
        "stop": "stopped",
    },
    "restarting": {
        "start": trido.ChildAlreadyPresent,
        "restart": trido.ChildRestarting,
        "delete": trido.ChildRestarting,
        "stop": "stopped",
    },
    "stopped": {
        "start": trido.ChildAlreadyPresent,
        "restart": "running",
        "delete": "unknown",
        "stop": "stopped",
    },
    "parked": {
        "start": trido.ChildAlreadyPresent,
        "restart": "running",
        "delete": "unknown",
        "stop": "stopped",
    },
    "unknown": {
        "start": "running",
        "restart": trido.ChildNotFound,
        "delete": trido.ChildNotFound,
        "stop": trido.ChildNotFound,
    },
}


async def _call(sup: trido.Supervisor, method: str) -> None:
    match method:
        case "start":
            await sup.start_child(spec("x"))
        case "restart":
            assert await sup.restart_child("x") is sup["x"]
        case "delete":
            await sup.delete_child("x")
        case _:
            await sup.stop_child("x")


async def _bring_to(sup: trido.Supervisor, state: str, player: Player) -> None:
    if state in ("restarting", "parked"):
        player.end(ValueError())
        await settle()
    elif state == "stopped":
        await sup.stop_child("x")
    assert _state(sup) == state


def _state(sup: trido.Supervisor) -> str:
    return sup["x"].state if "x" in sup else "unknown"


@pytest.mark.parametrize("state", _TABLE)
@pytest.mark.parametrize("method", ["start", "restart", "delete", "stop"])
def test_state_and_method(state: str, method: str) -> None:
    result = _TABLE[state][method]

    async def scenario() -> None:
        plan = (None, ValueError(), None) if state == "restarting" else (None,)
        starter = Starter(*plan)
        backoff = trido.Backoff(min=30) if state == "restarting" else None
        x = spec("x", starter.run, backoff=backoff, on_limit="park")
        limit = 0 if state == "parked" else 3
        children = [] if state == "unknown" else [x]
        async with trido.open_supervisor(*children, max_restarts=limit) as sup:
            await _bring_to(sup, state, starter.player)
            if isinstance(result, str):
                await _call(sup, method)
                assert _state(sup) == result
            else:
                with pytest.raises(result):
                    await _call(sup, method)
                assert _state(sup) == state

    run(scenario)


def test_a_parked_child_that_is_restarted_begins_with_an_empty_window() -> None:
    async def scenario() -> None:
        log, p = Log(), Player()
        async with trido.open_supervisor(
            spec("p", p.run, on_limit="park"), max_restarts=1, observers=(log,)
        ) as sup:
            for _ in range(2):
                await settle()
                p.end(ValueError())
            await settle()
            assert sup["p"].state == "parked"
            await sup.restart_child("p")
            await settle()
            p.end(ValueError())
            await settle()
            assert sup["p"].state == "running"
            crash = ["E p ValueError", "R child_terminated(p, ValueError)"]
            assert log.lines == [
                *["S p", *crash, "S p restart", *crash, "PARKED p"],
                *["S p api", *crash, "S p restart"],
            ]

    run(scenario)
