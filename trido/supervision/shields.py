"""Breaking out of shields: the one place where supervision reaches into Trio's private parts.

A task that shields itself from cancellation cannot be killed with Trio's public interface. OTP's
``brutal_kill`` has no such exception, so once a child's grace is over its shields are made to let
the cancellation through. If this Trio has no such parts, nothing is broken: the child ends when it
likes, and until then it is a zombie.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any
from weakref import WeakSet

import trio

_SPARED: trio.lowlevel.RunVar[WeakSet[trio.CancelScope]] = trio.lowlevel.RunVar("trido.spared")


def spare(scope: trio.CancelScope) -> None:
    """Never break ``scope``, nor what is in it: it is a supervisor's."""
    try:
        spared = _SPARED.get()
    except LookupError:
        spared = WeakSet()
        _SPARED.set(spared)
    spared.add(scope)


def break_shields(scope: trio.CancelScope, *, of_subprocesses: bool = False) -> None:
    """Let the cancellation of ``scope`` through every shield in it.

    Left alone are supervisors, and unless ``of_subprocesses`` the shields within which
    `trio.run_process` waits for the process it has told to end.
    """
    supervisors = _SPARED.get(WeakSet())
    processes = set[trio.CancelScope]() if of_subprocesses else set(_subprocess_scopes(scope))
    for inner in _inner_scopes(scope, supervisors, processes):
        if inner.shield:
            inner.shield = False


def _inner_scopes(
    scope: trio.CancelScope, *spared: Container[trio.CancelScope]
) -> Iterator[trio.CancelScope]:
    todo = [getattr(scope, "_cancel_status", None)]
    while todo:
        for status in list(getattr(todo.pop(), "_children", ())):
            inner = getattr(status, "_scope", None)
            if isinstance(inner, trio.CancelScope) and not any(inner in ones for ones in spared):
                yield inner
                todo.append(status)


def _subprocess_scopes(scope: trio.CancelScope) -> Iterator[trio.CancelScope]:
    todo: list[Any] = [getattr(scope, "_cancel_status", None)]
    while todo:
        status = todo.pop()
        todo.extend(getattr(status, "_children", ()))
        for task in list(getattr(status, "_tasks", ())):
            yield from _scopes_of_run_process(task)


def _scopes_of_run_process(task: trio.lowlevel.Task) -> Iterator[trio.CancelScope]:
    for frame, _ in task.iter_await_frames():
        if frame.f_globals.get("__name__") == "trio._subprocess":
            nursery = frame.f_locals.get("nursery")
            if isinstance(nursery, trio.Nursery):
                yield nursery.cancel_scope
