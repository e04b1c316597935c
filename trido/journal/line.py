"""The line to a process that writes to a journal: a socket, and messages both ways."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol, TypeAlias, final

from trido.journal import wire
from trido.journal.errors import Unavailable
from trido.journal.ways import Result
from trido.journal.writer import receive

CODE: Final = (
    "import sys; file, verify, parent, *sys.path[:] = sys.argv[1:];"
    " from trido.journal.writer import main; main(file, verify, parent)"
)


SOME: Final = 1 << 16
"""How many bytes are received at once."""


class Process(Protocol):
    """What is needed of a process."""

    def wait(self) -> object:
        """Wait until it has ended."""
        ...


Spawn: TypeAlias = Callable[[socket.socket, str, float], Process]


def spawn(end: socket.socket, file: str, verify: float) -> Process:
    """Have a new process serve who is at the other end of a socket."""
    if not sys.executable:
        raise FileNotFoundError("where Python is, is not known: sys.executable is empty")
    given: list[Any] = sys.path  # Python itself skips what is no path
    places = [one for one in given if isinstance(one, str) and "\0" not in one]
    command = [sys.executable, "-c", CODE, file, repr(verify), str(os.getpid()), *places]
    # In a session of its own: what a terminal sends to all does not reach it.
    return subprocess.Popen(  # noqa: S603  # it is this interpreter
        command, stdin=end.fileno(), stdout=subprocess.DEVNULL, start_new_session=True
    )


@final
class Line:
    """A process that has a journal open, or is about to.

    It first says whether the journal is open. Then each message is answered by one, in order.
    `ask` waits for what it says; `send` and `receive` never do.

    Raises:
      Unavailable: there can be no process.
    """

    def __init__(self, file: str, *, verify: float, spawn: Spawn) -> None:
        self.file = file
        self.end: socket.socket
        """Readable once `receive` has something to say."""
        self.is_lost: bool = False
        """Whether the process was found to have ended."""
        self._unsent = bytearray()
        self._received = bytearray()
        try:
            self.end, self._process = self._begin(spawn, verify)
        except OSError as error:
            reason = f"no process can be started to write to it ({error})"
            raise Unavailable(file, reason, "see to that, or write in a thread") from error

    def _begin(self, spawn: Spawn, verify: float) -> tuple[socket.socket, Process]:
        here, there = socket.socketpair()
        with there:
            try:
                for end in (here, there):
                    end.settimeout(None)  # whatever an application's sockets do by default
                return here, spawn(there, self.file, verify)
            except BaseException:
                here.close()
                raise

    def is_open(self) -> bool:
        """Whether the process is there, as far as can be seen at once."""
        if self._some(1, socket.MSG_PEEK) == b"":
            self.is_lost = True
        return not self.is_lost

    def _some(self, most: int, flags: int = 0) -> bytes | None:
        """Some of what has come; None if nothing has yet, and nothing if nothing more will."""
        try:
            return self.end.recv(most, socket.MSG_DONTWAIT | flags)
        except BlockingIOError:
            return None
        except ConnectionError:
            return b""

    def ask(self, message: bytes = b"") -> Result:
        """Send a message, and wait for the answer; without one, for what it says by itself."""
        if message:
            with suppress(ConnectionError):  # what it has said before can be received
                self.end.sendall(message)
        with self.end.makefile("rb") as messages:
            body = receive(messages)
        return wire.unpack_result(body) if body else self._ended()

    def send(self, message: bytes) -> None:
        """Send a message, or as much of it as goes at once: the rest by `flush`."""
        self._unsent += message
        self.flush()

    @property
    def is_clear(self) -> bool:
        """Whether all was sent."""
        return not self._unsent

    def flush(self) -> bool:
        """Send what goes at once. Whether that was all."""
        while self._unsent:
            try:
                sent = self.end.send(self._unsent, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            except ConnectionError:  # which `receive` will tell
                sent = len(self._unsent)
            del self._unsent[:sent]
        return True

    def receive(self) -> Result | None:
        """The next answer; None if it is not there yet."""
        while (result := self._whole()) is None:
            some = self._some(SOME)
            if not some:
                return None if some is None else self._ended()
            self._received += some
        return result

    def _whole(self) -> Result | None:
        head = wire.LENGTH.size
        if len(self._received) < head:
            return None
        end = head + wire.LENGTH.unpack_from(self._received)[0]
        if len(self._received) < end:
            return None
        body = bytes(self._received[head:end])
        del self._received[:end]
        return wire.unpack_result(body)

    def _ended(self) -> Unavailable:
        self.is_lost = True
        reason = "the process that writes to it has ended"
        return Unavailable(self.file, reason, "try again: another one is started")

    def close(self) -> None:
        """Have the process close the journal, and wait until it has ended."""
        with suppress(OSError):  # it has ended
            self.end.shutdown(socket.SHUT_RDWR)  # a fork of this process may have it, too
        self.end.close()
        self._process.wait()
