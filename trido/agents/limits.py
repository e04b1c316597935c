"""How much of what strangers send is read, unless somebody says otherwise."""

from __future__ import annotations

from typing import Final, cast

from trido import checks
from trido.errors import SpecError

MAX_BYTES: Final = 2**20
DEPTH: Final = 64
_DEEPEST: Final = 256


def check_limits(of: str, max_bytes: object, depth: object) -> None:
    """Raise `SpecError` unless these are limits. Python's own stack limits the depth."""
    checks.count(of, "max_bytes", max_bytes, least=1, infinite=True)
    checks.count(of, "depth", depth, least=1, infinite=False)
    if cast("int", depth) > _DEEPEST:
        raise SpecError("depth", depth, f"an int <= {_DEEPEST}", of=of)
