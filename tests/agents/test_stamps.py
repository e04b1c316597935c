"""A signal that is sent is given what of its stamp it has not set itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

import trido
from trido.agents.stamps import stamped

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OWN: dict[str, Any] = {"id": "own", "source": "me", "time": NOON}
GIVEN: dict[str, Any] = {"id": "1", "source": "it", "time": NOON + timedelta(hours=1)}


@pytest.mark.parametrize("sets", list(product([False, True], repeat=3)))
def test_what_it_set_itself_stays_and_the_rest_is_filled_in(sets: tuple[bool, ...]) -> None:
    own = {name: OWN[name] for name, is_set in zip(OWN, sets, strict=True) if is_set}
    sent = stamped(trido.Signal("a", 1, **own), **GIVEN)
    assert sent == trido.Signal("a", 1, **{**GIVEN, **own})
