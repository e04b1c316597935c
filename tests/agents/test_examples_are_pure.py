"""Every agent of the examples decides the same whenever it is asked the same."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import trido
from trido.testing import assert_pure

EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/*.py"))


def load(path: Path) -> ModuleType:
    name = f"examples.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def decides(agent: trido.Agent[Any]) -> bool:
    return not all(route.is_async for route in agent.routes)


AGENTS = {
    f"{path.stem}: {agent.name}": agent
    for path in EXAMPLES
    for agent in vars(load(path)).values()
    if isinstance(agent, trido.Agent) and decides(agent)
}


def test_there_are_agents_in_the_examples() -> None:
    assert len(AGENTS) >= 9


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
def test_the_same_inputs_give_the_same_outputs(agent: trido.Agent[Any]) -> None:
    assert_pure(agent, examples=30)
