"""Sequences: several actions as one, each given what the one before gave."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Final, NewType, TypeVar, Union, overload

import attrs

from trido.agents.action import Action, AsyncAction, checked_name
from trido.errors import SpecError

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")


@overload
def sequence(name: str, one: Action[A, B], /) -> AsyncAction[A, B]: ...
@overload
def sequence(name: str, one: Action[A, B], two: Action[B, C], /) -> AsyncAction[A, C]: ...
@overload
def sequence(
    name: str, one: Action[A, B], two: Action[B, C], three: Action[C, D], /
) -> AsyncAction[A, D]: ...
@overload
def sequence(
    name: str,
    one: Action[A, B],
    two: Action[B, C],
    three: Action[C, D],
    four: Action[D, E],
    /,
) -> AsyncAction[A, E]: ...
@overload
def sequence(
    name: str,
    one: Action[A, B],
    two: Action[B, C],
    three: Action[C, D],
    four: Action[D, E],
    five: Action[E, F],
    /,
    *rest: Action[Any, Any],
) -> AsyncAction[A, Any]: ...
def sequence(name: str, /, *steps: Action[Any, Any]) -> Any:
    """Several actions as one: the first is given the parameters, each next the result before it.

    Each step runs as it would alone, with its own timeout, retry and policies. If one fails for
    good, or the sequence is cancelled, no later step runs, and what the steps have done is undone:
    the compensations of the one that failed and of those before it run in reverse, each once. The
    error is a `StepFailed` that names the step.

    Args:
      name: what it is called, as for `action`.
      steps: the actions, which may be sequences too.

    Raises:
      SpecError: at once, if there is no step, or one can never take what the one before gives.
    """
    of = f"sequence {checked_name('sequence', name)!r}"
    if not steps or not all(isinstance(one, Action) for one in steps):
        raise SpecError("steps", steps, "one action or more", of=of)
    for before, after in pairwise(steps):
        if not _may_pass(before.result, after.data):
            allowed = f"an action that takes what {before.name!r} gives: {before.result!r}"
            raise SpecError("steps", after, allowed, of=of)
    return AsyncAction(
        name=name,
        function=_chain(name, steps),
        data=steps[0].data,
        result=steps[-1].result,
        parameters=steps[0].parameters,
        results=steps[-1].results,
        steps=steps,
    )


def _chain(name: str, steps: tuple[Action[Any, Any], ...]) -> Any:
    """The plain functions, one after another."""

    async def chain(data: Any) -> Any:
        for step in steps:
            result = step.function(data)
            data = await result if isinstance(step, AsyncAction) else result
        return data

    chain.__name__ = chain.__qualname__ = name
    chain.__doc__ = " → ".join(step.name for step in steps)
    return chain


def _may_pass(given: Any, taken: Any) -> bool:
    """Whether a value of the one type may be one of the other, as far as that can be told."""
    return any(_may_be(one, other) for one in _members(given) for other in _members(taken))


def _may_be(given: Any, taken: Any) -> bool:
    if not (_is_told(given) and _is_told(taken)):
        return True
    # None of them is made of another, as a class is of a mapping; but an int is also a float.
    return issubclass(given, taken) or issubclass(taken, given) or (given, taken) == (int, float)


def _is_told(declared: Any) -> bool:
    return isinstance(declared, type) and (declared in _SCALARS or attrs.has(declared))


_SCALARS: Final = frozenset({str, int, float, bool, bytes, type(None)})


def _members(declared: Any) -> Iterator[Any]:
    """The types of a union; or the type itself."""
    origin = typing.get_origin(declared)
    if isinstance(declared, NewType):
        yield from _members(declared.__supertype__)
    elif origin is Annotated:
        yield from _members(typing.get_args(declared)[0])
    elif origin is Union or origin is types.UnionType:
        for one in typing.get_args(declared):
            yield from _members(one)
    else:
        yield type(None) if declared is None else declared
