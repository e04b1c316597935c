"""Messages that just cannot be written, and values that there is just no room to show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import frozen

import trido

NO_TEXT = "expected text without lone surrogates"


def signal(data: object) -> trido.Signal:
    return trido.Signal("a", data, id="1", source="s")


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ("\ud800", NO_TEXT),
        ({"\ud800": 1}, NO_TEXT),
        ([10**5000], "expected numbers of a sensible length"),
    ],
)
def test_of_a_batch_it_is_told_which_cannot_be_written(data: object, rule: str) -> None:
    with pytest.raises(trido.InvalidSignal) as alone:
        signal(data).to_json()
    assert str(alone.value) == f"$: {rule}"
    with pytest.raises(trido.InvalidSignal) as refused:
        trido.Signal.batch_to_json([signal("é"), signal(data), signal(1)])
    assert str(refused.value) == f"$[1]: {rule}"


def test_a_batch_is_its_events_in_one_array() -> None:
    events = [signal("é"), signal(b"hi"), signal(None)]
    written = [one.to_json().decode() for one in events]
    for size in range(4):
        batch = trido.Signal.batch_to_json(events[:size])
        assert batch.decode() == f"[{','.join(written[:size])}]"


@frozen
class Position:
    x: int = 0
    y: float | None = None


def test_what_holds_only_numbers_is_shown_at_any_depth() -> None:
    """There are no secrets in it, and it is short."""
    assert trido.redacted([Position()], depth=1) == "[Position(x=0, y=None)]"
    assert trido.redacted([Position(7, 0.5)], depth=1) == "[Position(x=7, y=0.5)]"
    never_set: Any = object.__new__(Position)
    text: Any = Position("1")  # type: ignore[arg-type]  # wrong on purpose
    assert trido.redacted([never_set, text, 7], depth=1) == "[…, …, …]"


class Watched(list[int]):
    """Tells whether it was looked at."""

    seen = False

    def __iter__(self) -> Iterator[int]:
        self.seen = True
        return iter(())


def test_without_room_nothing_is_looked_at() -> None:
    watched = Watched()
    assert trido.redacted(watched, length=0) == "…"
    assert not watched.seen
    assert trido.redacted(watched, length=1) == "[…"
    assert watched.seen
