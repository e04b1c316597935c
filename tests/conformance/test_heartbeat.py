"""Heartbeats: silence is a crash."""

from __future__ import annotations

import trio

import trido
from tests.conformance.kit import run, states
from tests.conformance.stage import Log, forever, spec


async def beating(period: float, times: float) -> None:
    while times > 0:
        await trio.sleep(period)
        trido.current_child().beat()
        times -= 1
    await trio.sleep_forever()


def test_silence_is_a_crash() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("a", forever, heartbeat=2.0), max_restarts=1, observers=(log,)
        ) as sup:
            await trio.sleep(3)
            assert log.timed == [
                *["S a @0", "E a Unresponsive @2", "R child_terminated(a, Unresponsive) @2"],
                "S a restart @2",
            ]
            assert isinstance(sup["a"].last_crash, trido.Unresponsive)
            assert states(sup) == "a running 2"

    run(scenario)


def test_beats_keep_it_alive_until_they_stop() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("a", beating, 1.5, 4, heartbeat=2.0, restart="temporary"), observers=(log,)
        ):
            await trio.sleep(20)
            assert log.timed == [
                *["S a @0", "E a Unresponsive @8", "R child_terminated(a, Unresponsive) @8"],
            ]

    run(scenario)


def test_it_counts_from_ready() -> None:
    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(10)
        task_status.started()
        await trio.sleep_forever()

    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("a", slow, heartbeat=2.0, restart="temporary"), observers=(log,)
        ):
            await trio.sleep(5)
        assert log.timed[:2] == ["S a @10", "E a Unresponsive @12"]

    run(scenario)


def test_a_silent_child_has_its_grace_to_clean_up() -> None:
    async def tidy() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup():
                await trio.sleep(1)

    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("a", tidy, heartbeat=2.0, restart="temporary"), observers=(log,)
        ):
            await trio.sleep(10)
        assert log.timed[:2] == ["S a @0", "E a Unresponsive @3"]

    run(scenario)


def test_a_tasks_beat_is_the_child_s_and_no_heartbeat_asks_for_none() -> None:
    async def child() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(beating, 1.0, float("inf"))

    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("a", child, heartbeat=2.0), spec("b", beating, 1.0, 2), observers=(log,)
        ) as sup:
            await trio.sleep(20)
            assert log.lines == ["S a", "S b"]
            assert states(sup) == "a running 1, b running 1"

    run(scenario)


def test_a_child_that_returns_ends_though_it_was_watched() -> None:
    async def scenario() -> None:
        log = Log()
        async with trido.open_supervisor(
            spec("a", trio.sleep, 1.0, heartbeat=2.0, restart="transient"), observers=(log,)
        ) as sup:
            await trio.sleep(20)
            assert log.timed == ["S a @0", "E a normal @1"]
            assert states(sup) == "a stopped 1"

    run(scenario)
