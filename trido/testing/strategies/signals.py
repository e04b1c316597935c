"""Signals for an agent, states of it, and turns for it: all that a decision is given."""

from __future__ import annotations

from typing import Any, Final, TypeVar, cast, get_args

from attrs import field, frozen
from hypothesis import strategies as st

from trido.agents import Definition, InvalidData, Signal, Turn
from trido.agents.routing import Route
from trido.agents.schema import Record
from trido.agents.turn import Why
from trido.checks import flag
from trido.errors import SpecError
from trido.testing import arguments
from trido.testing.strategies.values import MOMENTS, Types, Values
from trido.testing.strategies.wrong import Wrongs

S = TypeVar("S")

_SEGMENTS: Final = st.sampled_from(["a", "b"])


@frozen
class WrongSignal:
    """A signal that an agent refuses, and where it says that the data is wrong."""

    signal: Signal
    path: str
    """The path of the `InvalidData` that it is refused with."""
    route: str = field(repr=False)
    """The pattern of the route that refuses it."""


def signals(
    agent: Definition[Any], *, valid: bool = True, types: Types | None = None
) -> st.SearchStrategy[Signal]:
    """Signals that ``agent`` takes, or with ``valid=False`` such as it only just refuses.

    They are drawn from what its routes are declared to take. A guard may still refuse one. They
    shrink to the plainest data.

    Args:
      agent: any agent, or definition.
      valid: False draws the signals of `wrong_signals`.
      types: as for ``values``.

    Raises:
      SpecError: ``agent`` is none or has no route; or none that refuses anything.
    """
    flag("signals", "valid", valid)
    arguments.types("signals", types)
    if not valid:
        return wrong_signals(agent, types=types).map(lambda wrong: wrong.signal)
    made = Values(types or {})
    return st.one_of(*(of_route(agent, route, made) for route in _routes(agent)))


def wrong_signals(
    agent: Definition[Any], *, types: Types | None = None
) -> st.SearchStrategy[WrongSignal]:
    """Signals that ``agent`` refuses as `InvalidData`, with the path that it says.

    Each is right but for one thing, in one place: a field is missing or unknown, or has a value
    of another type, or one that its validator does not allow.

    Raises:
      SpecError: ``agent`` is none, or takes any data.
    """
    found = [_wrong_of_route(agent, route, Values(types or {})) for route in _routes(agent)]
    usable = [one for one in found if not one.is_empty]
    if not usable:
        allowed = "an agent with a route that does not take any data"
        raise SpecError("agent", agent, allowed, of="wrong_signals")
    return st.one_of(*usable)


def states(agent: Definition[S], *, types: Types | None = None) -> st.SearchStrategy[S]:
    """States of ``agent``: all that its state class can hold. They shrink to the initial one.

    Raises:
      SpecError: ``agent`` is none.
    """
    _check(agent, "states")
    drawn = cast("st.SearchStrategy[S]", Values(types or {}).of(agent.state.shape))
    return drawn.map(agent.state.frozen)


def turns() -> st.SearchStrategy[Turn]:
    """Turns, with everything that a decision may ask for."""
    return st.builds(
        Turn,
        now=MOMENTS,
        planned=st.none() | MOMENTS,
        agent_id=st.just("agent") | st.text(min_size=1, max_size=5),
        revision=st.integers(0, 9),
        request=st.none() | st.text(min_size=1, max_size=5),
        why=st.sampled_from(get_args(Why)),
    )


def _check(agent: object, of: str) -> None:
    if not isinstance(agent, Definition):
        raise SpecError("agent", agent, "a trido.Agent", of=of)


def _routes(agent: Definition[Any]) -> list[Route]:
    _check(agent, "signals")
    routes = list(agent.routes)
    if not routes:
        raise SpecError("agent", agent, "an agent with a route", of="signals")
    return routes


def of_route(agent: Definition[Any], route: Route, made: Values) -> st.SearchStrategy[Signal]:
    """Signals of a route, unless a closer one would refuse their data before."""
    given = st.builds(Signal, _types(route.pattern), made.of(route.schema.shape))
    return given.filter(lambda signal: _may_take(agent, route, signal))


def _may_take(agent: Definition[Any], route: Route, signal: Signal) -> bool:
    for one in agent.routes.match(signal.type):
        if one is route:
            return True
        if one.guard is None or _path(one, signal) is not None:
            return False
    return False  # pragma: no cover - its type was drawn from the pattern


def _path(route: Route, signal: Signal) -> str | None:
    """Where a route finds the data of a signal wrong; None if it takes it."""
    try:
        route.data_of(signal)
    except InvalidData as error:
        return error.path
    return None


def _wrong_of_route(
    agent: Definition[Any], route: Route, made: Values
) -> st.SearchStrategy[WrongSignal]:
    """Signals that a route refuses, and no other before it."""
    if not route.check:
        return st.nothing()
    shape, pattern = route.schema.shape, route.pattern
    wrong = Wrongs(made).of(shape)
    if route.schema.secret:
        wrong = wrong.map(lambda one: (one[0], "$"))
    if wrong.is_empty:
        return st.nothing()
    if isinstance(shape, Record):
        wrong = st.builds(lambda one, typed: _typed(shape, *one) if typed else one, wrong, _EITHER)
    found = st.builds(
        lambda kind, one: WrongSignal(Signal(kind, one[0]), one[1], pattern),
        _types(pattern),
        wrong,
    )
    return found.filter(lambda one: agent.routes.match(one.signal.type)[0] is route)


_EITHER: Final = st.booleans()


def _typed(record: Record, data: Any, path: str) -> tuple[Any, str]:
    """The same mistake in an instance of the class, where that can be made at all."""
    instance: Any = None
    try:
        instance = record.cls(**data)
        record.build(instance, "$")
    except Exception as error:
        if isinstance(error, InvalidData) and error.path == path:
            return instance, path
    return data, path  # no such instance can be made


def _types(pattern: str) -> st.SearchStrategy[str]:
    """Types that a pattern fits."""
    segments = [_segments(one) for one in pattern.split(".")]
    found = st.tuples(*segments).map(lambda parts: ".".join(sum(parts, ())))
    return found.filter(bool)


def _segments(segment: str) -> st.SearchStrategy[tuple[str, ...]]:
    match segment:
        case "*":
            return st.tuples(_SEGMENTS)
        case "**":
            return st.lists(_SEGMENTS, max_size=2).map(tuple)
        case _:
            return st.just((segment,))
