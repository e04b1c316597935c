"""What came of work on a journal: text for a person, one object for a program, an exit code. Pure.

0: it was done, and what was looked at is sound. 1: it is damaged. 2: it could not be looked at, or
done. 130 and 143: stopped by Ctrl-C and by SIGTERM.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

import attrs
from attrs import frozen
from rich.filesize import decimal

from trido.journal import Corrupt, JournalError, Locked
from trido.journal.inspection import Inspection

Ending: TypeAlias = Literal["Ctrl-C", "SIGTERM"]

_STOPPED: Final[dict[Ending, int]] = {"Ctrl-C": 130, "SIGTERM": 143}

_SHOWN: Final = 20
"""How many damaged places a person is told of."""

_HEADLINE: Final = "*** in database "
"""Begins a line of SQLite's that says no more than that."""


@frozen(kw_only=True)
class Finding:
    """What came of it."""

    text: str
    json: dict[str, Any]
    exit_code: int = 0
    is_trouble: bool = False
    """Whether it is for stderr: it could not be done."""


def checked(file: str, damage: Sequence[str]) -> Finding:
    """Of `SqliteJournal.check`."""
    places = [line for said in damage for line in _lines(said)]
    json = {"file": file, "sound": not damage, "damage": places}
    if not damage:
        return Finding(text=f"{file} is sound.", json=json)
    more = f"  and {len(places) - _SHOWN:,} more: --json lists all\n"
    text = (
        f"{file} is damaged:\n"
        + "".join(f"  {one}\n" for one in places[:_SHOWN])
        + more * (len(places) > _SHOWN)
        + "It is left as it is: move it away, with its -wal and -shm, and"
        + " restore a backup or start anew."
    )
    return Finding(text=text, json=json, exit_code=1)


def _lines(said: str) -> list[str]:
    return [line for line in said.splitlines() if not line.startswith(_HEADLINE)]


def inspected(found: Inspection) -> Finding:
    """Of `SqliteJournal.inspect`."""
    by_status = ", ".join(f"{number:,} {status}" for status, number in found.directives.items())
    total = sum(found.directives.values())
    rows = (
        ("format", f"{found.format}", ""),
        ("size", decimal(found.bytes), "with its log"),
        ("agents", f"{found.agents:,}", ""),
        ("turns", f"{found.turns:,}", "that can be read again"),
        ("inputs", f"{found.inputs:,}", "that would be known again"),
        ("directives", f"{total:,}", by_status),
        ("timers", f"{found.timers:,}", ""),
    )
    lines = [f"  {name:<11}{value:>12}  {more}".rstrip() for name, value, more in rows]
    return Finding(text="\n".join([found.file, *lines]), json=attrs.asdict(found))


def copied(file: str, to: str, size: int) -> Finding:
    """Of `SqliteJournal.backup`."""
    text = f"{file} is copied to {to}, {decimal(size)}, and the copy is sound."
    return Finding(text=text, json={"file": file, "to": to, "bytes": size})


def compacted(file: str, before: int, after: int) -> Finding:
    """Of `SqliteJournal.compact`."""
    text = f"{file} is compacted: {decimal(before)} before, {decimal(after)} now."
    return Finding(text=text, json={"file": file, "before": before, "after": after})


def refused(error: JournalError) -> Finding:
    """It could not be done."""
    reason, remedy = error.reason, error.remedy
    if isinstance(error, Locked):
        reason = "somebody has it open"
        remedy = "stop the program that has it; to check, inspect and back up it may go on"
    kind = type(error).__name__
    return trouble(error.file, kind, reason, remedy, 1 if isinstance(error, Corrupt) else 2)


def stopped(file: str, ending: Ending, state: str) -> Finding:
    """It was stopped; ``state`` says how things are."""
    return trouble(file, "Stopped", f"stopped by {ending}", state, _STOPPED[ending])


def trouble(file: str, error: str, reason: str, remedy: str, exit_code: int) -> Finding:
    """It could not be done, and why."""
    # One line, though SQLite quotes a whole table in some of its own.
    parts = {"file": file, "reason": " ".join(reason.split()), "remedy": remedy}
    return Finding(
        text="{file}: {reason}; {remedy}".format_map(parts),
        json={**parts, "error": error},
        exit_code=exit_code,
        is_trouble=True,
    )
