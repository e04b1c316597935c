"""What it is to hold: one rule for every invariant, whoever is given it.

An invariant fails if it raises, or returns what is false and not None. It is a plain function: what
would have to be awaited says nothing, so it is refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVarTuple

from trido.errors import SpecError
from trido.testing import arguments
from trido.testing.explain import explain, story
from trido.testing.recorder import Recorder

Ts = TypeVarTuple("Ts")

Invariant: TypeAlias = Callable[[Recorder], object]
"""A function of what was recorded. It fails if it raises, or returns what is false and not None."""
PLAIN: Final = "a plain function: it is not awaited"


class InvariantFailed(AssertionError):
    """What should always hold of a run did not.

    Attributes:
      invariant: its name.
      what: what is wrong.
      chain: what it came of; empty if that is not known.
    """

    def __init__(self, invariant: str, what: str, chain: str = "") -> None:
        super().__init__(invariant, what, chain)
        self.invariant = invariant
        self.what = what
        self.chain = chain

    def __str__(self) -> str:
        told = f"\nHow it came to that:\n{self.chain}" if self.chain else ""
        return f"{self.invariant}: {self.what}{told}"


def judge(
    of: str, field: str, invariant: Callable[[*Ts], object], *given: *Ts, about: object
) -> None:
    """``invariant`` holds of ``given``; what it fails by tells how it came to ``about``.

    Raises:
      InvariantFailed: it returned what is false.
      SpecError: it returned what would have to be awaited.
      Exception: what it raised.
    """
    try:
        held = invariant(*given)
    except InvariantFailed:
        raise  # which tells it itself
    except Exception as error:
        if told := story(about):
            error.add_note(told.lstrip())
        raise
    if inspect.isawaitable(held) or inspect.isasyncgen(held):
        if inspect.iscoroutine(held):
            held.close()  # else Python warns that nobody has awaited it
        raise SpecError(field, invariant, PLAIN, of=of)
    if held is not None and not held:
        raise InvariantFailed(_name_of(invariant), f"does not hold: {about!r}", _chain_of(about))


def plain(of: str, field: str, value: object, rule: str = "a function of what is returned") -> None:
    """``value`` is a function that need not be awaited."""
    if not callable(value):
        raise SpecError(field, value, rule, of=of)
    for one in (value, getattr(value, "__call__", None)):  # noqa: B004  # how that is written
        if inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one):
            raise SpecError(field, value, PLAIN, of=of)


def invariants(of: str, field: str, value: object) -> tuple[Any, ...]:
    """``value`` are invariants of records."""
    found = arguments.several(of, field, value, "invariants, in a list")
    for one in found:
        plain(of, field, one, "an invariant: a function of a Recorder")
    return found


def _name_of(invariant: object) -> str:
    return str(getattr(invariant, "__name__", invariant))


def _chain_of(about: object) -> str:
    return explain(about) if isinstance(about, Recorder) and about.agents else ""
