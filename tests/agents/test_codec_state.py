"""States come back from their bytes as what they were, or not at all."""

from __future__ import annotations

import contextlib
import enum
import json
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import pytest
from attrs import evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

import trido
from tests.agents.kept import (
    PLAIN,
    TYPED,
    Flags,
    Idle,
    Level,
    Point,
    Ready,
    Tree,
    definition,
    exactly,
    states,
)
from trido.agents.address import Address, AgentId
from trido.agents.codec import HEAD, NewerVersion, StateCodec, Undecodable, Unencodable
from trido.agents.definition import Definition


def codec_of(cls: Any, **options: Any) -> StateCodec[Any]:
    return StateCodec(definition(cls, **options))


def kept(declared: Any, value: Any) -> Any:
    """A value, written and read as a field of that type."""
    cls = attrs.make_class("State", {"it": field(default=None, type=declared)}, frozen=True)
    codec = codec_of(cls)
    return codec.decode(codec.encode(cls(value))).it


class Ref(Address):
    """As a ref of the runtime is: nothing that could be written but for its id."""

    @property
    def id(self) -> str:
        return "a/b"


# Round trips --------------------------------------------------------------------------------------


@given(states())
def test_a_state_comes_back_as_it_was(state: Any) -> None:
    codec = codec_of(type(state))
    fields = codec.encode(state)
    again = codec.decode(fields)
    assert exactly(again, state)
    assert codec.encode(again) == fields


@given(st.data())
def test_a_state_is_the_fold_of_what_its_turns_changed(data: st.DataObject) -> None:
    declared = data.draw(st.lists(TYPED, min_size=1, max_size=3))
    values = {f"f{at}": values for at, (_, values) in enumerate(declared)}
    fields = {f"f{at}": field(default=None, type=cls) for at, (cls, _) in enumerate(declared)}
    cls: Any = attrs.make_class("State", fields, frozen=True)
    codec = codec_of(cls)
    old = cls(**{name: data.draw(drawn) for name, drawn in values.items()})
    folded = codec.encode(old)
    for _ in range(data.draw(st.integers(0, 4))):
        name = data.draw(st.sampled_from(sorted(values)))
        new = evolve(old, **{name: data.draw(values[name])})
        changed = codec.encode(new, old)
        assert changed.keys() <= {name}
        folded = {**folded, **changed}
        assert codec.is_current(folded)
        old = new
    assert exactly(codec.decode(folded), old)


def test_only_what_is_another_object_is_written() -> None:
    codec = codec_of(Size_)
    old = Size_()
    assert codec.encode(evolve(old, width=7), old) == {"width": b"7"}
    assert codec.encode(old, old) == {}
    assert codec.encode(old) == {
        HEAD: b'{"version":1,"fields":["name","width"]}',
        "width": b"1",
        "name": b'"\xc3\xa4"',
    }


@frozen
class Size_:  # noqa: N801  # another Size
    width: int = 1
    name: str = "ä"


@pytest.mark.parametrize(
    ("declared", "value", "plain"),
    [
        (Idle | Ready, Ready(), {"$": "Ready"}),
        (str | datetime, datetime(2026, 1, 1), {"$": "datetime", "value": "2026-01-01T00:00:00"}),  # noqa: DTZ001
        (datetime | None, datetime(2026, 1, 1), "2026-01-01T00:00:00"),  # noqa: DTZ001
        (int | str | None, 1, 1),
        (Mapping[int, str], {1: "a"}, [[1, "a"]]),
        (Mapping[UUID, int], {UUID(int=1): 1}, {"00000000-0000-0000-0000-000000000001": 1}),
        (float, float("inf"), float("inf")),
        (timedelta, timedelta(seconds=1), "1000000"),
        (Literal["a", Level.LOW], Level.LOW, "$Level:LOW"),
    ],
)
def test_no_more_is_written_than_the_type_leaves_open(
    declared: Any, value: Any, plain: Any
) -> None:
    cls: Any = attrs.make_class("State", {"it": field(default=None, type=declared)}, frozen=True)
    assert json.loads(codec_of(cls).encode(cls(value))["it"]) == plain


def test_an_address_comes_back_as_the_address_of_the_same_agent() -> None:
    assert kept(Address, Ref()) == AgentId("a/b")
    assert kept(Address | None, Ref()) == AgentId("a/b")
    assert kept(tuple[Address | str, ...], (Ref(), "c")) == (AgentId("a/b"), "c")


def test_a_signal_comes_back_with_plain_data() -> None:
    signal = trido.Signal("a", Point(1), attributes={"one": b"x"})
    found = kept(trido.Signal, signal)
    assert found == evolve(signal, data={"x": 1, "y": 0.0})


def test_the_first_that_can_takes_what_was_written_before_there_was_a_choice() -> None:
    @frozen
    class Before:
        at: datetime | None = None

    @frozen
    class After:
        at: datetime | Decimal | None = None

    moment = datetime(2026, 1, 1)  # noqa: DTZ001
    old = codec_of(Before).encode(Before(moment))
    assert codec_of(After).decode(old) == After(moment)


# What cannot be kept ------------------------------------------------------------------------------


class Pair(NamedTuple):
    a: int


class Twice(enum.Enum):
    A = "B"
    B = 1


Other = frozen(type("Ready", (), {}))


@pytest.mark.parametrize(
    ("declared", "default", "message"),
    [
        (
            complex,
            0j,
            "Agent 'keeper': State.it=<class 'complex'> is not allowed; it must be of what",
        ),
        (tuple[complex, ...], (), "State.it=<class 'complex'>"),
        (trido.AgentRef[Any] | None, None, r"trido.Address for the ref of an agent"),
        (Pair, Pair(1), "State.it=<class 'tests"),
        (Twice, Twice.A, "an enum whose members are said by different texts"),
        (tuple[int, str] | tuple[str, int], (1, "a"), "a union of types that have different names"),
        (Ready | Other | int, 1, "a union of types that have different names"),
    ],
)
def test_a_type_that_cannot_be_kept_is_refused_at_once(
    declared: Any, default: Any, message: str
) -> None:
    cls = attrs.make_class("State", {"it": field(default=default, type=declared)}, frozen=True)
    with pytest.raises(trido.SpecError, match=message):
        codec_of(cls)


def test_the_error_names_the_class_and_the_field() -> None:
    @frozen
    class Inner:
        it: complex = 0j

    @frozen
    class Outer:
        name: str = ""
        inner: tuple[Inner, ...] = ()
        last: Point | None = None

    with pytest.raises(trido.SpecError) as refused:
        StateCodec(Definition("keeper", state=Outer))
    assert refused.value.field == "Inner.it"


class Name(str):
    __slots__ = ()


class Zone(tzinfo):
    """A time zone that nobody knows by a name."""

    def utcoffset(self, _: object) -> timedelta:
        return timedelta(hours=1)

    dst = utcoffset

    def tzname(self, _: object) -> str:
        return ""


@frozen
class Dog(Point):
    name: str = "rex"


DEEP: Any = Tree()
for _ in range(120):
    DEEP = Tree(branches=(DEEP,))
DEEPER = DEEP
for _ in range(2_000):
    DEEPER = Tree(branches=(DEEPER,))


@pytest.mark.parametrize(
    ("declared", "value", "message"),
    [
        (str, Name("x"), "$.it: expected str, got Name"),
        (int, Level.LOW, "$.it: expected int, got Level"),
        (float, True, "$.it: expected float, got bool"),
        (Sequence[int], [1], "$.it: expected tuple, got list"),
        (tuple[int, str], (1,), "$.it: expected tuple of 2, got 1 items"),
        (tuple[int, str], [1, ""], "$.it: expected tuple of 2, got list"),
        (tuple[int, str], (1, 2), "$.it[1]: expected str, got int"),
        (tuple[int, ...], (1, 2, "x"), "$.it[2]: expected int, got str"),
        (Mapping[str, int], Tally(), "$.it: expected Mapping of int, got Counter"),
        (Mapping[str, int], {"hunter2": "hunter2"}, "$.it[0]: expected int, got str"),
        (Mapping[Address, int], {AgentId("a"): 1, Dog(1): 1}, "$.it[1]: expected Address, got Dog"),
        (Point, Dog(1), "$.it: expected Point, got Dog"),
        (Tree, Tree(Point("hunter2")), "$.it.value.x: expected int, got str"),  # type: ignore[arg-type]
        (Tree, Tree(Dog(1)), "$.it.value: expected Idle | Ready | Point | Size | None, got Dog"),
        (Literal["a"], "hunter2", "$.it: expected one of 'a', got str"),
        (Literal["a"], [], "$.it: expected one of 'a', got list"),
        (Flags, 1, "$.it: expected Flags, got int"),
        (Any, {1}, "$.it: expected plain data, as no type is declared, got set"),
        (Any, (1, object()), "$.it[1]: expected plain data, as no type is declared, got object"),
        (Any, {1: 1}, "$.it[0]: expected str, got int"),
        (trido.Signal, "hunter2", "$.it: expected Signal, got str"),
        (
            trido.Signal,
            trido.Signal("a", object()),
            "$.it.data: expected data that JSON can say, got",
        ),
        (datetime, datetime(2026, 1, 1, tzinfo=Zone()), "$.it: expected no time zone, one of"),
        (
            time,
            time(tzinfo=ZoneInfo("UTC")),
            "$.it: expected no time zone, or one of a fixed offset",
        ),
        (Tree, DEEP, "$.it: expected at most 100 levels of nesting"),
        (Tree, DEEPER, "$.it: expected data nested less deeply, and not in itself"),
    ],
)
def test_a_value_that_would_not_come_back_is_refused(
    declared: Any, value: Any, message: str
) -> None:
    cls: Any = attrs.make_class("State", {"it": field(default=None, type=declared)}, frozen=True)
    with pytest.raises(Unencodable) as refused:
        codec_of(cls).encode(cls(value))
    assert str(refused.value).startswith(f"state of Agent 'keeper': {message}")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("declared", [int, Any, tuple[int, ...]])
def test_a_number_that_is_too_long_is_refused(declared: Any) -> None:
    number = 10**5_000
    with pytest.raises(Unencodable, match=r"\$\.it: expected numbers of a sensible length"):
        kept(declared, (number,) if declared == tuple[int, ...] else number)


def test_keys_that_differ_only_as_objects_are_refused() -> None:
    with pytest.raises(Unencodable, match="keys that differ as text"):
        kept(Mapping[Address, int], {Ref(): 1, AgentId("a/b"): 2})


def test_a_state_of_a_subclass_is_refused() -> None:
    @frozen
    class More(Size_):
        more: int = 0

    with pytest.raises(Unencodable, match=r"\$: expected Size_, got More"):
        codec_of(Size_).encode(More())


# What cannot be read ------------------------------------------------------------------------------

JSON = st.recursive(
    PLAIN | st.sampled_from(["$", "Ready", "datetime", "value"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$", "value", "x", "y", "hunter2"]), inner, max_size=3)
    ),
    max_leaves=6,
)
BROKEN = st.binary() | JSON.map(lambda data: json.dumps(data).encode())


@given(states(), st.data())
def test_whatever_is_read_it_is_a_state_or_a_typed_error(state: Any, data: st.DataObject) -> None:
    codec = codec_of(type(state))
    fields = codec.encode(state)
    name = data.draw(st.sampled_from([*fields, "another"]))
    good = fields.get(name, b"")
    cut = good[: data.draw(st.integers(0, len(good)))]
    broken = data.draw(BROKEN | st.just(cut) | BROKEN.map(cut.__add__))
    with contextlib.suppress(Undecodable):
        found = codec.decode({**fields, name: broken})
        assert exactly(codec.decode(codec.encode(found)), found)


HEADED = b'{"version":1,"fields":[]}'
CHANGED = "; if the class has changed since it was written, give the agent a version= and upgrades="


@pytest.mark.parametrize(
    ("declared", "data", "rule"),
    [
        (int, b"{", "$.it: expected JSON (JSONDecodeError)"),
        (int, b"\xff", "$.it: expected JSON (UnicodeDecodeError)"),
        (int, b"[" * 200, "$.it: expected at most 100 levels of nesting"),
        (int, b'"hunter2"', f"$.it: expected int, got str{CHANGED}"),
        (UUID, b'"hunter2"', f"$.it: expected UUID, got another text{CHANGED}"),
        (UUID, b"1", f"$.it: expected UUID, got int{CHANGED}"),
        (Flags, b"77", f"$.it: expected Flags, got int{CHANGED}"),
        (Flags, b'"A"', f"$.it: expected Flags, got str{CHANGED}"),
        (Level, b'"hunter2"', f"$.it: expected Level, got str{CHANGED}"),
        (Level, b"[]", f"$.it: expected Level, got list{CHANGED}"),
        (tuple[int, ...], b'[1,"a"]', f"$.it[1]: expected int, got str{CHANGED}"),
        (tuple[int, ...], b"{}", f"$.it: expected tuple of int, got dict{CHANGED}"),
        (tuple[int, str], b"1", f"$.it: expected tuple of 2, got int{CHANGED}"),
        (Mapping[str, int], b"[]", f"$.it: expected Mapping of int, got list{CHANGED}"),
        (Mapping[int, int], b"{}", f"$.it: expected Mapping of int, got dict{CHANGED}"),
        (
            Mapping[int, int],
            b"[[1,1],[1,2]]",
            f"$.it: expected Mapping of int, got a key twice{CHANGED}",
        ),
        (Mapping[int, int], b"[[1]]", f"$.it[0]: expected a pair, got 1 items{CHANGED}"),
        (Point, b"[]", f"$.it: expected Point, got list{CHANGED}"),
        (Point, b"{}", f"$.it.x: expected int, got nothing{CHANGED}"),
        (Point, b'{"x":1,"z":1}', f"$.it.z: Point has no such field{CHANGED}"),
        (Idle | Ready, b'{"$":"hunter2"}', f"$.it: expected a tag of Idle | Ready{CHANGED}"),
        (Idle | Ready, b'{"$":[]}', f"$.it: expected a tag of Idle | Ready{CHANGED}"),
        (Idle | Ready, b"1", f"$.it: expected Idle | Ready, got int{CHANGED}"),
        (int | UUID, b'{"$":"UUID","x":1}', f"$.it: expected '$' and 'value'{CHANGED}"),
        (int | UUID, b'"hunter2"', f"$.it: expected UUID, got another text{CHANGED}"),
        (Literal["a"] | UUID | None, b'"b"', f"$.it: expected UUID, got another text{CHANGED}"),
        (trido.Signal, b"[]", f"$.it: expected an object, got list{CHANGED}"),
        (
            trido.Signal,
            b'{"kind":"a"}',
            f"$.it: expected no other members than attributes{CHANGED}",
        ),
        (trido.Signal, b"{}", f"$.it.type: expected a non-empty string{CHANGED}"),
        (
            trido.Signal,
            b'{"type":"a","time":1}',
            f"$.it: expected the members of a signal{CHANGED}",
        ),
        (
            trido.Signal,
            b'{"type":"a","attributes":1}',
            f"$.it.attributes: expected an object{CHANGED}",
        ),
        (
            trido.Signal,
            b'{"type":"a","attributes":{"one":{"bytes":1}}}',
            f"$.it: expected the members of a signal{CHANGED}",
        ),
    ],
)
def test_what_is_damaged_is_told_by_path_and_not_shown(
    declared: Any, data: bytes, rule: str
) -> None:
    cls = attrs.make_class("State", {"it": field(default=None, type=declared)}, frozen=True)
    with pytest.raises(Undecodable) as refused:
        codec_of(cls).decode({HEAD: HEADED, "it": data})
    said = str(refused.value).replace("attributes, data, id, source, time, type", "attributes")
    assert said == f"state of Agent 'keeper': {rule}"
    assert "hunter2" not in str(refused.value)


def test_a_class_that_refuses_its_fields_is_not_quoted() -> None:
    @frozen
    class Even:
        number: int = 0

        def __attrs_post_init__(self) -> None:
            if self.number % 2:
                raise ValueError(f"hunter2 {self.number}")

    codec = codec_of(Even)
    with pytest.raises(Undecodable) as refused:
        codec.decode({HEAD: HEADED, "number": b"1"})
    assert "expected Even, which refused what it is made of (ValueError)" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, r"\$: expected an object, got None"),
        ({"width": b"1"}, r"\$: expected an object, got None"),
        ({HEAD: b"{}"}, r"\$\.\$: expected a version and the names of fields"),
        ({HEAD: b'{"version":0,"fields":[]}'}, r"\$\.\$: expected a version"),
        ({HEAD: b'{"version":1,"fields":[[]]}'}, r"\$\.\$: expected a version"),
        ({HEAD: b'{"version":1,"fields":["width"]}'}, r"\$\.width: it was written, and is not"),
    ],
)
def test_a_state_that_is_not_whole_is_no_state(fields: Any, message: str) -> None:
    with pytest.raises(Undecodable, match=message):
        codec_of(Size_).decode(fields)


# Versions -----------------------------------------------------------------------------------------


@frozen
class Money:
    """What `Euros` became."""

    cents: int = 0
    log: tuple[Decimal | str, ...] = ()


@frozen
class Euros:
    euros: int = 0


def to_cents(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"cents": fields["euros"] * 100}


def with_log(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**fields, "log": (Decimal(fields["cents"]), "upgraded")}


def test_a_state_is_upgraded_step_by_step() -> None:
    written = codec_of(Euros).encode(Euros(3))
    codec = codec_of(Money, version=3, upgrades={1: to_cents, 2: with_log})
    assert codec.decode(written) == Money(300, ("300", "upgraded"))
    assert not codec.is_current(written)
    assert codec.is_current(codec.encode(Money()))


def test_a_new_field_has_its_default() -> None:
    @frozen
    class Before:
        width: int = 1

    written = codec_of(Before).encode(Before(5))
    codec = codec_of(Size_)
    assert codec.decode(written) == Size_(5)
    assert not codec.is_current(written)


def test_a_newer_state_is_refused() -> None:
    written = codec_of(Money, version=2, upgrades={1: to_cents}).encode(Money())
    with pytest.raises(NewerVersion) as refused:
        codec_of(Money).decode(written)
    assert (refused.value.found, refused.value.known) == (2, 1)
    assert str(refused.value) == (
        "state of Agent 'keeper': $: it has version 2, and this program knows 1 at most: run a"
        " newer one"
    )


def test_a_state_from_which_nothing_leads_is_refused() -> None:
    written = codec_of(Euros).encode(Euros(3))
    with pytest.raises(Undecodable, match="version 1, and no upgrade leads from there"):
        codec_of(Money, version=3, upgrades={2: with_log}).decode(written)


def test_an_upgrade_that_fails_is_told_with_its_cause() -> None:
    written = codec_of(Size_).encode(Size_())
    with pytest.raises(
        Undecodable, match="an upgrade from version 1 on raised KeyError"
    ) as refused:
        codec_of(Money, version=2, upgrades={1: to_cents}).decode(written)
    assert isinstance(refused.value.__cause__, KeyError)
    for made, message in (
        (7, "a mapping from an upgrade, got int"),
        ({"a": object()}, "got object"),
    ):
        with pytest.raises(Undecodable, match=message):
            codec_of(Money, version=2, upgrades={1: lambda _, made=made: made}).decode(written)


@pytest.mark.parametrize(
    "options",
    [
        {"version": 0},
        {"version": "2"},
        {"version": 2, "upgrades": [to_cents]},
        {"version": 2, "upgrades": {1: "to_cents"}},
        {"version": 2, "upgrades": {2: to_cents}},
        {"version": 2, "upgrades": {"1": to_cents}},
        {"version": 3, "upgrades": {1: to_cents}},
        {"version": 1, "upgrades": {0: to_cents}},
    ],
)
def test_a_version_that_is_none_is_refused_at_once(options: Any) -> None:
    with pytest.raises(trido.SpecError, match="Agent 'a'"):
        Definition("a", state=Money, **options)
    with pytest.raises(trido.SpecError, match="Agent 'a'"):
        trido.Agent("a", state=Money, **options)
    with pytest.raises(trido.SpecError, match="route 'b' of Agent 'a'"):
        Definition("a", state=Money).on("b", **options)


def test_a_pattern_has_no_version() -> None:
    with pytest.raises(trido.SpecError, match="signals of many types have no one version"):
        Definition("a", state=Money).on("b.*", version=2)
