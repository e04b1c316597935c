"""The root of every error that trido raises, and what it raises for bad definitions."""

from __future__ import annotations


class TridoError(Exception):
    """The base of every error that trido raises."""


class SpecError(TridoError, ValueError):
    """A definition that cannot be: found before anything was started.

    Attributes:
      field: the name of the field that is wrong.
      value: what it was given.
      allowed: what it may be, in words.
    """

    def __init__(self, field: str, value: object, allowed: str, *, of: str = "") -> None:
        super().__init__(field, value, allowed)
        self.field = field
        self.value = value
        self.allowed = allowed
        self.of = of

    def __str__(self) -> str:
        where = f"{self.of}: " if self.of else ""
        return f"{where}{self.field}={self.value!r} is not allowed; it must be {self.allowed}"
