"""What a journal refuses, word for word; its rules alone; and seals that stay as they are."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

import trido
from trido.errors import SpecError
from trido.journal import checks, layout, rules
from trido.journal.errors import Fenced, JournalError
from trido.journal.operations import (
    Agents,
    Claim,
    Commit,
    History,
    Letters,
    Mark,
    Resolve,
    Waking,
    _is_plainly_right,
)
from trido.journal.rows import FULL_EVERY, AgentKey, Directed, Keep, Past, Timer
from trido.journal.rules import Head, Slot

AGENT = AgentKey("a", "p")
WHOLE = 2**63 - 1
NUMBER = f"a whole number, 0 to {WHOLE}"
FROM_1 = f"a whole number, 1 to {WHOLE}"
UTF8 = "a non-empty string that UTF-8 can encode"
GIVEN: dict[str, Any] = {
    "agent": AGENT,
    "epoch": 1,
    "revision": 1,
    "at": 0,
    "input": b"",
    "state": {},
}
DIRECTED = Directed("Emit", b"x")
TIMER = Timer("t", 1, b"x")


def commit(**fields: Any) -> Commit:
    return Commit(**{**GIVEN, **fields})


def refused(make: Any, *args: Any, **fields: Any) -> str:
    with pytest.raises(SpecError) as caught:
        make(*args, **fields)
    return str(caught.value)


def no(what: str, allowed: str) -> str:
    return f"{what} is not allowed; it must be {allowed}"


# Rows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "what", "allowed"),
    [
        (lambda: AgentKey(""), "AgentKey: id=''", UTF8),
        (lambda: AgentKey("\udc80"), "AgentKey: id='\\udc80'", UTF8),
        (lambda: AgentKey("a", 1), "AgentKey: partition=1", "a string that UTF-8 can encode"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: Keep(history=-1), "Keep: history=-1", NUMBER),
        (lambda: Keep(dedupe=2**63), f"Keep: dedupe={2**63}", NUMBER),
        (lambda: Keep(dedupe_for=True), "Keep: dedupe_for=True", NUMBER),
        (lambda: Directed("", b""), "Directed: name=''", UTF8),
        (lambda: Directed("Emit", "x"), "Directed: data='x'", "bytes"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: Directed("Emit", b"", attempts=-1), "Directed: attempts=-1", NUMBER),
        (lambda: Timer("", 1, b""), "Timer: key=''", UTF8),
        (lambda: Timer("t", -1, b""), "Timer: due=-1", NUMBER),
        (lambda: Timer("t", 1, "x"), "Timer: data='x'", "bytes"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: Claim(AGENT, ""), "Claim: name=''", UTF8),
        (lambda: Claim(AGENT, "c", known=-1), "Claim: known=-1", NUMBER),
        (lambda: commit(epoch=0), "Commit: epoch=0", FROM_1),
        (lambda: commit(revision=0), "Commit: revision=0", FROM_1),
        (lambda: commit(revision=True), "Commit: revision=True", FROM_1),
        (lambda: commit(at=-1), "Commit: at=-1", NUMBER),
        (lambda: commit(input="x"), "Commit: input='x'", "bytes"),
        (lambda: commit(state=3), "Commit: state=3", "a mapping of names of fields to bytes"),
        (lambda: commit(state={"": b""}), "Commit: state=''", UTF8),
        (lambda: commit(state={"\udc80": b""}), "Commit: state='\\udc80'", UTF8),
        (lambda: commit(state={"x": 1}), "Commit: state['x']=1", "bytes"),
        (lambda: commit(consumes=""), "Commit: consumes=''", UTF8),
        (lambda: commit(reply="x"), "Commit: reply='x'", "bytes"),
        (lambda: commit(directives=[]), "Commit: directives=[]", "a tuple of Directed"),
        (lambda: commit(directives=(1,)), "Commit: directives=(1,)", "a tuple of Directed"),
        (lambda: commit(timers=(1,)), "Commit: timers=(1,)", "a tuple of Timer"),
        (lambda: commit(timers=[]), "Commit: timers=[]", "a tuple of Timer"),
        (lambda: commit(cancelled=(1,)), "Commit: cancelled=(1,)", "a tuple of str"),
        (
            lambda: Mark(AGENT, 1, 1, 0, "gone"),  # type: ignore[arg-type]  # wrong on purpose
            "Mark: status='gone'",
            "one of pending, started, done, failed, dead, unknown",
        ),
        (lambda: Mark(AGENT, -1, 1, 0, "done"), "Mark: epoch=-1", NUMBER),
        (lambda: Mark(AGENT, 1, -1, 0, "done"), "Mark: revision=-1", NUMBER),
        (lambda: Mark(AGENT, 1, 1, -1, "done"), "Mark: index=-1", NUMBER),
        (lambda: Resolve(AGENT, -1, 0, "done"), "Resolve: revision=-1", NUMBER),
        (lambda: Resolve(AGENT, 1, 2**63, "done"), f"Resolve: index={2**63}", NUMBER),
        (lambda: Mark(AGENT, 1, 1, 0, "done", 3), "Mark: note=3", "a string that UTF-8 can encode"),  # type: ignore[arg-type]  # wrong on purpose
        (
            lambda: Resolve(AGENT, 1, 0, "gone"),  # type: ignore[arg-type]  # wrong on purpose
            "Resolve: to='gone'",
            "one of done, retry, dead",
        ),
    ],
)
def test_what_is_no_row_is_refused_by_name_and_rule(make: Any, what: str, allowed: str) -> None:
    assert refused(make) == no(what, allowed)


def test_what_is_too_large_is_told_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "LARGEST", 10)
    Directed("Emit", b"x" * 10)
    for make, where in [
        (lambda: Directed("Emit", b"x" * 11), "Directed: data"),
        (lambda: Timer("t", 1, b"x" * 11), "Timer: data"),
    ]:
        assert refused(make) == no(f"{where}='11 bytes'", "at most 10 bytes")


def test_the_limits_are_what_sqlite_can_store() -> None:
    assert (checks.WHOLE, checks.LARGEST) == (WHOLE, 256 * 2**20)
    assert commit(epoch=WHOLE, revision=WHOLE, at=WHOLE).at == WHOLE
    assert Keep(history=0, dedupe=0, dedupe_for=0).history == 0
    assert Mark(AGENT, 1, 1, 0, "done").note == ""
    assert (Claim(AGENT, "c").known, Claim(AGENT, "c", known=0).known) == (256, 0)
    assert (History(AGENT).limit, Waking(1).limit, Letters().limit, Agents().limit) == (1_000,) * 4


PLAIN: dict[str, tuple[Any, bool]] = {
    "nothing": ({}, True),
    "a key": ({"consumes": "k"}, True),
    "a key that is not ASCII": ({"consumes": "é"}, False),
    "no key": ({"consumes": ""}, False),
    "bytes for a key": ({"consumes": b"k"}, False),
    "fields": ({"state": {"a": b"1", "b": b"2"}}, True),
    "a field that is not ASCII": ({"state": {"é": b"1"}}, False),
    "a field without a name": ({"state": {"": b"1"}}, False),
    "a field of bytes": ({"state": {b"a": b"1"}}, False),
    "a field that is not bytes": ({"state": {"a": "1"}}, False),
    "a later field that is none": ({"state": {"a": b"1", "b": 2}}, False),
    "another mapping": ({"state": trido.freeze({"a": b"1"})}, False),
    "directives": ({"directives": (DIRECTED, DIRECTED)}, True),
    "a list of directives": ({"directives": [DIRECTED]}, False),
    "something among directives": ({"directives": (DIRECTED, TIMER)}, False),
    "timers": ({"timers": (TIMER,)}, False),
    "cancelled ones": ({"cancelled": ("t",)}, False),
    "a reply": ({"reply": b"r"}, True),
    "a reply that is not bytes": ({"reply": "r"}, False),
    "an input that is not bytes": ({"input": "i"}, False),
    "epoch 0": ({"epoch": 0}, False),
    "revision 0": ({"revision": 0}, False),
    "a time before 1970": ({"at": -1}, False),
    "the largest numbers": ({"epoch": WHOLE, "revision": WHOLE, "at": WHOLE}, True),
    "an epoch too large": ({"epoch": 2**63}, False),
    "a revision too large": ({"revision": 2**63}, False),
    "a time too large": ({"at": 2**63}, False),
    "an epoch of True": ({"epoch": True}, False),
    "a revision of True": ({"revision": True}, False),
    "a time of 1.0": ({"at": 1.0}, False),
}


@pytest.mark.parametrize("what", PLAIN)
def test_a_glance_at_a_commit_lets_pass_only_what_is_right(what: str) -> None:
    given, expected = PLAIN[what]
    one = commit()
    for name, value in given.items():
        object.__setattr__(one, name, value)
    assert _is_plainly_right(one) is expected
    if expected:
        one._check()


def test_a_glance_at_a_commit_sees_what_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trido.journal.operations.LARGEST", 4)
    assert _is_plainly_right(commit(input=b"123", state={"a": b"1"}))
    for more in ({"input": b"1234"}, {"reply": b"1"}, {"state": {"a": b"1", "b": b"1"}}):
        given: dict[str, Any] = {"input": b"123", "state": {"a": b"1"}, **more}
        assert not _is_plainly_right(commit(**given))


def plain(**fields: Any) -> Commit:
    return Commit.plain(
        AGENT, 3, 7, **{"at": 0, "input": b"i", "state": {"a": b"1"}, "full": True, **fields}
    )


def test_a_plain_turn_is_the_commit_that_says_the_same() -> None:
    given: dict[str, Any] = {"at": 9, "input": b"i", "state": {"a": b"1"}, "full": True}
    more: dict[str, Any] = {"consumes": "k", "reply": b"r"}
    for fields in (given, {**given, **more}, {**given, "full": False, "reply": b""}):
        made = plain(**fields)
        assert type(made) is Commit
        assert made == Commit(agent=AGENT, epoch=3, revision=7, **fields)
        assert (made.directives, made.cancelled, made.timers) == ((), (), ())
    assert plain().at == 0


def test_what_is_too_large_is_looked_for_in_a_plain_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trido.journal.operations.LARGEST", 3)
    monkeypatch.setattr(checks, "LARGEST", 3)
    assert plain(input=b"123", reply=b"123", state={"a": b"123"}).input == b"123"
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"input": b"1234"}, "input"),
        ({"reply": b"1234"}, "reply"),
        ({"state": {"a": b"1", "b": b"1234"}}, "state['b']"),
    ]
    for fields, where in wrong:
        assert refused(plain, **fields) == no(f"Commit: {where}='4 bytes'", "at most 3 bytes")
    state = {"a": b"12", "b": b"12"}
    assert refused(plain, state=state) == no("Commit: state='4 bytes'", "at most 3 bytes")
    assert plain(state={"a": b"12", "b": b"1"}).state == {"a": b"12", "b": b"1"}
    assert refused(plain, at=-1) == no("Commit: at=-1", NUMBER)


# Rules --------------------------------------------------------------------------------------------


def head(**fields: Any) -> Head:
    return Head(AGENT, "counter", **{"epoch": 2, "revision": 3, "full": 1, **fields})


def test_an_agent_stays_of_its_definition() -> None:
    rules.judge_claim("app.db", head(), Claim(AGENT, "counter"))
    with pytest.raises(JournalError) as caught:
        rules.judge_claim("app.db", head(), Claim(AGENT, "order"))
    assert str(caught.value) == (
        "app.db: agent 'p/a' is of the definition 'counter'; it cannot go on as 'order': use"
        " another id"
    )


def fenced(judge: Any, found: Head | None, write: Any) -> str:
    with pytest.raises(Fenced) as caught:
        judge("app.db", found, write)
    now = (found.epoch, found.revision) if found else (0, 0)
    assert (caught.value.epoch, caught.value.revision) == now
    return str(caught.value)


CLAIM_IT = "claim the agent to see what became of it"


def test_a_turn_is_built_on_the_newest_one_of_the_run_that_has_the_agent() -> None:
    rules.judge_commit("app.db", head(), commit(epoch=2, revision=4))
    now = "app.db: agent 'p/a' is at epoch 2, revision 3, and the write was built on"
    for epoch, revision in [(1, 4), (2, 3), (2, 5), (3, 4)]:
        assert fenced(rules.judge_commit, head(), commit(epoch=epoch, revision=revision)) == (
            f"{now} epoch {epoch}, revision {revision - 1}; {CLAIM_IT}"
        )
    assert fenced(rules.judge_commit, None, commit()) == (
        "app.db: agent 'p/a' is not known, and the write was built on epoch 1, revision 0;"
        f" {CLAIM_IT}"
    )


def test_the_whole_state_is_written_at_first_and_every_so_many_turns() -> None:
    allowed = f"True in the first turn, and at least every {FULL_EVERY} turns"
    first = head(revision=0, full=0)
    assert refused(rules.judge_commit, "app.db", first, commit(epoch=2)) == no(
        "revision 1: full=False", allowed
    )
    rules.judge_commit("app.db", first, commit(epoch=2, full=True))
    late, last = head(revision=FULL_EVERY), head(revision=FULL_EVERY - 1)
    turn = commit(epoch=2, revision=FULL_EVERY + 1)
    assert refused(rules.judge_commit, "app.db", late, turn) == no(
        f"revision {FULL_EVERY + 1}: full=False", allowed
    )
    rules.judge_commit("app.db", late, commit(epoch=2, revision=FULL_EVERY + 1, full=True))
    rules.judge_commit("app.db", last, commit(epoch=2, revision=FULL_EVERY))


ALLOWED = {
    ("pending", "pending"),
    ("pending", "started"),
    ("pending", "done"),
    ("pending", "failed"),
    ("pending", "dead"),
    ("started", "done"),
    ("started", "failed"),
    ("started", "dead"),
    ("started", "unknown"),
}


@pytest.mark.parametrize("status", ["pending", "started", "done", "failed", "dead", "unknown"])
def test_a_mark_moves_only_what_is_open(status: Any) -> None:
    for stands in ("pending", "started"):
        slot = Slot(stands, 1)
        found = rules.judge_mark("app.db", head(open={(3, 0): slot}), Mark(AGENT, 2, 3, 0, status))
        assert found is (slot if (stands, status) in ALLOWED else None)
    assert rules.judge_mark("app.db", head(), Mark(AGENT, 2, 3, 0, status)) is None
    built = f"and the write was built on epoch 1; {CLAIM_IT}"
    assert fenced(rules.judge_mark, head(), Mark(AGENT, 1, 3, 0, status)) == (
        f"app.db: agent 'p/a' is at epoch 2, revision 3, {built}"
    )
    assert fenced(rules.judge_mark, None, Mark(AGENT, 1, 3, 0, status)) == (
        f"app.db: agent 'p/a' is not known, {built}"
    )


def test_a_claim_makes_unknown_what_was_started() -> None:
    started, pending = Slot("started", 1), Slot("pending", 0)
    one = head(open={(1, 0): pending, (2, 1): started})
    assert rules.claimed(one) == [((2, 1), started)]
    assert (one.epoch, one.open) == (3, {(1, 0): pending})
    assert (started.status, started.attempts) == ("unknown", 1)


def test_a_commit_moves_the_agent_on() -> None:
    one = head(timers={"gone": 1, "kept": 2, "moved": 3}, consumed=5)
    rules.committed(
        one,
        commit(
            revision=4,
            at=9,
            consumes="k",
            cancelled=("gone", "never"),
            timers=(Timer("moved", 7, b""),),
        ),
    )
    assert (one.revision, one.at, one.full, one.consumed) == (4, 9, 1, 6)
    assert one.timers == {"kept": 2, "moved": 7}
    rules.committed(one, commit(revision=5, at=10, full=True))
    assert (one.revision, one.full, one.consumed) == (5, 5, 6)
    assert (one.due, head().due) == (2, None)


def test_a_plain_turn_has_what_a_commit_that_only_changes_the_state_has() -> None:
    state = {"value": b"1"}
    one = commit(epoch=2, revision=3, at=4, input=b"5", state=state, full=True, consumes="k")
    assert one.as_plain_turn() == ("a", "p", 2, 3, 4, b"5", state, True)
    assert one.as_plain_turn()[6] is state
    other = commit(state=MappingProxyType(state))
    assert type(other.as_plain_turn()[6]) is dict
    assert other.as_plain_turn()[6:] == (state, False)


def test_the_key_of_an_agent_is_made_once() -> None:
    assert AgentKey.of("a", "p") == AgentKey("a", "p")
    assert AgentKey.of("a", "p") is AgentKey.of("a", "p")


@pytest.mark.parametrize(
    ("status", "attempts", "is_open"),
    [("pending", 3, True), ("started", 3, True), ("done", 2, False), ("dead", 2, False)],
)
def test_an_attempt_is_counted_before_it_is_made(
    status: Any,
    attempts: int,
    is_open: bool,  # noqa: FBT001  # pytest gives it by name
) -> None:
    slot = Slot("pending", 2)
    one = head(open={(1, 0): slot})
    rules.move(one, (1, 0), slot, status)
    assert (slot.status, slot.attempts, bool(one.open)) == (status, attempts, is_open)


def test_what_is_older_than_the_history_is_needed_no_more() -> None:
    kept = head(revision=100, keep=Keep(history=10))
    assert (kept.oldest, kept.forgotten) == (91, 91 - FULL_EVERY)
    assert (head(keep=Keep(history=10)).oldest, head(keep=Keep(history=0)).oldest) == (1, 4)


def test_only_what_is_unknown_or_dead_can_be_resolved() -> None:
    assert str(rules.no_such_letter("app.db", AGENT, 3, 1)) == (
        "app.db: no directive 3.1 of agent 'p/a' is unknown or dead;"
        " see which are: the dead letters have their ids"
    )


def past(*, full: bool, **state: bytes) -> Past:
    return Past(1, 0, b"", state, full, ())


def test_a_state_is_what_the_turns_since_a_full_one_made_of_it() -> None:
    assert rules.fold([]) == {}
    turns = [past(full=True, a=b"1", b=b"1"), past(full=False, b=b"2"), past(full=False, c=b"3")]
    assert rules.fold(turns) == {"a": b"1", "b": b"2", "c": b"3"}
    assert rules.fold([*turns, past(full=True, z=b"9")]) == {"z": b"9"}


# The format of a file -----------------------------------------------------------------------------


AGENT_ROW = (1, "p", "a", "counter", 2, 3, 1, 7, 9, 4, 1, 2, 20, 1000, 100000, 604800)
TURN_ROW = (7, 1, 3, 6, 0, 9, 5, 2, b"in", b"st")
INPUT_ROW = (7, 1, 3, 4, 9, "key", b"r")
OUTBOX_ROW = (5, 1, 3, 0, "Emit", b"x", "pending", 0, "note")
TIMER_ROW = (1, "k", 20, b"x")

SEALS: list[tuple[Any, tuple[Any, ...], int]] = [
    (layout.seal_agent, AGENT_ROW, 1558173555),
    (layout.seal_agent, (*AGENT_ROW[:12], None, *AGENT_ROW[13:]), 3762874583),
    (layout.seal_turn, TURN_ROW, 548338766),
    (layout.seal_input, INPUT_ROW, 3900995948),
    (layout.seal_input, (*INPUT_ROW[:6], None), 77766209),
    (layout.seal_input, (*INPUT_ROW[:6], b""), 4064932051),
    (layout.seal_directive, OUTBOX_ROW[:6], 1749569354),
    (layout.seal_entry, OUTBOX_ROW, 1542442743),
    (layout.seal_timer, TIMER_ROW, 1445445837),
]


@pytest.mark.parametrize(("seal", "row", "value"), SEALS)
def test_a_seal_stays_the_same_from_release_to_release(
    seal: Any, row: tuple[Any, ...], value: int
) -> None:
    """What an older trido wrote must still be whole to a newer one."""
    assert seal(*row) == value
    assert layout.is_sealed(seal, (*row, value)) is True
    assert layout.is_sealed(seal, (*row, value + 1)) is False


def other(value: Any) -> Any:
    match value:
        case int() | None:
            return 987_654
        case str():
            return value + "x"
        case _:
            return value + b"x"


@pytest.mark.parametrize(("seal", "row", "value"), SEALS)
def test_a_seal_is_of_every_column(seal: Any, row: tuple[Any, ...], value: int) -> None:
    for at, one in enumerate(row):
        assert not layout.is_sealed(seal, (*row[:at], other(one), *row[at + 1 :], value))
        assert not layout.is_sealed(seal, (*row[:at], object(), *row[at + 1 :], value))


def test_a_packed_state_stays_the_same_from_release_to_release() -> None:
    assert (
        layout.pack({"é": b"1", "": b"", "a": b"x" * 10})
        == b"2:\xc3\xa9,1:1,0:,0:,1:a,10:xxxxxxxxxx,"
    )
    assert layout.unpack(b"2:\xc3\xa9,1:1,0:,0:,1:a,10:xxxxxxxxxx,") == {
        "é": b"1",
        "": b"",
        "a": b"x" * 10,
    }
    assert (layout.pack({}), layout.unpack(b"")) == (b"", {})
    with pytest.raises(ValueError, match="shorter"):
        layout.unpack(b"1:a,")
    assert (str(AgentKey("a")), str(AGENT)) == ("a", "p/a")


def test_a_row_of_columns_of_other_types_is_not_sealed() -> None:
    assert layout.is_sealed(layout.seal_timer, (1, None, 20, b"x", 5)) is False
    assert layout.is_sealed(layout.seal_timer, (1, "k", 20, "x", 5)) is False
    assert layout.is_sealed(layout.seal_input, (*INPUT_ROW[:4], 2**70, "key", b"r", 5)) is False
