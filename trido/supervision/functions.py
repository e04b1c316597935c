"""What can be found out about an async function without calling it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Final
from weakref import WeakKeyDictionary

from trido.checks import one_of
from trido.errors import SpecError
from trido.supervision.policy import Ready


def unwrapped(fn: object) -> object:
    """``fn`` without the partials around it."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return fn


def function_id(fn: object) -> str:
    """The id of a child that was given none: the name of its function."""
    name = getattr(unwrapped(fn), "__name__", "")
    if not isinstance(name, str) or name in ("", "<lambda>"):
        raise SpecError("id", None, f"given: {fn!r} has no name to take it from", of="ChildSpec")
    return name


def is_async(fn: object) -> bool:
    """Whether calling ``fn`` gives something to await, as far as can be seen."""
    inner = unwrapped(fn)
    if not callable(inner):
        return False
    if getattr(inner, "__name__", "") == "<lambda>":
        return True  # it cannot be `async`, and may well return an awaitable
    looks = (inner, inspect.unwrap(inner), type(inner).__call__)
    return any(inspect.iscoroutinefunction(look) for look in looks)


_SIGNATURES: Final = WeakKeyDictionary[FunctionType, inspect.Signature | None]()
"""Of functions: many children may run one, and to read it takes as long as the other checks."""


def _signature(fn: Callable[..., object]) -> inspect.Signature | None:
    if not isinstance(fn, FunctionType):
        return _read_signature(fn)
    if fn not in _SIGNATURES:
        _SIGNATURES[fn] = _read_signature(fn)
    return _SIGNATURES[fn]


def _read_signature(fn: Callable[..., object]) -> inspect.Signature | None:
    try:
        return inspect.signature(fn)
    except (ValueError, TypeError):  # built in, or says nothing of itself
        return None


def _takes_task_status(fn: object, signature: inspect.Signature, args: tuple[object, ...]) -> bool:
    while isinstance(fn, functools.partial):
        if "task_status" in fn.keywords:
            return False
        fn = fn.func
    parameter = signature.parameters.get("task_status")
    if parameter is None or parameter.kind not in (
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    ):
        return False
    try:
        return "task_status" not in signature.bind_partial(*args).arguments
    except TypeError:  # too many arguments: said in words of its own by _fits
        return True


def _fits(of: str, fn: object, signature: inspect.Signature, args: tuple[object, ...]) -> None:
    try:
        signature.bind(*args)
    except TypeError as error:
        raise _misfit(of, fn, signature, args, error) from None


def inspect_function(
    of: str, fn: Callable[..., object], args: tuple[object, ...], ready: Ready | None
) -> bool:
    """Whether the child ``fn`` announces when it is ready.

    Raises:
      SpecError: it is not async, or ``args`` is not what it takes.
    """
    if not is_async(fn):
        raise SpecError("fn", fn, "an async function", of=of)
    if ready is not None:
        one_of(of, "ready", ready, ("started", "scheduled"))
    signature = _signature(fn)
    if signature is None:
        return ready == "started"
    signals = ready == "started" or (ready is None and _takes_task_status(fn, signature, args))
    if signals:
        signature = _without_task_status(of, signature)
    _fits(of, fn, signature, args)
    return signals


def inspect_template(
    of: str, fn: Callable[..., object], args: tuple[object, ...], ready: Ready | None
) -> None:
    """Check what can be checked of a function whose last arguments come later.

    Raises:
      SpecError: it is not async, or cannot take ``args``.
    """
    if not is_async(fn):
        raise SpecError("fn", fn, "an async function", of=of)
    if ready is not None:
        one_of(of, "ready", ready, ("started", "scheduled"))
    signature = _signature(fn)
    if signature is None:
        return
    if ready == "started":
        signature = _without_task_status(of, signature)
    try:
        signature.bind_partial(*args)
    except TypeError as error:
        raise _misfit(of, fn, signature, args, error) from None


def _misfit(
    of: str, fn: object, signature: inspect.Signature, args: tuple[object, ...], error: TypeError
) -> SpecError:
    name = getattr(unwrapped(fn), "__name__", repr(fn))
    return SpecError("args", args, f"what {name}{signature} takes ({error})", of=of)


def _without_task_status(of: str, signature: inspect.Signature) -> inspect.Signature:
    parameters = dict(signature.parameters)
    if parameters.pop("task_status", None) is None and not any(
        one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()
    ):
        allowed = f"'scheduled' or None for a function without a task_status: {signature}"
        raise SpecError("ready", "started", allowed, of=of)
    return signature.replace(parameters=list(parameters.values()))
