"""The rules of supervision that fit in tables. Pure: see `trido.supervision.decision`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from attrs import frozen

from trido.supervision import errors
from trido.supervision.policy import Restart
from trido.values import ByFields

State: TypeAlias = Literal[
    "stopped", "starting", "running", "restarting", "stopping", "zombie", "parked", "removed"
]
Trigger: TypeAlias = Literal[
    "start", "ready", "retry", "stop", "unkillable", "end", "park", "remove"
]

LIFECYCLE: Final[dict[State, dict[Trigger, State]]] = {
    "stopped": {"start": "starting", "remove": "removed"},
    "starting": {
        "ready": "running",
        "stop": "stopping",
        "retry": "restarting",
        "unkillable": "zombie",
        "end": "stopped",
        "remove": "removed",
    },
    "running": {
        "stop": "stopping",
        "retry": "restarting",
        "unkillable": "zombie",
        "end": "stopped",
        "remove": "removed",
    },
    "restarting": {
        "ready": "running",
        "unkillable": "zombie",
        "end": "stopped",
        "park": "parked",
        "remove": "removed",
    },
    "stopping": {
        "retry": "restarting",
        "unkillable": "zombie",
        "end": "stopped",
        "remove": "removed",
    },
    "zombie": {"retry": "restarting", "end": "stopped", "remove": "removed"},
    "parked": {"start": "starting", "end": "stopped", "remove": "removed"},
    "removed": {},
}
"""The life of a place. The diagram in the documentation is drawn from this."""


@frozen(eq=False, repr=False)
class Rule(ByFields):
    """What an end that nobody asked for does."""

    reported: bool
    restarted: bool


ENDS: Final[dict[tuple[Restart, Literal["normal", "crashed"]], Rule]] = {
    ("permanent", "normal"): Rule(reported=True, restarted=True),
    ("permanent", "crashed"): Rule(reported=True, restarted=True),
    ("transient", "normal"): Rule(reported=False, restarted=False),
    ("transient", "crashed"): Rule(reported=True, restarted=True),
    ("temporary", "normal"): Rule(reported=False, restarted=False),
    ("temporary", "crashed"): Rule(reported=True, restarted=False),
}

Asked: TypeAlias = Literal["start_child", "restart_child", "delete_child", "stop_child"]
_Named: TypeAlias = Callable[[str], errors.TridoError]

_RUNS: Final[tuple[State, ...]] = ("starting", "running", "stopping", "zombie")

REFUSALS: Final[dict[Asked, dict[State, _Named]]] = {
    "start_child": {
        **dict.fromkeys(_RUNS, errors.ChildAlreadyStarted),
        **dict.fromkeys(("restarting", "stopped", "parked"), errors.ChildAlreadyPresent),
    },
    "restart_child": {
        **dict.fromkeys(_RUNS, errors.ChildRunning),
        "restarting": errors.ChildRestarting,
    },
    "delete_child": {
        **dict.fromkeys(_RUNS, errors.ChildRunning),
        "restarting": errors.ChildRestarting,
    },
    "stop_child": {},
}
"""Which request is refused in which state, and with what."""

ACTIVE: Final[frozenset[State]] = frozenset({"running", "stopping", "zombie"})
UP: Final[frozenset[State]] = frozenset({"starting", "running", "restarting", "stopping", "zombie"})
"""The states that keep an ``all_significant`` supervisor going."""
