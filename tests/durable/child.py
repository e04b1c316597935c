"""A process that runs durable agents under load until it is killed.

One life, by hand::

    python -m tests.durable.child '{"directory": "/tmp/x", "at": "a charge, after", "nth": 3}'

Without an argument it reads such lines, and gives each a process of its own: a fork, which is there
at once, for all that is to be imported was. It kills it when its time is over, and says how it
ended.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from math import inf
from typing import Any, Final, NoReturn

import trio

import trido
from tests.durable.application import AGENTS, DEFINITIONS, Charge, Notify, reached, settle
from tests.durable.clients import Client
from tests.durable.faults import FAULTS, Faults
from tests.durable.life import Life
from tests.durable.outside import CHARGES, NOTICES, Lines, lines
from tests.durable.points import Points, Watched
from tests.journal.disk import failing_disk
from trido.journal.operations import Letters, Waking
from trido.journal.port import Store
from trido.journal.session import Session, open_session
from trido.journal.store import SqliteStore
from trido.journal.ways import InOneThread

CLIENTS: Final = 4
TOLD: Final = ("clerk", "archive")
"""Those whom others send signals to: these wait until somebody starts them, or something does."""


class Journal:
    """A `SqliteJournal` with crash points, and perhaps a fault."""

    def __init__(self, life: Life, points: Points, faults: Faults) -> None:
        self._file = life.path / "app.db"
        self._points = points
        self._faults = faults
        self.session: Session

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Session]:
        async with open_session(self._store, InOneThread(), InOneThread()) as self.session:
            yield self.session

    def _store(self) -> Store:
        store = SqliteStore(str(self._file), verify=0)
        return self._faults.store(Watched(store, self._points))


# What carries directives out ----------------------------------------------------------------------


class Bank:
    """The keyed receiver: it knows all ids it has seen."""

    def __init__(self, life: Life, points: Points, faults: Faults) -> None:
        self._points = points
        self._faults = faults
        self._file = Lines(life.path / CHARGES)
        self._known = {id for what, id, _ in lines(life.path / CHARGES) if what == "new"}
        self._one = trio.CapacityLimiter(1)

    async def charge(self, directive: Charge, delivery: trido.Delivery) -> None:
        self._points("a charge, before")
        id = self._faults.id(delivery.id)
        await trio.to_thread.run_sync(self._record, id, directive.turn, limiter=self._one)
        self._points("a charge, after")

    def _record(self, id: str, turn: str) -> None:
        if self._faults.swallows(turn):
            return
        is_new = id not in self._known or self._faults.forgets
        self._known.add(id)
        self._file.add(
            f"{'new' if is_new else 'again'} {id} {turn}",
            half=lambda: self._points("a charge, half of it written"),
            written=lambda: self._points("a charge, not yet synced"),
        )


class Post:
    """It does what it is told, as often as it is told."""

    def __init__(self, life: Life, points: Points) -> None:
        self._points = points
        self._file = Lines(life.path / NOTICES)
        self._one = trio.CapacityLimiter(1)

    async def notify(self, directive: Notify, delivery: trido.Delivery) -> None:
        self._points("a notice, before")
        await trio.to_thread.run_sync(self._record, delivery.id, directive.turn, limiter=self._one)
        self._points("a notice, after")

    def _record(self, id: str, turn: str) -> None:
        self._file.add(
            f"{id} {turn}",
            half=lambda: self._points("a notice, half of it written"),
            written=lambda: self._points("a notice, not yet synced"),
        )


# One life -----------------------------------------------------------------------------------------


async def live(life: Life, points: Points) -> None:
    faults = FAULTS[life.fault]
    journal = Journal(life, points, faults)
    executors: dict[type, trido.Executor] = {
        Charge: trido.Executor(Bank(life, points, faults).charge, delivery="keyed"),
        Notify: trido.Executor(Post(life, points).notify, delivery="at_most_once"),
    }
    async with trido.open_runtime(
        journal=journal,
        agents=DEFINITIONS,
        actions=(settle,),
        executors=executors,
        clock=life.clock,
    ) as rt:
        points("the runtime, open")
        if life.last:
            await finish(rt, life, points, journal.session)
        else:
            await work(rt, life, points)
        points("the runtime, about to close")
    points("the runtime, closed")


async def start(rt: trido.Runtime, points: Points, *ids: str) -> None:
    """Some of them may run already: they had something to do."""
    for id in ids:
        loose: Any = {"durability": "buffered"} if id.startswith("loose") else {}
        _, _, key = id.partition("/")
        if key:
            await rt.activate(AGENTS[id], key)
        else:
            await rt.start_agent(AGENTS[id], id=id, **loose)
        points("an agent, started")


async def work(rt: trido.Runtime, life: Life, points: Points) -> None:
    await start(rt, points, *AGENTS)
    await rt.agent("ticker").call(trido.Signal("begin", id="begin"))
    with trio.move_on_after(life.leaves):
        async with trio.open_nursery() as nursery:
            for number in range(CLIENTS):
                nursery.start_soon(Client(rt, number, life, points).run)


async def finish(rt: trido.Runtime, life: Life, points: Points, session: Session) -> None:
    """Have all come to its end; at first what goes on by itself. Who is told has to be there."""
    await start(rt, points, *TOLD)
    await nothing_to_do(session, life, but="ticker")
    await start(rt, points, *(AGENTS.keys() - TOLD))
    for number in range(CLIENTS):
        await Client(rt, number, life, points).ask_again()
    await rt.agent("ticker").call(trido.Signal("end", id="end"))
    await nothing_to_do(session, life)
    await rt.drain()
    await all_is_reported(rt, session)


async def all_is_reported(rt: trido.Runtime, session: Session) -> None:
    """What nobody knows the outcome of is a dead letter, in this life too."""
    letters = {one.id for one in rt.dead_letters}
    for one in await session.read(Letters(limit=100_000)):
        id = f"{one.agent}/{one.revision}.{one.index}"
        if one.status == "unknown" and id not in letters:
            raise AssertionError(f"{id} is {one.status}, and no dead letter")


async def nothing_to_do(session: Session, life: Life, but: str = "") -> None:
    a_minute = (life.clock().timestamp() + 60) * 1_000_000
    while True:
        waking = await session.read(Waking(int(a_minute)))
        if all(one.agent.id == but and not one.open for one in waking):
            return
        await trio.sleep(0.02)


# Processes ----------------------------------------------------------------------------------------


def be(life: Life) -> None:
    logging.disable()  # crashes are meant
    points = Points(life.at, life.nth)
    reached.append(points)
    with failing_disk() if "SQLite" in life.at else nullcontext() as disk:
        if disk:
            points.watch(disk)
        trio.run(live, life, points)


def serve() -> None:
    for line in sys.stdin:
        sys.stdout.write(f"{json.dumps(lived(Life.of(line)))}\n")
        sys.stdout.flush()


def lived(life: Life) -> tuple[int, str]:
    """Have a process live this life. Its status, and what it complained of."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        forked(life)
    os.close(writing)
    status = ended(child, time.monotonic() + life.seconds)
    with os.fdopen(reading) as said:
        return status, said.read()


def forked(life: Life) -> NoReturn:
    """Nothing of the one that was forked is to run in here, however it ends."""
    try:
        be(life)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def ended(child: int, when: float) -> int:
    """Kill it at that time. How it ended: the number of the signal, negative, or its code."""
    done, status = 0, 0
    while not done:
        if time.monotonic() > when:
            os.kill(child, signal.SIGKILL)
            when = inf
        time.sleep(0.002)
        done, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        be(Life.of(sys.argv[1]))
    else:
        serve()
