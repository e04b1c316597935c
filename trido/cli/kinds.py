"""What an app is to the command line: a tree, an async function, or an open context.

A tree is data, and can be looked at without running it. What the others run is seen as they run.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeAlias, cast

import trio
from attrs import evolve, frozen

from trido.cli.load import UserError, load, said
from trido.runtime import Agent
from trido.supervision import DynamicSupervisorSpec, Spec, SupervisorSpec
from trido.supervision.functions import is_async, unwrapped

_HELP: Final = (
    "an app is a supervisor's, a child's or an agent's spec, a function that returns one,"
    " an async function of nothing or of a runtime,"
    " or what opens a runtime or a supervisor by async with"
)


@frozen
class Tree:
    """A supervisor and its children, as data."""

    spec: SupervisorSpec | DynamicSupervisorSpec


@frozen
class Function:
    """An async function that does it all."""

    fn: Callable[..., Awaitable[object]]
    takes_runtime: bool


@frozen
class Context:
    """What gives a runtime or a supervisor while its block lasts. It can be entered once."""

    manager: AbstractAsyncContextManager[Any]


App: TypeAlias = Tree | Function | Context


def app_at(where: str) -> App:
    """What ``module:name`` is.

    Call it in an event loop: to make a runtime, even one that is never opened, takes one.

    Raises:
      UserError: there is no such thing, or it is no app.
    """
    _, value = load(where)
    return app_of(where, value)


def tree_at(where: str, to: str) -> SupervisorSpec | DynamicSupervisorSpec:
    """The tree that ``module:name`` is.

    Raises:
      UserError: there is none, or it is only there when it runs.
    """
    app = trio.run(_in_loop, where)
    if not isinstance(app, Tree):
        allowed = "name a spec, or a function that returns one; or see it live: trido run --watch"
        raise UserError(f"{where} has to run before there is a tree to {to}: {allowed}")
    return app.spec


async def _in_loop(where: str) -> App:
    await trio.lowlevel.checkpoint()
    return app_at(where)


def app_of(where: str, value: object) -> App:
    """What it is.

    Raises:
      UserError: it is no app.
    """
    if isinstance(value, Agent):
        raise UserError(
            f"{where} is the definition of an agent, and says not how to run it:"
            f' make a spec of it, such as app = {where.rpartition(":")[2]}.spec(id="one")'
        )
    known = _ready(value)
    if known is not None:
        return known
    if not callable(value):
        raise UserError(f"{where} is {_a(value)}; {_HELP}")
    if is_async(value) and getattr(unwrapped(value), "__name__", "") != "<lambda>":
        return _function(where, value)
    return _made(where, value)


def _ready(value: object) -> App | None:
    if isinstance(value, SupervisorSpec | DynamicSupervisorSpec):
        return Tree(value)
    if isinstance(value, Spec):
        return Tree(_alone(value))
    if hasattr(value, "__aenter__") and not isinstance(value, type):
        return Context(cast("AbstractAsyncContextManager[Any]", value))
    return None


def _alone(spec: Spec[Any]) -> SupervisorSpec:
    """A supervisor of one child, that ends when the child has ended for good."""
    if spec.policy.restart == "permanent" or not hasattr(spec, "significant"):
        return SupervisorSpec(spec)
    significant = cast("Any", evolve)(spec, significant=True)
    return SupervisorSpec(significant, auto_shutdown="any_significant")


def _function(where: str, fn: Callable[..., Any]) -> Function:
    needed = _needed(fn)
    if len(needed) > 1:
        allowed = "it may take a runtime, or nothing"
        raise UserError(f"{where} takes {', '.join(needed)}: {allowed}")
    return Function(fn, takes_runtime=len(needed) == 1)


def _made(where: str, factory: Callable[..., Any]) -> App:
    needed = _needed(factory)
    if needed:
        raise UserError(f"{where} cannot be called without {', '.join(needed)}; {_HELP}")
    try:
        value = factory()
    except Exception as error:
        raise UserError(f"{where} failed: {said(error)}") from error
    known = _ready(value)
    if known is None:
        raise UserError(f"{where} returned what is {_a(value)}; {_HELP}")
    return known


def _needed(fn: Callable[..., Any]) -> list[str]:
    """The parameters that have to be given."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):  # it is written in C, and does not say
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [one.name for one in parameters if one.default is one.empty and one.kind not in optional]


def _a(value: object) -> str:
    return f"of type {type(value).__name__}"
