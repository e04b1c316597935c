"""Handlers: the plain functions that decide, and what a route learns from their signatures."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import FrameType, FunctionType
from typing import Any, Protocol, TypeAlias, TypeVar, overload

from attrs import frozen

from trido.agents.directive import Directive
from trido.agents.schema import Names, hints, unknown_name
from trido.agents.signal import Request
from trido.agents.turn import Turn
from trido.errors import SpecError
from trido.values import ByFields, Shown

S = TypeVar("S")
D = TypeVar("D")

Decision: TypeAlias = S | tuple[S, Sequence[Directive]]
"""What a handler returns: the new state, or the new state and what is to be done."""


class Handler(Protocol[S, D]):
    """A handler as `Definition.on` gives it back: the plain function, and a ``signal`` method.

    ``handler.signal(data)`` is the signal that it handles; a call with that is typed.
    """

    def __call__(self, state: S, data: D, /) -> Decision[S]: ...  # noqa: D102  # the class's words

    def signal(self, data: D, /) -> Request[D, S]: ...  # noqa: D102  # same


class TurnHandler(Protocol[S, D]):
    """As `Handler`, for a function that takes the `Turn` too."""

    def __call__(self, state: S, data: D, turn: Turn, /) -> Decision[S]: ...  # noqa: D102  # same

    def signal(self, data: D, /) -> Request[D, S]: ...  # noqa: D102  # same


class EffectfulHandler(Protocol[S, D]):
    """As `Handler`, for an ``async def``: its turn is effectful."""

    async def __call__(self, state: S, data: D, /) -> Decision[S]: ...  # noqa: D102  # same

    def signal(self, data: D, /) -> Request[D, S]: ...  # noqa: D102  # same


class EffectfulTurnHandler(Protocol[S, D]):
    """As `EffectfulHandler`, for a function that takes the `Turn` too."""

    async def __call__(self, state: S, data: D, turn: Turn, /) -> Decision[S]: ...  # noqa: D102  # same

    def signal(self, data: D, /) -> Request[D, S]: ...  # noqa: D102  # same


class Register(Protocol[S]):
    """What ``@agent.on(type)`` is."""

    @overload
    def __call__(
        self, handler: Callable[[S, D], Awaitable[Decision[S]]], /
    ) -> EffectfulHandler[S, D]: ...
    @overload
    def __call__(
        self, handler: Callable[[S, D, Turn], Awaitable[Decision[S]]], /
    ) -> EffectfulTurnHandler[S, D]: ...
    @overload
    def __call__(self, handler: Callable[[S, D], Decision[S]], /) -> Handler[S, D]: ...
    @overload
    def __call__(self, handler: Callable[[S, D, Turn], Decision[S]], /) -> TurnHandler[S, D]: ...


class RegisterFor(Protocol[S, D]):
    """What ``@agent.on(type, data=D)`` is."""

    @overload
    def __call__(
        self, handler: Callable[[S, D], Awaitable[Decision[S]]], /
    ) -> EffectfulHandler[S, D]: ...
    @overload
    def __call__(
        self, handler: Callable[[S, D, Turn], Awaitable[Decision[S]]], /
    ) -> EffectfulTurnHandler[S, D]: ...
    @overload
    def __call__(self, handler: Callable[[S, D], Decision[S]], /) -> Handler[S, D]: ...
    @overload
    def __call__(self, handler: Callable[[S, D, Turn], Decision[S]], /) -> TurnHandler[S, D]: ...


PlainHook: TypeAlias = Callable[[S], Decision[S]]
PlainTurnHook: TypeAlias = Callable[[S, Turn], Decision[S]]
AsyncHook: TypeAlias = Callable[[S], Coroutine[Any, Any, Decision[S]]]
AsyncTurnHook: TypeAlias = Callable[[S, Turn], Coroutine[Any, Any, Decision[S]]]

NOT_GIVEN: Any = object()


@frozen(eq=False, repr=False)
class Hook(Shown):
    """A handler of the start or the stop."""

    pattern: str
    """What it is called, where a route has its pattern."""
    handler: Callable[..., Any]
    takes_turn: bool
    is_async: bool
    turn_limit: float | None = None

    def call(self, state: object, data: object, turn: Turn) -> Any:
        """What it returns."""
        return self.handler(state, turn) if self.takes_turn else self.handler(state)


@frozen(eq=False, repr=False)
class Inspected(ByFields):
    """What a route learns from its handler."""

    data: Any
    """The parameter class."""
    takes_turn: bool
    is_async: bool


def inspect_handler(of: str, handler: Any, state: type, data: Any, names: Names) -> Inspected:
    """Look at a handler of signals.

    Raises:
      SpecError: the function is no handler of an agent with such a state.
    """
    if hasattr(handler, "signal"):
        raise SpecError("handler", handler, "a function that is not a handler yet", of=of)
    parameters = _parameters(of, "handler", handler, ("state", "data"))
    annotations = hints(of, _Annotated(of, handler, parameters[:2]), names)
    _check_state(of, "handler", handler, annotations.get(parameters[0], Any), state)
    declared = annotations.get(parameters[1], NOT_GIVEN)
    if data is NOT_GIVEN and declared is NOT_GIVEN:
        allowed = f"annotated with the type of its {parameters[1]!r}, or registered with data="
        raise SpecError("handler", handler, allowed, of=of)
    if NOT_GIVEN not in (data, declared) and declared not in (data, Any):
        raise SpecError("data", data, f"what {parameters[1]!r} is annotated with", of=of)
    taken = declared if data is NOT_GIVEN else data
    return Inspected(taken, bool(parameters[2:]), inspect.iscoroutinefunction(handler))


def inspect_hook(of: str, name: str, hook: Any, state: type, names: Names) -> Inspected:
    """Look at a handler of the start or the stop: it is given no data.

    Raises:
      SpecError: the function is none.
    """
    parameters = _parameters(of, name, hook, ("state",))
    annotations = hints(of, _Annotated(of, hook, parameters[:1]), names)
    _check_state(of, name, hook, annotations.get(parameters[0], Any), state)
    return Inspected(None, bool(parameters[1:]), inspect.iscoroutinefunction(hook))


def _check_state(of: str, field: str, handler: Any, declared: Any, state: type) -> None:
    if not (declared is Any or (isinstance(declared, type) and issubclass(state, declared))):
        allowed = f"annotated with {state.__name__} for its state"
        raise SpecError(field, handler, allowed, of=of)


def _parameters(of: str, field: str, handler: Any, takes: tuple[str, ...]) -> list[str]:
    """The names of its parameters: those it has to take, and maybe the turn."""
    allowed = f"a function of ({', '.join(takes)}) or ({', '.join(takes)}, turn)"
    if not isinstance(handler, FunctionType):
        raise SpecError(field, handler, allowed, of=of)
    parameters = list(inspect.signature(handler).parameters.values())
    positional = all(one.kind in _POSITIONAL for one in parameters)
    generates = inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler)
    if not positional or len(parameters) - len(takes) not in (0, 1) or generates:
        raise SpecError(field, handler, allowed, of=of)
    return [one.name for one in parameters]


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class _Annotated:
    """Some of a function's annotations, in the form that `typing.get_type_hints` reads."""

    def __init__(self, of: str, function: FunctionType, parameters: list[str]) -> None:
        try:
            said = function.__annotations__
        # From Python 3.14 on they are looked up only here.
        except NameError as error:  # pragma: no cover - never before Python 3.14
            raise unknown_name(of, function, error) from error
        self.__annotations__ = {key: one for key, one in said.items() if key in parameters}
        self.__wrapped__ = function


def callers_names() -> Names:
    """The local names of whoever called trido: annotations may use them."""
    frame: FrameType | None = inspect.currentframe()
    while frame is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    if frame is None or frame.f_locals is frame.f_globals:
        return {}
    return dict(frame.f_locals)


def _is_ours(module: str) -> bool:
    return module == "trido" or module.startswith("trido.")
