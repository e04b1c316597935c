"""Replay: recorded inputs are decided again, and what comes out differently is named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, cast

import pytest
from attrs import evolve, field, frozen

import trido
from tests.runtime.books import Books, Charge, do, keeper, killed, note, office
from tests.runtime.desk import Log
from tests.runtime.till import Till

EARLIER: Final = datetime(2020, 1, 1, tzinfo=UTC)

# An agent that uses all that a turn has -----------------------------------------------------------


@frozen
class Dice:
    thrown: tuple[int, ...] = ()
    ids: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    pin: str = field(default="0", repr=False)


@trido.action("look.up")
async def look_up(params: None) -> str:
    return "found"


child = keeper("child")


def dice(sides: int = 6, **changes: Any) -> trido.Agent[Dice]:
    made = trido.Agent("dice", state=Dice, durability="sync", **cast("Any", changes))

    @made.on_start
    def start(state: Dice, turn: trido.Turn) -> Dice:
        return evolve(state, times=(*state.times, turn.why))

    @made.on_stop
    def stop(state: Dice) -> Dice:
        return evolve(state, times=(*state.times, "stop"))

    @made.on("throw")
    def throw(state: Dice, data: None, turn: trido.Turn) -> trido.Decision[Dice]:
        thrown = turn.random.randrange(sides)
        new = Dice(
            (*state.thrown, thrown),
            (*state.ids, str(turn.uuid(1)), turn.request or "", turn.signal.id or ""),
            (*state.times, turn.now.isoformat(), str(turn.planned)),
            f"{turn.revision}",
        )
        again = trido.Schedule(5.0, trido.Signal("throw", id=f"again {thrown}"), key="again")
        return new, [again] if len(state.thrown) < 2 else []

    @made.on("want")
    def want(state: Dice, data: str) -> trido.Decision[Dice]:
        return state, WANTS[data]

    return made


WANTS: dict[str, list[trido.Directive]] = {
    "all": [
        trido.Emit(trido.Signal("thrown", 1)),
        trido.Run(look_up, None, ok="found"),
        trido.SpawnAgent(child, "kid"),
        Charge("kettle"),
        trido.Reply("done"),
    ],
    "stop": [trido.Stop()],
}


async def lived(journal: Any) -> None:
    agent = dice()

    @agent.on("found")
    def found(state: Dice, data: Any) -> Dice:
        return evolve(state, ids=(*state.ids, repr(data)))

    till, options = Till(), {"actions": (look_up,)}
    async with office(journal, agent, child, till=till, **options) as rt:
        ref = await rt.start_agent(agent, id="d")
        await ref.call(trido.Signal("throw"))
        await ref.wait_for(lambda state: len(state.thrown) == 3)
        await ref.call(trido.Signal("want", "all"))
        await rt.drain()
    async with office(journal, agent, child, till=till, **options) as rt:
        ref = await rt.start_agent(agent, id="d")
        await ref.call(trido.Signal("want", "stop"))


async def test_whatever_a_turn_has_a_pure_agent_replays() -> None:
    journal = trido.MemoryJournal()
    await lived(journal)
    agent = dice()

    @agent.on("found")
    def found(state: Dice, data: Any) -> Dice:
        return evolve(state, ids=(*state.ids, repr(data)))

    told: list[tuple[int, int]] = []
    async with trido.open_history(journal, agents=(child,)) as history:
        same = await history.replay(agent, "d", progress=lambda *far: told.append(far))
        past = [one async for one in history.turns(agent, "d")]
    assert same.is_same
    assert same.first is None
    assert (same.agent, same.decided, same.taken) == ("d", len(past), 0)
    assert told == [(n, len(past)) for n in range(1, len(past) + 1)]
    whys = [one.turn.why for one in past]
    assert {"start", "call", "timer", "run", "stop"} <= {*whys}


async def test_new_code_is_tried_on_what_old_code_was_sent() -> None:
    journal = trido.MemoryJournal()
    await lived(journal)
    async with trido.open_history(journal) as history:
        found = await history.replay(dice(sides=1_000), "d", most=99)
        first = await history.replay(dice(sides=1_000), "d")
        later = await history.replay(dice(sides=1_000), "d", since=found.differences[0].revision)
        none = await history.replay(dice(sides=1_000), "d", since=1, until=1)
    assert not found.is_same
    # Each is decided on the state that was recorded: one difference does not lead to others.
    assert [one.recorded.signal.type for one in found.differences] == ["throw"] * 3 + ["found"]
    assert [[one.name for one in each.changed] for each in found.differences][:3] == [
        ["state.thrown"]
    ] * 3
    assert first.first is not None
    assert first.first.revision == found.differences[0].revision
    assert later.first is not None
    assert later.first.revision == found.differences[1].revision
    assert (none.decided, none.taken, none.is_same) == (0, 0, True)
    text = str(first.first)
    assert text.startswith(f"revision {first.first.revision}, 'throw' (call):\n  state.thrown\n")
    assert repr(first.first) == f"<trido.Difference at revision {first.first.revision}>"


async def test_code_that_raises_now_is_a_difference() -> None:
    journal = trido.MemoryJournal()
    await lived(journal)
    async with trido.open_history(journal) as history:
        found = await history.replay(dice(), "d", most=99)
    (one,) = found.differences  # nobody takes "found" now
    assert isinstance(one.error, trido.NoRoute)
    assert (one.state, one.directives, one.changed) == (None, (), ())
    assert "raises NoRoute" in str(one)


async def test_what_differs_is_shown_without_secrets() -> None:
    journal = trido.MemoryJournal()
    await lived(journal)
    other = dice()

    @other.on("found")
    def found(state: Dice, data: Any) -> Dice:
        return evolve(state, pin="1234", ids=(*state.ids, repr(data)))

    async with trido.open_history(journal) as history:
        (one,) = (await history.replay(other, "d", most=9)).differences
    (changed,) = one.changed
    assert (changed.name, changed.recorded, changed.decided) == ("state.pin", "***", "***")
    assert one.state is not None
    assert one.state.pin == "1234"


# Directives ---------------------------------------------------------------------------------------


async def recorded(journal: Any, does: Any) -> None:
    agent = keeper(does=does)
    async with office(journal, agent, till=Till(), dispatch={"post": _post}) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(do("x"))
        await rt.drain()


async def _post(signal: trido.Signal) -> None:
    pass


EMIT = trido.Emit(note("hi"), to=trido.Via("post"))


@pytest.mark.parametrize(
    ("was", "now", "changed"),
    [
        ([EMIT], [EMIT], []),
        ([EMIT], [], [("directives[0]", "Emit(", "nothing")]),
        ([], [EMIT], [("directives[0]", "nothing", "Emit(")]),
        ([EMIT, Charge("a")], [EMIT, Charge("b")], [("directives[1]", "Charge(", "Charge(")]),
        ([Charge("a")], [EMIT], [("directives[0]", "Charge {'what': 'a'", "Emit(")]),
        # Timers, answers and the end are not recorded as directives.
        ([EMIT], [trido.Reply(1), EMIT, trido.Schedule(5.0, note("t"), key="k")], []),
    ],
)
async def test_directives_are_compared_one_by_one(was: Any, now: Any, changed: Any) -> None:
    journal = trido.MemoryJournal()
    await recorded(journal, {"x": was})
    async with trido.open_history(journal) as history:
        found = await history.replay(keeper(does={"x": now}), "a")
    names = [one.name for each in found.differences for one in each.changed]
    assert names == [name for name, _, _ in changed]
    for (_, before, after), one in zip(
        changed, found.first.changed if found.first else (), strict=True
    ):
        assert one.recorded.startswith(before)
        assert one.decided.startswith(after)


async def test_what_could_not_be_written_is_a_difference() -> None:
    @frozen
    class Bad(trido.Directive):
        what: object = None

    journal = trido.MemoryJournal()
    await recorded(journal, {"x": []})
    async with trido.open_history(journal) as history:
        found = await history.replay(keeper(does={"x": [Bad(object())]}), "a")
    assert found.first is not None
    assert isinstance(found.first.error, trido.CodecError)


async def test_signals_whose_data_has_a_version_are_compared_without_their_receivers() -> None:
    receiver = keeper("receiver")

    @receiver.on("news", version=3, upgrades={1: lambda data: data, 2: lambda data: data})
    def news(state: Log, data: str) -> Log:
        return state

    journal = trido.MemoryJournal()
    does = {"x": [trido.Emit(trido.Signal("news", "hi"), to="r")]}
    agent = keeper(does=does)
    async with office(journal, agent, receiver) as rt:
        await rt.start_agent(receiver, id="r")
        await (await rt.start_agent(agent, id="a")).call(do("x"))
        await rt.drain()
    async with trido.open_history(journal) as history:  # which was not told of the receiver
        assert (await history.replay(agent, "a")).is_same
    async with trido.open_history(journal, agents=(receiver,)) as history:
        assert (await history.replay(agent, "a")).is_same


# What is taken as recorded ------------------------------------------------------------------------


async def test_effectful_turns_are_taken_as_recorded_and_so_is_what_awaits_now() -> None:
    journal = trido.MemoryJournal()
    agent = keeper()
    async with office(journal, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(trido.Signal("slow", 1.0))
        await ref.call(note("x"))
    awaits = trido.Agent("log", state=Log, durability="sync")

    @awaits.on_start
    async def start(state: Log) -> Log:
        return state

    @awaits.on("note")
    async def noted(state: Log, data: str) -> Log:
        return state

    async with trido.open_history(journal) as history:
        same = await history.replay(agent, "a")
        assert (same.decided, same.taken, same.is_same) == (1, 1, True)
        same = await history.replay(awaits, "a")
        assert (same.decided, same.taken, same.is_same) == (0, 2, True)


async def test_a_start_or_a_stop_that_kept_timers_only_decides_nothing() -> None:
    books = Books()
    agent = keeper(schedules=[trido.Cron("0 5 * * *", note("daily"), key="day")])
    async with office(books.memory, agent) as rt:
        await (await rt.start_agent(agent, id="a")).stop()
    hooked = keeper()

    @hooked.on_start
    async def start(state: Log) -> Log:
        return state

    @hooked.on_stop
    def stop(state: Log) -> Log:
        return Log(("bye",))

    async with trido.open_history(books.memory) as history:
        whys = [one.turn.why async for one in history.turns(agent, "a")]
        assert whys == ["start", "stop"]
        assert (await history.replay(agent, "a")).decided == 2
        found = await history.replay(hooked, "a")
    assert (found.decided, found.taken) == (1, 1)
    assert found.first is not None
    assert [one.name for one in found.first.changed] == ["state.seen"]


async def test_what_killed_lives_and_clocks_set_back_have_left_replays() -> None:
    books = Books()
    agent = dice()
    async with killed(books, agent) as rt:
        ref = await rt.start_agent(agent, id="d")
        await ref.call(trido.Signal("throw"))
    async with office(books, agent, clock=lambda: EARLIER) as rt:
        ref = await rt.start_agent(agent, id="d")
        await ref.call(trido.Signal("throw"))
        assert (await rt.history.replay(agent, "d")).is_same


async def test_a_state_of_an_older_version_is_compared_as_it_is_read_now() -> None:
    journal = trido.MemoryJournal()
    agent = keeper()
    async with office(journal, agent) as rt:
        ref = await rt.start_agent(agent, id="a")
        await ref.call(note("x"))
        await ref.call(note("y"))

    @frozen
    class Longer:
        lines: tuple[str, ...] = ()
        count: int = 0

    def up(old: Any) -> Any:
        return {"lines": old["seen"], "count": len(old["seen"])}

    newer = trido.Agent("log", state=Longer, durability="sync", version=2, upgrades={1: up})

    @newer.on("note")
    def noted(state: Longer, data: str) -> Longer:
        return Longer((*state.lines, data), state.count + (data == "x"))

    async with trido.open_history(journal) as history:
        found = await history.replay(newer, "a", most=9)
    (one,) = found.differences
    assert (one.revision, [each.name for each in one.changed]) == (2, ["state.count"])
