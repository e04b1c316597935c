"""What can be read of a supervisor and of its children, to the letter."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import trido


async def work() -> None:
    await trio.sleep_forever()


async def crash_at_first(runs: list[int]) -> None:
    runs.append(1)
    await trio.sleep(1.0 if len(runs) < 3 else 10_000)
    raise ValueError("broken")


def child(id: str, **fields: Any) -> trido.ChildSpec[Any]:
    return trido.ChildSpec(work, id=id, **fields)


async def test_a_tree_shows_every_child_with_its_state_and_its_runs() -> None:
    async with trido.open_supervisor(
        child("a"),
        trido.SupervisorSpec(child("x"), id="inner", strategy="one_for_all"),
        trido.DynamicSupervisorSpec(work, id="crew"),
        trido.ChildSpec(crash_at_first, [], id="often"),
        trido.ChildSpec(crash_at_first, [1], id="once"),
        child("b"),
        max_restarts=10,
    ) as sup:
        await sup.stop_child("b")
        await trio.sleep(5)
        assert sup.tree().splitlines() == [
            "root [one_for_one]",
            "├── a running (run 1)",
            "├── inner [one_for_all] running (run 1)",
            "│   └── x running (run 1)",
            "├── crew [dynamic] running (run 1)",
            "├── often running (run 3, 2 restarts)",
            "├── once running (run 2, 1 restart)",
            "└── b stopped (run 1)",
        ]


async def test_counts_children_and_statistics_agree() -> None:
    async with trido.open_supervisor(
        child("a"),
        trido.SupervisorSpec(id="inner"),
        trido.ChildSpec(crash_at_first, [1], id="once"),
        child("b"),
        child("c"),
    ) as sup:
        await sup.stop_child("b")
        await sup.stop_child("c")
        await trio.sleep(5)
        assert sup.counts() == trido.Counts(specs=5, active=3, supervisors=1, workers=4)
        assert sup.children() == (
            trido.ChildInfo(id="a", state="running", incarnation=1, restarts=0, kind="worker"),
            trido.ChildInfo(
                id="inner", state="running", incarnation=1, restarts=0, kind="supervisor"
            ),
            trido.ChildInfo(id="once", state="running", incarnation=2, restarts=1, kind="worker"),
            trido.ChildInfo(id="b", state="stopped", incarnation=1, restarts=0, kind="worker"),
            trido.ChildInfo(id="c", state="stopped", incarnation=1, restarts=0, kind="worker"),
        )
        statistics = sup.statistics()
        assert statistics.states == {"running": 3, "stopped": 2}
        assert (statistics.restarts_in_window, statistics.queued, statistics.callers) == (1, 0, 0)


async def test_those_who_wait_for_an_answer_are_counted() -> None:
    async def slow() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup():
                await trio.sleep(1)

    async with (
        trido.open_supervisor(trido.ChildSpec(slow, id="a"), child("b")) as sup,
        trio.open_nursery() as nursery,
    ):
        for id in "ab":
            nursery.start_soon(sup.stop_child, id)
            await trio.sleep(0.25)
        statistics = sup.statistics()
        assert (statistics.queued, statistics.callers) == (1, 2)
        assert statistics.states == {"stopping": 1, "running": 1}


async def test_a_child_is_found_by_its_id_its_spec_and_itself() -> None:
    spec = child("a")
    async with trido.open_supervisor(spec, child("b")) as sup, trido.open_supervisor(spec) as other:
        one = sup["a"]
        assert one.id == "a"
        assert sup[spec] is one
        assert sup[one] is one
        assert "a" in sup
        assert spec in sup
        assert one in sup
        assert "x" not in sup
        assert child("x") not in sup
        assert other["a"] not in sup
        assert repr(one) == "<trido.Child 'a' running, run 1>"
        for key in ("x", child("x"), other["a"]):
            with pytest.raises(trido.ChildNotFound) as caught:
                sup[key]
            assert caught.value.id in {"x", "a"}
        with pytest.raises(TypeError) as wrong:
            sup[5]  # type: ignore[call-overload]  # wrong on purpose
        said = "a child is named by its id, its spec or its Child, not by 5"
        assert str(wrong.value) == said


async def test_a_child_that_is_gone_is_not_found_by_itself() -> None:
    async with trido.open_supervisor(child("a", restart="temporary")) as sup:
        gone = sup["a"]
        await sup.stop_child("a")
        await sup.start_child(child("a"))
        assert gone not in sup
        with pytest.raises(trido.ChildNotFound) as caught:
            sup[gone]
        assert caught.value.id == "a"


async def test_whoever_waits_for_a_child_to_run_hears_that_it_never_will() -> None:
    async with trido.open_supervisor(child("a", restart="temporary"), child("b")) as sup:
        gone, last = sup["a"], sup["b"]
        await gone.wait_running()
        await sup.stop_child("a")
        await gone.wait_ended()
        with pytest.raises(trido.ChildNotFound) as caught:
            await gone.wait_running()
        assert caught.value.id == "a"
    with pytest.raises(trido.SupervisorStopped) as stopped:
        await last.wait_running()
    assert stopped.value.id == "root"
    await last.wait_ended()


async def test_waiting_after_an_incarnation_waits_for_a_later_one() -> None:
    runs: list[int] = []
    async with trido.open_supervisor(trido.ChildSpec(crash_at_first, runs, id="a")) as sup:
        one = sup["a"]
        await one.wait_running()
        await one.wait_running(after=1)
        assert (one.incarnation, one.restarts) == (2, 1)
        await one.wait_ended()
        await one.wait_running(after=2)
        assert (one.incarnation, one.restarts) == (3, 2)
        assert isinstance(one.last_crash, ValueError)
        with trio.move_on_after(5) as scope:
            await one.wait_running(after=3)
        assert scope.cancelled_caught


async def test_what_an_observer_asks_for_waits_until_it_returns_and_is_counted() -> None:
    queued: list[int] = []
    sups: list[trido.Supervisor] = []

    def stops(event: trido.events.Event) -> None:
        if event.id == "n":
            sups[0].stop()
            queued.append(sups[0].statistics().queued)

    async with trido.open_supervisor(child("a"), observers=(stops,)) as sup:
        sups.append(sup)
        await sup.start_child(child("n"))
        await sup.wait()
    assert queued[0] == 1
