"""What `explain` finds, draws and says, to the letter."""

from __future__ import annotations

from typing import Any

import pytest

import trido


async def work() -> None: ...


def child(id: str, **fields: Any) -> trido.ChildSpec[Any]:
    return trido.ChildSpec(work, id=id, **fields)


def pair(id: str, **fields: Any) -> trido.SupervisorSpec:
    return trido.SupervisorSpec(child("w"), child("x"), id=id, **fields)


INNER = trido.SupervisorSpec(
    child("b"), child("w"), child("d"), id="inner", strategy="rest_for_one"
)
TREE = trido.SupervisorSpec(child("a"), INNER, child("z"), strategy="one_for_all")
TWINS = trido.SupervisorSpec(trido.SupervisorSpec(child("a"), id="root"), child("a"))
CREW = trido.SupervisorSpec(
    child("a"), trido.DynamicSupervisorSpec(work, id="crew"), strategy="one_for_all"
)


def test_a_drawing_shows_what_stops_and_starts_and_in_which_order() -> None:
    assert str(trido.explain(TREE, "a")).splitlines() == [
        "root [one_for_all]",
        "├── a  <- crashes, is started (1)",
        "├── inner [rest_for_one]  <- is stopped (5), is started (5)",
        "│   ├── b  <- is stopped (4), is started (2)",
        "│   ├── w  <- is stopped (3), is started (3)",
        "│   └── d  <- is stopped (2), is started (4)",
        "└── z  <- is stopped (1), is started (6)",
    ]


@pytest.mark.parametrize(
    "crash", ["w", "inner/w", "root/inner/w", ("inner", "w"), ("root", "inner", "w")]
)
def test_a_child_deeper_down_is_named_by_its_path_or_by_an_id_that_is_nowhere_else(
    crash: str | tuple[str, ...],
) -> None:
    plan = trido.explain(TREE, crash)
    assert (plan.stops, plan.starts) == (("inner/d",), ("inner/w", "inner/d"))
    assert str(plan).splitlines() == [
        "root [one_for_all]",
        "├── a",
        "├── inner [rest_for_one]",
        "│   ├── b",
        "│   ├── w  <- crashes, is started (1)",
        "│   └── d  <- is stopped (1), is started (2)",
        "└── z",
    ]


@pytest.mark.parametrize(
    ("crash", "starts"),
    [("a", "a"), ("root/a", "root/a"), (("root", "root", "a"), "root/a"), (("root",), "root")],
)
def test_a_path_begins_below_the_root_if_it_can(crash: str | tuple[str, ...], starts: str) -> None:
    assert trido.explain(TWINS, crash).starts[-1] == starts


@pytest.mark.parametrize(
    ("spec", "crash", "said"),
    [
        (CREW, "x", "x"),
        (CREW, "b/x", "b/x"),
        (CREW, ("crew", "x"), "crew/x"),
        (CREW, ("inner",), "inner"),
        (CREW, ("x", "a"), "x/a"),
        (CREW, (), ""),
        (trido.SupervisorSpec(pair("p"), pair("q")), "w", "w"),
    ],
)
def test_whoever_is_not_there_or_is_there_twice_is_not_found(
    spec: trido.SupervisorSpec, crash: str | tuple[str, ...], said: str
) -> None:
    with pytest.raises(trido.ChildNotFound) as caught:
        trido.explain(spec, crash)
    assert (caught.value.id, str(caught.value)) == (said, f"there is no child {said!r}")


def test_what_is_no_path_and_no_tree_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^crash is a child's id or path, not 5$"):
        trido.explain(TREE, 5)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(trido.SpecError) as caught:
        trido.explain(work, "a")  # type: ignore[arg-type]  # wrong on purpose
    assert (caught.value.field, caught.value.value) == ("spec", work)


def test_a_permanent_supervisor_that_gives_up_is_restarted_by_the_one_above() -> None:
    spec = trido.SupervisorSpec(
        child("a"), pair("inner", max_restarts=0), child("z"), strategy="rest_for_one"
    )
    plan = trido.explain(spec, "w")
    assert (plan.counted, plan.gives_up) == (True, True)
    assert str(plan).splitlines() == [
        "root [rest_for_one]",
        "├── a",
        "├── inner [one_for_one]  <- gives up, is started (3)",
        "│   ├── w  <- crashes, is started (1)",
        "│   └── x  <- is stopped (1), is started (2)",
        "└── z  <- is stopped (2), is started (4)",
    ]


def test_a_transient_supervisor_that_gives_up_stays_down_and_its_siblings_up() -> None:
    inner = pair("inner", max_restarts=0, restart="transient")
    plan = trido.explain(trido.SupervisorSpec(inner, child("z"), strategy="one_for_all"), "w")
    assert (plan.stops, plan.starts) == (("inner/x",), ())
    assert str(plan).splitlines() == [
        "root [one_for_all]",
        "├── inner [one_for_one]  <- gives up",
        "│   ├── w  <- crashes",
        "│   └── x  <- is stopped (1)",
        "└── z",
    ]


@pytest.mark.parametrize("limit", [{"max_restarts": 0}, {"max_consecutive": 0}])
def test_a_root_gives_up_by_either_of_its_limits(limit: dict[str, Any]) -> None:
    plan = trido.explain(trido.SupervisorSpec(child("a"), child("b"), **limit), "a")
    assert (plan.counted, plan.gives_up) == (True, True)
    assert str(plan).splitlines() == [
        "root [one_for_one]  <- gives up",
        "├── a  <- crashes",
        "└── b  <- is stopped (1)",
    ]


def test_a_dynamic_supervisor_that_crashes_is_a_child_like_any_other() -> None:
    assert str(trido.explain(CREW, "crew")).splitlines() == [
        "root [one_for_all]",
        "├── a  <- is stopped (1), is started (1)",
        "└── crew [one_for_one]  <- crashes, is started (2)",
    ]
    with pytest.raises(trido.ChildNotFound):
        trido.explain(trido.DynamicSupervisorSpec(work, id="crew"), "x")


def test_a_crash_that_changes_nothing_is_not_counted() -> None:
    spec = trido.SupervisorSpec(child("t", restart="temporary"), child("a"))
    plan = trido.explain(spec, "t")
    assert (plan.stops, plan.starts, plan.counted, plan.gives_up) == ((), (), False, False)
    assert str(plan).splitlines() == ["root [one_for_one]", "├── t  <- crashes", "└── a"]
