"""How a run of an agent ends when its handler raises."""

from __future__ import annotations

from collections.abc import Iterator

import trio

from trido.supervision import Escalate, LeakedCancelled, Shutdown
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
    return End("crashed", reason)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error
