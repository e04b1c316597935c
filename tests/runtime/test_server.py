from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
import trio

import trido
from tests.runtime.desk import Log, agent, boom, note, settle
from trido.runtime import dispatcher, turns


async def test_other_tasks_run_while_signals_keep_coming() -> None:
    """In virtual time, where no turn takes any time."""
    async with trido.open_supervisor(agent(mailbox=10_000).spec(id="a")) as sup:
        ref = sup["a"].value
        for _ in range(10 * dispatcher.TURNS):
            ref.cast_nowait(note("x"))
        served = []
        while ref.status().queued:
            before = len(ref.state().seen)
            await trio.lowlevel.checkpoint()
            served.append(len(ref.state().seen) - before)
        # Twice, if the agent goes last in one pass and first in the next.
        assert max(served) <= 2 * dispatcher.TURNS
        assert sum(served) == 10 * dispatcher.TURNS


@pytest.mark.real_time
async def test_slow_turns_make_a_slice_shorter() -> None:
    with patch.object(dispatcher, "SLICE", -1.0):
        async with trido.open_supervisor(agent().spec(id="a")) as sup:
            ref = sup["a"].value
            for _ in range(3):
                ref.cast_nowait(note("x"))
            await trio.lowlevel.checkpoint()
            assert len(ref.state().seen) <= 1


async def test_an_idle_agent_holds_no_task() -> None:
    async with trido.open_supervisor(*(agent().spec(id=str(n)) for n in range(100))) as sup:
        await sup["7"].value.call(note("1"))
        await settle()
        assert trio.lowlevel.current_statistics().tasks_living < 10


async def test_the_turn_tells_signal_time_and_id() -> None:
    made = trido.Agent("turn", state=Log)
    turns: list[trido.Turn] = []

    @made.on("look")
    def look(state: Log, data: None, turn: trido.Turn) -> Log:
        turns.append(turn)
        return state

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        signal = trido.Signal("look", id="1")
        await sup["a"].value.call(signal)
        await trio.sleep(3600)
        await sup["a"].value.call(signal)
    assert turns[0].signal is signal
    assert turns[0].agent_id == "a"
    assert turns[0].now.tzinfo is UTC
    assert abs(turns[0].now - datetime.now(UTC)) < timedelta(minutes=1)
    assert turns[1].now - turns[0].now == timedelta(hours=1)


async def test_handlers_run_in_the_context_of_their_agent() -> None:
    made = trido.Agent("context", state=Log)

    @made.on("who")
    def who(state: Log, data: None) -> trido.Decision[Log]:
        return state, [trido.Reply(trido.current_child().id)]

    answers: list[str] = []

    async def ask(ref: trido.AgentRef[Log]) -> None:
        answers.append(await ref.call(trido.Signal("who")))

    spec = made.spec(id="a")
    async with trido.open_supervisor(spec) as sup:
        await sup.start_child(ask, sup[spec].value, restart="temporary")
        await settle()
        assert answers == ["a"]


async def test_a_mistake_in_the_loop_is_a_crash_of_the_agent() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        with patch.object(turns, "serve", side_effect=AssertionError):
            await ref.cast(note("1"))
            await sup["a"].wait_running(after=1)
        assert isinstance(sup["a"].last_crash, AssertionError)
        assert await ref.call(note("2")) == Log(("2",))


async def test_a_mistake_on_the_spot_is_a_crash_of_the_agent() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        ref = sup["a"].value
        with patch.object(turns, "serve", side_effect=AssertionError), trio.move_on_after(1):
            await ref.call(note("1"))
        assert isinstance(sup["a"].last_crash, AssertionError)
        assert await ref.call(note("2")) == Log(("2",))


async def test_the_port_of_a_run_without_a_task() -> None:
    async with trido.open_supervisor(agent().spec(id="a")) as sup:
        run = sup["a"].run
        assert run is not None
        sup["a"].beat()
        assert run.stack() == ""


async def test_a_crash_leaves_state_as_it_was() -> None:
    async with trido.open_supervisor(agent(recover="committed").spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(note("1"))
        with pytest.raises(trido.AgentCrashed):
            await ref.call(boom())
        assert ref.state() == Log(("1",))


async def test_dead_letters_are_bounded() -> None:
    async with trido.open_supervisor(agent(mailbox=1200).spec(id="a")) as sup:
        ref = sup["a"].value
        for n in range(1500):
            await ref.cast(trido.Signal("unknown", n))
        await settle()
        assert (len(ref.dead_letters), ref.dead_letters.total) == (1200, 1500)
        assert [letter.signal.data for letter in ref.dead_letters] == list(range(300, 1500))
        assert repr(ref.dead_letters) == "<trido.DeadLetters: 1200 kept of 1500>"
        assert ref.status().dead_letters == 1500
