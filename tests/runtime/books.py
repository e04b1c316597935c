"""A journal that fails as it is told, and agents that are kept in it."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast, final

import trio
from attrs import evolve, frozen
from outcome import Error, Outcome

import trido
from tests.runtime.desk import Boom, Log
from tests.runtime.till import Till
from trido.journal import MemoryJournal, Unavailable
from trido.journal.operations import Commit, History, Letters, Mark, Query, Write
from trido.journal.port import Store
from trido.journal.rows import AgentKey, Entry, Past
from trido.journal.session import Session, open_session
from trido.journal.store import SqliteStore
from trido.journal.ways import Work

A = TypeVar("A")


@final
class Books:
    """A journal in memory, or in a file. What it keeps outlives the runtimes that use it."""

    def __init__(self, file: Path | None = None) -> None:
        self.memory = MemoryJournal()
        self.file = file
        self.writes: list[Write[Any]] = []
        """What was carried out, in order."""
        self.fails: int = 0
        """So many batches are not carried out, …"""
        self.loses: int = 0
        """… and so many are, and it is not said."""
        self.refuses: list[BaseException] = []
        """What the next commits are refused with."""
        self.reads_fail: int = 0
        self.is_dead: bool = False
        """Its process was killed: it does nothing any more."""
        self.gate: trio.Event | None = None
        """What the disk waits for."""
        self.session: Session

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Session]:
        way = _Way(self)
        async with open_session(self._store, way, way) as self.session:
            yield self.session

    def _store(self) -> Store:
        kept = self.file and SqliteStore(str(self.file), verify=math.inf)
        return _Store(kept or self.memory._store(), self)

    def hold(self) -> Callable[[], None]:
        """Let nothing be written until what this returns is called."""
        gate = self.gate = trio.Event()

        def release() -> None:
            self.gate = None
            gate.set()

        return release

    # What it has ----------------------------------------------------------------------------

    def commits(self, agent: str = "a") -> list[Commit]:
        return [one for one in self.writes if isinstance(one, Commit) and one.agent.id == agent]

    def marks(self, agent: str = "a") -> list[str]:
        marks = [one for one in self.writes if isinstance(one, Mark) and one.agent.id == agent]
        return [f"{one.revision}.{one.index} {one.status}" for one in marks]

    def read(self, query: Query[A]) -> A:
        store = self.session._store
        assert isinstance(store, _Store)
        return store.inner.read(query)

    def history(self, agent: str = "a") -> tuple[Past, ...]:
        return self.read(History(AgentKey(agent)))

    def standing(self, agent: str = "a") -> list[str]:
        """Where each of its directives stands."""
        return [
            f"{one.revision}.{one.index} {one.name} {one.status}"
            for turn in self.history(agent)
            for one in turn.directives
        ]

    def timers(self, agent: str = "a") -> list[str]:
        return sorted(self.memory._agents[AgentKey(agent)].timers)

    def letters(self, agent: str = "a") -> tuple[Entry, ...]:
        return self.read(Letters(AgentKey(agent)))


@final
class _Store:
    def __init__(self, inner: Store, books: Books) -> None:
        self.inner = inner
        self._books = books
        self.file = inner.file
        self.close = inner.close

    def read(self, query: Query[A]) -> A:
        if self._books.is_dead or self._books.reads_fail:
            self._books.reads_fail -= 1
            raise _down()
        return self.inner.read(query)

    def write(self, batch: Sequence[Write[Any]], *, sync: bool) -> list[Outcome[Any]]:
        books = self._books
        if books.is_dead or books.fails:
            books.fails -= not books.is_dead
            raise _down()
        outcomes = [self._one(one, sync=sync) for one in batch]
        if books.loses:
            books.loses -= 1
            raise _down()
        return outcomes

    def _one(self, write: Write[Any], *, sync: bool) -> Outcome[Any]:
        books = self._books
        if isinstance(write, Commit) and books.refuses:
            return Error(books.refuses.pop(0))
        books.writes.append(write)
        (outcome,) = self.inner.write([write], sync=sync)
        return outcome


@final
class _Way:
    def __init__(self, books: Books) -> None:
        self._books = books

    async def call(self, fn: Callable[[], A], /) -> A:
        await trio.lowlevel.checkpoint()
        return fn()

    async def repeat(self, work: Work, /) -> None:
        await trio.lowlevel.checkpoint()
        while self._books.gate is not None:
            await self._books.gate.wait()
        tell = work.step()
        if tell:
            tell()

    def nudge(self) -> None:
        """Nobody waits."""


def _down() -> Unavailable:
    return Unavailable("books", "the disk is away", "bring it back")


# Agents that are kept -----------------------------------------------------------------------------


def keeper(
    name: str = "log",
    does: Mapping[str, Sequence[trido.Directive]] | None = None,
    **settings: Any,
) -> trido.Agent[Log]:
    """An agent that notes the data of ``note``, and wants done what it is told to, by name."""
    made = trido.Agent(name, state=Log, **cast("Any", {"durability": "sync", **settings}))
    known = {} if does is None else does

    @made.on("note")
    def note(state: Log, data: str) -> Log:
        return evolve(state, seen=(*state.seen, data))

    @made.on("slow")
    async def slow(state: Log, data: float) -> Log:
        await trio.sleep(data)
        return evolve(state, seen=(*state.seen, "slow"))

    @made.on("boom")
    def boom(state: Log, data: object) -> Log:
        raise Boom(data)

    @made.on("no")
    def no(state: Log, data: object) -> Log:
        raise trido.Reject("no")

    @made.on("do")
    def do(state: Log, data: str) -> trido.Decision[Log]:
        return evolve(state, seen=(*state.seen, data)), known[data]

    @made.on("ask")
    def ask(state: Log, data: object, turn: trido.Turn) -> trido.Decision[Log]:
        return evolve(state, seen=(*state.seen, turn.request or "")), [trido.DeferReply()]

    @made.on("tell")
    def tell(state: Log, data: str) -> trido.Decision[Log]:
        return state, [trido.Reply("told", to=data)]

    return made


@frozen
class Charge(trido.Directive):
    """One that takes so many seconds, and can be written."""

    error: ClassVar[None] = None
    what: str
    seconds: float = 0.0


def note(text: str, **fields: Any) -> trido.Signal:
    return trido.Signal("note", text, **fields)


def do(what: str, **fields: Any) -> trido.Signal:
    return trido.Signal("do", what, **fields)


def office(
    books: Any, *agents: trido.Agent[Any], till: Till | None = None, **options: Any
) -> AbstractAsyncContextManager[trido.Runtime]:
    """A runtime over these books."""
    given = {"executors": {Charge: till.charge}} if till is not None else {}
    return trido.open_runtime(journal=books, agents=agents, **{**given, **options})


@asynccontextmanager
async def killed(
    books: Books, *agents: trido.Agent[Any], **options: Any
) -> AsyncGenerator[trido.Runtime]:
    """A runtime whose process is killed at the end of the block: nothing more is written."""
    async with office(books, *agents, **options) as rt:
        yield rt
        books.is_dead = True
    books.is_dead = False
