"""What writing for a journal, and reading from it, raises: see `trido.agents.codec_errors`.

That is a file of its own, since everybody knows these by name, and few need a codec.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from trido.agents.codec_errors import (
    CodecError,
    Misfit,
    NewerVersion,
    Undecodable,
    Unencodable,
    Unregistered,
    newer,
    unregistered,
)

__all__ = [
    "CodecError",
    "Misfit",
    "NewerVersion",
    "Undecodable",
    "Unencodable",
    "Unregistered",
    "in_file",
    "newer",
    "unregistered",
]


@contextmanager
def in_file(file: str) -> Generator[None]:
    """Have a `CodecError` that comes out of this say which journal it is about."""
    try:
        yield
    except CodecError as error:
        error.file = file
        raise
