"""Which route a signal takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal, TypeAlias, final

from attrs import field, frozen

from trido.agents.errors import NoRoute, Reject
from trido.agents.patterns import GRAMMAR, Index, is_exact, is_pattern
from trido.agents.schema import Schema
from trido.agents.signal import Signal
from trido.agents.turn import Turn
from trido.agents.versions import FIRST, Version
from trido.errors import SpecError
from trido.values import Shown

Guard: TypeAlias = Callable[..., bool]
"""Called as ``guard(state, data)``: whether the route is taken."""

OnCallerGone: TypeAlias = Literal["cancel", "finish"]


@final
@frozen(eq=False, repr=False)
class Route(Shown):
    """What one handler takes, and how to call it."""

    pattern: str
    handler: Callable[..., Any]
    takes_turn: bool
    schema: Schema
    check: bool
    guard: Guard | None = None
    priority: int = 0
    is_async: bool = False
    turn_limit: float | None = None
    """How long a turn may take; None: as long as the agent says."""
    on_caller_gone: OnCallerGone = "cancel"
    version: Version = FIRST
    """Of the data of such signals, as they are written."""
    is_plain: bool = field(init=False)
    """Whether its handler takes nothing but the state and the data, and awaits nothing."""
    fits: Callable[[Any], bool] = field(init=False)
    """Whether a glance shows that such data is right for the handler as it is; else `data_of`."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "is_plain", not (self.is_async or self.takes_turn))
        object.__setattr__(self, "fits", self.schema.shape.fits if self.check else _fits)

    def data_of(self, signal: Signal) -> Any:
        """The data for the handler. Raises `InvalidData`."""
        return self.schema.build(signal.data) if self.check else signal.data

    def call(self, state: object, data: object, turn: Turn) -> Any:
        """What its handler returns."""
        return self.handler(state, data, turn) if self.takes_turn else self.handler(state, data)

    def admits(self, state: object, data: object) -> bool:
        """Whether its guard lets such data pass.

        Raises:
          Reject: the guard did, or it failed: what cannot be judged is refused.
        """
        if self.guard is None:
            return True
        try:
            passes: object = self.guard(state, data)
        except Reject:
            raise
        except Exception as error:
            raise self._refusal(f"raised {type(error).__name__}: {error}") from error
        if not isinstance(passes, bool):
            raise self._refusal(f"returned {passes!r}, which is neither True nor False")
        return passes

    def _refusal(self, what: str) -> Reject:
        return Reject(f"the guard of route {self.pattern!r} {what}")


def _fits(_: object) -> bool:
    return True


@final
class Routes:
    """The routes of one agent. Which fit a type, and in what order, is said in `patterns`."""

    __slots__ = ("_by_pattern", "_exact", "_index", "exact")

    def __init__(self) -> None:
        self._index: Index[Route] = Index()
        self._by_pattern: dict[str, list[Route]] = {}
        # The look-up itself, not a method around it: every turn begins with it.
        self._exact = _Exact(self._index)
        self.exact: Callable[[str], Route | None] = self._exact.__getitem__
        """The route that any signal of a type takes, if its data and the state have no say.

        None: there is no route, or a guard decides; then `choose` from `match`.
        """

    def __iter__(self) -> Iterator[Route]:
        return iter([route for routes in self._by_pattern.values() for route in routes])

    def check(self, of: str, pattern: object, guard: object = None, priority: object = 0) -> str:
        """Raise `SpecError` unless such a route can be added, and some signal could take it."""
        if not is_pattern(pattern):
            raise SpecError("type", pattern, GRAMMAR, of=of)
        _check_guard(of, guard)
        if not isinstance(priority, int) or isinstance(priority, bool):
            raise SpecError("priority", priority, "an int; the higher is tried first", of=of)
        for other in self._by_pattern.get(pattern, ()):
            _check_beside(of, other, guard, priority)
        return pattern

    def add(self, route: Route) -> None:
        """Add a route that passed `check`."""
        self._by_pattern.setdefault(route.pattern, []).append(route)
        self._index.add(route.pattern, route, route.priority)
        self._exact.note(route.pattern)

    def match(self, type: str) -> tuple[Route, ...]:
        """The routes that signals of this type may take, in the order in which they are tried."""
        return self._index.match(type)


class _Exact(dict[str, Route | None]):
    """Routes by the types that patterns spell; of any other type it asks the index."""

    __slots__ = ("_index",)

    def __init__(self, index: Index[Route]) -> None:
        self._index = index

    def note(self, pattern: str) -> None:
        """There is a new route. No other pattern comes before one that spells a type."""
        if is_exact(pattern):
            self[pattern] = self.__missing__(pattern)

    def __missing__(self, type: str) -> Route | None:
        routes = self._index.match(type)
        return routes[0] if routes and routes[0].guard is None else None


def choose(agent: str, routes: Iterable[Route], state: object, signal: Signal) -> tuple[Route, Any]:
    """The first route whose guard lets the signal pass, and the data for its handler.

    ``routes`` are those that fit its type, in order. Each is asked for the data before its guard
    is, so a guard sees valid data only; and data that is not what the first one takes is refused
    there and then, whatever a later one might have said.

    Raises:
      NoRoute: there is none, or no guard let it pass.
      InvalidData: the data is not what a route takes, and no guard before let it pass.
      Reject: a guard refused it, or failed.
    """
    for route in routes:
        data = route.data_of(signal)
        if route.admits(state, data):
            return route, data
    raise NoRoute(agent, signal.type)


def _check_guard(of: str, guard: object) -> None:
    if guard is None:
        return
    if not callable(guard) or any(kind(guard) for kind in _NO_ANSWER):
        raise SpecError("guard", guard, "a plain function of (state, data), or None", of=of)


_NO_ANSWER: Final = (
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
)
"""Functions that give something true before they have decided anything."""


def _check_beside(of: str, other: Route, guard: object, priority: int) -> None:
    """Of two routes of one pattern each must have its chance."""
    if guard is None and other.guard is None:
        allowed = "different from that of every other route without a guard"
        raise SpecError("type", other.pattern, allowed, of=of)
    if guard == other.guard and priority == other.priority:
        raise SpecError("guard", guard, "another one, or of another priority", of=of)
    if other.guard is None and priority <= other.priority:
        allowed = f"over {other.priority}: the route without a guard leaves it no signal"
        raise SpecError("priority", priority, allowed, of=of)
    if guard is None and priority > other.priority:
        allowed = f"at most {other.priority}: it leaves no signal to the route with a guard"
        raise SpecError("priority", priority, allowed, of=of)
