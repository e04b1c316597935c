"""What the tests of journals share."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import pytest
import trio
from outcome import Error, Outcome

from trido.journal import Journal, MemoryJournal, SqliteJournal, Unavailable, writer
from trido.journal.memory import FILE
from trido.journal.operations import Claim, Commit, Write
from trido.journal.port import Store
from trido.journal.remote import RemoteStore
from trido.journal.rows import AgentKey, Recovery
from trido.journal.session import Session
from trido.journal.store import SqliteStore

A = TypeVar("A")

KINDS = ("memory", "sqlite", "process")

AGENT = AgentKey("a")
DAY = 24 * 3600 * 1_000_000


def make_journal(kind: str, directory: Path) -> Journal:
    if kind == "memory":
        return MemoryJournal()
    return SqliteJournal(directory / "app.db", writer="process" if kind == "process" else "thread")


def opener(kind: str, directory: Path) -> Callable[[], Store]:
    """Opens the same store each time."""
    journal = MemoryJournal()
    if kind == "memory":
        return journal._store
    file = str(directory / "app.db")
    if kind == "process":
        return lambda: RemoteStore(file, verify=0, spawn=Served).open()
    return lambda: SqliteStore(file, verify=0)


class Served:
    """What a process does for a store, done by a thread. Made as `trido.journal.line.spawn`."""

    def __init__(self, end: socket.socket, file: str, verify: float) -> None:
        self._end = end.dup()
        self._thread = Thread(target=self._serve, args=(file, verify))
        self._thread.start()

    def _serve(self, file: str, verify: float) -> None:
        with self._end:
            writer.serve(self._end, file, verify, patience=0)

    def wait(self) -> None:
        self._thread.join()


def name_of(kind: str, directory: Path) -> str:
    return FILE if kind == "memory" else str(directory / "app.db")


def do(store: Store, write: Write[A], *, sync: bool = False) -> A:
    """One write, for what comes of it."""
    (result,) = store.write([write], sync=sync)
    done: A = result.unwrap()
    return done


def refusal(result: Outcome[Any]) -> BaseException:
    assert isinstance(result, Error)
    return result.error


def turn(run: Recovery, revision: int = 1, **fields: Any) -> Commit:
    """A turn of a run: a full state, unless told otherwise."""
    given: dict[str, Any] = {
        "at": revision,
        "input": b"input",
        "state": {"value": b"%d" % revision},
        "full": True,
    }
    return Commit(
        agent=run.agent, epoch=run.epoch, revision=run.revision + revision, **{**given, **fields}
    )


def state(**fields: int) -> Mapping[str, bytes]:
    return {name: b"%d" % value for name, value in fields.items()}


def claim(agent: AgentKey = AGENT, **settings: Any) -> Claim:
    return Claim(agent, "counter", **settings)


@asynccontextmanager
async def running(journal: Journal) -> AsyncGenerator[Session]:
    """A session whose writer runs, until all is written."""
    async with journal.open() as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        yield session
        session.close()


async def end_by_a_callback(session: Session) -> None:
    """Run its writer until a callback raises: others of that batch are told, and then no more."""
    told: list[object] = []

    def fail(_: object) -> None:
        raise ZeroDivisionError

    for then in (told.append, fail, told.append):
        session.submit(claim(), then)
    with pytest.raises(ExceptionGroup, match="callbacks") as caught:
        await session.run()
    assert caught.group_contains(ZeroDivisionError)
    assert len(told) == 2
    with pytest.raises(Unavailable):
        await session.write(claim())
