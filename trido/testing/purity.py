"""Whether agents only decide: the same input gives the same decision, and nothing else happens."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from attrs import evolve, field, frozen

from trido.agents import Definition, Signal, Turn
from trido.agents.handlers import Hook
from trido.agents.secrets import redacted
from trido.checks import count
from trido.errors import SpecError
from trido.testing import arguments
from trido.testing.purity_watch import watched

if TYPE_CHECKING:
    from hypothesis import strategies as st

    from trido.testing.strategies.values import Types


@frozen
class Asked:
    """What somebody is asked to decide."""

    by: str
    """The route or the hook that decides."""
    state: Any
    signal: Signal | None
    turn: Turn
    decide: Callable[[Any, Signal | None, Turn], object] = field(repr=False, eq=False)

    def outcome(self) -> object:
        """What it comes to: the decision, or the error."""
        try:
            return self.decide(self.state, self.signal, self.turn)
        except Exception as error:
            return type(error), str(error)

    def __str__(self) -> str:
        said = f"{self.by}, state {redacted(self.state)}"
        return said if self.signal is None else f"{said}, signal {self.signal!r}"


def assert_pure(agent: Definition[Any], *, examples: int = 100, types: Types | None = None) -> None:
    """Fail unless all that ``agent`` decides follows from what it is given.

    Every handler, guard and hook that is a plain ``def`` is given drawn states, signals and turns.
    It must decide the same when it is asked again, in another order, and about equal inputs that
    are other objects. It must change none of them; and it must not ask the clock, chance, files or
    Trio, nor print. What fails is shrunk to the plainest input that does. Handlers that are
    ``async`` are not asked: they do more than decide.

    Args:
      agent: any agent, or definition.
      examples: how many inputs to try.
      types: as for ``trido.testing.strategies.values``.

    Raises:
      AssertionError: it is not pure; the message says who decided what, and where it looked.
      SpecError: it has nothing that only decides.
    """
    count("assert_pure", "examples", examples, least=1, infinite=False)
    arguments.types("assert_pure", types)
    _search(_asked(agent, types), examples, _check_pure)


def _search(
    drawn: st.SearchStrategy[list[Asked]], examples: int, check: Callable[[list[Asked]], None]
) -> None:
    """Have Hypothesis look for what fails; of what fails only now and then, tell how it did."""
    from hypothesis import HealthCheck, Phase, given, settings  # noqa: PLC0415  # only here
    from hypothesis.errors import Flaky  # noqa: PLC0415  # same

    failed: list[AssertionError] = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(drawn)
    def try_one(asked: list[Asked]) -> None:
        try:
            check(asked)
        except AssertionError as error:
            failed.append(error)
            raise

    try:
        try_one()
    except (Flaky, BaseExceptionGroup):
        raise failed[0] from None


def _check_pure(asked: list[Asked]) -> None:
    looked: list[str] = []
    copies = [_twin(one) for one in asked]
    with watched(looked):
        first = [one.outcome() for one in asked]
    for one, before in zip(asked, copies, strict=True):
        if one != before:
            raise AssertionError(f"{one.by} changes what it is given: {before} is now {one}")
    if looked:
        raise AssertionError(f"{' or '.join(dict.fromkeys(one.by for one in asked))} {looked[0]}")
    again = [one.outcome() for one in reversed(copies)][::-1]
    for one, expected, got in zip(asked, first, again, strict=True):
        if got != expected:
            raise AssertionError(_differs(one, expected, got))


def _differs(asked: Asked, expected: object, got: object) -> str:
    return (
        f"{asked.by} does not decide the same when it is asked again\n"
        f"  asked: {asked}\n  first: {redacted(expected)}\n  then:  {redacted(got)}"
    )


def _twin(asked: Asked) -> Asked:
    """The same with other objects; but a ref is whoever it names."""
    from trido.testing.strategies.values import REFS  # noqa: PLC0415  # needs Hypothesis

    memo: Any = {id(ref): ref for ref in REFS}
    state, signal = copy.deepcopy((asked.state, asked.signal), memo)
    return evolve(asked, state=state, signal=signal, turn=copy.copy(asked.turn))


def _asked(agent: Definition[Any], types: Types | None) -> st.SearchStrategy[list[Asked]]:
    from hypothesis import strategies as st  # noqa: PLC0415  # only here

    from trido.testing.strategies.signals import of_route, states, turns  # noqa: PLC0415  # same
    from trido.testing.strategies.values import Values  # noqa: PLC0415  # same

    state = states(agent, types=types)

    def cmd(state: Any, signal: Signal | None, turn: Turn) -> object:
        return agent.cmd(state, cast("Signal", signal), evolve(cast("Any", turn), signal=signal))

    ways = [
        st.builds(
            Asked,
            st.just(f"handler of {route.pattern!r} of {agent.of}"),
            state,
            of_route(agent, route, Values(types or {})),
            turns(),
            st.just(cmd),
        )
        for route in agent.routes
        if not route.is_async
    ]
    ways += [
        _of_hook(agent, hook, state)
        for hook in (agent.starts, agent.stops)
        if hook is not None and not hook.is_async
    ]
    if not ways:
        raise SpecError("agent", agent, "an agent that has a plain def", of="assert_pure")
    return st.lists(st.one_of(ways), min_size=1, max_size=3)


def _of_hook(
    agent: Definition[Any], hook: Hook, state: st.SearchStrategy[Any]
) -> st.SearchStrategy[Asked]:
    from hypothesis import strategies as st  # noqa: PLC0415  # only here

    from trido.testing.strategies.signals import turns  # noqa: PLC0415  # same

    def decide(state: Any, _: Signal | None, turn: Turn) -> object:
        return agent.decide(hook, state, None, turn.anew())

    by = st.just(f"{hook.pattern} of {agent.of}")
    return st.builds(Asked, by, state, st.none(), turns(), st.just(decide))
