"""Moments as whole microseconds since 1970, UTC: they compare exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from trido.agents.codec.coder import misfit
from trido.agents.codec.errors import Misfit

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """A moment, which has a time zone, as a number."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(number: Any) -> datetime:
    """The moment that a number says, in UTC. Raises `Misfit` if it says none."""
    if type(number) is not int:
        raise misfit("a number of microseconds", number)
    try:
        return _EPOCH + timedelta(microseconds=number)
    except OverflowError:
        raise Misfit("expected a number of microseconds before the year 10000") from None
