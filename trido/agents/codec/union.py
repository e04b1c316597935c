"""Coders of values that are of one of several types."""

from __future__ import annotations

from typing import Any, Final, final

from trido.agents.codec.coder import NO_TYPES, NONE, TAG, Coder, misfit
from trido.agents.codec.errors import Misfit
from trido.agents.codec.record import Record

_VALUE: Final = "value"


@final
class Optional(Coder):
    """None, or a value of one type."""

    __slots__ = ("_dump", "_load")

    def __init__(self, name: str, some: Coder) -> None:
        types = None if some.types is None else some.types | {NONE}
        native = some.native | {NONE}
        plain = some.plain and some.plain | {NONE}
        super().__init__(name, types, native=native, plain=plain, has_none=True)
        self._dump = some.dump
        self._load = some.load

    def dump(self, value: Any) -> Any:
        """None, or what it is."""
        return None if value is None else self._dump(value)

    def load(self, data: Any) -> Any:
        """None, or what it says."""
        return None if data is None else self._load(data)


@final
class Union(Coder):
    """A value of one of several types: it says which, if its JSON does not."""

    __slots__ = ("_by_tag", "_plain", "_tagged")

    def __init__(self, name: str, members: tuple[Coder, ...]) -> None:
        self._plain = tuple(one for one in members if one.plain)
        self._tagged = tuple(one for one in members if not one.plain)
        self._by_tag = {one.name: one for one in self._tagged}
        plain = NO_TYPES.union(*(one.plain for one in self._plain))
        native = NO_TYPES.union(*(one.native for one in self._plain))
        types = [one.types for one in members if one.types is not None]
        super().__init__(
            name,
            NO_TYPES.union(*types) if len(types) == len(members) else None,
            native=native,
            plain=NO_TYPES if self._tagged else plain,
            has_none=any(one.has_none for one in members),
        )

    def dump(self, value: Any) -> Any:
        """Itself, if JSON has it; or else with a tag."""
        kind: Any = type(value)
        members = [one for one in self._plain if kind in one.plain]
        members += [one for one in self._tagged if one.types is None or kind in one.types]
        errors = []
        for one in members:
            try:
                data = one.dump(value)
            except Misfit as error:
                errors.append(error)
            else:
                return data if one.plain else _tagged(one, data)
        raise errors[0] if len(errors) == 1 else misfit(self.name, value)

    def load(self, data: Any) -> Any:
        """What the tag, or the type, says; without one, the first that can."""
        if isinstance(data, dict) and TAG in data:
            return self._load_tagged(data)
        for one in self._plain:
            if type(data) in one.plain:
                try:
                    return one.load(data)
                except Misfit:
                    pass
        # Without a tag it was written before there was a choice, or by an upgrade.
        return self._first(data)

    def _load_tagged(self, data: dict[str, Any]) -> Any:
        tag = data[TAG]
        one = self._by_tag.get(tag) if isinstance(tag, str) else None
        if one is None:
            raise Misfit(f"expected a tag of {self.name}")
        if isinstance(one, Record):
            return one.load({name: inner for name, inner in data.items() if name != TAG})
        if data.keys() != {TAG, _VALUE}:
            raise Misfit(f"expected {TAG!r} and {_VALUE!r}")
        return one.load(data[_VALUE])

    def _first(self, data: Any) -> Any:
        errors = []
        for one in self._tagged:
            try:
                return one.load(data)
            except Misfit as error:
                errors.append(error)
        raise errors[0] if len(errors) == 1 else misfit(self.name, data)


def _tagged(one: Coder, data: Any) -> dict[str, Any]:
    return {TAG: one.name, **data} if isinstance(one, Record) else {TAG: one.name, _VALUE: data}
