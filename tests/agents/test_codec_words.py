"""What cannot be kept, or not be read again, is told word for word: what is wrong, and where."""

from __future__ import annotations

import enum
import pickle
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NewType, Optional, Union
from uuid import UUID

import attrs
import pytest
from attrs import field, frozen

import trido
from tests.agents.kept import Point, definition
from trido.agents.address import Address, AgentId
from trido.agents.codec import HEAD, Codec, StateCodec, Undecodable, Unencodable, Unregistered
from trido.agents.codec.errors import in_file

# Checkers want a class there; Python takes any type, and trido what Python takes.
SomeId = NewType("SomeId", Optional[UUID])  # type: ignore[valid-newtype]  # noqa: UP045
Number = NewType("Number", Union[UUID, Decimal])  # type: ignore[valid-newtype]  # noqa: UP007


def state_of(declared: Any) -> Any:
    return attrs.make_class("State", {"it": field(default=None, type=declared)}, frozen=True)


class Address_(Address):  # noqa: N801  # another Address
    @property
    def id(self) -> str:
        return "a"


@frozen
class Tagged:
    tag: UUID | None


@frozen(unsafe_hash=False)
class Unhashable:
    number: int = 0


@pytest.mark.parametrize(
    ("declared", "value", "rule"),
    [
        (type(None), 5, "expected None, got int"),
        # Only one of these can have been meant, or several.
        (int | None, "a", "expected int, got str"),
        (Sequence[int] | UUID, 5, "expected Sequence of int | UUID, got int"),
        (tuple[int, str] | UUID, 5, "expected tuple of 2 | UUID, got int"),
        (SomeId | int, "a", "expected UUID | None | int, got str"),
        (Number | int, "a", "expected UUID | Decimal | int, got str"),
        (
            Mapping[Address, int],
            {Address_(): 1, AgentId("a"): 2},
            "expected keys that differ as text",
        ),
    ],
)
def test_a_value_that_cannot_be_kept_is_told_with_its_place(
    declared: Any, value: Any, rule: str
) -> None:
    cls = state_of(declared)
    with pytest.raises(Unencodable) as refused:
        StateCodec(definition(cls)).encode(cls(value))
    assert str(refused.value) == f"state of Agent 'keeper': $.it: {rule}"


@pytest.mark.parametrize(
    ("declared", "data", "rule"),
    [
        (Tagged, b"{}", ".tag: expected UUID | None, got nothing"),
        (
            frozenset[Unhashable],
            b'[{"number":1}]',
            ": expected frozenset of Unhashable, which refused what it is made of (TypeError)",
        ),
        (
            Mapping[Unhashable, int],
            b'[[{"number":1},1]]',
            ": expected Mapping of int, which refused what it is made of (TypeError)",
        ),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(declared: Any, data: bytes, rule: str) -> None:
    codec = StateCodec(definition(state_of(declared)))
    with pytest.raises(Undecodable) as refused:
        codec.decode({HEAD: b'{"version":1,"fields":["it"]}', "it": data})
    told, _, way_out = str(refused.value).partition(";")
    assert told == f"state of Agent 'keeper': $.it{rule}"
    assert way_out.endswith("give the agent a version= and upgrades=")


class Twice(enum.Enum):
    A = "B"
    B = 1


@pytest.mark.parametrize(
    ("declared", "value", "allowed"),
    [
        (
            Twice,
            "<enum 'Twice'>",
            "an enum whose members are said by different texts: their values, or names",
        ),
        (
            tuple[int, str] | tuple[str, int],
            "'tuple of 2 | tuple of 2'",
            "a union of types that have different names",
        ),
        # The field is still the outer one after those of a class in it.
        (
            tuple[Point, complex],
            "<class 'complex'>",
            (
                "of what can be written and read again: None, bool, int, float, str, bytes,"
                " Decimal, UUID, datetime, date, time, timedelta, enums, frozen classes of such,"
                " tuples, frozensets and mappings of such, trido.Signal, and trido.Address for the"
                " ref of an agent"
            ),
        ),
    ],
)
def test_a_type_that_cannot_be_kept_is_told_with_its_field(
    declared: Any, value: str, allowed: str
) -> None:
    with pytest.raises(trido.SpecError) as refused:
        StateCodec(definition(state_of(declared)))
    assert str(refused.value) == (
        f"Agent 'keeper': State.it={value} is not allowed; it must be {allowed}"
    )


class Wave(trido.Directive):
    """Nobody registered it."""


def test_an_error_says_its_file_and_can_be_shown_and_copied() -> None:
    with pytest.raises(Unregistered) as refused, in_file("shop.db"):
        Codec().encode(Wave())
    error = refused.value
    rule = "the directive 'Wave' is not known: register it, open_runtime(executors={...: ...})"
    assert str(error) == f"shop.db: directive: $: {rule}"
    assert repr(error) == f"Unregistered('directive', '$', {rule!r})"
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    error.file = ""
    assert str(error) == f"directive: $: {rule}"
