"""What an operator does with a journal's file: ``trido journal``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TypeAlias

from cyclopts import App, Parameter

from trido.cli.findings import Finding, checked, compacted, copied, inspected
from trido.cli.job import Job, Work
from trido.journal import SqliteJournal
from trido.journal.inspection import Progress

app: Final[App] = App(
    name="journal",
    help="""Look after the file in which durable agents are kept.

    Each command exits with 0 if all is well; with 1 if the journal is damaged; with 2 if it cannot
    be looked at, or what was asked cannot be done; with 130 if it was stopped by Ctrl-C.
    """,
)

_File: TypeAlias = Annotated[Path, Parameter(help="The journal.")]
_Json: TypeAlias = Annotated[
    bool, Parameter(negative=(), show_default=False, help="Print one JSON object.")
]

_ONLY_READ: Final = "it was only read, and nothing is changed"


@app.command
def check(file: _File, /, *, json: _Json = False) -> int:
    """Look at all that is in a journal, and say what is damaged.

    It is only read, and may be in use meanwhile.
    """

    async def work(journal: SqliteJournal, progress: Progress) -> Finding:
        return checked(journal.path, await journal.check(progress=progress))

    return _carry_out("check", file, work, _ONLY_READ, json=json)


@app.command
def inspect(file: _File, /, *, json: _Json = False) -> int:
    """Count what is in a journal.

    It is only read, and may be in use meanwhile.
    """

    async def work(journal: SqliteJournal, progress: Progress) -> Finding:
        return inspected(await journal.inspect())

    return _carry_out("inspect", file, work, _ONLY_READ, json=json)


@app.command
def backup(
    file: _File,
    to: Annotated[Path, Parameter(help="Where the copy shall be: nothing may be there yet.")],
    /,
    *,
    json: _Json = False,
) -> int:
    """Copy a journal, as it is at this moment, and look whether the copy is sound.

    It is only read, and may be in use meanwhile. The copy appears once it is whole.
    """
    copy = to.absolute()

    async def work(journal: SqliteJournal, progress: Progress) -> Finding:
        await journal.backup(copy, progress=progress)
        return copied(journal.path, str(copy), copy.stat().st_size)

    state = f"there is no copy at {copy}; the journal was only read, and nothing is changed"
    return _carry_out("backup", file, work, state, json=json)


@app.command
def compact(file: _File, /, *, json: _Json = False) -> int:
    """Forget what a journal need not keep any longer, and make its file as small as it can be.

    Nobody may have it open meanwhile. It needs as much room on the disk again while it works.
    """

    async def work(journal: SqliteJournal, progress: Progress) -> Finding:
        return compacted(journal.path, *await journal.compact(progress=progress))

    state = "it is sound, and holds all that is to be kept; compact it again to make it smaller"
    return _carry_out("compact", file, work, state, json=json)


def _carry_out(name: str, file: Path, work: Work, if_stopped: str, *, json: bool) -> int:
    # Absolute: then no name is one that SQLite takes for something else, such as ":memory:".
    journal = SqliteJournal(file.absolute())
    job = Job(name=name, journal=journal, work=work, if_stopped=if_stopped, json=json)
    return job.carry_out()
