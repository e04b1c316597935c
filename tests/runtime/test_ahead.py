"""Turns that are decided and not durable yet: what the journal says, and what follows from that."""

from __future__ import annotations

from typing import Any

from outcome import Error, Value

import trido
from trido.journal.errors import Fenced, Unavailable
from trido.journal.operations import Commit
from trido.journal.rows import AgentKey, Kept
from trido.runtime.ahead import Ahead, deferred, key_of, split, verdict
from trido.runtime.envelope import Envelope
from trido.runtime.plan import Plan


def ahead(revision: int, plan: Plan | None = None) -> Ahead[int]:
    signal = trido.Signal("a")
    return Ahead(
        Envelope(signal),
        plan,
        0,
        Commit(agent=AgentKey("a"), epoch=1, revision=revision, at=0, input=b"", state={}),
        signal,
        None,
    )


def test_what_the_journal_said_of_a_turn() -> None:
    assert verdict(Value(None)) == "durable"
    assert verdict(Value(Kept(1, None))) == "known"
    assert verdict(Error(Unavailable("app.db", "busy", "try again"))) == "lost"
    assert verdict(Error(Fenced("app.db", "gone", "claim it"))) == "refused"


def test_turns_happened_up_to_the_revision_of_the_agent() -> None:
    turns = [ahead(revision) for revision in (4, 5, 6)]
    assert [one.revision for one in turns] == [4, 5, 6]
    assert split(iter(turns), 5) == (turns[:2], turns[2:])
    assert split(turns, 3) == ([], turns)
    assert split(turns, 6) == (turns, [])


def test_a_key_names_an_input_among_those_of_its_source() -> None:
    def key(**fields: Any) -> str | None:
        return key_of(Envelope(trido.Signal("a", **fields)))

    assert (key(), key(source="s")) == (None, None)
    assert key(id="1") == "0//1"
    assert key(id="1", source="shop") == "4/shop/1"
    assert key(id="b/c", source="a") != key(id="c", source="a/b")


def test_a_caller_waits_on_only_if_the_turn_defers_and_does_not_reply() -> None:
    assert deferred(ahead(1, Plan(defers=True))) is True
    assert deferred(ahead(1, Plan(defers=True, reply=trido.Reply(1)))) is False
    assert deferred(ahead(1, Plan())) is False
    assert deferred(ahead(1)) is False
