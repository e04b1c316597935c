"""`AgentRef.wait_for`, and reading the state without queueing."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import assert_checkpoints

import trido
from tests.conformance.kit import at, played
from tests.runtime import desk, slow
from tests.runtime.desk import Boom, Log, boom, note, settle
from tests.runtime.slow import sleep


def has(text: str) -> Any:
    return lambda state: text in state.seen


@played
async def test_the_state_there_is_will_do() -> None:
    async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        with assert_checkpoints():
            assert await ref.wait_for(lambda state: state == Log()) == Log()


@played
async def test_every_committed_state_is_tested_in_order_and_none_is_missed() -> None:
    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        tested: list[int] = []

        def third(state: Log) -> bool:
            tested.append(len(state.seen))
            return len(state.seen) == 3

        async with trio.open_nursery() as nursery:
            for signal in (note("1"), sleep(1), note("3"), note("4")):
                nursery.start_soon(ref.cast, signal)
                await trio.lowlevel.checkpoint()
            found = await ref.wait_for(third)
        assert len(found.seen) == 3
        assert tested[-1] == 3
        assert tested == list(range(tested[0], 4))


@played
async def test_the_state_it_returns_is_the_one_that_was_tested() -> None:
    """Though the agent has gone on by then."""
    async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_casts, ref, 5)
            assert await ref.wait_for(has("2")) == Log(("1", "2"))
        await settle()
        assert len(ref.state().seen) == 5


async def _casts(ref: trido.AgentRef[Log], number: int) -> None:
    await trio.sleep(1)
    for n in range(number):
        ref.cast_nowait(note(str(n + 1)))


@played
async def test_each_waits_for_what_it_wants() -> None:
    async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        found: dict[str, Log] = {}

        async def wait(text: str) -> None:
            found[text] = await ref.wait_for(has(text))

        async with trio.open_nursery() as nursery:
            for text in "321":
                nursery.start_soon(wait, text)
            nursery.start_soon(_casts, ref, 3)
        assert found == {"1": Log(("1",)), "2": Log(("1", "2")), "3": Log(("1", "2", "3"))}


@pytest.mark.parametrize("error", [Boom(), trido.Reject("no")])
@played
async def test_an_error_in_the_predicate_goes_to_the_waiter(error: Exception) -> None:
    async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
        ref = sup["a"].value

        def fails(state: Log) -> bool:
            if state.seen:
                raise error
            return False

        async with trio.open_nursery() as nursery:
            nursery.start_soon(_casts, ref, 2)
            with pytest.raises(type(error)) as caught:
                await ref.wait_for(fails)
        assert caught.value is error
        with pytest.raises(type(error)):
            await ref.wait_for(fails)
        assert await ref.call(note("alive")) == Log(("1", "2", "alive"))
        assert ref.incarnation == 1


async def test_a_fatal_error_in_the_predicate_goes_to_the_waiter_too() -> None:
    def fails(state: Log) -> bool:
        if state.seen:
            raise KeyboardInterrupt
        return False

    async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        with pytest.raises(KeyboardInterrupt):
            await _waiting(ref, fails)
        assert (ref.incarnation, ref.state()) == (1, Log(("x",)))


async def _waiting(ref: trido.AgentRef[Log], predicate: Any) -> None:
    """Without a nursery, which would wrap what it raises."""
    ref.cast_nowait(note("x"))
    await ref.wait_for(predicate)


@played
async def test_a_cancelled_wait_is_over() -> None:
    async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        tested: list[Log] = []
        with trio.move_on_after(1) as scope:
            await ref.wait_for(tested.append)
        assert scope.cancelled_caught
        await ref.call(note("x"))
        assert tested == [Log()]


@pytest.mark.parametrize("recover", ["fresh", "committed"])
@played
async def test_it_outlives_restarts(recover: Any) -> None:
    async with trido.open_supervisor(desk.agent(recover=recover).spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(note("before"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(at, 1, lambda: ref.cast_nowait(boom()))
            nursery.start_soon(at, 2, lambda: ref.cast_nowait(note("after")))
            state = await ref.wait_for(has("after"))
        assert (trio.current_time(), ref.incarnation) == (2, 2)
        assert state.seen == (("before", "after") if recover == "committed" else ("after",))


async def test_the_state_that_a_new_run_begins_with_is_tested_too() -> None:
    async with trido.open_supervisor(desk.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(note("x"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(at, 1, lambda: ref.cast_nowait(boom()))
            assert await ref.wait_for(lambda state: not state.seen) == Log()
        assert trio.current_time() == 1


async def test_what_on_start_commits_is_tested() -> None:
    made = desk.agent()

    @made.on_start
    def start(state: Log, turn: trido.Turn) -> Log:
        return Log((turn.why,))

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        ref = sup["a"].value
        async with trio.open_nursery() as nursery:
            nursery.start_soon(at, 1, lambda: ref.cast_nowait(boom()))
            assert await ref.wait_for(has("restart")) == Log(("restart",))


@pytest.mark.parametrize("ends", ["stop", "stop_all", "limit"])
@played
async def test_the_end_of_the_agent_ends_the_wait(ends: str) -> None:
    inner = trido.SupervisorSpec(
        desk.agent().spec(id="a"), id="inner", max_restarts=0, restart="transient"
    )
    async with trido.open_supervisor(inner) as sup:
        ref = sup["inner"].value["a"].value
        with pytest.RaisesGroup(trido.NoSuchAgent):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ref.wait_for, has("never"))
                await settle()
                if ends == "stop":
                    await ref.stop()
                elif ends == "limit":
                    ref.cast_nowait(boom())
                else:
                    sup.stop()
        with pytest.raises(trido.NoSuchAgent):
            await ref.wait_for(has("never"))


async def test_a_parked_agent_is_waited_for_until_it_is_revived() -> None:
    spec = desk.agent().spec(id="a", on_limit="park")
    async with trido.open_supervisor(spec, max_restarts=0) as sup:
        ref = sup[spec].value
        ref.cast_nowait(boom())
        await settle()
        assert (ref.status().state, ref.state()) == ("parked", Log())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.wait_for, has("x"))
            await trio.sleep(1)
            await ref.revive()
            await ref.call(note("x"))


async def test_state_and_status_are_of_the_last_commit_while_a_turn_is_open() -> None:
    async with trido.open_supervisor(slow.agent().spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(note("x"))
        await ref.cast(sleep(5))
        await trio.sleep(1)
        assert (ref.state(), ref.status().revision) == (Log(("x",)), 1)
        assert trio.current_time() == 1
