"""The rules of a journal. Everything that decides about a write lives here.

This file does not know where or how anything is stored. An adapter finds the `Head` of the agent
and what is kept of the input, asks the rules, and stores what they say; so all adapters agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, final

from attrs import define, field

from trido.errors import SpecError
from trido.journal.errors import Fenced, JournalError
from trido.journal.operations import Claim, Commit, Mark
from trido.journal.rows import FULL_EVERY, AgentKey, Keep, Past, Status

OPEN: Final[frozenset[Status]] = frozenset({"pending", "started"})
"""To be carried out."""

SETTLED: Final[frozenset[Status]] = frozenset({"done", "failed"})
"""Over: they are kept only with the history. Dead and unknown ones are kept until resolved."""

MOVES: Final[Mapping[Status, frozenset[Status]]] = {
    "pending": frozenset({"pending", "started", "done", "failed", "dead"}),
    "started": frozenset({"done", "failed", "dead", "unknown"}),
}
"""What a mark may make of a directive. What is not here is over, for the run that marks."""

ATTEMPTS: Final[frozenset[Status]] = frozenset({"pending", "started"})
"""Marks that count an attempt."""


@final
@define
class Slot:
    """A directive that is to be carried out."""

    status: Status
    attempts: int
    row: Any = None
    """Where the adapter has it."""


@final
@define
class Head:
    """What the rules need to know about an agent."""

    agent: AgentKey
    name: str
    epoch: int = 0
    revision: int = 0
    full: int = 0
    """The revision at which the whole state was last written."""
    at: int = 0
    """When the newest turn was."""
    consumed: int = 0
    """How many inputs were consumed."""
    keep: Keep = field(factory=Keep)
    open: dict[tuple[int, int], Slot] = field(factory=dict)
    timers: dict[str, int] = field(factory=dict)
    """When each is due."""

    @property
    def due(self) -> int | None:
        """When the earliest timer fires."""
        return min(self.timers.values()) if self.timers else None

    @property
    def oldest(self) -> int:
        """The oldest revision whose turn may be asked for."""
        return max(self.revision - self.keep.history + 1, 1)

    @property
    def forgotten(self) -> int:
        """Turns up to this revision are needed no more, not even to tell a later state."""
        return self.oldest - FULL_EVERY


def judge_claim(file: str, head: Head, claim: Claim) -> None:
    """Raise `JournalError` if the agent is of another definition."""
    if head.name != claim.name:
        reason = f"agent {str(claim.agent)!r} is of the definition {head.name!r}"
        raise JournalError(file, reason, f"it cannot go on as {claim.name!r}: use another id")


def judge_commit(file: str, head: Head | None, commit: Commit) -> None:
    """As `judge_turn`."""
    judge_turn(file, head, commit.agent, commit.epoch, commit.revision, full=commit.full)


def judge_turn(
    file: str, head: Head | None, agent: AgentKey, epoch: int, revision: int, *, full: bool
) -> None:
    """Raise `Fenced` if the turn was built on what is no longer so."""
    if head is None or head.epoch != epoch or head.revision != revision - 1:
        built = f"epoch {epoch}, revision {revision - 1}"
        raise _fenced(file, agent, head, built)
    if not full and (head.full == 0 or revision - head.full >= FULL_EVERY):
        allowed = f"True in the first turn, and at least every {FULL_EVERY} turns"
        raise SpecError("full", full, allowed, of=f"revision {revision}")


def judge_mark(file: str, head: Head | None, mark: Mark) -> Slot | None:
    """The directive, if the mark changes it; raise `Fenced` if the run is not the agent's."""
    if head is None or head.epoch != mark.epoch:
        raise _fenced(file, mark.agent, head, f"epoch {mark.epoch}")
    slot = head.open.get((mark.revision, mark.index))
    return slot if slot and mark.status in MOVES[slot.status] else None


def _fenced(file: str, agent: AgentKey, head: Head | None, built: str) -> Fenced:
    now = f"at epoch {head.epoch}, revision {head.revision}" if head else "not known"
    reason = f"agent {str(agent)!r} is {now}, and the write was built on {built}"
    error = Fenced(file, reason, "claim the agent to see what became of it")
    if head:
        error.epoch, error.revision = head.epoch, head.revision
    return error


def claimed(head: Head) -> list[tuple[tuple[int, int], Slot]]:
    """Give the agent to a new run. Returns the directives that are unknown from now on."""
    head.epoch += 1
    lost = [(id, slot) for id, slot in head.open.items() if slot.status == "started"]
    for id, slot in lost:
        move(head, id, slot, "unknown")
    return lost


def moved_on(head: Head, revision: int, at: int, *, full: bool) -> None:
    """Move the agent on by a turn that changes its state and nothing else."""
    head.revision, head.at = revision, at
    if full:
        head.full = revision


def committed(head: Head, commit: Commit) -> None:
    """Move the agent on by a turn. The adapter adds its directives."""
    moved_on(head, commit.revision, commit.at, full=commit.full)
    if commit.consumes is not None:
        head.consumed += 1
    for key in commit.cancelled:
        head.timers.pop(key, None)
    for timer in commit.timers:
        head.timers[timer.key] = timer.due


def move(head: Head, id: tuple[int, int], slot: Slot, status: Status) -> None:
    """Give a directive a status, and forget it if it is not to be carried out any more."""
    slot.status = status
    slot.attempts += status in ATTEMPTS
    if status not in OPEN:
        del head.open[id]


def no_such_letter(file: str, agent: AgentKey, revision: int, index: int) -> JournalError:
    """What `Resolve` is refused with."""
    reason = f"no directive {revision}.{index} of agent {str(agent)!r} is unknown or dead"
    return JournalError(file, reason, "see which are: the dead letters have their ids")


def fold(turns: Iterable[Past]) -> dict[str, bytes]:
    """The state after these turns, the first of which is a full one."""
    state: dict[str, bytes] = {}
    for turn in turns:
        state = dict(turn.state) if turn.full else {**state, **turn.state}
    return state
