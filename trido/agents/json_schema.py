"""JSON Schema 2020-12 of a shape: what JSON data it takes, as far as JSON Schema can say.

Whatever a shape builds from JSON data, its schema accepts. What JSON Schema has no words for, such
as a validator of one's own, only the shape can tell; and ``format`` is a hint, as it is in 2020-12.
"""

from __future__ import annotations

import enum
import re
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from trido.agents.address import Address
from trido.agents.frozen import EMPTY
from trido.agents.schema import Record
from trido.agents.shapes import (
    Array,
    Either,
    Fixed,
    Float,
    Instance,
    OneOf,
    Parsed,
    Shape,
    Table,
    member_text,
)

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema(shape: Shape) -> dict[str, Any]:
    """The schema of the JSON data that ``shape`` takes."""
    writer = _Writer(shape)
    body = writer.record(shape) if isinstance(shape, Record) else writer.write(shape)
    more = {"$defs": writer.definitions} if writer.definitions else {}
    return {"$schema": DIALECT, **body, **more}


class _Writer:
    """Writes the schemas that one shape leads to, those of classes once each."""

    def __init__(self, root: Shape) -> None:
        self.definitions: dict[str, Any] = {}
        # The root stands at the top and not among the definitions: many who read schemas of
        # parameters look for an object there.
        self._references = {id(root): "#"}

    def write(self, shape: Shape) -> dict[str, Any]:  # noqa: PLR0911  # one for each kind
        """The schema of any shape, by reference if it is a class."""
        match shape:
            case Record():
                return self._reference(shape)
            case Float():
                return {"type": "number"}
            case Instance():
                return _instance(shape)
            case Parsed():
                return _parsed(shape.cls)
            case OneOf():
                return _enum([one for one in shape.values if type(one) in _LITERALS])
            case Either():
                return self._either(shape)
            case Array():
                return {"type": "array", "items": self.write(shape.item)}
            case Fixed():
                return self._fixed(shape)
            case Table():
                return self._table(shape)
            case _:  # anything
                return {}

    def record(self, record: Record) -> dict[str, Any]:
        """The schema of a class with fields, in full."""
        fields = {name: self.write(shape) for name, shape in record.arguments.items()}
        required = {"required": list(record.required)} if record.required else {}
        return {
            "title": record.name,
            "type": "object",
            "properties": fields,
            **required,
            "additionalProperties": False,
        }

    def _reference(self, record: Record) -> dict[str, Any]:
        if id(record) not in self._references:
            name = self._free_name(record.name)
            self._references[id(record)] = f"#/$defs/{name}"
            self.definitions[name] = {}  # taken, before it may lead back here
            self.definitions[name] = self.record(record)
        return {"$ref": self._references[id(record)]}

    def _free_name(self, name: str) -> str:
        plain = re.sub(r"\W", "_", name, flags=re.ASCII)
        taken = sum(re.fullmatch(rf"{plain}(_\d+)?", one) is not None for one in self.definitions)
        return f"{plain}_{taken + 1}" if taken else plain

    def _either(self, shape: Either) -> dict[str, Any]:
        members = [self.write(one) for one in shape.shapes]
        possible = [one for one in members if one != _NEVER]
        if not possible:
            return _NEVER
        return {"anyOf": possible} if len(possible) > 1 else possible[0]

    def _fixed(self, shape: Fixed) -> dict[str, Any]:
        items = {"prefixItems": [self.write(one) for one in shape.items]} if shape.items else {}
        size = len(shape.items)
        return {"type": "array", **items, "minItems": size, "maxItems": size}

    def _table(self, shape: Table) -> dict[str, Any]:
        names = self.write(shape.key)
        said = {} if names in ({}, {"type": "string"}) else {"propertyNames": names}
        return {"type": "object", **said, "additionalProperties": self.write(shape.value)}


_NEVER: Final[dict[str, Any]] = {"not": {}}
"""No JSON data will do."""
_LITERALS: Final = frozenset({str, int, bool, type(None)})
_PROBES: Final[tuple[tuple[str, object], ...]] = (
    ("null", None),
    ("boolean", True),
    ("string", ""),
    ("array", ()),
    ("object", EMPTY),
)
_STRINGS: Final[dict[type, dict[str, Any]]] = {
    datetime: {"format": "date-time"},
    UUID: {"format": "uuid"},
    bytes: {"contentEncoding": "base64"},
    Decimal: {},
    Address: {},
}


def _instance(shape: Instance) -> dict[str, Any]:
    """Which types of JSON are instances of a class, found by trying one of each."""
    types = [name for name, probe in _PROBES if shape.accepts(probe)]
    if shape.accepts(0):
        types.append("number" if shape.accepts(0.5) else "integer")
    if not types:
        return _NEVER
    return {"type": types if len(types) > 1 else types[0]}


def _parsed(cls: type) -> dict[str, Any]:
    if not issubclass(cls, enum.Enum):
        return {"type": "string", **_STRINGS[cls]}
    if getattr(cls._missing_, "__func__", None) not in _MISSING:
        return {"type": "string"}  # it takes more than it lists
    texts = dict.fromkeys(map(member_text, cls.__members__.values()))
    return _enum([text for text in texts if text is not None])


_MISSING: Final = tuple(getattr(cls._missing_, "__func__", None) for cls in (enum.Enum, enum.Flag))


def _enum(values: list[Any]) -> dict[str, Any]:
    return {"enum": values} if values else _NEVER
