"""Section G of the cases: ending because significant children have."""

from __future__ import annotations

from typing import Literal

import pytest
import trio

import trido
from tests.conformance.kit import counts, run, settle, states
from tests.conformance.stage import Log, Player, forever, spec

Auto = Literal["never", "any_significant", "all_significant"]
Restart = Literal["permanent", "transient", "temporary"]
ENDS = [None, trido.Shutdown("x"), ValueError("x")]


def _ends_of_n(restart: Restart, how: Exception | str | None) -> list[str]:
    if isinstance(how, str):
        return ["K n"]
    crash = isinstance(how, ValueError)
    end = "ValueError" if crash else "normal" if how is None else "normal Shutdown"
    lines = [f"E n {end}"]
    if restart == "permanent" or crash:
        lines.append(f"R child_terminated(n, {end})")
    if restart == "permanent" or (restart == "transient" and crash):
        lines.append("S n restart")
    return lines


@pytest.mark.parametrize("auto", ["never", "any_significant", "all_significant"])
@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("how", [*ENDS, "stop_child"])
def test_C098_a_child_that_is_not_significant(
    auto: Auto, restart: Restart, how: Exception | str | None
) -> None:
    async def scenario() -> None:
        log, n = Log(), Player()
        async with trido.open_supervisor(
            spec("a"),
            spec("n", n.run, restart=restart),
            auto_shutdown=auto,
            observers=(log,),
        ) as sup:
            await settle()
            log.clear()
            if isinstance(how, str):
                await sup.stop_child("n")
            else:
                n.end(how)
            await trio.sleep(10)
            assert log.lines == _ends_of_n(restart, how)
            n_is = "running 2" if "S n restart" in log.lines else "stopped 1"
            left = "" if restart == "temporary" else f", n {n_is}"
            assert states(sup) == f"a running 1{left}"

    run(scenario)


@pytest.mark.parametrize(
    ("restart", "how"),
    [
        ("temporary", ValueError()),
        *((restart, how) for restart in ("temporary", "transient") for how in ENDS[:2]),
    ],
)
def test_C099_any_significant_ends_by_itself(restart: Restart, how: Exception | None) -> None:
    async def scenario() -> None:
        log, s = Log(), Player()
        async with trido.open_supervisor(
            spec("a"),
            spec("s", s.run, restart=restart, significant=True),
            spec("b"),
            auto_shutdown="any_significant",
            observers=(log,),
        ) as sup:
            await settle()
            log.clear()
            s.end(how)
            await sup.wait()
            crash = isinstance(how, ValueError)
            end = "ValueError" if crash else "normal" if how is None else "normal Shutdown"
            report = ["R child_terminated(s, ValueError)"] if crash else []
            assert log.lines == [f"E s {end}", *report, "K b", "K a", "SUP shutdown"]
            left = "a stopped 1, b stopped 1"
            if restart == "transient":
                left = "a stopped 1, s stopped 1, b stopped 1"
            assert states(sup) == left
            assert s.runs == 1

    run(scenario)


def test_C100_any_significant_crashes_and_is_restarted() -> None:
    async def scenario() -> None:
        log, s = Log(), Player()
        async with trido.open_supervisor(
            spec("a"),
            spec("s", s.run, restart="transient", significant=True),
            auto_shutdown="any_significant",
            observers=(log,),
        ) as sup:
            await settle()
            log.clear()
            s.end(ValueError())
            await trio.sleep(10)
            assert log.lines == [
                "E s ValueError",
                "R child_terminated(s, ValueError)",
                "S s restart",
            ]
            assert states(sup) == "a running 1, s running 2"
            assert counts(sup) == (2, 2, 0, 2)

    run(scenario)


def test_C101_all_significant_after_one_was_stopped_by_the_api() -> None:
    async def scenario() -> None:
        log, s2 = Log(), Player()
        async with trido.open_supervisor(
            spec("s1", restart="transient", significant=True),
            spec("s2", s2.run, restart="transient", significant=True),
            spec("n"),
            auto_shutdown="all_significant",
            observers=(log,),
        ) as sup:
            await sup.stop_child("s1")
            await trio.sleep(10)
            assert states(sup) == "s1 stopped 1, s2 running 1, n running 1"
            s2.end()
            await sup.wait()
            assert log.lines == [
                *["S s1", "S s2", "S n", "K s1", "E s2 normal", "K n", "SUP shutdown"],
            ]
            assert states(sup) == "s1 stopped 1, s2 stopped 1, n stopped 1"
            assert counts(sup) == (3, 0, 0, 3)

    run(scenario)


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
@pytest.mark.parametrize("auto", ["any_significant", "all_significant"])
def test_C103_a_group_restart_of_significant_siblings(
    strategy: Literal["one_for_all", "rest_for_one"], auto: Auto
) -> None:
    async def scenario() -> None:
        log, n = Log(), Player()
        async with trido.open_supervisor(
            spec("n", n.run),
            spec("s1", restart="transient", significant=True),
            spec("s2", restart="temporary", significant=True),
            strategy=strategy,
            auto_shutdown=auto,
            observers=(log,),
        ) as sup:
            await settle()
            log.clear()
            n.end(ValueError())
            await trio.sleep(10)
            assert log.lines == [
                *["E n ValueError", "R child_terminated(n, ValueError)"],
                *["K s2", "K s1", "S n restart", "S s1 restart"],
            ]
            assert states(sup) == "n running 2, s1 running 2"
            assert counts(sup) == (2, 2, 0, 2)

    run(scenario)


@pytest.mark.parametrize("significant", [True, False])
def test_C105_auto_shutdown_climbs_as_far_as_it_is_significant(*, significant: bool) -> None:
    async def scenario() -> None:
        log, c = Log(), Player()
        b = trido.SupervisorSpec(
            spec("c", c.run, restart="transient", significant=True),
            id="b",
            restart="transient",
            significant=significant,
            auto_shutdown="any_significant",
        )
        async with trido.open_supervisor(
            spec("x"), b, auto_shutdown="any_significant", id="a", observers=(log,)
        ) as sup:
            await settle()
            log.clear()
            c.end()
            await trio.sleep(10)
            ends = ["E c normal", "SUP b shutdown", "E b normal"]
            if significant:
                assert log.lines == [*ends, "K x", "SUP shutdown"]
                assert states(sup) == "x stopped 1, b stopped 1"
            else:
                assert log.lines == ends
                assert states(sup) == "x running 1, b stopped 1"

    run(scenario)


def test_C106_any_significant_gives_up_by_the_limit() -> None:
    async def scenario() -> None:
        log, s = Log(), Player()
        error = ValueError()
        with pytest.raises(trido.RestartLimitExceeded) as limit:
            async with trido.open_supervisor(
                spec("a"),
                spec("s", s.run, restart="transient", significant=True),
                spec("b"),
                max_restarts=0,
                auto_shutdown="any_significant",
                observers=(log,),
            ):
                await settle()
                s.end(error)
                await trio.sleep_forever()
        assert limit.value.__cause__ is error
        assert log.lines == [
            *["S a", "S s", "S b", "E s ValueError", "R child_terminated(s, ValueError)"],
            *["R shutdown(s, limit)", "K b", "K a", "SUP limit"],
        ]

    run(scenario)


# Derived ----------------------------------------------------------------------------------------


def test_all_significant_waits_for_a_restarting_one() -> None:
    """`restarting` counts as running; the check is made again when that one ends for good."""

    async def scenario() -> None:
        log, s1, s2 = Log(), Player(), Player()
        async with trido.open_supervisor(
            spec(
                "s1",
                s1.run,
                restart="transient",
                significant=True,
                backoff=trido.Backoff(min=10),
            ),
            spec("s2", s2.run, restart="transient", significant=True),
            auto_shutdown="all_significant",
            observers=(log,),
        ) as sup:
            await settle()
            s1.end(ValueError())
            await settle()
            s1.end(ValueError())
            await settle()
            assert states(sup) == "s1 restarting 2, s2 running 1"
            s2.end()
            await trio.sleep(5)
            assert states(sup) == "s1 restarting 2, s2 stopped 1"
            await trio.sleep(6)
            assert states(sup) == "s1 running 3, s2 stopped 1"
            s1.end()
            await sup.wait()
            assert log.lines[-2:] == ["E s1 normal", "SUP shutdown"]

    run(scenario)


def test_all_significant_does_not_count_ignored_and_parked_ones() -> None:
    async def ignores(*, task_status: trio.TaskStatus[None]) -> None:
        raise trido.Ignore

    async def scenario() -> None:
        log, p, s = Log(), Player(), Player()
        significant = {"restart": "transient", "significant": True}
        async with trido.open_supervisor(
            spec("i", ignores, **significant),
            spec("p", p.run, on_limit="park", **significant),
            spec("s", s.run, **significant),
            max_restarts=0,
            auto_shutdown="all_significant",
            observers=(log,),
        ) as sup:
            await settle()
            p.end(ValueError())
            await trio.sleep(1)
            assert states(sup) == "i stopped 1, p parked 1, s running 1"
            s.end()
            await sup.wait()
            assert log.lines[-2:] == ["E s normal", "SUP shutdown"]

    run(scenario)


def test_ignore_of_a_significant_child_triggers_nothing() -> None:
    async def ignores(*, task_status: trio.TaskStatus[None]) -> None:
        raise trido.Ignore

    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("i", ignores, restart="transient", significant=True),
            spec("a"),
            auto_shutdown="any_significant",
            observers=(log,),
        ) as sup:
            await trio.sleep(10)
            assert log.lines == ["E i ignored", "S a"]
            assert states(sup) == "i stopped 1, a running 1"

    run(scenario)


def test_two_significant_children_end_in_one_tick() -> None:
    async def scenario() -> None:
        log, s1, s2 = Log(), Player(), Player()
        async with trido.open_supervisor(
            spec("s1", s1.run, restart="transient", significant=True),
            spec("s2", s2.run, restart="transient", significant=True),
            auto_shutdown="all_significant",
            observers=(log,),
        ) as sup:
            await settle()
            log.clear()
            s1.end()
            s2.end()
            await sup.wait()
            assert sorted(log.lines[:2]) == ["E s1 normal", "E s2 normal"]
            assert log.lines[2:] == ["SUP shutdown"]
            assert states(sup) == "s1 stopped 1, s2 stopped 1"

    run(scenario)


def test_auto_shutdown_leaves_the_body_alone() -> None:
    async def scenario() -> None:
        s = Player()
        async with trido.open_supervisor(
            spec("s", s.run, restart="temporary", significant=True),
            auto_shutdown="any_significant",
        ) as sup:
            await settle()
            s.end(ValueError())
            await sup.wait()
            await trio.sleep(100)
            assert sup.children() == ()
            assert trio.current_time() == 100

    run(scenario)


def test_a_significant_child_is_refused_where_it_cannot_be() -> None:
    async def scenario() -> None:
        async with trido.open_supervisor(spec("a")) as sup:
            with pytest.raises(trido.SpecError) as never:
                await sup.start_child(spec("s", restart="transient", significant=True))
            assert never.value.field == "significant"
            with pytest.raises(trido.SpecError):
                await sup.start_child(forever, id="p", significant=True)
            assert states(sup) == "a running 1"

    run(scenario)
