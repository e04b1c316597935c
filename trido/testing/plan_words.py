"""The words of fault plans: how names, numbers and lengths of time stand in a line."""

from __future__ import annotations

import json
import re
from typing import Final

from trido.checks import count, is_number, text

_BARE: Final = re.compile(r"[^\W\d][\w.\-/:@]*")
_RESERVED: Final = frozenset(["any", "at", "by", "loop", "of", "signal", "to"])


def quoted(name: str) -> str:
    """A name as it stands in a line: bare, if it can be taken for nothing else."""
    if _BARE.fullmatch(name) and name not in _RESERVED:
        return name
    return json.dumps(name, ensure_ascii=False)


def duration(seconds: float) -> str:
    """A number of seconds as it stands in a line."""
    return f"{int(seconds) if seconds == int(seconds) else repr(seconds)}s"


def ordinal(n: int) -> str:
    """A number as it counts: 1st, 2nd, 3rd."""
    last = 0 if n % 100 in (11, 12, 13) else n % 10
    return f"{n}{({1: 'st', 2: 'nd', 3: 'rd'}).get(last, 'th')}"


def of_type(type: str | None) -> str:
    """Of which type, if it says so."""
    return "" if type is None else f" of {quoted(type)}"


def number(value: float) -> float:
    """As a float. What is no number stays as it is, and is refused by what has it."""
    return float(value) if is_number(value) else value


def check_nth(of: str, nth: int) -> None:
    """It is one that can be counted."""
    count(of, "nth", nth, least=1, infinite=False)


def check_type(of: str, type: str | None) -> None:
    """It is a type of signals, or left out."""
    if type is not None:
        text(of, "type", type)
