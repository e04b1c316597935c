"""How near a journal comes to bare SQLite: durable turns a second, and their ratio.

A hundred agents, each a task, make turns one after another with ``sync``: first each waits for its
turn before it makes the next, then each runs a few turns ahead of the disk, as a runtime does. Then
bare SQLite, in the same process and on the same disk, commits the same rows into the same tables,
in batches of the same sizes, as fast as it can: one transaction for each, ``executemany`` for each
table, ``synchronous=FULL``. The two take turns, several rounds each; the last lines are the ratio
of the sums, and that of the best rounds, which other work on the machine disturbs least.

Run it: ``python -m tests.benchmarks.journal [rounds]``.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import trio
from outcome import Outcome
from uuid_utils import uuid7

from tests.benchmarks.bare import bare
from trido.journal import SqliteJournal
from trido.journal.operations import Claim, Commit
from trido.journal.rows import FULL_EVERY, AgentKey, Directed, Recovery
from trido.journal.session import Session

AGENTS: Final = 100
TURNS: Final = 100
"""Of each agent, in a round."""

INPUT: Final = os.urandom(200)
AHEAD: Final = 8

STATE: Final = {"value": os.urandom(100), "items": os.urandom(300)}
REPLY: Final = os.urandom(100)
DIRECTIVES: Final = (Directed("Emit", os.urandom(200)),)


def turn(run: Recovery, revision: int) -> Commit:
    full = revision % FULL_EVERY == 1
    return Commit(
        agent=run.agent,
        epoch=run.epoch,
        revision=revision,
        at=revision,
        input=INPUT,
        state=STATE if full else {"value": STATE["value"]},
        full=full,
        consumes=str(uuid7()),
        reply=REPLY,
        directives=DIRECTIVES,
    )


async def agent(session: Session, id: str) -> None:
    """Waits for each turn before it makes the next."""
    run = await session.write(Claim(AgentKey(id), "agent"))
    for revision in range(1, TURNS + 1):
        await session.write(turn(run, revision))


async def agent_ahead(session: Session, id: str) -> None:
    """Has `AHEAD` turns under way at any time."""
    run = await session.write(Claim(AgentKey(id), "agent"))
    revisions, done = iter(range(1, TURNS + 1)), trio.Event()

    def send() -> None:
        for revision in islice(revisions, 1):
            session.submit(turn(run, revision), partial(told, revision))

    def told(revision: int, result: Outcome[object]) -> None:
        assert result.unwrap() is None
        send()
        if revision == TURNS:
            done.set()

    for _ in range(AHEAD):
        send()
    await done.wait()


async def journal(
    path: Path, agent: Callable[[Session, str], Awaitable[None]]
) -> tuple[float, float]:
    """Seconds for all turns, and how many writes shared a transaction."""
    async with SqliteJournal(path).open() as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        start = time.perf_counter()
        async with trio.open_nursery() as agents:
            for number in range(AGENTS):
                agents.start_soon(agent, session, f"agent-{number}")
        took = time.perf_counter() - start
        session.close()
    done = session.statistics()
    return took, done.writes / done.batches


def compare(rounds: int, agent: Callable[[Session, str], Awaitable[None]]) -> None:
    ours, theirs, turns = [], [], AGENTS * TURNS
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        for number in range(rounds):
            written, other = Path(place, f"{number}.db"), Path(place, f"{number}.bare.db")
            took, size = trio.run(journal, written, agent)
            least = bare(other, written, round(size))
            ours.append(took)
            theirs.append(least)
            print(
                f"{turns / took:9,.0f} turns/s in batches of {size:.0f};"
                f" SQLite {turns / least:9,.0f} turns/s; ratio {least / took:.2f}"
            )
    print(f"ratio of all: {sum(theirs) / sum(ours):.2f}")
    print(f"ratio of the best: {min(theirs) / min(ours):.2f}")


def main(rounds: int) -> None:
    print("each turn is waited for")
    compare(rounds, agent)
    print(f"agents run {AHEAD} turns ahead")
    compare(rounds, agent_ahead)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 5)
