"""A content orchestrator: one agent, four schedules, a pipeline of six steps, and a power cut.

Each hour, day, week and month a piece has to be made: gathered, outlined, written, edited,
illustrated, published. The orchestrator is there once, makes one piece at a time, and tells the bus
of each. It is durable: what it is at work on is in the journal, and so is what it wants done next.

    python examples/content_orchestrator.py content.db    one piece, now; kill -9 it, start it again
    python examples/content_orchestrator.py               a Monday that is the first of a month

Watch for: what comes due while it is at work is refused, and that is told, too. There is no ink for
a picture; a minute later there is. At 09:58 the power fails, in the middle of the weekly. When it
is back, the weekly goes on with the step it was at: the three before it are not done again. The
hourly pieces of ten and eleven are left out, for their schedule makes up for nothing.

It prints::

    06:12 hourly: published
    07:00 hourly: refused: daily is at 'edit'
    07:18 daily: published
    08:10 hourly: tries 'illustrate' again: OSError('out of ink')
    08:15 hourly: published
    09:12 hourly: published
    09:58 (the power fails)
    11:20 (the power is back)
    11:44 weekly: published
    12:12 hourly: published
    13:00 hourly: refused: monthly is at 'edit'
    13:18 monthly: published
    begun twice:
      hourly 3: illustrate
      weekly 5: edit
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import trio
from attrs import evolve, frozen
from trio.testing import MockClock

import trido

# What is made, and what is told of it -------------------------------------------------------------

STEPS: Final = ("gather", "outline", "write", "edit", "illustrate", "publish")


@frozen
class Piece:
    """At work: what each of the steps so far has made."""

    kind: str
    number: int
    made: tuple[str, ...] = ()
    failures: int = 0

    @property
    def step(self) -> str:
        return STEPS[len(self.made)]


@frozen
class Desk:
    piece: Piece | None = None
    begun: int = 0


@frozen
class Report:
    kind: str
    outcome: str


# One step: outside, slow, and able to fail --------------------------------------------------------


class Studio:
    """The world outside. It remembers what was begun, to show how often."""

    def __init__(self) -> None:
        self.begun = Counter[str]()
        self.minutes: Mapping[str, float] = {"hourly": 2, "daily": 8, "weekly": 8, "monthly": 8}
        self.out_of_ink = True
        self.is_loud = False

    async def make(self, piece: Piece) -> str:
        self.begun[f"{piece.kind} {piece.number}: {piece.step}"] += 1
        if self.is_loud:
            print(f"{piece.kind} {piece.number}: {piece.step}", flush=True)
        await trio.sleep(60 * self.minutes.get(piece.kind, 0.01))
        if self.out_of_ink and (piece.number, piece.step) == (3, "illustrate"):
            self.out_of_ink = False
            raise OSError("out of ink")
        return f"{piece.step} of {piece.kind} {piece.number}"


studio: Final = Studio()


@trido.action("content.make")
async def make(piece: Piece) -> str:
    return await studio.make(piece)


# The orchestrator ---------------------------------------------------------------------------------

TRIES: Final = 3
PAUSE: Final = 60.0


def schedule(expr: str, kind: str, *, catch_up: bool) -> trido.Cron:
    signal = trido.Signal("content.due", kind)
    return trido.Cron(expr, signal, kind, catch_up="once" if catch_up else "skip")


orchestrator = trido.Agent(
    "orchestrator",
    state=Desk,
    durability="sync",
    schedules=[
        schedule("0 * * * *", "hourly", catch_up=False),
        schedule("30 6 * * *", "daily", catch_up=True),
        schedule("30 9 * * MON", "weekly", catch_up=True),
        schedule("30 12 1 * *", "monthly", catch_up=True),
    ],
)


@orchestrator.on("content.due")
def due(desk: Desk, kind: str) -> trido.Decision[Desk]:
    if desk.piece is not None:
        busy = f"refused: {desk.piece.kind} is at {desk.piece.step!r}"
        return desk, [tell(kind, busy)]
    piece = Piece(kind, desk.begun + 1)
    return Desk(piece, piece.number), [next_step(piece)]


@orchestrator.on("content.made")
def made(desk: Desk, result: str) -> trido.Decision[Desk]:
    piece = at_work(desk)
    if piece.step == STEPS[-1]:
        return evolve(desk, piece=None), [tell(piece.kind, "published")]
    further = evolve(piece, made=(*piece.made, result), failures=0)
    return evolve(desk, piece=further), [next_step(further)]


@orchestrator.on("content.failed")
def failed(desk: Desk, why: trido.RunFailed) -> trido.Decision[Desk]:
    piece = at_work(desk)
    if piece.failures + 1 == TRIES:
        return evolve(desk, piece=None), [tell(piece.kind, f"given up: {why.error}")]
    again = trido.Schedule(PAUSE, trido.Signal("content.again"), key="again")
    trouble = tell(piece.kind, f"tries {piece.step!r} again: {why.error}")
    return evolve(desk, piece=evolve(piece, failures=piece.failures + 1)), [again, trouble]


@orchestrator.on("content.again")
def again(desk: Desk, data: None) -> trido.Decision[Desk]:
    return desk, [next_step(at_work(desk))]


def at_work(desk: Desk) -> Piece:
    if desk.piece is None:
        raise trido.Reject("there is no piece at work")
    return desk.piece


def next_step(piece: Piece) -> trido.Directive:
    return trido.Run(make, piece, ok="content.made", error="content.failed")


def tell(kind: str, outcome: str) -> trido.Directive:
    return trido.Emit(trido.Signal("content.report", Report(kind, outcome)))


# One life of it -----------------------------------------------------------------------------------


def time_of_day() -> datetime:
    """In virtual time, that of a Monday, the first of June."""
    return datetime(2026, 6, 1, 5, 50, tzinfo=UTC) + timedelta(seconds=trio.current_time())


async def life(journal: trido.Journal) -> None:
    async with trido.open_runtime(
        journal=journal, agents=(orchestrator,), actions=(make,), clock=time_of_day
    ) as rt:
        with rt.subscribe("content.report") as reports:
            # Without a grace, leaving the block is as near to a power cut as it gets.
            await rt.start_agent(orchestrator, id="orchestrator", shutdown=trido.BRUTAL_KILL)
            async for signal in reports:
                print(f"{time_of_day():%H:%M} {signal.data.kind}: {signal.data.outcome}")


async def a_monday() -> None:
    journal = trido.MemoryJournal()
    with trio.move_on_after(4 * 3600 + 8 * 60):
        await life(journal)
    print(f"{time_of_day():%H:%M} (the power fails)")
    await trio.sleep(82 * 60)
    print(f"{time_of_day():%H:%M} (the power is back)")
    with trio.move_on_after(2 * 3600):
        await life(journal)
    print("begun twice:", *(what for what, times in studio.begun.items() if times > 1), sep="\n  ")


async def one_piece(file: str) -> None:
    studio.is_loud = True
    async with trido.open_runtime(
        journal=trido.SqliteJournal(file), agents=(orchestrator,), actions=(make,)
    ) as rt:
        with rt.subscribe("content.report") as reports:
            ref = await rt.start_agent(orchestrator, id="orchestrator")
            if ref.state().piece is None:
                await ref.cast(due.signal("extra"))
            async for signal in reports:
                print(f"{signal.data.kind}: {signal.data.outcome}")
                if signal.data.outcome == "published":
                    break


async def main(file: str) -> None:
    await (one_piece(file) if file else a_monday())


if __name__ == "__main__":
    file = "".join(sys.argv[1:2])
    trido.run(main, file, clock=None if file else MockClock(autojump_threshold=0))
