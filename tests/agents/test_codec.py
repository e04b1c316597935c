"""Inputs, directives, timers and replies come back from their bytes, or not at all."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import pytest
from attrs import evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

import trido
from tests.agents.kept import PLAIN, SIGNALS, Point, Size, exactly
from trido.agents.address import Address, AgentId
from trido.agents.codec import (
    Codec,
    CodecError,
    KeptTimer,
    NewerVersion,
    Undecodable,
    Unencodable,
    Unregistered,
    micros,
    moment_of,
    row_of,
)
from trido.agents.codec.errors import Misfit
from trido.agents.codec.text import write
from trido.agents.definition import Definition
from trido.agents.schema import Schema
from trido.agents.turn import Why


@frozen
class Counter:
    value: int = 0
    seen: UUID | str | None = None


@frozen
class Add:
    by: int = 1


@frozen
class Charge(trido.Directive):
    order: str
    cents: int
    to: Address | None = None


@frozen
class Odd(trido.Directive):
    what: complex = 0j


counter = trido.Agent("counter", state=Counter)
other = trido.Agent("other", state=Counter)


@counter.on("counter.add")
def add(state: Counter, data: Add) -> Counter:
    return evolve(state, value=state.value + data.by)


@trido.action
def bill(data: Add) -> int:
    return data.by


@trido.action("bill")
def another(data: Add) -> int:
    return data.by


CODEC = Codec({"counter": counter, "other": other}, {"bill": bill}, {"charge": Charge, "odd": Odd})
NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
MOMENTS = st.datetimes(timezones=st.just(UTC))
TEXTS = st.text(min_size=1)
REFS = st.builds(AgentId, TEXTS)


class Ref(Address):
    """As a ref of the runtime is: nothing that could be written but for its id."""

    @property
    def id(self) -> str:
        return "a/b"


# Moments ------------------------------------------------------------------------------------------


@given(MOMENTS)
def test_a_moment_is_a_number_of_microseconds(moment: datetime) -> None:
    assert moment_of(micros(moment)) == moment
    assert micros(moment + timedelta(microseconds=1)) == micros(moment) + 1


# Inputs -------------------------------------------------------------------------------------------


@given(
    SIGNALS,
    st.sampled_from(get_args(Why)),
    MOMENTS,
    st.none() | MOMENTS,
    st.none() | st.text(),
)
def test_an_input_comes_back_with_its_turn(
    signal: trido.Signal,
    why: Why,
    now: datetime,
    planned: datetime | None,
    request: str | None,
) -> None:
    effectful = request is None
    written = CODEC.encode_input(
        signal, why=why, now=now, planned=planned, request=request, effectful=effectful
    )
    found = CODEC.decode_input(written, agent_id="a", revision=7)
    assert found.signal == signal
    assert exactly(found.signal.data, signal.data)
    assert found.turn == trido.Turn(
        signal=signal,
        now=now,
        planned=planned,
        request=request,
        agent_id="a",
        revision=7,
        why=why,
    )
    assert found.is_effectful is effectful
    assert found.is_hook is (why in ("start", "restart", "stop"))


def test_an_input_is_decided_again_by_its_route() -> None:
    signal = trido.Signal("counter.add", Add(3))
    written = CODEC.encode_input(signal, why="call", now=NOW)
    assert json.loads(written) == {
        "type": "counter.add",
        "data": {"by": 3},
        "why": "call",
        "now": micros(NOW),
    }
    found = CODEC.decode_input(written, agent_id="a", revision=0)
    assert found.signal.data == {"by": 3}
    assert counter.cmd(Counter(1), found.signal, found.turn)[0] == Counter(4)


@pytest.mark.parametrize("value", [float("inf"), Point(1), Ref(), b"x", (1, 2), {"a": ()}])
def test_the_data_of_a_signal_is_kept_as_plain_data(value: Any) -> None:
    written = CODEC.encode_input(trido.Signal("a", value), why="cast", now=NOW)
    data = CODEC.decode_input(written, agent_id="a", revision=0).signal.data
    declared = type(value) if type(value) is not Ref else Address
    assert getattr(Schema("test", declared, {}).build(data), "id", value) in (value, "a/b")


def test_data_that_cannot_be_kept_is_refused() -> None:
    deep: Any = ()
    for _ in range(120):
        deep = (deep,)
    for data, rule in (
        ({"token": object()}, "$.data.token: expected data that JSON can say, got object"),
        (deep, "$: expected at most 100 levels of nesting"),
    ):
        with pytest.raises(Unencodable) as refused:
            CODEC.encode_input(trido.Signal("a", data), why="cast", now=NOW)
        assert str(refused.value).startswith(f"input of a turn: {rule}")


def test_data_that_is_too_deep_to_be_written_is_refused() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Misfit, match="expected data nested less deeply, and not in itself"):
        write(deep)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"why": "hunter2"}, r"\$\.why: expected one of call, cast"),
        ({"why": []}, r"\$\.why: expected one of"),
        ({"request": 1}, r"\$\.request: expected a string"),
        ({"now": "hunter2"}, r"\$: expected a number of microseconds, got str"),
        ({"now": 10**30}, r"\$: expected a number of microseconds before the year 10000"),
        ({"version": 0}, r"\$\.version: expected a version"),
        ({"version": True}, r"\$\.version: expected a version"),
        ({"hunter2": 1}, r"\$: expected no other members than"),
        ({"attributes": {"hunter2 ": 1}}, r"\$\.attributes: expected names of lower-case"),
        ({"id": 1}, r"\$\.id: expected a non-empty string or None"),
    ],
)
def test_a_damaged_input_is_refused(change: Mapping[str, Any], message: str) -> None:
    written = json.loads(CODEC.encode_input(trido.Signal("a"), why="call", now=NOW))
    with pytest.raises(Undecodable, match=message) as refused:
        CODEC.decode_input(json.dumps({**written, **change}).encode(), agent_id="a", revision=0)
    assert "hunter2" not in str(refused.value)


# Directives ---------------------------------------------------------------------------------------

RUN = st.builds(
    trido.Run,
    st.just(bill),
    PLAIN,
    ok=st.none() | TEXTS,
    error=st.none() | TEXTS,
    where=st.sampled_from(["task", "thread"]),
    delivery=st.sampled_from(["idempotent", "keyed", "at_most_once"]),
)
SPAWN = st.builds(
    trido.SpawnAgent,
    st.sampled_from([counter, other]),
    TEXTS,
    id=st.none() | TEXTS,
    detached=st.booleans(),
    on_parent_death=st.sampled_from(["stop", "continue", "orphan"]),
    settings=st.fixed_dictionaries(
        {},
        optional={
            "mailbox": st.integers(1, 10**20),
            "overflow": st.sampled_from(["block", "reject"]),
            "turn_limit": st.floats(0.0, allow_nan=False),
            "trap_exits": st.booleans(),
            "subscribe": st.lists(st.just("order.*"), max_size=2),
        },
    ),
)
DIRECTIVES = st.one_of(
    st.builds(trido.Emit, SIGNALS, to=st.none() | TEXTS | REFS | st.builds(trido.Via, TEXTS)),
    RUN,
    SPAWN,
    st.builds(trido.StopChild, TEXTS),
    st.builds(trido.AdoptChild, REFS, TEXTS),
    st.builds(trido.Monitor, REFS),
    st.builds(trido.Demonitor, REFS, flush=st.booleans()),
    st.builds(trido.Link, REFS),
    st.builds(Charge, st.text(), st.integers(), st.none() | REFS),
)


@given(DIRECTIVES)
def test_a_directive_comes_back_as_it_was(directive: trido.Directive) -> None:
    name, data = CODEC.encode(directive)
    again = CODEC.decode(name, data)
    assert again == directive
    assert CODEC.encode(again) == (name, data)


def test_directives_are_known_by_name() -> None:
    signal = trido.Signal("a", Add(2))
    assert CODEC.encode(trido.Emit(signal, to="parent")) == (
        "Emit",
        b'{"type":"a","data":{"by":2},"to":"parent"}',
    )
    assert CODEC.encode(trido.Run(bill, Add(2))) == ("Run", b'{"action":"bill","params":{"by":2}}')
    assert CODEC.encode(trido.SpawnAgent(other, "t", settings={"mailbox": 5})) == (
        "SpawnAgent",
        b'{"agent":"other","tag":"t","settings":{"mailbox":5}}',
    )
    assert CODEC.encode(Charge("o", 5, Ref())) == (
        "charge",
        b'{"order":"o","cents":5,"to":"a/b"}',
    )


def test_a_ref_comes_back_as_the_address_of_the_same_agent() -> None:
    for directive in (trido.Emit(trido.Signal("a"), to=Ref()), trido.Monitor(Ref())):
        name, data = CODEC.encode(directive)
        found: Any = CODEC.decode(name, data)
        assert getattr(found, "to", None) or found.ref == AgentId("a/b")
        assert "a/b" in str(found)


class Unknown(trido.Directive):
    pass


stranger = trido.Agent("stranger", state=Counter)
twin = trido.Agent("counter", state=Counter)


@trido.action
def strange(data: None) -> None:
    pass


@pytest.mark.parametrize(
    ("directive", "kind", "name", "message"),
    [
        (
            Unknown(),
            "directive",
            "Unknown",
            "the directive 'Unknown' is not known: register it, open_runtime(executors={...: ...})",
        ),
        (trido.Stop(), "directive", "Stop", "'Stop' is not known"),
        (
            trido.Run(strange),
            "action",
            "strange",
            "the action 'strange' is not known: register it, open_runtime(actions=(...))",
        ),
        (trido.Run(another), "action", "bill", "is another one than is known by that name"),
        (
            trido.SpawnAgent(stranger, "t"),
            "agent",
            "stranger",
            "the agent 'stranger' is not known: register it, open_runtime(agents=(...))",
        ),
        (trido.SpawnAgent(twin, "t"), "agent", "counter", "is another one than is known"),
    ],
)
def test_what_could_not_be_found_again_is_refused(
    directive: trido.Directive, kind: str, name: str, message: str
) -> None:
    with pytest.raises(Unregistered) as refused:
        CODEC.encode(directive)
    assert (refused.value.kind, refused.value.name) == (kind, name)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("directive", "kind", "name"),
    [
        (Charge("o", 5), "directive", "charge"),
        (trido.Run(bill), "action", "bill"),
        (trido.SpawnAgent(other, "t"), "agent", "other"),
    ],
)
def test_what_is_not_known_any_more_is_named_and_read_once_it_is(
    directive: trido.Directive, kind: str, name: str
) -> None:
    written = CODEC.encode(directive)
    with pytest.raises(Unregistered) as refused:
        Codec().decode(*written)
    assert (refused.value.kind, refused.value.name) == (kind, name)
    assert CODEC.decode(*written) == directive


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        (Charge("o", "hunter2"), "directive 'charge': $.cents: expected int, got str"),  # type: ignore[arg-type]
        (Odd(), "directive 'odd': $: Odd.what must be of what can be written and read again"),
        (
            trido.Run(bill, {"a": object()}),
            "directive 'Run': $.params.a: expected data that JSON can say, got object",
        ),
        (
            trido.SpawnAgent(other, "t", settings={"on_error": print}),
            "directive 'SpawnAgent': $.settings.on_error: expected plain data, for it has to be",
        ),
    ],
)
def test_a_directive_that_would_not_come_back_is_refused(
    directive: trido.Directive, message: str
) -> None:
    for _ in range(2):
        with pytest.raises(Unencodable) as refused:
            CODEC.encode(directive)
        assert str(refused.value).startswith(message)
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("Run", b'{"params":1}', "expected the name of an action, got None"),
        ("Run", b'{"action":"bill","where":"hunter2"}', "expected Run, which refused"),
        ("Run", b"[]", "expected an object, got list"),
        ("SpawnAgent", b'{"agent":["hunter2"]}', "expected the name of an agent, got list"),
        ("SpawnAgent", b'{"agent":"other"}', "expected SpawnAgent, which refused"),
        ("Emit", b'{"type":"a","to":5}', "expected Emit, which refused"),
        ("Emit", b'{"type":"a","ref":5}', "expected Emit, which refused"),
        ("Emit", b'{"type":"a","via":""}', "expected Emit, which refused"),
        ("Monitor", b'{"ref":""}', r"\$\.ref: expected Address, got another text"),
        ("charge", b"{", "directive 'charge': .: expected JSON"),
        ("odd", b"{}", "Odd.what must be"),
    ],
)
def test_a_damaged_directive_is_refused(name: str, data: bytes, message: str) -> None:
    with pytest.raises(Undecodable, match=message) as refused:
        CODEC.decode(name, data)
    assert "hunter2" not in str(refused.value)


def test_the_names_of_tridos_own_directives_are_taken() -> None:
    with pytest.raises(trido.SpecError, match="a name that none of trido's directives has"):
        Codec(directives={"Emit": Charge})


def test_a_directive_may_be_annotated_with_names_of_where_it_was_made() -> None:
    @frozen
    class Part:
        n: int

    @frozen
    class Whole:
        parts: tuple[Part, ...] = field(default=())

    codec = Codec(directives={"whole": Whole})
    whole: Any = Whole((Part(1),))
    assert codec.decode(*codec.encode(whole)) == whole


# Timers -------------------------------------------------------------------------------------------

TIMERS = st.one_of(
    st.builds(
        KeptTimer,
        st.builds(
            trido.Schedule, st.floats(0, 10**9) | st.integers(0, 9), SIGNALS, key=st.none() | TEXTS
        ),
        TEXTS,
        MOMENTS,
    ),
    st.builds(
        KeptTimer,
        st.builds(
            trido.Cron,
            st.sampled_from(["* * * * *", "30 2 * * 1"]),
            SIGNALS,
            TEXTS,
            st.sampled_from(["UTC", "Europe/Berlin"]),
            catch_up=st.sampled_from(["skip", "once", "all"]),
        ),
        TEXTS,
        MOMENTS,
        last=st.none() | MOMENTS,
    ),
)


@given(TIMERS)
def test_a_timer_comes_back_as_it_was(timer: KeptTimer) -> None:
    row, due, data = CODEC.encode_timer(timer)
    found = CODEC.decode_timer(row, due, data)
    name = timer.name if timer.directive.key is None else timer.directive.key
    assert found == evolve(timer, name=name)
    assert row == row_of(timer.directive.key, timer.name)
    assert due == micros(timer.due)
    assert CODEC.encode_timer(found) == (row, due, data)


def test_a_key_never_meets_a_name() -> None:
    assert row_of("1.0") != row_of(None, "1.0")


def test_a_timer_whose_signal_cannot_be_kept_is_refused() -> None:
    timer = KeptTimer(trido.Schedule(1, trido.Signal("a", object())), "1.0", NOW)
    with pytest.raises(Unencodable, match=r"timer: \$\.data: expected data that JSON can say"):
        CODEC.encode_timer(timer)


@pytest.mark.parametrize(
    ("row", "data", "message"),
    [
        ("", b'{"type":"a","after":1}', "expected the row of a timer to be called after its key"),
        ("k", b'{"type":"a","after":1}', "expected the row of a timer"),
        ("#k", b'{"type":"a","cron":{}}', "expected the row of a timer"),
        ("=", b'{"type":"a","after":1}', "expected Schedule, which refused"),
        ("=k", b'{"type":"a"}', "expected Schedule, which refused"),
        ("=k", b'{"type":"a","cron":{"expr":"hunter2"}}', "expected Cron, which refused"),
        ("=k", b'{"type":"a","cron":{"last":"x"}}', "expected a number of microseconds, got str"),
        ("=k", b'{"type":"a","cron":[]}', "expected an object, got list"),
    ],
)
def test_a_damaged_timer_is_refused(row: str, data: bytes, message: str) -> None:
    with pytest.raises(Undecodable, match=message) as refused:
        CODEC.decode_timer(row, 0, data)
    assert "hunter2" not in str(refused.value)


# Replies ------------------------------------------------------------------------------------------


@given(st.builds(Counter, st.integers(), st.none() | st.uuids() | st.text()) | PLAIN)
def test_a_reply_comes_back_as_it_was(value: Any) -> None:
    written = CODEC.encode_reply(counter, value)
    assert exactly(CODEC.decode_reply(counter, written), value)
    if isinstance(value, Counter):
        fields = CODEC.state(counter).encode(value)
        assert CODEC.encode_reply(counter, value, fields) == written


def test_a_reply_of_another_class_comes_back_as_plain_data() -> None:
    written = CODEC.encode_reply(counter, Point(1))
    assert CODEC.decode_reply(counter, written) == {"x": 1, "y": 0.0}


def test_a_reply_that_cannot_be_kept_is_refused() -> None:
    for value, message in (
        (object(), r"reply: \$: expected data that JSON can say, got object"),
        (Counter("hunter2"), r"state of Agent 'counter': \$\.value: expected int, got str"),  # type: ignore[arg-type]
    ):
        with pytest.raises(Unencodable, match=message):
            CODEC.encode_reply(counter, value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{}", "expected a state or a value"),
        (b'{"value":1,"state":{}}', "expected a state or a value"),
        (b'{"state":[]}', r"\$\.state: expected the fields of a state"),
        (b'{"state":{}}', r"state of Agent 'counter': \$: expected an object, got None"),
        (b'{"answer":1}', "expected no other members than state, value"),
    ],
)
def test_a_damaged_reply_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(Undecodable, match=message):
        CODEC.decode_reply(counter, data)


# Whatever is read ---------------------------------------------------------------------------------

MEMBERS = "type data id source time attributes version why now planned request effectful".split()
MORE = "ref via to action params agent tag settings after cron state value $ fields order".split()
WORDS = st.sampled_from([*MEMBERS, *MORE])
JSON = st.recursive(
    PLAIN | WORDS | st.just("2026-01-01T00:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)
BYTES = st.binary() | JSON.map(lambda data: json.dumps(data).encode())
NAMES = st.sampled_from(
    "Emit Run SpawnAgent StopChild AdoptChild Monitor Demonitor Link charge odd none".split()
)
READERS: dict[str, Callable[[str, bytes], object]] = {
    "input": lambda _, data: CODEC.decode_input(data, agent_id="a", revision=0),
    "directive": CODEC.decode,
    "timer": lambda name, data: CODEC.decode_timer(f"={name}", 0, data),
    "reply": lambda _, data: CODEC.decode_reply(counter, data),
}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The bytes of something, with some of it changed."""
    data = draw(
        st.one_of(
            DIRECTIVES.map(lambda one: CODEC.encode(one)[1]),
            TIMERS.map(lambda one: CODEC.encode_timer(one)[2]),
            SIGNALS.map(lambda one: CODEC.encode_input(one, why="call", now=NOW)),
        )
    )
    members = json.loads(data)
    name = draw(st.sampled_from([*members, "version"]))
    changed = json.dumps({**members, name: draw(JSON)}).encode()
    return draw(st.sampled_from([data[:-1], data + b"}", data, changed]))


@given(st.sampled_from(sorted(READERS)), NAMES, BYTES | damaged())
def test_whatever_is_read_it_is_read_or_a_typed_error(reader: str, name: str, data: bytes) -> None:
    with contextlib.suppress(CodecError):
        READERS[reader](name, data)


# Versions of signals, and who is known ------------------------------------------------------------


def versioned(name: str = "shop", **options: Any) -> Definition[Any]:
    agent = Definition(name, state=Counter)

    def place(state: Counter, data: Size) -> Counter:
        return state

    register: Any = agent.on("order.placed", **options)
    register(place)
    return agent


def to_size(data: Any) -> Any:
    return {"width": str(data), "tags": ("upgraded",)}


def test_the_data_of_a_signal_is_upgraded_wherever_it_was_written() -> None:
    signal = trido.Signal("order.placed", 5, id="i")
    upgraded = evolve(signal, data={"width": "5", "tags": ("upgraded",)})
    codec = Codec({"shop": versioned(version=2, upgrades={1: to_size})})
    written = CODEC.encode_input(signal, why="call", now=NOW)
    assert codec.decode_input(written, agent_id="a", revision=0).signal == upgraded
    assert codec.decode(*CODEC.encode(trido.Emit(signal))) == trido.Emit(upgraded)
    timer = KeptTimer(trido.Schedule(1, signal), "1.0", NOW)
    assert codec.decode_timer(*CODEC.encode_timer(timer)).directive.signal == upgraded
    name, data = codec.encode(trido.Emit(upgraded))
    assert json.loads(data)["version"] == 2
    assert codec.decode(name, data) == trido.Emit(upgraded)


def test_a_signal_with_newer_data_is_refused() -> None:
    codec = Codec({"shop": versioned(version=2, upgrades={1: to_size})})
    written = codec.encode(trido.Emit(trido.Signal("order.placed", None)))
    with pytest.raises(NewerVersion) as refused:
        CODEC.decode(*written)
    assert (refused.value.found, refused.value.known) == (2, 1)
    assert "data of signal 'order.placed'" in str(refused.value)


def test_an_upgrade_of_a_signal_that_fails_is_told_with_its_cause() -> None:
    codec = Codec({"shop": versioned(version=2, upgrades={1: lambda data: data["x"]})})
    written = CODEC.encode(trido.Emit(trido.Signal("order.placed", 5)))
    with pytest.raises(Undecodable, match="raised TypeError") as refused:
        codec.decode(*written)
    assert isinstance(refused.value.__cause__, TypeError)


def test_all_agents_agree_on_the_version_of_a_signal() -> None:
    upgrades = {1: to_size}
    first = versioned(version=2, upgrades=upgrades)
    codec = Codec({"shop": first})
    codec.learn(versioned("second", version=2, upgrades=upgrades))
    codec.learn(versioned("third"))
    for options in ({"version": 2}, {"version": 3, "upgrades": {2: to_size}}):
        with pytest.raises(trido.SpecError, match=r"what Agent '\w+' says of 'order.placed'"):
            codec.learn(versioned("fourth", **options))
    codec.learn(versioned("fourth", version=2, upgrades=upgrades))


def test_a_name_is_that_of_one_agent() -> None:
    codec = Codec({"counter": counter})
    codec.learn(counter)
    with pytest.raises(trido.SpecError, match="a name that no other agent of the runtime has"):
        codec.learn(twin)
    assert codec.state(counter) is codec.state(counter)
    assert codec.state(twin).definition is twin
