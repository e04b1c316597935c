"""How a run of an agent ends when its handler raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import trio

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


def note_crash(
    error: BaseException, id: str, type: str | None, revision: int, state: object
) -> None:
    """Have whoever prints the traceback of ``error`` print the last committed state below it."""
    notes = getattr(error, "__notes__", ())
    begin = f"agent {id!r} crashed"
    on = "" if type is None else f" on {type!r}"
    said = redacted(state, length=_LENGTH)
    note = f"{begin}{on}; its last committed state, of revision {revision}: {said}"
    with suppress(Exception):  # of a class whose instances do not change it stays untold
        # An error that is raised again and again is told of once.
        error.__notes__ = [*(one for one in notes if not str(one).startswith(begin)), note]


_LENGTH: Final = 500
