"""Coders of classes with fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from trido.agents.codec.coder import Coder, made, misfit
from trido.agents.codec.errors import Misfit


@final
class Record(Coder):
    """An instance of a class with fields: what it is made of again."""

    __slots__ = ("_make", "_required", "fields")

    def __init__(self, cls: type, required: tuple[str, ...]) -> None:
        super().__init__(cls.__name__, frozenset({cls}))
        self._make = cls
        self.fields: dict[str, tuple[str, Coder]] = {}
        """By the name of its argument: the attribute that it is found at, and its coder."""
        self._required = required

    def dump(self, value: Any) -> Any:
        """An object of its arguments."""
        if type(value) is not self._make:
            raise misfit(self.name, value)
        found = {}
        name = ""
        try:
            for name, (attribute, coder) in self.fields.items():
                one = getattr(value, attribute)
                found[name] = one if type(one) in coder.native else coder.dump(one)
        except Misfit as error:
            raise error.under(f".{name}") from None
        return found

    def load(self, data: Any) -> Any:
        """The instance, made anew."""
        if not isinstance(data, Mapping):
            raise misfit(self.name, data)
        return self.make(self.arguments(data))

    def arguments(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What it is to be made of. Raises `Misfit`."""
        found = {}
        name = ""
        try:
            for name, one in data.items():
                found[name] = self._argument(name).load(one)
        except Misfit as error:
            raise error.under(f".{name}") from None
        for name in self._required:
            if name not in found:
                raise Misfit(f"expected {self.fields[name][1].name}, got nothing", f".{name}")
        return found

    def _argument(self, name: str) -> Coder:
        if name not in self.fields:
            raise Misfit(f"{self.name} has no such field")
        return self.fields[name][1]

    def make(self, arguments: dict[str, Any]) -> Any:
        """The instance. Raises `Misfit`."""
        return made(self.name, lambda given: self._make(**given), arguments)
