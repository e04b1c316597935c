"""Signals, as members of a JSON object: what is set, and nothing else.

Data is plain data: an instance of a class is written as what it is made of, and the schema of the
route that takes the signal makes it anew.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, final

from trido.agents.codec.coder import Coder, misfit
from trido.agents.codec.errors import Misfit
from trido.agents.codec.text import members
from trido.agents.errors import InvalidSignal
from trido.agents.frozen import EMPTY
from trido.agents.plain import plain
from trido.agents.shapes import decode
from trido.agents.signal import Signal
from trido.errors import SpecError

MEMBERS: Final = frozenset({"type", "data", "id", "source", "time", "attributes"})
_BYTES: Final = "bytes"
_TIME: Final = "time"


def dump_plain(value: object, path: str = "") -> Any:
    """``value`` as plain data. Raises `Misfit`."""
    try:
        return plain(value, path, finite=False)
    except InvalidSignal as error:
        raise Misfit(error.rule, error.path) from None


def dump_signal(signal: Signal) -> dict[str, Any]:
    """The members of a signal. Raises `Misfit`."""
    said: dict[str, Any] = {"type": signal.type}
    if signal.data is not None:
        said["data"] = dump_plain(signal.data, ".data")
    said.update(dump_stamp(signal))
    return said


def dump_stamp(signal: Signal) -> dict[str, Any]:
    """The members of a signal but for its type and its data: most have none."""
    said: dict[str, Any] = {}
    if signal.id is not None:
        said["id"] = signal.id
    if signal.source is not None:
        said["source"] = signal.source
    if signal.time is not None:
        said["time"] = signal.time.isoformat()
    if signal.attributes:
        said["attributes"] = {
            name: _attribute(one) for name, one in sorted(signal.attributes.items())
        }
    return said


def load_signal(said: Mapping[str, Any]) -> Signal:
    """The signal that has these members. Raises `Misfit`."""
    attributes = said.get("attributes", EMPTY)
    if not isinstance(attributes, Mapping):
        raise Misfit("expected an object", ".attributes")
    try:
        return Signal(
            said.get("type"),  # type: ignore[arg-type]  # it looks itself
            said.get("data"),
            id=said.get("id"),
            source=said.get("source"),
            time=_time(said["time"]) if "time" in said else None,
            attributes={name: _load_attribute(one) for name, one in attributes.items()},
        )
    except SpecError as error:
        raise Misfit(f"expected {error.allowed}", f".{error.field}") from None
    except (ValueError, TypeError):
        raise Misfit("expected the members of a signal") from None


def _time(text: Any) -> datetime:
    return datetime.fromisoformat(text)


def _attribute(value: Any) -> Any:
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return {_TIME: value.isoformat()}
    return value


def _load_attribute(said: Any) -> Any:
    if not isinstance(said, Mapping):
        return said
    ((kind, text),) = said.items()
    return _time(text) if kind == _TIME else decode(text)


@final
class SignalCoder(Coder):
    """A signal that is part of a value."""

    __slots__ = ()

    def __init__(self, cls: type) -> None:
        super().__init__(cls.__name__, None)

    def dump(self, value: Any) -> Any:
        """Its members."""
        if not isinstance(value, Signal):
            raise misfit(self.name, value)
        return dump_signal(value)

    def load(self, data: Any) -> Any:
        """The signal that has them."""
        return load_signal(members(data, MEMBERS))
