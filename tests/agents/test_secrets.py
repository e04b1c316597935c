"""Secrets are shown nowhere: not in a repr of a signal, not in an error, whatever holds them."""

from __future__ import annotations

import dataclasses
import traceback
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import attrs
import pytest
from attrs import field, frozen
from attrs.validators import max_len
from hypothesis import given
from hypothesis import strategies as st

import trido
from trido.agents.schema import Schema
from trido.agents.secrets import has_secret, is_secret_name

VALUE = "hunter2"
NIL = UUID(int=0)
Pin = Annotated[str, trido.secret()]


@frozen
class Login:
    user: str
    password: str = trido.secret(kw_only=True)


@frozen
class Marked:
    user: str
    pin: Annotated[str, trido.secret()]
    other: Annotated[str, trido.secret()] | None = None


@dataclasses.dataclass(frozen=True)
class Account:
    name: str
    pin: Pin
    note: str = dataclasses.field(default=VALUE, repr=False)


@frozen
class Loud:
    login: Login

    def __repr__(self) -> str:
        return f"Loud({self.login.user}, {self.login.password})"


class Pair(NamedTuple):
    user: str
    db_password: str


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError(VALUE)


@frozen
class State:
    count: int = 0


def test_a_field_marked_secret_is_an_ordinary_field() -> None:
    @frozen
    class Options:
        key: str = trido.secret(default="k", metadata={"mine": 1}, validator=max_len(9))

    assert Options().key == "k"
    assert attrs.fields(Options).key.metadata["mine"] == 1
    assert Login("ann", password=VALUE).password == VALUE
    assert repr(Login("ann", password=VALUE)) == "Login(user='ann')"
    with pytest.raises(TypeError):
        Login("ann")  # it has no default
    with pytest.raises(TypeError):
        trido.secret(repr=True)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Login("ann", password=VALUE), "Login(user='ann', password=***)"),
        (Marked("ann", VALUE, VALUE), "Marked(user='ann', pin=***, other=***)"),
        (Account("ann", VALUE), "Account(name='ann', pin=***, note=***)"),
        (Pair("ann", VALUE), "Pair(user='ann', db_password=***)"),
        ({"user": "ann", "password": VALUE}, "{'user': 'ann', 'password': ***}"),
        ({b"Authorization": VALUE}, "{b'Authorization': ***}"),
        (MappingProxyType({"token": VALUE}), "{'token': ***}"),
        (OrderedDict(api_key=VALUE), "{'api_key': ***}"),
        ([Login("a", password=VALUE), 1], "[Login(user='a', password=***), 1]"),
        (deque([{"token": VALUE}]), "[{'token': ***}]"),
        ((1, {"token": VALUE}), "(1, {'token': ***})"),
        ({Login("a", password=VALUE)}, "{Login(user='a', password=***)}"),
        ({Login("a", password=VALUE): 1}, "{Login(user='a', password=***): 1}"),
        (ValueError(Login("a", password=VALUE)), "ValueError(Login(user='a', password=***))"),
        (Loud(Login("a", password=VALUE)), "Loud(login=Login(user='a', password=***))"),
        (trido.Signal("a", {"token": VALUE}), "Signal('a', {'token': ***})"),
        (
            [trido.Emit(trido.Signal("a", Login("a", password=VALUE)))],
            "[Emit(signal=Signal('a', Login(user='a', password=***)), to=None)]",
        ),
    ],
)
def test_secrets_are_hidden(value: object, shown: str) -> None:
    assert trido.redacted(value) == shown


@pytest.mark.parametrize(
    "value",
    [
        None,
        "password=hunter2",
        b"x",
        [],
        (1,),
        set(),
        {"n": [1, {2}]},
        OrderedDict(a=1),
        deque([1], maxlen=2),
        range(10**9),
        ValueError("no", 1),
        State(3),
        object,
        trido.Signal("a", State(3), id="1", attributes={"subject": "x"}),
    ],
)
def test_what_holds_no_secret_shows_itself(value: object) -> None:
    assert trido.redacted(value) == repr(value)
    assert not has_secret(value)


def test_a_signal_shows_no_secret() -> None:
    signal = trido.Signal("a", Login("ann", password=VALUE), attributes={"authtoken": VALUE})
    assert repr(signal) == (
        "Signal('a', Login(user='ann', password=***), attributes={'authtoken': ***})"
    )
    assert str(signal) == f"{signal}" == repr(signal)
    assert len(repr(trido.Signal("a" * 9999, "b" * 9999, id="c" * 9999))) < 7000


@pytest.mark.parametrize(
    "name",
    """password passwd pwd passphrase token secret api_key apikey access_key authorization
    credential credentials private_key cookie session db_password access_token userPassword
    X-Api-Key Set-Cookie CLIENT_SECRET session_id _password""".split(),
)
def test_usual_names(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["user", "author", "key", "monkey", "pass", "id", b"name", 1])
def test_other_names(name: object) -> None:
    assert not is_secret_name(name)


def test_marks_in_annotations_that_cannot_be_looked_up_still_count() -> None:
    class Unknown:
        pass

    @frozen
    class Local:
        one: Unknown  # not to be found, so that the class's annotations are read one by one
        pin: Pin
        two: Annotated[Unknown, trido.secret()]

    shown = trido.redacted(Local(Unknown(), VALUE, Unknown()))
    assert shown.startswith("Local(one=<")
    assert shown.endswith(", pin=***, two=***)")


def test_fields_without_annotations() -> None:
    plain = attrs.make_class("Plain", {"x": field(), "pin": trido.secret()})
    assert trido.redacted(plain(1, VALUE)) == "Plain(x=1, pin=***)"


def test_it_never_raises() -> None:
    class Meaner(dict[str, int]):
        def items(self) -> Any:
            raise RuntimeError(VALUE)

    assert trido.redacted([Broken(), 1]) == "[<Broken, whose repr raised RuntimeError>, 1]"
    assert trido.redacted(Meaner()) == "<Meaner, whose repr raised RuntimeError>"
    assert trido.redacted([10**5000]) == "[<int, whose repr raised ValueError>]"
    assert repr(trido.Signal("a", Broken())).startswith("Signal('a', <Broken, whose")


def test_a_field_that_was_never_set_is_left_out() -> None:
    bare: Any = object.__new__(Login)
    assert trido.redacted(bare) == "Login(user='…', password=***)"


def test_it_is_bounded_in_length_and_depth() -> None:
    inside: list[Any] = []
    inside.append(inside)
    assert trido.redacted(inside, depth=2) == "[[…]]"
    assert trido.redacted([[[{"a": 1}]]], depth=2) == "[[…]]"
    assert trido.redacted("x" * 99, length=10) == "'xxxxxxxxx…"
    assert trido.redacted(list(range(10**6)), length=10) == "[0, 1, 2, …"
    many = [{"name": "x" * 50, "token": VALUE}] * 1000
    assert len(trido.redacted(many)) <= 2001


def test_where_it_does_not_look_it_does_not_show() -> None:
    """What shows itself would show all, also what is too deep to have been looked at."""
    deep = Loud(Login("a", password=VALUE))
    assert VALUE not in trido.redacted([[deep]], depth=3)
    assert VALUE not in trido.redacted(["x" * 99, deep], length=50)
    assert has_secret([[[[[[[[[1]]]]]]]]])


VALUES = st.recursive(
    st.none() | st.integers() | st.text() | st.binary() | st.builds(Broken),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(), inner)
        | st.builds(Login, inner, password=st.just(VALUE))
        | st.builds(lambda value: {"password": VALUE, "other": value}, inner)
        | st.builds(lambda one: Loud(Login(one, password=VALUE)), st.text())
        | st.builds(ValueError, inner)
    ),
)


@given(VALUES, st.integers(1, 200), st.integers(0, 5))
def test_no_secret_is_shown_at_any_length_and_depth(value: Any, length: int, depth: int) -> None:
    shown = trido.redacted(value, length=length, depth=depth)
    assert VALUE not in shown
    assert len(shown) <= length + 1


@frozen
class Data:
    """Every way in which a rule could show what it was given."""

    key: Annotated[UUID, trido.secret()] = NIL
    token: UUID = NIL
    kind: Literal["a"] = trido.secret(default="a")
    named: Mapping[str, UUID] = field(factory=dict)
    many: Sequence[Annotated[UUID, trido.secret()]] = ()
    nested: Mapping[str, UUID] = trido.secret(factory=dict)
    open: UUID | None = None
    short: str = trido.secret(default="", validator=max_len(3))


agent = trido.Agent("agent", state=State)


@agent.on("data")
def on_data(state: State, data: Data) -> State:
    return state


@agent.on("pin")
def on_pin(state: State, data: Annotated[UUID, trido.secret()]) -> State:
    return state


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"key": VALUE}, "$.key: expected UUID, got str"),
        ({"token": VALUE}, "$.token: expected UUID, got str"),
        ({"kind": VALUE}, "$.kind: expected one of 'a', got str"),
        ({"named": {"api_key": VALUE}}, "$.named.api_key: expected UUID, got str"),
        ({"many": [VALUE]}, "$.many: expected Sequence of UUID, got list"),
        ({"nested": {VALUE: VALUE}}, "$.nested: expected Mapping of UUID, got dict"),
        ({"short": VALUE}, "$: expected Data, which refused its fields (ValueError)"),
        (Data("x"), "$.key: expected UUID, got str"),  # type: ignore[arg-type]
    ],
)
def test_invalid_data_does_not_show_a_secret(data: object, message: str) -> None:
    with pytest.raises(trido.InvalidData) as refused:
        agent.cmd(State(), trido.Signal("data", data))
    assert str(refused.value) == message
    assert VALUE not in "".join(traceback.format_exception(refused.value))


def test_invalid_data_shows_what_is_no_secret() -> None:
    with pytest.raises(trido.InvalidData, match=r"^\$\.open: expected UUID, got 'hunter2'$"):
        agent.cmd(State(), trido.Signal("data", {"open": VALUE}))
    with pytest.raises(trido.InvalidData, match=r"^\$: expected UUID, got str$"):
        agent.cmd(State(), trido.Signal("pin", VALUE))


def test_invalid_data_shows_little_of_what_is_long() -> None:
    with pytest.raises(trido.InvalidData) as refused:
        agent.cmd(State(), trido.Signal("data", {"open": "x" * 10**6}))
    assert len(str(refused.value)) < 200


def test_secret_data_is_built() -> None:
    key = UUID(int=1)
    assert Schema("test", Data, {}).build({"key": str(key)}) == Data(key)
    assert agent.cmd(State(), trido.Signal("pin", key)) == (State(), ())
