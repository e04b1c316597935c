"""A signal that was written is read again as it was, within limits, in each of the forms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import trido
from trido.agents.frozen import EMPTY

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FULL = trido.Signal(
    "a.b", {"n": [1, {"m": None}]}, id="1", source="s", time=NOON, attributes={"subject": "x"}
)
SHORT = trido.Signal("a", id="2", source="s")


def by_json(signal: trido.Signal, **limits: Any) -> trido.Signal:
    return trido.Signal.from_json(signal.to_json(), **limits)


def by_batch(signal: trido.Signal, **limits: Any) -> trido.Signal:
    (one,) = trido.Signal.batch_from_json(trido.Signal.batch_to_json([signal]), **limits)
    return one


def by_http(signal: trido.Signal, **limits: Any) -> trido.Signal:
    return trido.Signal.from_http(*signal.to_http(), **limits)


WAYS = [by_json, by_batch, by_http]


@pytest.mark.parametrize("way", WAYS)
def test_what_was_written_is_read_again(way: Callable[..., trido.Signal]) -> None:
    again = way(FULL)
    assert (again.type, again.data, again.id) == (FULL.type, FULL.data, "1")
    assert (again.source, again.time) == ("s", NOON)
    assert again.attributes["subject"] == "x"
    assert (way(SHORT).data, way(SHORT).time) == (None, None)


@pytest.mark.parametrize("way", WAYS)
def test_more_than_the_limits_is_not_read(way: Callable[..., trido.Signal]) -> None:
    for limits in ({"max_bytes": 5}, {"depth": 2}):
        with pytest.raises(trido.InvalidSignal):
            way(FULL, **limits)
    assert way(FULL, max_bytes=2**12, depth=8).id == "1"


def test_a_batch_keeps_the_order_and_all_there_is() -> None:
    written = trido.Signal.batch_to_json([FULL, SHORT])
    assert [one.id for one in trido.Signal.batch_from_json(written)] == ["1", "2"]
    assert trido.Signal.batch_from_json(b"[]") == ()


def test_a_request_is_read_as_what_was_asked_for() -> None:
    assert type(trido.Request.from_json(FULL.to_json())) is trido.Request
    assert by_json(FULL) == FULL
    assert by_json(SHORT).attributes is EMPTY


def test_signals_that_differ_are_told_apart_by_their_hash() -> None:
    assert len({hash(trido.Signal(type)) for type in "abc"}) == 3
