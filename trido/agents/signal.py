"""Signals: what agents are told, as immutable data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Generic, TypeVar, final

from attrs import field, frozen

from trido.agents.frozen import EMPTY, FrozenDict, freeze
from trido.errors import SpecError

D_co = TypeVar("D_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)

_EXTENSION: Final = re.compile(r"[a-z0-9]{1,20}")
_NOT_EXTENSIONS: Final = frozenset({"data", "id", "source", "specversion", "time", "type"})


@frozen(eq=False, repr=False)
class Signal:
    """Something that happened or is wanted: a type, its data, and rarely more.

    It follows CloudEvents 1.0. A new signal is data only: ``id``, ``source`` and ``time`` are not
    set, so two signals of one type with equal data are equal. Dicts, lists and sets in ``data``
    are frozen, all the way down; an instance of a class is taken as it is, never copied.

    Raises:
      SpecError: an attribute is not what it may be.
    """

    type: str
    """What kind of signal it is, in segments: ``"counter.add"``. It decides the route."""
    data: Any = field(default=None, converter=freeze)
    """What it says: an instance of the route's parameter class, or plain data for one."""
    id: str | None = field(default=None, kw_only=True)
    """Names this very signal: two with the same id are one."""
    source: str | None = field(default=None, kw_only=True)
    """Who sent it."""
    time: datetime | None = field(default=None, kw_only=True)
    """When it was sent."""
    attributes: Mapping[str, Any] = field(default=EMPTY, kw_only=True)
    """The rarer CloudEvents attributes (``subject``, ``dataschema`` …) and extensions."""

    def __attrs_post_init__(self) -> None:
        if self.type.__class__ is not str or not self.type:
            raise SpecError("type", self.type, "a non-empty string", of="Signal")
        if self.attributes is not EMPTY:
            object.__setattr__(self, "attributes", _attributes(self.attributes))
        if self.id is not None or self.source is not None or self.time is not None:
            self._check_stamp()

    def _check_stamp(self) -> None:
        stamp: tuple[tuple[str, Any], ...] = (("id", self.id), ("source", self.source))
        for name, value in stamp:
            if value is not None and not (isinstance(value, str) and value):
                raise SpecError(name, value, "a non-empty string or None", of="Signal")
        time: Any = self.time
        if time is not None and not (isinstance(time, datetime) and time.tzinfo is not None):
            raise SpecError("time", time, "a datetime with a time zone or None", of="Signal")

    def __repr__(self) -> str:
        rest = [f"{name}={value!r}" for name, value in zip(_STAMP, self._stamp(), strict=True)]
        said = [text for text in rest if not text.endswith("=None")]
        more = [f"attributes={dict(self.attributes)!r}"] if self.attributes else []
        return f"Signal({', '.join([repr(self.type), repr(self.data), *said, *more])})"

    def _stamp(self) -> tuple[object, ...]:
        return self.id, self.source, self.time

    def _key(self) -> tuple[object, ...]:
        return self.type, self.data, self.id, self.source, self.time, self.attributes

    # Not what attrs would write: a Request is equal to the Signal that says the same.
    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Signal) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())


_STAMP: Final = ("id", "source", "time")


@final
@frozen(eq=False, repr=False)
class Request(Signal, Generic[D_co, R_co]):
    """A signal whose route is known: it carries a ``D``, and a call with it gives an ``R``.

    Made by the ``signal`` method of a handler. It differs from a `Signal` to type checkers only.
    """


def _attributes(attributes: object) -> FrozenDict:
    if not isinstance(attributes, Mapping):
        raise SpecError("attributes", attributes, "a mapping", of="Signal")
    for name in attributes:
        if not (isinstance(name, str) and _EXTENSION.fullmatch(name)) or name in _NOT_EXTENSIONS:
            allowed = (
                "names of 1 to 20 lower-case letters and digits that have no field of their own"
            )
            raise SpecError("attributes", name, allowed, of="Signal")
    return FrozenDict({name: freeze(value) for name, value in attributes.items()})
