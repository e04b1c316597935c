"""The watchdog: code that holds up the event loop is told of, by agent, signal and place."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import trio

import trido
from tests.runtime import desk
from tests.runtime.desk import Boom, Log, note
from trido.runtime.watchdog import Watchdog

pytestmark = pytest.mark.real_time

LIMIT = 0.05
LONG = 0.4


def block() -> None:
    """Let nothing else run."""
    time.sleep(LONG)


def blocking() -> trido.Agent[Log]:
    """An agent that blocks, in turns of either kind and when it starts."""
    made = desk.agent("blocking")

    @made.on("plain")
    def plain(state: Log, data: None) -> Log:
        block()
        return state

    @made.on("async")
    async def effectful(state: Log, data: None) -> Log:
        await trio.lowlevel.checkpoint()
        block()
        return state

    return made


class Told:
    """What a watchdog has told of."""

    def __init__(self) -> None:
        self.of: list[trido.Blocked] = []
        self.threads: list[int] = []
        self.times: list[float] = []

    def __call__(self, blocked: trido.Blocked) -> None:
        if "in block\n" not in blocked.stack:
            return  # the machine is slow
        self.of.append(blocked)
        self.threads.append(threading.get_ident())
        self.times.append(time.perf_counter())

    def spec(self) -> trido.WatchdogSpec:
        return trido.WatchdogSpec(LIMIT, self)


@pytest.mark.parametrize("type", ["plain", "async"])
async def test_it_names_the_agent_the_signal_and_the_place(type: str) -> None:
    told = Told()
    async with trido.open_runtime(watchdog=told.spec()) as rt:
        ref = await rt.start_agent(blocking(), id="a")
        await trio.sleep(LIMIT)
        await ref.cast(trido.Signal(type))
        await ref.call(note("after"))
        ended = time.perf_counter()
        (blocked,) = told.of
    assert (blocked.agent, blocked.type) == ("a", type)
    assert LIMIT <= blocked.seconds < LONG
    # At once, and from outside: the loop may never run again.
    assert told.times[0] < ended - LONG / 4
    assert told.threads[0] != threading.get_ident()


async def test_a_turn_served_in_the_task_of_a_caller_is_still_the_agent_s() -> None:
    told = Told()
    async with trido.open_runtime(watchdog=told.spec()) as rt:
        ref = await rt.start_agent(blocking(), id="a")
        await trio.sleep(LIMIT)
        await ref.call(trido.Signal("plain"))
        block()
        await trio.lowlevel.checkpoint()
    first, second = told.of
    assert (first.agent, first.type) == ("a", "plain")
    assert (second.agent, second.type) == (None, None)
    assert "in test_a_turn_served_in_the_task_of_a_caller" in second.stack
    assert "test_a_turn_served_in_the_task_of_a_caller" in second.task


async def test_without_a_function_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with trido.open_runtime(watchdog=LIMIT) as rt:
        ref = await rt.start_agent(blocking(), id="a")
        await trio.sleep(LIMIT)
        await ref.call(trido.Signal("plain"))
        await trio.lowlevel.checkpoint()
        block()
        await trio.lowlevel.checkpoint()
    said = [record.getMessage() for record in caplog.records]
    first, second = (one for one in said if "in block\n" in one)
    assert first.startswith("agent 'a' serves 'plain': nothing else has run for 0.")
    assert second.startswith("task \"<test 'test_without_a_function_it_is_logged'>\": nothing")


async def test_what_ends_in_time_is_not_told_of() -> None:
    told = Told()
    spec = trido.WatchdogSpec(30.0, told)
    async with trido.open_runtime(watchdog=spec) as rt:
        ref = await rt.start_agent(blocking(), id="a")
        await ref.call(trido.Signal("plain"))
    assert told.of == []


async def test_a_turn_that_raises_is_over_for_the_watchdog_too() -> None:
    told = Told()
    made = blocking()

    @made.on("crash")
    def crash(state: Log, data: None) -> Log:
        raise Boom

    async with trido.open_runtime(watchdog=told.spec()) as rt:
        ref = await rt.start_agent(made, id="a")
        await trio.sleep(LIMIT)
        with pytest.raises(trido.AgentCrashed):
            await ref.call(trido.Signal("crash"))
        await trio.lowlevel.checkpoint()
        block()
        await trio.lowlevel.checkpoint()
    assert [blocked.agent for blocked in told.of] == [None]


async def test_a_function_that_fails_is_logged_and_it_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told()

    def tell(blocked: trido.Blocked) -> None:
        told(blocked)
        raise Boom

    async with trido.open_runtime(watchdog=trido.WatchdogSpec(LIMIT, tell)) as rt:
        ref = await rt.start_agent(blocking(), id="a")
        await trio.sleep(LIMIT)
        for _ in range(2):
            await ref.call(trido.Signal("plain"))
            await trio.lowlevel.checkpoint()
    assert len(told.of) == 2
    raised = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert raised[:2] == [Boom, Boom]


async def test_it_takes_no_thread_from_anybody_and_leaves_none_behind() -> None:
    limiter = trio.to_thread.current_default_thread_limiter()
    async with trido.open_runtime(watchdog=LIMIT):
        await trio.sleep(LIMIT)
        assert limiter.borrowed_tokens == 0
    before = time.perf_counter()
    async with trido.open_runtime(watchdog=60.0):
        await trio.lowlevel.checkpoint()
    assert time.perf_counter() - before < 5


@pytest.mark.parametrize("error", [Boom(), KeyboardInterrupt()])
async def test_it_ends_with_its_block_however_that_ends(error: BaseException) -> None:
    with pytest.raises(type(error)):
        async with trido.open_runtime(watchdog=60.0):
            raise error


async def test_it_ends_when_an_agent_ends_everything() -> None:
    with pytest.raises(KeyboardInterrupt):
        async with trido.open_runtime(watchdog=60.0) as rt:
            ref = await rt.start_agent(desk.agent(), id="a")
            await ref.cast(desk.boom(KeyboardInterrupt()))
            await trio.sleep_forever()


@pytest.mark.parametrize("given", [0, -1, float("inf"), "soon", True])
def test_a_limit_is_a_number_of_seconds(given: Any) -> None:
    with pytest.raises(trido.SpecError, match="limit"):
        trido.WatchdogSpec(given)


def test_whom_it_tells_is_a_function() -> None:
    with pytest.raises(trido.SpecError, match="tell"):
        trido.WatchdogSpec(1.0, "log")  # type: ignore[arg-type]


async def test_what_has_gone_on_while_it_looked_is_not_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watchdog = Watchdog(trido.WatchdogSpec(LIMIT))
    watchdog.before_task_step(trio.lowlevel.current_task())
    time.sleep(LIMIT)  # noqa: ASYNC251  # that is what it is about

    def look(frame: object) -> list[str]:
        watchdog.after_task_step(trio.lowlevel.current_task())
        return []

    monkeypatch.setattr("traceback.format_stack", look)
    assert watchdog._look(threading.get_ident()) is None


async def test_what_a_lifespan_holds_up_is_nobody_s_turn() -> None:
    told = Told()
    made = desk.agent("made")

    @made.lifespan
    async def life(ref: trido.AgentRef[Log]) -> AsyncGenerator[None]:
        await trio.sleep(LIMIT)
        block()
        yield

    async with trido.open_runtime(watchdog=told.spec()) as rt:
        await rt.start_agent(made, id="a")
    (blocked,) = told.of
    assert (blocked.agent, blocked.type) == (None, None)
    assert blocked.task == "runtime/a"
