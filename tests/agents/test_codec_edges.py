"""Forms of types within types, and what is hardly ever written or read."""

from __future__ import annotations

from datetime import datetime
from json import encoder
from typing import Any, NewType, Optional, Union
from uuid import UUID

import attrs
import pytest
from attrs import field

from tests.agents.kept import definition, exactly
from trido.agents.address import Address, AgentId
from trido.agents.codec import HEAD, StateCodec, Undecodable
from trido.agents.codec import text as json_text
from trido.agents.codec.errors import Misfit

ONE = UUID(int=1)
ID = f'"{ONE}"'

# Unions that stay within others.
# Checkers want a class there; Python takes any type, and trido what Python takes.
SomeInt = NewType("SomeInt", Optional[int])  # type: ignore[valid-newtype]  # noqa: UP045
SomeId = NewType("SomeId", Optional[UUID])  # type: ignore[valid-newtype]  # noqa: UP045
Label = NewType("Label", Union[int, str])  # type: ignore[valid-newtype]  # noqa: UP007
Whose = NewType("Whose", Union[Address, UUID])  # type: ignore[valid-newtype]  # noqa: UP007


def codec_of(declared: Any) -> tuple[Any, StateCodec[Any]]:
    cls = attrs.make_class("State", {"it": field(default=None, type=declared)}, frozen=True)
    return cls, StateCodec(definition(cls))


@pytest.mark.parametrize(
    ("declared", "value", "form"),
    [
        (SomeInt | str, 5, "5"),
        (SomeInt | str, None, "null"),
        (SomeId | int, ONE, f'{{"$":"UUID | None","value":{ID}}}'),
        (SomeId | int, None, '{"$":"UUID | None","value":null}'),
        (SomeId | None, ONE, f'{{"$":"UUID | None","value":{ID}}}'),
        (SomeId | None, None, "null"),
        (Label | UUID, 5, "5"),
        (Label | UUID, ONE, f'{{"$":"UUID","value":{ID}}}'),
        (
            Whose | int,
            AgentId("a"),
            '{"$":"Address | UUID","value":{"$":"Address","value":"a"}}',
        ),
        (tuple[UUID | None, int], (None, 1), "[null,1]"),
        (tuple[UUID | None, ...], (None, ONE), f"[null,{ID}]"),
    ],
    ids=repr,
)
def test_a_type_within_another_has_one_form(declared: Any, value: Any, form: str) -> None:
    cls, codec = codec_of(declared)
    written = codec.encode(cls(value))
    assert written["it"].decode() == form
    assert exactly(codec.decode(written).it, value)


@pytest.mark.parametrize("shown", ["[UTC", "[UTC]1]", "[UTC]2", "[]", "["])
def test_a_moment_with_half_a_zone_is_none(shown: str) -> None:
    _, codec = codec_of(datetime)
    written = f'"2026-01-01T12:00:00{shown}"'.encode()
    with pytest.raises(Undecodable, match="expected datetime, got another text"):
        codec.decode({HEAD: b'{"version":1,"fields":["it"]}', "it": written})


@pytest.mark.parametrize("missing", [False, True])
def test_what_json_cannot_say_is_refused_whoever_writes_it(
    monkeypatch: pytest.MonkeyPatch, *, missing: bool
) -> None:
    if missing:
        monkeypatch.delattr(encoder, "c_make_encoder")
    monkeypatch.setattr(json_text, "_parts", json_text._encoder())
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(Misfit, match="expected data nested less deeply, and not in itself"):
        json_text.write(endless)
    # It is not left out.
    with pytest.raises(TypeError, match="keys must be"):
        json_text.write({(1, 2): 3})
