"""Tells what a recorded thing came of: the chain from a signal to a turn, a directive, a crash."""

from __future__ import annotations

from typing import Final

from trido.checks import count
from trido.errors import SpecError
from trido.testing.recorder import Recorder
from trido.testing.recorder_entries import Note, RunEnded, RunStarted, Told

LINES: Final = 16


def explain(recorder: Recorder, about: Note | str | None = None, *, most: int = LINES) -> str:
    """What happened, one thing of another, from the first cause to ``about``; a line for each.

    Each line has the time, the agent with the number of its run, and what happened. It ends with
    what followed a crash: the restart.

    Args:
      recorder: what was recorded.
      about: an entry; or the id of an agent, for the last that happened to it. Without one, the
        last crash, or else the last thing that happened at all.
      most: how many lines it has. Of more the first and the last ones are told.

    Raises:
      SpecError: nothing happened to such an agent, or nothing at all; or ``most`` is below 3.
    """
    if not isinstance(recorder, Recorder):
        raise SpecError("recorder", recorder, "a trido.testing.Recorder", of="explain")
    count("explain", "most", most, least=3, infinite=False)
    entry = about if isinstance(about, Note) else _chosen(recorder, about)
    return "\n".join(_short([str(one) for one in chain(recorder, entry)], most))


def story(result: object) -> str:
    """How it came to what a scenario returned, as a paragraph; empty, if that is no record."""
    if not isinstance(result, Recorder) or not result.agents:
        return ""
    return f"\nHow it came to that:\n{explain(result)}"


def chain(recorder: Recorder, entry: Note) -> list[Note]:
    """What led to ``entry``, the first cause first; and the restart, if it is a crash."""
    found = [entry]
    while (cause := found[-1].cause) is not None:
        found.append(cause)
    found.reverse()
    if isinstance(entry, RunEnded):
        found += [one for one in recorder.of(RunStarted) if one.cause is entry]
    return found


def _chosen(recorder: Recorder, agent: str | None) -> Note:
    if agent is None and recorder.crashes:
        return recorder.crashes[-1]
    for entry in reversed(recorder.entries):
        if agent in {None, entry.agent} and not isinstance(entry, Told):
            return entry
    seen = ", ".join(map(repr, recorder.agents)) or "nobody"
    raise SpecError("about", agent, f"an entry, or who did something: {seen}", of="explain")


def _short(lines: list[str], most: int) -> list[str]:
    if len(lines) <= most:
        return lines
    first = most // 2
    left_out = len(lines) - most + 1
    return [*lines[:first], f"{'':9}  … {left_out} more …", *lines[len(lines) - most + first + 1 :]]
