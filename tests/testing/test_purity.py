"""Agents that do more than decide are found out, and told where."""

from __future__ import annotations

import os
import random
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import evolve, field, frozen, validators

import trido
from trido.testing import assert_pure, assert_replays
from trido.testing.purity_watch import look


@frozen
class Tally:
    total: int = 0
    at: float = 0.0


@frozen
class Add:
    by: int = field(default=1, validator=validators.ge(0))


def agent_of(handler: Callable[[Tally, int], Any]) -> trido.Agent[Tally]:
    agent = trido.Agent("tally", state=Tally)

    @agent.on("add")
    def add(state: Tally, data: int) -> Any:
        return handler(state, data)

    return agent


def pure(state: Tally, data: int) -> Any:
    if data == 13:
        raise trido.Reject("unlucky")
    return evolve(state, total=state.total + data), [trido.Emit(trido.Signal("added", data))]


def test_an_agent_that_only_decides_is_pure() -> None:
    agent = agent_of(pure)

    @agent.on("roll")
    def roll(state: Tally, data: Add, turn: trido.Turn) -> Tally:
        return evolve(state, total=turn.random.randint(1, 6), at=turn.now.timestamp())

    @agent.on("fetch")
    async def fetch(state: Tally, data: Add) -> Tally:
        await trio.sleep(1)
        return state

    @agent.on_start
    def begin(state: Tally, turn: trido.Turn) -> Tally:
        return evolve(state, total=turn.uuid().int)

    @agent.on_stop
    async def end(state: Tally) -> Tally:
        await trio.sleep(1)
        return state

    assert_pure(agent, examples=20)


def test_an_import_is_no_look_at_the_world() -> None:
    def imports(state: Tally, data: int) -> Tally:
        import this_is_not_there  # type: ignore[import-not-found]  # noqa: F401, PLC0415

        return state

    assert_pure(agent_of(imports), examples=5)


WORLD: dict[str, Callable[[], Any]] = {
    "time.time()": time.time,
    "type.now()": lambda: datetime.now(UTC),
    "Random.random()": random.random,
    "Random.getrandbits()": lambda: random.randint(1, 6),
    "posix.urandom()": uuid.uuid4,
    "builtins.print()": print,
    "open()": lambda: Path("/dev/null").read_text(encoding="utf-8"),
    "EncodedFile.write()": lambda: sys.stderr.write(""),
    "trio._core._generated_run.current_time()": trio.current_time,
}


WAYS_OUT = {
    "time.time()": "use turn.now",
    "type.now()": "use turn.now",
    "Random.random()": "use turn.random or turn.uuid",
    "Random.getrandbits()": "use turn.random or turn.uuid",
    "posix.urandom()": "use turn.random or turn.uuid",
    "trio._core._generated_run.current_time()": "use turn.now",
}


@pytest.mark.parametrize("what", WORLD)
def test_an_agent_that_asks_the_world_is_told_where(what: str) -> None:
    def asks(state: Tally, data: int) -> Tally:
        if data > 1:
            WORLD[what]()
        return state

    with pytest.raises(AssertionError, match=r"'add' of Agent 'tally'") as caught:
        assert_pure(agent_of(asks), examples=10)
    assert what in str(caught.value)
    assert "test_purity.py:" in str(caught.value)
    assert str(caught.value).endswith(f"; {WAYS_OUT.get(what, 'return a directive that does it')}")


# As they stand in a handler: whether they tell the time is seen by the call.
OF_A_TIME: dict[str, Callable[[], Any]] = {
    "gmtime": lambda: time.gmtime(0),
    "localtime": lambda: time.localtime(0),
    "ctime": lambda: time.ctime(0),
    "asctime": lambda: time.asctime((2020, 1, 1, 0, 0, 0, 0, 1, 0)),
    "strftime": lambda: time.strftime("%Y", (2020, 1, 1, 0, 0, 0, 0, 1, 0)),
}
OF_NOW: dict[str, Callable[[], Any]] = {
    "gmtime": lambda: time.gmtime(),  # noqa: PLW0108  # the call is what it is about
    "localtime": lambda: time.localtime(),  # noqa: PLW0108  # same
    "ctime": lambda: time.ctime(),  # noqa: PLW0108  # same
    "asctime": lambda: time.asctime(),  # noqa: PLW0108  # same
    "strftime": lambda: time.strftime("%Y"),
}


@pytest.mark.parametrize("name", OF_A_TIME)
def test_to_write_a_time_otherwise_is_not_to_ask_for_one(name: str) -> None:
    def writes(state: Tally, data: int) -> Tally:
        OF_A_TIME[name]()
        return state

    def asks(state: Tally, data: int) -> Tally:
        OF_NOW[name]()
        return state

    assert_pure(agent_of(writes), examples=5)
    with pytest.raises(AssertionError, match=rf"calls time\.{name}\(\) at .*; use turn\.now"):
        assert_pure(agent_of(asks), examples=5)


def test_to_write_a_time_is_not_seen() -> None:
    """The same, for coverage."""
    found: list[str] = []
    look(found, sys._getframe(), "c_call", time.gmtime)
    assert not found


@pytest.mark.parametrize("what", WORLD)
def test_it_is_seen_in_each_call(what: str) -> None:
    """The same, for coverage: what watches calls is not itself watched."""
    found: list[str] = []
    sys.setprofile(lambda *event: events.append(event))
    events: list[Any] = []
    with suppress(RuntimeError):  # no Trio runs
        WORLD[what]()
    sys.setprofile(None)
    for event in events:
        look(found, *event)
    assert what in found[0]


def test_an_import_is_not_seen() -> None:
    found: list[str] = []
    frame = sys._getframe()
    imports: Any = eval("lambda look: look()", {"__name__": "importlib._bootstrap"})
    imports(lambda: look(found, sys._getframe(), "c_call", time.time))
    assert not found
    between: Any = eval("lambda look: look()", {"__name__": "hypothesis.internal"})
    between(lambda: look(found, sys._getframe(1), "c_call", time.time))
    look(found, frame, "return", None)
    look(found, frame, "c_call", os.fspath)
    look(found, frame, "c_call", random.Random(1).random)
    look(found, frame, "c_call", int.from_bytes)
    look(found, frame, "call", None)
    assert not found


def test_an_agent_that_remembers_elsewhere_is_found_out() -> None:
    elsewhere: list[int] = []

    def remembers(state: Tally, data: int) -> Tally:
        elsewhere.append(data)
        return evolve(state, total=len(elsewhere))

    with pytest.raises(AssertionError, match="does not decide the same"):
        assert_pure(agent_of(remembers), examples=20)


def test_so_is_one_that_did_once_and_never_again() -> None:
    calls = [0]

    def once(state: Tally, data: int) -> Tally:
        calls[0] += 1
        return evolve(state, total=int(calls[0] == 9))

    with pytest.raises(AssertionError, match="does not decide the same"):
        assert_pure(agent_of(once))


def test_an_agent_that_decides_by_the_order_is_found_out() -> None:
    last = [0]

    def compares(state: Tally, data: int) -> Tally:
        grows, last[0] = data > last[0], data
        return evolve(state, total=int(grows))

    with pytest.raises(AssertionError, match="does not decide the same"):
        assert_pure(agent_of(compares), examples=20)


def test_an_agent_that_changes_what_it_is_given_is_found_out() -> None:
    def changes(state: Tally, data: int) -> Tally:
        object.__setattr__(state, "total", state.total + 1)
        return state

    with pytest.raises(AssertionError, match="changes what it is given"):
        assert_pure(agent_of(changes), examples=20)


def test_an_impure_hook_is_found_out() -> None:
    agent = agent_of(pure)

    @agent.on_start
    def begin(state: Tally) -> Tally:
        return evolve(state, at=time.monotonic())

    with pytest.raises(AssertionError, match=r"on_start of Agent 'tally' calls time\.monotonic"):
        assert_pure(agent)


def test_an_agent_that_never_decides_alone_cannot_be_pure() -> None:
    with pytest.raises(trido.SpecError, match="plain def"):
        assert_pure(trido.Agent("idle", state=Tally))


# Replays ------------------------------------------------------------------------------------------

ADDS = [trido.Signal("add", n) for n in (1, 13, 2)]


def test_what_replays_gives_its_last_state() -> None:
    agent = agent_of(pure)
    signals = [*ADDS, trido.Signal("unknown"), trido.Signal("add", "text")]
    assert assert_replays(agent, signals) == Tally(3)
    assert assert_replays(agent, signals, durable=True) == Tally(3)
    assert assert_replays(agent, []) == Tally()


def test_a_crash_replays_as_a_crash() -> None:
    def crashes(state: Tally, data: int) -> Tally:
        return evolve(state, total=state.total + 10 // data)

    signals = [trido.Signal("add", n) for n in (5, 0, 2)]
    assert assert_replays(agent_of(crashes), signals) == Tally(7)


def test_what_does_not_replay_is_told_by_its_turn() -> None:
    calls = [0]

    def counts(state: Tally, data: int) -> Tally:
        calls[0] += 1
        return evolve(state, total=state.total + (calls[0] == 6))

    with pytest.raises(AssertionError, match="decided again, turn 3 differs"):
        assert_replays(agent_of(counts), [trido.Signal("add", 1)] * 3)


def test_a_state_that_a_journal_changes_is_found_out() -> None:
    @frozen
    class Once:
        n: int = 0
        made: str = field(default="", eq=True, init=False)

    agent = trido.Agent("once", state=Once, durability="sync")

    @agent.on("add")
    def add(state: Once, data: int) -> Once:
        new = Once(state.n + data)
        object.__setattr__(new, "made", "here")
        return new

    with pytest.raises(AssertionError, match="comes back from a journal as another"):
        assert_replays(agent, [trido.Signal("add", 1)] * 2)


def test_a_signal_that_a_journal_changes_is_found_out() -> None:
    agent = trido.Agent("typed", state=Tally, durability="sync")

    @agent.on("add")
    def add(state: Tally, data: object) -> Tally:
        return evolve(state, total=state.total + isinstance(data, Add))

    with pytest.raises(AssertionError, match="from what was written, turn 1 differs"):
        assert_replays(agent, [trido.Signal("add", Add(1))])


def test_what_awaits_cannot_be_replayed() -> None:
    agent = trido.Agent("slow", state=Tally)

    @agent.on("add")
    async def add(state: Tally, data: int) -> Tally:
        await trio.sleep(1)
        return state

    with pytest.raises(trido.EffectfulRoute):
        assert_replays(agent, ADDS)


def test_what_is_collected_meanwhile_is_not_the_agents_doing() -> None:
    class Left:
        def __del__(self) -> None:
            time.time()
            done.append("collected")

    def handler(state: Tally, data: int) -> Tally:
        Left()
        return state

    done: list[str] = []
    assert_pure(agent_of(handler), examples=5)
    assert done
