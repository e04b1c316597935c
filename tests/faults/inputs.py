"""What Hypothesis draws for the decision: supervisors, children, and how runs end."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

import trido
from trido.supervision.messages import End
from trido.supervision.policy import BRUTAL_KILL, Backoff, ChildPolicy
from trido.supervision.records import Settings

IDS = ("a", "b", "c", "d", "e")
PAUSES = st.sampled_from([0.0, 0.0, 0.0, 0.0, 0.25, 0.5, 1.0, 1.0, 2.0])
"""Much happens in one instant, and the rest at times that make sums of them collide."""


def _limits() -> dict[str, Any]:
    return {
        "max_restarts": st.sampled_from([3, 1, 0, 2, 10, 10, math.inf]),
        "max_seconds": st.sampled_from([5.0, 1.0, 2.0]),
        "max_consecutive": st.sampled_from([None, None, None, 0, 1, 3]),
        "shutdown_timeout": st.sampled_from([math.inf, 0.0, 1.5]),
    }


_STATIC = st.builds(
    Settings,
    path=st.just(("root",)),
    strategy=st.sampled_from(["one_for_all", "rest_for_one", "one_for_one"]),
    auto_shutdown=st.sampled_from(["never", "any_significant", "all_significant"]),
    **_limits(),
)
_DYNAMIC = st.builds(
    Settings,
    path=st.just(("root", "crew")),
    dynamic=st.just(value=True),
    max_children=st.sampled_from([math.inf, 2]),
    **_limits(),
)
SETTINGS = st.one_of(_STATIC, _STATIC, _STATIC, _DYNAMIC)

_BACKOFFS = st.builds(
    Backoff,
    min=st.sampled_from([0.5, 1.0]),
    max=st.just(2.0),
    jitter=st.sampled_from([0.0, 0.5]),
    reset_after=st.sampled_from([1.0, 1.0, 2.0, math.inf]),
)


@functools.cache
def _policies(*, significance: bool, parking: bool) -> st.SearchStrategy[ChildPolicy]:
    return st.builds(
        _policy,
        significant=st.booleans() if significance else st.just(value=False),
        kind=st.sampled_from(["worker", "worker", "worker", "supervisor"]),
        restart=st.sampled_from(["permanent", "transient", "permanent", "transient", "temporary"]),
        shutdown=st.sampled_from([5.0, 1.0, 0, math.inf, BRUTAL_KILL]),
        start_timeout=st.sampled_from([math.inf, math.inf, 2.0, 0.5, 0]),
        backoff=st.one_of(st.none(), _BACKOFFS),
        on_limit=st.sampled_from(["park", "escalate"] if parking else ["escalate"]),
        restart_on=st.sampled_from([(Exception,), (Exception,), (Exception,), (ValueError,), ()]),
        escalate_on=st.sampled_from([(), (), (KeyError,)]),
    )


def _policy(*, significant: bool, **fields: Any) -> ChildPolicy:
    return ChildPolicy(significant=significant and fields["restart"] != "permanent", **fields)


def policies(of: Settings) -> st.SearchStrategy[ChildPolicy]:
    """Of a child that such a supervisor may have."""
    return _policies(significance=of.auto_shutdown != "never", parking=of.strategy == "one_for_one")


def _gave_up() -> BaseException:
    error = trido.RestartLimitExceeded("inner", "w", "crashed too often")
    error.__cause__ = ValueError("w")
    return error


CRASHES: dict[str, Callable[[], Exception]] = {
    "value": lambda: ValueError("broken"),
    "key": lambda: KeyError("broken"),
    "group": lambda: ExceptionGroup("two", [ValueError("one"), KeyError("two")]),
    "other": lambda: ExceptionGroup("two", [ValueError("one"), OSError("two")]),
    "nested": lambda: trido.StartFailed("w", ValueError("w")),
    "leaked": lambda: trido.LeakedCancelled("leaked"),
}
ENDS: dict[str, Callable[[], End]] = {
    "returns": lambda: End("normal"),
    "shuts down": lambda: End("normal", trido.Shutdown("done")),
    "gives up": lambda: End("normal", _gave_up()),
    "ignored": lambda: End("ignored", trido.Ignore()),
    "escalates": lambda: End("escalated", trido.Escalate("help")),
    "fatal": lambda: End("fatal", KeyboardInterrupt()),
    "stopped": lambda: End("stopped"),
    "killed": lambda: End("killed"),
}
OWN_WAYS = st.sampled_from(
    ["value", "value", "value", "returns", *CRASHES, "shuts down", "gives up"]
)
"""How a run may end of its own accord; `ENDS` that stop everything are drawn more rarely."""
ANY_WAY = st.sampled_from([*CRASHES, *ENDS])
GRAVE_WAYS = st.sampled_from(["escalates", "fatal"])


def end(how: str) -> End:
    return End("crashed", CRASHES[how]()) if how in CRASHES else ENDS[how]()
