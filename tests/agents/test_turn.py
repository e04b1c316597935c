"""What a turn tells a decision, and that the same turn is decided in the same way for ever."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

import trido
from trido import Signal, Turn

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@frozen
class Bag:
    seen: tuple[Any, ...] = ()


def drawing() -> trido.Agent[Bag]:
    made = trido.Agent("drawing", state=Bag)

    @made.on("draw")
    def draw(state: Bag, data: int, turn: Turn) -> trido.Decision[Bag]:
        drawn = [turn.random.random() for _ in range(data)]
        ids = [str(turn.uuid(n)) for n in range(data)]
        emits = [trido.Emit(Signal("drawn", turn.random.randrange(100)))]
        return evolve(state, seen=(*state.seen, *drawn, *ids, turn.now)), emits

    return made


AGENT = drawing()
turns = st.builds(
    Turn,
    now=st.datetimes(timezones=st.just(UTC)),
    agent_id=st.text(min_size=1),
    revision=st.integers(0, 2**40),
)


@given(turns, st.integers(0, 5))
def test_the_same_inputs_give_the_same_outputs(turn: Turn, count: int) -> None:
    same = evolve_turn(turn)
    first = AGENT.cmd(Bag(), Signal("draw", count), turn)
    assert AGENT.cmd(Bag(), Signal("draw", count), turn) == first
    assert AGENT.cmd(Bag(), Signal("draw", count), same) == first


def evolve_turn(turn: Turn) -> Turn:
    """Another with the same in it."""
    return Turn(now=turn.now, agent_id=turn.agent_id, revision=turn.revision)


@given(st.lists(st.tuples(st.text(), st.integers(0, 99), st.integers(0, 99)), unique=True))
def test_ids_differ_by_agent_revision_and_number(those: list[tuple[str, int, int]]) -> None:
    ids = {Turn(agent_id=id, revision=revision).uuid(n) for id, revision, n in those}
    assert len(ids) == len(those)


def test_chance_differs_by_agent_and_revision() -> None:
    drawn = {
        Turn(agent_id=id, revision=revision).random.random()
        for id in ("a", "b")
        for revision in range(50)
    }
    assert len(drawn) == 100


def test_what_is_derived_stays_the_same_from_release_to_release() -> None:
    """A durable turn that is decided again must come to the same."""
    turn = Turn(agent_id="a", revision=3)
    assert turn.uuid() == turn.uuid(0) == UUID("0479dec6-9eb5-5a68-afde-045dd52e16aa")
    assert turn.uuid(1) == UUID("042bafa2-ee1b-5f62-b077-cdc93dbaa7c5")
    assert turn.random.randrange(10**9) == 696_121_726


def test_drawing_in_one_decision_does_not_show_in_the_next() -> None:
    turn = Turn(agent_id="a", revision=3)
    before = turn.random.random()
    again = turn.anew()
    assert again.random.random() == before
    assert turn.random.random() != before
    fresh = Turn(agent_id="a", revision=3)
    assert fresh.anew() is fresh


@pytest.mark.parametrize(
    "name", ["signal", "now", "planned", "agent_id", "revision", "request", "why"]
)
def test_reading_what_was_not_said_is_an_error_that_says_how_to_say_it(name: str) -> None:
    with pytest.raises(RuntimeError, match=rf"give cmd\(\) a Turn\({name}=\.\.\.\)"):
        getattr(Turn(), name)


@pytest.mark.parametrize(
    "read", [lambda turn: turn.uuid(), lambda turn: turn.random], ids=["uuid", "random"]
)
def test_chance_needs_to_be_derived_from_something(read: Any) -> None:
    for turn in (Turn(), Turn(revision=1)):
        with pytest.raises(RuntimeError, match="agent_id"):
            read(turn)
    with pytest.raises(RuntimeError, match="revision"):
        read(Turn(agent_id="a"))


def test_its_repr_says_what_is_not_said() -> None:
    assert "agent_id='a'" in repr(Turn(agent_id="a"))
    assert "now=(not said)" in repr(Turn(agent_id="a"))


def test_a_decision_has_no_resource() -> None:
    with pytest.raises(RuntimeError, match="handlers that are async"):
        _ = Turn(agent_id="a").resource


def test_what_was_said_can_be_read() -> None:
    signal = Signal("s")
    turn = Turn(
        signal=signal,
        now=NOW,
        planned=None,
        agent_id="a",
        revision=7,
        request="r",
        why="call",
        resource="pool",
    )
    assert (turn.signal, turn.now, turn.planned, turn.agent_id) == (signal, NOW, None, "a")
    assert (turn.revision, turn.request, turn.why, turn.resource) == (7, "r", "call", "pool")


def test_a_handler_that_takes_no_turn_needs_none() -> None:
    made = trido.Agent("plain", state=Bag)

    @made.on("note")
    def note(state: Bag, data: str) -> Bag:
        return Bag((*state.seen, data))

    assert made.cmd(Bag(), note.signal("1")) == (Bag(("1",)), ())


async def test_a_running_agent_tells_each_turn_what_it_is() -> None:
    made = trido.Agent("telling", state=Bag)

    @made.on("look")
    def look(state: Bag, data: None, turn: Turn) -> Bag:
        return Bag((*state.seen, (turn.revision, turn.why, turn.uuid(), turn.random.random())))

    async with trido.open_supervisor(made.spec(id="a")) as sup:
        ref = sup["a"].value
        await ref.call(Signal("look"))
        await ref.call(Signal("look"))
    turns = [Turn(agent_id="a", revision=revision) for revision in range(2)]
    assert ref.place.state.seen == tuple(
        (turn.revision, "call", turn.uuid(), turn.random.random()) for turn in turns
    )
