"""Specs of children, and trees of them: all that can be said, and nothing that is refused."""

from __future__ import annotations

import math
from typing import Any, Final, cast

import trio
from attrs import evolve
from hypothesis import strategies as st

from trido.checks import count
from trido.errors import SpecError
from trido.supervision import BRUTAL_KILL, Backoff, ChildSpec, Spec, SupervisorSpec

_RESTART: Final = st.sampled_from(["permanent", "transient", "temporary"])
_BACKOFF: Final = st.builds(
    Backoff, min=st.sampled_from([0.5, 2.0]), max=st.just(4.0), reset_after=st.just(60.0)
)
_CHILD: Final[dict[str, st.SearchStrategy[Any]]] = {
    "restart": _RESTART,
    "shutdown": st.sampled_from([5.0, 0, BRUTAL_KILL, 0.5]),
    "start_timeout": st.sampled_from([math.inf, 1.0]),
    "significant": st.booleans(),
    "backoff": st.none() | _BACKOFF,
    "on_limit": st.sampled_from(["escalate", "park"]),
}
_SUPERVISOR: Final[dict[str, st.SearchStrategy[Any]]] = {
    "strategy": st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
    "max_restarts": st.sampled_from([3, 0, 1, 6, math.inf]),
    "max_seconds": st.sampled_from([5.0, 1.0]),
    "max_consecutive": st.sampled_from([None, 1, 2]),
    "auto_shutdown": st.sampled_from(["never", "any_significant", "all_significant"]),
    "restart": _RESTART,
    "shutdown": st.sampled_from([math.inf, 1.0]),
    "significant": st.booleans(),
}


async def idle() -> None:
    """Do nothing, until asked to stop."""
    await trio.sleep_forever()


def child_specs(
    fn: Any = idle, *args: Any, id: str | None = None, **options: Any
) -> st.SearchStrategy[ChildSpec[Any]]:
    """Specs of ``fn(*args)``, with whatever a spec can say of it. They shrink to the plain one.

    Args:
      fn: an async function; without one, a child that waits to be stopped.
      args: what it is called with.
      id: as for `ChildSpec`.
      options: what is not to be drawn, as for `ChildSpec`.

    Raises:
      SpecError: the function or an option is not what it may be.
    """
    plain: Any = ChildSpec(fn, *args, id=id, **options)
    drawn = st.fixed_dictionaries(
        {}, optional={name: one for name, one in _CHILD.items() if name not in options}
    )
    return drawn.map(lambda given: evolve(plain, **_allowed(plain, given)))


def supervisor_trees(
    children: st.SearchStrategy[Any] | None = None,
    *,
    max_children: int = 3,
    depth: int = 3,
    **options: Any,
) -> st.SearchStrategy[SupervisorSpec]:
    """Trees of supervisors over ``children``, with whatever can be said of them.

    Ids are made different where they are not, as ``name``, ``name-2`` …; what a supervisor would
    refuse of a child is left out. They shrink to one supervisor of one child.

    Args:
      children: a strategy of specs, of functions or agents; without one, `child_specs`.
      max_children: how many a supervisor has at most.
      depth: how many supervisors may stand above one another.
      options: what is not to be drawn of the supervisors, as for `SupervisorSpec`.

    Raises:
      SpecError: one of these is not what it may be.
    """
    count("supervisor_trees", "max_children", max_children, least=1, infinite=False)
    count("supervisor_trees", "depth", depth, least=1, infinite=False)
    if not (children is None or isinstance(children, st.SearchStrategy)):
        raise SpecError("children", children, "a strategy of specs", of="supervisor_trees")
    SupervisorSpec(**_named(options, 1))
    leaf: st.SearchStrategy[Any] = child_specs() if children is None else children
    tree = _supervisors(leaf, max_children, _named(options, depth))
    for level in range(depth - 1, 0, -1):
        tree = _supervisors(leaf | tree, max_children, _named(options, level))
    return tree


def _named(options: dict[str, Any], level: int) -> Any:
    return {"id": f"level-{level}", **options}


def _supervisors(
    children: st.SearchStrategy[Any], most: int, options: dict[str, Any]
) -> st.SearchStrategy[SupervisorSpec]:
    drawn = {name: one for name, one in _SUPERVISOR.items() if name not in options}
    return st.builds(
        _supervisor,
        st.lists(children, min_size=1, max_size=most),
        st.fixed_dictionaries({}, optional=drawn),
        st.just(options),
    )


def _supervisor(children: list[Spec[Any]], drawn: dict[str, Any], options: Any) -> SupervisorSpec:
    plain = SupervisorSpec(**options)
    empty: Any = evolve(plain, **_allowed(plain, drawn))
    seen: dict[str, int] = {}
    return cast(
        "SupervisorSpec",
        evolve(empty, children=tuple(_fitting(one, empty, seen) for one in children)),
    )


def _allowed(plain: Any, given: dict[str, Any]) -> dict[str, Any]:
    """No permanent child is significant: it never ends for good."""
    if given.get("restart", plain.restart) != "permanent":
        return given
    return {name: one for name, one in given.items() if name != "significant"}


def _fitting(spec: Any, under: SupervisorSpec, seen: dict[str, int]) -> Any:
    """The spec as a child of a supervisor that has already seen some."""
    id = spec.child_id
    seen[id] = seen.get(id, 0) + 1
    changes: dict[str, Any] = {"id": id if seen[id] == 1 else f"{id}-{seen[id]}"}
    if under.auto_shutdown == "never":
        changes["significant"] = False
    if under.strategy != "one_for_one" and hasattr(spec, "on_limit"):
        changes["on_limit"] = "escalate"
    return evolve(spec, **changes)
