"""The input file: what is wrong with it is said in a sentence, and good lines are numbered."""

import io
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trido.cli.lines import MAX_BYTES
from trido.cli.source import BUNDLED, BadInput, Source, is_binary, numbered


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\x7fELF\2\1\1\0\0\0\0", "is binary, not JSON lines"),
        ('{"kind": "ticket"}\n'.encode("utf-16"), "is binary, not JSON lines"),
    ],
)
def test_a_file_that_is_no_input(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=said):
        Source(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot read .*nowhere: no such file or directory"):
        Source(tmp_path / "nowhere")


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a directory"):
        Source(tmp_path)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *args: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BadInput, match="permission denied"):
        Source(tmp_path / "secret")


class BrokenDisk(io.BytesIO):
    """Fails after so many reads."""

    def __init__(self, content: bytes, reads: int, like: Path) -> None:
        super().__init__(content)
        self._reads = reads
        self._like = like.open("rb")

    def fileno(self) -> int:
        return self._like.fileno()

    def close(self) -> None:
        self._like.close()
        super().close()

    def _count(self) -> None:
        self._reads -= 1
        if self._reads < 0:
            raise OSError(5, "Input/output error")

    def peek(self, size: int = 0) -> bytes:
        self._count()
        return self.getvalue()

    def readline(self, size: int | None = -1) -> bytes:
        self._count()
        return super().readline(size)


def broken_disk(monkeypatch: pytest.MonkeyPatch, path: Path, *, reads: int) -> None:
    path.write_bytes(b"x")
    disk = BrokenDisk(b"1\n2\n3\n", reads, path)
    monkeypatch.setattr(Path, "open", lambda self, mode: disk)


def test_a_disk_that_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_disk(monkeypatch, tmp_path / "x", reads=0)
    with pytest.raises(BadInput, match=r"cannot read .*: input/output error"):
        Source(tmp_path / "x")


async def test_a_disk_that_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_disk(monkeypatch, tmp_path / "x", reads=2)
    with Source(tmp_path / "x") as source:
        assert await source.next() == (1, b"1")
        assert await source.next() is None
        assert source.trouble is not None
        assert "cannot go on reading" in source.trouble


def test_a_disk_that_breaks_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_disk(monkeypatch, tmp_path / "x", reads=3)
    with Source(tmp_path / "x") as source:
        assert list(source.rest()) == [1, 2]
        assert source.trouble is not None


async def test_lines(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"\xef\xbb\xbfone\n\ntwo\r\nthree")
    with Source(path) as source:
        assert source.progress == 0
        assert await source.next() == (1, b"one")
        assert await source.next() == (2, b"")
        assert list(source.rest()) == [3, 4]
        assert source.progress == 1
        assert await source.next() is None
        assert source.trouble is None


def test_lines_that_are_too_long_are_cut_short() -> None:
    file = io.BytesIO(b"x" * (3 * MAX_BYTES) + b"\n" + b"y" * MAX_BYTES + b"\nz")
    (first, long), *rest = numbered(file)
    assert (first, len(long)) == (1, MAX_BYTES + 1)
    assert rest == [(2, b"y" * MAX_BYTES), (3, b"z")]


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), min_size=1))
def test_every_line_once(lines: list[bytes]) -> None:
    found = [line for _, line in numbered(io.BytesIO(b"".join(line + b"\n" for line in lines)))]
    assert found == [lines[0].removeprefix(b"\xef\xbb\xbf"), *lines[1:]]


def test_a_bad_line_does_not_make_a_file_binary() -> None:
    assert not is_binary(b'{"kind": "ticket"}\n\0\0\0\n')
    assert not is_binary(b"no object, but text")


@pytest.mark.real_time
async def test_a_pipe_holds_up_nobody(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"one\ntwo",))
    writer.start()
    with Source(path) as source:
        assert source.progress is None
        assert await source.next() == (1, b"one")
        assert list(source.rest()) == []  # it could last for ever
        assert await source.next() == (2, b"two")
        assert await source.next() is None
    writer.join()


def test_the_bundled_file_is_there() -> None:
    assert BUNDLED.is_file()
