"""Instances of parameter classes: a field takes what *is* of its type, subclasses too."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from attrs import evolve, frozen

import trido
from trido.agents.errors import AgentError
from trido.runtime.envelope import Envelope


class Moment(datetime):
    """A datetime of somebody's own."""


class Pair(NamedTuple):
    """A tuple of somebody's own."""

    one: int
    two: str


@frozen
class Base:
    """A parameter class in another."""


@frozen
class Derived(Base):
    """One that is a `Base` as well."""


NOON = Moment(2026, 1, 1, 12, tzinfo=UTC)


@frozen
class Said:
    """One field of each kind."""

    at: datetime = NOON
    pair: tuple[int, str] = Pair(1, "a")
    part: Base = Derived()
    either: Base | int = Derived()
    anything: Any = None


@frozen
class Count:
    """How many were taken."""

    number: int = 0


listener = trido.Agent("listener", state=Count)


@listener.on("said")
def said(state: Count, data: Said) -> Count:
    """Count it."""
    return evolve(state, number=state.number + 1)


def test_subclasses_are_taken() -> None:
    assert listener.cmd(Count(), trido.Signal("said", Said())) == (Count(1), ())


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("at", "2026", "datetime"),
        ("pair", 3, "tuple of 2"),
        ("part", Count(), "Base"),
        ("either", "x", "Base | int"),
    ],
)
def test_others_are_refused(field: str, value: Any, expected: str) -> None:
    data = evolve(Said(), **{field: value})
    with pytest.raises(trido.InvalidData) as refused:
        listener.cmd(Count(), trido.Signal("said", data))
    assert f"$.{field}: expected {expected}, got" in str(refused.value)


def test_a_definition_names_itself() -> None:
    assert repr(listener) == "<trido.Agent 'listener'>"


def test_what_nobody_waits_for_tells_nobody() -> None:
    """An envelope of neither a cast nor a call is a dead letter when it fails."""
    assert not Envelope(trido.Signal("said")).fail(AgentError())
