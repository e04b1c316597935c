"""Any interleaving of turns, failures and kills keeps what durable agents promise.

A script is drawn: what is sent, when the disk is held, fails, or does not say that it wrote, when
an agent crashes or sleeps, when a key is activated, when the process is killed or left and started
again. Then all is brought to its end, and what the journal has is compared with what was answered
and what was done outside.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, final

import trio
from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

import trido
from tests.runtime.books import Books, Charge, note
from tests.runtime.desk import settle
from trido import testing
from trido.agents.codec import Codec
from trido.journal.operations import StateAt
from trido.journal.rows import AgentKey

AT_ONCE: Final = trido.Schedule | trido.Cancel | trido.Hibernate
OVER: Final = {"done", "failed", "dead", "unknown"}


@frozen
class Notice(trido.Directive):
    """For somebody who must not be told twice."""

    what: str


@frozen
class Ledger:
    seen: tuple[str, ...] = ()
    wanted: int = 0


def ledger(name: str, wants: Callable[[str], list[Any]]) -> trido.Agent[Ledger]:
    agent = trido.Agent(name, state=Ledger, durability="sync", idle_timeout=1.5)

    @agent.on("note")
    def noted(state: Ledger, data: str) -> trido.Decision[Ledger]:
        wanted = wants(data)
        new = evolve(state, seen=(*state.seen, data), wanted=state.wanted + len(wanted))
        return new, wanted

    @agent.on("slow")
    async def slow(state: Ledger, data: str) -> Ledger:
        await trio.sleep(1)
        return evolve(state, seen=(*state.seen, data))

    @agent.on("sleep")
    def sleep(state: Ledger, data: str) -> trido.Decision[Ledger]:
        return evolve(state, seen=(*state.seen, data)), [trido.Hibernate()]

    @agent.on("boom")
    def boom(state: Ledger, data: object) -> Ledger:
        raise ValueError("a bug")

    return agent


def wanted_of_a(text: str) -> list[Any]:
    n = sum(text.encode())
    tick = trido.Schedule(n % 7, note(f"tick/{text}"), key=f"k{n % 2}")
    choices: list[list[Any]] = [
        [],
        [Charge(text, n % 4)],
        [trido.Emit(note(f"told/{text}"), to="b/1"), Notice(text)],
        [tick, Charge(text)],
        [trido.Cancel("k0"), Notice(text)],
    ]
    return choices[n % 5]


def wanted_of_b(text: str) -> list[Any]:
    return [Charge(text)] if len(text) % 2 else []


@final
class World:
    """All that outlives a process."""

    def __init__(self, file: Path | None = None) -> None:
        self.books = Books(file)
        self.charged: Counter[str] = Counter()
        self.noticed: Counter[str] = Counter()
        self.answered: list[str] = []
        self.agents = ledger("a", wanted_of_a), ledger("b", wanted_of_b)
        self.count = 0
        self.release: Callable[[], object] = self.books.hold()
        self.release()

    async def charge(self, directive: Charge, delivery: trido.Delivery) -> None:
        await trio.sleep(directive.seconds)
        self.charged[delivery.id] += 1

    async def notice(self, directive: Notice, delivery: trido.Delivery) -> None:
        self.noticed[delivery.id] += 1
        await trio.sleep(0.5)

    def runtime(self) -> Any:
        once = trido.Executor(self.notice, delivery="at_most_once")
        executors = {Charge: trido.Executor(self.charge, delivery="keyed"), Notice: once}
        return trido.open_runtime(journal=self.books, agents=self.agents, executors=executors)

    async def life(self, script: list[str], nursery: trio.Nursery) -> None:
        """One process, that is left or killed."""
        try:
            async with self.runtime() as rt:
                ref = await rt.activate(self.agents[0], "1")
                if not self.count:  # later on it is woken by what it is sent
                    await rt.activate(self.agents[1], "1")
                for step in script:
                    if step == "key":
                        nursery.start_soon(self.activate, rt)
                    else:
                        await self.do(step, ref, nursery)
                self.books.is_dead = script[-1:] != ["sleep"]
                self.release()
        finally:
            self.release()
        self.books.is_dead, self.books.fails, self.books.loses = False, 0, 0

    async def activate(self, rt: trido.Runtime) -> None:
        with suppress(trido.TridoError):  # the runtime ends, say
            await rt.activate(self.agents[0], "1")

    async def do(self, step: str, ref: trido.AgentRef[Any], nursery: trio.Nursery) -> None:
        if step == "hold":
            self.release()
            self.release = self.books.hold()
        elif step == "release":
            self.release()
        elif step in ("fails", "loses"):
            setattr(self.books, step, 1)
        elif step == "sleep":
            await trio.sleep(2)
        else:
            await self.send(step, ref, nursery)

    async def send(self, step: str, ref: trido.AgentRef[Any], nursery: trio.Nursery) -> None:
        self.count += 1
        text = f"{self.count}"
        type = step if step in ("slow", "boom") else "sleep" if step == "nap" else "note"
        if step == "cast":
            await ref.cast(trido.Signal(type, text))
        elif step == "boom":
            await ref.cast(trido.Signal(type, None))
            await trio.sleep(0.3)
        else:
            nursery.start_soon(self.call, ref, trido.Signal(type, text, id=text))
            await settle()

    async def call(self, ref: trido.AgentRef[Any], signal: trido.Signal) -> None:
        for _ in range(3):
            try:
                state = await ref.call(signal)
            except trido.TridoError:
                await trio.sleep(0.1)
            else:
                assert signal.data in state.seen
                self.answered.append(signal.data)
                return

    # What has to be so ------------------------------------------------------------------------

    async def end(self) -> None:
        async with self.runtime() as rt:
            refs = [await rt.activate(agent, "1") for agent in self.agents]
            for _ in range(3):
                await rt.drain()
                await trio.sleep(30)
            await settle()
            for ref, agent in zip(refs, self.agents, strict=True):
                self.check(ref, agent)
                assert (await rt.history.replay(agent, ref.id)).is_same
            told = set(refs[0].state().seen)
            assert told.issuperset(self.answered)
            for text, often in Counter(refs[0].state().seen).items():
                assert often == 1 or text.startswith("tick"), text

    def check(self, ref: trido.AgentRef[Any], agent: trido.Agent[Any]) -> None:
        id = f"{agent.name}/1"
        history = self.books.history(id)
        assert [one.revision for one in history] == list(range(1, len(history) + 1))
        assert ref.status().revision == len(history)
        codec = Codec(
            {one.name: one for one in self.agents}, {}, {"Charge": Charge, "Notice": Notice}
        )
        state: Any = Ledger()
        for one in history:
            given = codec.decode_input(one.input, agent_id=id, revision=one.revision - 1)
            if given.is_effectful:
                state = evolve(state, seen=(*state.seen, given.signal.data))
            else:
                state, wanted = agent.cmd(state, given.signal, given.turn)
                kept = [one for one in wanted if not isinstance(one, AT_ONCE)]
                assert len(kept) == len(one.directives)
            fields = self.books.read(StateAt(AgentKey(id), one.revision))
            assert fields is not None
            assert codec.state(agent).decode(fields) == state
            for entry in one.directives:
                self.check_directive(f"{id}/{entry.revision}.{entry.index}", entry)
        assert ref.state() == state

    def check_directive(self, id: str, entry: Any) -> None:
        assert entry.status in OVER, entry
        if entry.name == "Charge":
            assert (entry.status == "done") <= (self.charged[id] >= 1)
            assert entry.status in ("done", "dead")
        elif entry.name == "Notice":
            assert self.noticed[id] <= 1
            assert (entry.status == "done") <= (self.noticed[id] == 1)


STEPS: Final = st.sampled_from(
    "call call cast cast nap key slow hold release fails loses sleep sleep boom".split()
)


LIVES: Final = st.lists(st.lists(STEPS, max_size=12), max_size=4)


def live_through(lives: list[list[str]], seed: int, file: Path | None = None) -> None:
    async def main() -> None:
        world = World(file)
        with trio.fail_after(5_000):  # nothing of it hangs
            for script in lives:
                async with trio.open_nursery() as nursery:
                    await world.life(script, nursery)
                    await trio.sleep(1)
            await world.end()

    testing.run(main, seed=seed, guarded=False)


@given(lives=LIVES, seed=st.integers(0))
@settings(max_examples=50)
def test_whatever_happens_the_journal_and_the_world_agree(
    lives: list[list[str]], seed: int
) -> None:
    live_through(lives, seed)


# A profile says how long to search; a file takes longer than memory does.
@given(lives=LIVES, seed=st.integers(0))
@settings(max_examples=max(1, settings().max_examples // 12))
def test_whatever_happens_a_file_and_the_world_agree(lives: list[list[str]], seed: int) -> None:
    with TemporaryDirectory() as directory:
        file = Path(directory, "app.db")
        live_through(lives, seed, file)
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
