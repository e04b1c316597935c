"""CloudEvents as JSON: one event (structured mode), or an array of them (batch mode).

An event is its attributes and its data. What a `Signal` calls what is its own affair.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from trido.agents import attributes as rules
from trido.agents import jsontext
from trido.agents.errors import InvalidSignal
from trido.agents.plain import plain

Attributes = dict[str, Any]
Event = tuple[Attributes, Any]
"""Attributes, all that are set but the version, and data."""

VERSION: Final = "1.0"
_REQUIRED: Final = ("type", "id", "source")


def write(attributes: Mapping[str, Any], data: object) -> bytes:
    """An event as JSON. Raises `InvalidSignal`."""
    return jsontext.write(_members(attributes, data))


def write_batch(events: Iterable[Event]) -> bytes:
    """Events as one JSON array. Raises `InvalidSignal`."""
    found = []
    for at, (attributes, data) in enumerate(events):
        try:
            found.append(write(attributes, data))
        except InvalidSignal as error:
            raise _at(at, error) from error
    return b"[%b]" % b",".join(found)


def read(data: object, *, max_bytes: float, depth: int) -> Event:
    """The event that JSON says. Raises `InvalidSignal`."""
    text = jsontext.text_of(data, max_bytes=max_bytes)
    return _event(jsontext.read(text, depth=depth))


def read_batch(data: object, *, max_bytes: float, depth: int) -> list[Event]:
    """The events that a JSON array says, all or none. Raises `InvalidSignal`."""
    text = jsontext.text_of(data, max_bytes=max_bytes)
    batch = jsontext.read(text, depth=depth + 1)
    if not isinstance(batch, list):
        raise InvalidSignal("$", f"expected an array of events, got {type(batch).__name__}")
    events = []
    for at, one in enumerate(batch):
        try:
            events.append(_event(one))
        except InvalidSignal as error:
            raise _at(at, error) from error
    return events


def _at(index: int, error: InvalidSignal) -> InvalidSignal:
    return InvalidSignal(f"$[{index}]{error.path[1:]}", error.rule)


def check_complete(attributes: Mapping[str, Any]) -> None:
    """Raise `InvalidSignal` unless an event with these attributes can be written."""
    for name in _REQUIRED:
        if attributes.get(name) is None:
            raise InvalidSignal(
                f"$.{name}",
                f"CloudEvents requires it, and a signal that nobody stamped has none;"
                f" set it: attrs.evolve(signal, {name}=...)",
            )
        _check(name, attributes[name])


def check_attributes(found: Mapping[str, Any]) -> Attributes:
    """The attributes that were found in a message, less what is null.

    Raises:
      InvalidSignal: one is missing, or is not what it may be.
    """
    said = {name: value for name, value in found.items() if value is not None}
    version = said.pop("specversion", None)
    if version != VERSION:
        raise InvalidSignal("$.specversion", f"expected {VERSION!r}")
    for name in _REQUIRED:
        if not isinstance(said.get(name), str):
            raise InvalidSignal(f"$.{name}", "expected a non-empty string; CloudEvents requires it")
    for name, value in said.items():
        if name not in _REQUIRED and name != "time" and not rules.may_be_called(name):
            raise InvalidSignal(f"$[{name[:50]!r}]", f"expected {rules.NAMES}")
        _check(name, value)
    if "time" in said:
        said["time"] = rules.read_timestamp(said["time"])
    return said


def _check(name: str, value: object) -> None:
    rule = rules.rule(name, value)
    if rule is not None:
        raise InvalidSignal(f"$.{name}", f"expected {rule}")


def is_json(content_type: str | None) -> bool:
    """Whether data of this media type is JSON, as data of no type at all is."""
    if content_type is None:
        return True
    subtype = content_type.partition(";")[0].strip().lower().partition("/")[2]
    return subtype == "json" or subtype.endswith("+json")


def not_text(content_type: str | None, data: object) -> InvalidSignal:
    """The error for data that is neither JSON nor anything that could be sent as it is."""
    rule = f"expected text or bytes, as {content_type} is no JSON; got {type(data).__name__}"
    return InvalidSignal("$.data", rule)


def _members(attributes: Mapping[str, Any], data: object) -> dict[str, Any]:
    check_complete(attributes)
    said = {name: _member(value) for name, value in attributes.items() if value is not None}
    return {"specversion": VERSION, **said, **_data(attributes.get("datacontenttype"), data)}


def _member(value: object) -> object:
    return rules.as_text(value) if isinstance(value, bytes | datetime) else value


def _data(content_type: str | None, data: object) -> dict[str, Any]:
    if data is None:
        return {}
    if isinstance(data, bytes):
        return {"data_base64": base64.b64encode(data).decode()}
    if is_json(content_type):
        return {"data": plain(data)}
    if isinstance(data, str):
        return {"data": data}
    raise not_text(content_type, data)


def _event(members: object) -> Event:
    if not isinstance(members, dict):
        raise InvalidSignal("$", f"expected an object, got {type(members).__name__}")
    data = members.pop("data", None)
    encoded = members.pop("data_base64", None)
    attributes = check_attributes(members)
    if encoded is not None:
        return attributes, _decoded(encoded, data)
    content_type = attributes.get("datacontenttype")
    if data is None or is_json(content_type) or isinstance(data, str):
        return attributes, data
    raise not_text(content_type, data)


def _decoded(encoded: object, data: object) -> bytes:
    if data is not None:
        raise InvalidSignal("$.data_base64", "expected either data or data_base64")
    try:
        if isinstance(encoded, str):
            return base64.b64decode(encoded, validate=True)
    except ValueError:
        pass
    raise InvalidSignal("$.data_base64", "expected a string in base64")
