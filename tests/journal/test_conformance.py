"""What every journal does, adapter by adapter. A new adapter is one more line in `KINDS`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journal.kit import (
    AGENT,
    DAY,
    KINDS,
    claim,
    do,
    make_journal,
    name_of,
    opener,
    running,
    turn,
)
from trido.errors import SpecError
from trido.journal import Corrupt, Fenced, Journal, JournalError, Locked, Unavailable
from trido.journal.operations import (
    Agents,
    Claim,
    Find,
    History,
    Letters,
    Mark,
    Resolve,
    StateAt,
    Waking,
)
from trido.journal.port import Store
from trido.journal.rows import (
    FULL_EVERY,
    AgentKey,
    Directed,
    Entry,
    Keep,
    Kept,
    Stored,
    Timer,
    Wake,
)
from trido.journal.view import Viewed

TWO = (Directed("Emit", b"x"), Directed("Charge", b"y", attempts=1))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_again(kind: str, tmp_path: Path) -> Callable[[], Store]:
    return opener(kind, tmp_path)


@pytest.fixture
def store(open_again: Callable[[], Store]) -> Iterator[Store]:
    store = open_again()
    yield store
    store.close()


def entry(revision: int, index: int, **fields: object) -> Entry:
    one = TWO[index]
    return Entry(AGENT, revision, index, one.name, one.data, **{"attempts": one.attempts, **fields})  # type: ignore[arg-type]


# Claims -----------------------------------------------------------------------------------------


def test_an_agent_that_is_not_known_begins_at_revision_0(store: Store) -> None:
    run = do(store, claim())
    assert (run.agent, run.name, run.epoch, run.revision) == (AGENT, "counter", 1, 0)
    assert (run.state, run.directives, run.timers, run.known) == ({}, (), (), {})


def test_every_claim_raises_the_epoch(store: Store) -> None:
    assert [do(store, claim()).epoch for _ in range(3)] == [1, 2, 3]


def test_an_agent_does_not_change_its_definition(store: Store) -> None:
    run = do(store, claim())
    with pytest.raises(JournalError, match="is of the definition 'counter'; it cannot go on as"):
        do(store, Claim(AGENT, "order"))
    do(store, turn(run))  # the epoch is still its own


def test_partitions_keep_agents_of_one_id_apart(store: Store) -> None:
    do(store, turn(do(store, claim()), state={"value": b"mine"}))
    other = do(store, claim(AgentKey("a", "tenant")))
    assert (other.epoch, other.revision) == (1, 0)
    assert do(store, claim()).state == {"value": b"mine"}


def test_a_run_begins_with_all_that_was_committed(
    store: Store, open_again: Callable[[], Store]
) -> None:
    run = do(store, claim())
    one = turn(
        run,
        consumes="id-1",
        reply=b"1",
        directives=TWO,
        timers=(Timer("later", 20, b"l"), Timer("soon", 10, b"s"), Timer("gone", 5, b"g")),
    )
    do(store, one)
    do(store, turn(run, 2, state={"more": b"2"}, full=False, cancelled=("gone", "never was")))
    store.close()
    store = open_again()
    again = do(store, claim())
    assert (again.epoch, again.revision) == (2, 2)
    assert again.state == {"value": b"1", "more": b"2"}
    assert again.directives == (entry(1, 0), entry(1, 1))
    assert again.timers == (Timer("soon", 10, b"s"), Timer("later", 20, b"l"))
    assert again.known == {"id-1": Kept(1, b"1")}
    store.close()


def test_the_newest_inputs_are_told_newest_first_and_no_more_than_asked_for(store: Store) -> None:
    run = do(store, claim())
    for revision in range(1, 6):
        do(store, turn(run, revision, consumes=None if revision == 4 else f"id-{revision}"))
    assert list(do(store, claim(known=3)).known) == ["id-5", "id-3"]
    assert not do(store, claim(known=0)).known


# Commits ----------------------------------------------------------------------------------------


def test_the_first_turn_and_every_so_many_must_be_full(store: Store) -> None:
    run = do(store, claim())
    with pytest.raises(SpecError, match="full=False is not allowed"):
        do(store, turn(run, full=False))
    do(store, turn(run))
    for revision in range(2, FULL_EVERY + 1):
        do(store, turn(run, revision, full=False))
    with pytest.raises(SpecError, match=f"revision {FULL_EVERY + 1}: full=False"):
        do(store, turn(run, FULL_EVERY + 1, full=False))
    do(store, turn(run, FULL_EVERY + 1))


def test_a_full_state_replaces_all_fields(store: Store) -> None:
    run = do(store, claim())
    do(store, turn(run, state={"a": b"1", "b": b"1"}))
    do(store, turn(run, 2, state={"a": b"2"}))
    assert do(store, claim()).state == {"a": b"2"}


def test_any_bytes_and_any_text_come_back(store: Store) -> None:
    run = do(store, claim(AgentKey("ä\0/'\";--", "パ")))
    state = {"": b"", "ü\0": bytes(range(256)), "big": b"x" * 100_000} | {"n:,": b"1:x,"}
    del state[""]
    do(store, turn(run, state=state, input=b"", consumes="k\0é", reply=b""))
    again = do(store, claim(run.agent))
    assert again.state == state
    assert again.known == {"k\0é": Kept(1, b"")}


def test_a_write_that_is_refused_leaves_the_others_of_its_batch_alone(store: Store) -> None:
    run = do(store, claim())
    batch = [turn(run), turn(run, 5), turn(run, 2), turn(run, 3, full=False)]
    results = store.write([*batch, Mark(AGENT, 9, 1, 0, "done")], sync=True)
    assert [type(one).__name__ for one in results] == ["Value", "Error", "Value", "Value", "Error"]
    assert do(store, claim()).revision == 3


# Fencing ----------------------------------------------------------------------------------------


def test_a_stale_run_is_fenced_in_all_it_writes(kind: str, store: Store, tmp_path: Path) -> None:
    stale = do(store, claim())
    do(store, turn(stale, directives=TWO))
    fresh = do(store, claim())
    for write in (turn(stale, 2), Mark(AGENT, stale.epoch, 1, 0, "done")):
        with pytest.raises(Fenced) as caught:
            do(store, write)
        assert (caught.value.epoch, caught.value.revision) == (fresh.epoch, 1)
        assert caught.value.file == name_of(kind, tmp_path)
        assert "'a' is at epoch 2, revision 1" in str(caught.value)
    assert do(store, claim()).revision == 1


def test_a_revision_is_committed_once(store: Store) -> None:
    run = do(store, claim())
    do(store, turn(run))
    with pytest.raises(Fenced) as caught:
        do(store, turn(run))
    assert (caught.value.epoch, caught.value.revision) == (run.epoch, 1)


def test_an_agent_that_nobody_claimed_is_fenced(store: Store) -> None:
    run = do(store, claim())
    stranger = AgentKey("stranger")
    foreign = turn(run).__class__(
        agent=stranger, epoch=1, revision=1, at=0, input=b"", state={}, consumes="k"
    )
    for write in (foreign, Mark(stranger, 1, 1, 0, "done")):
        with pytest.raises(Fenced, match="'stranger' is not known"):
            do(store, write)


def test_a_run_is_fenced_after_a_later_session_claimed_its_agent(
    store: Store, open_again: Callable[[], Store]
) -> None:
    stale = do(store, claim())
    store.close()
    store = open_again()
    do(store, claim())
    with pytest.raises(Fenced):
        do(store, turn(stale))
    store.close()


# Inputs -----------------------------------------------------------------------------------------


def test_an_input_is_consumed_once_and_its_reply_is_kept(
    store: Store, open_again: Callable[[], Store]
) -> None:
    run = do(store, claim())
    assert do(store, turn(run, consumes="k", reply=b"first")) is None
    again = turn(run, 2, consumes="k", reply=b"second")
    assert do(store, again) == Kept(1, b"first")
    store.close()
    store = open_again()
    # Whoever sends it again gets the reply, even a run that would be fenced.
    assert do(store, again) == Kept(1, b"first")
    assert do(store, Claim(AGENT, "counter")).revision == 1
    assert store.read(Find(AGENT, "k")) == Kept(1, b"first")
    assert store.read(Find(AGENT, "other")) is None
    assert store.read(Find(AgentKey("nobody"), "k")) is None
    store.close()


def test_an_input_is_consumed_once_within_a_batch(store: Store) -> None:
    run = do(store, claim())
    results = store.write([turn(run, consumes="k"), turn(run, 2, consumes="k")], sync=True)
    assert [one.unwrap() for one in results] == [None, Kept(1, None)]


def test_agents_have_keys_of_their_own(store: Store) -> None:
    runs = [do(store, claim(AgentKey(id))) for id in "abc"]
    assert [do(store, turn(run, consumes="k")) for run in runs] == [None, None, None]
    kept = store.write([turn(run, 2, consumes="k") for run in runs], sync=False)
    assert [one.unwrap() for one in kept] == [Kept(1, None)] * 3


def test_as_many_inputs_are_known_as_are_to_be_kept(store: Store) -> None:
    run = do(store, claim(keep=Keep(dedupe=10)))
    for revision in range(1, 31):
        do(store, turn(run, revision, consumes=f"{revision}"))
    for revision in range(21, 31):
        assert store.read(Find(AGENT, f"{revision}"))


def test_inputs_are_known_as_long_as_they_are_to_be_kept(store: Store) -> None:
    run = do(store, claim())
    for revision in range(1, 11):
        do(store, turn(run, revision, at=revision * DAY, consumes=f"{revision}"))
    for revision in range(3, 11):
        assert store.read(Find(AGENT, f"{revision}"))


# Directives -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["done", "failed"])
def test_a_settled_directive_is_not_carried_out_again(store: Store, status: str) -> None:
    run = do(store, claim())
    do(store, turn(run, directives=TWO))
    do(store, Mark(AGENT, run.epoch, 1, 0, status))  # type: ignore[arg-type]
    assert do(store, claim()).directives == (entry(1, 1),)
    assert not store.read(Letters())


def test_attempts_are_counted_before_each_try(store: Store) -> None:
    run = do(store, claim())
    do(store, turn(run, directives=TWO))
    for _ in range(3):
        do(store, Mark(AGENT, run.epoch, 1, 0, "pending", "failed once more"))
    (first, second) = do(store, claim()).directives
    assert first == entry(1, 0, attempts=3, note="failed once more")
    assert second == entry(1, 1, attempts=1)


def test_what_was_started_and_not_heard_of_is_unknown_to_the_next_run(store: Store) -> None:
    run = do(store, claim())
    do(store, turn(run, directives=TWO))
    do(store, Mark(AGENT, run.epoch, 1, 1, "started"))
    unknown = entry(1, 1, status="unknown", attempts=2)
    for _ in range(2):
        again = do(store, claim())
        assert again.directives == (entry(1, 0),)
        assert again.unknown == (unknown,)
    assert store.read(Letters()) == (unknown,)
    assert store.read(Letters(AGENT)) == (unknown,)
    assert not store.read(Letters(AgentKey("other")))


def test_a_mark_can_be_sent_again(store: Store) -> None:
    run = do(store, claim())
    do(store, turn(run, directives=TWO))
    for _ in range(2):
        do(store, Mark(AGENT, run.epoch, 1, 0, "done"))
    do(store, Mark(AGENT, run.epoch, 1, 0, "dead"))  # too late
    do(store, Mark(AGENT, run.epoch, 7, 0, "done"))  # never was
    do(store, Mark(AGENT, run.epoch, 1, 1, "unknown"))  # was not started
    assert do(store, claim()).directives == (entry(1, 1),)


@pytest.mark.parametrize(
    ("to", "status"), [("done", "done"), ("retry", "pending"), ("dead", "dead")]
)
def test_unknown_and_dead_directives_are_kept_until_resolved(
    store: Store, open_again: Callable[[], Store], to: str, status: str
) -> None:
    run = do(store, claim())
    do(store, turn(run, directives=TWO))
    do(store, Mark(AGENT, run.epoch, 1, 0, "dead", "gave up"))
    do(store, Mark(AGENT, run.epoch, 1, 1, "started"))
    do(store, Mark(AGENT, run.epoch, 1, 1, "unknown"))
    store.close()
    store = open_again()
    dead = entry(1, 0, status="dead", note="gave up")
    unknown = entry(1, 1, status="unknown", attempts=2)
    assert store.read(Letters()) == (dead, unknown)
    assert store.read(Letters(limit=1)) == (dead,)
    for index in range(2):
        do(store, Resolve(AGENT, 1, index, to))  # type: ignore[arg-type]
    (past,) = store.read(History(AGENT))
    assert [one.status for one in past.directives] == [status, status]
    again = do(store, claim())
    assert [one.attempts for one in again.directives] == ([0, 0] if to == "retry" else [])
    assert not again.unknown
    store.close()


def test_only_unknown_and_dead_ones_can_be_resolved(store: Store) -> None:
    run = do(store, claim())
    do(store, turn(run, directives=TWO))
    do(store, Mark(AGENT, run.epoch, 1, 1, "done"))
    for agent, index in ((AGENT, 0), (AGENT, 1), (AGENT, 2), (AgentKey("nobody"), 0)):
        with pytest.raises(JournalError, match=rf"no directive 1\.{index} of agent"):
            do(store, Resolve(agent, 1, index, "retry"))


def test_what_is_marked_in_the_batch_that_commits_it(store: Store) -> None:
    run = do(store, claim())
    mark = Mark(AGENT, run.epoch, 1, 0, "dead", "why")
    batch = [turn(run, directives=TWO), mark, Resolve(AGENT, 1, 0, "dead"), claim()]
    assert store.write(batch, sync=False)[-1].unwrap().directives == (entry(1, 1),)
    assert store.read(Letters()) == (entry(1, 0, status="dead", note="why"),)


# Timers and waking ------------------------------------------------------------------------------


def test_the_last_of_a_batch_wins_a_timer(store: Store) -> None:
    run = do(store, claim())
    batch = [
        turn(run, timers=(Timer("a", 1, b"1"), Timer("b", 1, b"1"))),
        turn(run, 2, cancelled=("a",), timers=(Timer("b", 2, b"2"),)),
        turn(run, 3, cancelled=("b",), timers=(Timer("b", 3, b"3"),)),
    ]
    store.write(batch, sync=False)
    assert do(store, claim()).timers == (Timer("b", 3, b"3"),)


def test_who_is_to_be_woken(store: Store) -> None:
    runs = {id: do(store, claim(AgentKey(id))) for id in ("idle", "work", "timer", "later")}
    do(store, turn(runs["work"], directives=TWO))
    do(store, turn(runs["timer"], timers=(Timer("t", 10, b""), Timer("u", 30, b""))))
    do(store, turn(runs["later"], timers=(Timer("t", 20, b""),)))
    timer = Wake(AgentKey("timer"), "counter", 0, 10)
    later = Wake(AgentKey("later"), "counter", 0, 20)
    work = Wake(AgentKey("work"), "counter", 2, None)
    assert store.read(Waking(until=9)) == (work,)
    assert store.read(Waking(until=10)) == (timer, work)
    assert store.read(Waking(until=20)) == (later, timer, work)
    assert store.read(Waking(until=20, limit=1)) == (later,)
    assert store.read(Waking(until=20, after=later.agent, limit=1)) == (timer,)
    for index in range(2):
        do(store, Mark(work.agent, 1, 1, index, "done"))
    assert store.read(Waking(until=9)) == ()


# History ----------------------------------------------------------------------------------------


def test_history_and_the_state_at_every_revision(store: Store) -> None:
    run = do(store, claim())
    do(store, turn(run, state={"a": b"1", "b": b"1"}, directives=TWO, input=b"one"))
    do(store, turn(run, 2, state={"a": b"2"}, full=False))
    do(store, turn(run, 3, state={}, full=False))
    do(store, turn(run, 4, state={"c": b"4"}))
    do(store, Mark(AGENT, run.epoch, 1, 0, "done"))
    past = store.read(History(AGENT))
    assert [one.revision for one in past] == [1, 2, 3, 4]
    assert (past[0].input, past[0].at, past[0].full) == (b"one", 1, True)
    assert past[0].directives == (entry(1, 0, status="done"), entry(1, 1))
    assert (past[1].state, past[1].full) == ({"a": b"2"}, False)
    assert store.read(History(AGENT, since=2)) == past[2:]
    assert store.read(History(AGENT, limit=1)) == past[3:]
    assert store.read(History(AGENT, limit=0)) == ()
    assert store.read(History(AgentKey("nobody"))) == ()
    states = [store.read(StateAt(AGENT, revision)) for revision in range(6)]
    both = {"a": b"2", "b": b"1"}
    assert states == [None, {"a": b"1", "b": b"1"}, both, both, {"c": b"4"}, None]
    assert store.read(StateAt(AgentKey("nobody"), 1)) is None


@pytest.mark.parametrize("history", [0, 1, 100])
def test_as_many_turns_are_kept_as_are_to_be(store: Store, history: int) -> None:
    run = do(store, claim(keep=Keep(history=history)))
    turns = 3 * FULL_EVERY + 1
    for revision in range(1, turns + 1):
        full = revision % FULL_EVERY == 1
        do(store, turn(run, revision, full=full, directives=TWO[:1]))
        do(store, Mark(AGENT, run.epoch, revision, 0, "done"))
    past = store.read(History(AGENT))
    assert [one.revision for one in past] == list(range(turns - history + 1, turns + 1))
    for revision in range(turns - history + 1, turns + 1):
        assert store.read(StateAt(AGENT, revision)) == {"value": b"%d" % revision}
    assert store.read(StateAt(AGENT, turns - history)) is None
    assert do(store, claim()).state == {"value": b"%d" % turns}


def test_what_was_forgotten_when_less_was_to_be_kept_is_not_damage(store: Store) -> None:
    run = do(store, claim(keep=Keep(history=5)))
    turns = 1_100
    for revision in range(1, turns + 1):
        do(store, turn(run, revision, full=revision % FULL_EVERY == 1))
    run = do(store, claim(keep=Keep(history=10_000)))
    assert (run.revision, run.state) == (turns, {"value": b"1100"})
    (stored,) = store.read(Agents(AGENT))
    assert stored.oldest == 1
    kept = [one.revision for one in store.read(History(AGENT, limit=10_000))]
    assert kept == list(range(kept[0], turns + 1))
    assert 5 <= len(kept) < turns
    assert store.read(StateAt(AGENT, 1)) is None
    assert store.read(StateAt(AGENT, kept[0] - 1)) is None
    assert store.read(StateAt(AGENT, turns - 1)) == {"value": b"1099"}


def test_a_long_history_is_read_page_by_page(store: Store) -> None:
    run = do(store, claim())
    turns = 3 * FULL_EVERY
    for revision in range(1, turns + 1):
        do(store, turn(run, revision, full=revision % FULL_EVERY == 1))
    for at in (0, 7, 70, 130, 64, 0, turns):
        page = store.read(History(AGENT, since=at, until=at + 10))
        assert [one.revision for one in page] == list(range(at + 1, min(at + 10, turns) + 1))
    assert [one.revision for one in store.read(History(AGENT, until=5, limit=2))] == [4, 5]
    assert store.read(History(AGENT, since=5, until=5)) == ()
    other = do(store, claim(AgentKey("b")))
    do(store, turn(other))
    assert [one.revision for one in store.read(History(AgentKey("b")))] == [1]
    do(store, turn(run, turns + 1))
    assert [one.revision for one in store.read(History(AGENT, since=turns))] == [turns + 1]


def test_which_agents_there_are(store: Store) -> None:
    assert store.read(Agents()) == ()
    run = do(store, claim(keep=Keep(history=2)))
    for revision in (1, 2, 3):
        do(store, turn(run, revision))
    do(store, claim(AgentKey("b", "tenant")))
    do(store, claim(AgentKey("b")))
    mine, b = Stored(AGENT, "counter", 3, 2), Stored(AgentKey("b"), "counter", 0, 1)
    theirs = Stored(AgentKey("b", "tenant"), "counter", 0, 1)
    assert store.read(Agents()) == (mine, b, theirs)
    assert store.read(Agents(limit=1)) == (mine,)
    assert store.read(Agents(after=AGENT, limit=1)) == (b,)
    assert store.read(Agents(theirs.agent)) == (theirs,)
    assert store.read(Agents(AgentKey("nobody"))) == ()


def test_a_letter_outlives_its_turn(store: Store) -> None:
    run = do(store, claim(keep=Keep(history=1)))
    do(store, turn(run, directives=TWO))
    do(store, Mark(AGENT, run.epoch, 1, 0, "dead"))
    for revision in range(2, 3 * FULL_EVERY):
        do(store, turn(run, revision))
    assert do(store, claim()).directives == (entry(1, 1),)
    do(store, Resolve(AGENT, 1, 0, "retry"))
    run = do(store, claim())
    assert run.directives == (entry(1, 0), entry(1, 1))
    do(store, Mark(AGENT, run.epoch, 1, 0, "done"))
    assert do(store, claim()).directives == (entry(1, 1),)


# Sessions ---------------------------------------------------------------------------------------


@pytest.mark.real_time
async def test_a_journal_is_open_once_at_a_time(kind: str, tmp_path: Path) -> None:
    journal = make_journal(kind, tmp_path)
    async with running(journal) as session:
        run = await session.write(claim())
        with pytest.raises(Locked, match="it is open already"):
            async with journal.open():
                pytest.fail("opened twice")
        await session.write(turn(run))
    async with running(journal) as session:
        assert (await session.write(claim())).revision == 1


@pytest.mark.real_time
async def test_a_journal_is_viewed_beside_whoever_writes(kind: str, tmp_path: Path) -> None:
    journal = make_journal(kind, tmp_path)
    assert isinstance(journal, Viewed)
    async with running(journal) as session:
        run = await session.write(claim())
        async with journal.view() as view:
            assert await view.read(History(AGENT)) == ()
            await session.write(turn(run))
            assert len(await view.read(History(AGENT))) == 1
            assert view.file == session.file == name_of(kind, tmp_path)
    async with journal.view() as view:
        assert len(await view.read(History(AGENT))) == 1
        async with running(journal) as session:
            assert (await session.write(claim())).revision == 1
    with pytest.raises(Unavailable, match="the view is closed; open the journal again"):
        await view.read(History(AGENT))
    assert repr(view) == f"<trido.journal.View of {name_of(kind, tmp_path)}>"


def test_both_are_journals(kind: str, tmp_path: Path) -> None:
    assert isinstance(make_journal(kind, tmp_path), Journal)
    assert "trido." in repr(make_journal(kind, tmp_path))


def test_errors_name_file_reason_and_remedy() -> None:
    error = Corrupt("app.db", "it is damaged", "restore a backup")
    assert str(error) == "app.db: it is damaged; restore a backup"
    assert (error.file, error.reason, error.remedy) == error.args


def test_infinity_is_no_number_of_turns() -> None:
    with pytest.raises(SpecError, match="history=inf is not allowed; it must be a whole number"):
        Keep(history=math.inf)  # type: ignore[arg-type]
