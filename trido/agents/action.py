"""Actions: named functions that do something, with all that is to be known about running them.

An action is a value and runs nothing. Its function is the user's; what it takes and gives, how
long it may take, how often it is tried and how it is undone is data, for whoever runs it.
"""

from __future__ import annotations

import inspect
import math
import typing
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import FunctionType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Protocol,
    TypedDict,
    TypeVar,
    Unpack,
    final,
    overload,
)

from attrs import frozen

from trido.agents.action_errors import InvalidResult
from trido.agents.errors import InvalidData
from trido.agents.frozen import TOO_DEEP, freeze
from trido.agents.handlers import NOT_GIVEN, callers_names
from trido.agents.patterns import is_exact, is_pattern
from trido.agents.policies import Policy, Retry, policies_of, positive
from trido.agents.schema import Names, Record, Schema, hints
from trido.agents.shapes import Either, Shape, expected
from trido.errors import SpecError

D = TypeVar("D")
R = TypeVar("R")
D_contra = TypeVar("D_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


@frozen(eq=False, slots=False, repr=False, kw_only=True)
class Action(Generic[D_contra, R_co]):
    """A named function of one parameter, and how it is to be run. Made by `action`.

    It is a value. Calling it calls the plain function, and nothing else: `run_action` checks,
    tries, bounds and undoes. A sequence of actions is an action too.
    """

    name: str
    """What it is called, wherever actions are told apart."""
    function: Callable[[Any], Any]
    """The plain function."""
    data: Any
    """What it takes: the class of its parameters."""
    result: Any
    """What it gives."""
    timeout: float = math.inf
    """How many seconds one attempt may take."""
    retry: Retry | None = None
    """Whether it is tried again after it failed."""
    compensate: Callable[[Any, BaseException], object] | None = None
    """What undoes it."""
    policies: tuple[Policy, ...] = ()
    """When it may run."""
    steps: tuple[Action[Any, Any], ...] = ()
    """The actions it is a sequence of."""
    parameters: Schema
    """What it takes, compiled."""
    results: Schema
    """What it gives, compiled."""

    def __attrs_post_init__(self) -> None:
        # Those that look functions up, pickle among them, find it where its function was.
        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            self.__dict__[name] = getattr(self.function, name)
        self.__dict__["__wrapped__"] = self.function

    def __repr__(self) -> str:
        return f"<trido.Action {self.name!r}>"

    def __reduce__(self) -> str:
        return self.function.__qualname__

    def schema(self) -> dict[str, Any]:
        """JSON Schema 2020-12 of the parameters: what JSON data it takes.

        All that the action takes is accepted by it. What JSON Schema has no words for, such as a
        validator of one's own, only the action itself can tell.
        """
        from trido.agents.json_schema import json_schema  # noqa: PLC0415  # who asks for it, has it

        return json_schema(self.parameters.shape)

    def build(self, params: object) -> Any:
        """``params`` as what the function takes: checked if it is one, built if it is plain data.

        Raises:
          InvalidData: it is neither.
        """
        try:
            data = freeze(params)
        except RecursionError:
            raise InvalidData("$", f"expected {TOO_DEEP}") from None
        return self.parameters.build(data)

    def check(self, result: Any) -> Any:
        """The result, if it is what the function promises.

        Its fields are checked, as those of data are; collections are not entered.

        Raises:
          InvalidResult: it is not.
        """
        try:
            _check(self.results.shape, result)
        except InvalidData as error:
            raise InvalidResult(self.name, error.path, error.rule) from None
        return result


def _check(shape: Shape, value: object) -> None:
    if not shape.accepts(value):
        raise expected("$", shape, value)
    match shape:
        case Record():
            shape.check(value)
        case Either():
            _check(next(one for one in shape.shapes if one.accepts(value)), value)
        case _:
            pass


@final
class PlainAction(Action[D_contra, R_co]):
    """An action that is a plain ``def``: it can also run in a thread or a process."""

    def __call__(self, data: D_contra, /) -> R_co:
        """Call the plain function."""
        result: R_co = self.function(data)
        return result


@final
class AsyncAction(Action[D_contra, R_co]):
    """An action that is an ``async def``, or a sequence."""

    def __call__(self, data: D_contra, /) -> Awaitable[R_co]:
        """Call the plain function."""
        result: Awaitable[R_co] = self.function(data)
        return result


if TYPE_CHECKING:

    class Options(TypedDict, total=False):
        """What may be said of an action besides its function, its data and its compensation."""

        timeout: float
        retry: Retry | None
        policies: Sequence[Policy]


class Define(Protocol):
    """What ``@action(name)`` is."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a coroutine is a result only of the first
        self, function: Callable[[D], Coroutine[Any, Any, R]], /
    ) -> AsyncAction[D, R]: ...
    @overload
    def __call__(self, function: Callable[[D], R], /) -> PlainAction[D, R]: ...


class DefineFor(Protocol[D]):
    """What ``@action(name, data=D)`` is."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # same
        self, function: Callable[[D], Coroutine[Any, Any, R]], /
    ) -> AsyncAction[D, R]: ...
    @overload
    def __call__(self, function: Callable[[D], R], /) -> PlainAction[D, R]: ...


@overload
def action(  # type: ignore[overload-overlap]  # same
    function: Callable[[D], Coroutine[Any, Any, R]], /
) -> AsyncAction[D, R]: ...
@overload
def action(function: Callable[[D], R], /) -> PlainAction[D, R]: ...
@overload
def action(name: str | None = None, /, **options: Unpack[Options]) -> Define: ...
@overload
def action(
    name: str | None = None,
    /,
    *,
    data: type[D],
    compensate: Callable[[D, BaseException], object] | None = None,
    **options: Unpack[Options],
) -> DefineFor[D]: ...
@overload
def action(
    name: str | None = None,
    /,
    *,
    compensate: Callable[[D, BaseException], object],
    **options: Unpack[Options],
) -> DefineFor[D]: ...
def action(name: Any = None, /, *, data: Any = NOT_GIVEN, **options: Any) -> Any:
    """Make an action of a function of one parameter, a ``def`` or an ``async def``.

    As a decorator, bare or with arguments. What the parameter and the result are annotated with is
    what it takes and gives, and is checked in every run; a result without an annotation is
    anything.

    Args:
      name: what it is called: segments of letters, digits, ``_`` and ``-``, joined by dots.
        Without it, the function's name.
      data: what it takes, if the parameter's annotation does not say.
      timeout: how many seconds one attempt may take, its waiting for policies not counted. A plain
        ``def`` that runs in a task cannot be interrupted.
      retry: after which errors it is tried again. Without it it runs once.
      compensate: a function of the data and the error, ``def`` or ``async def``, that undoes what
        the action may have done.
      policies: when it may run.
      options: these.

    Raises:
      SpecError: at once, if something is not what it may be.
    """
    if isinstance(name, FunctionType):
        return _define(None, name, NOT_GIVEN, {})
    return lambda function: _define(name, function, data, options)


def _define(name: object, function: object, data: object, options: dict[str, Any]) -> Any:
    of = "action" if name is None else f"action {name!r}"
    if not isinstance(function, FunctionType):
        raise SpecError("function", function, "a function (def or async def)", of=of)
    name = checked_name("action", function.__name__ if name is None else name)
    of = f"action {name!r}"
    names = callers_names()
    declared, result = _signature(of, function, data, names)
    cls = AsyncAction if inspect.iscoroutinefunction(function) else PlainAction
    return cls(
        name=name,
        function=function,
        data=declared,
        result=result,
        parameters=Schema(of, declared, names),
        results=Schema(of, result, names),
        **_checked(of, **options),
    )


def checked_name(of: str, name: object) -> str:
    """The name of an action. Raises `SpecError` if it is none."""
    if not is_pattern(name) or not is_exact(name):
        allowed = "segments of letters, digits, _ and -, joined by dots"
        raise SpecError("name", name, allowed, of=of)
    return name


def _signature(of: str, function: FunctionType, data: object, names: Names) -> tuple[Any, Any]:
    """What the function takes and gives."""
    parameters = list(inspect.signature(function).parameters.values())
    generates = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
    if [one.kind in _POSITIONAL for one in parameters] != [True] or generates:
        raise SpecError("function", function, "a function of one positional parameter", of=of)
    annotations = hints(of, function, names)
    (name,) = (one.name for one in parameters)
    declared = annotations.get(name, NOT_GIVEN)
    if data is NOT_GIVEN and declared is NOT_GIVEN:
        allowed = f"annotated with the type of its {name!r}, or registered with data="
        raise SpecError("function", function, allowed, of=of)
    if NOT_GIVEN not in (data, declared) and declared not in (data, Any):
        raise SpecError("data", data, f"what {name!r} is annotated with", of=of)
    return (declared if data is NOT_GIVEN else data), _result(of, function, annotations)


def _result(of: str, function: FunctionType, annotations: dict[str, Any]) -> Any:
    result = annotations.get("return", Any)
    if typing.get_origin(result) in (Awaitable, Coroutine):
        raise SpecError("function", function, "an async def, if it is to be awaited", of=of)
    return result


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _checked(
    of: str,
    *,
    timeout: float = math.inf,
    retry: object = None,
    compensate: object = None,
    policies: object = (),
) -> dict[str, Any]:
    positive(of, "timeout", timeout, finite=False)
    if retry is not None and not isinstance(retry, Retry):
        raise SpecError("retry", retry, "a trido.Retry or None", of=of)
    if compensate is not None and not _takes_two(compensate):
        raise SpecError("compensate", compensate, "a function of (data, error) or None", of=of)
    return {
        "timeout": timeout,
        "retry": retry,
        "compensate": compensate,
        "policies": policies_of(of, policies),
    }


def _takes_two(function: object) -> bool:
    try:
        inspect.signature(function).bind(None, None)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True
