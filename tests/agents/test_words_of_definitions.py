"""What is refused at definition names the thing, the rule and the way out, word for word."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import attrs
import pytest
from attrs import evolve, frozen

import trido
from trido.agents.definition import Definition
from trido.agents.schema import Schema
from trido.agents.state import Unchanging
from trido.agents.turn import NO_TURN
from trido.agents.versions import FIRST

ROUTE = "route 'go' of Agent 'words'"
ANNOTATED = "annotated with names that can be looked up where it is defined"
PATTERNS = "segments of letters, digits, _ and -, joined by dots; a segment may also be * or **"
UPGRADES = "functions of plain data, by the version that each takes"


@frozen
class Counter:
    value: int = 0
    name: str = ""


@frozen
class Add:
    by: int = 1


class CannotBeTold(Protocol):
    """A protocol: whether a value is one cannot be told."""

    value: int


def handler(state: Counter, data: Add) -> Counter:
    return state


def unsaid(state: Counter, data):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    return state


def of_another(state: Add, data: Add) -> Add:
    return state


def untold(state: Counter, data: CannotBeTold) -> Counter:
    return state


def unknown(state: Counter, data: Nowhere) -> Counter:  # type: ignore[name-defined]  # noqa: F821  # wrong on purpose
    return state


def hook(state: Counter) -> Counter:
    return state


def hook_of_another(state: Add) -> Add:
    return state


def hook_of_nothing_known(state: Nowhere) -> Any:  # type: ignore[name-defined]  # noqa: F821  # wrong on purpose
    return state


def yes(state: Counter, data: Any) -> bool:
    return True


def words() -> trido.Agent[Counter]:
    return trido.Agent("words", state=Counter)


def refused(make: Any, *args: Any, **fields: Any) -> str:
    with pytest.raises(trido.SpecError) as caught:
        make(*args, **fields)
    return str(caught.value)


def no(what: str, allowed: str) -> str:
    return f"{what} is not allowed; it must be {allowed}"


# The agent ----------------------------------------------------------------------------------------


def test_a_name_is_part_of_ids() -> None:
    allowed = "a non-empty string that UTF-8 can encode, without '/', which ids of children have"
    for name in ("", 1, "//acme", "acme/user", "\ud800"):
        made: Any = trido.Agent
        assert refused(made, name, state=Counter) == no(f"Agent: name={name!r}", allowed)
    assert trido.Agent("acme.user", state=Counter).name == "acme.user"


def test_an_agent_shows_what_it_is_and_is_called() -> None:
    assert repr(words()) == "<trido.Agent 'words'>"
    assert repr(Definition("plain", state=Counter)) == "<trido.Definition 'plain'>"


def test_a_definition_begins_with_version_1_and_no_hooks() -> None:
    plain = Definition("plain", state=Counter)
    assert plain.version == FIRST
    assert (plain.starts, plain.stops) == (None, None)
    second = Definition("plain", state=Counter, version=2, upgrades={1: dict})
    assert (second.version.number, second.version.oldest) == (2, 1)


@pytest.mark.parametrize(
    ("given", "what", "allowed"),
    [
        ({"version": 0}, "version=0", "an int >= 1"),
        ({"version": True}, "version=True", "an int >= 1"),
        ({"version": float("inf")}, "version=inf", "an int >= 1"),
        ({"upgrades": [dict]}, "upgrades=[<class 'dict'>]", UPGRADES),
        ({"version": 2, "upgrades": {1: 7}}, "upgrades={1: 7}", UPGRADES),
        ({"upgrades": {1: dict}}, "upgrades=[1]", f"{UPGRADES}, each the next, up to version=1"),
        ({"upgrades": {0: dict}}, "upgrades=[0]", f"{UPGRADES}, each the next, up to version=1"),
        (
            {"version": 3, "upgrades": {"b": dict, 1: dict}},
            "upgrades=[1, 'b']",
            f"{UPGRADES}, each the next, up to version=3",
        ),
        (
            {"version": 4, "upgrades": {1: dict, 3: dict}},
            "upgrades=[1, 3]",
            f"{UPGRADES}, each the next, up to version=4",
        ),
    ],
)
def test_upgrades_lead_to_the_version_one_by_one(given: Any, what: str, allowed: str) -> None:
    assert refused(Definition, "words", state=Counter, **given) == no(
        f"Agent 'words': {what}", allowed
    )
    assert refused(words().on, "go", **given) == no(f"{ROUTE}: {what}", allowed)


# The state ----------------------------------------------------------------------------------------


@attrs.define
class Changes:
    value: int = 0


@frozen
class Needs:
    value: int


@frozen
class HoldsDeque:
    items: deque[int] | None = None


@frozen
class HoldsHolder:
    inner: tuple[HoldsDeque, ...] = ()


@frozen
class HoldsChanges:
    inner: Changes | None = None


@frozen
class Defaults:
    items: Any = attrs.field(factory=deque)


def test_a_state_is_a_frozen_class_with_defaults() -> None:
    made: Any = trido.Agent
    for state in (Changes, int, "Counter", Counter()):
        assert refused(made, "words", state=state) == no(
            f"Agent 'words': state={state!r}", "a frozen attrs class"
        )
    missing = "Needs.__init__() missing 1 required positional argument: 'value'"
    assert refused(made, "words", state=Needs) == no(
        f"Agent 'words': state={Needs!r}", f"a class whose fields all have defaults ({missing})"
    )


def test_a_state_is_immutable_all_the_way_down() -> None:
    allowed = "immutable all the way down: tuple, frozenset, dict, Mapping, frozen classes"
    for state, field, declared in [
        (HoldsDeque, "HoldsDeque.items", deque[int] | None),
        (HoldsHolder, "HoldsDeque.items", deque[int] | None),
        (HoldsChanges, "HoldsChanges.inner", Changes | None),
    ]:
        assert refused(trido.Agent, "words", state=state) == no(
            f"Agent 'words': {field}={declared!r}", allowed
        )
    assert refused(trido.Agent, "words", state=Defaults) == no(
        "Agent 'words': Defaults.items=deque([])", "a default that cannot change"
    )


@pytest.mark.parametrize("declared", [bytearray, list, set, deque])
def test_no_field_of_a_state_can_change(declared: type) -> None:
    fields = {"it": attrs.field(default=None, type=declared)}
    state = attrs.make_class("Kept", fields, frozen=True)
    assert refused(trido.Agent, "words", state=state).startswith("Agent 'words': Kept.it=<class ")


@dataclasses.dataclass(frozen=True)
class FrozenData:
    value: int = 0


@dataclasses.dataclass(frozen=True)
class FrozenHolder:
    items: tuple[list[int], ...] = ()


def state_of(declared: Any) -> Any:
    fields = {"it": attrs.field(default=None, type=declared)}
    return attrs.make_class("Kept", fields, frozen=True)


def test_a_frozen_dataclass_in_a_state_is_looked_into() -> None:
    assert trido.Agent("words", state=state_of(FrozenData)).name == "words"
    assert refused(trido.Agent, "words", state=state_of(FrozenHolder)) == no(
        f"Agent 'words': FrozenHolder.items={tuple[list[int], ...]!r}",
        "immutable all the way down: tuple, frozenset, dict, Mapping, frozen classes",
    )


@frozen
class Unreadable:
    value: Nowhere = None  # type: ignore[name-defined]  # noqa: F821  # wrong on purpose


def test_what_a_state_declares_can_be_looked_up_and_told() -> None:
    assert refused(trido.Agent, "words", state=state_of(CannotBeTold)) == no(
        f"Agent 'words': annotations={CannotBeTold!r}",
        "a type whose values can be told at run time",
    )
    assert refused(trido.Agent, "words", state=state_of(type[Unreadable])) == no(
        f"Agent 'words': annotations={Unreadable!r}",
        f"{ANNOTATED} (name 'Nowhere' is not defined)",
    )


class Refuses:
    """It has no name."""

    def __call__(self, *_: object) -> None:
        raise AttributeError


def test_only_attrs_itself_makes_a_class_frozen() -> None:
    @attrs.define
    class Homemade:
        value: int = 0
        __setattr__: ClassVar[Any] = Refuses()

    assert refused(trido.Agent, "words", state=Homemade) == no(
        f"Agent 'words': state={Homemade!r}", "a frozen attrs class"
    )


def test_a_field_of_a_state_is_built_where_it_stands() -> None:
    shape = Unchanging(Schema("it", int, {}).shape)
    assert (shape.build(1, "$.value"), shape.name) == (
        1,
        "int that cannot change (see trido.freeze)",
    )
    with pytest.raises(trido.InvalidData) as caught:
        shape.build("1", "$.value")
    assert str(caught.value) == "$.value: expected int, got str"


def test_a_state_may_be_of_itself() -> None:
    @frozen
    class Tree:
        left: Tree | None = None
        names: Mapping[str, Tree] = trido.freeze({})

    assert trido.Agent("words", state=Tree).state.initial == Tree()


# A route ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "what", "allowed"),
    [
        ({"check": 1}, "check=1", "True or False"),
        ({"turn_limit": -1}, "turn_limit=-1", "a number of seconds >= 0"),
        ({"on_caller_gone": "stay"}, "on_caller_gone='stay'", "one of 'cancel', 'finish'"),
        ({"guard": 7}, "guard=7", "a plain function of (state, data), or None"),
        ({"priority": "high"}, "priority='high'", "an int; the higher is tried first"),
    ],
)
def test_what_is_said_of_a_route_is_checked(given: Any, what: str, allowed: str) -> None:
    assert refused(words().on, "go", **given) == no(f"{ROUTE}: {what}", allowed)


def test_a_malformed_type_is_no_route() -> None:
    assert refused(words().on, "a..b") == no("route 'a..b' of Agent 'words': type='a..b'", PATTERNS)


def test_the_type_stands_before_the_function() -> None:
    made: Any = words()
    assert refused(made.on, handler) == no(
        f"on of Agent 'words': type={handler!r}",
        "the type of a signal, before the function: @agent.on('counter.add')",
    )


def test_a_type_has_one_route_without_a_guard() -> None:
    agent = words()
    early, guarded = agent.on("go", data=Add), agent.on("go", data=Add, guard=yes, priority=1)
    late = agent.on("go", data=Add)
    early(lambda state, data: state)
    allowed = "different from that of every other route without a guard"
    assert refused(agent.on, "go") == no(f"{ROUTE}: type='go'", allowed)
    assert refused(late, lambda state, data: state) == no(f"{ROUTE}: type='go'", allowed)
    guarded(lambda state, data: Counter(1))
    assert agent.cmd(Counter(), trido.Signal("go", Add())) == (Counter(1), ())


def test_every_route_leaves_signals_to_the_others() -> None:
    agent = words()
    agent.on("go", data=Add, guard=yes, priority=1)(lambda state, data: state)
    assert refused(agent.on, "go", guard=yes, priority=1) == no(
        f"{ROUTE}: guard={yes!r}", "another one, or of another priority"
    )
    assert refused(agent.on, "go", priority=2) == no(
        f"{ROUTE}: priority=2", "at most 1: it leaves no signal to the route with a guard"
    )
    agent.on("go", data=Add)(lambda state, data: state)
    assert refused(agent.on, "go", guard=yes) == no(
        f"{ROUTE}: priority=0", "over 0: the route without a guard leaves it no signal"
    )


def test_a_route_is_what_was_said_of_it() -> None:
    def simple(state: Counter, data: Add) -> Counter:
        return state

    agent = words()
    agent.on("plain")(simple)
    agent.on(
        "go",
        data=Add,
        check=False,
        guard=yes,
        priority=3,
        turn_limit=2.5,
        on_caller_gone="finish",
        version=2,
        upgrades={1: dict},
    )(lambda state, data, turn: state)
    plain, full = agent.routes
    assert (plain.pattern, plain.handler, plain.check, plain.guard) == (
        "plain",
        simple,
        True,
        None,
    )
    assert (plain.priority, plain.turn_limit, plain.on_caller_gone) == (0, None, "cancel")
    assert (plain.version, plain.takes_turn, plain.is_async) == (FIRST, False, False)
    assert (full.check, full.guard, full.priority, full.turn_limit) == (False, yes, 3, 2.5)
    assert (full.on_caller_gone, full.takes_turn) == ("finish", True)
    assert (full.version.number, full.version.upgrades) == (2, {1: dict})


@pytest.mark.parametrize(
    ("function", "what", "allowed"),
    [
        (
            unsaid,
            f"handler={unsaid!r}",
            "annotated with the type of its 'data', or registered with data=",
        ),
        (of_another, f"handler={of_another!r}", "annotated with Counter for its state"),
        (print, f"handler={print!r}", "a function of (state, data) or (state, data, turn)"),
        (hook, f"handler={hook!r}", "a function of (state, data) or (state, data, turn)"),
        (untold, f"annotations={CannotBeTold!r}", "a type whose values can be told at run time"),
    ],
)
def test_what_is_no_handler(function: Any, what: str, allowed: str) -> None:
    assert refused(words().on("go"), function) == no(f"{ROUTE}: {what}", allowed)


def test_a_handler_names_what_can_be_looked_up() -> None:
    said = refused(words().on("go"), unknown)
    assert said.startswith(f"{ROUTE}: annotations=<")
    assert said.endswith(f"{ANNOTATED} (name 'Nowhere' is not defined)")


def test_a_function_is_a_handler_once_and_its_data_is_said_once() -> None:
    agent = words()

    def once(state: Counter, data: Add) -> Counter:
        return state

    agent.on("go")(once)
    again: Any = agent.on("again")
    assert refused(again, once) == no(
        f"route 'again' of Agent 'words': handler={once!r}",
        "a function that is not a handler yet",
    )
    assert refused(words().on("go", data=Counter), of_two) == no(
        f"{ROUTE}: data={Counter!r}", "what 'data' is annotated with"
    )


def of_two(state: Any, data: Add) -> Any:
    return state


def test_the_data_of_any_handler_may_be_said() -> None:
    agent = words()

    @agent.on("any", data=Add)
    def any_data(state: Counter, data: Any) -> Counter:
        return evolve(state, value=data.by)

    @agent.on("same", data=Add)
    def same(state: object, data: Add) -> Counter:
        return Counter(data.by)

    assert agent.cmd(Counter(), trido.Signal("any", {"by": 3})) == (Counter(3), ())
    assert agent.cmd(Counter(), trido.Signal("same", {"by": 4})) == (Counter(4), ())


def test_signals_of_many_types_have_no_one_version_and_none_is_made_of_a_pattern() -> None:
    of = "route 'counter.*' of Agent 'words'"
    assert refused(words().on, "counter.*", version=2, upgrades={1: dict}) == no(
        f"{of}: version=2", "left out: signals of many types have no one version"
    )
    any_of_them: Any = words().on("counter.*", data=Add)(lambda state, data: state)
    assert refused(any_of_them.signal, Add()) == no(
        f"{of}: type='counter.*'", "an exact type: make a trido.Signal of one that the pattern fits"
    )


# A hook -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["on_start", "on_stop"])
def test_a_hook_is_a_function_of_the_state_given_once(name: str) -> None:
    agent = words()
    give = getattr(agent, name)
    assert refused(give, 3) == no(
        f"Agent 'words': {name}=3", "a function of (state) or (state, turn)"
    )
    assert refused(give, handler_of_three) == no(
        f"Agent 'words': {name}={handler_of_three!r}", "a function of (state) or (state, turn)"
    )
    assert refused(give, hook_of_another) == no(
        f"Agent 'words': {name}={hook_of_another!r}", "annotated with Counter for its state"
    )
    said = refused(give, hook_of_nothing_known)
    assert said.startswith("Agent 'words': annotations=<")
    assert said.endswith(f"{ANNOTATED} (name 'Nowhere' is not defined)")
    assert give(hook) is hook
    assert refused(give, hook) == no(f"Agent 'words': {name}={hook!r}", "given once")


def handler_of_three(state: Counter, data: Add, turn: trido.Turn) -> Counter:
    return state


def test_a_hook_may_use_local_names_and_take_the_turn() -> None:
    @frozen
    class Local:
        began: str = ""

    agent = trido.Agent("local", state=Local)

    @agent.on_start
    def begin(state: Local, turn: trido.Turn) -> Local:
        return Local(turn.agent_id)

    @agent.on_stop
    async def end(state: Local) -> Local:
        return state

    assert agent.starts is not None
    assert agent.stops is not None
    assert (agent.starts.pattern, agent.starts.takes_turn, agent.starts.is_async) == (
        "on_start",
        True,
        False,
    )
    assert (agent.stops.pattern, agent.stops.takes_turn, agent.stops.is_async) == (
        "on_stop",
        False,
        True,
    )
    decided = agent.decide(agent.starts, Local(), None, trido.Turn(agent_id="a"))
    assert decided == (Local("a"), ())


# A decision ---------------------------------------------------------------------------------------


@frozen
class Larger(Counter):
    more: int = 0


def deciding(decision: Any) -> trido.Agent[Counter]:
    agent = words()
    agent.on("go", data=object)(lambda state, data: decision)
    return agent


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (None, "returned None, which is neither a Counter nor (a Counter, directives)"),
        ((1, []), "returned 1, which is neither a Counter nor (a Counter, directives)"),
        ((Counter(), None), "returned None as a directive; directives come in a list or a tuple"),
        ((Counter(), "ab"), "returned 'ab' as a directive; directives come in a list or a tuple"),
        (
            (Counter(), [trido.Stop(), 1, 2]),
            "returned 1 as a directive; directives are data, such as trido.Emit(signal)",
        ),
    ],
)
def test_what_is_no_decision_is_named(decision: Any, said: str) -> None:
    with pytest.raises(trido.InvalidDecision) as caught:
        deciding(decision).cmd(Counter(), trido.Signal("go"))
    assert str(caught.value) == f"handler of 'go' {said}"


def test_a_hook_that_returns_no_decision_is_named() -> None:
    agent = words()
    agent.on_start(lambda state: None)  # type: ignore[arg-type, return-value]  # wrong on purpose
    assert agent.starts is not None
    with pytest.raises(trido.InvalidDecision) as caught:
        agent.decide(agent.starts, Counter(), None, NO_TURN)
    assert str(caught.value) == (
        "handler of 'on_start' returned None, which is neither a Counter nor (a Counter,"
        " directives)"
    )


def test_a_decision_may_be_a_state_of_a_derived_class() -> None:
    assert deciding(Larger(1)).cmd(Counter(), trido.Signal("go")) == (Larger(1), ())


def test_only_the_fields_that_are_new_are_checked() -> None:
    kept: Any = Counter(value="not looked at again")  # type: ignore[arg-type]  # wrong on purpose
    agent = words()
    agent.on("go", data=str)(lambda state, data: evolve(state, name=data))
    wrong: Any = agent.on("wrong", data=object)
    wrong(lambda state, data: evolve(state, name=data))
    assert agent.cmd(kept, trido.Signal("go", "x")) == (evolve(kept, name="x"), ())
    with pytest.raises(trido.InvalidDecision) as caught:
        agent.cmd(kept, trido.Signal("wrong", 1))
    assert str(caught.value) == "the new state is no Counter: $.name: expected str, got int"


def test_cmd_decides_what_only_decides() -> None:
    agent = words()

    @agent.on("go")
    async def effect(state: Counter, data: Add) -> Counter:
        return state

    with pytest.raises(trido.EffectfulRoute) as caught:
        agent.cmd(Counter(), effect.signal(Add()))
    assert (caught.value.agent, caught.value.type) == ("words", "go")
    assert str(caught.value) == (
        "agent 'words' handles 'go' by an async function, which cmd() cannot run: send the signal"
        " to a running agent"
    )
    other: Any = Add()
    with pytest.raises(TypeError) as of_another:
        agent.cmd(other, effect.signal(Add()))
    assert str(of_another.value) == "Agent 'words' has a Counter for its state: Add(by=1)"


def test_a_guard_is_asked_of_the_state_that_is_decided_on() -> None:
    agent = words()
    guard: Any = lambda state, data: state.value > 0  # noqa: E731  # a guard without a name is meant
    agent.on("go", data=Add, guard=guard)(lambda state, data: Counter(9))
    agent.on("*", data=Add)(lambda state, data: Counter(7))
    go = trido.Signal("go", Add())
    assert agent.cmd(Counter(1), go) == (Counter(9), ())
    assert agent.cmd(Counter(0), go) == (Counter(7), ())
