"""Answers to calls, as they are kept with the input that they answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trido.agents.codec.errors import Misfit
from trido.agents.codec.signals import dump_plain
from trido.agents.codec.state import StateCodec
from trido.agents.codec.text import members, read, write
from trido.agents.frozen import freeze

_REPLY: Final = frozenset({"state", "value"})


def dump_reply(codec: StateCodec[Any], value: object, fields: Mapping[str, bytes] | None) -> bytes:
    """An answer. Raises `Misfit`, or `Unencodable` if it is a state."""
    if type(value) is not codec.definition.state.cls:
        return write({"value": dump_plain(value)})
    whole = codec.encode(value) if fields is None else fields
    # The fields are JSON already.
    parts = [write(name) + b":" + data for name, data in whole.items()]
    return b'{"state":{' + b",".join(parts) + b"}}"


def load_reply(codec: StateCodec[Any], data: bytes) -> Any:
    """The answer. Raises `Misfit`, or what `StateCodec.load` does."""
    said = members(read(data), _REPLY)
    if len(said) != 1:
        raise Misfit("expected a state or a value")
    if "value" in said:
        return freeze(said["value"])
    if not isinstance(said["state"], dict):
        raise Misfit("expected the fields of a state", ".state")
    return codec.load(said["state"])
