"""What is written as a text, and how that is read again as what it was."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from trido.agents import shapes
from trido.agents.address import Address, AgentId
from trido.agents.codec.errors import Misfit

_MICROSECOND: Final = timedelta(microseconds=1)
_ZONES: Final = "expected no time zone, one of a fixed offset, or a zoneinfo.ZoneInfo of a name"


def _datetime(moment: datetime) -> str:
    """In ISO format; in a zone by what its clocks show, which is what it is calculated with."""
    zone: Any = moment.tzinfo
    if zone is None or type(zone) is timezone:
        return moment.isoformat()
    if type(zone) is not ZoneInfo or not zone.key:
        raise Misfit(_ZONES)
    return f"{moment.replace(tzinfo=None).isoformat()}[{zone.key}]{moment.fold or ''}"


def _read_datetime(text: str) -> datetime:
    shown, bracket, zone = text.partition("[")
    moment = datetime.fromisoformat(shown)
    if not bracket:
        return moment
    key, _, fold = zone.rpartition("]")  # what has none is cut off
    return moment.replace(tzinfo=ZoneInfo(key), fold=int(fold or 0))


def _time(value: time) -> str:
    if value.tzinfo is not None and type(value.tzinfo) is not timezone:
        raise Misfit("expected no time zone, or one of a fixed offset")
    return value.isoformat()


TEXTS: Final[dict[type, tuple[Callable[[Any], str], Callable[[str], Any]]]] = {
    datetime: (_datetime, _read_datetime),
    date: (date.isoformat, date.fromisoformat),
    time: (_time, time.fromisoformat),
    timedelta: (
        lambda value: str(value // _MICROSECOND),
        lambda text: timedelta(microseconds=int(text)),
    ),
    UUID: (str, UUID),
    Decimal: (str, Decimal),
    bytes: (lambda value: base64.b64encode(value).decode(), shapes.decode),
}
"""By the very type, for a subclass would come back as another."""

ADDRESS: Final[tuple[Callable[[Address], str], Callable[[str], Address]]] = (
    lambda address: address.id,
    AgentId,
)
"""Whatever kind of address it is: it comes back as one that names the same agent."""
