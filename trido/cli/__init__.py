"""The command ``trido``: what an operator touches."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final

_NEEDED: Final = ("cyclopts", "rich")
_MISSING: Final = """\
The command trido needs its extra cli; in a clone of trido: python3 -m pip install '.[cli]'"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 2 if it was used wrongly."""
    if any(find_spec(name) is None for name in _NEEDED):
        print(_MISSING, file=sys.stderr)
        return 2
    from trido.cli.command import run  # noqa: PLC0415  # needs the extra

    return run(arguments)
