"""What the fields of rows may be: found before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trido.errors import SpecError

WHOLE: Final = 2**63 - 1
"""The largest number that is stored."""

LARGEST: Final = 2**28
"""How many bytes one piece of data may have: 256 MiB."""


def text(of: str, field: str, value: object, *, least: int = 1) -> None:
    """A string that can be stored as UTF-8.

    Raises:
      SpecError: it is none.
    """
    if isinstance(value, str) and len(value) >= least:
        try:
            value.encode()
        except UnicodeEncodeError:
            pass
        else:
            return
    what = "a non-empty string" if least else "a string"
    raise SpecError(field, value, f"{what} that UTF-8 can encode", of=of)


def number(of: str, field: str, value: object, *, least: int = 0) -> None:
    """A whole number. Raises `SpecError` if it is none."""
    if type(value) is not int or not least <= value <= WHOLE:
        raise SpecError(field, value, f"a whole number, {least} to {WHOLE}", of=of)


def data(of: str, field: str, value: object) -> None:
    """Bytes, and not too many. Raises `SpecError` if it is none."""
    if type(value) is not bytes:
        raise SpecError(field, value, "bytes", of=of)
    if len(value) > LARGEST:
        raise SpecError(field, f"{len(value)} bytes", f"at most {LARGEST} bytes", of=of)


def state(of: str, fields: object) -> None:
    """The encoded fields of a state. Raises `SpecError` if it is something else."""
    if not isinstance(fields, Mapping):
        raise SpecError("state", fields, "a mapping of names of fields to bytes", of=of)
    whole = 0
    for name, value in fields.items():
        text(of, "state", name)
        data(of, f"state[{name!r}]", value)
        whole += len(value)
    if whole > LARGEST:  # they become one piece
        raise SpecError("state", f"{whole} bytes", f"at most {LARGEST} bytes", of=of)


def all_of(of: str, field: str, values: object, kind: type) -> None:
    """A tuple of such things. Raises `SpecError` if it is something else."""
    if type(values) is not tuple or not all(type(one) is kind for one in values):
        raise SpecError(field, values, f"a tuple of {kind.__name__}", of=of)
