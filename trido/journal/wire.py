# ruff: noqa: S301, S302  # who sends is this program, by a socket that nobody else has
"""What goes between a session and the process that writes for it, as bytes.

Batches go one way, what came of them the other. Nearly all of it is commits that only change the
state, and outcomes that say nothing: those are tuples and None, written by ``marshal``, and used as
they are read. Of the other commits most are lists of their fields; the rest is pickled, which takes
several times as long. Both ends are of one trido and one Python.
"""

from __future__ import annotations

import io
import marshal
import pickle
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Any, Final, final

from outcome import Outcome, Value

from trido.journal.operations import Commit, PlainTurn, Write
from trido.journal.rows import AgentKey

LENGTH: Final = Struct("<Q")
"""Before each message stands how many bytes it has."""


def _framed(body: bytes) -> bytes:
    return LENGTH.pack(len(body)) + body


def pack_batch(batch: Sequence[Write[Any]], *, sync: bool) -> bytes:
    """A batch, as a message."""
    try:
        return _framed(marshal.dumps((sync, [_pack_write(write) for write in batch])))
    except ValueError:  # somewhere in it is a text of a class of its own
        return _framed(marshal.dumps((sync, [_pickled(write) for write in batch])))


def _pack_write(write: Any) -> object:
    if type(write) is not Commit or write.directives or write.timers or write.cancelled:
        return _pickled(write)
    turn = write.as_plain_turn()
    is_plain = write.consumes is None and write.reply is None
    return turn if is_plain else [*turn, write.consumes, write.reply]


@final
class _Pickler(pickle.Pickler):
    """Has texts and mappings written as what they say: their classes may be known here only."""

    def reducer_override(self, obj: Any) -> Any:
        """How to make an object again, if it is not of a class that is pickle's own."""
        if isinstance(obj, str):
            return str, (str.__str__(obj),)
        if isinstance(obj, Mapping):
            return dict, (dict(obj),)
        return NotImplemented


def _pickled(value: object) -> bytes:
    written = io.BytesIO()
    _Pickler(written).dump(value)
    return written.getvalue()


def unpack_batch(body: bytes) -> tuple[list[Write[Any] | PlainTurn], bool]:
    """The batch, and whether it is to be synced."""
    sync, writes = marshal.loads(body)
    return [one if type(one) is tuple else _unpack_write(one) for one in writes], sync


def _unpack_write(write: Any) -> Write[Any]:
    if type(write) is bytes:
        return pickle.loads(write)  # type: ignore[no-any-return]  # it is one
    id, partition, epoch, revision, at, input, state, full, consumes, reply = write
    return Commit.plain(
        AgentKey.of(id, partition),
        epoch,
        revision,
        at=at,
        input=input,
        state=state,
        full=full,
        consumes=consumes,
        reply=reply,
    )


def pack_result(result: Sequence[Outcome[Any] | None] | Exception) -> bytes:
    """What came of a batch, as a message."""
    if isinstance(result, Exception):
        return _framed(marshal.dumps(_pickled(result)))
    return _framed(marshal.dumps([None if one is None else _pickled(one) for one in result]))


def unpack_result(body: bytes) -> list[Outcome[Any]] | Exception:
    """What came of a batch."""
    result = marshal.loads(body)
    if type(result) is bytes:
        return pickle.loads(result)  # type: ignore[no-any-return]  # it is one
    return [Value(None) if one is None else pickle.loads(one) for one in result]
