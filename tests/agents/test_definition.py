from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import attrs
import pytest
from attrs import define, evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

import trido
from trido.agents.shapes import Anything
from trido.agents.state import Unchanging


@frozen
class Counter:
    value: int = 0


@frozen
class Add:
    by: int = 1


counter = trido.Agent("counter", state=Counter)


@counter.on("counter.add")
def add(state: Counter, data: Add) -> trido.Decision[Counter]:
    if data.by == 0:
        raise trido.Reject("nothing to add")
    changed = trido.Emit(trido.Signal("counter.changed", data))
    return evolve(state, value=state.value + data.by), [changed]


@counter.on("counter.reset")
def reset(state: Counter, data: None) -> Counter:
    return Counter()


@counter.on("counter.own")
def own(state: Counter, data: None, turn: trido.Turn) -> trido.Decision[Counter]:
    return state, [trido.Reply(turn.agent_id)]


# What cmd does ------------------------------------------------------------------------------------


def test_decides_without_anything_running() -> None:
    changed = trido.Emit(trido.Signal("counter.changed", Add(2)))
    assert counter.cmd(Counter(1), trido.Signal("counter.add", Add(2))) == (Counter(3), (changed,))
    assert counter.cmd(Counter(1), trido.Signal("counter.add", {"by": 2})) == (
        Counter(3),
        (changed,),
    )
    assert counter.cmd(Counter(1), trido.Signal("counter.reset")) == (Counter(), ())


numbers = st.integers(-3, 3)
signals = st.builds(
    trido.Signal,
    st.sampled_from(["counter.add", "counter.reset", "counter.unknown"]),
    numbers | st.none() | st.builds(Add, numbers) | st.fixed_dictionaries({"by": numbers}),
)


def outcome_of(state: Counter, signal: trido.Signal) -> object:
    try:
        return counter.cmd(state, signal)
    except trido.AgentError as error:
        return type(error), error.args


@given(st.builds(Counter, numbers), signals)
def test_the_same_input_gives_the_same_output(state: Counter, signal: trido.Signal) -> None:
    before = evolve(state), evolve(signal)
    assert outcome_of(state, signal) == outcome_of(*before)
    assert (state, signal) == before


def test_says_no() -> None:
    with pytest.raises(trido.NoRoute) as no_route:
        counter.cmd(Counter(), trido.Signal("unknown"))
    assert (no_route.value.agent, no_route.value.type) == ("counter", "unknown")
    with pytest.raises(trido.InvalidData, match=r"^\$\.by: expected int, got str$"):
        counter.cmd(Counter(), trido.Signal("counter.add", {"by": "2"}))
    with pytest.raises(trido.Reject) as rejected:
        counter.cmd(Counter(), trido.Signal("counter.add", {"by": 0}))
    assert rejected.value.reason == "nothing to add"


def test_a_decision_has_what_its_turn_says_and_nothing_else() -> None:
    signal = trido.Signal("counter.own")
    turn = trido.Turn(agent_id="a")
    assert counter.cmd(Counter(), signal, turn) == (Counter(), (trido.Reply("a"),))
    with pytest.raises(RuntimeError, match="agent_id is not known"):
        counter.cmd(Counter(), signal)
    for read in ("signal", "now"):
        with pytest.raises(RuntimeError, match=f"{read} is not known"):
            getattr(turn, read)


def test_a_state_of_another_class_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="has a Counter for its state"):
        counter.cmd(Add(), trido.Signal("counter.reset"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (None, "returned None, which is neither"),
        ((), "which is neither"),
        ((Counter(), [], []), "which is neither"),
        (Counter(value="1"), r"the new state is no Counter: \$\.value: expected int, got str"),  # type: ignore[arg-type]
        ((Counter(), ["emit"]), "returned 'emit' as a directive"),
        ((Counter(), trido.Stop()), "as a directive"),
        ((Counter(), None), "returned None as a directive"),
    ],
)
def test_what_is_no_decision(decision: Any, message: str) -> None:
    agent = trido.Agent("agent", state=Counter)

    @agent.on("go")
    def go(state: Counter, data: Any) -> Any:
        return decision

    with pytest.raises(trido.InvalidDecision, match=message):
        agent.cmd(Counter(), trido.Signal("go"))


def test_check_false_takes_data_as_it_comes() -> None:
    agent = trido.Agent("agent", state=Counter)

    @agent.on("go", data=Add, check=False)
    def go(state: Counter, data: Add) -> trido.Decision[Counter]:
        return state, [trido.Reply(data)]

    assert agent.cmd(Counter(), trido.Signal("go", 1)) == (Counter(), (trido.Reply(1),))


# What on gives back -------------------------------------------------------------------------------


def test_a_handler_stays_the_plain_function() -> None:
    def plain(state: Counter, data: Add) -> Counter:
        return Counter(data.by)

    agent = trido.Agent("agent", state=Counter)
    assert agent.on("go")(plain) is plain
    assert plain(Counter(), Add(3)) == Counter(3)


def test_a_handler_makes_its_signal() -> None:
    assert add.signal(Add(2)) == trido.Signal("counter.add", Add(2))
    assert isinstance(add.signal(Add(2)), trido.Request)


def test_annotations_may_use_local_names() -> None:
    @frozen
    class Local:
        other: Other | None = None

    @frozen
    class Other:
        n: int = 0

    agent = trido.Agent("agent", state=Local)

    @agent.on("go")
    def go(state: Local, data: Other) -> Local:
        return Local(data)

    assert agent.cmd(Local(), trido.Signal("go", {"n": 1})) == (Local(Other(1)), ())


# What is refused at definition --------------------------------------------------------------------


@define
class Mutable:
    value: int = 0


@frozen
class Needs:
    value: int


@dataclasses.dataclass
class MutableData:
    value: int = 0


@frozen
class HoldsList:
    items: list[int] = []  # noqa: RUF008  # what is refused


@frozen
class HoldsDeep:
    items: tuple[Mapping[str, set[int]], ...] = ()


@frozen
class HoldsMutable:
    inner: Mutable | None = None


@frozen
class HoldsData:
    inner: MutableData | None = None


@frozen
class HoldsHolder:
    inner: HoldsHolder | HoldsDeque | None = None


@frozen
class HoldsDeque:
    items: deque[int] | None = None


@pytest.mark.parametrize("state", [Mutable, MutableData, int, "Counter", Counter(), Needs])
def test_the_state_is_a_frozen_attrs_class_with_defaults(state: Any) -> None:
    with pytest.raises(trido.SpecError) as caught:
        trido.Agent("agent", state=state)
    assert caught.value.field == "state"


@pytest.mark.parametrize(
    ("state", "field"),
    [
        (HoldsList, "HoldsList.items"),
        (HoldsDeep, "HoldsDeep.items"),
        (HoldsMutable, "HoldsMutable.inner"),
        (HoldsData, "HoldsData.inner"),
        (HoldsHolder, "HoldsDeque.items"),
    ],
)
def test_the_state_is_immutable_all_the_way_down(state: Any, field: str) -> None:
    with pytest.raises(trido.SpecError) as caught:
        trido.Agent("agent", state=state)
    assert caught.value.field == field


def test_what_is_no_field_may_be_anything() -> None:
    @frozen
    class State:
        shared: ClassVar[list[int]] = []
        mode: Literal["a", "b"] = "a"

    assert trido.Agent("agent", state=State).state.initial == State()


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": 1}, "name"),
        ({"name": "//acme/user"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"mailbox": 0}, "mailbox"),
        ({"mailbox": float("inf")}, "mailbox"),
        ({"overflow": "explode"}, "overflow"),
        ({"keep_mailbox": 1}, "keep_mailbox"),
        ({"recover": "never"}, "recover"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], field: str) -> None:
    given: dict[str, Any] = {"name": "agent", "state": Counter, **settings}
    with pytest.raises(trido.SpecError) as caught:
        trido.Agent(**given)
    assert caught.value.field == field


def test_an_unknown_setting_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        trido.Agent("agent", state=Counter, shelf_life=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("type", ["", "a..b", ".a", "a b", "a.*b", "***", 1, "counter.add"])
def test_malformed_and_duplicate_routes_are_refused(type: Any) -> None:
    with pytest.raises(trido.SpecError) as caught:
        counter.on(type)
    assert caught.value.field == "type"


async def asynchronous_generator(state: Counter, data: Add) -> Any:
    yield state


def generator(state: Counter, data: Add) -> Any:
    yield state


def without_data(state: Counter) -> Counter:
    return state


def with_too_much(state: Counter, data: Add, turn: trido.Turn, more: int) -> Counter:
    return state


def with_keyword(state: Counter, *, data: Add) -> Counter:
    return state


def without_annotation(state: Counter, data) -> Counter:  # type: ignore[no-untyped-def]  # noqa: ANN001
    return state


def of_another_state(state: Add, data: Add) -> Add:
    return state


def of_nothing_known(state: Counter, data: Nowhere) -> Counter:  # type: ignore[name-defined]  # noqa: F821
    return state


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (asynchronous_generator, r"\(state, data\) or \(state, data, turn\)"),
        (generator, r"\(state, data\) or \(state, data, turn\)"),
        (without_data, r"\(state, data\) or \(state, data, turn\)"),
        (with_too_much, r"\(state, data\) or \(state, data, turn\)"),
        (with_keyword, r"\(state, data\) or \(state, data, turn\)"),
        (without_annotation, "annotated with the type of its 'data'"),
        (of_another_state, "annotated with Counter for its state"),
        (of_nothing_known, "Nowhere"),
        (add, "not a handler yet"),
        (print, "a function"),
        (None, "a function"),
    ],
)
def test_what_is_no_handler(handler: Any, message: str) -> None:
    agent = trido.Agent("agent", state=Counter)
    with pytest.raises(trido.SpecError, match=message):
        agent.on("go")(handler)
    assert not list(agent.routes)


def test_data_and_annotation_must_agree() -> None:
    with pytest.raises(trido.SpecError) as caught:
        trido.Agent("agent", state=Counter).on("go", data=Counter)(of_another_data)  # type: ignore[arg-type]
    assert caught.value.field == "data"
    trido.Agent("agent", state=Counter).on("go", data=Add)(without_annotation)


def of_another_data(state: Counter, data: Add) -> Counter:
    return state


def test_check_is_a_flag() -> None:
    with pytest.raises(trido.SpecError) as caught:
        counter.on("go", check=1)  # type: ignore[call-overload]
    assert caught.value.field == "check"


@pytest.mark.parametrize(
    ("signal", "to"), [("signal", None), (trido.Signal("a"), 1), (trido.Signal("a"), "")]
)
def test_directives_are_checked_when_they_are_made(signal: Any, to: Any) -> None:
    with pytest.raises(trido.SpecError):
        trido.Emit(signal, to=to)


def test_directives_are_values() -> None:
    assert trido.Emit(trido.Signal("a"), to="b") == trido.Emit(trido.Signal("a"), to="b")
    assert trido.Reply([1]) == trido.Reply([1])
    assert trido.Stop() == trido.Stop()
    assert hash(trido.Stop()) == hash(trido.Stop())


# The spec -----------------------------------------------------------------------------------------


def test_a_spec_is_plain_data() -> None:
    spec = counter.spec(id="a")
    assert spec == counter.spec(id="a") != counter.spec(id="b")
    assert (spec.child_id, spec.policy.restart, spec.policy.shutdown) == ("a", "transient", 5.0)
    assert isinstance(spec, trido.Spec)
    plan = trido.explain(trido.SupervisorSpec(spec, counter.spec(id="b")), crash="a")
    assert plan.starts == ("a",)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"id": ""}, "id"),
        ({"restart": "sometimes"}, "restart"),
        ({"shutdown": -1}, "shutdown"),
        ({"significant": 1}, "significant"),
        ({"significant": True, "restart": "permanent"}, "significant"),
        ({"backoff": 1}, "backoff"),
        ({"on_limit": "explode"}, "on_limit"),
        ({"restart_on": int}, "restart_on"),
        ({"escalate_on": [ValueError]}, "escalate_on"),
    ],
)
def test_a_bad_spec_is_refused_before_anything_starts(fields: dict[str, Any], field: str) -> None:
    given: dict[str, Any] = {"id": "a", **fields}
    with pytest.raises(trido.SpecError) as caught:
        counter.spec(**given)
    assert caught.value.field == field


def test_an_unknown_field_of_a_spec_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        counter.spec(id="a", heartbeat=1.0)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (Mapping[str, int], {"a": 1}),
        (dict[str, int], {"a": 1}),
        (dict[str, int] | None, {"a": 1}),
        (dict[str, Any], {"a": [{"b": 1}]}),
        (Any, [1]),
        (object, {1}),
        (Sequence[int], [1]),
    ],
)
def test_what_can_change_is_frozen_in_a_state(declared: Any, value: Any) -> None:
    fields = {"it": attrs.field(default=None, type=declared), "n": attrs.field(default=0)}
    state: Any = attrs.make_class("Kept", fields, frozen=True)
    keeper = trido.Agent("keeper", state=state)

    @keeper.on("keep")
    def keep(state: Any, data: int) -> Any:
        return evolve(state, n=data, it=value if data else trido.freeze(value))

    for data in (0, 1):
        kept, _ = keeper.cmd(state(), trido.Signal("keep", data))
        assert kept == state(value, data)
        assert type(kept.it) is type(trido.freeze(value)) is not type(value)
    fields = {"it": attrs.field(factory=lambda: value, type=declared)}
    full: Any = attrs.make_class("Full", fields, frozen=True)
    initial: Any = trido.Agent("keeper", state=full).state.initial
    assert initial == full()
    assert type(initial.it) is type(trido.freeze(value))


def test_what_cannot_be_frozen_is_no_part_of_a_state() -> None:
    @frozen
    class Kept:
        it: object = None
        items: dict[str, int] = attrs.field(factory=dict)

    keeper = trido.Agent("keeper", state=Kept)

    @keeper.on("keep")
    def keep(state: Kept, data: int) -> Kept:
        endless: list[object] = []
        endless.append(endless)
        return evolve(state, it=endless if data else deque([1]))

    with pytest.raises(trido.InvalidDecision, match="expected anything that cannot change"):
        keeper.cmd(Kept(), keep.signal(0))
    with pytest.raises(trido.InvalidDecision, match=r"it: expected data nested less deeply"):
        keeper.cmd(Kept(), keep.signal(1))


def test_a_frozen_dict_is_still_no_value_of_another_field() -> None:
    @frozen
    class Lamp:
        color: Literal["red", "green"] = "red"

    lamp = trido.Agent("lamp", state=Lamp)

    @lamp.on("paint")
    def paint(state: Lamp, data: dict[str, str]) -> Lamp:
        return evolve(state, color=trido.freeze(data))

    with pytest.raises(trido.InvalidDecision, match="color: expected one of 'red', 'green'"):
        lamp.cmd(Lamp(), paint.signal({"color": "red"}))


@pytest.mark.parametrize("hook", ["on_start", "on_stop"])
def test_a_hook_is_given_once(hook: str) -> None:
    twice = trido.Agent("twice", state=Counter)

    def decide(state: Counter) -> Counter:
        return state

    getattr(twice, hook)(decide)
    with pytest.raises(trido.SpecError, match="given once"):
        getattr(twice, hook)(decide)


async def no_lifespan(ref: object) -> None:
    """A coroutine function enters nothing."""


async def lifespan(ref: object) -> AsyncGenerator[None]:
    yield


@pytest.mark.parametrize("wrong", [3, no_lifespan])
def test_what_is_no_lifespan_is_refused_and_one_is_given_once(wrong: Any) -> None:
    agent = trido.Agent("lives", state=Counter)
    with pytest.raises(trido.SpecError, match="an async context manager"):
        agent.lifespan(wrong)
    agent.lifespan(lifespan)
    with pytest.raises(trido.SpecError, match="given once"):
        agent.lifespan(lifespan)


def test_signals_of_many_types_have_no_one_version() -> None:
    agent = trido.Agent("versions", state=Counter)
    with pytest.raises(trido.SpecError, match="no one version"):
        agent.on("counter.*", version=2, upgrades={1: dict})


def test_a_decision_is_about_a_signal() -> None:
    agent = trido.Agent("decides", state=Counter)
    with pytest.raises(TypeError, match=r"decides about a trido\.Signal: 'add'"):
        agent.cmd(Counter(), "add")  # type: ignore[arg-type]  # wrong on purpose


def test_who_defers_a_reply_need_not_take_the_turn() -> None:
    agent = trido.Agent("defers", state=Counter)

    @agent.on("later")
    def later(state: Counter, data: None) -> trido.Decision[Counter]:
        return state, [trido.DeferReply()]

    assert agent.cmd(Counter(), later.signal(None)) == (Counter(), (trido.DeferReply(),))


def test_an_exact_type_is_wanted_where_a_signal_is_made() -> None:
    agent = trido.Agent("patterns", state=Counter)

    @agent.on("counter.*")
    def any_of_them(state: Counter, data: object) -> Counter:
        return state

    with pytest.raises(trido.SpecError, match="an exact type"):
        any_of_them.signal(None)


def test_a_shape_that_refuses_what_can_change_builds_as_before() -> None:
    assert Unchanging(Anything()).build([1], "$") == [1]
