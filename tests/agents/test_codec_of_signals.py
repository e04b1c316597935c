"""Signals that were written by another program version: what is read, and what is said if not."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

import trido
from trido.agents.codec import Codec, NewerVersion, Undecodable
from trido.agents.definition import Definition

PLACED = "order.placed"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@frozen
class State:
    pass


class Shop(enum.StrEnum):
    NORTH = "shop:north"


def agent(name: str = "shop", **options: Any) -> Definition[Any]:
    """An agent that takes orders, of that version."""
    made = Definition(name, state=State)

    def place(state: State, data: dict[str, int]) -> State:
        return state

    register: Any = made.on(PLACED, **options)
    register(place)
    return made


def in_cents(data: Any) -> Any:
    return {"cents": data["euros"] * 100}


def written(codec: Codec, data: Any) -> tuple[str, bytes]:
    return codec.encode(trido.Emit(trido.Signal(PLACED, data, id="1")))


def read(codec: Codec, said: tuple[str, bytes]) -> trido.Signal:
    found: Any = codec.decode(*said)
    signal: trido.Signal = found.signal
    return signal


def test_an_input_says_the_version_of_its_data_and_is_upgraded_by_it() -> None:
    second = Codec({"shop": agent(version=2, upgrades={1: in_cents})})
    third = Codec({"shop": agent(version=3, upgrades={2: lambda data: {**data, "tip": 0}})})
    data = second.encode_input(trido.Signal(PLACED, {"cents": 5}), why="cast", now=NOW)
    for codec, expected in ((second, {"cents": 5}), (third, {"cents": 5, "tip": 0})):
        found = codec.decode_input(data, agent_id="a", revision=0)
        assert found.turn.signal.data == expected


def test_members_of_an_enum_are_written_as_the_texts_they_are() -> None:
    signal = trido.Signal("a", id=Shop.NORTH, source=Shop.NORTH, attributes={"subject": Shop.NORTH})
    codec = Codec()
    found = read(codec, codec.encode(trido.Emit(signal)))
    assert found == signal
    assert {type(one) for one in (found.id, found.source, found.attributes["subject"])} == {str}


def test_only_who_looks_reads_unknown_signals_of_any_version() -> None:
    newest: dict[str, Any] = {"version": 3, "upgrades": {1: in_cents, 2: in_cents}}
    said = written(Codec({"shop": agent(**newest)}), {"cents": 5})
    assert read(Codec(is_lenient=True), said).data == {"cents": 5}
    known = {"shop": agent(version=2, upgrades={1: in_cents})}
    for codec, most in (
        (Codec(), 1),
        (Codec(is_lenient=False), 1),
        (Codec(known), 2),
        (Codec(known, is_lenient=True), 2),
    ):
        with pytest.raises(NewerVersion) as refused:
            codec.decode(*said)
        assert str(refused.value) == (
            f"data of signal 'order.placed': $: it has version 3, and this program knows {most} at"
            " most: run a newer one"
        )


def test_who_looks_reads_what_is_known_as_it_is_now() -> None:
    said = written(Codec(), {"euros": 1})
    codec = Codec({"shop": agent(version=2, upgrades={1: in_cents})}, is_lenient=True)
    assert read(codec, said).data == {"cents": 100}
    assert read(codec, written(codec, {"cents": 5})).data == {"cents": 5}


def fails(data: Any) -> Any:
    return 1 / 0


FAILS_AT = f"{Path(__file__).name}:{fails.__code__.co_firstlineno + 1}"


@pytest.mark.parametrize(
    ("versions", "upgrade", "message"),
    [
        (
            (2, 1),
            fails,
            f"$: an upgrade from version 1 on raised ZeroDivisionError, at {FAILS_AT}",
        ),
        (
            (2, 1),
            lambda _: {"a": object()},
            "$.data.a: expected data that JSON can say, got object",
        ),
        (
            (3, 2),
            in_cents,
            "$: it has version 1, and no upgrade leads from there: give upgrades={1: ...}",
        ),
    ],
)
def test_data_that_cannot_be_upgraded_is_told_by_its_signal(
    versions: tuple[int, int], upgrade: Callable[[Any], Any], message: str
) -> None:
    number, oldest = versions
    codec = Codec({"shop": agent(version=number, upgrades={oldest: upgrade})})
    what = "directive 'Emit'" if ".data" in message else "data of signal 'order.placed'"
    with pytest.raises(Undecodable) as refused:
        codec.decode(*written(Codec(), {"euros": 1}))
    assert str(refused.value) == f"{what}: {message}"


def test_who_disagrees_on_the_version_of_a_signal_is_told_with_whom() -> None:
    codec = Codec({"shop": agent(version=2, upgrades={1: in_cents})})
    with pytest.raises(trido.SpecError) as refused:
        codec.learn(agent("second", version=3, upgrades={2: in_cents}))
    assert str(refused.value) == (
        "Agent 'second': version=3 is not allowed; it must be what Agent 'shop' says of"
        " 'order.placed', with the same upgrades"
    )
