"""Handlers: the plain functions that decide, and what a route learns from their signatures."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import FrameType, FunctionType
from typing import Any, Protocol, TypeAlias, TypeVar, overload

from trido.agents.directive import Directive
from trido.agents.schema import Names, hints, unknown_name
from trido.agents.signal import Request
from trido.agents.turn import Turn
from trido.errors import SpecError

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


class Register(Protocol[S]):
    """What ``@agent.on(type)`` is."""

    @overload
    def __call__(self, handler: Callable[[S, D], Decision[S]], /) -> Handler[S, D]: ...
    @overload
    def __call__(self, handler: Callable[[S, D, Turn], Decision[S]], /) -> TurnHandler[S, D]: ...


class RegisterFor(Protocol[S, D]):
    """What ``@agent.on(type, data=D)`` is."""

    @overload
    def __call__(self, handler: Callable[[S, D], Decision[S]], /) -> Handler[S, D]: ...
    @overload
    def __call__(self, handler: Callable[[S, D, Turn], Decision[S]], /) -> TurnHandler[S, D]: ...


NOT_GIVEN: Any = object()


def inspect_handler(
    of: str, handler: Any, state: type, data: Any, names: Names
) -> tuple[Any, bool]:
    """The parameter class of a handler, and whether it takes the turn.

    Raises:
      SpecError: the function is no handler of an agent with such a state.
    """
    parameters = _parameters(of, handler)
    takes_turn = bool(parameters[2:])
    annotations = hints(of, _Annotated(of, handler, parameters[:2]), names)
    if not _fits(annotations.get(parameters[0], Any), state):
        allowed = f"annotated with {state.__name__} for its state"
        raise SpecError("handler", handler, allowed, of=of)
    declared = annotations.get(parameters[1], NOT_GIVEN)
    if data is NOT_GIVEN and declared is NOT_GIVEN:
        allowed = f"annotated with the type of its {parameters[1]!r}, or registered with data="
        raise SpecError("handler", handler, allowed, of=of)
    if NOT_GIVEN not in (data, declared) and declared not in (data, Any):
        raise SpecError("data", data, f"what {parameters[1]!r} is annotated with", of=of)
    return (declared if data is NOT_GIVEN else data), takes_turn


def _parameters(of: str, handler: Any) -> list[str]:
    if not isinstance(handler, FunctionType) or hasattr(handler, "signal"):
        raise SpecError("handler", handler, "a function that is not a handler yet", of=of)
    if inspect.iscoroutinefunction(handler) or inspect.isasyncgenfunction(handler):
        allowed = "a plain function (def): asynchronous handlers are not supported yet"
        raise SpecError("handler", handler, allowed, of=of)
    parameters = list(inspect.signature(handler).parameters.values())
    positional = all(one.kind in _POSITIONAL for one in parameters)
    if not positional or len(parameters) not in (2, 3) or inspect.isgeneratorfunction(handler):
        allowed = "a function of (state, data) or (state, data, turn)"
        raise SpecError("handler", handler, allowed, of=of)
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


def _fits(declared: Any, state: type) -> bool:
    return declared is Any or (isinstance(declared, type) and issubclass(state, declared))


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
