"""What writing for a journal, and reading from it, raises: see `trido.agents.codec_errors`.

That is a file of its own, since everybody knows these by name, and few need a codec.
"""

from __future__ import annotations

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
    "newer",
    "unregistered",
]
