"""``trido demo --durable``: killed at any moment and begun again, it goes on where it was."""

from __future__ import annotations

import io
import json
import math
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import evolve
from rich.console import Console
from trio.testing import MockClock

import trido
from tests.cli.test_accounting import LINES, TICKET, written
from tests.cli.test_demo import snapshot
from tests.runtime.books import Books
from trido.cli import application, demo, main
from trido.cli.clerk import REASONS, Begun, Book, Settled, clerk, take_over
from trido.cli.durable_post import PATIENCE, DurablePost
from trido.cli.ledger import Ledger
from trido.cli.lines import Letter
from trido.cli.lives import Life, Lives
from trido.cli.report import Result, as_json, print_report
from trido.cli.sample import lines
from trido.cli.session import Options, Session
from trido.cli.source import Source
from trido.journal import Journal, Unavailable

COMMAND = (sys.executable, "-m", "trido", "demo", "--json")
MIX = [*LINES.values()] * 20


def told(book: Book, line: int, fate: str = "handled", reason: str = "") -> Book:
    return clerk.cmd(book, trido.Signal("demo.settled", Settled(line, fate, reason)))[0]


# The clerk ----------------------------------------------------------------------------------------


def test_a_line_is_settled_once_in_whatever_order() -> None:
    book = Book()
    for line in (2, 4, 1, 4, 1, 3, 7):
        book = told(book, line)
    assert (book.upto, book.beyond, book.handled, book.settled) == (4, (7,), 5, 5)
    assert [line for line in range(1, 9) if not book.has(line)] == [5, 6, 8]
    assert told(book, 5, "eaten") == book


def test_reasons_are_counted_and_very_many_are_counted_together() -> None:
    book = Book()
    for line in range(1, 2 * REASONS + 1):
        book = told(book, line, "refused", f"reason {line % (REASONS + 5)}")
    book = told(book, 2 * REASONS + 1, "dead_lettered", "a crash")
    ledger = Ledger()
    take_over(book, ledger)
    assert sum(one.count for one in ledger.reasons["refused"].values()) == 2 * REASONS
    assert ledger.reasons["refused"]["other reasons"].count == 5
    assert ledger.reasons["refused"]["reason 1"].lines == [1, 56]
    assert ledger.reasons["dead_lettered"]["a crash"].lines == [2 * REASONS + 1]
    balance = ledger.balance()
    assert (balance.lines, balance.refused, balance.is_clean) == (2 * REASONS + 1, 100, True)


def test_the_books_of_another_input_are_refused() -> None:
    book, _ = clerk.cmd(Book(), trido.Signal("demo.begun", Begun("x")))
    book, _ = clerk.cmd(book, trido.Signal("demo.begun", Begun("x")))
    assert (book.input, book.lives) == ("x", 2)
    with pytest.raises(trido.Reject):
        clerk.cmd(book, trido.Signal("demo.begun", Begun("y")))


# Lives in this process, in virtual time -----------------------------------------------------------


def life(
    path: Path, journal: Journal, *, seconds: float = math.inf, input: str = "", **options: Any
) -> tuple[Result, str]:
    """One life, ended from outside after so many seconds. What came of it, and what was said."""
    screen = io.StringIO()
    given = Options(input=path, **{"speed": 1.0, "max_restarts": 1_000, **options})

    async def run() -> Session:
        with Source(path) as source:
            session = Session(
                given,
                application.load(),
                source,
                Console(file=screen, width=100),
                lives=Lives(journal=journal, input=input),
            )
            with trio.move_on_after(seconds):
                await session.run()
            results.append(session.result())
        return session

    results: list[Result] = []
    trio.run(run, clock=MockClock(autojump_threshold=0))
    return results[0], screen.getvalue()


def outcome(result: Result) -> dict[str, Any]:
    found = as_json(result)
    return {key: found[key] for key in ("handled", "refused", "dead_lettered", "reasons")}


def test_what_is_stopped_again_and_again_comes_out_as_if_it_never_was() -> None:
    with written(MIX) as path:
        whole, _ = life(path, trido.MemoryJournal())
        journal, found = trido.MemoryJournal(), list[int]()
        for seconds in (0.2, 0.5, 0.01, 0.8):
            result, said = life(path, journal, seconds=seconds)
            assert result.exit_code == 143
            assert result.ledger.balance().is_clean
            assert result.life is not None
            assert f"life {len(found) + 1}: " in said
            found.append(result.life.settled)
        result, said = life(path, journal)
        again, _ = life(path, journal)
    assert found == sorted(found)
    assert 0 < found[-1] < len(MIX)
    assert outcome(result) == outcome(whole) == outcome(again)
    assert result.exit_code == whole.exit_code == 0
    assert result.ledger.balance().is_clean
    assert result.ledger.lines == len(MIX)
    assert result.life is not None
    assert (result.life.number, result.life.agrees) == (5, True)
    assert again.life is not None
    assert (again.life.settled, again.life.unwritten) == (len(MIX), 0)
    assert again.figures.crashes == 0


def test_giving_up_leaves_the_rest_for_another_life() -> None:
    journal = trido.MemoryJournal()
    with written(MIX) as path:
        result, _ = life(path, journal, max_restarts=0)
        assert result.exit_code == 1
        assert result.ledger.balance().not_delivered > 0
        assert result.ledger.lines == len(MIX)
        second, _ = life(path, journal, max_restarts=0)
        assert second.ledger.lines == len(MIX)
        result, _ = life(path, journal)
    assert result.exit_code == 0
    assert result.ledger.balance().not_delivered == 0


def test_a_journal_that_fails_for_a_while_is_waited_for() -> None:
    books = Books()
    with written([LINES["ticket"]] * 30) as path:

        class Failing:
            def open(self) -> Any:
                books.fails = 0
                return books.open()

        clock = MockClock(autojump_threshold=0)

        async def fail() -> None:
            await trio.sleep(0.1)
            books.fails = 2

        async def run() -> None:
            with Source(path) as source:
                lives = Lives(journal=Failing(), input="")
                console = Console(file=io.StringIO())
                session = Session(
                    Options(input=path), application.load(), source, console, lives=lives
                )
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(fail)
                    await session.run()
                results.append((session.result(), console.file.getvalue()))  # type: ignore[attr-defined]

        results: list[tuple[Result, str]] = []
        trio.run(run, clock=clock)
    result, said = results[0]
    assert result.exit_code == 0
    assert result.ledger.balance().handled == 30
    assert "journal   books: the disk is away; bring it back" in said


def test_it_can_be_stopped_while_its_journal_fails_for_good() -> None:
    books, said = Books(), io.StringIO()

    async def fail() -> None:
        await trio.sleep(0.1)
        books.is_dead = True

    async def run(path: Path) -> Result:
        with Source(path) as source:
            lives = Lives(journal=books, input="")
            options = Options(input=path)
            session = Session(options, application.load(), source, Console(file=said), lives=lives)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail)
                with trio.move_on_after(2):
                    await session.run()
            return session.result()

    with written([LINES["unknown field"], LINES["wrong type"]] * 80) as path:
        result = trio.run(run, path, clock=MockClock(autojump_threshold=0))
    assert (result.exit_code, result.ledger.balance().is_clean) == (143, True)
    assert result.ledger.balance().not_delivered > 0
    assert "the disk is away" in said.getvalue()


def test_a_journal_that_fails_for_good_ends_it_soon_and_says_why() -> None:
    books, said, took = Books(), io.StringIO(), list[float]()

    async def fail() -> None:
        await trio.sleep(0.1)
        books.is_dead = True

    async def run(path: Path) -> None:
        with Source(path) as source:
            lives = Lives(journal=books, input="")
            session = Session(
                Options(input=path), application.load(), source, Console(file=said), lives=lives
            )
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(fail)
                    await session.run()
            finally:
                took.append(trio.current_time())

    with written([LINES["ticket"], LINES["wrong type"]] * 80) as path:
        for _ in range(2):  # as it goes on, and from the beginning
            with pytest.RaisesGroup(
                pytest.RaisesExc(Unavailable, match="books: the disk is away; bring it back"),
                flatten_subgroups=True,
            ):
                trio.run(run, path, clock=MockClock(autojump_threshold=0))
    assert PATIENCE < took[0] - 0.1 < PATIENCE + 3.0
    assert took[1] < 1.0


def test_what_the_agents_remember_is_compared_with_what_is_booked() -> None:
    journal = trido.MemoryJournal()
    with written([LINES["ticket"]] * 3) as path:
        life(path, journal)

        async def one_more() -> None:
            desk = application.load()
            async with trido.open_runtime(journal=journal, agents=desk.AGENTS) as rt:
                support = await rt.start_agent(desk.AGENTS[0], id="support", durability="sync")
                letter = {key: one for key, one in TICKET.items() if key != "kind"}
                await support.call(trido.Signal("ticket", letter))

        trio.run(one_more)
        result, _ = life(path, journal)
    assert result.exit_code == 1
    assert result.life == Life(2, 3, 4, 1, agrees=False)
    said = printed(result)
    assert "What the agents remember is not what is booked." in said
    assert "3 lines are settled, the agents have served 4 letters, 1 of them not booked" in said


def printed(result: Result) -> str:
    console = Console(file=io.StringIO(), width=100)
    print_report(console, result)
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]


def test_what_was_stopped_says_how_to_go_on() -> None:
    with written(MIX) as path:
        result, _ = life(path, trido.MemoryJournal(), seconds=0.02, speed=math.inf)
    assert result.ledger.balance().not_delivered
    assert "What is not delivered is, if it is begun again with this file." in printed(result)
    nothing = evolve(result, ledger=Ledger(), life=Life(2, 3, 3, 0))
    assert "begun again" not in printed(nothing)
    assert "Found again in life 2: 3 lines are settled" in printed(nothing)


def test_what_is_settled_is_not_given_back() -> None:
    with written([LINES["ticket"]] * 3) as path, Source(path) as source:
        lives = Lives(journal=trido.MemoryJournal(), input="")
        console = Console(file=io.StringIO())
        session = Session(Options(input=path), application.load(), source, console, lives=lives)
        assert isinstance(session.post, DurablePost)
        session.post._book = Book(upto=1, beyond=(3,))
        session.post.give_back("it gave up", rest=True)
    assert session.ledger.balance().not_delivered == session.ledger.lines == 1


class Deaf:
    """Stands in for the ref of an agent that never answers."""

    async def call(self, signal: trido.Signal) -> None:
        await trio.sleep_forever()


async def test_a_letter_whose_call_is_given_up_is_given_back() -> None:
    with written([LINES["ticket"]]) as path, Source(path) as source:
        lives = Lives(journal=trido.MemoryJournal(), input="")
        console = Console(file=io.StringIO())
        session = Session(Options(input=path), application.load(), source, console, lives=lives)
        post = session.post
        assert isinstance(post, DurablePost)
        post._ends["ticket"] = trio.open_memory_channel(1)
        post._ends["ticket"][0].send_nowait(Letter(1, "ticket", TICKET))
        with trio.move_on_after(1) as scope:
            await post.till("ticket", Deaf())  # type: ignore[arg-type]  # all that a till asks of it
    assert scope.cancelled_caught
    assert post._returned == [1]


def test_there_are_no_agents_in_the_picture_while_the_desk_is_opened() -> None:
    with written([LINES["ticket"]]) as path, Source(path) as source:
        lives = Lives(journal=trido.MemoryJournal(), input="")
        console = Console(file=io.StringIO())
        session = Session(Options(input=path), application.load(), source, console, lives=lives)
        trio.run(session.run, clock=MockClock(autojump_threshold=0))
        session._refs = {}
        assert trio.run(snapshot, session).agents == ()


# What it is given ---------------------------------------------------------------------------------


@pytest.mark.real_time
def test_what_cannot_be_kept_or_read_again_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*options: str) -> str:
        assert main(["demo", "--speed", "max", *options]) == 2
        return capsys.readouterr().err

    with written([LINES["ticket"]] * 3) as path, written([LINES["invoice"]]) as other:
        file = tmp_path / "demo.db"
        assert "it is a directory" in said("--durable", str(tmp_path), "--input", str(path))
        assert main(["demo", "--durable", str(file), "--speed", "max", "--input", str(path)]) == 0
        capsys.readouterr()
        again = said("--durable", str(file), "--input", str(other))
        assert again == (
            "trido demo: it has the books of another input: give --durable another file\n"
        )
    device = said("--durable", str(file), "--input", os.devnull)
    assert device == f"trido demo: --durable reads its input again, and {os.devnull} is no file\n"
    assert "cannot read" in said("--durable", str(file), "--input", str(tmp_path / "no"))


# Lives that are killed ----------------------------------------------------------------------------


def killed(file: Path, path: Path, after: int) -> None:
    """A life that is killed once it has said so many lines."""
    options = ("--durable", str(file), "--input", str(path), "--speed", "10")
    with subprocess.Popen([*COMMAND, *options], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for _ in range(after):
            process.stderr.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.returncode == -signal.SIGKILL


async def judged(file: Path) -> tuple[Counter[str], set[str], list[int]]:
    """From the journal itself: letters by how often they were served, and what is booked."""
    served, booked = Counter[str](), list[int]()
    desk = application.load()
    async with trido.open_history(trido.SqliteJournal(file)) as history:
        for agent, id in zip(desk.AGENTS, ("support", "billing"), strict=True):
            async for turn in history.turns(agent, id):
                served[str(turn.signal.id)] += 1
        handled = set()
        async for turn in history.turns(clerk, "clerk"):
            if turn.signal.type == "demo.settled":
                booked.append(turn.signal.data["line"])
                if turn.signal.data["fate"] == "handled":
                    handled.add(str(turn.signal.data["line"]))
        for agent, id in zip((*desk.AGENTS, clerk), ("support", "billing", "clerk"), strict=True):
            assert (await history.replay(agent, id)).is_same
    return served, handled, booked


@pytest.mark.real_time
def test_killed_at_any_moment_every_letter_is_accounted_for_once(tmp_path: Path) -> None:
    file, path = tmp_path / "demo.db", tmp_path / "day.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines(300)))
    for after in (1, 3, 4):
        killed(file, path, after)
    options = ("--durable", str(file), "--input", str(path), "--speed", "max")
    done = subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert "life      life 4: " in done.stderr
    assert (report["life"]["number"], report["life"]["agrees"]) == (4, True)
    assert report["lines"] == 300
    assert report["unaccounted"] == report["settled_twice"] == report["not_delivered"] == 0
    served, handled, booked = trio.run(judged, file)
    assert sorted(booked) == list(range(1, 301))
    assert {*served} == handled
    assert {*served.values()} == {1}
    plain = demo.demo(
        Options(input=path, speed=math.inf, max_restarts=1_000),
        clock=MockClock(autojump_threshold=0),
    )
    assert plain == 0
    assert report["handled"] == len(handled)
