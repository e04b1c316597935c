"""A disk that fails as it is told to: a layer between SQLite and the operating system.

SQLite does all its input and output through a table of functions, its VFS. This one passes
everything on to the usual VFS and, before that, lets a test say that an operation fails, and how.
It also remembers what was written and not yet synced, so that a test can have the machine crash:
what was synced is on the disk then, and of the rest any part, as disks do.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import os
import signal
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from pathlib import Path
from random import Random
from typing import Any, Final, TypeAlias

from attrs import Factory, define

ANY_METHODS: Final = (
    "xClose xRead xWrite xTruncate xSync xFileSize xLock xUnlock xCheckReservedLock xFileControl"
    " xSectorSize xDeviceCharacteristics xShmMap xShmLock xShmBarrier xShmUnmap xFetch xUnfetch"
)
VFS_METHODS: Final = (
    "xOpen xDelete xAccess xFullPathname xDlOpen xDlError xDlSym xDlClose xRandomness xSleep"
    " xCurrentTime xGetLastError xCurrentTimeInt64 xSetSystemCall xGetSystemCall xNextSystemCall"
)


class Methods(Structure):
    _fields_ = [("iVersion", c_int), *((name, c_void_p) for name in ANY_METHODS.split())]


class File(Structure):
    _fields_ = [("methods", POINTER(Methods))]


class Vfs(Structure):
    _fields_ = [
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        *((name, c_void_p) for name in VFS_METHODS.split()),
    ]


OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
READ_OR_WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
SYNC = LOCK = CFUNCTYPE(c_int, c_void_p, c_int)
TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)

Fault: TypeAlias = tuple[int, bool]
"""The code of an error, and whether half of the write happens first."""

READ: Final = 1
WRITE: Final = 2 | 4
"""What SQLite asks for when it opens a file; to write is also to create."""

FULL: Final[Fault] = (sqlite3.SQLITE_FULL, False)
SHORT: Final[Fault] = (sqlite3.SQLITE_FULL, True)
IO: Final[Fault] = (sqlite3.SQLITE_IOERR, True)
FLIP: Final[Fault] = (sqlite3.SQLITE_OK, False)
"""It is written, but for one bit, and nobody is told."""


@define
class Written:
    """A file as it was when it was last synced, and what happened to it since."""

    synced: bytes = b""
    since: list[tuple[int, bytes | None]] = Factory(list)
    """Where what was written; None is a cut at that place."""


class Disk:
    """Asks ``fails(operation, path)`` before each."""

    def __init__(self) -> None:
        self.fails: Callable[[str, str], Fault | None] = lambda *_: None
        self.read_only = "-"
        """How the names of files end that may not be written."""
        self.files: dict[str, Written] = {}
        self.paths: dict[int, str] = {}
        self._methods: dict[int, Methods] = {}
        self._callbacks: list[object] = []

    def fail(
        self, operation: str, *, nth: int, fault: Fault, times: float = 1, path: str = ""
    ) -> None:
        """Have the nth such operation from now on fail, and those after it, so many in all."""
        seen = 0

        def fails(one: str, where: str) -> Fault | None:
            nonlocal seen
            if one != operation or not where.endswith(path):
                return None
            seen += 1
            return fault if nth <= seen < nth + times else None

        self.fails = fails

    def kill_at(self, nth: int) -> None:
        """Kill this process before the nth operation from now on, of any kind."""
        seen = 0

        def fails(*_: str) -> None:
            nonlocal seen
            seen += 1
            if seen == nth:
                os.kill(os.getpid(), signal.SIGKILL)

        self.fails = fails

    def mend(self) -> None:
        self.fails = lambda *_: None

    def _asked(self, operation: str, file: int) -> Fault | None:
        return self.fails(operation, self.paths.get(file, ""))

    def crash(self, to: Path, random: Random) -> None:
        """Put the files as a crash of the machine leaves them into another directory."""
        for path, written in self.files.items():
            if Path(path).exists():
                (to / Path(path).name).write_bytes(after_crash(written, random))

    # The functions that SQLite calls --------------------------------------------------------

    def _wrap(self, file: int, path: str) -> None:
        """Have the operations on an open file come here first."""
        methods = ctypes.cast(file, POINTER(File)).contents
        if not methods.methods:
            return
        address = ctypes.addressof(methods.methods.contents)
        if address not in self._methods:
            self._methods[address] = self._wrapped(methods.methods.contents)
        methods.methods = ctypes.pointer(self._methods[address])
        self.paths[file] = path
        if path not in self.files:
            content = Path(path).read_bytes() if Path(path).exists() else b""
            self.files[path] = Written(content)

    def _wrapped(self, usual: Methods) -> Methods:
        wrapped = Methods.from_buffer_copy(usual)
        for name, kind, function in (
            ("xRead", READ_OR_WRITE, self._read),
            ("xWrite", READ_OR_WRITE, self._write),
            ("xSync", SYNC, self._sync),
            ("xTruncate", TRUNCATE, self._truncate),
            ("xLock", LOCK, self._lock),
        ):
            passed_on: Any = kind(getattr(usual, name))
            callback: Any = kind(bound(function, passed_on))
            self._callbacks.append(callback)
            setattr(wrapped, name, ctypes.cast(callback, c_void_p).value)
        return wrapped

    def _read(self, usual: Any, file: int, buffer: int, size: int, at: int) -> int:
        fault = self._asked("read", file)
        return fault[0] if fault else int(usual(file, buffer, size, at))

    def _write(self, usual: Any, file: int, buffer: int, size: int, at: int) -> int:
        fault = self._asked("write", file)
        if fault == FLIP:
            flipped = ctypes.create_string_buffer(with_a_bit_flipped(buffer, size), size)
            return self._write_through(usual, file, ctypes.addressof(flipped), size, at)
        if fault and fault[1]:
            size //= 2
        done = sqlite3.SQLITE_OK
        if not fault or fault[1]:
            done = self._write_through(usual, file, buffer, size, at)
        return fault[0] if fault else done

    def _write_through(self, usual: Any, file: int, buffer: int, size: int, at: int) -> int:
        done = int(usual(file, buffer, size, at))
        data = ctypes.string_at(buffer, size)
        self.files[self.paths[file]].since.append((at, data))
        return done

    def _sync(self, usual: Any, file: int, flags: int) -> int:
        fault = self._asked("sync", file)
        if fault:
            # As Linux does: what was not written is taken for written from now on.
            self.files[self.paths[file]].since.clear()
            return fault[0]
        written = self.files[self.paths[file]]
        written.synced = applied(written.synced, written.since)
        written.since.clear()
        return int(usual(file, flags))

    def _truncate(self, usual: Any, file: int, size: int) -> int:
        fault = self._asked("truncate", file)
        if fault:
            return fault[0]
        self.files[self.paths[file]].since.append((size, None))
        return int(usual(file, size))

    def _lock(self, usual: Any, file: int, level: int) -> int:
        fault = self._asked("lock", file)
        return fault[0] if fault else int(usual(file, level))


def with_a_bit_flipped(buffer: int, size: int) -> bytes:
    """Which one depends on what is written, and is the same for the same."""
    data = bytearray(ctypes.string_at(buffer, size))
    bit = Random(bytes(data)).randrange(8 * size)
    data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


def bound(function: Callable[..., int], usual: Any) -> Callable[..., int]:
    return lambda *arguments: function(usual, *arguments)


def applied(content: bytes, writes: list[tuple[int, bytes | None]]) -> bytes:
    """A file after these writes."""
    changed = bytearray(content)
    for at, data in writes:
        changed += bytes(max(at - len(changed), 0))
        if data is None:
            del changed[at:]
        else:
            changed[at : at + len(data)] = data
    return bytes(changed)


def after_crash(written: Written, random: Random) -> bytes:
    """What was synced, and any part of the rest; the last that got there may be torn."""
    kept = [one for one in written.since if random.random() < 0.5]
    at, data = kept[-1] if kept else (0, None)
    if data and random.random() < 0.5:
        kept[-1] = at, data[: random.randrange(len(data))]
    return applied(written.synced, kept)


@contextmanager
def failing_disk() -> Generator[Disk]:
    """Within this block, all files that SQLite opens are on a disk that can fail."""
    library: Any = ctypes.CDLL(_sqlite3.__file__)  # and with it, what it is linked to
    library.sqlite3_vfs_find.restype = POINTER(Vfs)
    usual = library.sqlite3_vfs_find(None)
    disk, vfs = Disk(), Vfs.from_buffer_copy(usual.contents)
    passed_on = OPEN(usual.contents.xOpen)

    def open(_: int, name: int, file: int, flags: int, out: int) -> int:
        path = ctypes.string_at(name).decode() if name else ""
        fault = disk.fails("open", path)
        if fault:
            ctypes.cast(file, POINTER(File)).contents.methods = None
            return fault[0]
        if path.endswith(disk.read_only):
            flags = flags & ~WRITE | READ
        code = int(passed_on(ctypes.addressof(usual.contents), name, file, flags, out))
        if code == sqlite3.SQLITE_OK and path:
            disk._wrap(file, path)
        return code

    callback = OPEN(open)
    vfs.zName, vfs.pNext = b"failing", None
    vfs.xOpen = ctypes.cast(callback, c_void_p).value
    library.sqlite3_vfs_register(ctypes.byref(vfs), 1)
    try:
        yield disk
    finally:
        library.sqlite3_vfs_unregister(ctypes.byref(vfs))


def can_fail() -> bool:
    """Whether the VFS of Python's SQLite can be reached: not if it is linked in and hidden."""
    return hasattr(ctypes.CDLL(_sqlite3.__file__), "sqlite3_vfs_register")
