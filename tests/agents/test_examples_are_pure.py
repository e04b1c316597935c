"""Every agent of the examples decides the same whenever it is asked the same.

States and signals are drawn from what the agents themselves declare to take.
"""

from __future__ import annotations

import copy
import importlib.util
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast, get_args
from uuid import UUID

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

import trido
from trido.agents import Address, Definition, shapes
from trido.agents.patterns import is_exact
from trido.agents.schema import Record, Schema
from trido.agents.turn import Why

EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/*.py"))

# Values of a declared type ------------------------------------------------------------------------

REFS = tuple(trido.AgentRef[Any](cast("Any", SimpleNamespace(id=id))) for id in ("one", "two"))
PLAIN: dict[type, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers() | st.integers(0, 100),
    str: st.text(max_size=20),
    type(None): st.none(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    Decimal: st.decimals(allow_nan=False, places=2),
    UUID: st.uuids(),
    bytes: st.binary(max_size=20),
    Address: st.sampled_from(REFS),
    trido.AgentRef: st.sampled_from(REFS),
}
ANYTHING = st.none() | st.booleans() | st.integers() | st.text(max_size=5)


def values(shape: Any) -> st.SearchStrategy[Any]:
    """Whatever a shape accepts, all the way down."""
    return VALUES[type(shape)](shape)


VALUES: dict[type[shapes.Shape], Callable[[Any], st.SearchStrategy[Any]]] = {
    Record: lambda shape: st.builds(
        shape.cls, **{name: values(inner) for name, inner in shape.arguments.items()}
    ),
    shapes.Either: lambda shape: st.one_of(*map(values, shape.shapes)),
    shapes.OneOf: lambda shape: st.sampled_from(shape.values),
    shapes.Array: lambda shape: st.lists(values(shape.item), max_size=4).map(shape.make),
    shapes.Fixed: lambda shape: st.tuples(*map(values, shape.items)),
    shapes.Table: lambda shape: st.dictionaries(
        values(shape.key), values(shape.value), max_size=4
    ).map(shape.make),
    shapes.Anything: lambda _: ANYTHING,
    shapes.Float: lambda _: st.floats(allow_nan=False),
    shapes.Instance: lambda shape: PLAIN[shape.cls],
    shapes.Parsed: lambda shape: PLAIN[shape.cls],
}


def declared(cls: type) -> st.SearchStrategy[Any]:
    return values(Schema(cls.__name__, cls, {}).shape)


TURNS = st.builds(
    trido.Turn,
    now=PLAIN[datetime],
    planned=st.none() | PLAIN[datetime],
    agent_id=st.text(min_size=1, max_size=5),
    revision=st.integers(0, 9),
    request=st.none() | st.text(min_size=1, max_size=5),
    why=st.sampled_from(get_args(Why)),
)

# What an agent decides ----------------------------------------------------------------------------

Decide = Callable[[Any, trido.Signal, trido.Turn], object]


def outcome(decide: Decide, state: Any, signal: trido.Signal, turn: trido.Turn) -> object:
    """What comes of it: the decision, or the error."""
    try:
        return decide(state, signal, turn)
    except Exception as error:
        return type(error), str(error)


def decides_the_same(decide: Decide, state: Any, signal: trido.Signal, turn: trido.Turn) -> None:
    inputs = state, signal, turn
    before = copy.deepcopy(inputs, {id(ref): ref for ref in REFS})
    first = outcome(decide, *inputs)
    assert inputs == before
    assert outcome(decide, *inputs) == first
    assert outcome(decide, *before) == first  # it knows equal inputs, not these very objects


def hooks(agent: Definition[Any]) -> Iterator[Decide]:
    for hook in (agent.starts, agent.stops):
        if hook is not None and not hook.is_async:
            yield lambda state, signal, turn, hook=hook: agent.decide(  # type: ignore[misc]
                hook, state, None, turn.anew()
            )


def is_pure(agent: Definition[Any]) -> None:
    """Fail unless everything that ``agent`` decides follows from what it is given."""

    @given(st.data())
    def check(data: st.DataObject) -> None:
        state = data.draw(declared(agent.state.cls))
        route = data.draw(st.sampled_from(list(agent.routes)))
        assert is_exact(route.pattern)
        drawn = data.draw(values(route.schema.shape) | ANYTHING)
        signal = trido.Signal(route.pattern, drawn)
        turn = evolve(data.draw(TURNS), signal=signal)
        decides_the_same(agent.cmd, state, signal, turn)
        for hook in hooks(agent):
            decides_the_same(hook, state, signal, turn)

    check()


# The agents ---------------------------------------------------------------------------------------


def load(path: Path) -> ModuleType:
    name = f"examples.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


AGENTS = {
    f"{path.stem}: {agent.name}": agent
    for path in EXAMPLES
    for agent in vars(load(path)).values()
    if isinstance(agent, trido.Agent)
}


def test_there_are_agents_in_the_examples() -> None:
    assert len(AGENTS) >= 9


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
def test_the_same_inputs_give_the_same_outputs(agent: trido.Agent[Any]) -> None:
    is_pure(agent)


@frozen
class Tally:
    total: int = 0


def test_an_agent_that_remembers_elsewhere_is_found_out() -> None:
    agent = trido.Agent("tally", state=Tally)
    elsewhere: list[int] = []

    @agent.on("add")
    def add(state: Tally, data: int) -> Tally:
        elsewhere.append(data)
        return evolve(state, total=len(elsewhere))

    with pytest.raises(AssertionError):
        is_pure(agent)


def test_an_agent_that_changes_what_it_is_given_is_found_out() -> None:
    agent = trido.Agent("tally", state=Tally)

    @agent.on("add")
    def add(state: Tally, data: int) -> Tally:
        object.__setattr__(state, "total", state.total + 1)
        return state

    with pytest.raises(AssertionError):
        is_pure(agent)
