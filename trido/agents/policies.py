"""Policies: how often an action is tried, and when it may run, as data.

They say; they hold no state. What happened so far is kept by whoever runs the actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias, final

from attrs import field, frozen

from trido.agents.action_errors import ActionTimeout
from trido.agents.errors import Reject
from trido.checks import count, exceptions, seconds, text
from trido.errors import SpecError
from trido.values import ByFields


class Waits(Protocol):
    """How long to wait before an attempt. `trido.Backoff` is one."""

    def delay(self, attempt: int, u: float = 0.0, /) -> float:
        """Seconds to wait before attempt number ``attempt``; ``u`` is drawn from [0, 1)."""
        ...


@final
@frozen(eq=False, repr=False)
class Retry(ByFields):
    """Try an action again that failed, for the errors named and no others.

    A group of errors is one of those if all its leaves are. A `Reject` is an answer, and no
    failure: it is never tried again. Neither is an attempt whose thread was abandoned: it may
    still be at work.

    Raises:
      SpecError: a field is not what it may be.
    """

    attempts: int
    """How many times it is tried in all."""
    on: type[Exception] | tuple[type[Exception], ...] = field(kw_only=True)
    """The errors after which it is tried again."""
    backoff: Waits | None = field(default=None, kw_only=True)
    """How long to wait before each attempt; None is ``trido.Backoff(jitter=0.5)``."""

    def __attrs_post_init__(self) -> None:
        count("Retry", "attempts", self.attempts, least=1, infinite=False)
        types = exceptions("Retry", "on", self.on)
        if not types or any(issubclass(one, Reject) for one in types):
            allowed = "the errors to try again after; a Reject is an answer, and never one of them"
            raise SpecError("on", self.on, allowed, of="Retry")
        object.__setattr__(self, "on", types)
        if self.backoff is not None and not callable(getattr(self.backoff, "delay", None)):
            raise SpecError("backoff", self.backoff, "a trido.Backoff or None", of="Retry")

    def again(self, attempt: int, error: Exception) -> bool:
        """Whether to try again after attempt number ``attempt`` failed with ``error``."""
        if attempt >= self.attempts:
            return False
        return all(isinstance(one, self.on) and not _is_final(one) for one in leaves(error))


def _is_final(error: BaseException) -> bool:
    return isinstance(error, Reject) or (isinstance(error, ActionTimeout) and error.abandoned)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from leaves(one)
    else:
        yield error


@final
@frozen(eq=False, repr=False)
class Limit(ByFields):
    """At most ``n`` at once of all attempts under this name. Those that wait keep their order.

    Raises:
      SpecError: a field is not what it may be.
    """

    name: str
    n: int

    def __attrs_post_init__(self) -> None:
        text("Limit", "name", self.name)
        count("Limit", "n", self.n, least=1, infinite=False)


@final
@frozen(eq=False, repr=False)
class Rate(ByFields):
    """At most ``n`` attempts begin in any ``per`` seconds. Those that wait keep their order.

    Raises:
      SpecError: a field is not what it may be.
    """

    n: int
    per: float
    name: str | None = field(default=None, kw_only=True)
    """Actions that say the same name share one; without a name it is the action's own."""

    def __attrs_post_init__(self) -> None:
        count("Rate", "n", self.n, least=1, infinite=False)
        positive("Rate", "per", self.per)
        if self.name is not None:
            text("Rate", "name", self.name)

    def earliest(self, begun: Sequence[float], now: float) -> float:
        """When the next may begin, if the ``n`` latest began at these times."""
        return max(now, begun[-self.n] + self.per) if len(begun) >= self.n else now


@final
@frozen(eq=False, repr=False)
class Breaker(ByFields):
    """Stop trying what fails: ``failures`` within ``within`` seconds open it for ``open_for``.

    While it is open the action fails at once, with `BreakerOpen`. Then one attempt is let through,
    while others still fail at once: success closes the breaker, failure opens it again.

    Every `Exception` is a failure, a timeout or a wrong result too; but for `Reject`, which is an
    answer, and `BreakerOpen`: another breaker let nothing happen. An attempt that was cancelled
    says nothing.

    Raises:
      SpecError: a field is not what it may be.
    """

    failures: int
    within: float
    open_for: float
    name: str | None = field(default=None, kw_only=True)
    """Actions that say the same name share one; without a name it is the action's own."""

    def __attrs_post_init__(self) -> None:
        count("Breaker", "failures", self.failures, least=1, infinite=False)
        positive("Breaker", "within", self.within, finite=False)
        positive("Breaker", "open_for", self.open_for)
        if self.name is not None:
            text("Breaker", "name", self.name)


Policy: TypeAlias = Limit | Rate | Breaker


def policies_of(of: str, given: object) -> tuple[Policy, ...]:
    """The policies of one action.

    Raises:
      SpecError: something is no policy, or there are two of one kind and name.
    """
    if not isinstance(given, Sequence) or not all(isinstance(one, Policy) for one in given):
        raise SpecError("policies", given, "a sequence of Limit, Rate and Breaker", of=of)
    seen = set()
    for one in given:
        if (type(one), one.name) in seen:
            raise SpecError("policies", one, "the only one of its kind and name", of=of)
        seen.add((type(one), one.name))
    return tuple(given)


def positive(of: str, name: str, value: object, *, finite: bool = True) -> None:
    """``value`` is a number of seconds that are more than none."""
    seconds(of, name, value, finite=finite)
    if value == 0:
        raise SpecError(name, value, "a number of seconds > 0", of=of)
