"""Checks of definitions: each raises a `SpecError` that names the thing, the field and the rule."""

from __future__ import annotations

import math
from typing import cast

from trido.errors import SpecError


def one_of(of: str, name: str, value: object, allowed: tuple[object, ...]) -> None:
    """``value`` is one of these: strings by value, all else by identity."""
    if not any(value is choice or (value == choice and type(value) is str) for choice in allowed):
        raise SpecError(name, value, "one of " + ", ".join(map(repr, allowed)), of=of)


def is_number(value: object) -> bool:
    """``value`` is a number other than nan; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def seconds(of: str, name: str, value: object, *, least: float = 0.0, finite: bool = False) -> None:
    """``value`` is a number of seconds."""
    if is_number(value):
        number = cast("float", value)
        if number >= least and not (finite and math.isinf(number)):
            return
    allowed = f"a {'finite ' if finite else ''}number of seconds >= {least:g}"
    raise SpecError(name, value, allowed, of=of)


def flag(of: str, name: str, value: object) -> None:
    """``value`` is a bool."""
    if not isinstance(value, bool):
        raise SpecError(name, value, "True or False", of=of)


def exceptions(of: str, name: str, value: object) -> tuple[type[Exception], ...]:
    """``value`` is an `Exception` class or several; always returned as a tuple."""
    types = value if isinstance(value, tuple) else (value,)
    if all(isinstance(one, type) and issubclass(one, Exception) for one in types):
        return cast("tuple[type[Exception], ...]", types)
    raise SpecError(name, value, "an Exception class or a tuple of Exception classes", of=of)


def is_utf8(text: str) -> bool:
    """``text`` can be written as UTF-8: it has no lone surrogates."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def name(of: str, value: object) -> str:
    """``value`` can be an id."""
    if isinstance(value, str) and value:
        return value
    raise SpecError("id", value, "a non-empty string", of=of)


def count(of: str, name: str, value: object, *, least: int, infinite: bool) -> None:
    """``value`` is a whole number, or inf where that is allowed."""
    if infinite and value == math.inf:
        return
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return
    allowed = f"an int >= {least}" + (" or math.inf" if infinite else "")
    raise SpecError(name, value, allowed, of=of)


def text(of: str, name: str, value: object) -> None:
    """``value`` is a string that says something."""
    if not (isinstance(value, str) and value):
        raise SpecError(name, value, "a non-empty string", of=of)
