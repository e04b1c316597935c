"""A glance is compiled from what the fields of a class may be: of one type, of several, of any."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from trido.agents.glance import glance, glance_at_change
from trido.agents.schema import Record, Schema


@frozen
class Held:
    one: int = 0
    several: int | str | None = None
    anything: Any = None


def checks() -> Any:
    shape = Schema("it", Held, {}).shape
    assert isinstance(shape, Record)
    return shape.checks


def wrong(**fields: Any) -> Held:
    return Held(**fields)


def test_each_field_is_looked_at() -> None:
    fits = glance(Held, checks())
    assert fits(Held()) is True
    assert all(fits(Held(1, several, several)) for several in (1, "a", None))
    assert not fits(wrong(one="a"))
    assert not fits(wrong(several=1.5))


def test_each_field_that_is_new_is_looked_at() -> None:
    follows = glance_at_change(Held, checks())
    before = wrong(one="a", several=1.5)
    assert follows(Held(), before) is True
    assert follows(wrong(one=before.one, several=before.several, anything=1), before)
    assert not follows(wrong(one=before.one, several=2.5), before)
    assert not follows(wrong(one="b"), before)
