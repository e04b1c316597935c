"""Section B: what an end does, by restart type and by how it ended."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio

import trido
from tests.conformance.kit import (
    Log,
    Worker,
    counts,
    giving_up,
    opened,
    played,
    settle,
    states,
    story,
)
from trido import events


def end(worker: Worker, how: BaseException | None) -> None:
    """Have it raise ``how``, or return."""
    if how is None:
        worker.finish()
    else:
        worker.crash(how)


# The cases --------------------------------------------------------------------------------------


@played
async def test_C022_a_permanent_child_returns() -> None:
    a = Worker("a")
    async with giving_up(a.spec(), max_restarts=1) as (sup, log):
        a.finish()
        await settle()
        assert states(sup) == "a running 2"
        assert counts(sup) == (1, 1, 0, 1)
        assert sup["a"].restarts == 1
        assert log.take() == story("""
            S a, E a normal, R child_terminated(a, normal), S a restart
        """)
        a.finish()  # the first one was counted: one too many
    assert log.take() == story("""
        E a normal, R child_terminated(a, normal), R shutdown(a, limit), SUP limit
    """)
    assert states(sup) == "a stopped 2"


@played
async def test_C023_a_permanent_child_ends_by_shutdown() -> None:
    a = Worker("a")
    async with opened(a.spec()) as (sup, log):
        reason = trido.Shutdown("x")
        a.crash(reason)
        await settle()
        assert states(sup) == "a running 2"
        assert log.only("E a normal Shutdown").reason is reason
        assert log.take() == story("""
            S a
            E a normal Shutdown, R child_terminated(a, normal Shutdown), S a restart
        """)


@pytest.mark.parametrize("how", [None, trido.Shutdown("x"), ExceptionGroup("", [trido.Shutdown()])])
@played
async def test_C024_a_transient_child_ends_normally(how: BaseException | None) -> None:
    a, b = Worker("a"), Worker("b")
    async with opened(a.spec(restart="transient"), b.spec(), max_restarts=0) as (sup, log):
        end(a, how)
        await settle()
        assert states(sup) == "a stopped 1, b running 1"
        assert counts(sup) == (2, 1, 0, 2)
        child = await sup.restart_child("a")
        assert child is sup["a"]
        assert states(sup) == "a running 2, b running 1"
        reason = "normal" if how is None else "normal Shutdown"
        assert log.take() == story(f"S a, S b, E a {reason}, S a api")


@played
async def test_C025_a_transient_child_raises() -> None:
    a, b = Worker("a"), Worker("b")
    async with giving_up(a.spec(restart="transient"), b.spec(), max_restarts=1) as (sup, log):
        a.crash()
        await settle()
        assert states(sup) == "a running 2, b running 1"
        assert log.take() == story("""
            S a, S b, E a ValueError, R child_terminated(a, ValueError), S a restart
        """)
        a.crash()
    assert log.take() == story("""
        E a ValueError, R child_terminated(a, ValueError), R shutdown(a, limit), K b, SUP limit
    """)


@pytest.mark.parametrize("how", [None, trido.Shutdown(), ValueError()])
@played
async def test_C026_a_temporary_child_ends(how: BaseException | None) -> None:
    a, b = Worker("a"), Worker("b")
    async with opened(a.spec(restart="temporary"), b.spec(), max_restarts=0) as (sup, log):
        child = sup["a"]
        end(a, how)
        await settle()
        assert child.state == "removed"
        assert states(sup) == "b running 1"
        assert counts(sup) == (1, 1, 0, 1)
        again = await sup.start_child(a.spec(restart="temporary"))
        assert again is not child
        assert states(sup) == "b running 1, a running 1"
    if isinstance(how, ValueError):
        told = "E a ValueError, R child_terminated(a, ValueError)"
    else:
        told = "E a normal" if how is None else "E a normal Shutdown"
    assert log.take() == story(f"S a, S b, {told}, S a api, K a, K b, SUP shutdown")


@played
async def test_C028_a_transient_child_that_returns_leaves_its_group_alone() -> None:
    a, b = Worker("a"), Worker("b")
    async with opened(
        a.spec(), b.spec(restart="transient"), strategy="one_for_all", max_restarts=0
    ) as (sup, log):
        b.finish()
        await settle()
        assert states(sup) == "a running 1, b stopped 1"
        assert counts(sup) == (2, 1, 0, 2)
        assert log.take() == story("S a, S b, E b normal")


# What a run may raise ---------------------------------------------------------------------------


@played
async def test_a_crash_is_the_single_leaf_or_the_whole_group() -> None:
    a = Worker("a")
    leaf, group = ValueError(), ExceptionGroup("", [ValueError(), trido.Shutdown()])
    async with opened(a.spec()) as (sup, log):
        a.crash(ExceptionGroup("", [leaf]))
        await settle()
        assert sup["a"].last_crash is leaf
        assert log.only("E a ValueError").reason is leaf
        a.crash(group)
        await settle()
        assert sup["a"].last_crash is group
        assert log.only("E a ExceptionGroup").reason is group
        assert sup["a"].restarts == 2


@played
async def test_ignore_once_ready_is_a_crash() -> None:
    a = Worker("a")
    async with opened(a.spec(restart="transient")) as (sup, log):
        a.crash(trido.Ignore())
        await settle()
        assert states(sup) == "a running 2"
        assert log.take() == story("""
            S a, E a Ignore, R child_terminated(a, Ignore), S a restart
        """)


@pytest.mark.parametrize("restart", ["permanent", "transient"])
@played
async def test_ignore_on_a_restart_is_neither_a_run_nor_a_retry(restart: Any) -> None:
    a, b = Worker("a", starts=[None, trido.Ignore()]), Worker("b")
    async with opened(a.spec(restart=restart), b.spec()) as (sup, log):
        a.crash()
        await settle()
        assert a.attempts == 2
        assert states(sup) == "a stopped 2, b running 1"
        assert sup["a"].restarts == 0
        assert log.take() == story("""
            S a, S b, E a ValueError, R child_terminated(a, ValueError), E a ignored
        """)
    assert log.take() == story("K b, SUP shutdown")


# restart_on and escalate_on ---------------------------------------------------------------------


@pytest.mark.parametrize("restart", ["permanent", "transient"])
@played
async def test_a_crash_outside_restart_on_is_not_restarted(restart: Any) -> None:
    a, b = Worker("a"), Worker("b")
    spec = a.spec(restart=restart, restart_on=(OSError, LookupError))
    async with opened(spec, b.spec(), strategy="one_for_all", max_restarts=0) as (sup, log):
        a.crash(ValueError())
        await settle()
        assert states(sup) == "a stopped 1, b running 1"
        assert counts(sup) == (2, 1, 0, 2)
        assert log.take() == story("""
            S a, S b, E a ValueError, R child_terminated(a, ValueError)
        """)
        await sup.restart_child("a")
        assert states(sup) == "a running 2, b running 1"


@pytest.mark.parametrize("error", [KeyError(), ExceptionGroup("", [KeyError(), IndexError()])])
@played
async def test_a_crash_within_restart_on_is_restarted(error: Exception) -> None:
    a = Worker("a")
    async with opened(a.spec(restart_on=LookupError)) as (sup, _):
        a.crash(error)
        await settle()
        assert states(sup) == "a running 2"


@played
async def test_restart_on_may_name_groups() -> None:
    a = Worker("a")
    async with opened(a.spec(restart_on=ExceptionGroup)) as (sup, _):
        a.crash(ExceptionGroup("", [KeyError(), OSError()]))
        await settle()
        assert states(sup) == "a running 2"
        a.crash(KeyError())
        await settle()
        assert states(sup) == "a stopped 2"


@played
async def test_restart_on_is_about_crashes_only() -> None:
    a = Worker("a")
    async with opened(a.spec(restart_on=())) as (sup, _):
        a.finish()
        await settle()
        assert states(sup) == "a running 2"


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize(
    "error", [trido.Escalate("x"), ExceptionGroup("", [ValueError(), trido.Escalate()])]
)
@played
async def test_escalate_gives_up_as_the_limit_does(restart: Any, error: Exception) -> None:
    a, b, c = Worker("a"), Worker("b"), Worker("c")
    async with giving_up(a.spec(), b.spec(restart=restart), c.spec(), max_restarts=math.inf) as (
        sup,
        log,
    ):
        b.crash(error)
    name = type(error).__name__
    assert log.only("SUP limit").reason.__cause__ is error
    assert log.take() == story(f"""
        S a, S b, S c
        E b {name}, R child_terminated(b, {name}), R shutdown(b, limit)
        K c, K a, SUP limit
    """)
    assert b.attempts == 1
    left = "ac" if restart == "temporary" else "abc"
    assert states(sup) == ", ".join(f"{id} stopped 1" for id in left)


@played
async def test_escalate_does_not_wait_for_the_job_in_hand() -> None:
    a, b, n = Worker("a"), Worker("b"), Worker("n", ready_after=1)

    async def ask(sup: trido.Supervisor) -> None:
        with pytest.raises(trido.SupervisorStopped):
            await sup.start_child(n.spec())

    async with trio.open_nursery() as nursery, giving_up(a.spec(), b.spec()) as (sup, log):
        nursery.start_soon(ask, sup)
        await trio.sleep(0.5)
        a.crash(trido.Escalate())
    assert log.take(timed=True) == story("""
        S a @0, S b @0
        E a Escalate @0.5, R child_terminated(a, Escalate) @0.5, R shutdown(a, limit) @0.5
        K b @0.5, SUP limit @0.5
    """)


@pytest.mark.parametrize("error", [KeyError(), ExceptionGroup("", [ValueError(), KeyError()])])
@played
async def test_escalate_on(error: Exception) -> None:
    a = Worker("a")
    async with giving_up(a.spec(escalate_on=LookupError)) as (sup, log):
        a.crash(ValueError())
        await settle()
        assert states(sup) == "a running 2"
        a.crash(error)
    assert log.only("SUP limit").reason.__cause__ is error
    assert a.attempts == 2


@played
async def test_escalate_in_an_inner_supervisor_is_a_shutdown_for_the_outer() -> None:
    x, w = Worker("x"), Worker("w")
    inner = trido.SupervisorSpec(w.spec(), id="inner")
    async with opened(x.spec(), inner) as (sup, log):
        w.crash(trido.Escalate())
        await settle()
        assert states(sup) == "x running 1, inner running 2"
        assert log.take() == story("""
            S x, S w, S inner
            E w Escalate, R child_terminated(w, Escalate), R shutdown(w, limit), SUP inner limit
            E inner normal RestartLimitExceeded
            R child_terminated(inner, normal RestartLimitExceeded)
            S w, S inner restart
        """)


# A child that opens a supervisor of its own ----------------------------------------------------


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@played
async def test_code_nests_as_data_does(restart: Any) -> None:
    w = Worker("w")

    async def inner(*, task_status: trio.TaskStatus[None]) -> None:
        async with trido.open_supervisor(w.spec(), id="nested", max_restarts=0):
            task_status.started()
            await trio.sleep_forever()

    async with opened(trido.ChildSpec(inner, restart=restart)) as (sup, log):
        w.crash()
        await settle()
        told = [line for line in log.take() if "inner" in line]
        ended = "E inner normal RestartLimitExceeded"
        if restart == "permanent":
            assert states(sup) == "inner running 2"
            report = "R child_terminated(inner, normal RestartLimitExceeded)"
            assert told == story(f"S inner, {ended}, {report}, S inner restart")
        else:
            assert states(sup) == ("inner stopped 1" if restart == "transient" else "")
            assert told == story(f"S inner, {ended}")


@played
async def test_the_limit_of_a_supervisor_it_did_not_open_is_a_crash() -> None:
    a, w = Worker("a"), Worker("w")
    with pytest.raises(trido.RestartLimitExceeded) as foreign:
        async with trido.open_supervisor(w.spec(), max_restarts=0):
            w.crash()
            await trio.sleep_forever()
    async with opened(a.spec(restart="transient")) as (sup, log):
        a.crash(foreign.value)
        await settle()
        assert states(sup) == "a running 2"
        assert log.take() == story("""
            S a
            E a RestartLimitExceeded, R child_terminated(a, RestartLimitExceeded), S a restart
        """)


@pytest.mark.parametrize("restart", ["permanent", "transient"])
@played
async def test_a_supervisor_child_that_gives_up_ends_as_a_shutdown(restart: Any) -> None:
    x, w = Worker("x"), Worker("w")
    inner = trido.SupervisorSpec(w.spec(), id="inner", restart=restart, max_restarts=0)
    async with opened(x.spec(), inner) as (sup, log):
        first = sup["inner"].value
        w.crash()
        await settle()
        again = story("""
            R child_terminated(inner, normal RestartLimitExceeded), S w, S inner restart
        """)
        assert log.take() == story("""
            S x, S w, S inner
            E w ValueError, R child_terminated(w, ValueError), R shutdown(w, limit)
            SUP inner limit
            E inner normal RestartLimitExceeded
        """) + (again if restart == "permanent" else [])
        if restart == "permanent":
            assert states(sup) == "x running 1, inner running 2"
            assert sup["inner"].value is not first
        else:
            assert states(sup) == "x running 1, inner stopped 1"
        assert counts(sup) == (2, 2 if restart == "permanent" else 1, 1, 1)
        with pytest.raises(trido.SupervisorStopped):
            await first.start_child(Worker("n").spec())
        assert states(first) == "w stopped 1"


# on_limit="park" --------------------------------------------------------------------------------


@played
async def test_parking() -> None:
    a, b = Worker("a"), Worker("b")
    error = ValueError()
    async with opened(a.spec(on_limit="park"), b.spec(), max_restarts=1) as (sup, log):
        a.crash()
        await settle()
        assert states(sup) == "a running 2, b running 1"
        a.crash(error)
        await settle()
        assert states(sup) == "a parked 2, b running 1"
        assert counts(sup) == (2, 1, 0, 2)
        assert log.only("PARKED a").reason is error
        assert log.take() == story("""
            S a, S b
            E a ValueError, R child_terminated(a, ValueError), S a restart
            E a ValueError, R child_terminated(a, ValueError), PARKED a
        """)
        # None of that was counted by the supervisor, and the window is the child's own.
        b.crash()
        await settle()
        assert states(sup) == "a parked 2, b running 2"
    assert log.take()[-2:] == story("K b, SUP shutdown")


@played
async def test_a_parked_child_is_restarted_with_an_empty_window() -> None:
    a = Worker("a")
    async with opened(a.spec(on_limit="park"), max_restarts=1) as (sup, log):
        for expected in ("running 2", "parked 2"):
            a.crash()
            await settle()
            assert states(sup) == f"a {expected}"
        with pytest.raises(trido.ChildAlreadyPresent):
            await sup.start_child(a.spec())
        log.take()
        await sup.restart_child("a")
        for expected in ("running 4", "parked 4"):
            a.crash()
            await settle()
            assert states(sup) == f"a {expected}"
        assert log.take() == story("""
            S a api
            E a ValueError, R child_terminated(a, ValueError), S a restart
            E a ValueError, R child_terminated(a, ValueError), PARKED a
        """)
        await sup.stop_child("a")
        assert states(sup) == "a stopped 4"
        await sup.delete_child("a")
        assert states(sup) == ""


@played
async def test_a_parked_child_may_be_deleted() -> None:
    a = Worker("a")
    async with opened(a.spec(on_limit="park"), max_restarts=0) as (sup, _):
        a.crash()
        await settle()
        assert states(sup) == "a parked 1"
        await sup.delete_child("a")
        assert states(sup) == ""


@played
async def test_two_parking_children_have_a_window_each() -> None:
    a, b = Worker("a"), Worker("b")
    async with opened(a.spec(on_limit="park"), b.spec(on_limit="park"), max_restarts=1) as (sup, _):
        a.crash()
        b.crash()
        await settle()
        assert states(sup) == "a running 2, b running 2"
        await trio.sleep(5.5)
        a.crash()
        await settle()
        b.crash()
        await settle()
        a.crash()
        await settle()
        assert states(sup) == "a parked 3, b running 3"


@played
async def test_failed_restarts_park_too() -> None:
    a = Worker("a", starts=[None, OSError()])
    async with opened(a.spec(on_limit="park"), max_restarts=2) as (sup, log):
        a.crash()
        await settle()
        assert states(sup) == "a parked 3"
        assert log.take() == story("""
            S a, E a ValueError, R child_terminated(a, ValueError)
            R start_error(a, OSError), R start_error(a, OSError), PARKED a
        """)


@played
async def test_parking_in_a_dynamic_supervisor() -> None:
    crash = trio.Event()

    async def child() -> None:
        await crash.wait()
        raise ValueError

    log = Log()
    async with trido.open_dynamic_supervisor(
        child, on_limit="park", max_restarts=0, observers=[log]
    ) as sup:
        await sup.start_child(id="a")
        crash.set()
        await settle()
        assert states(sup) == "a parked 1"
        await sup.stop_child("a")
        assert states(sup) == ""
    assert log.take() == story("""
        S a api, E a ValueError, R child_terminated(a, ValueError), PARKED a, SUP shutdown
    """)


# Dynamic supervisors ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("restart", "error", "told"),
    [
        ("transient", None, "E a normal"),
        ("transient", trido.Shutdown(), "E a normal Shutdown"),
        ("temporary", None, "E a normal"),
        ("temporary", ValueError(), "E a ValueError, R child_terminated(a, ValueError)"),
    ],
)
@played
async def test_a_dynamic_child_that_ends_leaves(
    restart: Any, error: Exception | None, told: str
) -> None:
    a, b = Worker("a"), Worker("b")

    async def child(worker: Worker) -> None:
        await worker.run_plain()

    log = Log()
    async with trido.open_dynamic_supervisor(
        child, restart=restart, max_restarts=0, observers=[log]
    ) as sup:
        for worker in (a, b):
            await sup.start_child(worker, id=worker.id)
        await settle()
        end(a, error)
        await settle()
        assert states(sup) == "b running 1"
        assert counts(sup) == (1, 1, 0, 1)
        assert log.take() == story(f"S a api, S b api, {told}")


@played
async def test_a_dynamic_child_that_is_ignored_on_a_restart_leaves() -> None:
    a = Worker("a", starts=[None, trido.Ignore()])

    async def child(*, task_status: trio.TaskStatus[object]) -> None:
        await a.run(task_status=task_status)

    log = Log()
    async with trido.open_dynamic_supervisor(child, observers=[log]) as sup:
        await sup.start_child(id="a")
        a.crash()
        await settle()
        assert states(sup) == ""
        assert log.take() == story("""
            S a api, E a ValueError, R child_terminated(a, ValueError), E a ignored
        """)


# What events and children carry -----------------------------------------------------------------


@played
async def test_the_fields_of_events() -> None:
    w, error = Worker("w"), ValueError()
    inner = trido.SupervisorSpec(w.spec(), id="inner")
    async with opened(inner) as (_, log):
        await trio.sleep(1)
        w.crash(error)
        await settle()
        path = ("root", "inner")
        assert log.told == [
            events.ChildStarted(path=path, id="w", incarnation=1, time=0, cause="start"),
            events.ChildStarted(path=("root",), id="inner", incarnation=1, time=0, cause="start"),
            events.ChildEnded(
                path=path, id="w", incarnation=1, time=1, outcome="crashed", reason=error
            ),
            events.SupervisorReport(
                path=path,
                id="w",
                incarnation=1,
                time=1,
                context="child_terminated",
                outcome="crashed",
                reason=error,
            ),
            events.ChildStarted(path=path, id="w", incarnation=2, time=1, cause="restart"),
        ]
        log.take()
    ended = log.only("SUP inner shutdown")
    assert (ended.path, ended.id) == (("root", "inner"), "inner")
    assert log.only("SUP shutdown").path == ("root",)


@played
async def test_a_child_is_one_object_for_all_its_runs() -> None:
    a, error = Worker("a", value=7), ValueError()
    async with opened(a.spec()) as (sup, _):
        child = sup["a"]
        assert (child.id, child.state, child.incarnation) == ("a", "running", 1)
        assert (child.value, child.restarts, child.last_crash) == (7, 0, None)
        assert child.supervisor is sup
        a.crash(error)
        await child.wait_running(after=1)
        assert sup["a"] is child
        assert (child.state, child.incarnation, child.restarts) == ("running", 2, 1)
        assert child.last_crash is error
        assert sup.children() == (
            trido.ChildInfo(id="a", state="running", incarnation=2, restarts=1, kind="worker"),
        )
