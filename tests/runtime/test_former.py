"""Refs of agents that have ended: kept for whoever gets the id, and by nobody else."""

from __future__ import annotations

import gc
from typing import cast

import pytest

import trido
from trido.runtime.former import SLACK, FormerRefs


class Ref:
    """As much of one as is needed."""


def put(former: FormerRefs, id: str) -> Ref:
    ref = Ref()
    former[id] = cast("trido.AgentRef[object]", ref)
    return ref


@pytest.mark.parametrize("how", ["get", "pop"])
def test_a_ref_is_there_as_long_as_somebody_holds_it(how: str) -> None:
    former = FormerRefs()
    held, gone = put(former, "held"), put(former, "gone")
    assert getattr(former, how)("held") is held
    assert (former.get("held") is held) is (how == "get")
    del gone
    gc.collect()
    assert getattr(former, how)("gone") is None
    assert getattr(former, how)("never was") is None


def test_who_had_an_id_last_is_kept() -> None:
    former = FormerRefs()
    first, second = put(former, "a"), put(former, "a")
    assert former.get("a") is second is not first


@pytest.mark.parametrize("holding", [0, SLACK, 100])
def test_what_is_gone_does_not_add_up_and_leaves_many_at_once(holding: int) -> None:
    former = FormerRefs()
    held = [put(former, f"held-{index}") for index in range(holding)]
    lengths = []
    for index in range(10_000):
        put(former, f"gone-{index}")
        lengths.append(len(former))
    assert max(lengths) == 2 * holding + SLACK
    assert [former.get(f"held-{index}") for index in range(holding)] == held
