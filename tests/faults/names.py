"""What signals and directives are called, and what is said of them by that."""

from __future__ import annotations

from typing import Any, Final

import trido
from tests.faults import orders
from tests.faults.orders import Job, Order
from tests.faults.records import Parcel
from trido.agents.running import RunFailed

ERRANDS: Final = (
    orders.Send,
    orders.News,
    orders.Errand,
    orders.Work,
    orders.Spawn,
    orders.Dismiss,
    orders.Watch,
)
CAPACITY: Final = 2
"""So much room an outbox has here."""
RESTARTS: Final = 3
"""So often an agent is restarted here before it is parked."""


def is_deferred(parcel: Parcel) -> bool:
    deeds = parcel.order.deeds
    return parcel.is_call and orders.Defer() in deeds and orders.Say() not in deeds


def name_of(signal: Any, agent: str) -> str | None:
    """What a signal to this agent is called; None for what the runtime tells."""
    data = signal.data
    if isinstance(data, RunFailed):
        return f"{data.params.name}.error"
    if isinstance(data, Job):
        return data.name
    if not isinstance(data, Order):
        return data["name"] if hasattr(data, "keys") else None
    if signal.type == "news.do":
        return f"{data.name}>{agent}"
    if signal.id is not None and "/" in signal.id:
        return f"{data.name}@{signal.id.rpartition('/')[2]}"
    return data.name


def name_of_directive(directive: Any) -> str:
    match directive:
        case orders.Charge(job=job):
            return job.name
        case trido.Run(params=params):
            return str(params.name)
        case trido.Emit(signal=signal) if isinstance(signal.data, Job | Order):
            return signal.data.name
        case _:
            return ""
