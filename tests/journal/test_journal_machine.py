# ruff: noqa: FBT001, PLR0917  # Hypothesis gives them by name
"""Any history of writes, batches and reopenings: both journals do what the model says."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from outcome import Error, Outcome

from tests.journal.kit import KINDS, opener
from tests.journal.model import Model
from trido.journal.operations import (
    MARKS,
    RESOLUTIONS,
    Claim,
    Commit,
    Find,
    History,
    Letters,
    Mark,
    Resolve,
    StateAt,
    Waking,
    Write,
)
from trido.journal.rows import AgentKey, Directed, Timer
from trido.journal.upkeep import check

AGENTS = st.sampled_from([AgentKey("a"), AgentKey("b"), AgentKey("a", "tenant")])
DATA = st.binary(max_size=8)
NAMES = st.sampled_from(["x", "y", "zé"])
KEYS = st.sampled_from(["k1", "k2", "k3"])
MOSTLY_RIGHT = st.sampled_from([0, 0, 0, 0, 0, 1, -1])
INDEX = st.integers(0, 2)

COMMIT = st.fixed_dictionaries(
    {
        "at": st.integers(0, 10),
        "input": DATA,
        "state": st.dictionaries(NAMES, DATA, max_size=3),
        "full": st.booleans(),
        "consumes": st.none() | KEYS,
        "reply": st.none() | DATA,
        "directives": st.lists(st.builds(Directed, NAMES, DATA), max_size=3).map(tuple),
        "cancelled": st.lists(NAMES, max_size=2).map(tuple),
        "timers": st.lists(st.builds(Timer, NAMES, st.integers(0, 9), DATA), max_size=2).map(tuple),
    }
)


class JournalMachine(RuleBasedStateMachine):
    kind: str

    @initialize()
    def open(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.open_store = opener(self.kind, Path(self.directory.name))
        self.store = self.open_store()
        self.model = Model()
        self.batch: list[Write[Any]] = []
        self.expected: list[object] = []

    def write(self, write: Write[Any], *, more: bool) -> None:
        """The model does it at once, the store with all of its batch."""
        self.batch.append(write)
        self.expected.append(self.model.write(write))
        if not more:
            self.flush()

    @rule()
    def flush(self) -> None:
        batch, self.batch = self.batch, []
        expected, self.expected = self.expected, []
        assert [plain(one) for one in self.store.write(batch, sync=False)] == expected

    def head(self, agent: AgentKey) -> tuple[int, int]:
        known = self.model.agents.get(agent)
        return (known.epoch, known.revision) if known else (1, 0)

    @rule(agent=AGENTS, name=st.sampled_from(["counter"] * 5 + ["order"]), more=st.booleans())
    def claim(self, agent: AgentKey, name: str, more: bool) -> None:
        self.write(Claim(agent, name), more=more)

    @rule(agent=AGENTS, fields=COMMIT, off=MOSTLY_RIGHT, late=MOSTLY_RIGHT, more=st.booleans())
    def commit(self, agent: AgentKey, fields: Any, off: int, late: int, more: bool) -> None:
        epoch, revision = self.head(agent)
        epoch, revision = max(epoch + late, 1), max(revision + 1 + off, 1)
        commit = Commit(agent=agent, epoch=epoch, revision=revision, **fields)
        self.write(commit, more=more)

    @rule(
        agent=AGENTS,
        back=INDEX,
        index=INDEX,
        status=st.sampled_from(MARKS),
        note=NAMES,
        late=MOSTLY_RIGHT,
        more=st.booleans(),
    )
    def mark(
        self, agent: AgentKey, back: int, index: int, status: Any, note: str, late: int, more: bool
    ) -> None:
        epoch, revision = self.head(agent)
        epoch, revision = max(epoch + late, 0), max(revision - back, 0)
        self.write(Mark(agent, epoch, revision, index, status, note), more=more)

    @rule(
        agent=AGENTS,
        back=INDEX,
        index=INDEX,
        to=st.sampled_from(sorted(RESOLUTIONS)),
        more=st.booleans(),
    )
    def resolve(self, agent: AgentKey, back: int, index: int, to: Any, more: bool) -> None:
        _, revision = self.head(agent)
        self.write(Resolve(agent, max(revision - back, 0), index, to), more=more)

    @rule()
    def reopen(self) -> None:
        self.flush()
        self.store.close()
        self.store = self.open_store()

    @rule()
    def look(self) -> None:
        self.flush()
        read = self.store.read
        for key, agent in self.model.agents.items():
            assert read(History(key)) == self.model.history(key)
            for revision in range(1, agent.revision + 1):
                assert read(StateAt(key, revision)) == agent.state(revision)
            for consumed in ("k1", "k2", "k3"):
                assert read(Find(key, consumed)) == agent.inputs.get(consumed)
        for until in (0, 5, 9):
            assert read(Waking(until)) == self.model.waking(until)
        assert read(Letters()) == self.model.letters()

    @invariant()
    def waking_agrees(self) -> None:
        if not self.batch:
            assert self.store.read(Waking(5)) == self.model.waking(5)

    def teardown(self) -> None:
        self.look()
        self.store.close()
        if self.kind == "sqlite":
            assert not check(f"{self.directory.name}/app.db", lambda *_: None)
        self.directory.cleanup()


def plain(result: Outcome[Any]) -> object:
    """What came of a write; of a refusal, what kind."""
    return type(result.error).__name__ if isinstance(result, Error) else result.unwrap()


@pytest.mark.parametrize("kind", KINDS)
def test_a_journal_does_what_the_model_says(kind: str) -> None:
    machine = type(f"{kind.title()}Machine", (JournalMachine,), {"kind": kind})
    run_state_machine_as_test(machine, settings=settings(max_examples=60, stateful_step_count=40))
