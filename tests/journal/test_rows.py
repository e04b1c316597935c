"""What cannot be a row is refused where it is made, with its name and the rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trido.errors import SpecError
from trido.journal import checks, layout
from trido.journal.errors import Fenced, again
from trido.journal.operations import Claim, Commit, Mark, Resolve
from trido.journal.rows import AgentKey, Directed, Keep, Timer

AGENT = AgentKey("a")
COMMIT: dict[str, Any] = {
    "agent": AGENT,
    "epoch": 1,
    "revision": 1,
    "at": 0,
    "input": b"",
    "state": {},
}

REFUSED: dict[str, Callable[[], object]] = {
    "AgentKey: id='' is not allowed; it must be a non-empty string": lambda: AgentKey(""),
    "AgentKey: id=3": lambda: AgentKey(3),  # type: ignore[arg-type]
    "AgentKey: partition='\\\\udc80' .* that UTF-8 can encode": lambda: AgentKey("a", "\udc80"),
    "Keep: dedupe=-1 .* a whole number, 0 to": lambda: Keep(dedupe=-1),
    "Keep: history=True": lambda: Keep(history=True),
    "Directed: name=''": lambda: Directed("", b""),
    "Directed: data='text' .* bytes": lambda: Directed("Emit", "text"),  # type: ignore[arg-type]
    "Timer: due=1.5": lambda: Timer("t", 1.5, b""),  # type: ignore[arg-type]
    "Claim: name=None": lambda: Claim(AGENT, None),  # type: ignore[arg-type]
    "Commit: epoch=0 .* 1 to": lambda: Commit(**{**COMMIT, "epoch": 0}),
    "Commit: at=9223372036854775808": lambda: Commit(**{**COMMIT, "at": 2**63}),
    "Commit: state=None .* a mapping": lambda: Commit(**{**COMMIT, "state": None}),
    "Commit: state\\['x'\\]=1 .* bytes": lambda: Commit(**{**COMMIT, "state": {"x": 1}}),
    "Commit: state='' .* non-empty": lambda: Commit(**{**COMMIT, "state": {"": b""}}),
    "Commit: consumes=''": lambda: Commit(**COMMIT, consumes=""),
    "Commit: reply='r'": lambda: Commit(**COMMIT, reply="r"),  # type: ignore[arg-type]
    "Commit: directives=.* a tuple of Directed": lambda: Commit(**COMMIT, directives=["x"]),  # type: ignore[arg-type]
    "Commit: directives=.*Timer": lambda: Commit(**COMMIT, directives=(Timer("t", 1, b""),)),  # type: ignore[arg-type]
    "Commit: timers=.* a tuple of Timer": lambda: Commit(**COMMIT, timers=("x",)),  # type: ignore[arg-type]
    "Mark: status='gone' .* one of pending": lambda: Mark(AGENT, 1, 1, 0, "gone"),  # type: ignore[arg-type]
    "Mark: epoch=9223372036854775808": lambda: Mark(AGENT, 2**63, 1, 0, "done"),
    "Mark: revision=-1": lambda: Mark(AGENT, 1, -1, 0, "done"),
    "Mark: index=9223372036854775808": lambda: Mark(AGENT, 1, 1, 2**63, "done"),
    "Resolve: revision=9223372036854775808": lambda: Resolve(AGENT, 2**63, 0, "done"),
    "Resolve: index=-1 .* 0 to": lambda: Resolve(AGENT, 1, -1, "done"),
    "Resolve: to='maybe' .* one of done, retry, dead": lambda: Resolve(AGENT, 1, 0, "maybe"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_no_row_is_refused(said: str) -> None:
    with pytest.raises(SpecError, match=said):
        REFUSED[said]()


def test_what_is_too_large_is_refused_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "LARGEST", 10)
    with pytest.raises(SpecError, match="data='11 bytes' is not allowed; it must be at most 10"):
        Directed("Emit", b"x" * 11)


@given(st.dictionaries(st.text(), st.binary()))
def test_a_packed_state_is_unpacked_the_same(state: dict[str, bytes]) -> None:
    assert layout.unpack(layout.pack(state)) == state


def test_a_row_whose_columns_are_not_of_their_types_is_not_sealed() -> None:
    row = (1, 1, 1, 0, 0, 1, b"key", None)
    assert not layout.is_sealed(layout.seal_input, (*row, 5))
    assert not layout.is_sealed(layout.seal_turn, (None,) * 11)


def test_an_error_told_again_is_another_object_that_says_the_same() -> None:
    error = Fenced("app.db", "reason", "remedy")
    error.epoch, error.revision = 3, 4
    one = again(error, ZeroDivisionError())
    assert one is not error
    assert (str(one), one.epoch, one.revision) == (str(error), 3, 4)
    assert isinstance(one.__cause__, ZeroDivisionError)


def test_an_agent_is_called_by_partition_and_id() -> None:
    assert (str(AgentKey("a")), str(AgentKey("a", "p"))) == ("a", "p/a")
