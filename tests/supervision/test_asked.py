"""Those who ask a supervisor for a change: what becomes of it, and what they are told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

import trido
from tests.supervision.played import Board, Played
from trido.supervision.messages import End
from trido.supervision.spot import PIECES


async def work(*_: object) -> None:
    await trio.sleep_forever()


def child(id: str, **fields: Any) -> trido.ChildSpec[Any]:
    return trido.ChildSpec(work, id=id, **fields)


# What begins a run by itself ----------------------------------------------------------------------


class Dozing(Board):
    """A place that would begin a run by itself."""

    async def stop(self) -> None:
        self.said.append("begins none any more")


@pytest.mark.parametrize("named_by", ["its id", "itself", "its spec"])
async def test_what_has_no_run_begins_none_once_it_is_stopped(named_by: str) -> None:
    async with trido.open_supervisor(child("a", restart="temporary")) as sup:
        names: dict[str, Any] = {"its id": "a", "itself": sup["a"], "its spec": child("a")}
        await sup.stop_child("a")
        assert "a" not in sup
        sup.sleepers["a"] = dozing = Dozing()
        await sup.stop_child(names[named_by])
        assert dozing.said == ["begins none any more"]
        with pytest.raises(trido.ChildNotFound) as caught:
            await sup.stop_child("another")
        assert caught.value.id == "another"


async def test_a_child_that_began_by_itself_is_stopped_and_begins_no_more() -> None:
    dozing = Dozing()
    async with trido.open_supervisor(Played(dozing)) as sup:
        sup.sleepers["a"] = dozing
        dozing.take()
        await sup.stop_child("a")
        assert dozing.take()[-2:] == ["stopped", "begins none any more"]


async def test_a_child_that_took_the_id_of_one_that_begins_by_itself_is_stopped_alone() -> None:
    dozing = Dozing()
    async with trido.open_supervisor(child("a")) as sup:
        sup.sleepers["a"] = dozing
        await sup.stop_child("a")
        assert sup["a"].state == "stopped"
        assert dozing.said == []


# Who may not wait ---------------------------------------------------------------------------------


def refusal(doing: str, what: str, id: str = "a", of: str = "root") -> str:
    return (
        f"child {id!r} cannot {what}: supervisor {of!r} is {doing} it, and does nothing else before"
        " that is done"
    )


async def refusals_of(sup: trido.Supervisor) -> list[str]:
    said = []
    for call in (sup.wait, lambda: sup.stop_child("b"), sup["b"].wait_ended):
        with pytest.raises(trido.DeadlockError) as caught:
            await call()
        said.append(str(caught.value))
    return said


ASKED = ("wait for the end of its supervisor", "call stop_child()", "wait for a child")


async def test_whoever_is_being_started_or_stopped_is_told_why_it_must_not_wait() -> None:
    said: list[list[str]] = []

    async def asks(*, task_status: trio.TaskStatus[None]) -> None:
        said.append(await refusals_of(sup))
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup():
                said.append(await refusals_of(sup))

    async with trido.open_supervisor(child("b")) as sup:
        await sup.start_child(asks, id="a")
        await sup.stop_child("a")
    assert said == [[refusal(doing, one) for one in ASKED] for doing in ("starting", "stopping")]


async def test_whoever_is_deeper_down_is_told_which_of_those_above_it_is_meant() -> None:
    said: list[list[str]] = []

    async def asks() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup():
                said.append(await refusals_of(sup))

    async def opens() -> None:
        async with trido.open_supervisor(trido.ChildSpec(asks), id="opened"):
            await trio.sleep_forever()

    inner = trido.SupervisorSpec(trido.ChildSpec(asks), id="inner")
    async with trido.open_supervisor(
        child("b"), inner, trido.ChildSpec(opens, id="opens"), id="top"
    ) as sup:
        await trio.testing.wait_all_tasks_blocked()
        await sup.stop_child("inner")
        await sup.stop_child("opens")
    assert said == [
        [refusal("stopping", one, id, "top") for one in ASKED] for id in ("inner", "opens")
    ]


async def test_whoever_is_being_stopped_by_another_supervisor_may_wait() -> None:
    """Also in a supervisor that it opened elsewhere: that one does not end with it."""
    done: list[str] = []

    async def opens(nursery: trio.Nursery) -> None:
        sup = await nursery.start(held)
        try:
            await trio.sleep_forever()
        finally:
            with trido.cleanup():
                await sup.stop_child("b")
                done.append("of its own")
                await beside.stop_child("b")
                done.append("of another")

    async def held(*, task_status: trio.TaskStatus[trido.Supervisor]) -> None:
        async with trido.open_supervisor(child("b"), trido.ChildSpec(asks)) as sup:
            task_status.started(sup)
            await sup.wait()

    async def asks() -> None:
        await asked.wait()
        await top.stop_child("b")
        done.append("from elsewhere")
        await trio.sleep_forever()

    asked = trio.Event()
    async with (
        trio.open_nursery() as nursery,
        trido.open_supervisor(child("b")) as beside,
        trido.open_supervisor(child("b"), trido.ChildSpec(opens, nursery)) as top,
    ):
        await trio.testing.wait_all_tasks_blocked()
        await top.stop_child("opens")
        asked.set()
        await trio.testing.wait_all_tasks_blocked()
        assert done == ["of its own", "of another", "from elsewhere"]
        nursery.cancel_scope.cancel()


# Who gives up waiting -----------------------------------------------------------------------------


async def test_a_request_is_withdrawn_with_its_caller_before_and_while_it_waits() -> None:
    board = Board()
    board.obeys = False
    async with trido.open_supervisor(Played(board), child("b"), child("c")) as sup:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sup.stop_child, "a")
            await trio.testing.wait_all_tasks_blocked()
            for id in "bc":
                nursery.start_soon(sup.stop_child, id)
            await trio.testing.wait_all_tasks_blocked()
            assert sup.statistics().callers == 3
            nursery.cancel_scope.cancel()
        assert (sup.statistics().callers, sup["a"].state) == (0, "stopping")
        await trio.testing.wait_all_tasks_blocked()
        board.report.ended(End("stopped"))
        await trio.testing.wait_all_tasks_blocked()
        assert [one.state for one in sup.children()] == ["stopped", "running", "running"]
        assert sup.statistics().queued == 0


# What is started ----------------------------------------------------------------------------------


async def test_a_child_knows_its_supervisor_and_its_arguments() -> None:
    async with trido.open_supervisor() as sup:
        one = await sup.start_child(work, 5, "x", id="one")
        assert one.supervisor is sup
        assert one.in_transit is False


async def test_what_is_started_gets_what_it_was_given() -> None:
    got: list[object] = []

    async def takes(one: int, two: str = "none") -> None:
        got.append((one, two))

    async with trido.open_supervisor() as sup:
        await sup.start_child(takes, 5, "x", id="one", restart="temporary")
        await sup.start_child(takes, 6, id="two", restart="temporary")
        await trio.testing.wait_all_tasks_blocked()
    assert got == [(5, "x"), (6, "none")]


@pytest.mark.parametrize(("args", "options"), [((1,), {}), ((), {"restart": "temporary"})])
async def test_a_spec_is_started_as_it_is_and_takes_nothing_else(args: Any, options: Any) -> None:
    async with trido.open_supervisor() as sup:
        with pytest.raises(TypeError) as caught:
            await sup.start_child(child("a"), *args, **options)
        assert str(caught.value) == "start_child(spec) takes no other arguments"
        assert sup.children() == ()


async def test_generated_ids_count_from_one_and_leave_out_what_is_taken() -> None:
    async with trido.open_dynamic_supervisor(work, id="crew") as sup:
        ids = [(await sup.start_child(number)).id for number in range(2)]
        await sup.start_child(2, id="work-3")
        ids.append((await sup.start_child(3)).id)
        await sup.stop_child("work-1")
        ids.append((await sup.start_child(4)).id)
    assert ids == ["work-1", "work-2", "work-4", "work-5"]


# Who lets others run ------------------------------------------------------------------------------


async def lets_others_run(call: Callable[[], Awaitable[object]]) -> bool:
    """Whether it does: it is a cancellation point in any case."""
    try:
        with trio.testing.assert_checkpoints():
            await call()
    except AssertionError:
        return False
    return True


async def test_who_asks_lets_others_run_unless_told_not_to() -> None:
    async with trido.open_supervisor() as sup:
        await trio.testing.wait_all_tasks_blocked()
        sup.spot.others_ran(sup.now())
        calls: list[tuple[Callable[[], Awaitable[object]], bool]] = [
            (lambda: sup.start_place("a", Played(Board())), False),
            (lambda: sup.stop_place("a"), False),
            (lambda: sup.stop_place("a", yields=True), True),
            (lambda: sup.delete_child("a"), True),
            (lambda: sup.start_place("a", Played(Board()), yields=True), True),
            (lambda: sup.stop_child("a"), True),
            (lambda: sup.restart_child("a"), True),
            (lambda: sup.start_child(Played(Board(), "b")), True),
        ]
        assert [await lets_others_run(call) for call, _ in calls] == [let for _, let in calls]
    async with trido.open_dynamic_supervisor(work) as crew:
        assert await lets_others_run(crew.start_child)


async def test_who_asks_often_lets_others_run_now_and_then() -> None:
    async with trido.open_supervisor() as sup:
        await trio.testing.wait_all_tasks_blocked()
        sup.spot.others_ran(sup.now())
        ids = map(str, range(1, 2 * PIECES + 1))
        starts = {id: partial(sup.start_place, id, Played(Board(), id)) for id in ids}
        let = [id for id, start in starts.items() if await lets_others_run(start)]
        assert let == [str(PIECES), str(2 * PIECES)]
