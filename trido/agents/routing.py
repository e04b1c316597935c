"""Which route a signal takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, final

from attrs import frozen

from trido.agents.schema import Schema
from trido.agents.signal import Signal
from trido.errors import SpecError

_SEGMENT: Final = r"[A-Za-z0-9_-]+"
_EXACT: Final = re.compile(rf"{_SEGMENT}(\.{_SEGMENT})*")


@final
@frozen(eq=False)
class Route:
    """What one handler takes, and how to call it."""

    pattern: str
    handler: Callable[..., Any]
    takes_turn: bool
    schema: Schema
    check: bool

    def data_of(self, signal: Signal) -> Any:
        """The data for the handler. Raises `InvalidData`."""
        return self.schema.build(signal.data) if self.check else signal.data


@final
class Routes:
    """The routes of one agent: a signal takes the one of its type."""

    __slots__ = ("_exact",)

    def __init__(self) -> None:
        self._exact: dict[str, Route] = {}

    def __iter__(self) -> Iterator[Route]:
        return iter(self._exact.values())

    def check(self, of: str, pattern: object) -> str:
        """Raise `SpecError` unless a route for ``pattern`` can be added."""
        if not (isinstance(pattern, str) and _EXACT.fullmatch(pattern)):
            allowed = "segments of letters, digits, _ and -, joined by dots"
            raise SpecError("type", pattern, allowed, of=of)
        if pattern in self._exact:
            raise SpecError("type", pattern, "different from that of every other route", of=of)
        return pattern

    def add(self, route: Route) -> None:
        """Add a route whose pattern passed `check`."""
        self._exact[route.pattern] = route

    def match(self, type: str) -> Route | None:
        """The route of signals of this type, if there is one."""
        return self._exact.get(type)
