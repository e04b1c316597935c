"""Glances: whether an instance has the right fields, compiled into one expression for each class.

Every turn looks at the data of its signal and at the state that follows. An expression does it
several times faster than a loop over the fields, as it is nearly always just the declared type that
is found. It says yes or no; what is wrong, and where, is for whoever looks closer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from trido.agents.shapes import Shape

Fields: TypeAlias = Iterable[tuple[str, "Shape"]]


def never(*_: object) -> bool:
    """What is always to be looked at closer."""
    return False


def glance(cls: type, fields: Fields) -> Callable[[Any], bool]:
    """A function of a value: whether it is of this very class, and its fields are right."""
    names: dict[str, Any] = {"cls": cls}
    tests = ["type(value) is cls"]
    tests += [f"({is_exact} or {is_one})" for is_exact, _, is_one in _tests(fields, names)]
    return _compiled("value", tests, names)


def glance_at_change(cls: type, fields: Fields) -> Callable[[Any, Any], bool]:
    """A function of a value and an earlier one: whether it is of this very class, and right.

    A field is taken to be right if it is the same object in both.
    """
    names: dict[str, Any] = {"cls": cls}
    tests = ["type(value) is cls"]
    tests += [f"({' or '.join(test)})" for test in _tests(fields, names)]
    return _compiled("value, before", tests, names)


def _tests(fields: Fields, names: dict[str, Any]) -> Iterable[tuple[str, str, str]]:
    """For each field three ways to be right, the quickest first; ``names`` gets what they use."""
    for number, (name, shape) in enumerate(fields):
        field, exact, accepts = f"value.{name}", f"exact{number}", f"accepts{number}"
        names[exact], names[accepts] = shape.exact, shape.accepts
        is_exact = f"type({field}) in {exact}" if shape.exact else "False"
        if len(shape.exact) == 1:
            (names[exact],) = shape.exact
            is_exact = f"type({field}) is {exact}"
        yield is_exact, f"{field} is before.{name}", f"{accepts}({field})"


def _compiled(parameters: str, tests: list[str], names: dict[str, Any]) -> Callable[..., bool]:
    # Nothing but the names of fields is in there, and attrs makes code of those itself.
    source = f"lambda {parameters}: {' and '.join(tests)}"
    compiled: Callable[..., bool] = eval(source, names)  # noqa: S307
    return compiled
