"""The process that writes to a journal for another: all of a store, at the end of a socket.

It lives as long as the other end is open, so it ends by itself once the process that it works for
has, however that ended. The batch in hand is written then, or is not, as a whole.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
from contextlib import closing
from threading import Thread
from time import monotonic, sleep
from typing import BinaryIO, Final

from trido.journal import wire
from trido.journal.errors import JournalError, Locked, Unavailable
from trido.journal.store import SqliteStore

ORPHAN: Final = 2.0
"""For how many seconds the writer of a process that was killed is given to end."""

PAUSE: Final = 0.01
"""Seconds between two attempts to open a file that is locked."""


def main(file: str, verify: str, parent: str) -> None:  # pragma: no cover - a process of its own
    """Serve the parent, who is at the other end of standard input."""
    # What is said to all processes of an application is for the one that decides when it is over.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=0) as end:
        Thread(target=_watch, args=(end, int(parent)), daemon=True).start()
        serve(end, file, float(verify))


def _watch(end: socket.socket, parent: int) -> None:  # pragma: no cover - same
    """End with the parent, though a process that it has forked may still hold the other end."""
    while os.getppid() == parent:
        sleep(ORPHAN / 4)
    end.shutdown(socket.SHUT_RD)


def serve(end: socket.socket, file: str, verify: float, *, patience: float = ORPHAN) -> None:
    """Open a journal, say so, and write batch after batch, until the other end is closed."""
    try:
        store = opened(file, verify, patience)
    except Exception as error:  # whoever waits is told of a mistake, too
        _say(end, wire.pack_result(_told(error, file)))
        return
    with closing(store), end.makefile("rb") as messages:
        said = wire.pack_result(())
        while _say(end, said) and (body := receive(messages)):
            said = _written(store, body)


def opened(file: str, verify: float, patience: float = ORPHAN) -> SqliteStore:
    """Open a journal, which the writer of a process that was killed may still have for a moment."""
    until = monotonic() + patience
    while True:
        try:
            return SqliteStore(file, verify=verify)
        except Locked:
            if monotonic() > until:
                raise
        sleep(PAUSE)


def _written(store: SqliteStore, body: bytes) -> bytes:
    try:
        batch, sync = wire.unpack_batch(body)
        return wire.pack_result(store.carry_out(batch, sync=sync))
    except Exception as error:  # as above
        return wire.pack_result(_told(error, store.file))


def _told(error: Exception, file: str) -> JournalError:
    """What can be told elsewhere: a traceback cannot."""
    if isinstance(error, JournalError):
        return error
    return Unavailable(file, f"the store failed ({error!r})", "this is a mistake in trido")


def _say(end: socket.socket, message: bytes) -> bool:
    """Whether there is still somebody to be told."""
    try:
        end.sendall(message)
    except ConnectionError:
        return False
    return True


def receive(messages: BinaryIO) -> bytes:
    """The next message; nothing if the other end is closed, perhaps in the middle of it."""
    try:
        head = messages.read(wire.LENGTH.size)
        (length,) = wire.LENGTH.unpack(head)
        body = messages.read(length)
    except (ConnectionError, struct.error):
        return b""
    return body if len(body) == length else b""
