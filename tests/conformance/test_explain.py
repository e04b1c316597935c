"""explain(): what a crash would do, without running anything."""

from __future__ import annotations

from typing import Literal

import pytest

import trido
from tests.conformance.stage import spec

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]


def plan(
    root: trido.SupervisorSpec, crash: str
) -> tuple[tuple[str, ...], tuple[str, ...], bool, bool]:
    told = trido.explain(root, crash=crash)
    assert trido.explain(root, crash=crash) == told
    return told.stops, told.starts, told.counted, told.gives_up


@pytest.mark.parametrize(
    ("strategy", "stops", "starts"),
    [
        ("one_for_one", (), ("b",)),
        ("one_for_all", ("c", "a"), ("a", "b", "c")),
        ("rest_for_one", ("c",), ("b", "c")),
    ],
)
def test_each_strategy(strategy: Strategy, stops: tuple[str, ...], starts: tuple[str, ...]) -> None:
    root = trido.SupervisorSpec(spec("a"), spec("b"), spec("c"), strategy=strategy)
    assert plan(root, "b") == (stops, starts, True, False)


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_a_temporary_child_is_not_restarted(strategy: Strategy) -> None:
    root = trido.SupervisorSpec(
        spec("a"), spec("t", restart="temporary"), spec("c"), strategy=strategy
    )
    assert plan(root, "t") == ((), (), False, False)


def test_temporary_siblings_do_not_come_back() -> None:
    root = trido.SupervisorSpec(
        spec("a"), spec("t", restart="temporary"), spec("c"), strategy="one_for_all"
    )
    assert plan(root, "a") == (("c", "t"), ("a", "c"), True, False)


def test_over_the_limit() -> None:
    root = trido.SupervisorSpec(spec("a"), spec("b"), spec("c"), max_restarts=0)
    assert plan(root, "b") == (("c", "a"), (), True, True)


def test_auto_shutdown_stops_the_others() -> None:
    root = trido.SupervisorSpec(
        spec("a"),
        spec("s", restart="temporary", significant=True),
        spec("c"),
        auto_shutdown="any_significant",
    )
    assert plan(root, "s") == (("c", "a"), (), False, False)


def test_nested_by_path_and_by_id() -> None:
    inner = trido.SupervisorSpec(
        spec("v"), spec("w"), spec("x"), id="inner", strategy="rest_for_one"
    )
    root = trido.SupervisorSpec(spec("a"), inner, strategy="one_for_all")
    expected = (("inner/x",), ("inner/w", "inner/x"), True, False)
    assert plan(root, "inner/w") == expected
    assert plan(root, "w") == expected


def test_a_nested_limit_is_the_outer_supervisor_s_affair() -> None:
    inner = trido.SupervisorSpec(spec("v"), spec("w"), id="inner", max_restarts=0)
    root = trido.SupervisorSpec(spec("a"), inner, spec("z"), strategy="rest_for_one")
    stops, starts, counted, gives_up = plan(root, "inner/w")
    assert stops == ("inner/v", "z")
    assert starts == ("inner/v", "inner/w", "inner", "z")
    assert counted
    assert gives_up


def test_a_group_restart_goes_through_nested_supervisors() -> None:
    inner = trido.SupervisorSpec(spec("x"), spec("y"), id="inner")
    root = trido.SupervisorSpec(spec("a"), inner, strategy="one_for_all")
    assert plan(root, "a") == (
        ("inner/y", "inner/x", "inner"),
        ("a", "inner/x", "inner/y", "inner"),
        True,
        False,
    )


def test_a_crash_of_a_supervisor_itself() -> None:
    inner = trido.SupervisorSpec(spec("x"), id="inner", restart="transient")
    root = trido.SupervisorSpec(spec("a"), inner)
    _, starts, counted, gives_up = plan(root, "inner")
    assert starts == ("inner/x", "inner")
    assert (counted, gives_up) == (True, False)


def test_a_child_that_is_not_there() -> None:
    root = trido.SupervisorSpec(spec("a"))
    with pytest.raises(trido.ChildNotFound):
        trido.explain(root, crash="nobody")
    with pytest.raises(trido.ChildNotFound):
        trido.explain(root, crash="a/below")


def test_it_prints_as_a_drawing() -> None:
    inner = trido.SupervisorSpec(spec("w"), id="inner", max_restarts=0)
    root = trido.SupervisorSpec(spec("a"), inner, id="top")
    drawing = str(trido.explain(root, crash="inner/w"))
    lines = drawing.splitlines()
    assert len(lines) == 4
    for line, word in zip(lines, ["top", "a", "inner", "w"], strict=True):
        assert word in line
    assert "crash" in lines[3]
