"""How a run of an agent ends when its handler raises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast, final

import trio
from attrs import frozen

from trido.agents.secrets import redacted
from trido.supervision import Escalate, Ignore, LeakedCancelled, Shutdown
from trido.supervision.place import End


def end_of(error: BaseException) -> End:
    """The end that ``error`` means: the first of these rules that matches."""
    leaves = tuple(_leaves(error))
    if any(not isinstance(leaf, Exception | trio.Cancelled) for leaf in leaves):
        return End("fatal", error)
    if any(isinstance(leaf, trio.Cancelled) for leaf in leaves):
        leaked = LeakedCancelled("a Cancelled that nobody asked for came out of a handler")
        leaked.__cause__ = error
        return End("crashed", leaked)
    reason = leaves[0] if len(leaves) == 1 else error
    if any(isinstance(leaf, Escalate) for leaf in leaves):
        return End("escalated", reason)
    if all(isinstance(leaf, Shutdown) for leaf in leaves):
        return End("normal", reason)
    if all(isinstance(leaf, Ignore) for leaf in leaves):
        return End("ignored", reason)
    return End("crashed", reason)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def without_cancelled(error: BaseException) -> BaseException | None:
    """``error`` without the cancellations in it, if anything is left."""
    if isinstance(error, trio.Cancelled):
        return None
    if isinstance(error, BaseExceptionGroup):
        cancelled, left = error.split(trio.Cancelled)
        return error if cancelled is None else left
    return error


@final
@frozen(eq=False)
class CrashNote:
    """What a crash report says besides; put into words only if somebody reads it."""

    id: str
    revision: int
    type: str | None
    state: object

    def add_to(self, error: BaseException) -> None:
        """Have whoever prints the traceback of ``error`` print this below it."""
        notes: list[object] = [*getattr(error, "__notes__", ())]
        others = [note for note in notes if not self._is_of_same(note)]
        error.__notes__ = cast("list[str]", [*others, self])

    def _is_of_same(self, note: object) -> bool:
        return isinstance(note, CrashNote) and note.id == self.id

    def __str__(self) -> str:
        on = "" if self.type is None else f" on {self.type!r}"
        return (
            f"agent {self.id!r} crashed{on}; its last committed state, of revision"
            f" {self.revision}: {redacted(self.state)}"
        )
