"""Executors: who carries out directives of one's own, and sends signals outside."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, final

from attrs import Factory, field, frozen

from trido.agents import Signal
from trido.agents.directive import DELIVERY_MODES, DeliveryMode
from trido.checks import one_of
from trido.errors import SpecError
from trido.values import ByFields


@final
@frozen(kw_only=True, eq=False, repr=False)
class Delivery(ByFields):
    """What an executor may know of the directive it carries out, besides the directive."""

    id: str
    """Names this very directive: the same whenever it is tried again. A receiver that keeps the
    ids it has seen does nothing twice."""
    agent: str
    """The id of the agent that committed it."""
    signal: Signal
    """The signal whose turn committed it; with an id, the same for all that this turn committed."""


def _undeclared(executor: object) -> DeliveryMode:
    object.__setattr__(executor, "is_declared", False)
    return "idempotent"


@final
@frozen(eq=False, repr=False)
class Executor(ByFields):
    """An async function that carries out directives, and what may be done about a crash.

    It is called as ``fn(directive)``, or as ``fn(directive, delivery)`` if it takes two arguments.
    One that sends signals (a dispatch executor) is given the signal in place of a directive.

    Args:
      fn: the function. What it raises goes to the agent's ``on_error``.
      delivery: whether it may be called again for a directive whose outcome is not known:
        it may (``"idempotent"``), it may since it passes `Delivery.id` on to a receiver that does
        nothing twice (``"keyed"``), or it may not (``"at_most_once"``).

    Raises:
      SpecError: an argument is not what it may be.
    """

    fn: Callable[..., Awaitable[object]]
    is_declared: bool = field(default=True, init=False, eq=False, repr=False)
    """Whether somebody has said how it delivers."""
    delivery: DeliveryMode = field(default=Factory(_undeclared, takes_self=True), kw_only=True)
    _takes_delivery: bool = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_takes_delivery", _inspected(self.fn) > 1)
        one_of("Executor", "delivery", self.delivery, DELIVERY_MODES)

    async def carry_out(self, what: object, delivery: Delivery) -> None:
        """Call the function."""
        await (self.fn(what, delivery) if self._takes_delivery else self.fn(what))


def _inspected(fn: Any) -> int:
    """How many arguments it takes: one or two."""
    allowed = "an async function of (directive) or (directive, delivery)"
    if not inspect.iscoroutinefunction(fn):
        raise SpecError("fn", fn, allowed, of="Executor")
    kinds = [one.kind for one in inspect.signature(fn).parameters.values()]
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if len(kinds) not in (1, 2) or any(kind not in positional for kind in kinds):
        raise SpecError("fn", fn, allowed, of="Executor")
    return len(kinds)


def executor(what: object) -> Executor:
    """``what``, as an executor: it is one, or the function of one."""
    return what if isinstance(what, Executor) else Executor(what)  # type: ignore[arg-type]
