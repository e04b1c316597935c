"""The settings of an agent: each is checked as early as can be, and says what it may be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import trido
from tests.runtime.desk import agent, note

CHILD = trido.SpawnAgent(agent("child"), "x")
TIMER = trido.Schedule(1.0, note("x"), key="k")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mailbox", 0),
        ("mailbox", 1.5),
        ("overflow", "explode"),
        ("keep_mailbox", "yes"),
        ("recover", "never"),
        ("redeliver", -1),
        ("turn_limit", -1.0),
        ("runs", 0),
        ("trap_exits", 1),
        ("on_error", "ignore"),
        ("children", CHILD),
        ("children", (7,)),
        ("children", (CHILD, CHILD)),
        ("schedules", (TIMER, TIMER)),
        ("schedules", (trido.Schedule(1.0, note("x")),)),
        ("schedules", (7,)),
        ("subscribe", "order.*"),
        ("subscribe", ("order..x",)),
        ("durability", "maybe"),
        ("history", 0),
        ("history", 2**63),
        ("dedupe", 0),
        ("dedupe", 2**63),
    ],
)
def test_a_setting_that_cannot_be_is_an_error_that_names_it(field: str, value: Any) -> None:
    options: Any = {field: value}
    with pytest.raises(trido.SpecError, match=f"{field}="):
        trido.Agent("a", state=agent().state.cls, **options)
    with pytest.raises(trido.SpecError, match=f"{field}="):
        agent().spec(id="a", **options)


def test_lists_are_taken_for_tuples() -> None:
    settings = agent(children=[CHILD], schedules=[TIMER], subscribe=["order.*"]).settings
    assert settings.children == (CHILD,)
    assert settings.schedules == (TIMER,)
    assert settings.subscribe == ("order.*",)


def test_what_a_spec_says_goes_before_what_the_definition_says() -> None:
    made = agent(mailbox=5, runs=2)
    assert made.spec(id="a").settings.mailbox == 5
    settings = made.spec(id="a", mailbox=7).settings
    assert (settings.mailbox, settings.runs) == (7, 2)


@pytest.mark.parametrize(
    ("field", "value"),
    [("dedupe", 10), ("dedupe", timedelta(days=1)), ("history", 10)],
)
def test_what_only_a_journal_can_keep_is_refused_without_one(field: str, value: Any) -> None:
    options: Any = {field: value}
    with pytest.raises(trido.SpecError, match=rf"{field}=.*durability='sync' or 'buffered'"):
        agent(**options)
    with pytest.raises(trido.SpecError, match=f"{field}="):
        agent().spec(id="a", **options)
    kept = agent(durability="sync", **options)
    assert kept.spec(id="a", durability="none").settings.durability == "none", "for once"


def test_what_is_the_default_may_be_said() -> None:
    made = agent(dedupe=(100_000, timedelta(days=7)), history=1_000)
    assert made.settings == agent(dedupe=100_000).settings == agent().settings
