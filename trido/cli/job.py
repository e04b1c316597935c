"""Work on a journal, from the command line: with progress, and an ordered end by a signal."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Final, TypeAlias

from attrs import define, field
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from trido.cli.findings import Ending, Finding, refused, stopped
from trido.journal import JournalError, SqliteJournal
from trido.journal.inspection import Progress as Tell
from trido.supervision import run

Work: TypeAlias = Callable[[SqliteJournal, Tell], Awaitable[Finding]]

_COLUMNS: Final = (
    TextColumn("{task.description}"),
    BarColumn(),
    TaskProgressColumn(),
    TimeElapsedColumn(),
)


@define(kw_only=True)
class Job:
    """One command about one journal."""

    name: str
    journal: SqliteJournal
    work: Work
    if_stopped: str
    """How things are if it is stopped."""
    json: bool
    prefix: str = "trido journal"
    """How the command is called, but for its name."""
    found: Finding | None = field(default=None, init=False)

    def carry_out(self) -> int:
        """Do it, and tell what came of it; returns the exit code."""
        try:
            ending = self._run()
            found = self.found or stopped(self.journal.path, ending, self.if_stopped)
        except JournalError as error:
            found = refused(error)
        self._print(found)
        return found.exit_code

    def _run(self) -> Ending:
        """Do it. Returns how it ended, if it is not done then."""
        ending: Ending = "SIGTERM"
        console = Console(stderr=True)
        hidden = not console.is_terminal or console.is_dumb_terminal
        try:
            with (
                stdout_for(as_json=self.json),
                Progress(*_COLUMNS, console=console, transient=True, disable=hidden) as bar,
            ):
                task = bar.add_task(self.name, total=None)
                run(self._main, lambda done, of: bar.update(task, completed=done, total=of))
        except* KeyboardInterrupt:
            # It is over already: a second one would but lose what is to be said.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            ending = "Ctrl-C"
        return ending

    async def _main(self, tell: Tell) -> None:
        # A signal that comes when it is done finds it done.
        self.found = await self.work(self.journal, tell)

    def _print(self, found: Finding) -> None:
        if self.json:
            print(json.dumps(found.json), flush=True)
        if found.is_trouble:
            print(printable(f"{self.prefix} {self.name}: {found.text}"), file=sys.stderr)
        elif not self.json:
            print(printable(found.text), flush=True)


@contextmanager
def stdout_for(*, as_json: bool) -> Generator[None]:
    """Keep stdout for the one JSON object, if it is asked for: what an app prints is on stderr."""
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        yield


def printable(text: str) -> str:
    """The same, with what a terminal would obey, or could not show, as escapes."""
    return "".join(
        one if one == "\n" or one.isprintable() else one.encode("unicode_escape").decode()
        for one in text
    )
