"""Children that are run on the same terms share what says so; others are checked by themselves."""

from __future__ import annotations

from typing import Any, cast

import pytest

import trido
from trido.supervision.policy import ChildPolicy


async def wait() -> None: ...


def policy(**terms: Any) -> ChildPolicy:
    return trido.ChildSpec(wait, **terms).policy


def test_the_same_terms_are_one_policy() -> None:
    backoff: dict[str, Any] = {"backoff": trido.Backoff(min=1.0, max=2.0)}
    for terms in ({}, {"restart": "transient", "restart_on": (OSError,)}, backoff):
        assert policy(id="one", **terms) is policy(id="other", **terms)
    assert policy(restart="transient") is not policy()
    assert policy(shutdown=5) is not policy(shutdown=5.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"significant": 1, "restart": "transient"},
        {"restart": ["permanent"]},
        {"escalate_on": (OSError, 3)},
        {"shutdown": -1},
    ],
)
def test_what_is_wrong_is_said_of_its_child_each_time(wrong: dict[str, Any]) -> None:
    assert policy(significant=True, restart="transient").significant is True
    for id in ("one", "other"):
        with pytest.raises(trido.SpecError, match=f"ChildSpec '{id}'"):
            policy(id=id, **wrong)


def test_a_function_is_read_once_and_checked_for_each_child() -> None:
    async def feed(region: str) -> None: ...

    for _ in range(2):
        assert trido.ChildSpec(feed, "eu").args == ("eu",)
        with pytest.raises(trido.SpecError, match="what feed"):
            trido.ChildSpec(cast("Any", feed))
