"""What the functions of this room may be given: told before anything runs, by name and rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from trido.agents import Definition
from trido.checks import count
from trido.errors import SpecError
from trido.runtime.agent import Agent


def function(of: str, name: str, value: object) -> None:
    """``value`` can be called."""
    if not callable(value):
        raise SpecError(name, value, "an async function", of=of)


def several(of: str, name: str, value: object, allowed: str) -> tuple[Any, ...]:
    """``value`` are several things; neither a string nor a mapping is."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise SpecError(name, value, allowed, of=of)
    return tuple(value)


def kind(of: str, value: object, allowed: str) -> None:
    """``value`` is a class."""
    if not isinstance(value, type):
        raise SpecError("kind", value, allowed, of=of)


def definition(of: str, value: object) -> None:
    """``value`` is an agent."""
    if not isinstance(value, Definition):
        raise SpecError("agent", value, "a trido.Agent", of=of)


def agents(of: str, value: object) -> None:
    """``value`` are agents, by their ids."""
    mapping = value if isinstance(value, Mapping) else {}
    ok = all(isinstance(id, str) and isinstance(one, Agent) for id, one in mapping.items())
    if not mapping or not ok:
        raise SpecError("agents", value, "trido.Agents by their ids, one at least", of=of)


def seed(of: str, value: object) -> int:
    """``value`` is a seed."""
    count(of, "seed", value, least=0, infinite=False)
    return cast("int", value)


def types(of: str, value: object) -> None:
    """``value`` are strategies by classes, or left out."""
    if value is not None and not isinstance(value, Mapping):
        raise SpecError("types", value, "strategies by their classes", of=of)
