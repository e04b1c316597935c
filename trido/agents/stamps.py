"""Stamps: what a signal is given when it is sent, from an id, a clock and a cause in hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from attrs import evolve

from trido.agents.signal import Signal

T = TypeVar("T", bound=Signal)


def stamped(signal: T, *, id: str, source: str, time: datetime) -> T:
    """``signal`` with its id, source and time filled in: those that it has not set itself."""
    if signal.id is not None and signal.source is not None and signal.time is not None:
        return signal
    return evolve(
        signal, id=signal.id or id, source=signal.source or source, time=signal.time or time
    )


def caused_by(emitted: T, cause: Signal) -> T:
    """``emitted`` with what it takes over from the signal that caused it.

    ``causationid`` is the id of the cause, ``correlationid`` the one of the cause or else its id,
    and the trace goes on. What ``emitted`` sets itself stays, and so does a trace that it begins.
    """
    taken = {**_inherited(emitted, cause), **emitted.attributes}
    return evolve(emitted, attributes=taken) if taken != emitted.attributes else emitted


def _inherited(emitted: Signal, cause: Signal) -> dict[str, Any]:
    found = {
        "causationid": cause.id,
        "correlationid": cause.attributes.get("correlationid", cause.id),
        **({} if "traceparent" in emitted.attributes else _trace(cause.attributes)),
    }
    return {name: value for name, value in found.items() if value is not None}


def _trace(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: attributes.get(name) for name in ("traceparent", "tracestate")}
