"""What one gets wrong at first is told by whom, which rule, and what to do instead."""

from __future__ import annotations

import asyncio
import inspect
import pickle
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import trio
from attrs import frozen

import trido


@frozen
class State:
    n: int = 0


agent = trido.Agent("agent", state=State)
child = trido.Agent("child", state=State)


@agent.on("up")
def up(state: State, data: None) -> trido.Decision[State]:
    return state, [trido.Emit(trido.Signal("hello"), to="parent")]


@agent.on("spawn")
def spawn(state: State, data: None) -> trido.Decision[State]:
    return state, [trido.SpawnAgent(child, "tag")]


@agent.on("adopt")
def adopt(state: State, ref: trido.Address) -> trido.Decision[State]:
    return state, [trido.AdoptChild(ref, "tag")]


@pytest.mark.parametrize("block", [trido.open_supervisor, trido.open_runtime])
def test_outside_trio_it_says_so(block: Callable[[], Any]) -> None:
    async def main() -> None:
        async with block():
            pass

    with pytest.raises(RuntimeError, match=r"trido runs in Trio: .* under trido\.run"):
        asyncio.run(main())


def test_on_without_a_type_shows_how_it_is_said() -> None:
    mistaken: Any = trido.Agent("mistaken", state=State)
    with pytest.raises(trido.SpecError, match=r"on of Agent 'mistaken': .*@agent\.on\('counter"):
        mistaken.on(lambda state, data: state)


def test_one_agent_is_no_list_of_agents() -> None:
    one: Any = agent
    with pytest.raises(trido.SpecError, match=r"agents=<trido\.Agent 'agent'> .* list of agents"):
        trido.open_runtime(agents=one)


def generator(ref: object) -> Generator[None]:
    yield


async def coroutine(ref: object) -> None: ...


class NoContextManager: ...


@pytest.mark.parametrize(
    "function",
    [generator, coroutine, contextmanager(generator), NoContextManager, 5, None],
    ids=["generator", "coroutine", "not async", "class", "number", "nothing"],
)
def test_what_is_no_lifespan_is_refused_at_the_definition(function: Any) -> None:
    mistaken = trido.Agent("mistaken", state=State)
    with pytest.raises(trido.SpecError, match=r"Agent 'mistaken': lifespan=.* async generator"):
        mistaken.lifespan(function)


async def test_a_lifespan_that_gives_no_context_manager_names_the_agent() -> None:
    mistaken = trido.Agent("mistaken", state=State)
    mistaken.lifespan(lambda ref: 5)  # type: ignore[type-var]  # the mistake
    with pytest.raises(trido.StartFailed) as caught:
        async with trido.open_supervisor(mistaken.spec(id="m")):
            raise AssertionError
    assert str(caught.value.__cause__) == (
        "Agent 'mistaken': lifespan=5 is not allowed; it must be an async context manager"
    )


class Entered:
    def __init__(self, ref: object) -> None: ...

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


@asynccontextmanager
async def managed(ref: object) -> AsyncGenerator[None]:
    yield


@pytest.mark.parametrize(
    "function",
    [Entered, managed, inspect.unwrap(managed)],
    ids=["class", "context manager", "generator"],
)
async def test_what_is_a_lifespan_is_taken(function: Any) -> None:
    right = trido.Agent("right", state=State)
    right.lifespan(function)
    async with trido.open_supervisor(right.spec(id="r")) as sup:
        assert sup["r"].state == "running"


@pytest.mark.parametrize("durability", ["none", "sync"])
async def test_an_emit_to_a_parent_that_is_none_names_agent_rule_and_way_out(
    durability: Any,
) -> None:
    journal = trido.MemoryJournal()
    async with trido.open_runtime(journal=journal, agents=(agent,)) as rt:
        ref = await rt.start_agent(agent, id="orphan", durability=durability)
        await ref.call(up.signal(None))
        await rt.drain()
        (letter,) = rt.dead_letters
        assert str(letter.reason) == (
            "agent 'orphan' has no parent to emit to: it was not spawned or adopted by another one "
            "(SpawnAgent, AdoptChild), or that has ended; say to= a ref or an id"
        )
        assert str(pickle.loads(pickle.dumps(letter.reason))) == str(letter.reason)


@pytest.mark.parametrize("again", ["spawn", "adopt"])
async def test_a_second_child_of_one_tag_names_agent_rule_and_way_out(
    again: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with trido.open_runtime() as rt:
        ref = await rt.start_agent(agent, id="parent-1")
        other = await rt.start_agent(child, id="other")
        await ref.call(spawn.signal(None))
        await ref.call(trido.Signal(again, other if again == "adopt" else None))
        await trio.sleep(1)
    assert (
        "agent 'parent-1' has a child 'tag' already, and a tag names one: "
        "stop that first (StopChild), or choose another tag"
    ) in caplog.text


async def test_what_is_published_after_the_end_is_refused() -> None:
    async with trido.open_runtime(id="over") as rt:
        await rt.publish(trido.Signal("in.time"))
    with trio.testing.assert_checkpoints(), pytest.raises(trido.SupervisorStopped, match="'over'"):
        await rt.publish(trido.Signal("too.late"))
