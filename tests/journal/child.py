"""A process that writes to a journal until it is killed, and says what was acknowledged.

Started by test_kill.py: ``python -m tests.journal.child FILE WRITER``.
Each line: an agent, a revision.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import trio
from outcome import Outcome

from trido.journal import SqliteJournal
from trido.journal.operations import Claim, Commit, Mark
from trido.journal.rows import FULL_EVERY, AgentKey, Directed, Keep, Recovery, Timer
from trido.journal.session import Session

AGENTS = 8
KEEP = Keep(history=200, dedupe=500)
CRASH_OF_PROCESS_ONLY = "agent-7"
"""This one writes without ``sync``."""


def turn(run: Recovery, revision: int) -> Commit:
    full = revision % FULL_EVERY == 1
    state = {"value": b"%d" % revision}
    return Commit(
        agent=run.agent,
        epoch=run.epoch,
        revision=revision,
        at=revision,
        input=b"%d" % revision,
        state={**state, "since": state["value"]} if full else state,
        full=full,
        consumes=f"input-{revision}",
        reply=state["value"],
        directives=(Directed("Emit", state["value"]),),
        timers=(Timer("t", revision, b""),),
    )


def say(agent: str, revision: int, result: Outcome[object]) -> None:
    assert result.unwrap() is None
    sys.stdout.write(f"{agent} {revision}\n")
    sys.stdout.flush()


async def agent(session: Session, id: str) -> None:
    run = await session.write(Claim(AgentKey(id), "agent", keep=KEEP))
    sync = id != CRASH_OF_PROCESS_ONLY
    for revision in range(run.revision + 1, sys.maxsize):
        # Two at once, as one that runs ahead would; the mark rides along.
        ahead = partial(say, id, revision)
        session.submit(turn(run, revision), ahead, sync=sync)
        await session.write(Mark(run.agent, run.epoch, revision, 0, "done"), sync=sync)


async def main(file: str, writer: Any) -> None:
    async with SqliteJournal(file, writer=writer).open() as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        for number in range(AGENTS):
            nursery.start_soon(agent, session, f"agent-{number}")


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2])
